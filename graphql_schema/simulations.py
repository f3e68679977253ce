"""Dry runs (模拟) of campaigns, for operators."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import SimulationSource, SimulationStatus
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, Cursor
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.errors import InvalidInput
from rewards.simulations import service
from rewards.simulations.models import Simulation as SimulationRow
from rewards.simulations.rules import DAY_CURVE, Crowd, Past, Region, Source

CURSOR = Cursor(UUID)
Report = dict[str, Any]


@strawberry.type(
    description="What one campaign gives of one asset on one local day: ``given`` for good,"
    " ``locked`` what waits (below zero where what earlier days locked was given or lapsed)."
)
class SimulatedCost:
    on: date
    campaign_code: str
    asset: AssetCode
    given: BigInt
    locked: BigInt
    drawn: BigInt = strawberry.field(description="What of it was won in draws.")
    expected: BigInt = strawberry.field(
        description="What the draws' odds make on the average, limits and bonuses left aside."
    )


@strawberry.type(description="A reason why nothing was paid, and how often.")
class SimulatedReason:
    reason: str
    times: int


@strawberry.type(
    description="Why a bonus campaign gave nothing on top of a paid event, and how often."
)
class SimulatedBonusReason:
    campaign_code: str
    reason: str
    times: int


@strawberry.type(description="A prize, and how often it was given.")
class SimulatedPrize:
    campaign_code: str
    prize: str
    given: int


@strawberry.type(description="What a prize ran out of, and how often that kept it from somebody.")
class SimulatedShortage:
    campaign_code: str
    prize: str
    limit: str
    times: int


@strawberry.type(description="Coupons of one template.")
class SimulatedCoupons:
    template_code: str
    given: int


@strawberry.type(description="Coupons of one template that were issued on one local day.")
class SimulatedCouponDay:
    on: date
    template_code: str
    given: int


@strawberry.type(description="What a campaign may give of an asset, and what it gave or reserved.")
class SimulatedBudget:
    campaign_code: str
    asset: AssetCode
    allowed: BigInt
    spent: BigInt


@strawberry.type(description="What the events came to.")
class SimulationReport:
    events: int
    paid: int
    rewarded_members: int
    winners: int
    costs: list[SimulatedCost]
    unpaid: list[SimulatedReason]
    guide_unpaid: list[SimulatedReason]
    channel_unpaid: list[SimulatedReason]
    bonus_unpaid: list[SimulatedBonusReason]
    prizes: list[SimulatedPrize]
    shortages: list[SimulatedShortage]
    coupons: list[SimulatedCoupons]
    coupon_days: list[SimulatedCouponDay]
    budgets: list[SimulatedBudget]


def report_of(stored: Report) -> SimulationReport:
    """As ``tally.report_to_json`` stored it."""
    return SimulationReport(
        events=stored["events"],
        paid=stored["paid"],
        rewarded_members=stored["rewarded_members"],
        winners=stored["winners"],
        costs=[_cost(cost) for cost in stored["costs"]],
        unpaid=_reasons(stored["unpaid"]),
        guide_unpaid=_reasons(stored["guide_unpaid"]),
        channel_unpaid=_reasons(stored.get("channel_unpaid", {})),
        bonus_unpaid=[
            SimulatedBonusReason(campaign_code=b["campaign"], reason=b["reason"], times=b["times"])
            for b in stored.get("bonus_unpaid", [])  # runs of before it was told have none
        ],
        prizes=[
            SimulatedPrize(campaign_code=p["campaign"], prize=p["prize"], given=p["given"])
            for p in stored["prizes"]
        ],
        shortages=[
            SimulatedShortage(
                campaign_code=s["campaign"], prize=s["prize"], limit=s["limit"], times=s["times"]
            )
            for s in stored["exhausted"]
        ],
        coupons=[
            SimulatedCoupons(template_code=code, given=given)
            for code, given in stored["coupons"].items()
        ],
        coupon_days=[
            SimulatedCouponDay(
                on=date.fromisoformat(each["on"]),
                template_code=each["template"],
                given=each["given"],
            )
            for each in stored.get("coupon_days", [])
        ],
        budgets=[
            SimulatedBudget(
                campaign_code=b["campaign"],
                asset=AssetCode(b["asset"]),
                allowed=BigInt(b["allowed"]),
                spent=BigInt(b["spent"]),
            )
            for b in stored["budgets"]
        ],
    )


def _cost(stored: Report) -> SimulatedCost:
    return SimulatedCost(
        on=date.fromisoformat(stored["on"]),
        campaign_code=stored["campaign"],
        asset=AssetCode(stored["asset"]),
        given=BigInt(stored["given"]),
        locked=BigInt(stored["locked"]),
        drawn=BigInt(stored["drawn"]),
        expected=BigInt(stored["expected"]),
    )


def _reasons(stored: dict[str, int]) -> list[SimulatedReason]:
    return [SimulatedReason(reason=reason, times=times) for reason, times in stored.items()]


@strawberry.type(description="A dry run: what a campaign would cost, told before it is published.")
class Simulation(Node):
    id: strawberry.ID = id_field("Simulation")
    campaign_code: str
    status: SimulationStatus
    seed: BigInt = strawberry.field(description="The same seed answers the same.")
    events_done: BigInt
    events_total: BigInt
    problem: str | None = strawberry.field(description="Why it FAILED.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, SimulationRow | cls)

    @strawberry.field
    def source(self, row: strawberry.Parent[SimulationRow]) -> SimulationSource:
        return SimulationSource(row.source["kind"])

    @strawberry.field(description="With the campaign as it was asked for; null until it is DONE.")
    def draft(self, row: strawberry.Parent[SimulationRow]) -> SimulationReport | None:
        return _report(row, "draft")

    @strawberry.field(
        description="The same events with the running campaigns alone, to compare with; null where"
        " none runs for such events."
    )
    def running(self, row: strawberry.Parent[SimulationRow]) -> SimulationReport | None:
        return _report(row, "running")


def _report(row: SimulationRow, name: str) -> SimulationReport | None:
    stored = row.result and row.result[name]
    return report_of(stored) if stored else None


@strawberry.input(description="What the brand's members did in the last days, today included.")
class PastInput:
    days: int


@strawberry.input(description="Where a share of the crowd is, in degrees (WGS 84).")
class RegionInput:
    latitude: float
    longitude: float
    weight: int = 1


@strawberry.input(description="Events of a crowd that is made up from the seed.")
class MadeUpInput:
    people: int
    events_per_day: int
    days: int
    starts_on: date | None = strawberry.field(
        default=None, description="By default the campaign's first day, or today."
    )
    hours: list[int] | None = strawberry.field(
        default=None, description="The weights of the 24 hours of a day."
    )
    guides: int = 0
    pre_scanned_ppm: int = strawberry.field(
        default=0, description="The share of items that a guide scanned at the sale."
    )
    repeated_ppm: int = strawberry.field(
        default=0, description="The share of scans of items that were scanned before."
    )
    regions: list[RegionInput] = strawberry.field(default_factory=list)
    amount_fen_from: int = strawberry.field(default=1_000, description="Of purchases.")
    amount_fen_to: int = 20_000


@strawberry.input(
    description="A draft, or a campaign as published; over the past, or over a crowd made up."
)
class SimulateCampaignInput:
    idempotency_key: strawberry.ID
    draft_id: strawberry.ID | None = None
    campaign_id: strawberry.ID | None = None
    past: PastInput | None = None
    made_up: MadeUpInput | None = None
    seed: BigInt = BigInt(1)


@strawberry.input
class CancelSimulationInput:
    idempotency_key: strawberry.ID
    simulation_id: strawberry.ID


@strawberry.type
class SimulateCampaignReceipt:
    replayed: bool
    simulation: SimulationRow = strawberry.field(graphql_type=Simulation)


@strawberry.type
class CancelSimulationReceipt:
    replayed: bool
    simulation: SimulationRow = strawberry.field(graphql_type=Simulation)


SimulateCampaignResult = Annotated[
    SimulateCampaignReceipt | Refused, strawberry.union("SimulateCampaignResult")
]
CancelSimulationResult = Annotated[
    CancelSimulationReceipt | Refused, strawberry.union("CancelSimulationResult")
]


def _source(input: SimulateCampaignInput) -> Source:
    past, made_up = input.past, input.made_up
    if past is not None and made_up is None:
        return Past(past.days)
    if past is not None or made_up is None:
        raise InvalidInput(field="past", problem="the past or a crowd made up: one of them")
    return Crowd(
        people=made_up.people,
        events_per_day=made_up.events_per_day,
        days=made_up.days,
        starts_on=made_up.starts_on,
        hours=DAY_CURVE if made_up.hours is None else tuple(made_up.hours),
        guides=made_up.guides,
        pre_scanned_ppm=made_up.pre_scanned_ppm,
        repeated_ppm=made_up.repeated_ppm,
        regions=tuple(Region(r.latitude, r.longitude, r.weight) for r in made_up.regions),
        amount_fen_from=made_up.amount_fen_from,
        amount_fen_to=made_up.amount_fen_to,
    )


async def fetch_simulation(context: Context, id: UUID) -> SimulationRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await service.find_simulation(snapshot, context.caller.brand_id, id)


@strawberry.type
class SimulationQuery:
    @strawberry.field(graphql_type=Connection[Simulation], extensions=[HasGrant(Grant.READ)])
    async def simulations(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[SimulationRow]:
        """The brand's dry runs, newest first."""
        return await page_of_brand(info.context, service.list_simulations, first, after)


@strawberry.type
class SimulationMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def simulate_campaign(
        self, info: Info, input: SimulateCampaignInput
    ) -> SimulateCampaignResult:
        """Try a campaign before it is published. A worker runs it; nothing is written but its row:
        ask for that again to see how far it is."""
        source = _source(input)
        draft_id = None if input.draft_id is None else local_id("CampaignDraft", input.draft_id)
        campaign_id = None if input.campaign_id is None else local_id("Campaign", input.campaign_id)

        async def step(tx: Tx, actor: Actor) -> SimulationRow:
            return await service.request_simulation(
                tx, actor, source, int(input.seed), draft_id=draft_id, campaign_id=campaign_id
            )

        row, replayed = await row_once(info.context, "simulateCampaign", input, SimulationRow, step)
        return SimulateCampaignReceipt(replayed=replayed, simulation=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def cancel_simulation(
        self, info: Info, input: CancelSimulationInput
    ) -> CancelSimulationResult:
        """End a dry run that is not finished."""
        id = local_id("Simulation", input.simulation_id)

        async def step(tx: Tx, actor: Actor) -> SimulationRow:
            return await service.cancel_simulation(tx, actor, id)

        row, replayed = await row_once(info.context, "cancelSimulation", input, SimulationRow, step)
        return CancelSimulationReceipt(replayed=replayed, simulation=row)
