"""One code, two rewards: what a scan comes to."""

from dataclasses import dataclass, field

from tests.model.campaigns import Campaign
from tests.model.records import Batch, Item, Member, ScanRecord, Waiting
from tests.model.world import Refused, World

PURPOSES = {"INNER": "REWARD", "OUTER": "GUIDE", "CARD": "REWARD"}


@dataclass(frozen=True)
class Scan:
    """``code`` is (batch number, serial), or None for a text that is no code of the brand."""

    person: str
    role: str
    code: tuple[int, int] | None
    device: str | None
    key: str

    @property
    def name(self) -> str:
        return f"{self.person}: {self.key}"

    @property
    def body(self) -> object:
        return (self.code, self.device)


@dataclass
class Told:
    """What the scanner is told beyond the code itself."""

    unpaid: str | None = None
    guide_unpaid: str | None = None
    rewards: list[tuple[str, int, bool]] = field(default_factory=list)


def scan(world: World, wanted: Scan) -> tuple[bool, dict[str, object]]:
    """(replayed, reply). Refuses CODE_UNKNOWN and IDEMPOTENCY_CONFLICT."""
    stored = world.keys.get((wanted.person, wanted.key))
    if stored is not None:
        if stored[0] != wanted.body:
            raise Refused("IDEMPOTENCY_CONFLICT")
        return True, stored[1]
    batch = world.batches.get(wanted.code[0]) if wanted.code else None
    if wanted.code is None or batch is None or wanted.code[1] >= batch.quantity:
        raise Refused("CODE_UNKNOWN")
    reply = _effect(world, wanted, batch, wanted.code[1])
    world.keys[wanted.person, wanted.key] = (wanted.body, reply)
    return False, reply


def _effect(world: World, wanted: Scan, batch: Batch, serial: int) -> dict[str, object]:
    item = world.items.setdefault((batch.series, serial), Item())
    seen = item.scans.setdefault(batch.kind, [])
    is_new, member, rank_before = False, None, 0
    if world.may_act(wanted.person, wanted.role):
        is_new = f"{wanted.person} {wanted.role}" not in world.members
        member = world.enrol(wanted.person, wanted.role)
        world.met["acts as another"] += member.person != wanted.person
        rank_before = member.rank
    told = Told()
    record = world.scans[wanted.name] = ScanRecord(wanted.name, wanted.role)
    _decide(world, wanted, batch, item, member, told)
    record.unpaid = told.unpaid
    if member is not None and wanted.device is not None:
        member.devices.add(wanted.device)
    verdict = {"ACTIVE": "REPEAT" if seen else "FIRST", "RETIRED": "RETIRED"}
    reply: dict[str, object] = {
        "verdict": verdict.get(batch.status, "INACTIVE"),
        "unpaid": told.unpaid,
        "guide_unpaid": told.guide_unpaid,
        "rewards": sorted(told.rewards),
        "count": len(seen) + 1,
        "first_at": seen[0] if seen else None,
        "latest_at": seen[-1] if seen else None,
        "is_new_member": is_new,
        "balances": member.wallet.balances() if member else {},
        "rank": member.rank if member and member.role in world.ladders else None,
        "rank_before": rank_before,
    }
    seen.append(world.now)
    return reply


def _decide(
    world: World, wanted: Scan, batch: Batch, item: Item, member: Member | None, told: Told
) -> None:
    if member is None:
        told.unpaid = "ROSTER"
    elif batch.status == "RETIRED":
        told.unpaid = "RETIRED"
    elif batch.status != "ACTIVE":
        told.unpaid = "INACTIVE"
    elif member.frozen:
        told.unpaid = "FROZEN"
    elif (member.role, PURPOSES[batch.kind]) == ("CONSUMER", "REWARD"):
        _consumer_scans(world, wanted, batch, item, member, told)
    elif (member.role, PURPOSES[batch.kind]) == ("GUIDE", "GUIDE"):
        _guide_scans(world, wanted, batch, item, member, told)
    else:
        told.unpaid = "NO_CAMPAIGN"


def _consumer_scans(
    world: World, wanted: Scan, batch: Batch, item: Item, member: Member, told: Told
) -> None:
    campaign = world.campaign_for("SCAN", batch.product, world.now)
    guide = _whose_guide(world, item, member)
    today = world.day_of(world.now)
    who = {"MEMBER": member.name, "DEVICE": wanted.device}
    if item.claimed:
        told.unpaid = "ALREADY_CLAIMED"
        return
    if campaign is None:
        told.unpaid = "NO_CAMPAIGN"
        return
    if guide is not None and (
        world.who(guide.person) == world.who(wanted.person) or wanted.device in guide.devices
    ):
        told.unpaid = "SELF_DEALING"
        return
    if not campaign.allows(who, today):
        told.unpaid = "CAP"
        return
    record = world.scans[wanted.name]
    record.terms = campaign.terms
    item.claimed = True
    own = world.gifts(campaign.terms, member)
    reason, guides = _guides_part(world, campaign, item, guide)
    item.guide_claimed = True
    if not campaign.affords(own + guides):
        told.unpaid = "BUDGET"
        _release(world, item, None)
        return
    told.guide_unpaid = reason
    world.scanned(member, wanted.name)
    told.rewards = world.give(campaign, member, own, world.now, wanted.name)
    if guide is not None and reason is None:
        record.guide_grants = (wanted.name, item.guide_scan or wanted.name)
    _release(world, item, wanted.name if reason is None else None)
    if guide is not None and guides:
        world.give(campaign, guide, guides, world.now, wanted.name)
        campaign.count({"GUIDE": guide.name}, today)
    campaign.count(who, today)
    record.counted = (member.name, today)


def _whose_guide(world: World, item: Item, member: Member) -> Member | None:
    if item.guide_claimed:
        return world.holder(item.guide) if item.guide else None
    inviter = world.holder(member.invited_by) if member.invited_by else None
    return inviter if inviter is not None and inviter.role == "GUIDE" else None


def _guides_part(
    world: World, campaign: Campaign, item: Item, guide: Member | None
) -> tuple[str | None, list[tuple[str, int]]]:
    """Why the guide gets nothing; or what it gets beside what waits for it."""
    if item.guide_over_budget:
        return "GUIDE_BUDGET", []
    if guide is None:
        return "NO_GUIDE", []
    if guide.frozen:
        return "GUIDE_FROZEN", []
    if world.waiting_for(item):
        return None, []
    gifts = world.gifts(campaign.terms, guide)
    if not gifts:
        return "NO_GUIDE_OUTCOME", []
    if not campaign.allows({"GUIDE": guide.name}, world.day_of(world.now)):
        return "GUIDE_CAP", []
    return None, gifts


def _release(world: World, item: Item, cause: str | None) -> None:
    """What waited is given to the guide for the scan that came; or, None, given back."""
    for waiting in world.waiting_for(item):
        if cause is None:
            world.void(waiting)
        else:
            world.unlock(waiting, cause)


def _guide_scans(
    world: World, wanted: Scan, batch: Batch, item: Item, member: Member, told: Told
) -> None:
    campaign = world.campaign_for("SCAN", batch.product, world.now)
    gifts = world.gifts(campaign.terms, member) if campaign else []
    who: dict[str, str | None] = {"GUIDE": member.name}
    today = world.day_of(world.now)
    if item.guide_claimed:
        told.unpaid = "ALREADY_CLAIMED"
        return
    if campaign is None or not gifts:
        told.unpaid = "NO_CAMPAIGN"
        return
    if campaign.terms.gated and not campaign.allows(who, today):
        told.unpaid = "CAP"
        return
    world.scans[wanted.name].terms = campaign.terms
    item.guide, item.guide_scan, item.guide_claimed = member.name, wanted.name, True
    if not campaign.terms.gated:
        told.unpaid = "AWAITS_CONSUMER"
    elif campaign.affords(gifts):
        for asset, amount in gifts:
            code = campaign.terms.code
            world.lock(Waiting(member.name, code, asset, amount, wanted.name, item))
        told.rewards = [(asset, amount, True) for asset, amount in gifts]
        campaign.count(who, today)
    else:
        told.unpaid = "BUDGET"
        item.guide_over_budget = True
