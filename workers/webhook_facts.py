"""What facts are told outside as: which of them are wanted, in whose order, and what they say.

A scan's fact says little, for there are many; what else is told of it is read when it is sent, from
rows that do not change. Nothing is written or read of facts that no endpoint wants.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from loyalty import outbox
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.outbox import Leased
from loyalty.webhooks import sending, service
from loyalty.webhooks.catalogue import type_of
from loyalty.webhooks.sending import DueDelivery
from loyalty.webhooks.service import PublicFact
from rewards.alliances.rules import (
    ENDED_TOPIC,
    PAUSED_TOPIC,
    PROPOSED_TOPIC,
    RESUMED_TOPIC,
    SIGNED_TOPIC,
)
from rewards.clearing.rules import (
    ADJUSTMENT_DECIDED_TOPIC,
    ADJUSTMENT_PROPOSED_TOPIC,
    CONFIRMED_TOPIC,
    DRAWN_TOPIC,
    PAYMENT_TOPIC,
)
from rewards.clearing.service import FUNDS_LOW_TOPIC
from rewards.issues.lists import DONE_TOPIC
from rewards.netting.rules import NETTING_TOPICS
from workers import queries
from workers.relay import Settle

SCANS = ("scan.paid", "scan.unpaid")
MILLISECOND_BITS = 80
LEGS_APART_MAX = (10 * 60 * 1000) << MILLISECOND_BITS
"""Ids of a scan and of what it paid were made within so much, by one process."""


class Written(Protocol):
    """A fact, from the outbox or from a replay."""

    @property
    def brand_id(self) -> UUID: ...
    @property
    def id(self) -> UUID: ...
    @property
    def topic(self) -> str: ...
    @property
    def subject_id(self) -> UUID: ...
    @property
    def payload(self) -> dict[str, Any]: ...


async def note_webhooks(tx: Tx, events: Sequence[Leased]) -> None:
    """In the transaction that leases facts: a delivery of each one for whoever wants it. Facts that
    were leased before are noted already. One statement where nobody wants any."""
    named = [
        (event, name)
        for event in events
        if event.attempts == 1 and (name := type_of(event.topic, event.payload))
    ]
    if not named:
        return
    wanted = await service.find_wanted(tx, {(event.brand_id, name) for event, name in named})
    kept = [(event, name) for event, name in named if (event.brand_id, name) in wanted]
    if kept:
        await service.note(tx, await _public(tx, kept), wanted)


async def _public(tx: Tx, named: Sequence[tuple[Any, str]]) -> list[PublicFact]:
    """Scans are told in the order of their members, the rest in that of their subjects."""
    scans = [(event.brand_id, event.subject_id) for event, name in named if name in SCANS]
    members: dict[tuple[UUID, UUID], UUID] = {}
    if scans:
        found = await tx.fetch(queries.FIND_SCANNERS, keys=sorted(scans))
        members = {(brand_id, id): member_id for brand_id, id, member_id in found if member_id}
    return [
        PublicFact(
            *(event.brand_id, event.id, name),
            members.get((event.brand_id, event.subject_id), event.subject_id)
            if name in SCANS
            else event.subject_id,
            event.created_at,
        )
        for event, name in named
    ]


async def replay_webhooks(tx: Tx, limit: int) -> int:
    """Go on with a replay: up to ``limit`` facts of it; as many, while any is under way."""
    begun = await sending.begin_replay_chunk(tx, limit)
    if begun is None:
        return 0
    endpoint, facts, is_last = begun
    wanted = await sending.wanted_by(tx, endpoint)
    since = endpoint.replay_since
    named = [
        (fact, name)
        for fact in facts
        # What no worker has leased yet is noted when one does.
        if (since is None or fact.created_at >= since)
        and (name := type_of(fact.topic, fact.payload)) in wanted
    ]
    after_id = None if is_last else facts[-1].id
    await sending.requeue(tx, endpoint, await _public(tx, named), after_id=after_id)
    return limit


async def announce(tx: Tx, token: UUID, events: Sequence[Leased]) -> None:
    """Facts that are for webhooks alone, noted when they were leased."""
    await outbox.deliver(tx, token, events)


ANNOUNCED: Mapping[str, Settle] = dict.fromkeys(
    (
        *("coupon.reversed", "payout.paid", "payout.failed"),
        *(PROPOSED_TOPIC, SIGNED_TOPIC, PAUSED_TOPIC, RESUMED_TOPIC, ENDED_TOPIC),
        *(FUNDS_LOW_TOPIC, DRAWN_TOPIC, CONFIRMED_TOPIC, PAYMENT_TOPIC),
        *(ADJUSTMENT_PROPOSED_TOPIC, ADJUSTMENT_DECIDED_TOPIC, DONE_TOPIC),
        *NETTING_TOPICS,
    ),
    announce,
)


@dataclass(frozen=True)
class Describer:
    """Says of deliveries what their facts leave out."""

    keyring: Keyring

    async def __call__(
        self, snapshot: Snapshot, brand_id: UUID, due: Collection[DueDelivery]
    ) -> Mapping[UUID, dict[str, Any]]:
        """More of the payload, by event id."""
        scans = {each.fact_subject_id: each for each in due if each.event_type in SCANS}
        if not scans:
            return {}
        keys = [(brand_id, id) for id in sorted(scans)]
        rewards: dict[UUID, list[dict[str, Any]]] = {}
        windows = [
            (brand_id, id, *(UUID(int=max(0, id.int + way)) for way in _AROUND)) for _, id in keys
        ]
        for scan_id, owner_id, asset, amount, phase in await snapshot.fetch(
            queries.LIST_SCAN_CREDITS, windows=windows
        ):
            said = {"member_id": owner_id.hex, "asset": asset, "amount": amount}
            rewards.setdefault(scan_id, []).append({**said, "locked": phase == "PENDING"})
        found = await snapshot.fetch(queries.DESCRIBE_SCANS, keys=keys)
        described = {}
        for id, item_no, member_id, role, unpaid_reason, guide_id, occurred_at in found:
            described[scans[id].event_id] = {
                "item": self.keyring.lookup_hash(brand_id, "webhook-item", str(item_no)),
                "member_id": None if member_id is None else member_id.hex,
                "guide_member_id": None if guide_id is None else guide_id.hex,
                "role": role,
                "unpaid_reason": unpaid_reason,
                "occurred_at": occurred_at.isoformat(),
                "rewards": rewards.get(id, []),
            }
        return described


_AROUND = (-LEGS_APART_MAX, LEGS_APART_MAX)
