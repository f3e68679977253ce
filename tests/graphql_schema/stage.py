"""A brand to send requests to, in this process: made quickly, then reached through GraphQL alone.

What has no mutation (founding the brand, writing codes to a file, tokens on the host) is done by
the same functions that the command line calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from graphql_schema.pagination import encode_id, find_id_of
from loyalty.access.tokens import TokenIssuer
from loyalty.actor import (
    GRANTS_BY_ROLE,
    SYSTEM_ID,
    Actor,
    ActorKind,
    MemberRole,
    OperatorRole,
    system_actor,
)
from loyalty.clock import utc_now
from loyalty.codes.service import create_key_epoch, load_key, mark_printed
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.settings import Settings
from migrations.metadata import metadata
from server.founding import BrandWanted, found_brand
from server.token_commands import member_actor
from tests.api import Api, Caller

SCAN_CAMPAIGN = {"code": "scan", "nameZh": "一码双奖", "nameEn": "One code, two rewards"}
CONSUMER = "CONSUMER"
GUIDE = "GUIDE"


def outcome(beneficiary: str, amount: int, asset: str = "POINTS") -> dict[str, Any]:
    """What one beneficiary gets per scan."""
    return {"beneficiary": beneficiary, "asset": asset, "amount": amount}


BOTH_PAID = (outcome(CONSUMER, 100), outcome(GUIDE, 30))


@dataclass
class Stage:
    """One brand; ``product_id`` is a global id. ``admin`` may do everything."""

    api: Api
    database: Database
    keyring: Keyring
    tokens: TokenIssuer
    brand_id: UUID
    slug: str
    product_id: str = ""

    @property
    def admin(self) -> Caller:
        return self.operator(OperatorRole.ADMIN)

    def operator(self, role: OperatorRole) -> Caller:
        """An operator who has just signed in."""
        actor = Actor(ActorKind.OPERATOR, self.brand_id, new_id(), role.value, GRANTS_BY_ROLE[role])
        return self.caller(actor)

    def caller(self, actor: Actor) -> Caller:
        return self.api.signed_in(self.tokens.issue(actor, utc_now()))

    async def member(self, phone: str, role: str = CONSUMER) -> Caller:
        """Somebody who has signed in by phone and not acted yet."""
        return self.caller(
            await self.database.in_transaction(
                member_actor, self.keyring, self.slug, phone, MemberRole(role)
            )
        )

    async def guide(self, phone: str) -> Caller:
        """A guide on the roster."""
        await self.admin.done("importRoster", role=GUIDE, entries=[{"phone": phone, "name": "李"}])
        return await self.member(phone, GUIDE)

    async def order(self, quantity: int = 1, *kinds: str) -> list[str]:
        """The global ids of new draft batches."""
        ordered = await self.admin.done(
            "createCodeBatch",
            productId=self.product_id,
            quantity=quantity,
            kinds=list(kinds or ("INNER",)),
        )
        return [batch["id"] for batch in ordered["batches"]]

    async def print(self, batch_id: str, quantity: int) -> list[str]:
        """The codes of a draft batch, which is then printed."""
        id = find_id_of("CodeBatch", batch_id)
        assert id is not None
        actor = system_actor(self.brand_id)
        [batch] = await self.database.in_transaction(mark_printed, actor, id)
        async with self.database.snapshot() as snapshot:
            key = await load_key(snapshot, self.keyring, self.brand_id, batch.key_epoch_id)
        return [key.encode(batch.number, serial) for serial in range(quantity)]

    async def codes(self, quantity: int = 1, *kinds: str, active: bool = True) -> list[list[str]]:
        """Codes of new batches, a list a kind; the same place is the same item."""
        ids = await self.order(quantity, *kinds)
        printed = [await self.print(id, quantity) for id in ids]
        if active:
            await self.admin.done("activateCodeBatch", id=ids[0])
        return printed

    async def code(self) -> str:
        """One INNER code that pays."""
        [[code]] = await self.codes()
        return code

    async def publish(self, outcomes: Sequence[dict[str, Any]] = BOTH_PAID, **more: Any) -> Any:
        """The scan campaign, or its next version."""
        input = SCAN_CAMPAIGN | {"outcomes": list(outcomes)} | more
        return await self.admin.done("publishCampaign", **input)

    def unknown_id(self, type_name: str) -> str:
        """A global id of nothing."""
        return encode_id(type_name, new_id())

    async def sister(self, name: str, **wanted: Any) -> "Stage":
        """Another brand on the same server, as ``wanted`` beyond its name: with a key for codes
        and a product."""
        slug = f"{name}-{new_id().hex[-12:]}"
        brand = await self.database.in_transaction(found_brand, BrandWanted(slug, name, **wanted))
        system = system_actor(brand.id)
        await self.database.in_transaction(create_key_epoch, system, self.keyring)
        stage = replace(self, brand_id=brand.id, slug=slug)
        product = await stage.admin.done("createProduct", sku="SKU-1", nameZh="啤酒", nameEn="Beer")
        stage.product_id = product["product"]["id"]
        return stage


async def open_stage(
    api: Api, database: Database, settings: Settings, name: str, **wanted: Any
) -> Stage:
    """A brand on a server that may have others, as ``wanted`` beyond its name."""
    keyring = Keyring(settings.secret_bytes("master_key"))
    tokens = TokenIssuer(settings.secret_bytes("token_secret"), settings.token_ttl_seconds)
    return await Stage(api, database, keyring, tokens, SYSTEM_ID, "").sister(name, **wanted)


async def all_rows(database: Database) -> dict[str, list[str]]:
    """Every row of every table, in an order of their own; but when periodic work is due and how
    often keys called, which move by themselves."""
    rows = {}
    async with database.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        for table in metadata.sorted_tables:
            if table.name in ("periodic_jobs", "partner_key_uses"):
                continue
            found = await connection.execute(select(table))
            rows[table.name] = sorted(repr(tuple(row)) for row in found)
    return rows
