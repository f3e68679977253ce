"""A brand with many stores whose coupons were won by real scans, for tests that redeem thousands.

Scans are settled in batches, by the verb that settles them. Coupons are taken in batches as well:
``take_all`` writes in a dozen statements what ``hold_coupon`` and ``capture`` write for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, select

from loyalty.actor import Actor, ActorKind, MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand
from loyalty.codes import service as codes
from loyalty.codes.models import CodeBatch, CodeKind
from loyalty.crypto import Keyring
from loyalty.db import Database, Statement, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import (
    issuance_accounts,
    lock_place_accounts,
    write_brands_side,
    write_members_side,
)
from loyalty.members.models import Identity
from loyalty.outbox import Fact, emit
from loyalty.products.service import create_product
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import CampaignDefinition, CouponOutcome
from rewards.campaigns.service import publish_campaign
from rewards.coupons.models import Coupon, CouponKind
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from rewards.redemptions import queries
from rewards.redemptions.models import Redemption, RedemptionEvent, RedemptionStep
from rewards.redemptions.service import CAPTURED_TOPIC, REDEEMED_TOPIC, capture, hold_coupon
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply, ScanRequest
from tests.brands_made import make_brand
from tests.rewards.payouts.stores import set_place
from tests.rewards.redemptions.shops import (
    AMOUNT_OFF_FEN,
    COST_FEN,
    FEE_FEN,
    REBATE_FEN,
    Counter,
    add_counter,
    add_place,
)

MEMBERS = 40
SCANS_AT_ONCE = 250

USE_UP = Statement(
    """
    UPDATE coupons SET status = 'REDEEMED', redemption_id = taken.redemption_id, ended_at = :now
    FROM {taken} WHERE coupons.brand_id = taken.brand_id AND coupons.id = taken.id
        AND coupons.status = 'ISSUED'
    RETURNING coupons.id
    """,
    sets={"taken": "brand_id uuid, id uuid, redemption_id uuid"},
    params="now timestamptz",
    returns="id uuid",
)


@dataclass
class Chain:
    """A brand, a counter in each of its stores, and codes that win a coupon each."""

    brand: Brand
    counters: list[Counter]
    batch: CodeBatch
    consumers: list[UUID]
    scanned: int = 0

    def next_scan(self) -> ScanRequest:
        """The next code, by the next of the consumers."""
        serial = self.scanned
        self.scanned += 1
        who = self.consumers[serial % len(self.consumers)]
        return ScanRequest(
            scan_id=new_id(),
            actor=Actor(ActorKind.MEMBER, self.brand.id, who, MemberRole.CONSUMER.value),
            key_epoch_id=self.batch.key_epoch_id,
            batch_number=self.batch.number,
            serial=serial,
            idempotency_key=f"k{serial}",
            body_hash="",
            device_hash=None,
            latitude=None,
            longitude=None,
            scene=None,
            address="",
        )


async def open_chain(
    tx: Tx,
    keyring: Keyring,
    slug: str,
    *,
    places: int,
    coupons: int,
    payout_threshold_fen: int,
    payees: bool = True,
) -> Chain:
    """Stores with a payee, if wanted, and so many codes. A coupon is worth 350 fen to a store."""
    brand = await make_brand(tx, slug)
    actor = system_actor(brand.id)
    product = await create_product(tx, actor, sku="tea", name_zh="茶", name_en="Tea")
    definition = TemplateDefinition(
        code="off",
        name_zh="立减",
        name_en="Off",
        kind=CouponKind.AMOUNT_OFF,
        amount_off_fen=AMOUNT_OFF_FEN,
        usable_days=30,
        cost_fen=COST_FEN,
        fee_fen=FEE_FEN,
    )
    template = await create_template(tx, actor, definition)
    campaign = CampaignDefinition(
        code="win",
        name_zh="扫码得券",
        name_en="Win",
        event=EventKind.SCAN,
        outcomes=(CouponOutcome(MemberRole.CONSUMER, template.id),),
    )
    await publish_campaign(tx, actor, campaign)
    [batch] = await codes.create_batches(
        tx, actor, keyring, product_id=product.id, quantity=coupons, kinds=[CodeKind.INNER]
    )
    await codes.mark_printed(tx, actor, batch.id)
    await codes.activate_batch(tx, actor, batch.id)
    counters = []
    for number in range(places):
        place = await add_place(tx, brand.id, f"store-{number}")
        payee = f"wallet-of-{slug}-{number:04}" if payees else None
        await set_place(tx, place, payee=payee, payout_threshold_fen=payout_threshold_fen)
        counters.append(await add_counter(tx, place, number))
    people = [
        Identity(brand_id=brand.id, external_ref=f"person-{number}", created_at=tx.now)
        for number in range(MEMBERS)
    ]
    await tx.add(*people)
    return Chain(brand, counters, batch, [person.id for person in people])


async def win_coupons(db: Database, chain: Chain, count: int) -> list[Coupon]:
    """So many of the chain's codes are scanned: the coupons that they win, in that order."""
    cache: ConfigurationCache = {}
    scans = [chain.next_scan() for _ in range(count)]
    for start in range(0, count, SCANS_AT_ONCE):
        batch = scans[start : start + SCANS_AT_ONCE]
        for answer in await db.in_transaction(settle_scans, batch, cache):
            assert isinstance(answer, ScanReply) and answer.reply["unpaid_reason"] is None
    async with db.snapshot() as snapshot:
        query = select(Coupon).where(col(Coupon.brand_id) == chain.brand.id)
        won = {coupon.cause_id: coupon for coupon in await snapshot.session.exec(query)}
    return [won[scan.scan_id] for scan in scans]


async def take(tx: Tx, counter: Counter, coupons: Sequence[Coupon]) -> list[Redemption]:
    """Coupons used up at one counter, as clerks do it: one after the other."""
    taken = []
    for coupon in coupons:
        held = await hold_coupon(tx, counter.actor, code=coupon.code)
        taken.append(await capture(tx, counter.actor, held.id))
    return taken


async def take_all(tx: Tx, counter: Counter, coupons: Sequence[Coupon]) -> list[Redemption]:
    """Coupons used up at one counter, all at once: the same rows as ``take``."""
    brand_id, place_id = counter.place.brand_id, counter.place.id
    brand = await get_brand(tx, brand_id)
    until = tx.now + timedelta(seconds=brand.hold_seconds)
    redemptions = [_captured(tx, counter, coupon, until) for coupon in coupons]
    used = [(row.brand_id, row.coupon_id, row.id) for row in redemptions]
    assert len(await tx.fetch(USE_UP, taken=sorted(used), now=tx.now)) == len(coupons)
    names = list(Redemption.model_fields)
    rows = [tuple(getattr(row, name) for name in names) for row in redemptions]
    await tx.fetch(queries.INSERT_REDEMPTIONS, rows=rows)
    await queries.add_events(
        tx,
        [
            _event(tx, counter, row, step)
            for row in redemptions
            for step in (RedemptionStep.HOLD, RedemptionStep.CAPTURE)
        ],
    )
    places = await lock_place_accounts(tx, [(brand_id, place_id)])
    books = await issuance_accounts(tx, [brand_id])
    book = Book(iter([row.rebate_transfer_id or new_id() for row in redemptions]).__next__)
    for row in redemptions:
        cause = Cause("REDEMPTION", row.id, "CLERK", counter.clerk.id, "", tx.now)
        issuance = books[brand_id, brand_id, Asset.CASH.value]
        book.pend(issuance, places[brand_id, place_id], row.rebate_fen, "REBATE", cause)
    await write_members_side(tx, book)
    await emit(tx, [fact for row in redemptions for fact in _facts(tx, row)])
    await write_brands_side(tx, book)
    return redemptions


def _captured(tx: Tx, counter: Counter, coupon: Coupon, until: datetime) -> Redemption:
    return Redemption(
        brand_id=coupon.brand_id,
        coupon_brand_id=coupon.brand_id,
        coupon_id=coupon.id,
        template_id=coupon.template_id,
        member_id=coupon.member_id,
        place_id=counter.place.id,
        till_id=counter.till.id,
        clerk_id=counter.clerk.id,
        status="CAPTURED",
        discount_fen=AMOUNT_OFF_FEN,
        rebate_fen=REBATE_FEN,
        rebate_transfer_id=new_id(),
        held_at=tx.now,
        held_until=until,
        captured_at=tx.now,
    )


def _event(tx: Tx, counter: Counter, row: Redemption, step: RedemptionStep) -> RedemptionEvent:
    return RedemptionEvent(
        brand_id=row.brand_id,
        redemption_id=row.id,
        coupon_id=row.coupon_id,
        step=step.value,
        actor_kind=ActorKind.CLERK.value,
        actor_id=counter.clerk.id,
        till_id=counter.till.id,
        created_at=tx.now,
    )


def _facts(tx: Tx, row: Redemption) -> list[Fact]:
    place = {"place_id": row.place_id.hex}
    redeemed = {
        "redemption_id": row.id.hex,
        "coupon_id": row.coupon_id.hex,
        "template_id": row.template_id.hex,
        **place,
    }
    assert row.member_id is not None
    return [
        Fact(row.brand_id, CAPTURED_TOPIC, row.id, place, tx.now),
        Fact(row.brand_id, REDEEMED_TOPIC, row.member_id, redeemed, tx.now),
    ]
