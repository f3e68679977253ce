"""Node: what has a global id and can be fetched again by it."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context
from graphql_schema.pagination import find_id_of
from loyalty.errors import NotFound
from loyalty.ids import namer


@strawberry.interface(description="Something with a global id.")
class Node:
    id: strawberry.ID


_NOUNS = {
    "CampaignDraft": "draft",
    "ClearingAdjustment": "clearing adjustment",
    "ClearingStatement": "clearing statement",
    "NettingRun": "netting run",
    "PartnerIssue": "issued coupon",
    "AuditLogEntry": "audit log entry",
    "IssueList": "issue list",
    "CodeBatch": "batch",
    "CouponTemplate": "coupon template",
    "EarningEvent": "event",
    "Entry": "transfer",
    "LockedReward": "locked reward",
    "ScanEvent": "scan",
    "MallOffer": "offer",
    "OfferOrder": "order",
    "PartnerKey": "partner key",
    "WebhookEndpoint": "webhook endpoint",
    "WebhookDelivery": "webhook delivery",
}
"""What services call a type that is not there, where it is not the type's own name."""

FetchNode = Callable[[Context, UUID], Awaitable[Any | None]]
"""Fetches a row the caller may see, or None: foreign, forbidden and missing look the same."""


def id_field(type_name: str) -> Any:
    """The ``id`` field of a node type whose rows have a UUID ``id``."""
    name: Any = namer(type_name)

    def resolve(row: strawberry.Parent[Any]) -> strawberry.ID:
        return name(row.id)  # type: ignore[no-any-return]

    return strawberry.field(resolver=resolve)


def local_id(type_name: str, text: str) -> UUID:
    """The id in a global id that a mutation was given; NotFound for anything else."""
    found = find_id_of(type_name, text)
    if found is None:
        raise NotFound(noun=_NOUNS.get(type_name, type_name.lower()))
    return found
