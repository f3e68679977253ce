"""Assets: the four of every brand and its own, and how long what is earned of them is good."""

from datetime import date
from typing import Annotated, Any

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import AssetStatus, ExpiryKind, PeriodUnit
from graphql_schema.permissions import HasGrant, IsSignedIn
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.assets import service
from loyalty.assets.models import AssetDefinition
from loyalty.assets.rules import Expiry, expiry_from_json, expiry_said
from loyalty.db import Tx
from loyalty.ledger.service import open_books


@strawberry.type(
    description="How long a credit is good. AFTER: count unit from the day of earning. PERIOD_END:"
    " the end of that unit, and count plusUnit more. FIXED: until a day. ACTIVITY: count days"
    " after the last earning or spending. Days are the brand's."
)
class ExpiryPolicy:
    kind: ExpiryKind
    unit: PeriodUnit | None
    count: int
    plus_unit: PeriodUnit | None
    on: date | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, Expiry | cls)

    @strawberry.field(description="In words, in the caller's language.")
    def text(self, row: strawberry.Parent[Expiry], info: Info) -> str:
        return expiry_said(row, info.context.language)


@strawberry.type(description="What members can have (资产): points, growth, cash, chances, ...")
class Asset:
    code: AssetCode
    name_zh: str
    name_en: str
    status: AssetStatus

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AssetDefinition | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[AssetDefinition], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field(graphql_type=ExpiryPolicy, description="Of what is earned from now on.")
    def expiry(self, row: strawberry.Parent[AssetDefinition]) -> Expiry:
        return expiry_from_json(row.expiry)

    @strawberry.field(
        description="Adjustments above it need a second operator; null without limit. Operators"
        " alone see it."
    )
    def adjustment_limit(
        self, row: strawberry.Parent[AssetDefinition], info: Info
    ) -> BigInt | None:
        if Grant.READ not in info.context.caller.grants or row.adjustment_limit is None:
            return None
        return BigInt(row.adjustment_limit)


@strawberry.input(description="As ExpiryPolicy: what the kind does not use is left out.")
class ExpiryPolicyInput:
    kind: ExpiryKind
    unit: PeriodUnit | None = None
    count: int | None = None
    plus_unit: PeriodUnit | None = None
    on: date | None = None


@strawberry.type
class CreateAssetReceipt:
    replayed: bool
    asset: AssetDefinition = strawberry.field(graphql_type=Asset)


@strawberry.type
class ConfigureAssetReceipt:
    replayed: bool
    asset: AssetDefinition = strawberry.field(graphql_type=Asset)


@strawberry.input
class CreateAssetInput:
    idempotency_key: strawberry.ID
    code: str = strawberry.field(description="1 to 32 of A-Z, 0-9 and _, a letter first; for good.")
    name_zh: str
    name_en: str
    expiry: ExpiryPolicyInput | None = strawberry.field(
        default=None, description="NEVER unless given."
    )
    adjustment_limit: BigInt | None = strawberry.field(
        default=None, description="Without limit unless given."
    )


@strawberry.input(description="All of an asset's policies, as they are to be.")
class ConfigureAssetInput:
    idempotency_key: strawberry.ID
    code: AssetCode
    expiry: ExpiryPolicyInput
    adjustment_limit: BigInt | None = strawberry.field(description="Null: without limit.")
    status: AssetStatus


CreateAssetResult = Annotated[CreateAssetReceipt | Refused, strawberry.union("CreateAssetResult")]
ConfigureAssetResult = Annotated[
    ConfigureAssetReceipt | Refused, strawberry.union("ConfigureAssetResult")
]


def _expiry_of(input: ExpiryPolicyInput) -> Expiry:
    return Expiry(input.kind, input.unit, input.count or 0, input.plus_unit, input.on)


async def _asset(context: Context, code: str) -> AssetDefinition:
    async with context.database.snapshot() as snapshot:
        return await service.require_asset(snapshot, context.caller.brand_id, code)


@strawberry.type
class AssetQuery:
    @strawberry.field(graphql_type=list[Asset], extensions=[IsSignedIn()])
    async def assets(self, info: Info) -> list[AssetDefinition]:
        """The brand's assets, by code."""
        async with info.context.database.snapshot() as snapshot:
            return await service.list_assets(snapshot, info.context.caller.brand_id)


@strawberry.type
class AssetMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def create_asset(self, info: Info, input: CreateAssetInput) -> CreateAssetResult:
        """Add an asset of the brand's own, such as STARS, with its books."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            asset = await service.create_asset(
                tx,
                actor,
                code=input.code,
                name_zh=input.name_zh,
                name_en=input.name_en,
                expiry=_expiry_of(input.expiry) if input.expiry else Expiry(),
                adjustment_limit=input.adjustment_limit,
            )
            await open_books(tx, actor.brand_id, asset.code)
            return {"code": asset.code}

        reply, replayed = await effect_once(info.context, "createAsset", input, verb)
        asset = await _asset(info.context, reply["code"])
        return CreateAssetReceipt(replayed=replayed, asset=asset)

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def configure_asset(self, info: Info, input: ConfigureAssetInput) -> ConfigureAssetResult:
        """Set how long what is earned from now on is good, which adjustments need a second
        operator, and whether the asset is still given out. What members have keeps its dates."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            asset = await service.configure_asset(
                tx,
                actor,
                input.code,
                expiry=_expiry_of(input.expiry),
                adjustment_limit=input.adjustment_limit,
                status=input.status,
            )
            return {"code": asset.code}

        reply, replayed = await effect_once(info.context, "configureAsset", input, verb)
        asset = await _asset(info.context, reply["code"])
        return ConfigureAssetReceipt(replayed=replayed, asset=asset)
