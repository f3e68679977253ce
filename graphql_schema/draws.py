"""Draws, as members see and check them: receipts, and the seeds of days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Annotated
from uuid import UUID

import orjson
import strawberry

from graphql_schema.acting import is_own
from graphql_schema.context import Context, Info
from graphql_schema.enums import DrawLimit, MemberRole
from graphql_schema.faults import Invalid
from graphql_schema.loaders import row_loader, rows_loader
from graphql_schema.member_lists import page_of_member
from graphql_schema.pagination import Connection, encode_id
from graphql_schema.permissions import IsSignedIn
from graphql_schema.scalars import AssetCode, BigInt
from graphql_schema.withheld import WithheldTax, withheld_of
from loyalty import keyed
from loyalty.actor import Grant
from loyalty.db import Snapshot
from loyalty.members.models import Member as MemberRow
from loyalty.text import is_clean
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.conditions.facts import SEGMENTS
from rewards.draws import queries
from rewards.draws.folding import LEVEL_PERCENT
from rewards.draws.models import Draw as DrawRow
from rewards.draws.models import DrawSeed as SeedRow
from rewards.draws.rules import message_of
from rewards.draws.service import list_seeds
from rewards.draws.terms import DrawTerms, Prize, draw_from_json

DAYS_SHOWN_MAX = 100


async def _versions(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> list[CampaignVersion]:
    return await keyed.list_rows_by_ids(snapshot, CampaignVersion, brand_id, ids)


async def _campaigns(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> list[Campaign]:
    return await keyed.list_rows_by_ids(snapshot, Campaign, brand_id, ids)


version_loader = row_loader(_versions)
campaign_loader = row_loader(_campaigns)
draw_loader = rows_loader(queries.list_of_causes, parent=attrgetter("cause_id"))


@strawberry.type(description="A bonus to the odds, and whether it held for this draw.")
class DrawnBonus:
    condition: str
    ppm: int
    held: bool


@strawberry.type(
    description="A fact that the bonuses asked for: its value as JSON, and the counter that it was"
    " read from, if it was one."
)
class DrawnFact:
    name: str
    value: str
    counter: list[str] | None


@strawberry.type(description="A prize that u could point at, and its weight, in their order.")
class DrawnWeight:
    prize: str
    weight: int


@strawberry.type(
    description="Why a prize was not given: of its stock, quota, budget or coupons only so much was"
    " left, of so much allowed (of a budget: needed)."
)
class DrawExhausted:
    prize: str
    limit: DrawLimit
    subject: str
    left: BigInt
    allowed: BigInt | None


@strawberry.type(description="A prize as it is called in the caller's language.")
class DrawnPrize:
    code: str
    name: str


async def _terms(row: DrawRow, info: Info) -> DrawTerms:
    version = await info.context.loader(version_loader).load(row.campaign_version_id)
    if version is None or version.draw is None:
        raise LookupError("a draw without its rules")
    return draw_from_json(version.draw)


async def _given_prize(row: DrawRow, info: Info) -> Prize | None:
    terms = await _terms(row, info)
    return next((each for each in terms.prizes if each.code == row.given_prize), None)


def _big(value: int | None) -> BigInt | None:
    return None if value is None else BigInt(value)


@strawberry.type(
    description="The receipt of one draw (抽奖凭证): whatever anybody needs to compute it again"
    " once the seed of its day is revealed, as docs/draws.md tells."
)
class DrawReceipt:
    seed_hash: str
    stage: int
    base_ppm: int
    odds_ppm: int
    u: str
    member_draw_no: BigInt | None
    is_guaranteed: bool
    pointed_prize: str | None
    ordinal: BigInt | None
    day_ordinal: BigInt | None
    asset: AssetCode | None
    amount: BigInt | None
    occurred_at: datetime

    @strawberry.field(description="In which role its event paid the member who drew.")
    def role(self, row: strawberry.Parent[DrawRow]) -> MemberRole:
        return MemberRole(row.role)

    @strawberry.field(description="Whether what was given waits: it is among the locked rewards.")
    def locked(self, row: strawberry.Parent[DrawRow]) -> bool:
        return row.is_locked

    @strawberry.field(description="The same as of the scan's receipt.")
    def id(self, row: strawberry.Parent[DrawRow]) -> strawberry.ID:
        return encode_id("Draw", row.id)

    @strawberry.field(description="Whose seeds it was drawn by (drawSeeds).")
    async def campaign_code(self, row: strawberry.Parent[DrawRow], info: Info) -> str:
        campaign = await info.context.loader(campaign_loader).load(row.campaign_id)
        if campaign is None:
            raise LookupError("a draw without its campaign")
        return campaign.code

    @strawberry.field(
        description="The version of its campaign whose rules it was drawn by (promotions)."
    )
    async def version(self, row: strawberry.Parent[DrawRow], info: Info) -> int:
        version = await info.context.loader(version_loader).load(row.campaign_version_id)
        if version is None:
            raise LookupError("a draw without its version")
        return version.version

    @strawberry.field(
        description="By how many percent of the stage's own odds the member's level raised them."
    )
    def level_odds_percent(self, row: strawberry.Parent[DrawRow]) -> int:
        return int(row.inputs.get(LEVEL_PERCENT, 0))

    @strawberry.field(description="The local day by whose seed it was drawn.")
    def on(self, row: strawberry.Parent[DrawRow]) -> date:
        return row.drawn_on

    @strawberry.field(
        description="What u is the HMAC of: brand, claim, member, the client's nonce."
    )
    def message(self, row: strawberry.Parent[DrawRow]) -> str:
        return message_of(row.brand_id, row.claim, row.member_id, row.nonce)

    @strawberry.field(description="Whether the prize pointed at was given.")
    def won(self, row: strawberry.Parent[DrawRow]) -> bool:
        return row.pointed_prize is not None and row.given_prize == row.pointed_prize

    @strawberry.field(description="What was given: the prize pointed at, or the consolation.")
    async def prize(self, row: strawberry.Parent[DrawRow], info: Info) -> DrawnPrize | None:
        prize = await _given_prize(row, info)
        return (
            None if prize is None else drawn_prize(info, prize.code, prize.name_zh, prize.name_en)
        )

    @strawberry.field(description="Of a cash prize of which tax was withheld.")
    async def withheld(self, row: strawberry.Parent[DrawRow], info: Info) -> WithheldTax | None:
        return await withheld_of(info.context, row.id)

    @strawberry.field(description="How many of the given prize there are in all; null: no limit.")
    async def stock(self, row: strawberry.Parent[DrawRow], info: Info) -> BigInt | None:
        prize = await _given_prize(row, info)
        return _big(prize.stock) if prize else None

    @strawberry.field(description="How many of the given prize there are in a day.")
    async def quota_per_day(self, row: strawberry.Parent[DrawRow], info: Info) -> BigInt | None:
        prize = await _given_prize(row, info)
        return _big(prize.quota_per_day) if prize else None

    @strawberry.field(description="The prizes of its stage, by weight.")
    async def weights(self, row: strawberry.Parent[DrawRow], info: Info) -> list[DrawnWeight]:
        entries = (await _terms(row, info)).stages[row.stage].entries
        return [DrawnWeight(prize=entry.prize, weight=entry.weight) for entry in entries]

    @strawberry.field(description="The prize that is given in the place of one that has run out.")
    async def consolation(self, row: strawberry.Parent[DrawRow], info: Info) -> str:
        return (await _terms(row, info)).consolation

    @strawberry.field
    async def bonuses(self, row: strawberry.Parent[DrawRow], info: Info) -> list[DrawnBonus]:
        held = row.inputs.get("held", [])
        return [
            DrawnBonus(condition=bonus.condition, ppm=bonus.ppm, held=i in held)
            for i, bonus in enumerate((await _terms(row, info)).bonuses)
        ]

    @strawberry.field
    def facts(self, row: strawberry.Parent[DrawRow], info: Info) -> list[DrawnFact]:
        sees_all = Grant.READ in info.context.caller.grants
        counters = row.inputs.get("counters", {})
        return [
            DrawnFact(name=name, value=orjson.dumps(value).decode(), counter=counters.get(name))
            for name, value in sorted(row.inputs.get("facts", {}).items())
            if sees_all or name != SEGMENTS  # how a brand groups its members is its own
        ]

    @strawberry.field
    def exhausted(self, row: strawberry.Parent[DrawRow]) -> list[DrawExhausted]:
        return [
            DrawExhausted(
                prize=each["prize"],
                limit=DrawLimit(each["limit"]),
                subject=each["subject"],
                left=BigInt(each["left"]),
                allowed=_big(each["allowed"]),
            )
            for each in row.exhausted
        ]


async def draws_given(context: Context, cause_id: UUID) -> list[DrawRow]:
    """The draws of a purchase or an event: all of them for operators, to a member its own."""
    given = await context.loader(draw_loader).load(cause_id)
    if Grant.READ in context.caller.grants:
        return given
    return [row for row in given if await is_own(context, row.member_id)]


def drawn_prize(info: Info, code: str, name_zh: str, name_en: str) -> DrawnPrize:
    """A prize's name in the caller's language."""
    return DrawnPrize(code=code, name=name_en if info.context.language == "en" else name_zh)


@dataclass(frozen=True)
class _ReadDraws:
    """All of a member's draws."""

    async def __call__(
        self, context: Context, member_ids: Sequence[UUID], before: UUID | None, limit: int
    ) -> list[tuple[UUID, DrawRow]]:
        async with context.database.snapshot() as snapshot:
            rows = await queries.list_of_members(
                snapshot, context.caller.brand_id, member_ids, before=before, limit=limit
            )
        return [(row.member_id, row) for row in rows]


@strawberry.type
class MemberDraws:
    """Of a member, for whoever sees it."""

    @strawberry.field(graphql_type=Connection[DrawReceipt])
    async def draws(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[DrawRow]:
        """The receipts of this member's draws (抽奖记录), newest first."""
        return await page_of_member(info.context, _ReadDraws(), row.id, first, after)


@strawberry.type(
    description="The secret of one day's draws: its SHA-256 beforehand, itself (in hexadecimal)"
    " when the day is over."
)
class DrawSeed:
    seed_hash: str
    seed: str | None
    made_at: datetime
    revealed_at: datetime | None

    @strawberry.field
    def on(self, row: strawberry.Parent[SeedRow]) -> date:
        return row.drawn_on


@strawberry.type
class DrawQuery:
    @strawberry.field(graphql_type=list[DrawSeed], extensions=[IsSignedIn()])
    async def draw_seeds(
        self,
        info: Info,
        campaign_code: str,
        first_day: Annotated[date, strawberry.argument(name="from")],
        last_day: Annotated[date, strawberry.argument(name="to")],
    ) -> list[SeedRow]:
        """The seeds of a campaign's local days, both included: hashes of all, the seeds of those
        that are over. Operators see no more than members."""
        if last_day < first_day or (last_day - first_day).days >= DAYS_SHOWN_MAX:
            raise Invalid(f"Up to {DAYS_SHOWN_MAX} days, from the first on.")
        if not is_clean(campaign_code):
            return []
        async with info.context.database.snapshot() as snapshot:
            return await list_seeds(
                snapshot, info.context.caller.brand_id, campaign_code, first_day, last_day
            )
