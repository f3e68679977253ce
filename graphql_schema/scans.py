"""Scanning a code, and the brand's scans and figures."""

from datetime import date, datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import strawberry

from analytics.service import DayFigures as DayFiguresRow
from analytics.service import figures_of_day, list_rollups
from graphql_schema.bonuses import Bonus, bonus_shown
from graphql_schema.channel_shares import ScanShares
from graphql_schema.codes import Sighting
from graphql_schema.context import Context, Info
from graphql_schema.draws import DrawnPrize, drawn_prize
from graphql_schema.enums import (
    CodeKind,
    CouponKind,
    GuideUnpaidReason,
    MemberRole,
    UnlockKind,
    UnpaidReason,
    Verdict,
)
from graphql_schema.faults import Invalid, Throttled
from graphql_schema.loaders import member_loader, product_loader, row_loader
from graphql_schema.locked_rewards import RewardLock, lock_of
from graphql_schema.member_lists import page_of_brand
from graphql_schema.members import Member
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.products import Product
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from graphql_schema.withheld import WithheldTax, withheld_tax
from loyalty.actor import Grant
from loyalty.clock import local_date, utc_now
from loyalty.errors import CodeUnknown
from loyalty.ids import read_id
from loyalty.members.models import Member as MemberRow
from loyalty.products.models import Product as ProductRow
from rewards.coupons.rules import printed_code
from rewards.grants.world import Unlock
from rewards.scans import queries
from rewards.scans.batcher import QueueFull
from rewards.scans.intake import Position
from rewards.scans.models import ScanEvent as ScanRow

CURSOR = Cursor(UUID)
reversal_loader = row_loader(queries.list_reversals, key=attrgetter("scan_id"))
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9998, 12, 31)


@strawberry.type(description="One reward of the scanner. Locked: it waits for a named thing.")
class Reward:
    asset: AssetCode
    amount: BigInt
    locked: bool
    lock: RewardLock | None
    withheld: WithheldTax | None = strawberry.field(
        default=None,
        description="Of a cash prize of which tax was withheld; amount is what was won.",
    )


@strawberry.type(
    description="A reward of the scanner that had waited for this scan, and is its own now; the id"
    " is a LockedReward's."
)
class UnlockedReward:
    id: strawberry.ID
    asset: AssetCode
    amount: BigInt


@strawberry.type(description="A coupon that the scanner has won; its id is a Coupon's.")
class ScanCoupon:
    id: strawberry.ID
    code: str
    template_code: str
    name_zh: str
    name_en: str
    kind: CouponKind
    usable_from: date
    usable_until: date


@strawberry.type(description="A balance as it was right after the scan.")
class ScanBalance:
    asset: AssetCode
    balance: BigInt
    locked: BigInt


@strawberry.type(description="The level held after the scan.")
class ScanTier:
    rank: int
    code: str
    name_zh: str
    name_en: str


@strawberry.type(
    description="The scan's draw: what was given (its awards are among the rewards and coupons),"
    " and the hash of the seed that it was drawn by, to be revealed when the day is over. The whole"
    " receipt is among the member's draws."
)
class ScanDraw:
    id: strawberry.ID
    won: bool
    prize: DrawnPrize | None
    seed_hash: str
    on: date


@strawberry.type(description="The scan was recorded; unpaidReason says why it paid nothing, if so.")
class ScanCodeReceipt:
    replayed: bool
    scan_id: strawberry.ID
    occurred_at: datetime
    verdict: Verdict
    unpaid_reason: UnpaidReason | None
    guide_unpaid_reason: GuideUnpaidReason | None
    scan_count: BigInt
    first_scan: Sighting | None
    latest_scan: Sighting | None
    rewards: list[Reward]
    bonuses: list[Bonus]
    unlocked: list[UnlockedReward]
    coupons: list[ScanCoupon]
    draw: ScanDraw | None
    balances: list[ScanBalance]
    tier: ScanTier | None
    tier_changed: bool
    is_new_member: bool
    product_row_id: strawberry.Private[UUID]

    @strawberry.field(graphql_type=Product | None)
    async def product(self, info: Info) -> ProductRow | None:
        return await info.context.product(self.product_row_id)


@strawberry.input
class PositionInput:
    latitude: float
    longitude: float


@strawberry.input
class ScanCodeInput:
    code: str
    idempotency_key: strawberry.ID
    device_id: str | None = None
    position: PositionInput | None = None
    scene: str | None = None
    nonce: str | None = None


ScanCodeResult = Annotated[ScanCodeReceipt | Refused, strawberry.union("ScanCodeResult")]


def _sighting(stored: dict[str, Any] | None) -> Sighting | None:
    if stored is None:
        return None
    return Sighting(
        at=datetime.fromisoformat(stored["at"]),
        latitude=stored["latitude"],
        longitude=stored["longitude"],
    )


def _lock(stored: dict[str, Any]) -> RewardLock:
    unlocks_at, lapses_at = (
        datetime.fromisoformat(stored[name]) if stored[name] else None
        for name in ("unlocks_at", "lapses_at")
    )
    count = stored["count"]
    unlock = Unlock(UnlockKind(stored["kind"]), stored["key"], count, unlocks_at, lapses_at)
    return lock_of(unlock, count)


def _coupon(stored: dict[str, Any]) -> ScanCoupon:
    return ScanCoupon(
        id=encode_id("Coupon", read_id(stored["id"])),
        code=printed_code(stored["code"]),
        template_code=stored["template_code"],
        name_zh=stored["zh"],
        name_en=stored["en"],
        kind=CouponKind(stored["kind"]),
        usable_from=date.fromisoformat(stored["usable_from"]),
        usable_until=date.fromisoformat(stored["usable_until"]),
    )


def _draw(stored: dict[str, Any], info: Info) -> ScanDraw:
    prize = stored["prize"]
    return ScanDraw(
        id=encode_id("Draw", read_id(stored["id"])),
        won=stored["won"],
        prize=prize and drawn_prize(info, prize["code"], prize["zh"], prize["en"]),
        seed_hash=stored["seed_hash"],
        on=date.fromisoformat(stored["on"]),
    )


def receipt_of(reply: dict[str, Any], replayed: bool, info: Info) -> ScanCodeReceipt:
    """The stored reply as the receipt; a replay is the same but for ``replayed``."""
    tier = reply["tier"]
    unpaid, guide_unpaid = reply["unpaid_reason"], reply["guide_unpaid_reason"]
    return ScanCodeReceipt(
        replayed=replayed,
        scan_id=encode_id("ScanEvent", read_id(reply["scan_id"])),
        occurred_at=datetime.fromisoformat(reply["occurred_at"]),
        verdict=Verdict(reply["verdict"]),
        unpaid_reason=UnpaidReason(unpaid) if unpaid else None,
        guide_unpaid_reason=GuideUnpaidReason(guide_unpaid) if guide_unpaid else None,
        scan_count=reply["scan_count"],
        first_scan=_sighting(reply["first_scan"]),
        latest_scan=_sighting(reply["latest_scan"]),
        rewards=[
            Reward(
                asset=AssetCode(r["asset"]),
                amount=r["amount"],
                locked=r["locked"],
                lock=_lock(r["lock"]) if "lock" in r else None,
                withheld=withheld_tax(r["amount"], r.get("tax", 0)),
            )
            for r in reply["rewards"]
        ],
        bonuses=[bonus_shown(stored) for stored in reply.get("bonuses", ())],
        unlocked=[
            UnlockedReward(
                id=encode_id("LockedReward", read_id(stored["id"])),
                asset=AssetCode(stored["asset"]),
                amount=stored["amount"],
            )
            for stored in reply.get("unlocked", ())
        ],
        coupons=[_coupon(stored) for stored in reply.get("coupons", ())],
        draw=_draw(reply["draw"], info) if "draw" in reply else None,
        balances=[
            ScanBalance(asset=AssetCode(b["asset"]), balance=b["balance"], locked=b["locked"])
            for b in reply["balances"]
        ],
        tier=None
        if tier is None
        else ScanTier(rank=tier["rank"], code=tier["code"], name_zh=tier["zh"], name_en=tier["en"]),
        tier_changed=tier is not None and tier["rank"] != reply["rank_before"],
        is_new_member=reply["is_new_member"],
        product_row_id=read_id(reply["product_id"]),
    )


@strawberry.type(description="One attempt that decoded, paid or not.")
class ScanEvent(Node, ScanShares):
    id: strawberry.ID = id_field("ScanEvent")
    item_no: BigInt
    code_kind: CodeKind
    role: MemberRole
    verdict: Verdict
    unpaid_reason: UnpaidReason | None
    guide_unpaid_reason: GuideUnpaidReason | None
    scene: str | None
    latitude: float | None
    longitude: float | None
    occurred_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ScanRow | cls)

    @strawberry.field(description="When an operator took back what it gave.")
    async def reversed_at(self, row: strawberry.Parent[ScanRow], info: Info) -> datetime | None:
        reversal = await info.context.loader(reversal_loader).load(row.id)
        return reversal.created_at if reversal else None

    @strawberry.field(graphql_type=Product | None)
    async def product(self, row: strawberry.Parent[ScanRow], info: Info) -> ProductRow | None:
        return await info.context.loader(product_loader).load(row.product_id)

    @strawberry.field(graphql_type=Member | None)
    async def member(self, row: strawberry.Parent[ScanRow], info: Info) -> MemberRow | None:
        if row.member_id is None:
            return None
        return await info.context.loader(member_loader).load(row.member_id)

    @strawberry.field(graphql_type=Member | None)
    async def guide(self, row: strawberry.Parent[ScanRow], info: Info) -> MemberRow | None:
        if row.guide_member_id is None:
            return None
        return await info.context.loader(member_loader).load(row.guide_member_id)


@strawberry.type(description="Scans of one product in one local hour.")
class HourOfScans:
    hour: int
    scans: BigInt
    first_scans: BigInt
    paid_scans: BigInt
    product_row_id: strawberry.Private[UUID]

    @strawberry.field(graphql_type=Product | None)
    async def product(self, info: Info) -> ProductRow | None:
        return await info.context.loader(product_loader).load(self.product_row_id)


@strawberry.type(description="A local day of the brand. Rollups follow scans within seconds.")
class DayFigures:
    on: date
    scans: BigInt
    first_scans: BigInt
    paid_scans: BigInt
    new_members: BigInt
    points_granted: BigInt
    by_hour: list[HourOfScans]


async def fetch_scan(context: Context, id: UUID) -> ScanRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_scan(snapshot, context.caller.brand_id, id)


@strawberry.type
class ScanQuery:
    @strawberry.field(graphql_type=Connection[ScanEvent], extensions=[HasGrant(Grant.READ)])
    async def scans(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[ScanRow]:
        """The brand's scans, newest first, every attempt that decoded."""
        return await page_of_brand(info.context, queries.list_scans, first, after)

    @strawberry.field(extensions=[HasGrant(Grant.READ)])
    async def figures(self, info: Info, on: date | None = None) -> DayFigures:
        """The figures of a local day; today's, if none is named."""
        context = info.context
        brand_id = context.caller.brand_id
        if on is not None and not FIRST_DAY <= on <= LAST_DAY:
            raise Invalid(f"A day from {FIRST_DAY} to {LAST_DAY}.")
        day = on or local_date(utc_now(), await context.timezone(brand_id))
        async with context.database.snapshot() as snapshot:
            total: DayFiguresRow = await figures_of_day(snapshot, brand_id, day)
            hours = await list_rollups(snapshot, brand_id, day)
        return DayFigures(
            on=day,
            scans=BigInt(total.scans),
            first_scans=BigInt(total.first_scans),
            paid_scans=BigInt(total.paid_scans),
            new_members=BigInt(total.new_members),
            points_granted=BigInt(total.points_granted),
            by_hour=[
                HourOfScans(
                    hour=row.hour,
                    scans=BigInt(row.scans),
                    first_scans=BigInt(row.first_scans),
                    paid_scans=BigInt(row.paid_scans),
                    product_row_id=row.product_id,
                )
                for row in hours
            ],
        )


@strawberry.type
class ScanMutation:
    @strawberry.mutation(extensions=[IsMember()])
    async def scan_code(self, info: Info, input: ScanCodeInput) -> ScanCodeResult:
        """One code, two rewards (一码双奖): the verdict, and what the scan pays."""
        context = info.context
        context.check_guessing()
        position = input.position
        try:
            answer = await context.services.scans.scan(
                context.caller,
                code=input.code,
                idempotency_key=input.idempotency_key,
                device_id=input.device_id,
                position=Position(position.latitude, position.longitude) if position else None,
                scene=input.scene,
                nonce=input.nonce,
                address=context.address,
            )
        except CodeUnknown:
            context.count_guess()
            raise
        except QueueFull as full:
            raise Throttled(1) from full
        return receipt_of(answer.reply, answer.replayed, info)
