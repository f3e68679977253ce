"""What a batch of scans may touch, as values: the requests, and the world they are folded over."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, MemberRole
from loyalty.ages.rules import is_of_age
from loyalty.clock import local_date
from loyalty.codes.models import CodePurpose
from loyalty.codes.rules import item_no
from loyalty.regions.rules import RegionView, region_at
from rewards.campaigns.models import EventKind, Gate
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts, LazyFacts, Value
from rewards.conditions.rules import Questions
from rewards.draws.folding import DrawState, can_draw
from rewards.grants.channel import Backer
from rewards.grants.facts import builders_of_member
from rewards.grants.rules import GrantWorld, MemberState

OPERATION = "scanCode"
REWARD = CodePurpose.REWARD.value
CONSUMER = MemberRole.CONSUMER.value
GUIDE = MemberRole.GUIDE.value

ClaimKey = tuple[UUID, int, str]
"""(brand_id, item_no, beneficiary_role); the purpose of claims is always REWARD here."""
CodeKeyOfItem = tuple[UUID, int, str]
"""(brand_id, item_no, code kind)"""


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """One scan as it arrived. ``batch_number`` is None when the text was no code of the brand;
    ``key_epoch_id`` names the key that the code was made with."""

    scan_id: UUID
    actor: Actor
    key_epoch_id: UUID | None
    batch_number: int | None
    serial: int
    idempotency_key: str
    body_hash: str
    device_hash: str | None
    latitude: float | None
    longitude: float | None
    scene: str | None
    address: str
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class BatchView:
    """A code batch as rules see it."""

    brand_id: UUID
    id: UUID
    key_epoch_id: UUID
    number: int
    series_no: int
    product_id: UUID
    kind: str
    purpose: str
    quantity: int
    status: str


@dataclass(slots=True)
class ItemCodeState:
    """What is known of one printed code; ``new_scans`` counts those of this batch."""

    batch_id: UUID
    scan_count: int
    first_scan_id: UUID
    first_scanned_at: datetime
    first_latitude: float | None
    first_longitude: float | None
    last_scan_id: UUID
    last_scanned_at: datetime
    new_scans: int = 0


@dataclass(slots=True)
class ClaimState:
    """A consumed claim. ``is_new``: by this batch; ``is_settled_now``: its settlement is."""

    scan_id: UUID
    member_id: UUID | None
    outcome: str
    campaign_id: UUID | None
    settled_scan_id: UUID | None
    is_new: bool = False
    is_settled_now: bool = False


@dataclass(slots=True)
class ScanRow:
    """A scan event to be written; fields as in ``rewards.scans.models.ScanEvent``."""

    request: ScanRequest
    batch: BatchView
    item_no: int
    member_id: UUID | None
    verdict: str
    unpaid_reason: str | None
    guide_member_id: UUID | None
    guide_unpaid_reason: str | None
    campaign_version_id: UUID | None


@dataclass(slots=True)
class ScanWorld:
    """What a batch of scans may touch, as read, and what it is to write. ``channel``: by (brand_id,
    guide's id, role) who stands behind guides, or why nobody does; of roles that are paid."""

    grants: GrantWorld
    batches: dict[tuple[UUID, int], BatchView] = field(default_factory=dict)
    members: dict[tuple[UUID, UUID, str], MemberState | None] = field(default_factory=dict)
    members_by_id: dict[tuple[UUID, UUID], MemberState] = field(default_factory=dict)
    item_codes: dict[CodeKeyOfItem, ItemCodeState] = field(default_factory=dict)
    claims: dict[ClaimKey, ClaimState] = field(default_factory=dict)
    devices: set[tuple[UUID, str, UUID]] = field(default_factory=set)
    new_devices: set[tuple[UUID, str, UUID]] = field(default_factory=set)
    replies: dict[tuple[UUID, UUID, str], tuple[str, dict[str, Any]]] = field(default_factory=dict)
    new_replies: list[ScanRequest] = field(default_factory=list)
    scans: list[ScanRow] = field(default_factory=list)
    unknown: list[ScanRequest] = field(default_factory=list)
    campaigns: dict[tuple[UUID, UUID, str | None], tuple[LiveCampaign, ...]] = field(
        default_factory=dict
    )
    regions: dict[UUID, str | None] = field(default_factory=dict)
    questions: Questions = field(default_factory=Questions)
    draws: list[DrawState] = field(default_factory=list)
    channel: dict[tuple[UUID, UUID, str], Backer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanReply:
    """The stored reply of an effected scan, and whether it was given before."""

    reply: dict[str, Any]
    replayed: bool


def candidates(
    world: ScanWorld, request: ScanRequest, batch: BatchView
) -> tuple[LiveCampaign, ...]:
    """The campaigns that may be for scans of a batch's product here and now, in the order in which
    they are asked: looked for once in a batch of scans."""
    region = _region_of(world, request)
    key = (batch.brand_id, batch.product_id, region)
    if key not in world.campaigns:
        index = world.grants.brands[batch.brand_id].campaigns
        world.campaigns[key] = index.candidates(
            EventKind.SCAN, batch.product_id, world.grants.now, region
        )
    return world.campaigns[key]


def bonuses(world: ScanWorld, request: ScanRequest, batch: BatchView) -> tuple[LiveCampaign, ...]:
    """The bonus campaigns that may pay on top of what a scan of the batch's product is paid here
    and now, in the order in which they are asked."""
    index = world.grants.brands[batch.brand_id].campaigns
    region = _region_of(world, request)
    return index.bonuses(EventKind.SCAN, batch.product_id, world.grants.now, region)


def _region_of(world: ScanWorld, request: ScanRequest) -> str | None:
    """Where a scan is, for campaigns that run in some regions alone; looked for once a scan, and
    not at all where the brand has none of these."""
    brand = world.grants.brands[request.actor.brand_id]
    if not brand.campaigns.is_regional:
        return None
    if request.scan_id not in world.regions:
        found = region_at(brand.regions, request.latitude, request.longitude)
        world.regions[request.scan_id] = found
    return world.regions[request.scan_id]


def choose_campaign(
    world: ScanWorld, request: ScanRequest, batch: BatchView, member: MemberState
) -> LiveCampaign | None:
    """The campaign for a member's scan: the first whose condition holds. A guide's pre-scan that
    only names the guide answers no condition: those are asked of the consumer. A draw without
    today's seed does not run."""
    for campaign in candidates(world, request, batch):
        if not can_draw(world.grants, campaign, batch.brand_id):
            continue
        if campaign.condition is None:
            return campaign
        if member.role == GUIDE and campaign.gate is Gate.NONE:
            if campaign.channel or campaign.pays(MemberRole.GUIDE):
                return campaign
        elif world.questions.holds(
            campaign.condition, scan_facts(world, request, batch, member, campaign)
        ):
            return campaign
    return None


def scan_facts(
    world: ScanWorld,
    request: ScanRequest,
    batch: BatchView,
    member: MemberState,
    campaign: LiveCampaign,
) -> Facts:
    """A scan's facts as a campaign sees them, put together as they are asked for."""
    brand = world.grants.brands[batch.brand_id]
    now = world.grants.now

    def product() -> dict[str, Value]:
        row = brand.products[batch.product_id]
        return {"sku": row.sku, "gtin": row.gtin or ""}

    return LazyFacts(
        {
            "event": lambda: _event_facts(request, now, brand.regions),
            "product": product,
            "item": lambda: _item_facts(world, request, batch),
            "batch": lambda: {"number": batch.number, "kind": batch.kind},
            **builders_of_member(world.grants, campaign, member, now),
        }
    )


def _item_facts(world: ScanWorld, request: ScanRequest, batch: BatchView) -> dict[str, Value]:
    item = item_no(batch.series_no, request.serial)
    code = world.item_codes.get((batch.brand_id, item, batch.kind))
    return {"serial": request.serial, "scans": code.scan_count if code else 0}


def _event_facts(
    request: ScanRequest, now: datetime, regions: Iterable[RegionView]
) -> dict[str, Value]:
    return {
        "kind": EventKind.SCAN.value,
        "at": now,
        "scene": request.scene or "",
        "located": request.latitude is not None and request.longitude is not None,
        "latitude": request.latitude or 0.0,
        "longitude": request.longitude or 0.0,
        "region": region_at(regions, request.latitude, request.longitude) or "",
    }


def is_old_enough(world: ScanWorld, batch: BatchView, member: MemberState) -> bool:
    """Whether the product asks for no age, or the consumer has confirmed it."""
    brand = world.grants.brands[batch.brand_id]
    product = brand.products.get(batch.product_id)
    if product is None or product.age_min is None:
        return True
    return is_of_age(member.born_by, product.age_min, local_date(world.grants.now, brand.timezone))


def is_same_person(
    world: ScanWorld, request: ScanRequest, member: MemberState, other: MemberState
) -> bool:
    """Whether one person would be paid in two roles (by identity, so by phone), or one device."""
    if member.person == other.person:
        return True
    device = request.device_hash
    return device is not None and (other.brand_id, device, other.id) in world.devices


def unlock_key(item: int) -> str:
    """What the consumer's scan of an item unlocks."""
    return f"item:{item}:consumer"


def inner_key(item: int) -> str:
    """What a consumer's scan of an item's INNER code unlocks of its own."""
    return f"item:{item}:inner"


def reply_key(request: ScanRequest) -> tuple[UUID, UUID, str]:
    """What a scan's reply is stored under: (brand_id, actor_id, idempotency key)."""
    return (request.actor.brand_id, request.actor.id, request.idempotency_key)


def find_batch(world: ScanWorld, request: ScanRequest) -> BatchView | None:
    """The batch that a code names: made with that batch's own key (a leaked older key forges
    nothing newer), and a serial that was ordered."""
    batch = world.batches.get((request.actor.brand_id, request.batch_number or 0))
    if (
        batch is None
        or batch.key_epoch_id != request.key_epoch_id
        or request.serial >= batch.quantity
    ):
        return None
    return batch
