"""The demo's campaign and ladder, as the variables of their mutations.

Data, not code: the demo publishes it over HTTP, and the bench measures the very same rules.
"""

from collections.abc import Mapping
from typing import Any

CAPS_PER_DAY: Mapping[str, int] = {"MEMBER": 50, "GUIDE": 500, "DEVICE": 50}
"""Paid scans of one subject in one local day; a brand would dare less."""

BUDGETS: Mapping[str, int] = {"POINTS": 1_000_000, "CASH": 500_000}
"""What the campaign may give in all: points, and fen of cash (¥5,000)."""


def demo_campaign_input(
    *,
    gate: str = "CONSUMER_SCAN",
    caps_per_day: Mapping[str, int] = CAPS_PER_DAY,
    budgets: Mapping[str, int] = BUDGETS,
) -> dict[str, Any]:
    """``PublishCampaignInput`` without its idempotency key: one code, two rewards (一码双奖).

    The consumer gets 10 points and 10 growth, the guide 5 points and 0.50 in cash. ``gate`` is
    CONSUMER_SCAN or NONE. Who scans all day long brings wider caps and budgets.
    """
    return {
        "code": "one-code-two-rewards",
        "nameZh": "一码双奖",
        "nameEn": "One code, two rewards",
        "event": "SCAN",
        "gate": gate,
        "outcomes": [
            {"beneficiary": "CONSUMER", "asset": "POINTS", "amount": 10},
            {"beneficiary": "CONSUMER", "asset": "GROWTH", "amount": 10},
            {"beneficiary": "GUIDE", "asset": "POINTS", "amount": 5},
            {"beneficiary": "GUIDE", "asset": "CASH", "amount": 50},
        ],
        "caps": [
            {"subject": subject, "window": "DAY", "timesMax": times}
            for subject, times in caps_per_day.items()
        ],
        "budgets": [{"asset": asset, "allowed": allowed} for asset, allowed in budgets.items()],
    }


def demo_ladder_input() -> dict[str, Any]:
    """``PublishLadderInput`` without its idempotency key: four levels (会员等级), low enough to be
    climbed in a minute, each with its points multiplier (积分倍率)."""
    levels = [
        ("BASIC", "普通会员", "Basic", 0, 100),
        ("SILVER", "银卡会员", "Silver", 30, 120),
        ("GOLD", "金卡会员", "Gold", 80, 150),
        ("DIAMOND", "钻石会员", "Diamond", 500, 200),
    ]
    return {
        "role": "CONSUMER",
        "levels": [
            {
                "code": code,
                "nameZh": name_zh,
                "nameEn": name_en,
                "growthThreshold": threshold,
                "pointsMultiplierPercent": percent,
            }
            for code, name_zh, name_en, threshold, percent in levels
        ],
    }
