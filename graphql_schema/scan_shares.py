"""What a scan came to for who stands behind its guide, for operators."""

import strawberry

from graphql_schema.context import Info
from graphql_schema.enums import ChannelUnpaidReason, MemberRole
from graphql_schema.loaders import member_loader, rows_loader
from graphql_schema.members import Member
from loyalty.members.models import Member as MemberRow
from rewards.scans import queries
from rewards.scans.models import Claim, ClaimOutcome
from rewards.scans.models import ScanEvent as ScanRow

claims_loader = rows_loader(queries.list_channel_claims, parent=lambda claim: claim.scan_id)


@strawberry.type(
    description="What a scan came to for the store, dealer or salesperson behind its guide; who it"
    " was then, also where it was paid nothing."
)
class ChannelShare:
    @strawberry.field
    def role(self, row: strawberry.Parent[Claim]) -> MemberRole:
        return MemberRole(row.beneficiary_role)

    @strawberry.field
    def unpaid_reason(self, row: strawberry.Parent[Claim]) -> ChannelUnpaidReason | None:
        paid = row.outcome == ClaimOutcome.PAID
        return None if paid else ChannelUnpaidReason(row.outcome)

    @strawberry.field(graphql_type=Member | None)
    async def member(self, row: strawberry.Parent[Claim], info: Info) -> MemberRow | None:
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
    async def channel(self, row: strawberry.Parent[ScanRow], info: Info) -> list[Claim]:
        return await info.context.loader(claims_loader).load(row.id)
