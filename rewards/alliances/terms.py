"""Pure: the terms of an agreement as values, the text of them that both sides sign, and what they
come to in fen."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from loyalty.clock import local_date

CAMPAIGN_LENGTH_MAX = 40
WHOLE_BASIS_POINTS = 10_000


class Side(StrEnum):
    """Of an agreement, as a brand sees it: itself 本方, and the other one 对方."""

    OWN = "OWN"
    PARTNER = "PARTNER"


class Rounding(StrEnum):
    """What becomes of a part of a fen: HALF_UP 四舍五入, DOWN 舍去."""

    HALF_UP = "HALF_UP"
    DOWN = "DOWN"


class QuotaWindow(StrEnum):
    """Calendar days, weeks (Monday first) and months in the terms' time zone; or all of the
    agreement's time."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    ALL = "ALL"


class FundingKind(StrEnum):
    """PREPAID 预付: issues for what it has paid in. POSTPAID 后付: up to a credit limit."""

    PREPAID = "PREPAID"
    POSTPAID = "POSTPAID"


class StatementPeriod(StrEnum):
    WEEK = "WEEK"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class Share:
    """What one brand bears of a coupon's value: so many fen, or so many ten-thousandths."""

    fen: int | None = None
    basis_points: int | None = None

    def of(self, value_fen: int, rounding: Rounding) -> int:
        """In fen, never more than the value."""
        if self.fen is not None:
            return min(self.fen, value_fen)
        scaled = value_fen * (self.basis_points or 0)
        half = WHOLE_BASIS_POINTS // 2 if rounding is Rounding.HALF_UP else 0
        return min((scaled + half) // WHOLE_BASIS_POINTS, value_fen)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many coupons of a line the issuer may issue in a window: all of them, or those of one
    ``campaign``."""

    window: QuotaWindow
    count_max: int
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Funding:
    """How a brand that issues the other's coupons pays for them. ``limit_fen`` is 0 for PREPAID.
    It is warned when less than ``warning_fen`` is left."""

    brand_id: UUID
    kind: FundingKind
    limit_fen: int
    warning_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLine:
    """What an operator says of one template: who issues its coupons to the members of the host
    (whose template it is), at whose tills they are good, who bears what of their value; what of
    it the two leave, the redeemer bears. Fees are owed by the issuer to the host, per coupon."""

    template_id: UUID
    issuer_id: UUID
    redeemer_ids: tuple[UUID, ...]
    issuer_share: Share
    host_share: Share = Share(fen=0)
    rounding: Rounding = Rounding.HALF_UP
    issue_fee_fen: int = 0
    redeem_fee_fen: int = 0
    quotas: tuple[Quota, ...] = ()
    pooled: bool = False
    """The issuer puts coupons into a pool, and the host's campaigns, offers and gifts give them
    out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(DraftLine):
    """A line as it is signed, with what never changes of its template. ``value_fen`` is what a
    store is credited for one coupon: the template's cost and fee."""

    host_id: UUID
    template_code: str
    name_zh: str
    name_en: str
    value_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an operator proposes. Days are included; without ``last_on`` there is no last one."""

    first_on: date
    last_on: date | None = None
    statement_period: StatementPeriod = StatementPeriod.MONTH
    funding: tuple[Funding, ...] = ()
    lines: tuple[DraftLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a version. ``brand_ids``: both sides, sorted. ``timezone`` is that of the days
    of all windows and statements."""

    brand_ids: tuple[UUID, UUID]
    timezone: str
    first_on: date
    last_on: date | None
    statement_period: StatementPeriod
    funding: tuple[Funding, ...]
    lines: tuple[Line, ...]

    def other(self, brand_id: UUID) -> UUID:
        """The other side."""
        return self.brand_ids[1] if brand_id == self.brand_ids[0] else self.brand_ids[0]

    def line_of(self, template_id: UUID) -> Line | None:
        return next((line for line in self.lines if line.template_id == template_id), None)

    def funding_of(self, brand_id: UUID) -> Funding | None:
        """None for a brand that issues none of the other's coupons."""
        return next((each for each in self.funding if each.brand_id == brand_id), None)

    def covers(self, at: datetime) -> bool:
        """Whether an instant is between the first and the last day."""
        on = local_date(at, self.timezone)
        return self.first_on <= on and (self.last_on is None or on <= self.last_on)


# --- what it comes to --------------------------------------------------------------------------


def shares_fen(value_fen: int, line: DraftLine) -> tuple[int, int]:
    """What the issuer and the host bear of a value; together never more than it."""
    issuer = line.issuer_share.of(value_fen, line.rounding)
    host = line.host_share.of(value_fen, line.rounding)
    return issuer, min(host, value_fen - issuer)


def split(value_fen: int, line: Line, redeemer_id: UUID) -> int:
    """What the other brand owes the redeemer, whose till took the coupon and whose store is
    credited the value: what it bears as the issuer, and what it bears as the host."""
    issuer_fen, host_fen = shares_fen(value_fen, line)
    owed = issuer_fen if line.issuer_id != redeemer_id else 0
    return owed + (host_fen if line.host_id != redeemer_id else 0)


def reserve_fen(line: Line, value_fen: int) -> int:
    """What the issuer may come to owe the host for one coupon after it was issued: its share where
    the coupon is good at the host's till, and the fee of its redemption. 0 where the host issues
    its own."""
    if line.issuer_id == line.host_id:
        return 0
    share = shares_fen(value_fen, line)[0] if line.host_id in line.redeemer_ids else 0
    return share + line.redeem_fee_fen


def may_redeem(line: Line, brand_id: UUID) -> bool:
    """Whether coupons of the line are good at a brand's tills."""
    return brand_id in line.redeemer_ids


# --- the text ----------------------------------------------------------------------------------


def text_of(agreement_id: UUID, number: int, terms: Terms) -> str:
    """What both sides sign: JSON with sorted keys, of one agreement and one version of it."""
    document = {"agreement": agreement_id.hex, "version": number, **_plain(terms)}
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest_of(text: str) -> str:
    """SHA-256 in hex of the text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


@lru_cache(maxsize=1024)  # a version's text never changes, and tills ask for the same few
def terms_of(text: str) -> Terms:
    """The terms in a version's text."""
    stored = json.loads(text)
    low, high = (UUID(hex=each) for each in stored["brand_ids"])
    return Terms(
        brand_ids=(low, high),
        timezone=stored["timezone"],
        first_on=date.fromisoformat(stored["first_on"]),
        last_on=date.fromisoformat(stored["last_on"]) if stored["last_on"] else None,
        statement_period=StatementPeriod(stored["statement_period"]),
        funding=tuple(
            Funding(
                brand_id=UUID(hex=each["brand_id"]),
                kind=FundingKind(each["kind"]),
                limit_fen=each["limit_fen"],
                warning_fen=each["warning_fen"],
            )
            for each in stored["funding"]
        ),
        lines=tuple(map(_line_of, stored["lines"])),
    )


def _line_of(stored: Mapping[str, Any]) -> Line:
    return Line(
        template_id=UUID(hex=stored["template_id"]),
        issuer_id=UUID(hex=stored["issuer_id"]),
        redeemer_ids=tuple(UUID(hex=each) for each in stored["redeemer_ids"]),
        issuer_share=Share(**stored["issuer_share"]),
        host_share=Share(**stored["host_share"]),
        rounding=Rounding(stored["rounding"]),
        issue_fee_fen=stored["issue_fee_fen"],
        redeem_fee_fen=stored["redeem_fee_fen"],
        quotas=tuple(
            Quota(QuotaWindow(each["window"]), each["count_max"], each.get("campaign"))
            for each in stored["quotas"]
        ),
        pooled=stored.get("pooled", False),  # texts that were signed before do not say
        host_id=UUID(hex=stored["host_id"]),
        template_code=stored["template_code"],
        name_zh=stored["name_zh"],
        name_en=stored["name_en"],
        value_fen=stored["value_fen"],
    )
