"""The tier a member holds, how it came to, and what it has qualified by."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class Basis(StrEnum):
    """Why a member holds its level: it has earned it, an operator granted it, or invited to it."""

    EARNED = "EARNED"
    GRANTED = "GRANTED"
    INVITED = "INVITED"


class ChangeReason(StrEnum):
    """Why a standing moved. LAPSED: its time was over; DROPPED: the amount fell; LADDER: another
    version of the ladder was published; MERGED: two members became one."""

    EARNED = "EARNED"
    LAPSED = "LAPSED"
    DROPPED = "DROPPED"
    GRANTED = "GRANTED"
    GRANT_ENDED = "GRANT_ENDED"
    INVITED = "INVITED"
    LADDER = "LADDER"
    MERGED = "MERGED"


class ReEvaluationKind(StrEnum):
    """DUE: standings of the brand whose day has come. RANKED: whoever stands above rank 0 on a
    ladder whose levels end when the balance drops. ALL: every member of a role, after its ladder
    was published."""

    DUE = "DUE"
    RANKED = "RANKED"
    ALL = "ALL"


class Standing(SQLModel, table=True):
    """The level a member holds now. A member without a row stands at rank 0.

    ``rank``, ``basis`` and ``held_until`` (the last good day, grace included; None without end) are
    the better of what was earned (``earned_*``) and what an operator gave (``grant_*``), which are
    kept apart: a grant's end uncovers what was earned meanwhile. ``pending_rank`` begins on
    ``pending_on``, the first day of the next period, put down to ``pending_transfer_id``. On
    ``due_on`` the standing has to be looked at though nothing happens. ``counting_id``: the
    ladder's, once the member's qualifying days are complete for it. ``revision`` counts the moves
    and guards each."""

    __tablename__ = "standings"
    __table_args__ = (
        CheckConstraint("basis IN ('EARNED', 'GRANTED', 'INVITED')", name="basis_known"),
        CheckConstraint(
            "(grant_rank IS NULL) = (grant_kind IS NULL)"
            " AND (grant_rank IS NULL) = (grant_reason IS NULL)"
            " AND (grant_rank IS NOT NULL OR grant_until IS NULL)",
            name="grant_whole",
        ),
        CheckConstraint("(pending_rank IS NULL) = (pending_on IS NULL)", name="pending_whole"),
        Index(
            "ix_standings_due",
            "brand_id",
            "due_on",
            "member_id",
            sqlite_where=text("due_on IS NOT NULL"),
            postgresql_where=text("due_on IS NOT NULL"),
        ),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    member_id: UUID = Field(primary_key=True)
    rank: int
    since: datetime
    basis: str = Basis.EARNED.value
    held_until: date | None = None
    earned_rank: int = 0
    earned_until: date | None = None
    grant_rank: int | None = None
    grant_kind: str | None = None
    grant_until: date | None = None
    grant_reason: str | None = None
    pending_rank: int | None = None
    pending_on: date | None = None
    due_on: date | None = None
    counting_id: UUID | None = None
    revision: int = Field(default=1, sa_type=BigInteger)
    pending_transfer_id: UUID | None = None


class StandingChange(SQLModel, table=True):
    """One move, the transfer that caused it if there was one, and what that was caused by (a scan,
    a purchase); of what counts spending, scans or visits a transfer of that scan or purchase, if it
    moved anything of the member. ``note`` is what an operator said. Append-only."""

    __tablename__ = "standing_changes"
    __table_args__ = (
        CheckConstraint(
            "reason IN ('EARNED', 'LAPSED', 'DROPPED', 'GRANTED', 'GRANT_ENDED', 'INVITED',"
            " 'LADDER', 'MERGED')",
            name="reason_known",
        ),
        Index(None, "brand_id", "member_id", "id"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    from_rank: int
    to_rank: int
    transfer_id: UUID | None
    ladder_id: UUID
    occurred_at: datetime
    created_at: datetime
    reason: str = ChangeReason.EARNED.value
    cause_kind: str | None = None
    cause_id: UUID | None = None
    note: str = ""


class QualifyingDay(SQLModel, table=True):
    """What a member did on one day of the brand, of one metric (``EARNED:POINTS``, ``SPEND``,
    ``SCANS``, ``VISITS``). Written only for what the ladder of its role counts in a period."""

    __tablename__ = "qualifying_days"

    brand_id: UUID = tenant()
    member_id: UUID = Field(primary_key=True)
    metric: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    amount: int = Field(sa_type=BigInteger)


class ReEvaluation(SQLModel, table=True):
    """One run over a brand's standings on one local day, in chunks: what was done so far, and the
    member after whom it goes on. ``name`` is its key: a run is begun once."""

    __tablename__ = "re_evaluations"
    __table_args__ = (
        UniqueConstraint("brand_id", "name"),
        CheckConstraint("kind IN ('DUE', 'RANKED', 'ALL')", name="kind_known"),
        CheckConstraint("(kind = 'DUE') = (ladder_id IS NULL)", name="ladder_of_its_members"),
        Index(
            "ix_re_evaluations_open",
            "brand_id",
            "id",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
        reference("ladder_id", "ladders"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    name: str
    kind: str
    ladder_id: UUID | None = None
    day: date
    after_member_id: UUID | None = None
    rows_total: int = Field(sa_type=BigInteger)
    rows_done: int = Field(default=0, sa_type=BigInteger)
    rows_moved: int = Field(default=0, sa_type=BigInteger)
    started_at: datetime
    finished_at: datetime | None = None
