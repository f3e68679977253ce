"""Pure: coupons that events give, out of what is in stock."""

from uuid import UUID

from loyalty.clock import local_date
from loyalty.ledger.rules import Cause
from rewards.coupons.models import CouponCause
from rewards.coupons.rules import ISSUED_TOPIC, CouponIssue, issued_payload, usable_dates
from rewards.grants.world import GrantWorld, MemberState, StockKey


def has_coupons(world: GrantWorld, key: StockKey, count: int) -> bool:
    """Whether so many of a template may be issued: out of stock, paused or past its dates it has
    none."""
    brand_id, template_id = key
    brand, left = world.brands[brand_id], world.stock.get(key, 0)
    on = local_date(world.now, brand.timezone)
    is_good = usable_dates(brand.coupon_templates[template_id], on) is not None
    return is_good and (left is None or left >= count)


def issue_coupon(
    world: GrantWorld, template_id: UUID, member: MemberState, cause: Cause
) -> CouponIssue | None:
    """Issue one of what was found to be in stock, with the dates of one issued today; None where
    the template is past its dates."""
    brand = world.brands[member.brand_id]
    template = brand.coupon_templates[template_id]
    dates = usable_dates(template, local_date(world.now, brand.timezone))
    if dates is None:
        return None
    issue = CouponIssue(
        member.brand_id,
        world.new_id(),
        template.id,
        member.id,
        world.new_coupon_code(),
        CouponCause(cause.kind),
        cause.id,
        *dates,
    )
    key = (member.brand_id, template.id)
    left = world.stock[key]
    world.stock[key] = None if left is None else left - 1
    world.stock_moves[key] = world.stock_moves.get(key, 0) + 1
    world.emit(member.brand_id, ISSUED_TOPIC, member.id, issued_payload(issue))
    world.coupons.append(issue)
    return issue
