"""The world that a dry run folds its events over: who is in it, and what it forgets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.assets.rules import NEVER
from loyalty.assets.service import AssetView
from loyalty.codes.rules import item_no
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import (
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import (
    BonusTerms,
    CampaignDefinition,
    Cap,
    LiveCampaign,
    Outcome,
    index_campaigns,
)
from rewards.draws.terms import DrawTerms, Entry, Prize, Stage
from rewards.grants.world import BrandConfiguration, MemberState
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import PurchaseFact
from rewards.scans.models import ClaimOutcome
from rewards.scans.world import CONSUMER, GUIDE, ClaimState
from rewards.simulations.beginning import Start
from rewards.simulations.crowds import made_up_batches
from rewards.simulations.folding import Fold
from rewards.simulations.rules import PurchaseHappens, ScanHappens, begun_by

BRAND, ANN, WANG = new_id(), new_id(), new_id()
NOON = datetime(2026, 11, 9, 4, tzinfo=UTC)
INNER, _ = made_up_batches(BRAND, None)
POINTS = Asset.POINTS.value


def campaign(event: EventKind = EventKind.SCAN, lock: Lock | None = None) -> LiveCampaign:
    outcomes = (
        Outcome(MemberRole.CONSUMER, POINTS, OutcomeBasis.FIXED, 10, lock),
        Outcome(MemberRole.GUIDE, POINTS, OutcomeBasis.FIXED, 3),
    )
    caps = (Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, 2),)
    return LiveCampaign(
        new_id(), new_id(), "tried", event, Gate.NONE, 0, None, None, None, outcomes, caps
    )


def start(tried: LiveCampaign, **more: Any) -> Start:
    assets = {asset.value: AssetView(asset.value, NEVER, None, "ACTIVE") for asset in Asset}
    brand = BrandConfiguration(
        id=BRAND,
        revision=1,
        timezone="Asia/Shanghai",
        assets=assets,
        campaigns=index_campaigns([tried]),
        ladders={},
        products={},
        coupon_templates={},
    )
    return Start(brand, **more)


def scan(serial: int, identity_id: UUID = ANN, **more: Any) -> ScanHappens:
    at = NOON + timedelta(seconds=serial)
    return ScanHappens(at, identity_id, CONSUMER, INNER, serial, **more)


def guide() -> MemberState:
    return MemberState(BRAND, new_id(), WANG, GUIDE, "ACTIVE", joined_at=NOON - timedelta(days=9))


def test_a_guide_who_pre_scanned_before_is_paid_and_not_while_it_is_frozen() -> None:
    wang = guide()
    claims = {
        (BRAND, item_no(INNER.series_no, serial), GUIDE): ClaimState(
            new_id(), wang.id, ClaimOutcome.ATTRIBUTED.value, None, None
        )
        for serial in (1, 2)
    }
    people = {(WANG, GUIDE): wang}
    fold = Fold(start(campaign(), people=people, claims=claims), {}, seed=1)
    fold.fold(scan(1))
    fold.fold(scan(2, is_guide_frozen=True))
    assert fold.tally.paid == 2
    assert fold.tally.guide_unpaid == {"GUIDE_FROZEN": 1}
    [cost] = fold.tally.costs.values()
    assert cost.given == 10 + 3 + 10


def test_who_stands_behind_a_guide_is_paid_if_it_was_there() -> None:
    wang, store, late = guide(), new_id(), new_id()
    people = {(WANG, GUIDE): wang}
    for role, identity, joined_at in (
        ("STORE", store, NOON - timedelta(days=9)),
        ("DEALER", late, NOON + timedelta(days=9)),
    ):
        people[identity, role] = MemberState(
            BRAND, new_id(), identity, role, "ACTIVE", joined_at=joined_at
        )
    channel = {(wang.id, role): member.id for (_, role), member in people.items() if role != GUIDE}
    tried = campaign()
    behind = [MemberRole(role) for role in ("STORE", "DEALER", "SALESPERSON")]
    paid = tuple(Outcome(role, POINTS, OutcomeBasis.FIXED, 5) for role in behind)
    tried = replace(tried, outcomes=(*tried.outcomes, *paid))
    fold = Fold(start(tried, people=people, channel=channel), {}, seed=1)
    _, outer = made_up_batches(BRAND, None)
    for serial, identity in enumerate((WANG, new_id())):
        fold.fold(ScanHappens(NOON, identity, GUIDE, outer, serial))
        fold.fold(scan(serial))
    [cost] = fold.tally.costs.values()
    assert cost.given == 2 * (10 + 3) + 5 + 3 * 5
    assert fold.tally.channel_unpaid == {"DEALER NOT_ENROLLED": 1, "SALESPERSON NO_PLACE": 1}


def test_who_was_merged_is_one_member_by_whatever_identity() -> None:
    ann = MemberState(BRAND, new_id(), ANN, CONSUMER, "ACTIVE", joined_at=NOON - timedelta(days=9))
    other = new_id()
    people = {(ANN, CONSUMER): ann, (other, CONSUMER): ann}
    fold = Fold(start(campaign(), people=people), {}, seed=1)
    for serial, identity_id in enumerate((ANN, other, ANN, other)):
        fold.fold(scan(serial, identity_id))
    assert (fold.tally.paid, fold.tally.unpaid) == (2, {"CAP": 2})
    assert fold.tally.rewarded == {ann.id}


def test_purchases_tell_why_they_were_not_paid() -> None:
    fold = Fold(start(campaign(EventKind.PURCHASE)), {}, seed=1)
    for number in range(3):
        fact = PurchaseFact(
            f"{number}", "", NOON.date(), 1, 100, NOON, (), PurchaseSource.TILL, ANN
        )
        fold.fold(PurchaseHappens(NOON, ANN, fact))
    assert (fold.tally.paid, fold.tally.unpaid) == (2, {"CAP": 1})


def test_bonuses_tell_why_they_were_not_given() -> None:
    twice = campaign()
    bonus = replace(twice, id=new_id(), version_id=new_id(), code="top", bonus=BonusTerms("top"))
    tried = start(replace(twice, caps=()))
    brand = replace(tried.brand, campaigns=index_campaigns([*tried.brand.campaigns.all(), bonus]))
    fold = Fold(replace(tried, brand=brand), {}, seed=1)
    for serial in range(3):
        fold.fold(scan(serial))
    assert (fold.tally.paid, fold.tally.unpaid) == (3, {})
    assert fold.tally.bonus_unpaid == {("top", "CAP"): 1}


def test_what_was_unlocked_is_not_looked_at_again() -> None:
    tried = campaign(lock=Lock(UnlockKind.NEXT_SCAN))
    fold = Fold(start(tried), {}, seed=1)
    fold.fold(scan(1))
    fold.fold(scan(2))
    [waiting] = fold.waiting()
    assert waiting.amount == 10, "the first is open, and only the second is still known"


def test_a_campaign_to_come_is_tried_as_if_it_had_begun_before() -> None:
    begins, second = NOON + timedelta(days=5), NOON + timedelta(days=8)
    draw = DrawTerms(
        (Prize("TEA", "茶", "Tea"),),
        (Stage(1, 1, (Entry("TEA", 1),)), Stage(2, 2, (Entry("TEA", 1),), starts_at=second)),
        "TEA",
    )
    to_come = CampaignDefinition(
        "tried", "试", "Tried", EventKind.SCAN, (), starts_at=begins, draw=draw
    )
    tried = begun_by(to_come, NOON)
    assert tried.starts_at == NOON
    assert tried.draw is not None
    assert [stage.starts_at for stage in tried.draw.stages] == [None, NOON + timedelta(days=3)]
    assert begun_by(tried, NOON + timedelta(days=1)) == tried, "it had begun"
