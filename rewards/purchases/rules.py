"""Pure: what a row of purchases must look like, and what a purchase comes to.

``decide`` folds one purchase over a ``PurchaseWorld``: it sees what earlier purchases of the same
batch did, and notes what is to be written. No I/O, no clock, no session.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from loyalty.actor import Actor
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject, EventKind
from rewards.campaigns.rules import LiveCampaign
from rewards.grants import rules as grants
from rewards.grants.rules import BrandConfiguration, CounterKey, GrantWorld, MemberState

COLUMNS = ("purchase_ref", "member_ref", "purchased_on", "quantity", "amount")
REF_LENGTH_MAX = 64
NUMBER_LENGTH_MAX = 20
QUANTITY_MAX = 10**9
AMOUNT_FEN_MAX = 10**11
"""A thousand million units of currency: no purchase, and far from what a balance can hold."""
EARLIEST = date(1900, 1, 1)
NOON = time(12)
ACTIVE = "ACTIVE"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SPACES = " \u3000\u00a0"
_FORMULA_STARTS = frozenset("=+-@|\t\r\n＝＋－＠")


class RejectReason(StrEnum):
    """Why a row is not a purchase: the codes of the reject file."""

    NOT_UTF8 = "NOT_UTF8"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    QUOTES_BROKEN = "QUOTES_BROKEN"
    FIELD_COUNT = "FIELD_COUNT"
    PURCHASE_REF_INVALID = "PURCHASE_REF_INVALID"
    MEMBER_REF_INVALID = "MEMBER_REF_INVALID"
    DATE_INVALID = "DATE_INVALID"
    DATE_IN_FUTURE = "DATE_IN_FUTURE"
    QUANTITY_NOT_A_WHOLE_NUMBER = "QUANTITY_NOT_A_WHOLE_NUMBER"
    QUANTITY_NEGATIVE = "QUANTITY_NEGATIVE"
    QUANTITY_TOO_LARGE = "QUANTITY_TOO_LARGE"
    AMOUNT_NOT_A_NUMBER = "AMOUNT_NOT_A_NUMBER"
    AMOUNT_NEGATIVE = "AMOUNT_NEGATIVE"
    AMOUNT_TOO_PRECISE = "AMOUNT_TOO_PRECISE"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    PURCHASE_REF_CONFLICT = "PURCHASE_REF_CONFLICT"


@dataclass(frozen=True, slots=True)
class PurchaseFact:
    """One purchase as it was reported. ``purchased_on`` is a day in the brand's zone."""

    purchase_ref: str
    member_ref: str
    purchased_on: date
    quantity: int
    amount_fen: int

    @property
    def content_hash(self) -> str:
        """Tells a repeat of the same purchase from another purchase under its reference."""
        body = (self.member_ref, self.purchased_on, self.quantity, self.amount_fen)
        return hashlib.sha256(orjson.dumps(body)).hexdigest()


class PurchaseStatus(StrEnum):
    """RECORDED now; ALREADY_RECORDED with the same content; CONFLICT with other content."""

    RECORDED = "RECORDED"
    ALREADY_RECORDED = "ALREADY_RECORDED"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class PurchaseResult:
    """What became of one purchase. A CONFLICT has no ids and grants nothing."""

    status: PurchaseStatus
    purchase_id: UUID | None = None
    member_id: UUID | None = None
    points_granted: int = 0


@dataclass(frozen=True, slots=True)
class RecordedPurchase:
    """A purchase event that is there, or is to be written."""

    id: UUID
    content_hash: str
    member_id: UUID
    points_granted: int


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase event to be written."""

    fact: PurchaseFact
    recorded: RecordedPurchase
    occurred_at: datetime


@dataclass(slots=True)
class PurchaseWorld:
    """What a batch of purchases of one brand may touch, as read, and what it is to write."""

    grants: GrantWorld
    brand: BrandConfiguration
    recorded: dict[str, RecordedPurchase] = field(default_factory=dict)
    buyers: dict[str, MemberState] = field(default_factory=dict)
    new: list[NewPurchase] = field(default_factory=list)


def read_fact(fields: Sequence[str], today: date) -> PurchaseFact | RejectReason:
    """The purchase that a row's fields (in the order of COLUMNS) tell, or why it is none.

    ``today`` is the brand's. Spaces around a field do not count.
    """
    if len(fields) != len(COLUMNS):
        return RejectReason.FIELD_COUNT
    purchase_ref, member_ref, day, quantity_text, amount_text = (f.strip(_SPACES) for f in fields)
    if not _is_ref(purchase_ref):
        return RejectReason.PURCHASE_REF_INVALID
    if not _is_ref(member_ref):
        return RejectReason.MEMBER_REF_INVALID
    purchased_on = _read_date(day)
    if purchased_on is None:
        return RejectReason.DATE_INVALID
    if purchased_on > today:
        return RejectReason.DATE_IN_FUTURE
    quantity = _read_quantity(quantity_text)
    if isinstance(quantity, RejectReason):
        return quantity
    amount_fen = _read_fen(amount_text)
    if isinstance(amount_fen, RejectReason):
        return amount_fen
    return PurchaseFact(purchase_ref, member_ref, purchased_on, quantity, amount_fen)


def _is_ref(text: str) -> bool:
    return 1 <= len(text) <= REF_LENGTH_MAX and text.isprintable()


def _read_date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day >= EARLIEST else None


def _read_quantity(text: str) -> int | RejectReason:
    if not _WHOLE.fullmatch(text):
        return RejectReason.QUANTITY_NOT_A_WHOLE_NUMBER
    if text.startswith("-"):
        return RejectReason.QUANTITY_NEGATIVE
    if len(text) > NUMBER_LENGTH_MAX or int(text) > QUANTITY_MAX:
        return RejectReason.QUANTITY_TOO_LARGE
    return int(text)


def _read_fen(text: str) -> int | RejectReason:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return RejectReason.AMOUNT_NOT_A_NUMBER
    if text.startswith("-"):
        return RejectReason.AMOUNT_NEGATIVE
    if len(match[1] or "") > len(".00"):
        return RejectReason.AMOUNT_TOO_PRECISE
    if len(text) > NUMBER_LENGTH_MAX or Decimal(text) * 100 > AMOUNT_FEN_MAX:
        return RejectReason.AMOUNT_TOO_LARGE
    return int(Decimal(text) * 100)


def for_spreadsheet(text: str) -> str:
    """A field that no spreadsheet takes for a formula and no terminal for a command."""
    visible = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
    return f"'{visible}" if text.strip(_SPACES)[:1] in _FORMULA_STARTS else visible


def fresh_facts(world: PurchaseWorld, facts: Iterable[PurchaseFact]) -> list[PurchaseFact]:
    """The purchases that will be recorded: the first of each reference that is not there yet."""
    first: dict[str, PurchaseFact] = {}
    for fact in facts:
        if fact.purchase_ref not in world.recorded:
            first.setdefault(fact.purchase_ref, fact)
    return list(first.values())


def occurred_at(fact: PurchaseFact, timezone: str) -> datetime:
    """Noon of the day of the purchase in the brand's zone, in UTC."""
    return datetime.combine(fact.purchased_on, NOON, ZoneInfo(timezone)).astimezone(UTC)


def campaign_of(world: PurchaseWorld, at: datetime) -> LiveCampaign | None:
    """The one campaign for a purchase of that time."""
    return world.brand.campaigns.choose(EventKind.PURCHASE, None, at)


def caps_of(
    world: PurchaseWorld, campaign: LiveCampaign, member: MemberState, at: datetime
) -> list[tuple[CounterKey, int]]:
    """The counters that the purchase of a member counts in, with their limits."""
    subjects: dict[CapSubject, str | None] = {CapSubject.MEMBER: member.id.hex}
    return grants.counter_keys(world.brand, campaign, subjects, at)


def decide(world: PurchaseWorld, actor: Actor, fact: PurchaseFact) -> PurchaseResult:
    """Fold one purchase over the world. Over a cap or the budget it is recorded and unpaid."""
    content_hash = fact.content_hash
    recorded = world.recorded.get(fact.purchase_ref)
    if recorded is not None:
        if recorded.content_hash != content_hash:
            return PurchaseResult(PurchaseStatus.CONFLICT)
        return _result(PurchaseStatus.ALREADY_RECORDED, recorded)
    member = world.buyers[fact.member_ref]
    at = occurred_at(fact, world.brand.timezone)
    purchase_id = world.grants.new_id()
    points = _reward(world, actor, fact, purchase_id, member, at)
    recorded = RecordedPurchase(purchase_id, content_hash, member.id, points)
    world.recorded[fact.purchase_ref] = recorded
    world.new.append(NewPurchase(fact, recorded, at))
    return _result(PurchaseStatus.RECORDED, recorded)


def _result(status: PurchaseStatus, recorded: RecordedPurchase) -> PurchaseResult:
    return PurchaseResult(status, recorded.id, recorded.member_id, recorded.points_granted)


def _reward(
    world: PurchaseWorld,
    actor: Actor,
    fact: PurchaseFact,
    purchase_id: UUID,
    member: MemberState,
    at: datetime,
) -> int:
    """Give what the campaign gives, all of it or nothing; the points among it."""
    campaign = campaign_of(world, at)
    if campaign is None or member.status != ACTIVE:
        return 0
    credits = grants.credits_of(world.grants, campaign, member, fact.amount_fen)
    if not credits:
        return 0
    caps = caps_of(world, campaign, member, at)
    if not grants.caps_allow(world.grants, caps):
        return 0
    if not grants.within_budget(world.grants, campaign, credits):
        return 0
    cause = Cause("PURCHASE", purchase_id, actor.kind.value, actor.id, "purchase", at)
    for credit in credits:
        grants.give(world.grants, campaign, credit, cause)
    grants.count_caps(world.grants, caps)
    return sum(credit.amount for credit in credits if credit.asset == Asset.POINTS.value)
