"""Where brands want to be told of what happens, and what was sent there."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant

_PENDING = text("status = 'PENDING'")
_DEAD = text("status = 'DEAD'")


class EndpointStatus(StrEnum):
    """ACTIVE; or DISABLED by an operator: nothing is noted for it, and nothing sent."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class DeliveryStatus(StrEnum):
    """PENDING with a next attempt; DELIVERED; or DEAD, until an operator sends it again."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


class WebhookEndpoint(SQLModel, table=True):
    """An address of a brand's, and its secrets under the master key; the one before signs as well
    until ``previous_until``. A worker leases the whole endpoint, which keeps its deliveries in
    order; ``due_at`` is when it has something to send next. ``failures`` in a row open the circuit:
    nobody asks it before ``blocked_until``. A replay goes through the facts after
    ``replay_after_id``, of those since ``replay_since``, up to ``replay_until_id``."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("status IN ('ACTIVE', 'DISABLED')", name="status_known"),
        CheckConstraint("(lease_token IS NULL) = (leased_until IS NULL)", name="leased_wholly"),
        Index(
            "ix_webhook_endpoints_due",
            "due_at",
            sqlite_where=text("status = 'ACTIVE' AND due_at IS NOT NULL"),
            postgresql_where=text("status = 'ACTIVE' AND due_at IS NOT NULL"),
        ),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    url: str
    description: str
    status: str = EndpointStatus.ACTIVE.value
    secret_cipher: str
    previous_cipher: str | None = None
    previous_until: datetime | None = None
    created_at: datetime
    due_at: datetime | None = None
    lease_token: UUID | None = None
    leased_until: datetime | None = None
    failures: int = 0
    blocked_until: datetime | None = None
    replay_after_id: UUID | None = None
    replay_until_id: UUID | None = None
    replay_since: datetime | None = None


class WebhookSubscription(SQLModel, table=True):
    """That an endpoint wants a type of events, of facts written since. Whoever leases one written
    after ``certain_at`` has seen this row; of those before some may have been leased too soon."""

    __tablename__ = "webhook_subscriptions"
    __table_args__ = (
        Index(None, "brand_id", "event_type"),
        reference("endpoint_id", "webhook_endpoints"),
    )

    brand_id: UUID = tenant()
    endpoint_id: UUID = Field(primary_key=True)
    event_type: str = Field(primary_key=True)
    since: datetime
    certain_at: datetime


class WebhookDelivery(SQLModel, table=True):
    """One event for one endpoint. ``event_id`` is the fact's and the ``webhook-id`` that the
    receiver sees; events of one ``subject_id`` arrive in its order. Sent again, it starts anew:
    ``attempts`` counts from nought, the log of them stays."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("brand_id", "endpoint_id", "event_id"),
        Index("ix_webhook_deliveries_newest", "brand_id", "endpoint_id", "id"),
        Index(
            "ix_webhook_deliveries_pending",
            *("brand_id", "endpoint_id", "event_id"),
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index(
            "ix_webhook_deliveries_subject",
            *("brand_id", "endpoint_id", "subject_id", "event_id"),
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index(
            "ix_webhook_deliveries_dead",
            *("brand_id", "endpoint_id", "id"),
            sqlite_where=_DEAD,
            postgresql_where=_DEAD,
        ),
        CheckConstraint("status IN ('PENDING', 'DELIVERED', 'DEAD')", name="status_known"),
        CheckConstraint("(status = 'DELIVERED') = (delivered_at IS NOT NULL)", name="delivered"),
        CheckConstraint(
            "(status = 'DEAD') = (dead_at IS NOT NULL) AND (dead_at IS NULL OR last_error IS NOT"
            " NULL)",
            name="dead_of_something",
        ),
        reference("endpoint_id", "webhook_endpoints"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    endpoint_id: UUID
    event_id: UUID
    event_type: str
    subject_id: UUID
    status: str = DeliveryStatus.PENDING.value
    attempts: int = 0
    next_at: datetime
    queued_at: datetime
    created_at: datetime
    delivered_at: datetime | None = None
    dead_at: datetime | None = None
    last_status_code: int | None = None
    last_error: str | None = None


class WebhookAttempt(SQLModel, table=True):
    """One request that was made, or could not be, and what came of it. Append-only."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index(None, "brand_id", "delivery_id", "id"),
        reference("delivery_id", "webhook_deliveries"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    delivery_id: UUID
    started_at: datetime
    duration_ms: int = Field(sa_type=BigInteger)
    status_code: int | None = None
    error: str | None = None
