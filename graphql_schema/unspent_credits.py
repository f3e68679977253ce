"""Where a balance came from (来源追溯): credits that are still unspent, with the scan, purchase and
campaign behind each."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.loaders import product_loader, row_loader
from graphql_schema.pagination import encode_id
from graphql_schema.products import Product
from graphql_schema.scalars import BigInt
from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.db import Snapshot
from loyalty.keyed import list_rows_by_ids
from loyalty.ledger.history import LotMovement, UnspentCredit
from loyalty.products.models import Product as ProductRow
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.purchases.models import PurchaseEvent
from rewards.scans.models import ScanEvent


async def _scans(snapshot: Snapshot, brand_id: UUID, ids: Any) -> list[ScanEvent]:
    return await list_rows_by_ids(snapshot, ScanEvent, brand_id, ids)


async def _purchases(snapshot: Snapshot, brand_id: UUID, ids: Any) -> list[PurchaseEvent]:
    return await list_rows_by_ids(snapshot, PurchaseEvent, brand_id, ids)


async def _campaigns(snapshot: Snapshot, brand_id: UUID, ids: Any) -> list[Campaign]:
    return await list_rows_by_ids(snapshot, Campaign, brand_id, ids)


async def _versions(snapshot: Snapshot, brand_id: UUID, ids: Any) -> list[CampaignVersion]:
    return await list_rows_by_ids(snapshot, CampaignVersion, brand_id, ids)


scan_loader = row_loader(_scans)
purchase_loader = row_loader(_purchases)
campaign_loader = row_loader(_campaigns)
version_loader = row_loader(_versions)


@dataclass(frozen=True, slots=True)
class CreditView:
    """An unspent credit as its caller sees it. Of what came from another member the member sees
    the move alone: the other's scans and purchases are not its own."""

    part: UnspentCredit
    owner_id: UUID | None
    made_on_own: bool
    is_operator: bool

    @property
    def shown(self) -> LotMovement:
        if self.made_on_own or self.is_operator or self.part.moved is None:
            return self.part.cause
        return self.part.moved

    @property
    def amount(self) -> int:
        return self.part.amount

    @property
    def locked(self) -> bool:
        return self.part.locked

    @property
    def granted(self) -> int:
        return self.shown.amount

    @property
    def kind(self) -> str:
        return self.shown.kind

    @property
    def cause_kind(self) -> str:
        return self.shown.cause_kind

    @property
    def reason(self) -> str:
        return self.shown.reason

    @property
    def occurred_at(self) -> datetime:
        return self.shown.occurred_at

    @property
    def booked_at(self) -> datetime:
        return self.shown.booked_at


@dataclass(frozen=True, slots=True)
class CampaignOrigin:
    """A campaign, and which version of it paid, where its cause tells."""

    campaign: Campaign
    version_row: CampaignVersion | None

    @property
    def code(self) -> str:
        return self.campaign.code

    @property
    def version(self) -> int | None:
        return self.version_row.version if self.version_row else None

    @property
    def name_zh(self) -> str | None:
        return self.version_row.name_zh if self.version_row else None

    @property
    def name_en(self) -> str | None:
        return self.version_row.name_en if self.version_row else None


@strawberry.type(description="The scan that made a credit.")
class CreditScan:
    occurred_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ScanEvent | cls)

    @strawberry.field(graphql_type=Product | None)
    async def product(self, row: strawberry.Parent[ScanEvent], info: Info) -> ProductRow | None:
        return await info.context.loader(product_loader).load(row.product_id)


@strawberry.type(description="The purchase that made a credit; amountFen in 1/100 of a unit.")
class CreditPurchase:
    purchase_ref: str
    purchased_on: date
    amount_fen: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PurchaseEvent | cls)


@strawberry.type(description="The campaign whose rules made a credit, and the version that paid.")
class CreditCampaign:
    code: str
    version: int | None
    name_zh: str | None
    name_en: str | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CampaignOrigin | cls)


@strawberry.type(
    description="What is left of one credit in one lot (来源追溯). Within a lot the oldest credit"
    " is spent first. Of what was locked at first the cause is what granted it. Of what another"
    " member earned, operators see the cause; its owner sees the move that brought it."
)
class UnspentPart:
    amount: BigInt = strawberry.field(description="What is left of it in this lot.")
    locked: bool
    granted: BigInt = strawberry.field(description="What it was in all.")
    kind: str
    cause_kind: str
    reason: str
    occurred_at: datetime
    booked_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CreditView | cls)

    @strawberry.field(description="The lot's last good day; null for one that never expires.")
    def expires_on(self, row: strawberry.Parent[CreditView]) -> date | None:
        return None if row.part.expires_on == NEVER_EXPIRES else row.part.expires_on

    @strawberry.field(description="The credit among the entries.")
    def entry_id(self, row: strawberry.Parent[CreditView]) -> strawberry.ID:
        return encode_id("Entry", row.shown.id)

    @strawberry.field(description="The member who earned it, where that is another.")
    def earned_by_id(self, row: strawberry.Parent[CreditView]) -> strawberry.ID | None:
        if row.made_on_own or not row.is_operator or row.owner_id is None:
            return None
        return encode_id("Member", row.owner_id)

    @strawberry.field(graphql_type=CreditScan | None)
    async def scan(self, row: strawberry.Parent[CreditView], info: Info) -> ScanEvent | None:
        return await _scan_of(info, row.shown)

    @strawberry.field(graphql_type=CreditPurchase | None)
    async def purchase(
        self, row: strawberry.Parent[CreditView], info: Info
    ) -> PurchaseEvent | None:
        return await _purchase_of(info, row.shown)

    @strawberry.field(graphql_type=CreditCampaign | None)
    async def campaign(
        self, row: strawberry.Parent[CreditView], info: Info
    ) -> CampaignOrigin | None:
        if row.shown.campaign_id is None:
            return None
        campaign = await info.context.loader(campaign_loader).load(row.shown.campaign_id)
        event = await _scan_of(info, row.shown) or await _purchase_of(info, row.shown)
        if campaign is None or event is None or event.campaign_version_id is None:
            return None if campaign is None else CampaignOrigin(campaign, None)
        version = await info.context.loader(version_loader).load(event.campaign_version_id)
        is_its = version is not None and version.campaign_id == campaign.id
        return CampaignOrigin(campaign, version if is_its else None)


async def _scan_of(info: Info, shown: LotMovement) -> ScanEvent | None:
    if shown.cause_kind != "SCAN":
        return None
    return await info.context.loader(scan_loader).load(shown.cause_id)


async def _purchase_of(info: Info, shown: LotMovement) -> PurchaseEvent | None:
    if shown.cause_kind != "PURCHASE":
        return None
    return await info.context.loader(purchase_loader).load(shown.cause_id)
