"""What a scan answers, as it is stored under its idempotency key: values only, so that a replay
looks nothing up and says the same for ever."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rewards.coupons.rules import CouponIssue
from rewards.draws.folding import DrawState
from rewards.grants import rules as grants
from rewards.grants.rules import (
    BrandConfiguration,
    Credit,
    GrantWorld,
    LockedState,
    MemberState,
)
from rewards.grants.stacking import told
from rewards.grants.world import GivenBonus
from rewards.scans.claims import Outcome


@dataclass(frozen=True, slots=True)
class Sightings:
    """How often a code was scanned, this scan included, and when before."""

    count: int
    first: dict[str, Any] | None
    latest: dict[str, Any] | None


def reward(credit: Credit, locked: LockedState | None, tax: int = 0) -> dict[str, Any]:
    """One reward of the scanner; of a locked one also what it waits for, of a prize the tax that
    was withheld of it, if any."""
    told = {"asset": credit.asset, "amount": credit.amount, "locked": locked is not None}
    if tax:
        told["tax"] = tax
    if locked is None:
        return told
    unlock = locked.unlock
    return told | {
        "lock": {
            "kind": unlock.kind.value,
            "key": unlock.key,
            "count": unlock.count,
            "unlocks_at": unlock.unlocks_at.isoformat() if unlock.unlocks_at else None,
            "lapses_at": unlock.lapses_at.isoformat() if unlock.lapses_at else None,
        }
    }


def coupon(brand: BrandConfiguration, issue: CouponIssue) -> dict[str, Any]:
    """One coupon that the scanner has won."""
    template = brand.coupon_templates[issue.template_id]
    return {
        "id": issue.id.hex,
        "code": issue.code,
        "template_code": template.code,
        "zh": template.name_zh,
        "en": template.name_en,
        "kind": template.kind,
        "usable_from": issue.usable_from.isoformat(),
        "usable_until": issue.usable_until.isoformat(),
    }


def sighting(at: datetime, latitude: float | None, longitude: float | None) -> dict[str, Any]:
    """When and where. Told to strangers: to about ten kilometres, enough to know one's own shop."""
    return {
        "at": at.isoformat(),
        "latitude": None if latitude is None else round(latitude, 1),
        "longitude": None if longitude is None else round(longitude, 1),
    }


def receipt(
    world: GrantWorld,
    *,
    scan_id: UUID,
    product_id: UUID,
    member: MemberState | None,
    verdict: str,
    outcome: Outcome,
    sightings: Sightings,
    rank_before: int,
) -> dict[str, Any]:
    """The reply of one scan. It names coupons, what it unlocked, its bonuses and its draw only
    where there are any."""
    level = grants.level_of(world, member) if member else None
    is_new_member = member is not None and member.is_new and not member.is_greeted
    if member is not None:
        member.is_greeted = True
    reply = {
        "scan_id": scan_id.hex,
        "occurred_at": world.now.isoformat(),
        "verdict": verdict,
        "unpaid_reason": outcome.unpaid.value if outcome.unpaid else None,
        "guide_unpaid_reason": outcome.guide_unpaid.value if outcome.guide_unpaid else None,
        "scan_count": sightings.count,
        "first_scan": sightings.first,
        "latest_scan": sightings.latest,
        "product_id": product_id.hex,
        "member_id": member.id.hex if member else None,
        "is_new_member": is_new_member,
        "rewards": outcome.rewards,
        "balances": balances(world, member),
        "tier": None
        if level is None
        else {"rank": level.rank, "code": level.code, "zh": level.name_zh, "en": level.name_en},
        "rank_before": rank_before,
    }
    if outcome.coupons:
        reply["coupons"] = outcome.coupons
    if outcome.unlocked:
        reply["unlocked"] = [
            {"id": state.id.hex, "asset": state.asset, "amount": state.amount}
            for state in outcome.unlocked
        ]
    if outcome.bonuses:
        reply["bonuses"] = [bonus(given) for given in outcome.bonuses]
    if outcome.draw is not None:
        reply["draw"] = drawn(outcome.draw)
    return reply


def bonus(given: GivenBonus) -> dict[str, Any]:
    """What became of a bonus campaign, for the scanner."""
    terms = given.campaign.bonus
    return {
        "campaign": given.campaign.code,
        "group": terms.group if terms else "",
        "rewards": told(given),
        "unpaid_reason": given.unpaid.value if given.unpaid else None,
    }


def note_won(brand: BrandConfiguration, outcome: Outcome) -> None:
    """Add what a draw gave who scanned, if it drew."""
    state = outcome.draw
    if state is None:
        return
    credit = state.credit
    if credit is not None and (credit.template_id is None or state.locked is not None):
        outcome.rewards.append(reward(credit, state.locked, state.tax))
    outcome.coupons += [coupon(brand, issue) for issue in state.coupons]


def drawn(state: DrawState) -> dict[str, Any]:
    """What a draw came to: ``prize`` is what was given, the consolation too."""
    draw, code = state.campaign.draw, state.given.code
    prize = draw.prizes[code] if draw is not None and code is not None else None
    return {
        "id": state.drawing.draw_id.hex,
        "won": state.won,
        "prize": None
        if prize is None
        else {"code": prize.code, "zh": prize.name_zh, "en": prize.name_en},
        "seed_hash": state.seed_hash,
        "on": state.drawn_on.isoformat(),
    }


def balances(world: GrantWorld, member: MemberState | None) -> list[dict[str, Any]]:
    """The member's balances after the scan, locked credits apart."""
    if member is None:
        return []
    found = []
    for asset in world.brands[member.brand_id].assets:
        account = world.accounts.get((member.brand_id, member.id, asset))
        if account is not None:
            found.append({"asset": asset, "balance": account.balance, "locked": account.locked})
    return found
