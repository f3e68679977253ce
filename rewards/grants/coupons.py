"""Pure: coupons that events give, out of what is in stock."""

from uuid import UUID

from loyalty.clock import local_date
from loyalty.ledger.rules import Cause
from rewards.coupons.models import CouponCause
from rewards.coupons.rules import ISSUED_TOPIC, CouponIssue, issued_payload, usable_dates
from rewards.grants.models import LockStatus
from rewards.grants.world import GrantWorld, MemberState, StockKey


def has_coupons(world: GrantWorld, key: StockKey, count: int) -> bool:
    """Whether so many of a template may be issued: out of stock, paused or past its dates it has
    none."""
    brand_id, template_id = key
    brand, left = world.brands[brand_id], world.stock.get(key, 0)
    on = local_date(world.now, brand.timezone)
    is_good = usable_dates(brand.coupon_templates[template_id], on) is not None
    return is_good and (left is None or left >= count)


def take_coupon(world: GrantWorld, key: StockKey, count: int = 1) -> None:
    """Take one out of stock; -1 gives one back."""
    left = world.stock.get(key)
    if left is not None:
        world.stock[key] = left - count
    world.stock_moves[key] = world.stock_moves.get(key, 0) + count


def issue_coupon(
    world: GrantWorld, template_id: UUID, member: MemberState, cause: Cause
) -> CouponIssue | None:
    """Issue one of what was found to be in stock, with the dates of one issued today; None where
    the template is past its dates."""
    issue = _issue(world, template_id, member, CouponCause(cause.kind), cause.id)
    if issue is not None:
        take_coupon(world, (member.brand_id, template_id))
    return issue


def end_locked_coupon(
    world: GrantWorld, member: MemberState, template_id: UUID, locked_id: UUID, end: LockStatus
) -> LockStatus:
    """Issue what was taken out of stock when it was locked, dated today: the clock of what waits
    starts when it waits no more. Otherwise it goes back, as it does where the template is past its
    dates by now; what became of it."""
    if end is LockStatus.UNLOCKED:
        if _issue(world, template_id, member, CouponCause.LOCK, locked_id) is not None:
            return end
        end = LockStatus.VOIDED
    take_coupon(world, (member.brand_id, template_id), -1)
    return end


def _issue(
    world: GrantWorld, template_id: UUID, member: MemberState, cause: CouponCause, cause_id: UUID
) -> CouponIssue | None:
    brand = world.brands[member.brand_id]
    template = brand.coupon_templates[template_id]
    dates = usable_dates(template, local_date(world.now, brand.timezone))
    if dates is None:
        return None
    code = world.new_coupon_code()
    issue = CouponIssue(
        brand.id, world.new_id(), template.id, member.id, code, cause, cause_id, *dates
    )
    world.emit(brand.id, ISSUED_TOPIC, member.id, issued_payload(issue))
    world.coupons.append(issue)
    return issue
