"""The verbs of third parties' codes (第三方券码): put in as stock, shown to the member whose coupon
it is. Which code a coupon has is settled when its member looks at it: until then all are alike."""

from collections.abc import Sequence
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands.service import get_brand, touch_configuration
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import (
    CouponNotUsable,
    InvalidInput,
    NotFound,
    TemplateUnderAgreement,
)
from loyalty.ids import new_id
from loyalty.members.service import enrol
from loyalty.text import checked_text
from rewards.code_lists import queries
from rewards.code_lists.models import OutsideCode
from rewards.coupons import service as coupons
from rewards.coupons.models import CouponKind, CouponStatus
from rewards.coupons.rules import shown_status

CODES_MAX = 1_000
"""Of one call."""
CODE_LENGTH_MAX = 200


async def add_codes(
    tx: Tx, actor: Actor, keyring: Keyring, template_id: UUID, codes: Sequence[str]
) -> int:
    """Put codes into a template of the actor's brand: how many were new; those that were there
    already change nothing.

    Refuses NotFound, InvalidInput (with the code's path; not of the kind CODE) and
    TemplateUnderAgreement (a pool is its partner's to fill).
    """
    template = await coupons.get_template(tx, actor.brand_id, template_id)
    if template.kind != CouponKind.CODE:
        raise InvalidInput(field="templateId", problem="a template of the kind CODE")
    if template.agreement_id is not None:
        raise TemplateUnderAgreement(template=template.code)
    added = await keep(tx, keyring, (actor.brand_id, template_id), codes)
    if added:
        stock = {"amount": added, "brand_id": actor.brand_id, "id": template_id}
        if not await tx.fetch(queries.ADD_STOCK, **stock):
            raise RetryTransaction  # it has come under an agreement meanwhile
        await touch_configuration(tx, actor.brand_id)
        await audit_log.record(tx, actor, "coupon_template.add_codes", template_id, added=added)
    return added


async def keep(tx: Tx, keyring: Keyring, template: tuple[UUID, UUID], codes: Sequence[str]) -> int:
    """Keep codes of a (brand_id, template_id), sealed: how many were new. Their stock is for the
    caller to count. Refuses InvalidInput."""
    brand_id, template_id = template
    if not 1 <= len(codes) <= CODES_MAX:
        raise InvalidInput(field="codes", problem=f"1 to {CODES_MAX}")
    rows = {}
    for number, said in enumerate(codes):
        code = checked_text(said, f"codes[{number}]", length_max=CODE_LENGTH_MAX)
        hashed = keyring.lookup_hash(template_id, "outside-code", code)
        sealed = keyring.seal_secret(brand_id, code)
        rows[hashed] = (brand_id, new_id(), template_id, hashed, sealed, tx.now)
    return await queries.add_codes(tx, list(rows.values()))


async def drop_spare(tx: Tx, template: tuple[UUID, UUID], count: int) -> None:
    """Forget so many codes that nobody has, the newest first. RetryTransaction where some of them
    are being given just now."""
    brand_id, template_id = template
    dropped = await tx.fetch(
        queries.DROP_SPARE, brand_id=brand_id, template_id=template_id, amount=count
    )
    if len(dropped) != count:
        raise RetryTransaction


async def reveal_code(tx: Tx, actor: Actor, coupon_id: UUID) -> None:
    """Settle which code a member's coupon has: the same from then on, also past its date.

    Refuses NotFound (also another member's coupon), MemberFrozen and CouponNotUsable (what it is
    instead, its dates, or KIND: it is for no code).
    """
    member = await enrol(tx, actor)
    coupon = await coupons.lock_coupon(tx, actor.brand_id, coupon_id)
    if coupon.member_id != member.id:
        raise NotFound(noun="coupon")
    if await queries.find_of_coupon(tx, actor.brand_id, coupon_id) is not None:
        return
    template = await coupons.get_template(tx, actor.brand_id, coupon.template_id)
    if template.kind != CouponKind.CODE:
        raise CouponNotUsable(reason="KIND")
    today = local_date(tx.now, (await get_brand(tx, actor.brand_id)).timezone)
    status = shown_status(coupon, tx.now, today)
    if status is not CouponStatus.ISSUED:
        raise CouponNotUsable(reason=status.value)
    given = await tx.fetch(
        queries.GIVE_CODE,
        brand_id=actor.brand_id,
        template_id=template.id,
        coupon_id=coupon_id,
        now=tx.now,
    )
    if not given:
        raise RetryTransaction  # others are taking the ones that are left: there is one for each


def code_of(keyring: Keyring, row: OutsideCode) -> str:
    """In clear, for the member whose coupon it is."""
    return keyring.open_secret(row.brand_id, row.code_cipher)
