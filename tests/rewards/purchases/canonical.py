"""A brand's rows with people, purchases and campaigns by name instead of id, in one order: two
brands that went through the same compare equal."""

from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import SQLModel, col, select

from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database, Snapshot
from loyalty.ledger.models import Account, Lot, Transfer
from loyalty.members.models import Identity, Member
from loyalty.outbox import OutboxEvent
from loyalty.places.models import Place
from rewards.campaigns.models import Campaign, CampaignBudget, CampaignVersion, CapCounter
from rewards.purchases.models import PurchaseEvent, PurchaseShare
from tiers.standings.models import Standing, StandingChange

Row = TypeVar("Row", bound=SQLModel)
Rows = list[tuple[Any, ...]]

UNCOMPARED = {
    "brand_id",
    "id",
    "created_at",
    "enrolled_at",
    "due_at",
    "revision",
    "content_hash",
    "phone_cipher",
    "phone_hash",
}
NAMED = {
    *("identity_id", "member_id", "owner_id", "account_id", "debit_account_id"),
    *("credit_account_id", "cause_id", "transfer_id", "campaign_id", "subject_id"),
    *("campaign_version_id", "place_id", "purchase_id"),
}


async def _all(snapshot: Snapshot, model: type[Row], brand_id: UUID) -> list[Row]:
    owner: Any = col(model.brand_id)  # type: ignore[attr-defined]
    return list(await snapshot.session.exec(select(model).where(owner == brand_id)))


async def _names(snapshot: Snapshot, brand_id: UUID) -> dict[UUID | str, str]:
    names: dict[UUID | str, str] = {brand_id: "the brand"}
    for identity in await _all(snapshot, Identity, brand_id):
        names[identity.id] = identity.external_ref or "somebody with a phone"
    for member in await _all(snapshot, Member, brand_id):
        names[member.id] = names[member.id.hex] = names[member.identity_id]
    for place in await _all(snapshot, Place, brand_id):
        names[place.id] = place.code
    for account in await _all(snapshot, Account, brand_id):
        names[account.id] = f"{account.asset} of {names[account.owner_id]}"
    for campaign in await _all(snapshot, Campaign, brand_id):
        names[campaign.id] = campaign.code
    for version in await _all(snapshot, CampaignVersion, brand_id):
        names[version.id] = f"{names[version.campaign_id]} {version.version}"
    for purchase in await _all(snapshot, PurchaseEvent, brand_id):
        names[purchase.id] = f"purchase {purchase.purchase_ref}"
    for transfer in await _all(snapshot, Transfer, brand_id):
        names[transfer.id] = f"{transfer.asset} for {names[transfer.cause_id]}"
    for change in await _all(snapshot, StandingChange, brand_id):
        move = f"{names[change.member_id]} from {change.from_rank} to {change.to_rank}"
        names[change.id.hex] = f"{move} at {change.occurred_at}"
    return names


async def canonical_rows(db: Database, slug: str) -> dict[str, Rows]:
    """The rows of everything that purchases write, by table."""
    found: dict[str, Rows] = {}
    async with db.snapshot() as snapshot:
        brand = await get_brand_by_slug(snapshot, slug)
        names = await _names(snapshot, brand.id)
        for model in (
            *(Identity, Member, Account, Lot, Transfer, PurchaseEvent, PurchaseShare),
            *(Standing, StandingChange, CampaignBudget, CapCounter, OutboxEvent),
        ):
            rows: Rows = []
            for row in await _all(snapshot, model, brand.id):
                values = {k: v for k, v in row.model_dump().items() if k not in UNCOMPARED}
                values |= {k: names[v] for k, v in values.items() if k in NAMED and v is not None}
                values.pop("ladder_id", None)
                if "payload" in values:  # facts of tiers name the move that they are of
                    told = values["payload"].items()
                    values["payload"] = {
                        k: names.get(v, v) if k == "change_id" else v for k, v in told
                    }
                if "payload" in values:
                    told = values["payload"].items()
                    values["payload"] = {
                        k: names.get(v, v) if isinstance(v, str) else v for k, v in told
                    }
                if "subject_kind" in values:
                    values["subject"] = names[values["subject"]]
                rows.append(tuple(values.items()))
            found[model.__name__] = sorted(rows, key=repr)
    return found
