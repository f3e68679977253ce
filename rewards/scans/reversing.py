"""Taking a consumer's scan back: what it gave to the consumer, to the guide and to who stands
behind that, in one go."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import MemberClosed, NotFound, ScanNotReversible
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Cause, ReturnPolicy
from loyalty.members.service import follow_merges, list_members_by_ids
from loyalty.reversals.rules import Credited, TakenBack, Wanted, returned_to_campaigns
from loyalty.reversals.service import find_credits, take_back
from loyalty.text import checked_text
from loyalty.withholdings.service import find_of_credits, return_tax
from rewards.campaigns.rules import DEFAULT_RETURN_POLICY, LiveCampaign
from rewards.campaigns.service import find_versions, uncount_caps
from rewards.coupons.models import CouponCause
from rewards.grants import service as grants
from rewards.grants.models import Bonus, LockedReward, LockStatus
from rewards.grants.rules import (
    caps_of,
    count_for_tier,
    end_locked,
    return_to_budgets,
)
from rewards.grants.world import GrantWorld, MemberState
from rewards.issues.service import void_won
from rewards.scans import queries
from rewards.scans.models import ClaimOutcome, ScanEvent, ScanReversal
from rewards.scans.world import CONSUMER
from tiers.standings.folding import TierEvent

CAUSE_KIND = "SCAN_REVERSAL"
REASON_LENGTH_MAX = 500


@dataclass(slots=True)
class ReversedLeg:
    """What a reversal did to one asset of one of those who were paid: ``taken`` from the balance,
    ``owed`` from now on, ``voided`` while it was still locked, and what is ``left`` to the member.
    """

    role: str
    asset: str
    taken: int = 0
    owed: int = 0
    voided: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class ScanReversed:
    """A scan that was taken back: how often coupons were void, and what became of the rest."""

    reversal: ScanReversal
    legs: list[ReversedLeg]
    coupons_voided: int


@dataclass(frozen=True, slots=True)
class _Granting:
    """The scans that gave something to each role, what bonus campaigns gave on top, and the
    versions that all these fell to. ``paid_ids``: who was paid beside the consumer."""

    scans: dict[str, list[ScanEvent]]
    paid_ids: set[UUID]
    bonuses: list[Bonus]
    versions: dict[UUID, LiveCampaign]

    def campaign_of(self, scan: ScanEvent) -> LiveCampaign | None:
        version_id = scan.campaign_version_id
        return None if version_id is None else self.versions.get(version_id)

    def paid_bonuses(self) -> list[LiveCampaign]:
        return [self.versions[b.campaign_version_id] for b in self.bonuses if not b.unpaid_reason]

    def policies(self, role: str) -> dict[UUID, ReturnPolicy]:
        """By the scan that gave: what its campaign says of returns."""
        return {each.id: _policy(self.campaign_of(each), role) for each in self.scans[role]}

    def bonus_policies(self, role: str) -> dict[tuple[UUID, UUID], ReturnPolicy]:
        """By the scan and the bonus campaign that gave: what that one says of returns."""
        return {
            (bonus.cause_id, bonus.campaign_id): _policy(
                self.versions[bonus.campaign_version_id], role
            )
            for bonus in self.bonuses
        }


def _policy(campaign: LiveCampaign | None, role: str) -> ReturnPolicy:
    return DEFAULT_RETURN_POLICY if campaign is None else campaign.return_policy(MemberRole(role))


@dataclass(slots=True)
class _Party:
    """One of those who were paid: ``holder`` has by now what it was given. ``policies``: by the
    scan that gave it, what its campaign says of returns; ``bonus_policies``: of what its bonuses
    gave."""

    role: str
    policies: dict[UUID, ReturnPolicy]
    bonus_policies: dict[tuple[UUID, UUID], ReturnPolicy]
    holder: MemberState
    member_ids: set[UUID] = field(default_factory=set)
    taken: list[TakenBack] = field(default_factory=list)
    legs: dict[str, ReversedLeg] = field(default_factory=dict)

    def leg(self, asset: str) -> ReversedLeg:
        return self.legs.setdefault(asset, ReversedLeg(self.role, asset))

    def policy(self, credit: Credited) -> ReturnPolicy | None:
        """None of what another scan gave."""
        of_scan = self.policies.get(credit.granted_by_id)
        if of_scan is None or credit.campaign_id is None:
            return of_scan
        return self.bonus_policies.get((credit.granted_by_id, credit.campaign_id), of_scan)


async def reverse_scan(tx: Tx, actor: Actor, scan_id: UUID, reason: str) -> ScanReversed:
    """Take back what a consumer's scan gave, to the consumer, to the guide and to who was behind
    that then, each under its campaign's return policy: what it locked (unlocked since or not), what
    it credited, and coupons that are still free.

    What it unlocked of an earlier scan's stays: it is that one's. The claims stay consumed: nobody
    is paid for the item again. Budgets have back what was taken or is owed, and the consumer's
    counters the event: it is none that was paid. The caps of guide, store and device stay counted.
    What bonus campaigns gave on top goes the same way, each under its own policy.
    Refuses NotFound (scan), ScanNotReversible and InvalidInput (reason).
    """
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    scan = await queries.find_scan(tx, actor.brand_id, scan_id)
    if scan is None:
        raise NotFound(noun="scan")
    if scan.role != CONSUMER:
        raise ScanNotReversible(reason="PRE_SCAN")
    if scan.unpaid_reason is not None or scan.member_id is None:
        raise ScanNotReversible(reason="NOT_PAID")
    reversal = ScanReversal(
        brand_id=scan.brand_id,
        scan_id=scan.id,
        reason=reason,
        reversed_by=actor.id,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(reversal):
        raise ScanNotReversible(reason="ALREADY_REVERSED")
    cause = Cause(CAUSE_KIND, reversal.id, actor.kind.value, actor.id, reason, tx.now)
    granting = await _find_granting(tx, scan)
    locked, parties = await _find_parties(tx, scan, granting)
    world = await _open_world(tx, parties)
    await _take_back(tx, world, scan, parties, cause)
    _lower_tiers(world, scan, parties, locked, cause)
    await grants.write_members_side(tx, world)
    causes = [(CouponCause.SCAN, scan.id), *((CouponCause.LOCK, row.id) for row in locked)]
    coupons = await void_won(tx, scan.brand_id, causes)
    await _uncount(tx, world, scan, granting)
    await audit_log.record(tx, actor, "scan.reverse", scan.id, reason, coupons_voided=coupons)
    await grants.write_brands_side(tx, world)
    legs = [leg for party in parties for _, leg in sorted(party.legs.items())]
    return ScanReversed(reversal, legs, coupons)


async def _find_granting(tx: Tx, scan: ScanEvent) -> _Granting:
    """The consumer's scan itself, to everybody whom it paid; and the guide's pre-scan of its item,
    if the guide was paid."""
    scans: dict[str, list[ScanEvent]] = {CONSUMER: [scan]}
    paid_ids = set()
    for claim in await queries.list_settled_claims(tx, scan):
        role = claim.beneficiary_role
        if role == CONSUMER or claim.outcome != ClaimOutcome.PAID or claim.member_id is None:
            continue
        scans[role] = [scan]
        paid_ids.add(claim.member_id)
        if claim.scan_id != scan.id:
            pre_scan = await queries.find_scan(tx, scan.brand_id, claim.scan_id)
            scans[role] += [pre_scan] if pre_scan is not None else []
    bonuses = await grants.list_bonuses(tx, scan.brand_id, [scan.id])
    named = {each.campaign_version_id for of_role in scans.values() for each in of_role}
    named |= {bonus.campaign_version_id for bonus in bonuses}
    versions = await find_versions(tx, scan.brand_id, [id for id in named if id is not None])
    return _Granting(scans, paid_ids, bonuses, versions)


async def _find_parties(
    tx: Tx, scan: ScanEvent, granting: _Granting
) -> tuple[list[LockedReward], list[_Party]]:
    """Everything that the scan, or the guide's pre-scan of its item, ever locked; and whom they
    gave something: the consumer, and who was paid beside it."""
    members = granting.paid_ids | ({scan.member_id} if scan.member_id is not None else set())
    causes = {each.id for scans in granting.scans.values() for each in scans}
    locked = await grants.list_granted_locked(tx, scan.brand_id, causes)
    # What was locked may have been unlocked for somebody into whom its member was merged.
    members |= {row.member_id for row in locked}
    holders = await follow_merges(tx, scan.brand_id, members)
    rows = await list_members_by_ids(tx, scan.brand_id, sorted({*members, *holders.values()}))
    parties = {}
    for row in rows:
        if row.role in granting.scans and row.id in holders.values():
            holder = MemberState(row.brand_id, row.id, row.identity_id, row.role, row.status)
            policies, of_bonuses = granting.policies(row.role), granting.bonus_policies(row.role)
            parties[row.role] = _Party(row.role, policies, of_bonuses, holder)
    for row in rows:
        if row.role in parties:
            parties[row.role].member_ids.add(row.id)
    return locked, [parties[role] for role in sorted(parties)]


async def _uncount(tx: Tx, world: GrantWorld, scan: ScanEvent, granting: _Granting) -> None:
    """Take the event back from the counters of the member who scanned, those of its bonuses too."""
    campaign, member_id = granting.campaign_of(scan), scan.member_id
    if campaign is None or member_id is None:
        return
    brand, at = world.brands[scan.brand_id], scan.occurred_at
    keys = [
        key
        for each in (campaign, *granting.paid_bonuses())
        for key, _ in caps_of(brand, each, member_id, at)
    ]
    await uncount_caps(tx, keys)


async def _open_world(tx: Tx, parties: Sequence[_Party]) -> GrantWorld:
    brand_id = parties[0].holder.brand_id
    world = grants.empty_world(tx, {brand_id: await grants.load_configuration(tx, brand_id)})
    try:
        await grants.load_members_side(
            tx, world, [(brand_id, party.holder.id) for party in parties]
        )
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up
    return world


async def _take_back(
    tx: Tx, world: GrantWorld, scan: ScanEvent, parties: Sequence[_Party], cause: Cause
) -> None:
    """Void what is locked and take back what was credited, in memory; the holders' accounts are
    locked."""
    brand_id = scan.brand_id
    party_of = {member_id: party for party in parties for member_id in party.member_ids}
    pairs = [(id, cause_id) for id, party in party_of.items() for cause_id in party.policies]
    credits = await find_credits(tx, brand_id, pairs)
    causes = {cause_id for party in parties for cause_id in party.policies}
    states = await grants.load_locked_by_cause(tx, world, [(brand_id, id) for id in causes])
    campaigns = {each.campaign_id for each in credits} | {each.campaign_id for each in states}
    await grants.load_brands_side(
        tx, world, [(brand_id, id) for id in campaigns if id is not None], ()
    )
    for state in states:
        party = party_of[state.member_id]
        end_locked(world, party.holder, state, cause, LockStatus.VOIDED)
        party.leg(state.asset).voided += state.amount
    wanted = []
    taxed = await find_of_credits(tx, brand_id, [credit.id for credit in credits])
    for credit in credits:
        party = party_of[credit.member_id]
        policy = party.policy(credit)
        if policy is not None and not credit.is_pending:
            kept = taxed[credit.id].tax_fen if credit.id in taxed else 0
            wanted.append(Wanted(credit, credit.left - kept, policy, party.holder.id))
    today = local_date(tx.now, world.brands[brand_id].timezone)
    taken = await take_back(
        tx, world.book, wanted, cause, today, has=world.accounts, owes=world.owed
    )
    taken = await return_tax(tx, world.book, taken, taxed, cause)
    return_to_budgets(world, returned_to_campaigns(taken))
    for one in taken:
        party = party_of[one.credit.member_id]
        party.taken.append(one)
        leg = party.leg(one.credit.asset)
        leg.taken += one.taken
        leg.owed += one.owed
        leg.left += one.left


def _lower_tiers(
    world: GrantWorld,
    scan: ScanEvent,
    parties: Sequence[_Party],
    locked: Sequence[LockedReward],
    cause: Cause,
) -> None:
    """Let the tiers know what their members no longer have: the growth balance, and, on the days
    on which it was counted, what was earned; of the consumer the scan itself."""
    unlocked_at = {
        row.resolved_by_id: row.unlocks_at or row.resolved_at
        for row in locked
        if row.status == LockStatus.UNLOCKED
    }
    for party in parties:
        earned: dict[datetime, dict[str, int]] = {scan.occurred_at: {}}
        for one in party.taken:
            by_asset = earned.setdefault(unlocked_at.get(one.credit.id) or scan.occurred_at, {})
            asset = one.credit.asset
            by_asset[asset] = by_asset.get(asset, 0) - one.taken - one.owed
        growth = world.accounts.get((scan.brand_id, party.holder.id, Asset.GROWTH.value))
        moved = [move for move in world.book.movements if growth and move.debit is growth]
        for counted_at, by_asset in earned.items():
            is_first = counted_at == scan.occurred_at
            event = TierEvent(
                cause.occurred_at,
                cause.kind,
                cause.id,
                transfer_id=moved[0].id if moved else None,
                balance=growth.balance if growth and moved and is_first else None,
                earned=by_asset,
                scans=-1 if is_first and party.role == CONSUMER else 0,
                counted_at=counted_at,
            )
            count_for_tier(world, party.holder, event)
