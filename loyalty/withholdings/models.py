"""Tax that was withheld of prizes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class PrizeKind(StrEnum):
    """What was won: in a draw, or in a raffle."""

    DRAW = "DRAW"
    RAFFLE = "RAFFLE"


class Withholding(SQLModel, table=True):
    """So much tax was kept back of a cash prize (代扣个税). Its id is that of the transfer into the
    TAX book, ``credit_id`` the one that credited the prize, ``prize_id`` the draw or the raffle's
    winner. Append-only: what is taken back of it, its transfer's reversals say."""

    __tablename__ = "withholdings"
    __table_args__ = (
        UniqueConstraint("brand_id", "credit_id"),
        UniqueConstraint("brand_id", "prize_id"),
        CheckConstraint("tax_fen > 0 AND tax_fen < gross_fen", name="part_of_the_prize"),
        CheckConstraint("prize_kind IN ('DRAW', 'RAFFLE')", name="prize_kind_known"),
        Index(None, "brand_id", "withheld_at"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    prize_kind: str
    prize_id: UUID
    credit_id: UUID
    gross_fen: int = Field(sa_type=BigInteger)
    tax_fen: int = Field(sa_type=BigInteger)
    rate_percent: int
    threshold_fen: int = Field(sa_type=BigInteger)
    withheld_at: datetime
