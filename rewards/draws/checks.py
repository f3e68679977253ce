"""Pure: what of a draw is refused before it is published."""

from datetime import datetime

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ledger.models import Asset
from loyalty.text import check_label, checked_text
from rewards.campaigns.models import MEMBER_EVENTS, EventKind
from rewards.conditions.rules import Audience, Fields, compile_condition
from rewards.draws.terms import (
    AMOUNT_MAX,
    BONUSES_MAX,
    CODE_LENGTH_MAX,
    COUNT_MAX,
    DRAW_NO_MAX,
    NAME_LENGTH_MAX,
    PATH,
    PPM,
    PRIZES_MAX,
    STAGES_MAX,
    WEIGHT_MAX,
    AmountAward,
    DrawTerms,
    Prize,
    Stage,
    stage_windows,
)


def check_draw(
    terms: DrawTerms,
    starts_at: datetime | None,
    ends_at: datetime | None,
    event: EventKind = EventKind.SCAN,
    fields: Fields = (),
) -> None:
    """Refuses InvalidInput with the field's path; the window is the campaign's, ``fields`` those of
    its type of custom events."""
    _check_prizes(terms)
    known = {prize.code: prize for prize in terms.prizes}
    _check_known(f"{PATH}.consolation", terms.consolation, known)
    if terms.guarantee is not None:
        _check_known(f"{PATH}.guarantee.prize", terms.guarantee.prize, known)
        _check_range(f"{PATH}.guarantee.drawNo", terms.guarantee.draw_no, 1, DRAW_NO_MAX)
    if len(terms.bonuses) > BONUSES_MAX:
        raise InvalidInput(field=f"{PATH}.bonuses", problem=f"at most {BONUSES_MAX}")
    # They ask of the event's own member: of scans and purchases the consumer.
    asked = frozenset(terms.roles) if event in MEMBER_EVENTS else frozenset({MemberRole.CONSUMER})
    audience = Audience(starts_at, ends_at, asked)
    for i, bonus in enumerate(terms.bonuses):
        _check_range(f"{PATH}.bonuses[{i}].ppm", bonus.ppm, 1, PPM)
        compile_condition(
            bonus.condition, f"{PATH}.bonuses[{i}].condition", event, fields, audience
        )
    _check_stages(terms, starts_at, ends_at)
    for i, stage in enumerate(terms.stages):
        _check_stage(f"{PATH}.stages[{i}]", stage, terms, known)
        _check_budgets(f"{PATH}.stages[{i}]", stage, terms)


def _check_range(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(field=field, problem=f"{least} to {most}")


def _check_known(field: str, code: str, known: dict[str, Prize]) -> None:
    if code not in known:
        raise InvalidInput(field=field, problem=f"no prize is called {code[:CODE_LENGTH_MAX]}")


def _check_prizes(terms: DrawTerms) -> None:
    if not 1 <= len(terms.prizes) <= PRIZES_MAX:
        raise InvalidInput(field=f"{PATH}.prizes", problem=f"1 to {PRIZES_MAX} prizes")
    seen: set[str] = set()
    for i, prize in enumerate(terms.prizes):
        path = f"{PATH}.prizes[{i}]"
        code = prize.code
        check_label(code, f"{path}.code", length_max=CODE_LENGTH_MAX)
        if code in seen:
            raise InvalidInput(field=f"{path}.code", problem="each of them once")
        seen.add(code)
        checked_text(prize.name_zh, f"{path}.nameZh", length_max=NAME_LENGTH_MAX)
        checked_text(prize.name_en, f"{path}.nameEn", length_max=NAME_LENGTH_MAX)
        if isinstance(prize.award, AmountAward):
            _check_range(f"{path}.amount", prize.award.amount, 1, AMOUNT_MAX)
        if prize.stock is not None:
            _check_range(f"{path}.stock", prize.stock, 1, COUNT_MAX)
        if prize.quota_per_day is not None:
            _check_range(f"{path}.quotaPerDay", prize.quota_per_day, 1, COUNT_MAX)
            if prize.stock is not None and prize.stock < prize.quota_per_day:
                raise InvalidInput(
                    field=f"{path}.quotaPerDay", problem="more in a day than there are"
                )


def _check_stages(terms: DrawTerms, starts_at: datetime | None, ends_at: datetime | None) -> None:
    """Their order, and that they cover the campaign's window and nothing else."""
    if not 1 <= len(terms.stages) <= STAGES_MAX:
        raise InvalidInput(field=f"{PATH}.stages", problem=f"1 to {STAGES_MAX} stages")
    first = terms.stages[0].starts_at
    if first is not None and first != starts_at:
        raise InvalidInput(
            field=f"{PATH}.stages[0].startsAt", problem="the first begins with the campaign"
        )
    previous = starts_at
    for i, stage in enumerate(terms.stages[1:], 1):
        path = f"{PATH}.stages[{i}].startsAt"
        if stage.starts_at is None:
            raise InvalidInput(field=path, problem="needed but for the first")
        if previous is not None and stage.starts_at <= previous:
            raise InvalidInput(field=path, problem="must be after the one before it")
        if ends_at is not None and stage.starts_at >= ends_at:
            raise InvalidInput(field=path, problem="outside the campaign's window")
        previous = stage.starts_at
    for i, (stage, window) in enumerate(
        zip(terms.stages, stage_windows(terms, starts_at, ends_at), strict=True)
    ):
        if stage.moves and None in window:
            raise InvalidInput(
                field=f"{PATH}.stages[{i}]",
                problem="what changes along a curve needs the stage's begin and end",
            )


def _check_stage(path: str, stage: Stage, terms: DrawTerms, known: dict[str, Prize]) -> None:
    bonuses = sum(bonus.ppm for bonus in terms.bonuses) if stage.takes_bonuses else 0
    for name, ppm in (("oddsFromPpm", stage.odds_from_ppm), ("oddsToPpm", stage.odds_to_ppm)):
        _check_range(f"{path}.{name}", ppm, 0, PPM)
        if ppm + bonuses > PPM:
            raise InvalidInput(
                field=f"{path}.{name}", problem=f"with all bonuses more than {PPM}: over 100 %"
            )
    if not 1 <= len(stage.entries) <= PRIZES_MAX:
        raise InvalidInput(field=f"{path}.entries", problem=f"1 to {PRIZES_MAX} prizes")
    seen: set[str] = set()
    for i, entry in enumerate(stage.entries):
        where = f"{path}.entries[{i}]"
        _check_known(f"{where}.prize", entry.prize, known)
        if entry.prize in seen:
            raise InvalidInput(field=f"{where}.prize", problem="each of them once")
        seen.add(entry.prize)
        _check_range(f"{where}.weight", entry.weight, 1, WEIGHT_MAX)
        if entry.amount_to is not None and entry.amount_from is None:
            raise InvalidInput(field=f"{where}.amountFrom", problem="needed with amountTo")
        for name, amount in (("amountFrom", entry.amount_from), ("amountTo", entry.amount_to)):
            if amount is not None:
                if not isinstance(known[entry.prize].award, AmountAward):
                    raise InvalidInput(field=f"{where}.{name}", problem="its award is no amount")
                _check_range(f"{where}.{name}", amount, 1, AMOUNT_MAX)


def _check_budgets(path: str, stage: Stage, terms: DrawTerms) -> None:
    """Each of an asset that the stage can give, and enough for the cheapest prize of it."""
    least = _cheapest_of(stage, terms)
    if stage.budget_curve is not None and not stage.budgets:
        raise InvalidInput(field=f"{path}.budgetCurve", problem="the stage has no budget")
    seen: set[str] = set()
    for i, (asset, allowed) in enumerate(stage.budgets):
        where = f"{path}.budgets[{i}]"
        if asset in seen:
            raise InvalidInput(field=f"{where}.asset", problem="each of them once")
        seen.add(asset)
        if asset not in least:
            raise InvalidInput(field=f"{where}.asset", problem="no prize of the stage gives it")
        _check_range(f"{where}.allowed", allowed, 1, COUNT_MAX)
        if allowed < least[asset]:
            raise InvalidInput(
                field=f"{where}.allowed", problem=f"below the cheapest prize, {least[asset]}"
            )


def cheapest_prizes(terms: DrawTerms) -> dict[str, int]:
    """The least that a prize of each asset comes to, in any stage, by the guarantee, or as the
    consolation."""
    besides = {terms.consolation, terms.guarantee.prize if terms.guarantee else None}
    given = [pair for stage in terms.stages for pair in _cheapest_of(stage, terms).items()]
    given += [
        (prize.award.asset, prize.award.amount)
        for prize in terms.prizes
        if prize.code in besides and isinstance(prize.award, AmountAward)
    ]
    found: dict[str, int] = {}
    for asset, amount in given:
        found[asset] = min(amount, found.get(asset, amount))
    return found


def _cheapest_of(stage: Stage, terms: DrawTerms) -> dict[str, int]:
    least: dict[str, int] = {}
    entries = {entry.prize: entry for entry in stage.entries}
    for prize in terms.prizes:
        if prize.code not in entries or not isinstance(prize.award, AmountAward):
            continue
        entry = entries[prize.code]
        amounts = (entry.amount_from or prize.award.amount, entry.amount_to)
        cheapest = min(amount for amount in amounts if amount is not None)
        asset = prize.award.asset
        least[asset] = min(cheapest, least.get(asset, cheapest))
    return least


def largest_cash(terms: DrawTerms) -> int:
    """The most cash that a prize comes to, in any stage; 0 of none."""
    return max((amount for _, amount in _cash_given(terms)), default=0)


def check_cash(terms: DrawTerms, cash_max_fen: int) -> None:
    """The prize ceiling (最高奖): of no prize, in no stage, more cash than this. Refuses
    InvalidInput with the field's path."""
    for name, amount in _cash_given(terms):
        if amount > cash_max_fen:
            raise InvalidInput(
                field=f"{PATH}.{name}", problem=f"over the prize ceiling of {cash_max_fen} fen"
            )


def _cash_given(terms: DrawTerms) -> list[tuple[str, int]]:
    """Every amount of cash that it names, with its field."""
    of_cash = {
        prize.code: prize.award.amount
        for prize in terms.prizes
        if isinstance(prize.award, AmountAward) and prize.award.asset == Asset.CASH
    }
    given = [
        (f"prizes[{i}].amount", of_cash.get(prize.code, 0)) for i, prize in enumerate(terms.prizes)
    ]
    given += [
        (f"stages[{i}].entries[{j}].{name}", amount)
        for i, stage in enumerate(terms.stages)
        for j, entry in enumerate(stage.entries)
        if entry.prize in of_cash
        for name, amount in (("amountFrom", entry.amount_from), ("amountTo", entry.amount_to))
        if amount is not None
    ]
    return given
