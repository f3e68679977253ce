"""Pure: how a draw is decided. Integers only, so that anybody computes the same.

One number, u, decides whether a draw wins and which prize it points at; what is given then follows
from what there still is. docs/draws.md tells the same in words.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from rewards.campaigns.models import EventKind
from rewards.conditions.rules import Condition, Facts, Fields, load_condition
from rewards.draws.models import Curve, Limit
from rewards.draws.terms import (
    PPM,
    AmountAward,
    Award,
    DrawTerms,
    Prize,
    Stage,
    Window,
    stage_windows,
)

SEED_BYTES = 32
PRIZE_COUNTER = "PRIZE"
"""The kind of the counters of prizes given; their subject is the prize's code."""
STAGE_COUNTER = "STAGE"
"""The kind of the counters of what stages have given; their subjects are ``stage_subject``."""
MEMBER_COUNTER = "DRAW"
"""The kind of the counters of members' draws; their subject is the member's id."""

_MICROSECOND = timedelta(microseconds=1)
_U_VALUES = 1 << 64


@dataclass(frozen=True, slots=True)
class LiveDraw:
    """A published draw, ready to be drawn."""

    terms: DrawTerms
    prizes: Mapping[str, Prize]
    windows: tuple[Window, ...]
    bonuses: tuple[tuple[Condition, int], ...]
    fact_names: tuple[str, ...]


def compile_draw(
    terms: DrawTerms,
    starts_at: datetime | None,
    ends_at: datetime | None,
    event: EventKind = EventKind.SCAN,
    fields: Fields = (),
) -> LiveDraw:
    """A checked draw of a campaign with this window, for such events."""
    bonuses = tuple(
        (load_condition(bonus.condition, event, fields), bonus.ppm) for bonus in terms.bonuses
    )
    return LiveDraw(
        terms,
        {prize.code: prize for prize in terms.prizes},
        tuple(stage_windows(terms, starts_at, ends_at)),
        bonuses,
        tuple(sorted({name for condition, _ in bonuses for name in condition.facts})),
    )


# --- seeds and u -------------------------------------------------------------------------------


def hash_of(seed: bytes) -> str:
    """What is published of a seed before its day."""
    return hashlib.sha256(seed).hexdigest()


def claim_of_scan(item_no: int, role: str = MemberRole.CONSUMER.value) -> str:
    """What a paid scan claims for who has this role, which is there once and which nobody can
    choose."""
    return f"{item_no}:REWARD:{role}"


def claim_of_event(cause_kind: str, cause_id: UUID, role: str) -> str:
    """The same of a purchase or another event, whose id we make."""
    return f"{cause_kind}:{cause_id.hex}:{role}"


def message_of(brand_id: UUID, claim: str, member_id: UUID, nonce: str | None) -> str:
    """What u is made of, besides the seed. The nonce comes last: it may hold any character."""
    return f"draw-1|{brand_id.hex}|{claim}|{member_id.hex}|{nonce or ''}"


def u_of(seed: bytes, message: str) -> int:
    """0 to 2^64 - 1, each as likely as any other to who does not know the seed."""
    return int.from_bytes(hmac.digest(seed, message.encode(), hashlib.sha256)[:8], "big")


# --- odds --------------------------------------------------------------------------------------


def stage_at(draw: LiveDraw, at: datetime) -> int:
    """The number of the stage that runs at this time of the campaign's window."""
    found = 0
    for number, (starts_at, _) in enumerate(draw.windows):
        if starts_at is not None and starts_at <= at:
            found = number
    return found


def progress_ppm(window: Window, curve: Curve, at: datetime) -> int:
    """How far along its curve a stage is, 0 to 10^6; 0 of one without begin or end."""
    starts_at, ends_at = window
    if starts_at is None or ends_at is None:
        return 0
    passed = ((at - starts_at) // _MICROSECOND) * PPM // ((ends_at - starts_at) // _MICROSECOND)
    passed = min(max(passed, 0), PPM)
    if curve is Curve.EASE_IN:
        return passed * passed // PPM
    if curve is Curve.EASE_OUT:
        return PPM - (PPM - passed) * (PPM - passed) // PPM
    return passed


def spendable_by(draw: LiveDraw, number: int, allowed: int, at: datetime) -> int:
    """How much of a stage's budget its draws may have given by a time, where it has a pace; else
    all of it."""
    curve = draw.terms.stages[number].budget_curve
    if curve is None:
        return allowed
    return allowed * progress_ppm(draw.windows[number], curve, at) // PPM


def between(begin: int, end: int, progress: int) -> int:
    """The value so far on the way from the one to the other, rounded down."""
    return begin + (end - begin) * progress // PPM


def wins(u: int, odds_ppm: int) -> bool:
    """True for exactly this share of all u, but for less than one u."""
    return u * PPM < odds_ppm * _U_VALUES


def pointed_at(u: int, odds_ppm: int, weights: Sequence[int]) -> int:
    """Which of the weights a u that wins points at."""
    position = u * PPM * sum(weights) // (odds_ppm * _U_VALUES)
    for index, weight in enumerate(weights):
        position -= weight
        if position < 0:
            return index
    raise ValueError("this u does not win")


@dataclass(frozen=True, slots=True)
class Odds:
    """The odds of one draw, and how they came about: ``held`` are the numbers of the bonuses."""

    stage: int
    progress: int
    base_ppm: int
    held: tuple[int, ...]
    odds_ppm: int


def odds_of(
    draw: LiveDraw, at: datetime, held: tuple[int, ...] = (), level_percent: int = 0
) -> Odds:
    """The odds at a time, for whom these bonuses hold, and whose level raises the stage's own odds
    by so many percent."""
    number = stage_at(draw, at)
    stage: Stage = draw.terms.stages[number]
    progress = progress_ppm(draw.windows[number], stage.curve, at)
    base = between(stage.odds_from_ppm, stage.odds_to_ppm, progress)
    bonus = sum(draw.bonuses[i][1] for i in held) + base * level_percent // 100
    return Odds(number, progress, base, held, min(base + bonus, PPM))


def facts_asked(draw: LiveDraw, facts: Facts) -> dict[str, Any]:
    """The facts that the bonuses ask for, by their names, as a receipt keeps them."""
    found = {}
    for name in draw.fact_names:
        group, _, field = name.partition(".")
        value = facts[group][field]
        found[name] = value.isoformat() if hasattr(value, "isoformat") else value
    return found


def award_of(draw: LiveDraw, odds: Odds, code: str) -> Award | None:
    """What a prize gives at this point of its stage."""
    award = draw.prizes[code].award
    if isinstance(award, AmountAward):
        for entry in draw.terms.stages[odds.stage].entries:
            if entry.prize == code and entry.amount_from is not None:
                end = entry.amount_from if entry.amount_to is None else entry.amount_to
                return AmountAward(award.asset, between(entry.amount_from, end, odds.progress))
    return award


def stage_subject(stage: int, asset: str) -> str:
    """What the amounts of a stage, known by its number, are counted under."""
    return f"{stage}:{asset}"


# --- what is given -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Why a prize was not given: of ``limit`` only ``left`` is left. ``allowed``: of how many;
    of budgets ``subject`` is the asset, of coupons the template, else the prize."""

    prize: str
    limit: Limit
    subject: str
    left: int
    allowed: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "prize": self.prize,
            "limit": self.limit.value,
            "subject": self.subject,
            "left": self.left,
            "allowed": self.allowed,
        }


@dataclass(frozen=True, slots=True)
class Given:
    """What one draw comes to. ``pointed`` None: it did not win. ``code`` is the pointed prize, or
    the consolation where that has run out, or None where both have."""

    pointed: str | None
    is_guaranteed: bool
    code: str | None
    award: Award | None
    exhausted: tuple[Exhausted, ...] = ()


Shortage = Callable[[Prize, Award | None], Exhausted | None]
"""Tells what a prize, with what it gives, has run out of; None when it can be given."""


def pointed_prize(
    draw: LiveDraw, odds: Odds, u: int, member_draw_no: int | None
) -> tuple[str | None, bool]:
    """The prize that a draw points at, and whether by the guarantee; None when it does not win."""
    if wins(u, odds.odds_ppm):
        entries = draw.terms.stages[odds.stage].entries
        return entries[pointed_at(u, odds.odds_ppm, [e.weight for e in entries])].prize, False
    guarantee = draw.terms.guarantee
    if guarantee is not None and member_draw_no == guarantee.draw_no:
        return guarantee.prize, True
    return None, False


def settle(
    draw: LiveDraw, odds: Odds, u: int, member_draw_no: int | None, shortage: Shortage
) -> Given:
    """What is given: the prize pointed at if there is still one, else the consolation. What has run
    out changes nobody else's odds."""
    pointed, is_guaranteed = pointed_prize(draw, odds, u, member_draw_no)
    if pointed is None:
        return Given(None, False, None, None)
    exhausted: list[Exhausted] = []
    for code in dict.fromkeys((pointed, draw.terms.consolation)):
        award = award_of(draw, odds, code)
        lacking = shortage(draw.prizes[code], award)
        if lacking is None:
            return Given(pointed, is_guaranteed, code, award, tuple(exhausted))
        exhausted.append(lacking)
    return Given(pointed, is_guaranteed, None, None, tuple(exhausted))
