"""What the bench plays on: one brand with its people and codes, and the scans to send.

The mix, the same for the engine, its twin and the floor: every scan is of a code that nobody has
scanned, by a consumer whom a guide has invited (so it pays two people), from the consumer's own
device, with a position. One scan in ten is a consumer's first: it enrols. The others come from
consumers in turn. The campaign is the demo's, ungated, with
caps and budgets wide enough for a day of it.

The regulars, whose home pages are asked for, have bought coupons with some of their points: more
would be the work of another query, fewer would flatter this one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.access.tokens import TokenIssuer
from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.clock import utc_now
from loyalty.codes.models import CodeBatch, CodeKind
from loyalty.codes.rules import CodeKey
from loyalty.codes.service import activate_batch, create_batches, load_key, mark_printed
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx, insert_statement
from loyalty.ids import new_id
from loyalty.members.models import Identity, Invitation, Member, RosterEntry
from loyalty.products.service import create_product
from rewards.coupons.models import CouponKind
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from server.founding import BrandWanted, found_brand

CODES = 10_000_000  # codes have no rows before they are scanned
GUIDES = 200
ENROLLED = 5_000
NEWCOMERS = 8_000
ONE_NEWCOMER_IN = 10
REGULARS = 200
SCANS_OF_A_REGULAR = 10
COUPONS_OF_A_REGULAR = 5
COUPON_PRICE = 1
ONE_RISES_IN = 4
FIRST_SERIAL = ENROLLED + ENROLLED // ONE_RISES_IN + REGULARS * SCANS_OF_A_REGULAR
"""Codes below it were scanned while the stage was set."""

ROWS_PER_INSERT = 5_000
TOKEN_TTL_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Stage:
    """A prepared brand. ``consumers`` are identities: first the enrolled, then the newcomers.
    ``template_id`` is the coupon that points buy."""

    brand_id: UUID
    template_id: UUID
    consumers: tuple[UUID, ...]
    key: CodeKey
    inner: CodeBatch
    tokens: TokenIssuer


@dataclass(frozen=True)
class PlannedScan:
    """One scan to send: of the code with this serial, which names its idempotency key too."""

    identity_id: UUID
    serial: int

    @property
    def idempotency_key(self) -> str:
        return f"bench-{self.serial}"

    @property
    def device_id(self) -> str:
        return f"device-{self.identity_id.hex}"

    @property
    def position(self) -> dict[str, float]:
        return {"latitude": 31.0 + self.serial % 100 / 100, "longitude": 121.0}


def plan_scans(stage: Stage, count: int) -> Iterator[PlannedScan]:
    """Scans of unscanned codes, in the mix told above."""
    newcomers = stage.consumers[ENROLLED:]
    for number in range(count):
        turn, place = divmod(number, ONE_NEWCOMER_IN)
        if place == 0 and turn < len(newcomers):
            identity_id = newcomers[turn]
        else:
            identity_id = stage.consumers[number % ENROLLED]
        yield PlannedScan(identity_id, FIRST_SERIAL + number)


def plan_setting(stage: Stage) -> Iterator[PlannedScan]:
    """The scans that set the stage: one of each consumer who is to be enrolled when the bench
    begins; one more of every fourth, whose next scan then reaches a tier; and some of the
    regulars, whose home pages are then full."""
    enrolled = stage.consumers[:ENROLLED]
    regulars = enrolled[:REGULARS] * SCANS_OF_A_REGULAR
    for serial, identity_id in enumerate([*enrolled, *enrolled[::ONE_RISES_IN], *regulars]):
        yield PlannedScan(identity_id, serial)


def operator_token(stage: Stage, now: datetime) -> str:
    """An access token of a brand operator, to publish the campaign with."""
    return stage.tokens.issue(Actor(ActorKind.OPERATOR, stage.brand_id, new_id(), "ADMIN"), now)


def consumer_token(stage: Stage, identity_id: UUID, now: datetime) -> str:
    """An access token as sign-in would give it."""
    actor = Actor(ActorKind.MEMBER, stage.brand_id, identity_id, "CONSUMER")
    return stage.tokens.issue(actor, now)


async def build_stage(url: str, keyring: Keyring, tokens: TokenIssuer) -> Stage:
    """Make the brand and its people in a migrated, empty database."""
    database = Database(url)
    try:
        brand_id, product_id, template_id = await database.in_transaction(_brand_with_product)
        actor = system_actor(brand_id)
        inner = await database.in_transaction(_active_batch, actor, keyring, product_id)
        people = _people(brand_id, keyring, utc_now())
        for insert, rows in zip(_INSERTS, people.tables, strict=True):
            for start in range(0, len(rows), ROWS_PER_INSERT):
                chunk = rows[start : start + ROWS_PER_INSERT]
                await database.in_transaction(_insert, insert, chunk)
        async with database.snapshot() as snapshot:
            key = await load_key(snapshot, keyring, brand_id, inner.key_epoch_id)
        return Stage(brand_id, template_id, people.consumers, key, inner, tokens)
    finally:
        await database.close()


async def _brand_with_product(tx: Tx) -> tuple[UUID, UUID, UUID]:
    brand = await found_brand(tx, BrandWanted(slug="bench", name="Bench"))
    actor = system_actor(brand.id)
    product = await create_product(
        tx, actor, sku="TEA-500", name_zh="绿茶 500ml", name_en="Green tea 500 ml"
    )
    template = await create_template(
        tx,
        actor,
        TemplateDefinition(
            code="another-bottle",
            name_zh="再来一瓶",
            name_en="Another bottle free",
            kind=CouponKind.FREE_ITEM,
            product_id=product.id,
            usable_days=30,
            points_price=COUPON_PRICE,
        ),
    )
    return brand.id, product.id, template.id


async def _active_batch(tx: Tx, actor: Actor, keyring: Keyring, product_id: UUID) -> CodeBatch:
    batches = await create_batches(
        tx,
        actor,
        keyring,
        product_id=product_id,
        quantity=CODES,
        kinds=[CodeKind.INNER, CodeKind.OUTER],
    )
    inner = batches[0]
    await mark_printed(tx, actor, inner.id, include_paired=True)
    await activate_batch(tx, actor, inner.id)
    return inner


_INSERTS = (
    insert_statement(
        Identity,
        "brand_id uuid, id uuid, phone_hash text, phone_cipher text, created_at timestamptz",
    ),
    insert_statement(
        RosterEntry,
        "brand_id uuid, id uuid, role text, phone_hash text, phone_cipher text, name text,"
        " created_at timestamptz",
    ),
    insert_statement(
        Member,
        "brand_id uuid, id uuid, identity_id uuid, role text, status text, enrolled_at timestamptz",
    ),
    insert_statement(
        Invitation,
        "brand_id uuid, id uuid, inviter_id uuid, phone_hash text, phone_cipher text,"
        " created_at timestamptz",
    ),
)


@dataclass(frozen=True)
class _People:
    consumers: tuple[UUID, ...]
    tables: tuple[list[tuple[Any, ...]], ...]


def _people(brand_id: UUID, keyring: Keyring, now: datetime) -> _People:
    """Guides on the roster, and consumers whom they invited; nobody has enrolled but guides."""
    identities: list[tuple[Any, ...]] = []
    roster: list[tuple[Any, ...]] = []
    members: list[tuple[Any, ...]] = []
    invitations: list[tuple[Any, ...]] = []
    consumers: list[UUID] = []
    for number in range(GUIDES + ENROLLED + NEWCOMERS):
        phone = f"+861{30_000_000_00 + number}"
        phone_hash = keyring.lookup_hash(brand_id, "phone", phone)
        cipher = keyring.encrypt_phone(brand_id, phone)
        identity_id = new_id()
        identities.append((brand_id, identity_id, phone_hash, cipher, now))
        if number < GUIDES:
            name = f"Guide {number}"
            roster.append((brand_id, new_id(), "GUIDE", phone_hash, cipher, name, now))
            members.append((brand_id, new_id(), identity_id, "GUIDE", "ACTIVE", now))
        else:
            inviter_id = members[number % GUIDES][1]
            invitations.append((brand_id, new_id(), inviter_id, phone_hash, cipher, now))
            consumers.append(identity_id)
    return _People(tuple(consumers), (identities, roster, members, invitations))


async def _insert(tx: Tx, insert: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    await tx.fetch(insert, rows=rows)
