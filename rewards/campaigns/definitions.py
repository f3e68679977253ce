"""Pure: a campaign's definition as a draft stores it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from rewards.campaigns.models import EventKind, Gate
from rewards.campaigns.rules import (
    CampaignDefinition,
    caps_from_json,
    caps_to_json,
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
    )


def _instant(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
