"""Pure: events folded over a world in memory, by the very rules that settle them, one after the
other through days and weeks. Nothing is written; what each event left is added up and let go."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.clock import local_date
from loyalty.codes.rules import item_no
from loyalty.ledger.models import AccountKind
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.statements import DriverUUID
from rewards.campaigns.models import EventKind, UnlockKind
from rewards.draws.folding import DrawState
from rewards.draws.rules import SEED_BYTES
from rewards.events import rules as events
from rewards.events.rules import EventStatus, EventWorld
from rewards.grants import rules as grants
from rewards.grants.channel import Backer
from rewards.grants.models import ChannelUnpaidReason, LockStatus
from rewards.grants.world import (
    GrantWorld,
    LockedState,
    MemberState,
    WaitKey,
)
from rewards.purchases import rules as purchases
from rewards.purchases.rules import PurchaseWorld
from rewards.scans import rules as scans
from rewards.scans.models import ClaimOutcome
from rewards.scans.world import (
    GUIDE,
    ScanReply,
    ScanRequest,
    ScanWorld,
    unlock_key,
)
from rewards.simulations.beginning import Start
from rewards.simulations.rules import EventHappens, Happening, PurchaseHappens, ScanHappens
from rewards.simulations.tally import Tally, codes_of
from tiers.standings.folding import MemberTier
from tiers.standings.loading import load_for
from tiers.standings.rules import Held

Budgets = Mapping[UUID, Mapping[str, int]]
"""What each campaign may give, by its id and by asset."""
NO_CAMPAIGN = "NO_CAMPAIGN"
_CAUSE = "SIMULATION"


class Fold:
    """One world that moves through time. ``budgets`` are of the campaigns that have any."""

    def __init__(self, start: Start, budgets: Budgets, seed: int) -> None:
        self._random = Random(f"fold|{seed}")
        self._start = start
        self._brand = start.brand
        self._budgets = budgets
        brand_id = start.brand.id
        self._grants = GrantWorld(
            now=datetime.min.replace(tzinfo=UTC),
            new_id=self._new_id,
            new_coupon_code=lambda: f"{self._random.getrandbits(64):016x}",
            book=Book(self._new_id),
            brands={brand_id: start.brand},
            issuance={
                (brand_id, brand_id, asset): AccountState(
                    brand_id,
                    self._new_id(),
                    brand_id,
                    asset,
                    kind=AccountKind.ISSUANCE.value,
                    is_brand=True,
                )
                for asset in start.brand.assets
            },
            budgets={
                (brand_id, campaign_id, asset): allowed
                for campaign_id, of_it in budgets.items()
                for asset, allowed in of_it.items()
            },
            stock={(brand_id, id): left for id, left in start.stock.items()},
            segments=dict(start.segments),
        )
        self._scans = ScanWorld(
            self._grants,
            claims={key: replace(claim) for key, claim in start.claims.items()},
            devices=set(start.devices),
            item_codes={key: replace(code) for key, code in start.codes.items()},
        )
        self._purchases = PurchaseWorld(self._grants, start.brand)
        self._events = EventWorld(self._grants, start.brand)
        self._campaigns = {each.version_id: each for each in start.brand.campaigns.all()}
        self._channel_roles = {
            role for campaign in self._campaigns.values() for role in campaign.channel
        }
        self._today: date | None = None
        self._people = {member.id: key for key, member in start.people.items()}
        self.tally = Tally(codes_of(self._campaigns.values()))

    def fold(self, happening: Happening) -> None:
        """One event, and all that it leads to."""
        self._move_to(happening.at)
        if isinstance(happening, PurchaseHappens):
            self._buy(happening)
        elif isinstance(happening, EventHappens):
            self._come_about(happening)
        else:
            self._scan(happening)
        self.tally.events += 1
        self._let_go()

    def waiting(self) -> list[LockedState]:
        """What is locked and known."""
        return list(self._grants.states())

    def report_budgets(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(allowed, left) by campaign code and asset."""
        codes = self.tally.codes
        return {
            (codes[campaign_id], asset): (
                allowed,
                self._grants.budgets[self._brand.id, campaign_id, asset],
            )
            for campaign_id, of_it in self._budgets.items()
            for asset, allowed in of_it.items()
            if campaign_id in codes
        }

    # --- time --------------------------------------------------------------------------------

    def _move_to(self, at: datetime) -> None:
        self._grants.now = at
        today = local_date(at, self._brand.timezone)
        if self._today is None or today > self._today:
            self._today = today
            self._draw_seeds()
            self._end_what_is_due(at)
        # A window may begin or end at any moment.
        self._scans.campaigns.clear()

    def _draw_seeds(self) -> None:
        """Nobody knows what the sealed seeds of days to come are: these are others."""
        for campaign in self._campaigns.values():
            if campaign.draw is not None:
                seed = self._random.randbytes(SEED_BYTES)
                key = (self._brand.id, campaign.id)
                self._grants.seeds[key] = (seed, hashlib.sha256(seed).hexdigest())

    def _end_what_is_due(self, at: datetime) -> None:
        """What waits for a time is looked at once a day."""
        for state in list(self._grants.states()):
            unlock = state.unlock
            if state.status is not LockStatus.LOCKED:
                continue
            if unlock.unlocks_at is not None and unlock.unlocks_at <= at:
                self._end(state, at, LockStatus.UNLOCKED)
            elif unlock.lapses_at is not None and unlock.lapses_at <= at:
                self._end(state, at, LockStatus.LAPSED)
        self._forget_resolved(*list(self._grants.locked))
        self._let_go()

    def _end(self, state: LockedState, at: datetime, end: LockStatus) -> None:
        member = self._scans.members_by_id[state.brand_id, state.member_id]
        cause = Cause(_CAUSE, state.cause_id, ActorKind.SYSTEM.value, state.brand_id, "due", at)
        grants.end_locked(self._grants, member, state, cause, end)

    # --- events ------------------------------------------------------------------------------

    def _scan(self, scan: ScanHappens) -> None:
        brand_id = self._brand.id
        batch = scan.batch
        self._scans.batches[brand_id, batch.number] = batch
        key = (brand_id, scan.identity_id, scan.role)
        member = self._member(scan.identity_id, scan.role, scan.at) if scan.is_on_roster else None
        self._scans.members[key] = member
        if member is not None:
            member.status = "FROZEN" if scan.is_frozen else "ACTIVE"
            # Whoever was not turned away for its age then is taken to be old enough.
            member.born_by = None if scan.is_under_age else date.min
        self._meet_guide(scan, member)
        reply = scans.decide(self._scans, self._request(scan))
        if not isinstance(reply, ScanReply):
            raise ValueError(f"a scan of the past cannot be refused: {reply}")
        item = item_no(batch.series_no, scan.serial)
        self._forget_resolved((brand_id, None, unlock_key(item)))
        if member is not None:
            member.is_new = False
            self._forget_resolved((brand_id, member.id, UnlockKind.NEXT_SCAN.value))
        else:
            del self._scans.members[key]
        row = self._scans.scans[-1]
        if row.unpaid_reason is None:
            self.tally.paid += 1
        else:
            self.tally.unpaid[row.unpaid_reason] += 1
        if row.guide_unpaid_reason is not None:
            self.tally.guide_unpaid[row.guide_unpaid_reason] += 1
        for role in self._channel_roles:
            part = self._scans.claims.get((brand_id, item, role.value))
            if part and part.scan_id == row.request.scan_id and part.outcome != ClaimOutcome.PAID:
                self.tally.channel_unpaid[f"{role.value} {part.outcome}"] += 1
        self._add_draws(scan.at, self._scans.draws)

    def _add_draws(self, at: datetime, draws: list[DrawState]) -> None:
        on = local_date(at, self._brand.timezone)
        for state in draws:
            self.tally.add_draw(on, state)
        draws.clear()

    def _meet_guide(self, scan: ScanHappens, member: MemberState | None) -> None:
        """Whoever pre-scanned the item may have done so before the first event."""
        item = item_no(scan.batch.series_no, scan.serial)
        claim = self._scans.claims.get((self._brand.id, item, GUIDE))
        guide_id = None if member is None else member.invited_by_id
        if claim is not None:
            guide_id = claim.member_id
        if guide_id is None or scan.role == GUIDE:
            return
        self._enter_known(guide_id, scan.at)
        guide = self._scans.members_by_id.get((self._brand.id, guide_id))
        if guide is not None:
            guide.status = "FROZEN" if scan.is_guide_frozen else "ACTIVE"
            self._meet_channel(guide, scan.at)

    def _meet_channel(self, guide: MemberState, at: datetime) -> None:
        """Who stands behind a guide. One that is made up has a place of its own, with everybody."""
        made_up = None if guide.id in self._people else guide.identity_id
        for role in self._channel_roles:
            key = (guide.brand_id, guide.id, role.value)
            self._scans.channel[key] = self._backer(guide.id, role.value, made_up, at)

    def _meet_place(self, place_id: UUID, at: datetime) -> None:
        """Who is behind a place. One that is made up has everybody."""
        for role in self._channel_roles:
            made_up = None if (place_id, role.value) in self._start.channel else place_id
            backer = self._backer(place_id, role.value, made_up, at)
            self._purchases.channel[place_id, role.value] = backer

    def _backer(self, asked_id: UUID, role: str, made_up: UUID | None, at: datetime) -> Backer:
        """Who has a role behind a guide or a place, if it was there by then; of what is made up,
        the identity of whoever that is."""
        if made_up is not None:
            member = self._member(made_up, role, at)
            member.is_new = False
            return member
        found = self._start.channel.get((asked_id, role), ChannelUnpaidReason.NO_PLACE)
        if isinstance(found, ChannelUnpaidReason):
            return found
        self._enter_known(found, at)
        member = self._scans.members_by_id[self._brand.id, found]
        was_there = member.joined_at is None or member.joined_at <= at
        return member if was_there else ChannelUnpaidReason.NOT_ENROLLED

    def _request(self, scan: ScanHappens) -> ScanRequest:
        actor = Actor(ActorKind.MEMBER, self._brand.id, scan.identity_id, scan.role)
        return ScanRequest(
            scan_id=self._new_id(),
            actor=actor,
            key_epoch_id=scan.batch.key_epoch_id,
            batch_number=scan.batch.number,
            serial=scan.serial,
            idempotency_key="",
            body_hash="",
            device_hash=scan.device,
            latitude=scan.latitude,
            longitude=scan.longitude,
            scene=scan.scene,
            address="",
        )

    def _buy(self, purchase: PurchaseHappens) -> None:
        role = MemberRole.CONSUMER.value
        buyer = self._member(purchase.identity_id, role, purchase.at)
        self._purchases.buyers[purchase.fact.buyer] = buyer
        if purchase.fact.place is not None:
            self._meet_place(purchase.fact.place.id, purchase.at)
        actor = Actor(ActorKind.SYSTEM, self._brand.id, self._brand.id, "")
        purchases.decide(self._purchases, actor, purchase.fact)
        buyer.is_new = False
        self._add_draws(purchase.at, self._purchases.draws)
        new = self._purchases.new[-1]
        if new.campaign_version_id is None:
            self.tally.unpaid[new.not_paid.value if new.not_paid else NO_CAMPAIGN] += 1
        else:
            self.tally.paid += 1
        for part in new.channel:
            if part.unpaid is not None:
                self.tally.channel_unpaid[f"{part.role} {part.unpaid.value}"] += 1

    def _come_about(self, event: EventHappens) -> None:
        fact = event.fact
        member = self._member(event.identity_id, event.role, event.at)
        member.status = "FROZEN" if event.is_frozen else "ACTIVE"
        member.is_new = False  # who is made by this very event joins at its time
        if fact.kind is EventKind.TIER_REACHED:  # what led to it is no part of this
            tier = self._grants.tiers[self._brand.id, member.id]
            tier.held = Held(earned_rank=int(fact.payload["rank"]))
        self._events.members[fact.member_id] = member
        actor = Actor(ActorKind.SYSTEM, self._brand.id, self._brand.id, "")
        result = events.decide(self._events, actor, fact)
        self._add_draws(event.at, self._events.draws)
        unpaid = result.recorded.unpaid_reason if result.recorded is not None else None
        if result.status is not EventStatus.RECORDED:
            self.tally.unpaid[result.status.value] += 1
        elif unpaid is None:
            self.tally.paid += 1
        else:
            self.tally.unpaid[unpaid.value] += 1

    def _member(self, identity_id: UUID, role: str, at: datetime) -> MemberState:
        """Who it is; who is nobody yet is enrolled in this moment."""
        brand_id = self._brand.id
        found = self._scans.members.get((brand_id, identity_id, role))
        if found is not None:
            return found
        known = self._start.people.get((identity_id, role))
        if known is None:
            member = MemberState(
                brand_id, self._new_id(), identity_id, role, "ACTIVE", is_new=True, joined_at=at
            )
        else:  # who was merged comes in by several identities, and is one member
            entered = self._scans.members_by_id.get((brand_id, known.id))
            member = entered or replace(known)
        self._scans.members[brand_id, identity_id, role] = member
        if (brand_id, member.id) not in self._scans.members_by_id:
            self._enter(member, at)
        return member

    def _enter(self, member: MemberState, at: datetime) -> None:
        key = (member.brand_id, member.id)
        self._scans.members_by_id[key] = member
        if member.invited_by_id is not None:
            self._enter_known(member.invited_by_id, at)
        today = local_date(at, self._brand.timezone)
        known = self._start.tiers.get(member.id)
        if known is not None:
            self._grants.tiers[key] = replace(known, days=dict(known.days), added={}, changes=[])
            account = self._grants.account(member, "GROWTH")
            account.balance = known.balance
            return
        joined_on = local_date(member.joined_at or at, self._brand.timezone)
        ladder = self._brand.ladders.get(member.role)
        tier = MemberTier(*key, ladder, self._brand.timezone, joined_on, member.joined_at or at)
        load_for(tier, today)
        self._grants.tiers[key] = tier

    def _enter_known(self, member_id: UUID, at: datetime) -> None:
        known = self._people.get(member_id)
        if known is not None:
            self._member(*known, at)

    # --- letting go --------------------------------------------------------------------------

    def _let_go(self) -> None:
        """Add up what the last event moved, and forget what is only there to be written."""
        world, scans_world = self._grants, self._scans
        on = local_date(world.now, self._brand.timezone)
        self.tally.add_movements(on, world.book.movements)
        for issue in world.coupons:
            template = self._brand.coupon_templates[issue.template_id]
            self.tally.coupons[on, template.code] += 1
            self.tally.rewarded.add(issue.member_id)
        world.book = Book(self._new_id)
        for written in (world.facts, world.coupons, scans_world.scans, scans_world.draws):
            written.clear()
        for _, bonus in world.bonuses:
            if bonus.unpaid is not None:
                key = (self.tally.codes[bonus.campaign.id], bonus.unpaid.value)
                self.tally.bonus_unpaid[key] += 1
        world.bonuses.clear()
        world.withheld.clear()
        for noted in (world.counter_moves, world.budget_moves, world.stock_moves):
            noted.clear()
        scans_world.new_replies.clear()
        scans_world.replies.clear()
        scans_world.new_devices.clear()
        self._events.new.clear()
        self._purchases.new.clear()
        self._purchases.recorded.clear()
        self._purchases.buyers.clear()

    def _forget_resolved(self, *keys: WaitKey) -> None:
        """What was unlocked or lapsed is not looked at again by whatever comes."""
        for key in keys:
            left = [s for s in self._grants.locked.pop(key, ()) if s.status is LockStatus.LOCKED]
            if left:
                self._grants.locked[key] = left

    def _new_id(self) -> UUID:
        made: UUID = DriverUUID(self._random.randbytes(16))
        return made
