"""Pure: a campaign's definition as a draft stores it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from rewards.campaigns.caps import (
    bonus_from_json,
    bonus_to_json,
    caps_from_json,
    caps_to_json,
    limiting,
)
from rewards.campaigns.models import (
    Campaign,
    CampaignBudget,
    CampaignVersion,
    EventKind,
    Gate,
)
from rewards.campaigns.rules import (
    CampaignDefinition,
    outcomes_to_json,
    parts_from_json,
    policies_from_json,
    policies_to_json,
)
from rewards.draws.terms import draw_from_json, draw_to_json


def definition_to_json(definition: CampaignDefinition) -> dict[str, Any]:
    """All of it, by the names of its fields."""
    return {
        "code": definition.code,
        "name_zh": definition.name_zh,
        "name_en": definition.name_en,
        "event": definition.event.value,
        "outcomes": outcomes_to_json(definition.outcomes),
        "gate": definition.gate.value,
        "priority": definition.priority,
        "product_id": None if definition.product_id is None else definition.product_id.hex,
        "starts_at": None if definition.starts_at is None else definition.starts_at.isoformat(),
        "ends_at": None if definition.ends_at is None else definition.ends_at.isoformat(),
        "caps": caps_to_json(definition.caps),
        "budgets": dict(definition.budgets),
        "return_policies": policies_to_json(definition.return_policies),
        "condition": definition.condition,
        "draw": None if definition.draw is None else draw_to_json(definition.draw),
        "event_type": definition.event_type,
        "bonus": bonus_to_json(definition.bonus),
        "regions": list(definition.regions),
    }


def definition_from_json(stored: dict[str, Any]) -> CampaignDefinition:
    """As ``definition_to_json`` stored it."""
    return CampaignDefinition(
        code=stored["code"],
        name_zh=stored["name_zh"],
        name_en=stored["name_en"],
        event=EventKind(stored["event"]),
        outcomes=parts_from_json(stored["outcomes"]),
        gate=Gate(stored["gate"]),
        priority=stored["priority"],
        product_id=None if stored["product_id"] is None else UUID(hex=stored["product_id"]),
        starts_at=_instant(stored["starts_at"]),
        ends_at=_instant(stored["ends_at"]),
        caps=caps_from_json(stored["caps"]),
        budgets=dict(stored["budgets"]),
        return_policies=policies_from_json(stored["return_policies"]),
        condition=stored["condition"],
        draw=None if stored["draw"] is None else draw_from_json(stored["draw"]),
        event_type=stored.get("event_type"),
        bonus=bonus_from_json(stored.get("bonus")),
        regions=tuple(stored.get("regions", ())),
    )


def definition_published(
    campaign: Campaign, version: CampaignVersion, budgets: Iterable[CampaignBudget]
) -> CampaignDefinition:
    """What was published as a version, with the budgets that its campaign has now."""
    return CampaignDefinition(
        code=campaign.code,
        name_zh=version.name_zh,
        name_en=version.name_en,
        event=EventKind(version.event),
        outcomes=parts_from_json(version.outcomes),
        gate=Gate(version.gate),
        priority=version.priority,
        product_id=version.product_id,
        starts_at=version.starts_at,
        ends_at=version.ends_at,
        caps=limiting(caps_from_json(version.caps)),
        budgets={budget.asset: budget.allowed for budget in budgets},
        return_policies=policies_from_json(version.return_policies),
        condition=version.condition,
        draw=None if version.draw is None else draw_from_json(version.draw),
        event_type=None if version.event_type is None else version.event_type["code"],
        bonus=bonus_from_json(version.bonus),
        regions=tuple(version.regions),
    )


def _instant(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
