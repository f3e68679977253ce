"""Versioned rules: which event, which window, which outcomes, which budget (活动)."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn, NullableJsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class EventKind(StrEnum):
    """What campaigns are for: scans, purchases, and what ``rewards.events`` records. CUSTOM is what
    others tell of, by the types that a brand has registered."""

    SCAN = "SCAN"
    PURCHASE = "PURCHASE"
    SIGN_UP = "SIGN_UP"
    PROFILE_COMPLETED = "PROFILE_COMPLETED"
    CHECK_IN = "CHECK_IN"
    BIRTHDAY = "BIRTHDAY"
    TIER_REACHED = "TIER_REACHED"
    ACTION = "ACTION"
    FOLLOWED = "FOLLOWED"
    TASK_COMPLETED = "TASK_COMPLETED"
    SURVEY_ANSWERED = "SURVEY_ANSWERED"
    REFERRAL = "REFERRAL"
    CUSTOM = "CUSTOM"


MEMBER_EVENTS = frozenset(EventKind) - {EventKind.SCAN, EventKind.PURCHASE}
"""What ``rewards.events`` records: each is of one member, in whatever role it is."""


class Gate(StrEnum):
    """NONE: both are credited by the consumer's scan. CONSUMER_SCAN: the guide's pre-scan earns a
    locked credit that the consumer's scan posts. CONSUMER_TAKEN: what the guide gets is posted once
    the consumer has what that scan gave: nothing of it waits any more."""

    NONE = "NONE"
    CONSUMER_SCAN = "CONSUMER_SCAN"
    CONSUMER_TAKEN = "CONSUMER_TAKEN"


class OutcomeBasis(StrEnum):
    """FIXED: the amount, per event. PER_CURRENCY_UNIT: per whole unit of currency spent. PER_UNIT:
    per item bought. TABLE: of the highest step that was reached by what was spent. PERCENT_OF_MAIN:
    that many percent of what the event's first campaign gives; of bonuses only."""

    FIXED = "FIXED"
    PER_CURRENCY_UNIT = "PER_CURRENCY_UNIT"
    PER_UNIT = "PER_UNIT"
    TABLE = "TABLE"
    PERCENT_OF_MAIN = "PERCENT_OF_MAIN"


class UnlockKind(StrEnum):
    """What a locked reward waits for. ITEM: the consumer's scan of the guide's item (the gate).
    INNER_SCAN: the consumer's own scan of the same item's INNER code, which tells that it has the
    bottle. NEXT_SCAN: so many paid scans of the member as a consumer. ACTION: a report that the
    member did something, such as following the brand's account. AFTER: a duration. ON: a local
    day. BOX_BOTTLES: so many bottles of the box that the scanned one is in, whoever scans them.
    TAKEN: until the consumer of the guide's item has taken what it got; by a gate alone."""

    ITEM = "ITEM"
    INNER_SCAN = "INNER_SCAN"
    NEXT_SCAN = "NEXT_SCAN"
    ACTION = "ACTION"
    AFTER = "AFTER"
    ON = "ON"
    BOX_BOTTLES = "BOX_BOTTLES"
    TAKEN = "TAKEN"


ITEM_KINDS = frozenset({UnlockKind.ITEM, UnlockKind.TAKEN})
"""What gates lock: found by the item alone."""


class CapSubject(StrEnum):
    """Whose paid events are counted. STORE: of the member that acts for the guide's place, or
    for the purchase's. ALL: everybody's together."""

    ALL = "ALL"
    MEMBER = "MEMBER"
    GUIDE = "GUIDE"
    STORE = "STORE"
    DEVICE = "DEVICE"


class CapWindow(StrEnum):
    DAY = "DAY"
    CAMPAIGN = "CAMPAIGN"


class CampaignStatus(StrEnum):
    """RUNNING: its newest version counts. PAUSED: it pays nothing for now. ENDED: never again."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class Campaign(SQLModel, table=True):
    """A campaign keeps its code, its budgets and its counters over all its versions."""

    __tablename__ = "campaigns"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("status IN ('RUNNING', 'PAUSED', 'ENDED')", name="status_known"),
        CheckConstraint("(status = 'ENDED') = (ended_at IS NOT NULL)", name="ended_at_a_time"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    status: str = Field(
        default=CampaignStatus.RUNNING.value, sa_column_kwargs={"server_default": "RUNNING"}
    )
    ended_at: datetime | None = None
    created_at: datetime


class CampaignDraft(SQLModel, table=True):
    """What an operator works on: a whole ``definition`` (``drafts.definition_to_json``), at a
    ``revision`` that the next save has to name. It is gone once it is published."""

    __tablename__ = "campaign_drafts"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("revision > 0", name="revision_positive"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    revision: int
    definition: dict[str, Any] = Field(sa_type=JsonColumn)
    created_by: UUID
    saved_by: UUID
    created_at: datetime
    saved_at: datetime


class CampaignVersion(SQLModel, table=True):
    """One published, immutable version. The newest counts; ``ends_at`` None is windowless.

    ``outcomes``: a list of {beneficiary, asset, basis, amount} and of {beneficiary,
    coupon_template_id}, one coupon each; an amount may have a ``lock`` (``locks.lock_to_json``),
    and of a TABLE has ``steps``, a list of {from_fen, amount}.
    ``caps``: a list of {subject, window, times_max}, counting paid events. ``return_policies``: by
    beneficiary, what may be taken back of what it pays; WITHIN_BALANCE of who is not named.
    ``condition``: the text that an event has to meet (``rewards.conditions``), None for every one.
    ``draw``: what a paid scan draws, if anything (``rewards.draws.terms.draw_to_json``).
    ``event_type``: of one for CUSTOM events, {id, code, fields}, where ``fields`` are the kinds of
    the type's fields by name, as they were. ``bonus``: of one that pays on top of others {group,
    best_of} (``rewards.campaigns.rules.BonusTerms``). ``regions``: the codes of those that it runs
    in, none for everywhere.
    """

    __tablename__ = "campaign_versions"
    __table_args__ = (
        UniqueConstraint("brand_id", "campaign_id", "version"),
        CheckConstraint("ends_at IS NULL OR starts_at < ends_at", name="window_is_forward"),
        reference("campaign_id", "campaigns"),
        reference("product_id", "products"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    campaign_id: UUID
    version: int
    name_zh: str
    name_en: str
    event: str
    gate: str
    priority: int
    product_id: UUID | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    outcomes: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    caps: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    return_policies: dict[str, str] = Field(
        default_factory=dict,
        sa_type=JsonColumn,
        sa_column_kwargs={"server_default": text("'{}'")},
    )
    condition: str | None = None
    draw: dict[str, Any] | None = Field(default=None, sa_type=NullableJsonColumn)
    event_type: dict[str, Any] | None = Field(default=None, sa_type=NullableJsonColumn)
    bonus: dict[str, Any] | None = Field(default=None, sa_type=NullableJsonColumn)
    regions: list[str] = Field(
        default_factory=list, sa_type=JsonColumn, sa_column_kwargs={"server_default": text("'[]'")}
    )
    published_by: UUID
    published_at: datetime


class CampaignBudget(SQLModel, table=True):
    """What a campaign may give of one asset; no row is no limit. A locked reward is reserved."""

    __tablename__ = "campaign_budgets"
    __table_args__ = (
        CheckConstraint("spent >= 0 AND reserved >= 0", name="not_negative"),
        CheckConstraint("spent + reserved <= allowed", name="within_allowed"),
        reference("campaign_id", "campaigns"),
    )

    brand_id: UUID = tenant()
    campaign_id: UUID = Field(primary_key=True)
    asset: str = Field(primary_key=True)
    allowed: int = Field(sa_type=BigInteger)
    spent: int = Field(default=0, sa_type=BigInteger)
    reserved: int = Field(default=0, sa_type=BigInteger)


class CapCounter(SQLModel, table=True):
    """Paid events of one subject in one window: ``ALL`` or a local day. ``times_max`` is the cap
    that the last count obeyed."""

    __tablename__ = "cap_counters"
    __table_args__ = (
        CheckConstraint("used > 0", name="used_positive"),
        CheckConstraint("used <= times_max", name="within_times_max"),
    )

    brand_id: UUID = tenant()
    campaign_id: UUID = Field(primary_key=True)
    subject_kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    window_key: str = Field(primary_key=True)
    used: int = Field(sa_type=BigInteger)
    times_max: int = Field(sa_type=BigInteger)
