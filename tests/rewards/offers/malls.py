"""Offers of every kind, and members with points and cash, for tests of the mall."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.queries import list_free_lots
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.members.models import Identity, Member
from loyalty.members.service import get_member
from rewards.offers.models import Offer, OfferKind
from rewards.offers.service import create_offer
from rewards.offers.terms import OfferGives, OfferTerms, Part, RankPrice
from tiers.ladders.service import current_ladders
from tiers.standings.models import Standing, StandingChange

CONSUMER = MemberRole.CONSUMER.value
FAR = date(2028, 1, 1)
GIFT = OfferGives(OfferKind.GIFT)

Lots = Mapping[str, Mapping[date, int]]
"""Amounts by asset and last good day."""


@dataclass(frozen=True)
class Shopper:
    """A consumer as it calls."""

    actor: Actor
    member_id: UUID


def priced(*parts: tuple[str, int], rank_min: int = 0) -> RankPrice:
    return RankPrice(rank_min, tuple(Part(*part) for part in parts))


def terms(*prices: RankPrice, **more: Any) -> OfferTerms:
    """A hundred points, unless told otherwise."""
    return OfferTerms("茶杯", "A cup", prices or (priced(("POINTS", 100)),), **more)


async def add_offer(
    tx: Tx, /, brand: Brand, gives: OfferGives = GIFT, *prices: RankPrice, **more: Any
) -> Offer:
    actor = system_actor(brand.id)
    return await create_offer(tx, actor, f"o{new_id().hex}", gives, terms(*prices, **more))


async def add_shopper(tx: Tx, brand: Brand, lots: Lots) -> Shopper:
    """A consumer with what expires when."""
    identity = Identity(brand_id=brand.id, external_ref=new_id().hex, created_at=tx.now)
    member = Member(brand_id=brand.id, identity_id=identity.id, role=CONSUMER, enrolled_at=tx.now)
    await tx.add(identity, member)
    issuance = await ledger.issuance_accounts(tx, [brand.id])
    book = Book(new_id)
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "gift", tx.now)
    for asset, amounts in lots.items():
        account = AccountState(brand.id, new_id(), member.id, asset, is_new=True)
        for expires_on, amount in amounts.items():
            book.credit(
                issuance[brand.id, brand.id, asset],
                account,
                amount,
                cause,
                campaign_id=None,
                expires_on=expires_on,
            )
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)
    return Shopper(Actor(ActorKind.MEMBER, brand.id, identity.id, CONSUMER), member.id)


async def member_of(tx: Tx, shopper: Shopper) -> Member:
    return await get_member(tx, shopper.actor.brand_id, shopper.member_id)


async def set_rank(tx: Tx, brand: Brand, shopper: Shopper, rank: int) -> None:
    """Lift a consumer who stands at rank 0."""
    ladder = (await current_ladders(tx, brand.id))[CONSUMER]
    await tx.add(
        Standing(
            brand_id=brand.id,
            member_id=shopper.member_id,
            rank=rank,
            earned_rank=rank,
            since=tx.now,
        ),
        StandingChange(
            brand_id=brand.id,
            member_id=shopper.member_id,
            from_rank=0,
            to_rank=rank,
            transfer_id=None,
            ladder_id=ladder.id,
            occurred_at=tx.now,
            created_at=tx.now,
            reason="GRANTED",
        ),
    )


async def lots_of(db: Database, brand: Brand, shopper: Shopper) -> dict[str, dict[date, int]]:
    """What is left of a consumer's assets, by expiry date; those of which nothing is, left out."""

    async def read(tx: Tx) -> dict[str, dict[date, int]]:
        accounts = await ledger.lock_member_accounts(tx, [(brand.id, shopper.member_id)])
        found = {
            asset: dict(await list_free_lots(tx, brand.id, account.id))
            for (_, _, asset), account in accounts.items()
        }
        return {asset: lots for asset, lots in found.items() if lots}

    return await db.in_transaction(read)
