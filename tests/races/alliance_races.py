"""Races of two brands over their agreement; as ``scan_races.py``."""

from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.access.tokens import TokenIssuer
from loyalty.actor import GRANTS_BY_ROLE, Actor, ActorKind, OperatorRole
from loyalty.brands.service import create_brand
from loyalty.clock import utc_now
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger.service import open_brand_books
from rewards.alliances.models import Agreement, AgreementVersion
from tests.databases import TOKEN_SECRET
from tests.races.arena import Arena, Broken
from tests.races.stage import said
from tests.races.wire import release_at_once, request_bytes
from tests.rewards.payouts.stores import rows
from tests.rewards.redemptions.shops import add_template

PROPOSE = """mutation Race($input: ProposeAgreementInput!) { proposeAgreement(input: $input) {
  __typename ... on ProposeAgreementReceipt { agreement { id } } ... on Refused { code } } }"""
SIGN = """mutation Race($input: SignAgreementInput!) { signAgreement(input: $input) { __typename
  ... on SignAgreementReceipt { agreement { status } } ... on Refused { code } } }"""

Side = tuple[UUID, str, UUID]
"""A brand's id and slug, and a template of its own."""


async def _add_side(tx: Tx, /, slug: str) -> Side:
    brand = await create_brand(tx, slug=slug, name=slug)
    await open_brand_books(tx, brand.id, None)
    template = await add_template(tx, brand.id, usable_until=date(2999, 12, 31))
    return brand.id, slug, template.id


def call(brand_id: UUID, document: str, **input: Any) -> bytes:
    """By an administrator of the brand."""
    role = OperatorRole.ADMIN
    actor = Actor(ActorKind.OPERATOR, brand_id, new_id(), role.value, GRANTS_BY_ROLE[role])
    token = TokenIssuer(bytes.fromhex(TOKEN_SECRET), 3600).issue(actor, utc_now())
    return request_bytes(token, document, {"input": {"idempotencyKey": str(new_id()), **input}})


def _proposal(own: Side, other: Side) -> bytes:
    line = {
        "templateId": encode_id("CouponTemplate", own[2]),
        "issuer": "OWN",
        "redeemers": ["PARTNER"],
        "issuerShare": {"basisPoints": 5_000},
    }
    terms = {"firstOn": "2020-01-01", "lines": [line]}
    return call(own[0], PROPOSE, partnerSlug=other[1], terms=terms)


async def two_brands_agree_once(arena: Arena, size: int) -> Broken:
    """Pairs of brands: both sides propose at once, then both sign at once what stands. Each pair
    comes to one agreement, and it is in force."""
    broken = Broken()
    pairs: list[tuple[Side, Side]] = []
    slug = arena.stage("alliance").slug
    for n in range(size):
        names = (f"{slug}-{n}" if n else slug, f"{slug}-other-{n}")
        one, other = [await arena.db.in_transaction(_add_side, name) for name in names]
        pairs.append((one, other))
    proposals = [
        _proposal(*sides) for one, other in pairs for sides in ((one, other), (other, one))
    ]
    replies = [
        said(answer, "proposeAgreement") for answer in await release_at_once(arena.ports, proposals)
    ]
    broken.unless(
        {reply.get("__typename") for reply in replies} == {"ProposeAgreementReceipt"},
        f"all proposals are taken, not {Counter(map(str, replies)).most_common(3)}",
    )
    ids = {side[0] for pair in pairs for side in pair}
    live = Counter(row.brand_id for row in await rows(arena.db, Agreement) if row.brand_id in ids)
    broken.unless(set(live.values()) == {1}, f"one agreement a pair, not {max(live.values())}")
    standing = {
        row.brand_id: row
        for row in await rows(arena.db, AgreementVersion)
        if row.status == "PROPOSED" and row.brand_id in ids
    }
    signing = [
        call(
            brand_id,
            SIGN,
            agreementId=encode_id("Agreement", row.agreement_id),
            digest=row.digest,
        )
        for brand_id, row in standing.items()
    ]
    await release_at_once(arena.ports, signing)
    ends = Counter(
        row.status
        for row in await rows(arena.db, AgreementVersion)
        if row.brand_id in ids and row.signed_at is not None
    )
    broken.unless(ends == {"IN_FORCE": 2 * size}, f"what both signed is in force, not {dict(ends)}")
    return broken
