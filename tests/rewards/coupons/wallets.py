"""Templates, and consumers with points, for tests of coupons."""

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
from loyalty.ledger.models import Asset
from loyalty.ledger.queries import list_free_lots
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.members.models import Identity, Member
from rewards.coupons import service
from rewards.coupons.models import Coupon, CouponCause, CouponKind, CouponTemplate
from rewards.coupons.rules import CouponIssue, TemplateDefinition

CONSUMER = MemberRole.CONSUMER.value


@dataclass(frozen=True)
class Buyer:
    """A consumer as it calls."""

    actor: Actor
    member_id: UUID


async def add_template(tx: Tx, /, brand: Brand, **more: Any) -> CouponTemplate:
    """Five yuan off, good for 30 days, for sale at 100 points, unless told otherwise."""
    usual: dict[str, Any] = {
        "code": f"t{new_id().hex}",
        "name_zh": "五元券",
        "name_en": "Five off",
        "kind": CouponKind.AMOUNT_OFF,
        "amount_off_fen": 500,
        "usable_days": 30,
        "points_price": 100,
    }
    definition = TemplateDefinition(**(usual | more))
    return await service.create_template(tx, system_actor(brand.id), definition)


async def add_buyer(tx: Tx, brand: Brand, lots: Mapping[date, int]) -> Buyer:
    """A consumer with points that expire on these dates."""
    identity = Identity(brand_id=brand.id, external_ref=new_id().hex, created_at=tx.now)
    member = Member(brand_id=brand.id, identity_id=identity.id, role=CONSUMER, enrolled_at=tx.now)
    await tx.add(identity, member)
    actor = Actor(ActorKind.MEMBER, brand.id, identity.id, CONSUMER)
    points = Asset.POINTS.value
    issuance = await ledger.issuance_accounts(tx, [brand.id])
    account = AccountState(brand.id, new_id(), member.id, points, is_new=True)
    book = Book(new_id)
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "gift", tx.now)
    for expires_on, amount in lots.items():
        book.credit(
            issuance[(brand.id, brand.id, points)],
            account,
            amount,
            cause,
            campaign_id=None,
            expires_on=expires_on,
        )
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)
    return Buyer(actor, member.id)


async def issue(tx: Tx, /, brand: Brand, template: CouponTemplate, **more: Any) -> UUID:
    """The id of a coupon as a purchase would write it, but for its payment."""
    coupon_id = new_id()
    usual: dict[str, Any] = {
        "brand_id": brand.id,
        "id": coupon_id,
        "template_id": template.id,
        "member_id": new_id(),
        "code": service.new_code(),
        "cause": CouponCause.BOUGHT,
        "cause_id": coupon_id,
        "usable_from": date(2026, 11, 9),
        "usable_until": date(2026, 11, 30),
    }
    await service.write_coupons(tx, [CouponIssue(**(usual | more))])
    return coupon_id


async def coupon_of(db: Database, brand: Brand, coupon_id: UUID) -> Coupon:
    async with db.snapshot() as snapshot:
        return await service.get_coupon(snapshot, brand.id, coupon_id)


async def lots_of(db: Database, brand: Brand, buyer: Buyer) -> dict[date, int]:
    """What is left of a consumer's points, by expiry date."""

    async def read(tx: Tx) -> dict[date, int]:
        accounts = await ledger.lock_member_accounts(tx, [(brand.id, buyer.member_id)])
        account = accounts[(brand.id, buyer.member_id, Asset.POINTS.value)]
        return dict(await list_free_lots(tx, brand.id, account.id))

    return await db.in_transaction(read)
