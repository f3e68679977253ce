"""``loyalty token``: signing in on the host, for scripts and support."""

from datetime import timedelta
from typing import Annotated

import typer

from loyalty import audit_log
from loyalty.access.queries import find_operator_by_email
from loyalty.access.tokens import TokenIssuer
from loyalty.actor import (
    GRANTS_BY_ROLE,
    Actor,
    ActorKind,
    MemberRole,
    OperatorRole,
    system_actor,
)
from loyalty.brands.service import get_brand_by_slug
from loyalty.clock import utc_now
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import NotFound
from loyalty.members.queries import find_identity_by_external_ref
from loyalty.members.service import find_or_create_identity_by_phone
from server.console import Exit, fail, keyring_of, read_settings, say, with_database

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


async def member_actor(tx: Tx, keyring: Keyring, slug: str, phone: str, role: MemberRole) -> Actor:
    """The actor of a phone in a role; the identity is made if the brand does not know it."""
    brand = await get_brand_by_slug(tx, slug)
    identity = await find_or_create_identity_by_phone(tx, keyring, brand.id, phone)
    await audit_log.record(tx, system_actor(brand.id), "token.issue", identity.id, role=role.value)
    return Actor(ActorKind.MEMBER, brand.id, identity.id, role.value)


async def referred_actor(tx: Tx, slug: str, member_ref: str, role: MemberRole) -> Actor:
    """The actor of an imported member, known by its outside reference; it must exist."""
    brand = await get_brand_by_slug(tx, slug)
    identity = await find_identity_by_external_ref(tx, brand.id, member_ref)
    if identity is None:
        raise NotFound(noun="member")
    await audit_log.record(tx, system_actor(brand.id), "token.issue", identity.id, role=role.value)
    return Actor(ActorKind.MEMBER, brand.id, identity.id, role.value)


async def operator_actor(tx: Tx, slug: str, email: str) -> Actor:
    """The actor of an operator."""
    brand = await get_brand_by_slug(tx, slug)
    operator = await find_operator_by_email(tx, brand.id, email.strip().lower())
    if operator is None:
        raise NotFound(noun="operator")
    await audit_log.record(tx, system_actor(brand.id), "token.issue", operator.id)
    role = OperatorRole(operator.role)
    return Actor(ActorKind.OPERATOR, brand.id, operator.id, role.value, GRANTS_BY_ROLE[role])


def token(
    brand: Annotated[str, typer.Option(help="The brand's slug.")],
    phone: Annotated[str | None, typer.Option(help="A member's phone.")] = None,
    role: Annotated[MemberRole, typer.Option(help="The role the member acts in.")] = (
        MemberRole.CONSUMER
    ),
    member_ref: Annotated[
        str | None, typer.Option(help="An imported member's outside reference.")
    ] = None,
    operator: Annotated[str | None, typer.Option(help="An operator's e-mail.")] = None,
    as_json: AsJson = False,
) -> None:
    """A token for any member or operator. Every use is written to the audit log."""
    if [phone, member_ref, operator].count(None) != 2:
        raise fail("Name one of --phone, --member-ref and --operator.", Exit.USAGE)
    settings = read_settings()
    keyring = keyring_of(settings)
    issuer = TokenIssuer(settings.secret_bytes("token_secret"), settings.token_ttl_seconds)

    async def work(database: Database) -> Actor:
        if phone is not None:
            return await database.in_transaction(member_actor, keyring, brand, phone, role)
        if member_ref is not None:
            return await database.in_transaction(referred_actor, brand, member_ref, role)
        return await database.in_transaction(operator_actor, brand, operator or "")

    now = utc_now()
    issued = issuer.issue(with_database(settings, work), now)
    expires_at = now + timedelta(seconds=settings.token_ttl_seconds)
    say({"token": issued, "expires_at": expires_at.isoformat()}, as_json, issued)
