"""What is redeemed in the bench: a brand with stores, tills and clerks, and coupons that its
consumers have won; and a coupon held and captured, over the wire.

The coupons come by scans, settled by the engine's own batcher: each has its scan, its claim and its
member, and the audit agrees. Tills take turns, so as many clerks are busy at once as there are
clients, over all places; no coupon is asked for twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlmodel import col, select

from benchmarks.load import request_bytes
from loyalty.access.tokens import TokenIssuer
from loyalty.actor import CLERK_ROLE, Actor, ActorKind, MemberRole, system_actor
from loyalty.codes.models import CodeBatch, CodeKind
from loyalty.codes.service import activate_batch, create_batches, load_key, mark_printed
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.members.models import Identity
from loyalty.notifications.providers import NullProvider
from loyalty.places.service import NewPin, create_clerk, create_place, create_till, prepare_pin
from loyalty.products.service import create_product
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import CampaignDefinition, CouponOutcome
from rewards.campaigns.service import publish_campaign
from rewards.coupons.models import Coupon, CouponKind
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from rewards.scans.batcher import ScanBatcher
from rewards.scans.intake import ScanIntake
from server.founding import BrandWanted, found_brand
from workers.wiring import make_relay

COST_FEN, FEE_FEN = 350, 50
REBATE_FEN = COST_FEN + FEE_FEN
USABLE_DAYS = 30
COUPONS_PER_CONSUMER = 10
SCANS_AT_ONCE = 2_000
BATCH_SIZE_MAX = 256


@dataclass(frozen=True)
class TillSizes:
    """How much of everything. Rebates are paid out whenever a place has earned
    ``coupons_per_payout`` of them."""

    places: int = 16
    tills_per_place: int = 4
    coupons: int = 10_000
    coupons_per_payout: int = 50


@dataclass(frozen=True)
class TillStage:
    """A prepared brand: one clerk for each till, one place after the other; coupons by number."""

    brand_id: UUID
    clerks: tuple[Actor, ...]
    coupon_codes: tuple[str, ...]


async def build_till_stage(url: str, keyring: Keyring, sizes: TillSizes) -> TillStage:
    """Make all of it in a migrated, empty database."""
    database = Database(url)
    try:
        brand_id, batch = await database.in_transaction(_brand_with_codes, keyring, sizes.coupons)
        clerks: list[Actor] = []
        pin = await prepare_pin(keyring, brand_id)  # one for all: nobody signs in
        for number in range(sizes.places):
            clerks += await database.in_transaction(
                _place_with_clerks, brand_id, keyring, pin, number, sizes
            )
        consumers = await database.in_transaction(
            _consumers, brand_id, -(-sizes.coupons // COUPONS_PER_CONSUMER)
        )
        await _scan(database, keyring, batch, consumers, sizes.coupons)
        relay = make_relay(database, NullProvider())
        while await relay.run_once():  # what is measured later is not to do this as well
            pass
        return TillStage(brand_id, tuple(clerks), await _coupon_codes(database, brand_id))
    finally:
        await database.close()


async def _brand_with_codes(tx: Tx, keyring: Keyring, quantity: int) -> tuple[UUID, CodeBatch]:
    brand = await found_brand(tx, BrandWanted(slug="tills", name="Tills"))
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
            usable_days=USABLE_DAYS,
            cost_fen=COST_FEN,
            fee_fen=FEE_FEN,
            stock_max=quantity,
        ),
    )
    await publish_campaign(
        tx,
        actor,
        CampaignDefinition(
            code="another-bottle",
            name_zh="再来一瓶",
            name_en="Another bottle free",
            event=EventKind.SCAN,
            outcomes=(CouponOutcome(MemberRole.CONSUMER, template.id),),
        ),
    )
    [batch] = await create_batches(
        tx, actor, keyring, product_id=product.id, quantity=quantity, kinds=[CodeKind.INNER]
    )
    await mark_printed(tx, actor, batch.id, include_paired=True)
    await activate_batch(tx, actor, batch.id)
    return brand.id, batch


async def _place_with_clerks(
    tx: Tx, brand_id: UUID, keyring: Keyring, pin: NewPin, number: int, sizes: TillSizes
) -> list[Actor]:
    actor = system_actor(brand_id)
    place = await create_place(
        tx,
        actor,
        keyring,
        code=f"place-{number}",
        name=f"Place {number}",
        address=f"{number} Bench Road",
        payout_threshold_fen=sizes.coupons_per_payout * REBATE_FEN,
        payee=f"acct-place-{number}",
    )
    clerks = []
    for turn in range(sizes.tills_per_place):
        made = await create_till(tx, actor, keyring, place_id=place.id, name=f"Till {turn}")
        clerk = await create_clerk(
            tx, actor, place_id=place.id, number=f"A{turn}", name=f"Clerk {turn}", pin=pin
        )
        clerks.append(
            Actor(
                ActorKind.CLERK,
                brand_id,
                clerk.id,
                CLERK_ROLE,
                place_id=place.id,
                till_id=made.till.id,
            )
        )
    return clerks


async def _consumers(tx: Tx, brand_id: UUID, count: int) -> list[UUID]:
    """People who are known and have not enrolled: their first scan does that."""
    identities = [
        Identity(brand_id=brand_id, id=new_id(), external_ref=f"bench-{n}", created_at=tx.now)
        for n in range(count)
    ]
    await tx.add(*identities)
    return [identity.id for identity in identities]


async def _scan(
    database: Database, keyring: Keyring, batch: CodeBatch, consumers: Sequence[UUID], count: int
) -> None:
    """Each code once, by consumers in turn: a coupon each."""
    async with database.snapshot() as snapshot:
        key = await load_key(snapshot, keyring, batch.brand_id, batch.key_epoch_id)
    batcher = ScanBatcher(database, batch_size_max=BATCH_SIZE_MAX, queue_size_max=SCANS_AT_ONCE)
    intake = ScanIntake(database, keyring, batcher)
    batcher.start()
    try:
        for start in range(0, count, SCANS_AT_ONCE):
            scans = [
                intake.scan(
                    Actor(
                        ActorKind.MEMBER,
                        batch.brand_id,
                        consumers[serial % len(consumers)],
                        MemberRole.CONSUMER.value,
                    ),
                    code=key.encode(batch.number, serial),
                    idempotency_key=f"bench-{serial}",
                    device_id=None,
                    position=None,
                    scene=None,
                    nonce=None,
                    address="",
                )
                for serial in range(start, min(start + SCANS_AT_ONCE, count))
            ]
            await asyncio.gather(*scans)
    finally:
        await batcher.stop()


async def _coupon_codes(database: Database, brand_id: UUID) -> tuple[str, ...]:
    async with database.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(Coupon.code).where(col(Coupon.brand_id) == brand_id).order_by(col(Coupon.id))
        )
        return tuple(found)


# --- over the wire -----------------------------------------------------------------------------

_RECEIPT = "replayed redemption { id status discountFen payFen heldUntil product { sku } }"
_REFUSED = "... on Refused { code message }"
HOLD = f"""mutation Hold($input: HoldCouponInput!) {{ holdCoupon(input: $input) {{
    __typename ... on HoldCouponReceipt {{ {_RECEIPT} }} {_REFUSED} }} }}"""
CAPTURE = f"""mutation Capture($input: CaptureRedemptionInput!) {{
    captureRedemption(input: $input) {{
    __typename ... on CaptureRedemptionReceipt {{ {_RECEIPT} }} {_REFUSED} }} }}"""
_ID = b'"id":"'
_STEPS = (("holdCoupon", "HELD"), ("captureRedemption", "CAPTURED"))


@dataclass(frozen=True)
class Captures:
    """What a till sends when its hold is answered; ``tokens`` of the clerks, who take turns from
    position ``first`` on."""

    tokens: tuple[str, ...]
    first: int = 0

    def at(self, position: int) -> "Captures":
        """The same for a load that begins with the hold at this position."""
        return Captures(self.tokens, position)

    def __call__(self, position: int, reply: bytes) -> bytes | None:
        start = reply.find(_ID)
        if start < 0:
            return None
        start += len(_ID)
        redemption_id = reply[start : reply.index(b'"', start)].decode()
        captured = {"idempotencyKey": f"capture-{redemption_id}", "redemptionId": redemption_id}
        body = orjson.dumps({"query": CAPTURE, "variables": {"input": captured}})
        return request_bytes(
            "/graphql", body, self.tokens[(self.first + position) % len(self.tokens)]
        )


def redeeming(stage: TillStage, tokens: TokenIssuer, now: datetime) -> tuple[list[bytes], Captures]:
    """A hold of each coupon as a whole HTTP request, and what follows each."""
    issued = tuple(tokens.issue(clerk, now) for clerk in _in_turns(stage.clerks))
    requests = []
    for position, code in enumerate(stage.coupon_codes):
        held = {"idempotencyKey": f"hold-{code}", "code": code}
        body = orjson.dumps({"query": HOLD, "variables": {"input": held}})
        requests.append(request_bytes("/graphql", body, issued[position % len(issued)]))
    return requests, Captures(issued)


def _in_turns(clerks: Sequence[Actor]) -> list[Actor]:
    """One of each place before the next one of the same."""
    by_place: dict[Any, int] = {}
    turns = []
    for clerk in clerks:
        turn = by_place[clerk.place_id] = by_place.get(clerk.place_id, -1) + 1
        turns.append(turn)
    return [clerk for _, clerk in sorted(zip(turns, clerks, strict=True), key=lambda t: t[0])]


def is_step_taken(reply: bytes) -> bool:
    """A hold or a capture, made now."""
    answer = orjson.loads(reply)
    if "errors" in answer:
        return False
    for name, status in _STEPS:
        receipt = answer["data"].get(name)
        if receipt is not None:
            return bool(
                receipt["__typename"].endswith("Receipt")
                and not receipt["replayed"]
                and receipt["redemption"]["status"] == status
            )
    return False
