"""That a member did something which a task or a referral of it may wait for."""

from uuid import UUID

from sqlalchemy import Index
from sqlmodel import SQLModel

from loyalty.tables import brand_reference, own_id, tenant


class Activity(SQLModel, table=True):
    """A note for the worker, gone when what came of it is settled. Each is a row of its own: one
    that is made while another of the member is being settled is not lost with it."""

    __tablename__ = "activities"
    __table_args__ = (Index(None, "id"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
