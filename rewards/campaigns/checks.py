"""Pure: what a campaign must look like before it may be published."""

from datetime import datetime, timedelta
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ledger.models import Asset
from loyalty.text import check_label
from rewards.campaigns.locks import Lock, check_lock
from rewards.campaigns.models import (
    ITEM_KINDS,
    MEMBER_EVENTS,
    CapSubject,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import (
    BonusTerms,
    CampaignDefinition,
    CouponOutcome,
    Outcome,
    definition_pays,
)
from rewards.conditions.rules import Audience, Fields, compile_condition
from rewards.draws.checks import cheapest_prizes, check_cash, check_draw, largest_cash
from rewards.draws.terms import DrawTerms, awarded_assets

AMOUNT_MAX = 10**9
PER_UNIT_AMOUNT_MAX = 10**4  # times 10^9 units of currency, times a tier of 1000 %
PERCENT_MAX = 1000
STEPS_MAX = 20
FEN_MAX = 10**11
BUDGET_MAX = 10**15
_DAY = timedelta(days=1)  # where the brand is, it may be the day before
OUTCOMES_MAX = 50
CAPS_MAX = 10
NAME_LENGTH_MAX = 80
CODE_LENGTH_MAX = 40
_PAID_BY = {
    EventKind.SCAN: frozenset(MemberRole),
    EventKind.PURCHASE: frozenset(MemberRole) - {MemberRole.GUIDE},
    EventKind.REFERRAL: frozenset({MemberRole.CONSUMER}),
}
"""Whom an event pays: its member, who may be of any role unless it says here, and whom it has
beside."""
_MEMBERS = frozenset({CapSubject.MEMBER, CapSubject.ALL})
_COUNTED_BY = {
    EventKind.SCAN: frozenset(CapSubject),
    EventKind.PURCHASE: _MEMBERS | {CapSubject.STORE},
}
"""What an event may be counted by."""
_AMOUNT_MAX = {
    OutcomeBasis.FIXED: AMOUNT_MAX,
    OutcomeBasis.PER_CURRENCY_UNIT: PER_UNIT_AMOUNT_MAX,
    OutcomeBasis.PER_UNIT: PER_UNIT_AMOUNT_MAX,
    OutcomeBasis.PERCENT_OF_MAIN: PERCENT_MAX,
}
_NEEDS_PURCHASE = {
    OutcomeBasis.PER_CURRENCY_UNIT: "has no amount spent",
    OutcomeBasis.PER_UNIT: "has no quantity",
    OutcomeBasis.TABLE: "has no amount spent",
}


def check_definition(definition: CampaignDefinition, fields: Fields = ()) -> None:
    """``fields``: of the type of custom events that it is for. Refuses InvalidInput with the
    field's path."""
    _check_words(definition)
    if (
        definition.starts_at is not None
        and definition.ends_at is not None
        and definition.starts_at >= definition.ends_at
    ):
        raise InvalidInput(field="endsAt", problem="must be after startsAt")
    if not -1000 <= definition.priority <= 1000:
        raise InvalidInput(field="priority", problem="-1000 to 1000")
    _check_event(definition)
    if definition.regions and definition.event not in (EventKind.SCAN, EventKind.PURCHASE):
        raise InvalidInput(field="regions", problem="only scans and purchases are somewhere")
    if len(set(definition.regions)) != len(definition.regions):
        raise InvalidInput(field="regions", problem="each once")
    if definition.bonus is not None:
        _check_bonus(definition, definition.bonus)
    _check_outcomes(definition)
    _check_caps(definition)
    if definition.draw is not None:
        _check_drawing(definition, definition.draw, fields)
    for beneficiary in definition.return_policies:
        if not definition_pays(definition.outcomes, beneficiary):
            raise InvalidInput(
                field=f"returnPolicies.{beneficiary.value}", problem="has no outcome"
            )
    _check_budgets(definition)
    if definition.condition is not None:
        audience = Audience(definition.starts_at, definition.ends_at, _asked(definition))
        compile_condition(definition.condition, "condition", definition.event, fields, audience)


def _check_drawing(definition: CampaignDefinition, draw: DrawTerms, fields: Fields) -> None:
    """Who draws is whom the event pays."""
    check_draw(draw, definition.starts_at, definition.ends_at, definition.event, fields)
    payable = _PAID_BY.get(definition.event, frozenset(MemberRole))
    if not draw.roles:
        raise InvalidInput(field="draw.roles", problem="somebody has to draw")
    for i, role in enumerate(draw.roles):
        if role not in payable:
            raise InvalidInput(field=f"draw.roles[{i}]", problem="not paid by this event")
        if role in draw.roles[:i]:
            raise InvalidInput(field=f"draw.roles[{i}]", problem="each of them once")
        if draw.lock is not None:
            _check_waiting(definition, "draw.lock", draw.lock, role)


def _asked(definition: CampaignDefinition) -> frozenset[MemberRole]:
    """Who answers its condition: whose events they are, as far as it pays them."""
    if definition.event is EventKind.SCAN:
        gated = definition.gate is not Gate.NONE
        return frozenset({MemberRole.CONSUMER} | ({MemberRole.GUIDE} if gated else set()))
    if definition.event is EventKind.PURCHASE:
        return frozenset({MemberRole.CONSUMER})
    drawing = definition.draw.roles if definition.draw else ()
    return frozenset([*(outcome.beneficiary for outcome in definition.outcomes), *drawing])


def check_terms(definition: CampaignDefinition, now: datetime, prize_ceiling_fen: int) -> None:
    """What depends on the moment and on the brand. Refuses InvalidInput with the field's path."""
    if definition.ends_at is not None and definition.ends_at <= now:
        raise InvalidInput(field="endsAt", problem="is over already")
    promised: dict[MemberRole, int] = {}
    for i, outcome in enumerate(definition.outcomes):
        if isinstance(outcome, Outcome) and outcome.asset == Asset.CASH:
            cash = promised.get(outcome.beneficiary, 0) + _cash_most(outcome, prize_ceiling_fen)
            promised[outcome.beneficiary] = cash
            if cash > prize_ceiling_fen:
                problem = f"more cash than the brand's prize ceiling, {prize_ceiling_fen} fen"
                raise InvalidInput(field=f"outcomes[{i}].amount", problem=problem)
    if definition.draw is not None:
        check_cash(definition.draw, prize_ceiling_fen)
        others = max(promised.get(role, 0) for role in definition.draw.roles)
        cash = others + largest_cash(definition.draw)
        if cash > prize_ceiling_fen:
            problem = f"with its dearest prize an event gives {cash} fen, over the prize ceiling"
            raise InvalidInput(field="outcomes", problem=f"{problem} of {prize_ceiling_fen}")
    begins = max(now, definition.starts_at or now)
    locks = [(f"outcomes[{i}]", given.lock) for i, given in enumerate(definition.outcomes)]
    if definition.draw is not None:
        locks.append(("draw", definition.draw.lock))
    for path, lock in locks:
        if lock is not None and lock.on is not None and lock.on < begins.date() - _DAY:
            raise InvalidInput(field=f"{path}.lock.on", problem="is over already by then")


def _cash_most(outcome: Outcome, prize_ceiling_fen: int) -> int:
    """What it promises of cash; the first campaign may give as much as the ceiling."""
    if outcome.basis is OutcomeBasis.TABLE:
        return max(step.amount for step in outcome.steps)
    if outcome.basis is OutcomeBasis.PERCENT_OF_MAIN:
        return outcome.value(main=prize_ceiling_fen)
    return outcome.amount


def _check_bonus(definition: CampaignDefinition, bonus: BonusTerms) -> None:
    """Bonuses pay amounts on top of what decides claim, gate, draw and coupons."""
    check_label(bonus.group, "bonus.group", length_max=CODE_LENGTH_MAX)
    if definition.gate is not Gate.NONE:
        raise InvalidInput(field="gate", problem="not of a bonus")
    if definition.draw is not None:
        raise InvalidInput(field="draw", problem="not of a bonus")
    for i, outcome in enumerate(definition.outcomes):
        if isinstance(outcome, CouponOutcome):
            field = f"outcomes[{i}].couponTemplateId"
            raise InvalidInput(field=field, problem="not of a bonus")
        is_sale = definition.event in (EventKind.SCAN, EventKind.PURCHASE)
        if is_sale and outcome.beneficiary not in (MemberRole.CONSUMER, MemberRole.GUIDE):
            field = f"outcomes[{i}].beneficiary"
            raise InvalidInput(field=field, problem="not of a bonus: consumers and guides are")


def _check_event(definition: CampaignDefinition) -> None:
    """What its kind of event lacks, or has no use for."""
    is_custom = definition.event is EventKind.CUSTOM
    if (definition.event_type is not None) is not is_custom:
        problem = "CUSTOM needs it" if is_custom else f"not for {definition.event.value}"
        raise InvalidInput(field="eventType", problem=problem)
    if definition.event in MEMBER_EVENTS:
        if definition.product_id is not None:
            raise InvalidInput(field="productId", problem=f"not for {definition.event.value}")
        if definition.gate is not Gate.NONE:
            raise InvalidInput(field="gate", problem=f"not for {definition.event.value}")


def _check_budgets(definition: CampaignDefinition) -> None:
    costs: dict[str, int] = {}
    for outcome in definition.outcomes:
        if isinstance(outcome, Outcome):
            costs[outcome.asset] = costs.get(outcome.asset, 0) + _cost_least(outcome)
    least = {} if definition.draw is None else cheapest_prizes(definition.draw)
    for asset, allowed in definition.budgets.items():
        if not 0 < allowed <= BUDGET_MAX:
            raise InvalidInput(field=f"budgets.{asset}", problem=f"1 to {BUDGET_MAX}")
        if allowed < costs.get(asset, 0):
            problem = f"one event costs {costs[asset]}: nobody would ever be paid"
            raise InvalidInput(field=f"budgets.{asset}", problem=problem)
        needed = costs.get(asset, 0) + least.get(asset, 0)
        if allowed < needed:
            problem = f"{needed} with the cheapest prize: nobody would ever win one"
            raise InvalidInput(field=f"budgets.{asset}", problem=problem)


def check_budgets_used(definition: CampaignDefinition) -> None:
    """A first version has budgets of what it pays; later ones keep those. Refuses InvalidInput."""
    paid = {outcome.asset for outcome in definition.outcomes if isinstance(outcome, Outcome)}
    if definition.draw is not None:
        paid.update(asset for _, asset in awarded_assets(definition.draw))
    for asset in definition.budgets:
        if asset not in paid:
            raise InvalidInput(field=f"budgets.{asset}", problem="nothing of this is given")


def _cost_least(outcome: Outcome) -> int:
    """What it costs where it gives anything."""
    if outcome.basis is OutcomeBasis.TABLE:
        return min(step.amount for step in outcome.steps)
    return 1 if outcome.basis is OutcomeBasis.PERCENT_OF_MAIN else outcome.amount


def _check_words(definition: CampaignDefinition) -> None:
    check_label(definition.code, "code", length_max=CODE_LENGTH_MAX)
    for path, name in (("nameZh", definition.name_zh), ("nameEn", definition.name_en)):
        if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidInput(field=path, problem=f"1 to {NAME_LENGTH_MAX} printable characters")


def _check_outcomes(definition: CampaignDefinition) -> None:
    outcomes = definition.outcomes
    if len(outcomes) > OUTCOMES_MAX or (not outcomes and definition.draw is None):
        raise InvalidInput(field="outcomes", problem=f"1 to {OUTCOMES_MAX} outcomes")
    seen: set[tuple[MemberRole, str | UUID, Lock | None]] = set()
    for i, outcome in enumerate(outcomes):
        path = f"outcomes[{i}]"
        if isinstance(outcome, CouponOutcome):
            _check_coupon(definition, path, outcome)
        else:
            _check_amount(definition, path, outcome)
        _check_locked(definition, f"{path}.lock", outcome)
        what = outcome.template_id if isinstance(outcome, CouponOutcome) else outcome.asset
        key = (outcome.beneficiary, what, outcome.lock)
        if key in seen:
            raise InvalidInput(
                field=path, problem="one outcome per beneficiary, asset or coupon, and lock"
            )
        seen.add(key)
    is_of_member = definition.event in MEMBER_EVENTS  # who may be of any role
    pays_consumer = definition_pays(outcomes, MemberRole.CONSUMER) or (
        definition.draw is not None and MemberRole.CONSUMER in definition.draw.roles
    )
    needs_consumer = definition.bonus is None and not is_of_member
    if needs_consumer and not pays_consumer:
        raise InvalidInput(field="outcomes", problem="nothing for the consumer")
    if definition.gate is not Gate.NONE and not definition_pays(outcomes, MemberRole.GUIDE):
        raise InvalidInput(field="gate", problem="a gate needs an outcome for the guide")
    if definition.gate is Gate.CONSUMER_TAKEN:
        _check_taken(definition)


def _check_amount(definition: CampaignDefinition, path: str, outcome: Outcome) -> None:
    event, basis = definition.event, outcome.basis
    if outcome.beneficiary not in _PAID_BY.get(event, frozenset(MemberRole)):
        raise InvalidInput(field=f"{path}.beneficiary", problem="not paid by this event")
    if event is not EventKind.PURCHASE and basis in _NEEDS_PURCHASE:
        raise InvalidInput(field=f"{path}.basis", problem=f"{event.value} {_NEEDS_PURCHASE[basis]}")
    if basis is OutcomeBasis.PERCENT_OF_MAIN and definition.bonus is None:
        raise InvalidInput(field=f"{path}.basis", problem="of bonuses only")
    if basis is OutcomeBasis.TABLE:
        _check_steps(path, outcome)
        return
    if outcome.steps:
        raise InvalidInput(field=f"{path}.steps", problem=f"not for {basis.value}")
    if not 0 < outcome.amount <= _AMOUNT_MAX[basis]:
        raise InvalidInput(field=f"{path}.amount", problem=f"1 to {_AMOUNT_MAX[basis]}")


def _check_steps(path: str, outcome: Outcome) -> None:
    if outcome.amount:
        raise InvalidInput(field=f"{path}.amount", problem="its steps have the amounts")
    if not 1 <= len(outcome.steps) <= STEPS_MAX:
        raise InvalidInput(field=f"{path}.steps", problem=f"1 to {STEPS_MAX} steps")
    least = 0
    for i, step in enumerate(outcome.steps):
        where = f"{path}.steps[{i}]"
        if not least <= step.from_fen <= FEN_MAX:
            problem = f"{least} to {FEN_MAX}: each step begins after the one before it"
            raise InvalidInput(field=f"{where}.fromFen", problem=problem)
        if not 0 < step.amount <= AMOUNT_MAX:
            raise InvalidInput(field=f"{where}.amount", problem=f"1 to {AMOUNT_MAX}")
        least = step.from_fen + 1


def _check_locked(
    definition: CampaignDefinition, path: str, outcome: Outcome | CouponOutcome
) -> None:
    if outcome.lock is None:
        return
    is_gated = definition.gate is not Gate.NONE and outcome.beneficiary is MemberRole.GUIDE
    if not is_gated:
        _check_waiting(definition, path, outcome.lock, outcome.beneficiary)
        return
    check_lock(path, outcome.lock)
    if outcome.lock.kind is not UnlockKind.ITEM:
        raise InvalidInput(field=path, problem="the gate locks what the guide gets")


def _check_taken(definition: CampaignDefinition) -> None:
    """What a guide waits for has to be able to wait; and one amount gives the consumer an account,
    whose lock is held by whoever ends any of it."""
    draw = definition.draw
    waits = draw is not None and draw.lock is not None and MemberRole.CONSUMER in draw.roles
    own = [each for each in definition.outcomes if each.beneficiary is MemberRole.CONSUMER]
    if not waits and all(each.lock is None for each in own):
        raise InvalidInput(field="gate", problem="nothing that the consumer gets waits")
    if not any(isinstance(each, Outcome) for each in own):
        raise InvalidInput(field="gate", problem="needs an amount for the consumer")


def _check_waiting(
    definition: CampaignDefinition, path: str, lock: Lock, beneficiary: MemberRole
) -> None:
    """What somebody's reward may wait for, no gate being in between."""
    kind = lock.kind
    check_lock(path, lock)
    is_of_scan = kind in (UnlockKind.BOX_BOTTLES, UnlockKind.INNER_SCAN)
    if is_of_scan and definition.event is not EventKind.SCAN:
        raise InvalidInput(field=f"{path}.kind", problem="only what is scanned has codes and boxes")
    if kind in ITEM_KINDS:
        raise InvalidInput(field=f"{path}.kind", problem="of what a gate locks for the guide")
    is_consumers = beneficiary is MemberRole.CONSUMER
    if kind in (UnlockKind.NEXT_SCAN, UnlockKind.INNER_SCAN) and not is_consumers:
        raise InvalidInput(field=f"{path}.kind", problem="only consumers' scans count")


def _check_coupon(definition: CampaignDefinition, path: str, outcome: CouponOutcome) -> None:
    if outcome.beneficiary not in _PAID_BY.get(definition.event, frozenset(MemberRole)):
        raise InvalidInput(field=f"{path}.beneficiary", problem="not paid by this event")
    if definition.gate is not Gate.NONE and outcome.beneficiary is MemberRole.GUIDE:
        problem = "the gate locks amounts that the guide gets"
        raise InvalidInput(field=f"{path}.couponTemplateId", problem=problem)


def _check_caps(definition: CampaignDefinition) -> None:
    if len(definition.caps) > CAPS_MAX:
        raise InvalidInput(field="caps", problem=f"at most {CAPS_MAX}")
    seen = set()
    for i, cap in enumerate(definition.caps):
        if not 0 < cap.times_max <= AMOUNT_MAX:
            raise InvalidInput(field=f"caps[{i}].timesMax", problem=f"1 to {AMOUNT_MAX}")
        if (cap.subject, cap.window) in seen:
            raise InvalidInput(field=f"caps[{i}]", problem="one cap per subject and window")
        if cap.subject not in _COUNTED_BY.get(definition.event, _MEMBERS):
            raise InvalidInput(field=f"caps[{i}].subject", problem="its events have none")
        pays_stores = definition_pays(definition.outcomes, MemberRole.STORE)
        if cap.subject is CapSubject.STORE and not pays_stores:
            raise InvalidInput(field=f"caps[{i}].subject", problem="nothing for the store")
        seen.add((cap.subject, cap.window))
