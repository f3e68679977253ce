"""By which one-way tokens a host's members are found for its partners."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from loyalty.tables import reference, tenant


class MatchToken(SQLModel, table=True):
    """Who of a host's people has a token of one agreement (``rules.token_of``): one for the phone,
    one for each unionid. No foreign key to the identity: workers write these by the million, and
    the audit follows it."""

    __tablename__ = "match_tokens"
    __table_args__ = (reference("agreement_id", "agreements"),)

    brand_id: UUID = tenant()
    agreement_id: UUID = Field(primary_key=True)
    token: str = Field(primary_key=True)
    identity_id: UUID


class MatchPass(SQLModel, table=True):
    """How far a host's identities have tokens of an agreement. ``tail_id``: the last one that was
    looked at, in the order of their ids; new ones come behind it. ``sweep_id``: likewise of a pass
    over all of them, for what came to older ones later; None while there is none, ``swept_at`` is
    when the last one ended."""

    __tablename__ = "match_passes"
    __table_args__ = (reference("agreement_id", "agreements"),)

    brand_id: UUID = tenant()
    agreement_id: UUID = Field(primary_key=True)
    tail_id: UUID
    sweep_id: UUID | None = None
    swept_at: datetime
