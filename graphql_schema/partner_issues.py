"""Coupons that a partner issues to a host's members, whom it knows by tokens alone."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.clearing import fetch_own
from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import CouponStatus
from graphql_schema.loaders import brand_loader, row_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, encode_id
from graphql_schema.permissions import HasGrantOrScope, HasScope
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant, Scope
from loyalty.clock import local_date, utc_now
from loyalty.db import Tx
from rewards.alliances.service import get_agreement, require_active
from rewards.coupons.models import Coupon
from rewards.coupons.rules import shown_status
from rewards.issues import queries, service
from rewards.issues.models import PartnerIssue as IssueRow
from rewards.matching.service import match

_coupon = row_loader(queries.list_coupons)


@strawberry.type(
    description="A coupon of a partner's template that the brand has issued to a member of the"
    " partner's, whom it never sees."
)
class PartnerIssue(Node):
    id: strawberry.ID = id_field("PartnerIssue")
    reference: str | None = strawberry.field(description="The brand's own word for it.")
    campaign: str | None = strawberry.field(description="What of the brand's it is part of.")
    fee_fen: BigInt = strawberry.field(description="Owed for it since it was issued.")
    reserved_fen: BigInt = strawberry.field(
        description="What was reserved for it when it was issued."
    )
    issued_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, IssueRow | cls)

    @strawberry.field
    async def host_slug(self, row: strawberry.Parent[IssueRow], info: Info) -> str:
        return (await info.context.loader(brand_loader).load(row.host_id)).slug

    @strawberry.field
    def agreement_id(self, row: strawberry.Parent[IssueRow]) -> strawberry.ID:
        return encode_id("Agreement", row.agreement_id)

    @strawberry.field(description="As in the agreement's terms.")
    def template_id(self, row: strawberry.Parent[IssueRow]) -> strawberry.ID:
        return encode_id("CouponTemplate", row.template_id)

    @strawberry.field(description="As entries of clearing name it.")
    def coupon_id(self, row: strawberry.Parent[IssueRow]) -> strawberry.ID:
        return encode_id("Coupon", row.coupon_id)

    @strawberry.field(description="What has become of it.")
    async def status(self, row: strawberry.Parent[IssueRow], info: Info) -> CouponStatus:
        coupon = await _load(info, row)
        host = await info.context.loader(brand_loader).load(row.host_id)
        now = utc_now()
        return shown_status(coupon, now, local_date(now, host.timezone))

    @strawberry.field(description="The last day, where the host is.")
    async def usable_until(self, row: strawberry.Parent[IssueRow], info: Info) -> date:
        return (await _load(info, row)).usable_until


async def _load(info: Info, row: IssueRow) -> Coupon:
    coupon = await info.context.loader(_coupon).load(row.coupon_id)
    if coupon is None:
        raise LookupError("an issue without its coupon")
    return coupon


@strawberry.input
class IssuePartnersCouponInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    template_id: strawberry.ID
    member_token: str = strawberry.field(description="docs/partner-api.md says how it is made.")
    reference: str | None = strawberry.field(default=None, description="Up to 64 characters.")
    campaign: str | None = strawberry.field(
        default=None,
        description="What of the brand's it is part of, by a name of up to 40 characters; one that"
        " the agreement's quotas name, where these do.",
    )


@strawberry.type
class IssuePartnersCouponReceipt:
    replayed: bool
    issue: IssueRow = strawberry.field(graphql_type=PartnerIssue)


@strawberry.type
class MatchSecret:
    """``secret``: keep it as you keep your key."""

    secret: str


@strawberry.type
class MatchedMembers:
    """``matched``: of each token, whether somebody has it who may be given something."""

    matched: list[bool]


MatchSecretResult = Annotated[MatchSecret | Refused, strawberry.union("MatchSecretResult")]
MatchedMembersResult = Annotated[MatchedMembers | Refused, strawberry.union("MatchedMembersResult")]
IssuePartnersCouponResult = Annotated[
    IssuePartnersCouponReceipt | Refused, strawberry.union("IssuePartnersCouponResult")
]


async def fetch_issue(context: Context, id: UUID) -> IssueRow | None:
    """For ``node``: operators of the issuer."""
    return await fetch_own(context, IssueRow, id)


@strawberry.type
class PartnerIssueQuery:
    @strawberry.field(extensions=[HasGrantOrScope(Grant.PARTNER_KEYS, Scope.MATCH_MEMBERS)])
    async def match_secret(self, info: Info, agreement_id: strawberry.ID) -> MatchSecretResult:
        """What one-way tokens of members are made with under an agreement."""
        id = local_id("Agreement", agreement_id)
        async with info.context.database.snapshot() as snapshot:
            await get_agreement(snapshot, info.context.caller.brand_id, id)
        return MatchSecret(secret=info.context.keyring.match_secret(id))

    @strawberry.field(extensions=[HasScope(Scope.MATCH_MEMBERS)])
    async def matched_members(
        self, info: Info, agreement_id: strawberry.ID, tokens: list[str]
    ) -> MatchedMembersResult:
        """Which of up to 100 tokens are of members of the partner's who may be given something."""
        id = local_id("Agreement", agreement_id)
        async with info.context.database.snapshot() as snapshot:
            agreement = await get_agreement(snapshot, info.context.caller.brand_id, id)
            require_active(agreement)
            matched = await match(snapshot, agreement.partner_id, id, tokens)
        return MatchedMembers(matched=matched)

    @strawberry.field(
        graphql_type=Connection[PartnerIssue],
        extensions=[HasGrantOrScope(Grant.READ, Scope.READ_COUPONS)],
    )
    async def partner_issues(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[IssueRow]:
        """Coupons of partners' templates that the brand has issued, newest first."""
        return await page_of_brand(info.context, queries.list_issues, first, after)


@strawberry.type
class PartnerIssueMutation:
    @strawberry.mutation(extensions=[HasScope(Scope.ISSUE_COUPONS)])
    async def issue_partners_coupon(
        self, info: Info, input: IssuePartnersCouponInput
    ) -> IssuePartnersCouponResult:
        """Issue a coupon of a partner's template to the member of the partner's who has a
        token."""

        async def step(tx: Tx, actor: Actor) -> IssueRow:
            return await service.issue_coupon(
                tx,
                actor,
                local_id("Agreement", input.agreement_id),
                local_id("CouponTemplate", input.template_id),
                service.wanted(input.member_token, input.reference),
                service.checked_campaign(input.campaign),
            )

        operation = "issuePartnersCoupon"
        row, replayed = await row_once(info.context, operation, input, IssueRow, step)
        return IssuePartnersCouponReceipt(replayed=replayed, issue=row)
