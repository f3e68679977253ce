"""What the twin holds in memory, as the engine does: what a scan reads and never writes."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from loyalty.assets.models import AssetDefinition
from loyalty.assets.rules import Expiry, expiry_from_json
from loyalty.brands.models import Brand
from loyalty.codes.models import CodeBatch, KeyEpoch
from loyalty.codes.rules import CodeKey
from loyalty.crypto import Keyring
from loyalty.ledger.models import Account
from loyalty.products.models import Product
from rewards.campaigns.models import CampaignVersion
from tiers.ladders.models import Ladder, LadderLevel


@dataclass(frozen=True)
class Configuration:
    """Loaded once, when the twin starts."""

    brand: Brand
    keyring: Keyring
    keys: dict[str, CodeKey]
    batches: dict[int, CodeBatch]
    products: dict[UUID, Product]
    campaign: CampaignVersion
    levels: dict[str, list[LadderLevel]]
    issuance: dict[str, UUID]
    expiries: dict[str, Expiry]


async def load_configuration(engine: AsyncEngine, keyring: Keyring) -> Configuration:
    """Read what the one brand of the bench has published."""
    async with AsyncSession(engine) as session:
        brand = (await session.exec(select(Brand))).one()
        epochs = (await session.exec(select(KeyEpoch))).all()
        campaign = (
            await session.exec(
                select(CampaignVersion)
                .where(CampaignVersion.event == "SCAN")
                .order_by(col(CampaignVersion.version).desc())
                .limit(1)
            )
        ).one()
        levels: dict[str, list[LadderLevel]] = {}
        for ladder in await session.exec(select(Ladder).order_by(col(Ladder.version))):
            found = await session.exec(
                select(LadderLevel)
                .where(LadderLevel.ladder_id == ladder.id)
                .order_by(col(LadderLevel.rank))
            )
            levels[ladder.role] = list(found)
        issuance = await session.exec(select(Account).where(Account.kind == "ISSUANCE"))
        assets = await session.exec(select(AssetDefinition))
        return Configuration(
            brand=brand,
            keyring=keyring,
            keys={
                epoch.key_id: CodeKey(
                    brand.id,
                    epoch.id,
                    epoch.key_id,
                    keyring.unwrap_key(brand.id, epoch.wrapped_key),
                )
                for epoch in epochs
            },
            batches={batch.number: batch for batch in await session.exec(select(CodeBatch))},
            products={product.id: product for product in await session.exec(select(Product))},
            campaign=campaign,
            levels=levels,
            issuance={account.asset: account.id for account in issuance},
            expiries={asset.code: expiry_from_json(asset.expiry) for asset in assets},
        )
