"""What may happen to scans, and what has happened to some."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rewards.grants.models import ChannelUnpaidReason
from rewards.scans.models import GuideUnpaidReason, UnpaidReason, Verdict
from tests.rewards.scans.canonical import Rows
from tests.rewards.scans.worlds import DEALER, SALESPERSON, STORE

NOTHING = ChannelUnpaidReason.NOTHING  # of purchases
EVERYTHING = {
    *("CODE_UNKNOWN", "IDEMPOTENCY_CONFLICT", "replayed", "paid", "risen", "coupon"),
    *("bonus paid", "bonus CAP", "bonus BUDGET", "bonus NOTHING"),
    *("NEXT_SCAN UNLOCKED", "NEXT_SCAN LOCKED", "ITEM UNLOCKED", "ITEM VOIDED"),
    *("BOX_BOTTLES UNLOCKED", "BOX_BOTTLES LOCKED"),
    *("STORE PAID", "DEALER PAID", "SALESPERSON PAID"),
    *(f"behind {reason.value}" for reason in ChannelUnpaidReason if reason is not NOTHING),
    *(reason.value for reason in Verdict),
    *(reason.value for reason in UnpaidReason),
    *(reason.value for reason in GuideUnpaidReason if reason is not GuideUnpaidReason.GUIDE_VOIDED),
}


def seen_in(answers: Sequence[Any]) -> Counter[str]:
    """How often each thing that may happen to a scan has happened."""
    seen: Counter[str] = Counter()
    for head, reply in answers:
        if isinstance(head, str):
            seen[head] += 1
        elif head:
            seen["replayed"] += 1
        else:
            seen[reply["verdict"]] += 1
            seen[reply["unpaid_reason"] or "paid"] += 1
            seen[reply["guide_unpaid_reason"] or "guide paid"] += 1
            seen["coupon"] += "coupons" in reply
            for bonus in reply.get("bonuses", ()):
                seen[f"bonus {bonus['unpaid_reason'] or 'paid'}"] += 1
            seen["risen"] += reply["tier"] is not None and (
                reply["tier"]["rank"] > reply["rank_before"]
            )
    return seen


def ends_of(locked_rewards: Rows) -> list[str]:
    """What became of each locked reward, by what it waited for."""
    rows = [dict(row) for row in locked_rewards]
    return [f"{row['unlock_kind']} {row['status']}".replace("'", "") for row in rows]


def behind_guides(claims: Rows) -> list[str]:
    """What became of each claim of who stands behind a guide."""
    rows = [{key: value.strip("'") for key, value in row} for row in claims]
    behind = {role.value for role in (STORE, DEALER, SALESPERSON)}
    return [
        f"{row['beneficiary_role'] if row['outcome'] == 'PAID' else 'behind'} {row['outcome']}"
        for row in rows
        if row["beneficiary_role"] in behind
    ]
