"""What tax was withheld of one prize."""

from collections.abc import Sequence
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from graphql_schema.context import Context
from graphql_schema.scalars import BigInt
from loyalty.withholdings import queries
from loyalty.withholdings.models import Withholding as WithholdingRow


@strawberry.type(description="Of a cash prize: what was won, the tax withheld, what was credited.")
class WithheldTax:
    gross_fen: BigInt
    tax_fen: BigInt
    net_fen: BigInt


def withheld_tax(gross: int, tax: int) -> WithheldTax | None:
    """None where nothing was withheld."""
    if not tax:
        return None
    return WithheldTax(gross_fen=BigInt(gross), tax_fen=BigInt(tax), net_fen=BigInt(gross - tax))


def prize_loader(context: Context) -> DataLoader[UUID, WithholdingRow | None]:
    """What was withheld of a draw's or a raffle winner's prize, by the id of that."""

    async def load(prize_ids: list[UUID]) -> Sequence[WithholdingRow | None]:
        async with context.database.snapshot() as snapshot:
            rows = await queries.list_of_prizes(snapshot, context.caller.brand_id, prize_ids)
        found = {row.prize_id: row for row in rows}
        return [found.get(id) for id in prize_ids]

    return DataLoader(load_fn=load)


async def withheld_of(context: Context, prize_id: UUID) -> WithheldTax | None:
    """Of the prize of a draw or of a raffle's winner."""
    row = await context.loader(prize_loader).load(prize_id)
    return None if row is None else withheld_tax(row.gross_fen, row.tax_fen)
