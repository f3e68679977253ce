"""Tax that is withheld of cash prizes (代扣个税): of what, and what was."""

from datetime import date, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import id_field
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from graphql_schema.statements import brand_days
from loyalty.actor import Actor, Grant
from loyalty.brands.service import get_brand
from loyalty.db import Tx
from loyalty.withholdings import queries, service
from loyalty.withholdings.models import PrizeKind as WithheldPrizeKind
from loyalty.withholdings.queries import WithheldRow
from loyalty.withholdings.rules import RATE_PERCENT_MAX

CURSOR = Cursor(UUID)
strawberry.enum(WithheldPrizeKind, name="WithheldPrizeKind")


@strawberry.type(description="Tax that was withheld of a cash prize: kept for ever.")
class Withholding:
    id: strawberry.ID = id_field("Entry")
    prize_kind: WithheldPrizeKind
    gross_fen: BigInt
    tax_fen: BigInt
    net_fen: BigInt
    returned_fen: BigInt = strawberry.field(
        description="What of the tax went back when the prize was taken back."
    )
    rate_percent: int
    threshold_fen: BigInt
    withheld_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, WithheldRow | cls)

    @strawberry.field
    def member_id(self, row: strawberry.Parent[WithheldRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)


@strawberry.type(
    description="Of a cash prize of a draw or a raffle that is over the threshold, the rate of all"
    " of it is withheld, half a fen up. Both are null where nothing is."
)
class WithholdingTerms:
    threshold_fen: BigInt | None
    rate_percent: int | None


@strawberry.type
class SetWithholdingReceipt:
    replayed: bool
    terms: WithholdingTerms


@strawberry.input
class SetWithholdingInput:
    idempotency_key: strawberry.ID
    threshold_fen: BigInt | None = strawberry.field(description="Null: nothing is withheld.")
    rate_percent: int | None = strawberry.field(
        description=f"1 to {RATE_PERCENT_MAX}; 20 is that of occasional income (偶然所得)."
    )


SetWithholdingResult = Annotated[
    SetWithholdingReceipt | Refused, strawberry.union("SetWithholdingResult")
]


async def _terms(context: Context) -> WithholdingTerms:
    async with context.database.snapshot() as snapshot:
        brand = await get_brand(snapshot, context.caller.brand_id)
    threshold = brand.withholding_threshold_fen
    return WithholdingTerms(
        threshold_fen=None if threshold is None else BigInt(threshold),
        rate_percent=brand.withholding_rate_percent,
    )


@strawberry.type
class WithholdingQuery:
    @strawberry.field(extensions=[HasGrant(Grant.READ)])
    async def withholding_terms(self, info: Info) -> WithholdingTerms:
        """Of what cash prizes tax is withheld."""
        return await _terms(info.context)

    @strawberry.field(graphql_type=Connection[Withholding], extensions=[HasGrant(Grant.LEDGER)])
    async def withholdings(
        self,
        info: Info,
        first_day: Annotated[date | None, strawberry.argument(name="from")] = None,
        last_day: Annotated[date | None, strawberry.argument(name="until")] = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[WithheldRow]:
        """What was withheld (代扣记录) on the brand's local days, both included; newest first."""
        since, until = await brand_days(info.context, first_day, last_day)
        return await page_of_brand(
            info.context, partial(queries.list_withheld, since=since, until=until), first, after
        )


@strawberry.type
class WithholdingMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def set_withholding(self, info: Info, input: SetWithholdingInput) -> SetWithholdingResult:
        """Set of what cash prizes tax is withheld from now on."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            await service.set_terms(tx, actor, input.threshold_fen, input.rate_percent)
            return {}

        _, replayed = await effect_once(info.context, "setWithholding", input, verb)
        return SetWithholdingReceipt(replayed=replayed, terms=await _terms(info.context))
