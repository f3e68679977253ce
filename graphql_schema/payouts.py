"""Payouts: what a store was paid, and what the provider said of it."""

from datetime import datetime
from operator import attrgetter
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.enums import PayoutReportSource, PayoutReportState, PayoutStatus
from graphql_schema.loaders import identity_loader, rows_loader
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import Connection, Cursor, Page, connection_of, page_of
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.places import Place, may_look_inside, place_loader
from graphql_schema.scalars import BigInt
from loyalty.actor import ActorKind, Grant, MemberRole
from loyalty.places.models import Place as PlaceRow
from loyalty.places.service import places_of_store_phone
from rewards.payouts import queries
from rewards.payouts.models import Payout as PayoutRow
from rewards.payouts.models import PayoutReport as ReportRow
from rewards.payouts.rules import masked_payee

CURSOR = Cursor(UUID)


report_loader = rows_loader(queries.list_reports, parent=attrgetter("payout_id"))


@strawberry.type(description="What the provider said of a payout, and how we came to hear it.")
class PayoutReport:
    source: PayoutReportSource
    state: PayoutReportState
    detail: str | None
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ReportRow | cls)


@strawberry.type(
    description="One payment to one place (付款单), under one number for good. A payout that is not"
    " PAID or FAILED yet is under way, and what came of it may be unknown: it is asked about."
)
class Payout(Node):
    id: strawberry.ID = id_field("Payout")
    number: str
    amount_fen: BigInt
    status: PayoutStatus
    provider: str
    provider_reference: str | None
    failure: str | None
    created_at: datetime
    sent_at: datetime | None
    resolved_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PayoutRow | cls)

    @strawberry.field(description="Masked: ****0001. Who was to be paid, as it was then.")
    def payee(self, row: strawberry.Parent[PayoutRow]) -> str:
        return masked_payee(row.request)

    @strawberry.field(graphql_type=Place)
    async def place(self, row: strawberry.Parent[PayoutRow], info: Info) -> PlaceRow:
        return await info.context.loader(place_loader).load(row.place_id)

    @strawberry.field(graphql_type=list[PayoutReport], description="First to last, up to 100.")
    async def reports(self, row: strawberry.Parent[PayoutRow], info: Info) -> list[ReportRow]:
        return (await info.context.loader(report_loader).load(row.id))[:REPORTS_MAX]


REPORTS_MAX = 100


async def fetch_payout(context: Context, id: UUID) -> PayoutRow | None:
    """For ``node``: operators with the ledger's grant, and the STORE member of the place."""
    async with context.database.snapshot() as snapshot:
        payout = await queries.find_payout(snapshot, context.caller.brand_id, id)
    if payout is None or Grant.LEDGER in context.caller.grants:
        return payout
    if context.caller.kind is not ActorKind.MEMBER:
        return None
    place = await context.loader(place_loader).load(payout.place_id)
    return payout if await may_look_inside(context, place) else None


async def _list(
    context: Context, page: Page, status: PayoutStatus | None, places: list[UUID] | None
) -> Connection[PayoutRow]:
    async with context.database.snapshot() as snapshot:
        rows = await queries.list_payouts(
            snapshot,
            context.caller.brand_id,
            before=page.start[0] if page.start else None,
            limit=page.limit,
            status=status,
            place_ids=places,
        )
    return connection_of(rows, page, CURSOR, key=lambda row: (row.id,))


@strawberry.type
class PayoutQuery:
    @strawberry.field(graphql_type=Connection[Payout], extensions=[HasGrant(Grant.LEDGER)])
    async def payouts(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        status: PayoutStatus | None = None,
    ) -> Connection[PayoutRow]:
        """The brand's payouts, newest first."""
        return await _list(info.context, page_of(CURSOR, first, after), status, None)

    @strawberry.field(graphql_type=Connection[Payout], extensions=[IsMember(MemberRole.STORE)])
    async def my_payouts(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[PayoutRow]:
        """What the places were paid that the caller acts for by its phone, newest first."""
        context = info.context
        page = page_of(CURSOR, first, after)
        identity = await context.loader(identity_loader).load(context.caller.id)
        places: list[UUID] = []
        if identity is not None and identity.phone_hash is not None:
            async with context.database.snapshot() as snapshot:
                found = await places_of_store_phone(
                    snapshot, context.caller.brand_id, identity.phone_hash
                )
            places = [place.id for place in found]
        return await _list(context, page, None, places)
