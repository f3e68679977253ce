"""What scans and purchases came to for who stands behind them, for operators."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.enums import ChannelUnpaidReason, MemberRole
from graphql_schema.loaders import member_loader, rows_loader
from loyalty.members.models import Member as MemberRow
from rewards.purchases.models import PurchaseShare
from rewards.scans import queries
from rewards.scans.models import Claim, ClaimOutcome
from rewards.scans.models import ScanEvent as ScanRow

claims_loader = rows_loader(queries.list_channel_claims, parent=lambda claim: claim.scan_id)


@dataclass(frozen=True, slots=True)
class Share:
    """What one role came to."""

    role: MemberRole
    unpaid_reason: ChannelUnpaidReason | None
    member_id: UUID | None


def of_claim(claim: Claim) -> Share:
    """What a scan came to."""
    paid = claim.outcome == ClaimOutcome.PAID
    reason = None if paid else ChannelUnpaidReason(claim.outcome)
    return Share(MemberRole(claim.beneficiary_role), reason, claim.member_id)


def of_purchase(row: PurchaseShare) -> Share:
    """What a purchase came to."""
    reason = None if row.unpaid_reason is None else ChannelUnpaidReason(row.unpaid_reason)
    return Share(MemberRole(row.role), reason, row.member_id)


@strawberry.type(
    description="What a scan or a purchase came to for the store, dealer or salesperson behind it;"
    " who it was then, also where it was paid nothing."
)
class ChannelShare:
    role: MemberRole
    unpaid_reason: ChannelUnpaidReason | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, Share | cls)

    # Members have purchases, and purchases these: found once both are there.
    @strawberry.field(
        graphql_type=Annotated["Member", strawberry.lazy("graphql_schema.members")] | None  # noqa: F821
    )
    async def member(self, row: strawberry.Parent[Share], info: Info) -> MemberRow | None:
        if row.member_id is None:
            return None
        return await info.context.loader(member_loader).load(row.member_id)


@strawberry.type
class ScanShares:
    @strawberry.field(
        graphql_type=list[ChannelShare],
        description="Of a scan that decided its item's rewards: one for each role behind the guide"
        " that its campaign pays.",
    )
    async def channel(self, row: strawberry.Parent[ScanRow], info: Info) -> list[Share]:
        claims = await info.context.loader(claims_loader).load(row.id)
        return [of_claim(claim) for claim in claims]
