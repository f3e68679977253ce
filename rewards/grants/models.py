"""Rewards granted and not yet spendable, what members are reported to have done for them, and what
bonus campaigns gave."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import own_id, tenant


class LockStatus(StrEnum):
    """VOIDED: taken back. LAPSED: what it waited for did not come in time."""

    LOCKED = "LOCKED"
    UNLOCKED = "UNLOCKED"
    VOIDED = "VOIDED"
    LAPSED = "LAPSED"


_LOCKED = "status = 'LOCKED'"
_WAITS_FOR_ITEM = f"{_LOCKED} AND unlock_kind IN ('ITEM', 'TAKEN')"
_WAITS_FOR_BOX = f"{_LOCKED} AND box_item_no IS NOT NULL"
_UNLOCKS_BY_TIME = f"{_LOCKED} AND unlocks_at IS NOT NULL"
_LAPSES = f"{_LOCKED} AND lapses_at IS NOT NULL"


class LockedReward(SQLModel, table=True):
    """A pending credit that waits for a named thing (待解锁红包). Its id is its pending transfer's;
    ``cause_id`` the scan or purchase that granted it.

    ``unlock_kind`` is an ``UnlockKind``. ``unlock_key``: of ITEM, TAKEN and INNER_SCAN which item's
    scan, of ACTION the action, of BOX_BOTTLES how many bottles in all (of the box ``box_item_no``;
    None: of a box that nobody has told), of the others the kind once more. ``unlock_count``: how
    many such events are still to come, 0 where it waits for the time ``unlocks_at``. From
    ``lapses_at`` on it can no longer be unlocked. ``resolved_by_id`` is the transfer that posted or
    voided it at ``resolved_at``. With a ``coupon_template_id`` it is a coupon of that template and
    no transfer: its asset is COUPON, and ``resolved_by_id`` is what ended it: a scan, a report, its
    own time. ``draw_id``: the draw that won it, if one did.
    """

    __tablename__ = "locked_rewards"
    __table_args__ = (
        CheckConstraint(
            "status IN ('LOCKED', 'UNLOCKED', 'VOIDED', 'LAPSED')", name="status_known"
        ),
        CheckConstraint(
            "(status = 'LOCKED') = (resolved_by_id IS NULL)", name="resolved_when_not_locked"
        ),
        CheckConstraint(
            "(resolved_by_id IS NULL) = (resolved_at IS NULL)", name="resolved_at_a_time"
        ),
        CheckConstraint(
            "unlock_kind IN ('ITEM', 'NEXT_SCAN', 'ACTION', 'AFTER', 'ON', 'BOX_BOTTLES',"
            " 'INNER_SCAN', 'TAKEN')",
            name="kind_known",
        ),
        CheckConstraint(
            "box_item_no IS NULL OR unlock_kind = 'BOX_BOTTLES'", name="box_of_bottles"
        ),
        CheckConstraint(
            "(unlock_kind IN ('AFTER', 'ON')) = (unlocks_at IS NOT NULL)", name="unlocks_by_time"
        ),
        CheckConstraint("unlock_count >= 0", name="count_not_negative"),
        CheckConstraint(
            "(coupon_template_id IS NOT NULL) = (asset = 'COUPON')", name="coupon_or_amount"
        ),
        Index(
            "ix_locked_rewards_by_item",
            "brand_id",
            "unlock_key",
            sqlite_where=text(_WAITS_FOR_ITEM),
            postgresql_where=text(_WAITS_FOR_ITEM),
        ),
        Index(
            "ix_locked_rewards_by_box",
            "brand_id",
            "box_item_no",
            sqlite_where=text(_WAITS_FOR_BOX),
            postgresql_where=text(_WAITS_FOR_BOX),
        ),
        Index(None, "brand_id", "cause_id"),
        Index(None, "brand_id", "member_id", "id"),
        Index(
            "ix_locked_rewards_waiting",
            "brand_id",
            "member_id",
            "unlock_key",
            sqlite_where=text(_LOCKED),
            postgresql_where=text(_LOCKED),
        ),
        Index(
            "ix_locked_rewards_unlocking",
            "unlocks_at",
            sqlite_where=text(_UNLOCKS_BY_TIME),
            postgresql_where=text(_UNLOCKS_BY_TIME),
        ),
        Index(
            "ix_locked_rewards_lapsing",
            "lapses_at",
            sqlite_where=text(_LAPSES),
            postgresql_where=text(_LAPSES),
        ),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    campaign_id: UUID
    asset: str
    amount: int = Field(sa_type=BigInteger)
    cause_id: UUID
    unlock_kind: str
    unlock_key: str
    unlock_count: int = Field(sa_type=BigInteger)
    unlocks_at: datetime | None = None
    lapses_at: datetime | None = None
    box_item_no: int | None = Field(default=None, sa_type=BigInteger)
    status: str
    resolved_by_id: UUID | None = None
    resolved_at: datetime | None = None
    created_at: datetime
    coupon_template_id: UUID | None = None
    draw_id: UUID | None = None


class BoxCount(SQLModel, table=True):
    """How many bottles of a box have been scanned by a consumer, so that their claims are consumed:
    as of the last of them that was scanned while rewards waited for boxes."""

    __tablename__ = "box_counts"
    __table_args__ = (CheckConstraint("bottles > 0", name="bottles_positive"),)

    brand_id: UUID = tenant()
    box_item_no: int = Field(primary_key=True, sa_type=BigInteger)
    bottles: int = Field(sa_type=BigInteger)


class ActionReport(SQLModel, table=True):
    """That a member did something outside, such as following the brand's account, as an operator
    or a provider's callback told. Append-only."""

    __tablename__ = "action_reports"
    __table_args__ = (Index(None, "brand_id", "member_id", "id"),)

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    action: str
    reported_by: UUID
    created_at: datetime


class BonusUnpaidReason(StrEnum):
    """Why a bonus campaign gave nothing. NOTHING: it has nothing for this event."""

    NOTHING = "NOTHING"
    CAP = "CAP"
    BUDGET = "BUDGET"


class ChannelUnpaidReason(StrEnum):
    """Why a paid scan or purchase has no credit for a store, dealer or salesperson that its
    campaign pays. NO_PLACE: the guide belongs to none, the purchase names none, or it is closed.
    VACANT: the place names nobody for this role. SELF_DEALING: it is the consumer, or scanned with
    the consumer's device. NOTHING: what it would get of this purchase comes to none. BUDGET: the
    scan paid nobody; such a purchase has no shares."""

    NO_GUIDE = "NO_GUIDE"
    NO_PLACE = "NO_PLACE"
    VACANT = "VACANT"
    NOT_ENROLLED = "NOT_ENROLLED"
    FROZEN = "FROZEN"
    SELF_DEALING = "SELF_DEALING"
    CAP = "CAP"
    NOTHING = "NOTHING"
    BUDGET = "BUDGET"


class Bonus(SQLModel, table=True):
    """What became of the bonus campaign that was the choice of its group for a paid event: at most
    one of each group. Append-only.

    ``cause_id`` is the scan, purchase or event, which its transfers have too. ``rewards``: what it
    gave the event's member, a list of {asset, amount, locked}. ``guide_member_id``: the guide that
    it paid beside, or instead.
    """

    __tablename__ = "bonuses"
    __table_args__ = (
        CheckConstraint("cause_kind IN ('SCAN', 'PURCHASE', 'EVENT')", name="cause_kind_known"),
        CheckConstraint(
            "unpaid_reason IN ('NOTHING', 'CAP', 'BUDGET')", name="unpaid_reason_known"
        ),
    )

    brand_id: UUID = tenant()
    cause_id: UUID = Field(primary_key=True)
    bonus_group: str = Field(primary_key=True)
    cause_kind: str
    campaign_id: UUID
    campaign_version_id: UUID
    guide_member_id: UUID | None = None
    unpaid_reason: str | None = None
    rewards: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    created_at: datetime
