"""What operators see of clearing: each side its own copy. Amounts are in fen and signed: above zero
the brand owes the partner."""

from datetime import datetime

import strawberry

from graphql_schema.context import Info
from graphql_schema.enums import ClearingAdjustmentStatus, ClearingEntryKind
from graphql_schema.loaders import brand_loader
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import encode_id
from graphql_schema.scalars import BigInt
from rewards.clearing.models import (
    ClearingAdjustment as AdjustmentRow,
)
from rewards.clearing.models import (
    ClearingEntry as EntryRow,
)
from rewards.clearing.models import (
    ClearingPosition as PositionRow,
)
from rewards.clearing.models import (
    ClearingStatement as StatementRow,
)
from rewards.netting.models import NettingLeg as LegRow

Paired = AdjustmentRow | EntryRow | LegRow | PositionRow | StatementRow


@strawberry.type
class WithPartner:
    """Whom it is with: a brand that there is an agreement with, or that a netting run has pay."""

    @strawberry.field
    async def partner_slug(self, row: strawberry.Parent[Paired], info: Info) -> str:
        return (await info.context.loader(brand_loader).load(row.partner_id)).slug

    @strawberry.field
    async def partner_name(self, row: strawberry.Parent[Paired], info: Info) -> str:
        return (await info.context.loader(brand_loader).load(row.partner_id)).name


@strawberry.type(description="How the brand stands with a partner now.")
class ClearingPosition(WithPartner):
    owed_fen: BigInt = strawberry.field(description="What the brand owes; below zero: it is owed.")
    reserved_fen: BigInt = strawberry.field(
        description="What it may come to owe for coupons that it has issued."
    )
    statement_due_at: datetime | None = strawberry.field(description="When the period ends.")
    opened_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PositionRow | cls)


@strawberry.type(
    description="What a period with a partner came to (对账单): closing = opening + its entries."
    " Frozen once both have confirmed it."
)
class ClearingStatement(WithPartner, Node):
    id: strawberry.ID = id_field("ClearingStatement")
    number: int
    starts_at: datetime
    ends_at: datetime
    opening_fen: BigInt
    closing_fen: BigInt
    entry_count: BigInt
    drawn_at: datetime
    confirmed_at: datetime | None = strawberry.field(description="By the brand itself.")
    partner_confirmed_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, StatementRow | cls)


@strawberry.type(description="What came to be owed, and for what (清算明细).")
class ClearingEntry(WithPartner, Node):
    id: strawberry.ID = id_field("ClearingEntry")
    kind: ClearingEntryKind
    owed_fen: BigInt
    place_name: str | None = strawberry.field(description="Where the coupon was taken.")
    till_name: str | None
    note: str | None = strawberry.field(description="Of a payment or an adjustment.")
    occurred_at: datetime
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EntryRow | cls)

    @strawberry.field
    def agreement_id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID | None:
        return None if row.agreement_id is None else encode_id("Agreement", row.agreement_id)

    @strawberry.field(description="The same on both sides; the Coupon of whose coupon it is.")
    def coupon_id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID | None:
        return None if row.coupon_id is None else encode_id("Coupon", row.coupon_id)

    @strawberry.field(description="The same on both sides; the Redemption of whose till it was.")
    def redemption_id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID | None:
        return None if row.redemption_id is None else encode_id("Redemption", row.redemption_id)

    @strawberry.field(description="Of NETTING: what has replaced what was owed.")
    def netting_run_id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID | None:
        return None if row.netting_run_id is None else encode_id("NettingRun", row.netting_run_id)

    @strawberry.field(description="Null in the open period.")
    def statement_id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID | None:
        return (
            None if row.statement_id is None else encode_id("ClearingStatement", row.statement_id)
        )


@strawberry.type(description="A correction that one side wants and the other decides on.")
class ClearingAdjustment(WithPartner, Node):
    id: strawberry.ID = id_field("ClearingAdjustment")
    owed_fen: BigInt = strawberry.field(description="What the brand would owe more.")
    reason: str
    status: ClearingAdjustmentStatus
    is_ours: bool = strawberry.field(description="The brand itself proposed it.")
    proposed_at: datetime
    decided_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AdjustmentRow | cls)

    @strawberry.field(description="Of what was accepted.")
    def entry_id(self, row: strawberry.Parent[AdjustmentRow]) -> strawberry.ID | None:
        return None if row.entry_id is None else encode_id("ClearingEntry", row.entry_id)
