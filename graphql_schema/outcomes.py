"""What campaigns give, as operators publish it and read it."""

from datetime import date

import strawberry

from graphql_schema.context import Info
from graphql_schema.coupon_templates import CouponTemplate, template_loader
from graphql_schema.enums import MemberRole, OutcomeBasis, UnlockKind
from graphql_schema.nodes import local_id
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.errors import InvalidInput
from rewards.campaigns import rules
from rewards.campaigns.locks import COUNTING_KINDS, Lock, duration_text, read_duration
from rewards.coupons.models import CouponTemplate as TemplateRow


@strawberry.type(description="What an outcome waits for. Durations are ISO 8601: P7D, PT36H.")
class OutcomeLock:
    kind: UnlockKind
    action: str | None
    on: date | None

    @strawberry.field(
        description="Of NEXT_SCAN: how many paid scans of the member, from then on. Of BOX_BOTTLES:"
        " how many bottles of the box, this one too."
    )
    def count(self, lock: strawberry.Parent[Lock]) -> int | None:
        return lock.count if lock.kind in COUNTING_KINDS else None

    @strawberry.field
    def after(self, lock: strawberry.Parent[Lock]) -> str | None:
        return None if lock.after is None else duration_text(lock.after)

    @strawberry.field
    def lapses_after(self, lock: strawberry.Parent[Lock]) -> str | None:
        return None if lock.lapses_after is None else duration_text(lock.lapses_after)


@strawberry.type(description="A step of a TABLE: so much from so much spent on.")
class OutcomeStep:
    from_fen: BigInt
    amount: BigInt


@strawberry.type(description="What one beneficiary gets: at once, or locked.")
class Outcome:
    beneficiary: MemberRole
    asset: AssetCode
    basis: OutcomeBasis
    amount: BigInt = strawberry.field(description="0 of a TABLE, whose steps have the amounts.")
    steps: list[rules.Step] = strawberry.field(graphql_type=list[OutcomeStep])
    lock: Lock | None = strawberry.field(graphql_type=OutcomeLock | None)


@strawberry.type(description="One coupon for one beneficiary.")
class CouponOutcome:
    beneficiary: MemberRole

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, rules.CouponOutcome | cls)

    @strawberry.field(graphql_type=CouponTemplate | None)
    async def template(
        self, row: strawberry.Parent[rules.CouponOutcome], info: Info
    ) -> TemplateRow | None:
        return await info.context.loader(template_loader).load(row.template_id)

    @strawberry.field(graphql_type=OutcomeLock | None)
    def lock(self, row: strawberry.Parent[rules.CouponOutcome]) -> Lock | None:
        return row.lock


@strawberry.input(
    description="What an outcome waits for: NEXT_SCAN the member's count-th paid scan from then on;"
    " INNER_SCAN the member's own scan of the same item's INNER code, once a scan of another of its"
    " codes was paid; ITEM, of what a gate locks for the guide, the consumer's scan of the item;"
    " ACTION a report of the action; AFTER a duration; ON the beginning of a local day; BOX_BOTTLES"
    " the count-th bottle of the box, this one too, whoever scans them (docs/boxes.md). What waits"
    " for a scan or an action lapses after a duration, if one is given; for bottles it has to be."
    " Durations are ISO 8601, of weeks, or of days (24 hours each) and hours."
)
class OutcomeLockInput:
    kind: UnlockKind
    count: int = 1
    action: str | None = None
    after: str | None = None
    on: date | None = None
    lapses_after: str | None = None


@strawberry.input
class OutcomeStepInput:
    from_fen: BigInt
    amount: BigInt


@strawberry.input(
    description="What one beneficiary gets: an asset and an amount of it, or of a TABLE ascending"
    " steps, or one coupon of a template; locked or not."
)
class OutcomeInput:
    beneficiary: MemberRole
    asset: AssetCode | None = None
    amount: BigInt | None = None
    basis: OutcomeBasis = OutcomeBasis.FIXED
    coupon_template_id: strawberry.ID | None = None
    lock: OutcomeLockInput | None = None
    steps: list[OutcomeStepInput] = strawberry.field(default_factory=list)


def outcome_of(path: str, given: OutcomeInput) -> rules.Outcome | rules.CouponOutcome:
    """The input as the value that rules check; refuses InvalidInput with the field's path."""
    lock = None if given.lock is None else lock_of(f"{path}.lock", given.lock)
    if given.coupon_template_id is not None:
        if given.asset is not None or given.amount is not None:
            raise InvalidInput(field=f"{path}.couponTemplateId", problem="a coupon or an amount")
        if given.basis is not OutcomeBasis.FIXED:
            raise InvalidInput(field=f"{path}.basis", problem="a coupon is one coupon")
        if given.steps:
            raise InvalidInput(field=f"{path}.steps", problem="a coupon is one coupon")
        template_id = local_id("CouponTemplate", given.coupon_template_id)
        return rules.CouponOutcome(given.beneficiary, template_id, lock)
    if given.asset is None:
        raise InvalidInput(field=f"{path}.asset", problem="needed where there is no coupon")
    if given.amount is None and given.basis is not OutcomeBasis.TABLE:
        raise InvalidInput(field=f"{path}.amount", problem="needed where there is no coupon")
    steps = tuple(rules.Step(step.from_fen, step.amount) for step in given.steps)
    amount = given.amount or 0
    return rules.Outcome(given.beneficiary, given.asset, given.basis, amount, lock, steps)


def lock_of(path: str, given: OutcomeLockInput) -> Lock:
    """The input as the value that rules check; refuses InvalidInput with the field's path."""
    after, lapses_after = given.after, given.lapses_after
    return Lock(
        given.kind,
        given.count,
        given.action,
        None if after is None else read_duration(after, f"{path}.after"),
        given.on,
        None if lapses_after is None else read_duration(lapses_after, f"{path}.lapsesAfter"),
    )
