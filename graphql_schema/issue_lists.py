"""Lists of members to whom the brand issues a partner's coupon each; their files go another way
(docs/partner-api.md)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.clearing import fetch_own
from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import IssueListStatus
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, encode_id
from graphql_schema.permissions import HasGrantOrScope
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant, Scope
from loyalty.db import Tx
from rewards.issues import lists, queries
from rewards.issues.models import IssueList as ListRow


@strawberry.type(description="A file of members to whom the brand issues a coupon each.")
class IssueList(Node):
    id: strawberry.ID = id_field("IssueList")
    name: str
    campaign: str | None = strawberry.field(description="What of the brand's it is part of.")
    status: IssueListStatus
    row_count: BigInt
    done_count: BigInt = strawberry.field(description="So many rows have a result.")
    issued_count: BigInt
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ListRow | cls)

    @strawberry.field
    def agreement_id(self, row: strawberry.Parent[ListRow]) -> strawberry.ID:
        return encode_id("Agreement", row.agreement_id)

    @strawberry.field(description="As in the agreement's terms.")
    def template_id(self, row: strawberry.Parent[ListRow]) -> strawberry.ID:
        return encode_id("CouponTemplate", row.template_id)


@strawberry.input
class CancelIssueListInput:
    idempotency_key: strawberry.ID
    issue_list_id: strawberry.ID


@strawberry.type
class CancelIssueListReceipt:
    replayed: bool
    issue_list: ListRow = strawberry.field(graphql_type=IssueList)


CancelIssueListResult = Annotated[
    CancelIssueListReceipt | Refused, strawberry.union("CancelIssueListResult")
]


async def fetch_list(context: Context, id: UUID) -> ListRow | None:
    """For ``node``: operators of the issuer."""
    return await fetch_own(context, ListRow, id)


@strawberry.type
class IssueListQuery:
    @strawberry.field(
        graphql_type=Connection[IssueList],
        extensions=[HasGrantOrScope(Grant.READ, Scope.READ_COUPONS)],
    )
    async def issue_lists(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[ListRow]:
        """Files of members to whom the brand issues a coupon each, newest first."""
        return await page_of_brand(info.context, queries.list_lists, first, after)


@strawberry.type
class IssueListMutation:
    @strawberry.mutation(extensions=[HasGrantOrScope(Grant.COUPONS, Scope.ISSUE_COUPONS)])
    async def cancel_issue_list(
        self, info: Info, input: CancelIssueListInput
    ) -> CancelIssueListResult:
        """Issue no more of a list; what was issued stays."""

        async def step(tx: Tx, actor: Actor) -> ListRow:
            return await lists.cancel_list(tx, actor, local_id("IssueList", input.issue_list_id))

        operation = "cancelIssueList"
        row, replayed = await row_once(info.context, operation, input, ListRow, step)
        return CancelIssueListReceipt(replayed=replayed, issue_list=row)
