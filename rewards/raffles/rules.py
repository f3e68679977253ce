"""Pure: what a raffle is, how it is stored, what an operator may say of it, and who wins."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ledger.models import Asset
from loyalty.text import check_label, checked_instant, checked_text
from rewards.campaigns.models import EventKind
from rewards.conditions.facts import FactSpec
from rewards.conditions.rules import Condition, compile_over, facts_of, load_condition
from rewards.coupons.models import CouponTemplate, CouponTemplateStatus
from rewards.coupons.rules import usable_dates
from rewards.raffles.models import NoCoupon

WON_TOPIC = "raffle.won"

CODE_LENGTH_MAX = 40
NAME_LENGTH_MAX = 80
REASON_LENGTH_MAX = 500
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
ENTRIES_MAX_MAX = 1_000
COST_MAX = 10**9
AMOUNT_MAX = 10**9
POOL_MAX = 10**9
STEPS_MAX = 20
PRIZES_MAX = 20
WINNERS_MAX = 10_000
"""Of one step, all prizes together."""
BUDGETS_MAX = 20
BUDGET_MAX = 10**15

_AUDIENCE_ROOTS = frozenset({"member", "tier", "calendar"})
_AUDIENCE_EVENT = EventKind.CHECK_IN
"""A kind of event that has all the facts of members: an entry is none itself."""


@dataclass(frozen=True, slots=True)
class Prize:
    """What each of so many winners gets: an amount of an asset, CASH in fen; or a coupon of a
    template, and the amount in its place where none is to be had when winners are paid."""

    name_zh: str
    name_en: str
    winners: int
    asset: str
    amount: int
    coupon_template_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The prizes, first prize first, of a pool of at least so many entrants."""

    pool_min: int
    prizes: tuple[Prize, ...]


PrizeTable = tuple[Step, ...]
Amounts = Mapping[str, int]
"""By asset."""


@dataclass(frozen=True, slots=True)
class RaffleDefinition:
    """A raffle as an operator announces it. ``cost`` of an entry is an asset and an amount of it,
    or nothing; ``budgets`` bound what the winners of any pool get, of the assets they name."""

    code: str
    name_zh: str
    name_en: str
    opens_at: datetime
    closes_at: datetime
    entries_max: int
    table: PrizeTable
    cost: tuple[str, int] | None = None
    condition: str | None = None
    budgets: tuple[tuple[str, int], ...] = ()


# --- the table ---------------------------------------------------------------------------------


def step_of(table: PrizeTable, entrants: int) -> Step | None:
    """The step of a pool of this size; None of an empty one."""
    met = [step for step in table if step.pool_min <= entrants]
    return met[-1] if met else None


def total_of(step: Step) -> dict[str, int]:
    """What all of its winners get together, by asset."""
    total: dict[str, int] = {}
    for prize in step.prizes:
        total[prize.asset] = total.get(prize.asset, 0) + prize.winners * prize.amount
    return total


def worst_case(table: PrizeTable) -> dict[str, int]:
    """The most that winners can get of each asset, whatever the size of the pool."""
    worst: dict[str, int] = {}
    for step in table:
        for asset, amount in total_of(step).items():
            worst[asset] = max(amount, worst.get(asset, 0))
    return dict(sorted(worst.items()))


def coupons_at_most(table: PrizeTable) -> dict[UUID, int]:
    """The most coupons of each template that winners can get, whatever the size of the pool."""
    most: dict[UUID, int] = {}
    for step in table:
        given: Counter[UUID] = Counter()
        for prize in step.prizes:
            if prize.coupon_template_id is not None:
                given[prize.coupon_template_id] += prize.winners
        most = {id: max(given[id], most.get(id, 0)) for id in given | most}
    return most


def why_no_coupon(template: CouponTemplate, left: int | None, on: date) -> NoCoupon | None:
    """Why no coupon of a template is to be had on a local day; None where one is. ``left`` of its
    stock, None without limit."""
    if template.status != CouponTemplateStatus.ACTIVE:
        return NoCoupon.PAUSED
    if usable_dates(template, on) is None:
        return NoCoupon.OVER
    return NoCoupon.OUT_OF_STOCK if left == 0 else None


# --- what is refused ---------------------------------------------------------------------------


def assets_named(definition: RaffleDefinition) -> set[str]:
    """All that it costs, gives or bounds."""
    given = {prize.asset for step in definition.table for prize in step.prizes}
    cost = {definition.cost[0]} if definition.cost else set()
    return given | cost | {asset for asset, _ in definition.budgets}


def check_definition(definition: RaffleDefinition, now: datetime, cash_max_fen: int) -> None:
    """Refuses InvalidInput with the field's path; ``cash_max_fen`` is the most that one winner may
    get of cash. Conditions with line and column."""
    check_label(definition.code, "code", length_max=CODE_LENGTH_MAX)
    checked_text(definition.name_zh, "nameZh", length_max=NAME_LENGTH_MAX)
    checked_text(definition.name_en, "nameEn", length_max=NAME_LENGTH_MAX)
    for field, at in (("opensAt", definition.opens_at), ("closesAt", definition.closes_at)):
        named = checked_instant(at, field)
        if named is None or not EARLIEST <= named <= LATEST:
            raise InvalidInput(field=field, problem=f"from {EARLIEST.year} to {LATEST.year}")
    if definition.closes_at <= definition.opens_at:
        raise InvalidInput(field="closesAt", problem="must be after opensAt")
    if definition.closes_at <= now:
        raise InvalidInput(field="closesAt", problem="is over already")
    _check_range("entriesMax", definition.entries_max, 1, ENTRIES_MAX_MAX)
    if definition.cost is not None:
        asset, amount = definition.cost
        if asset in (Asset.CASH, Asset.GROWTH):
            raise InvalidInput(field="cost.asset", problem="neither cash nor growth is spent")
        _check_range("cost.amount", amount, 1, COST_MAX)
    if definition.condition is not None:
        compile_over(definition.condition, "condition", audience_facts())
    _check_table(definition.table, cash_max_fen)
    _check_budgets(definition)


def _check_range(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(field=field, problem=f"{least} to {most}")


def _check_table(table: PrizeTable, cash_max_fen: int) -> None:
    if not 1 <= len(table) <= STEPS_MAX:
        raise InvalidInput(field="prizeTable", problem=f"1 to {STEPS_MAX} steps")
    previous = 0
    for i, step in enumerate(table):
        path = f"prizeTable[{i}]"
        if i == 0 and step.pool_min != 1:
            raise InvalidInput(field=f"{path}.poolMin", problem="the first is for a pool of 1")
        _check_range(f"{path}.poolMin", step.pool_min, previous + 1, POOL_MAX)
        previous = step.pool_min
        _check_prizes(path, step, cash_max_fen)


def _check_prizes(path: str, step: Step, cash_max_fen: int) -> None:
    if not 1 <= len(step.prizes) <= PRIZES_MAX:
        raise InvalidInput(field=f"{path}.prizes", problem=f"1 to {PRIZES_MAX} prizes")
    for i, prize in enumerate(step.prizes):
        where = f"{path}.prizes[{i}]"
        checked_text(prize.name_zh, f"{where}.nameZh", length_max=NAME_LENGTH_MAX)
        checked_text(prize.name_en, f"{where}.nameEn", length_max=NAME_LENGTH_MAX)
        _check_range(f"{where}.winners", prize.winners, 1, WINNERS_MAX)
        _check_range(f"{where}.amount", prize.amount, 1, AMOUNT_MAX)
        if prize.asset == Asset.GROWTH:
            raise InvalidInput(field=f"{where}.asset", problem="growth is earned, not won")
        if prize.asset == Asset.CASH and prize.amount > cash_max_fen:
            problem = f"over the prize ceiling of {cash_max_fen} fen"
            raise InvalidInput(field=f"{where}.amount", problem=problem)
    if sum(prize.winners for prize in step.prizes) > WINNERS_MAX:
        raise InvalidInput(field=f"{path}.prizes", problem=f"at most {WINNERS_MAX} winners")


def _check_budgets(definition: RaffleDefinition) -> None:
    if len(definition.budgets) > BUDGETS_MAX:
        raise InvalidInput(field="budgets", problem=f"at most {BUDGETS_MAX}")
    worst = worst_case(definition.table)
    seen: set[str] = set()
    for i, (asset, allowed) in enumerate(definition.budgets):
        if asset in seen:
            raise InvalidInput(field=f"budgets[{i}].asset", problem="each of them once")
        seen.add(asset)
        _check_range(f"budgets[{i}].amount", allowed, 1, BUDGET_MAX)
        if worst.get(asset, 0) > allowed:
            problem = f"the prize table gives up to {worst[asset]}"
            raise InvalidInput(field=f"budgets[{i}].amount", problem=problem)


def check_coupons(
    table: PrizeTable,
    templates: Mapping[UUID, CouponTemplate],
    left: Mapping[UUID, int | None],
    on: date,
) -> None:
    """Refuses InvalidInput with the field's path: a template of which no coupon could be given on
    the local day ``on``, or fewer than any pool may win. What is ``left`` is kept for nobody."""
    most = coupons_at_most(table)
    for i, step in enumerate(table):
        for j, prize in enumerate(step.prizes):
            template_id = prize.coupon_template_id
            if template_id is None:
                continue
            path = f"prizeTable[{i}].prizes[{j}].couponTemplateId"
            stock = left[template_id]
            why = why_no_coupon(templates[template_id], stock, on)
            if why is not None:
                raise InvalidInput(field=path, problem=f"has no coupon to give: {why}")
            if stock is not None and stock < most[template_id]:
                problem = f"has {stock} left, the prize table gives up to {most[template_id]}"
                raise InvalidInput(field=path, problem=problem)


# --- whose entries it takes --------------------------------------------------------------------


@lru_cache(maxsize=1)
def audience_facts() -> Mapping[str, FactSpec]:
    """What the condition of a raffle may read: facts of its member, its level and the calendar."""
    declared = {
        name: spec
        for name, spec in facts_of(_AUDIENCE_EVENT).items()
        if name.partition(".")[0] in _AUDIENCE_ROOTS
    }
    role = replace(declared["member.role"], values=(MemberRole.CONSUMER.value,))
    return declared | {"member.role": role}


def audience_of(text: str) -> Condition:
    """The condition of a raffle, as it is stored."""
    return load_condition(text, _AUDIENCE_EVENT)


# --- who wins ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Won:
    """A winning entry: its place among the entrants, from 1, and the number of its prize."""

    place: int
    entry_id: UUID
    entrant_id: UUID
    prize_no: int
    prize: Prize


def message_start(brand_id: UUID, raffle_id: UUID) -> str:
    """What the messages of all entries of a raffle begin with."""
    return f"raffle-1|{brand_id.hex}|{raffle_id.hex}|"


def message_of(brand_id: UUID, raffle_id: UUID, entry_id: UUID) -> str:
    """What the score of an entry is made of, besides the seed."""
    return f"{message_start(brand_id, raffle_id)}{entry_id.hex}"


def score_of(seed: bytes, message: str) -> str:
    """The HMAC-SHA256, in hexadecimal: the least one comes first."""
    return hmac.digest(seed, message.encode(), hashlib.sha256).hex()


def winners_of(firsts: Iterable[tuple[UUID, UUID]], step: Step) -> list[Won]:
    """Prizes in their order for (entry_id, entrant_id) in theirs: the first entry of each entrant.
    Where there are more prizes than entrants, the last ones are left."""
    prizes = [(no, prize) for no, prize in enumerate(step.prizes) for _ in range(prize.winners)]
    return [
        Won(place, entry_id, entrant_id, no, prize)
        for place, ((entry_id, entrant_id), (no, prize)) in enumerate(
            zip(firsts, prizes, strict=False), 1
        )
    ]


def winners_max(step: Step) -> int:
    """How many entrants win at most."""
    return sum(prize.winners for prize in step.prizes)


# --- as stored ---------------------------------------------------------------------------------


def table_to_json(table: PrizeTable) -> list[dict[str, Any]]:
    """As stored with a raffle."""
    return [
        {
            "pool_min": step.pool_min,
            "prizes": [
                {
                    "name_zh": prize.name_zh.strip(),
                    "name_en": prize.name_en.strip(),
                    "winners": prize.winners,
                    "asset": prize.asset,
                    "amount": prize.amount,
                    **_coupon_to_json(prize),
                }
                for prize in step.prizes
            ],
        }
        for step in table
    ]


def table_from_json(stored: Sequence[Mapping[str, Any]]) -> PrizeTable:
    """What ``table_to_json`` made, also before prizes could be coupons."""
    return tuple(
        Step(each["pool_min"], tuple(_prize_from_json(prize) for prize in each["prizes"]))
        for each in stored
    )


def _coupon_to_json(prize: Prize) -> dict[str, str]:
    """Nothing of other prizes: servers of before, that run on for a while, read those tables."""
    id = prize.coupon_template_id
    return {} if id is None else {"coupon_template_id": id.hex}


def _prize_from_json(stored: Mapping[str, Any]) -> Prize:
    template = stored.get("coupon_template_id")
    id = None if template is None else UUID(hex=template)
    return Prize(**{**stored, "coupon_template_id": id})


def budgets_to_json(budgets: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    """As stored with a raffle."""
    return [{"asset": asset, "amount": amount} for asset, amount in sorted(budgets)]
