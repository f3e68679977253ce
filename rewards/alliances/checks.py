"""Pure: which terms are refused before they are proposed, each with its field's path."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from loyalty.errors import InvalidInput
from loyalty.text import checked_text
from rewards.alliances.terms import (
    CAMPAIGN_LENGTH_MAX,
    WHOLE_BASIS_POINTS,
    Draft,
    DraftLine,
    FundingKind,
    Line,
    Share,
)

AMOUNT_FEN_MAX = 10**12
COUNT_MAX = 10**9
QUOTAS_MAX = 40
LINES_MAX = 100
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


def check_draft(draft: Draft, brand_ids: Sequence[UUID]) -> None:
    """Refuses InvalidInput. ``brand_ids`` are the two sides. What its templates are is asked
    elsewhere."""
    _check_days(draft)
    if not 1 <= len(draft.lines) <= LINES_MAX:
        raise InvalidInput(field="terms.lines", problem=f"1 to {LINES_MAX}")
    if len({line.template_id for line in draft.lines}) != len(draft.lines):
        raise InvalidInput(field="terms.lines", problem="each template once")
    for index, line in enumerate(draft.lines):
        _check_draft_line(f"terms.lines[{index}]", line, brand_ids)


def check_lines(draft: Draft, lines: Sequence[Line]) -> None:
    """What can be said once it is known whose template each line has, and what it is worth."""
    for index, line in enumerate(lines):
        _check_line(f"terms.lines[{index}]", line)
    issuers = {line.issuer_id for line in lines if line.issuer_id != line.host_id}
    named = [funding.brand_id for funding in draft.funding]
    if len(set(named)) != len(named) or set(named) != issuers:
        problem = "one for each side that issues coupons of the other's, and for nobody else"
        raise InvalidInput(field="terms.funding", problem=problem)
    for index, funding in enumerate(draft.funding):
        path = f"terms.funding[{index}]"
        if funding.kind is FundingKind.PREPAID and funding.limit_fen != 0:
            raise InvalidInput(field=f"{path}.limitFen", problem="not for PREPAID")
        least = 1 if funding.kind is FundingKind.POSTPAID else 0
        _check_range(f"{path}.limitFen", funding.limit_fen, least)
        _check_range(f"{path}.warningFen", funding.warning_fen, 0)


def check_pools(draft: Draft, in_force: Sequence[Line]) -> None:
    """A pool's coupons are paid for when they are put in: until the agreement ends its line stays
    as it was signed, but for its quotas; and no line becomes one, or ceases to be."""
    said = {line.template_id: (n, line) for n, line in enumerate(draft.lines)}
    for line in in_force:
        number, new = said.get(line.template_id, (None, None))
        if number is None or new is None:
            if line.pooled:
                problem = f"the pool of {line.template_code} stays until the agreement ends"
                raise InvalidInput(field="terms.lines", problem=problem)
        elif new.pooled != line.pooled:
            problem = "stays as it was agreed"
            raise InvalidInput(field=f"terms.lines[{number}].pooled", problem=problem)
        elif line.pooled and _terms_of_pool(new) != _terms_of_pool(line):
            problem = "a pool's terms stay, but for its quotas"
            raise InvalidInput(field=f"terms.lines[{number}]", problem=problem)


def _terms_of_pool(line: DraftLine) -> tuple[object, ...]:
    shares = (line.issuer_share, line.host_share, line.rounding)
    fees = (line.issue_fee_fen, line.redeem_fee_fen)
    return (line.issuer_id, frozenset(line.redeemer_ids), shares, fees)


def _check_days(draft: Draft) -> None:
    for path, day in (("firstOn", draft.first_on), ("lastOn", draft.last_on)):
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            problem = f"a day from {FIRST_DAY} to {LAST_DAY}"
            raise InvalidInput(field=f"terms.{path}", problem=problem)
    if draft.last_on is not None and draft.last_on < draft.first_on:
        raise InvalidInput(field="terms.lastOn", problem="must not be before firstOn")


def _check_draft_line(path: str, line: DraftLine, brand_ids: Sequence[UUID]) -> None:
    if line.issuer_id not in brand_ids:
        raise InvalidInput(field=f"{path}.issuer", problem="one of the two sides")
    redeemers = line.redeemer_ids
    if not redeemers or len(set(redeemers)) != len(redeemers) or set(redeemers) - set(brand_ids):
        raise InvalidInput(field=f"{path}.redeemers", problem="one side or both, each once")
    _check_share(f"{path}.issuerShare", line.issuer_share)
    _check_share(f"{path}.hostShare", line.host_share)
    _check_range(f"{path}.issueFeeFen", line.issue_fee_fen, 0)
    _check_range(f"{path}.redeemFeeFen", line.redeem_fee_fen, 0)
    if len({(quota.window, quota.campaign) for quota in line.quotas}) != len(line.quotas):
        raise InvalidInput(field=f"{path}.quotas", problem="one a window and campaign")
    if len(line.quotas) > QUOTAS_MAX:
        raise InvalidInput(field=f"{path}.quotas", problem=f"up to {QUOTAS_MAX}")
    for index, quota in enumerate(line.quotas):
        at = f"{path}.quotas[{index}]"
        _check_range(f"{at}.countMax", quota.count_max, 1, COUNT_MAX)
        if quota.campaign is not None:
            name = checked_text(quota.campaign, f"{at}.campaign", length_max=CAMPAIGN_LENGTH_MAX)
            if name != quota.campaign:
                raise InvalidInput(field=f"{at}.campaign", problem="no space at either end")


def _check_share(path: str, share: Share) -> None:
    if (share.fen is None) == (share.basis_points is None):
        raise InvalidInput(field=path, problem="either fen or basisPoints")
    _check_range(f"{path}.fen", share.fen, 0)
    _check_range(f"{path}.basisPoints", share.basis_points, 0, WHOLE_BASIS_POINTS)


def _check_line(path: str, line: Line) -> None:
    for name, share in (("issuerShare", line.issuer_share), ("hostShare", line.host_share)):
        if share.fen is not None and share.fen > line.value_fen:
            problem = f"at most the {line.value_fen} of a coupon"
            raise InvalidInput(field=f"{path}.{name}.fen", problem=problem)
    issuer, host = line.issuer_share, line.host_share
    if issuer.basis_points is not None and host.basis_points is not None:
        is_too_much = issuer.basis_points + host.basis_points > WHOLE_BASIS_POINTS
    else:
        taken = [share.of(line.value_fen, line.rounding) for share in (issuer, host)]
        is_too_much = sum(taken) > line.value_fen
    if is_too_much:
        raise InvalidInput(field=f"{path}.hostShare", problem="together more than all")
    if line.issuer_id != line.host_id:
        return
    if set(line.redeemer_ids) == {line.host_id}:
        problem = "a coupon that the other side neither issues nor takes needs no agreement"
        raise InvalidInput(field=f"{path}.redeemers", problem=problem)
    for name, has_it in (
        ("issueFeeFen", line.issue_fee_fen != 0),
        ("redeemFeeFen", line.redeem_fee_fen != 0),
        ("quotas", bool(line.quotas)),
        ("pooled", line.pooled),
    ):
        if has_it:
            problem = "not where the host issues its own coupons"
            raise InvalidInput(field=f"{path}.{name}", problem=problem)


def _check_range(path: str, value: int | None, least: int, most: int = AMOUNT_FEN_MAX) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(field=path, problem=f"{least} to {most}")
