"""Pure: what a draw is, how it is stored, and what an operator may say of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from rewards.campaigns.locks import Lock, lock_from_json, lock_to_json
from rewards.draws.models import Curve

PPM = 10**6
"""Certainty, in parts per million."""
AMOUNT_MAX = 10**9
COUNT_MAX = 10**12
WEIGHT_MAX = 10**6
PRIZES_MAX = 50
STAGES_MAX = 12
BONUSES_MAX = 10
DRAW_NO_MAX = 10**6
CODE_LENGTH_MAX = 40
NAME_LENGTH_MAX = 80
PATH = "draw"

Window = tuple[datetime | None, datetime | None]
"""From when, included, until when, excluded; None is open."""


@dataclass(frozen=True, slots=True)
class AmountAward:
    """So much of an asset; CASH is in fen."""

    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class CouponAward:
    """One coupon of a template."""

    template_id: UUID


Award = AmountAward | CouponAward


@dataclass(frozen=True, slots=True)
class Prize:
    """A prize (奖品). Without an award it is words alone. ``stock`` over all versions of the
    campaign, ``quota_per_day`` per local day; None is without limit."""

    code: str
    name_zh: str
    name_en: str
    award: Award | None = None
    stock: int | None = None
    quota_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A prize that a stage has, and how likely it is among the others of the stage. Its amount goes
    ``amount_from`` .. ``amount_to`` as the stage's odds go; the prize's own if there is none."""

    prize: str
    weight: int
    amount_from: int | None = None
    amount_to: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """From ``starts_at`` on, until the next stage. The first may leave it out: it begins with the
    campaign. Bonuses are added to the odds, unless ``takes_bonuses`` is False. ``budgets``: (asset,
    allowed) of what its draws may give, over all versions of the campaign; with a ``budget_curve``
    at no time more of it than the curve has come to by then."""

    odds_from_ppm: int
    odds_to_ppm: int
    entries: tuple[Entry, ...]
    curve: Curve = Curve.LINEAR
    starts_at: datetime | None = None
    takes_bonuses: bool = True
    budgets: tuple[tuple[str, int], ...] = ()
    budget_curve: Curve | None = None

    @property
    def moves(self) -> bool:
        """Whether anything in it depends on how much of it has passed."""
        has_pace = self.budget_curve is not None
        return (
            has_pace
            or self.odds_from_ppm != self.odds_to_ppm
            or any(entry.amount_to not in (None, entry.amount_from) for entry in self.entries)
        )


@dataclass(frozen=True, slots=True)
class Bonus:
    """What is added to the odds where a condition holds."""

    condition: str
    ppm: int


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a member gets at its so manieth draw, if u does not win it a prize anyway (保底)."""

    prize: str
    draw_no: int


@dataclass(frozen=True, slots=True)
class DrawTerms:
    """A draw as an operator defines it. ``consolation`` is the prize that is given in the place of
    one that has run out. Of those whom the event pays, the ``roles`` draw, each for itself; what
    they win waits for what ``lock`` says, if there is one."""

    prizes: tuple[Prize, ...]
    stages: tuple[Stage, ...]
    consolation: str
    bonuses: tuple[Bonus, ...] = ()
    guarantee: Guarantee | None = None
    roles: tuple[MemberRole, ...] = (MemberRole.CONSUMER,)
    lock: Lock | None = None


def stage_windows(
    terms: DrawTerms, starts_at: datetime | None, ends_at: datetime | None
) -> list[Window]:
    """When each stage runs, of a campaign with this window."""
    begins = [stage.starts_at for stage in terms.stages]
    if begins and begins[0] is None:
        begins[0] = starts_at
    return list(zip(begins, [*begins[1:], ends_at], strict=True))


def awarded_assets(terms: DrawTerms) -> Iterator[tuple[str, str]]:
    """(field, asset) of each prize that gives an amount."""
    for i, prize in enumerate(terms.prizes):
        if isinstance(prize.award, AmountAward):
            yield f"{PATH}.prizes[{i}].asset", prize.award.asset


def awarded_templates(terms: DrawTerms) -> tuple[UUID, ...]:
    """The templates of coupons that prizes give, each once."""
    found = [p.award.template_id for p in terms.prizes if isinstance(p.award, CouponAward)]
    return tuple(dict.fromkeys(found))


# --- as stored ---------------------------------------------------------------------------------


def draw_to_json(terms: DrawTerms) -> dict[str, Any]:
    """As stored in a campaign version."""
    guarantee = terms.guarantee
    return {
        "prizes": [
            {
                "code": prize.code,
                "name_zh": prize.name_zh.strip(),
                "name_en": prize.name_en.strip(),
                "award": _award_to_json(prize.award),
                "stock": prize.stock,
                "quota_per_day": prize.quota_per_day,
            }
            for prize in terms.prizes
        ],
        "stages": [
            {
                "starts_at": stage.starts_at.astimezone(UTC).isoformat()
                if stage.starts_at
                else None,
                "odds_from_ppm": stage.odds_from_ppm,
                "odds_to_ppm": stage.odds_to_ppm,
                "curve": stage.curve.value,
                "takes_bonuses": stage.takes_bonuses,
                "budgets": dict(stage.budgets),
                **({"budget_curve": stage.budget_curve.value} if stage.budget_curve else {}),
                "entries": [
                    {
                        "prize": entry.prize,
                        "weight": entry.weight,
                        "amount_from": entry.amount_from,
                        "amount_to": entry.amount_to,
                    }
                    for entry in stage.entries
                ],
            }
            for stage in terms.stages
        ],
        "consolation": terms.consolation,
        "bonuses": [{"condition": each.condition, "ppm": each.ppm} for each in terms.bonuses],
        "guarantee": {"prize": guarantee.prize, "draw_no": guarantee.draw_no}
        if guarantee
        else None,
        "roles": [role.value for role in terms.roles],
        **({} if terms.lock is None else {"lock": lock_to_json(terms.lock)}),
    }


def _award_to_json(award: Award | None) -> dict[str, Any] | None:
    if isinstance(award, AmountAward):
        return {"asset": award.asset, "amount": award.amount}
    return None if award is None else {"coupon_template_id": award.template_id.hex}


def draw_from_json(stored: dict[str, Any]) -> DrawTerms:
    """What ``draw_to_json`` made."""
    guarantee = stored["guarantee"]
    return DrawTerms(
        tuple(
            Prize(
                prize["code"],
                prize["name_zh"],
                prize["name_en"],
                _award_from_json(prize["award"]),
                prize["stock"],
                prize["quota_per_day"],
            )
            for prize in stored["prizes"]
        ),
        tuple(_stages_from_json(stored["stages"])),
        stored["consolation"],
        tuple(Bonus(each["condition"], each["ppm"]) for each in stored["bonuses"]),
        Guarantee(guarantee["prize"], guarantee["draw_no"]) if guarantee else None,
        tuple(MemberRole(role) for role in stored.get("roles", ("CONSUMER",))),
        lock_from_json(stored.get("lock")),
    )


def _stages_from_json(stored: Iterable[dict[str, Any]]) -> Iterator[Stage]:
    for stage in stored:
        entries = (
            Entry(each["prize"], each["weight"], each["amount_from"], each["amount_to"])
            for each in stage["entries"]
        )
        starts_at = stage["starts_at"]
        yield Stage(
            stage["odds_from_ppm"],
            stage["odds_to_ppm"],
            tuple(entries),
            Curve(stage["curve"]),
            datetime.fromisoformat(starts_at) if starts_at else None,
            stage["takes_bonuses"],
            tuple(sorted(stage.get("budgets", {}).items())),
            Curve(stage["budget_curve"]) if "budget_curve" in stage else None,
        )


def _award_from_json(stored: dict[str, Any] | None) -> Award | None:
    if stored is None:
        return None
    if "asset" in stored:
        return AmountAward(stored["asset"], stored["amount"])
    return CouponAward(UUID(hex=stored["coupon_template_id"]))
