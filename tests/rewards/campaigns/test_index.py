"""Which campaigns an event asks, in which order, and how many conditions that takes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Book, Cause
from loyalty.products.models import Product
from loyalty.regions.rules import RegionView, area_of
from rewards.campaigns.caps import with_counted
from rewards.campaigns.models import CapSubject, CapWindow, EventKind, Gate, OutcomeBasis
from rewards.campaigns.rules import (
    COUNTED_MAX,
    BonusTerms,
    CampaignIndex,
    Cap,
    LiveCampaign,
    Outcome,
    index_campaigns,
)
from rewards.conditions.rules import load_condition
from rewards.grants.world import BrandConfiguration, GrantWorld, MemberState
from rewards.scans.stacking import plan_of_scan
from rewards.scans.world import BatchView, ScanRequest, ScanWorld, candidates, choose_campaign

NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
BRAND, TEA, BEER = new_id(), new_id(), new_id()
SCAN = EventKind.SCAN


def campaign(code: str, priority: int = 0, condition: str | None = None, **more: Any) -> Any:
    values: dict[str, Any] = {
        "id": new_id(),
        "version_id": new_id(),
        "code": code,
        "event": SCAN,
        "gate": Gate.NONE,
        "priority": priority,
        "product_id": None,
        "starts_at": None,
        "ends_at": None,
        "outcomes": (Outcome(MemberRole.CONSUMER, Asset.POINTS, OutcomeBasis.FIXED, 1),),
        "caps": (),
        "condition": None if condition is None else load_condition(condition, SCAN),
    }
    return LiveCampaign(**values | more)


def codes(index: CampaignIndex, product_id: UUID | None = TEA, at: datetime = NOW) -> list[str]:
    return [found.code for found in index.candidates(SCAN, product_id, at)]


def test_campaigns_are_asked_by_priority_then_those_for_the_product() -> None:
    index = index_campaigns(
        [
            campaign("of-all", 1, "member.isNew"),
            campaign("of-tea", 1, "member.isNew", product_id=TEA),
            campaign("of-beer", 9, "member.isNew", product_id=BEER),
            campaign("first", 2, "member.isNew"),
            campaign("last", -5),
            campaign("of-purchases", 9, event=EventKind.PURCHASE),
        ]
    )
    assert codes(index) == ["first", "of-tea", "of-all", "last"]
    assert codes(index, BEER) == ["of-beer", "first", "of-all", "last"]
    assert codes(index, None) == ["first", "of-all", "last"]
    assert index.candidates(EventKind.PURCHASE, None, NOW)[0].code == "of-purchases"


def test_nobody_asks_beyond_a_campaign_without_a_condition_or_outside_a_window() -> None:
    hour = timedelta(hours=1)
    index = index_campaigns(
        [
            campaign("over", 9, ends_at=NOW),
            campaign("to-come", 8, starts_at=NOW + hour),
            campaign("now", 7, starts_at=NOW, ends_at=NOW + hour),
            campaign("beyond", 6, "member.isNew"),
        ]
    )
    assert codes(index) == ["now"]
    assert codes(index, at=NOW - hour) == ["over"]
    assert codes(index, at=NOW + hour) == ["to-come"]


def world_of(*campaigns: LiveCampaign, **more: Any) -> ScanWorld:
    products = {
        id: Product(id=id, brand_id=BRAND, sku=sku, name_zh="", name_en="", created_at=NOW)
        for id, sku in ((TEA, "TEA"), (BEER, "BEER"))
    }
    brand = BrandConfiguration(
        BRAND, 1, "Asia/Shanghai", {}, index_campaigns(campaigns), {}, products, {}, **more
    )
    world = GrantWorld(NOW, new_id, str, Book(new_id), brands={BRAND: brand})
    return ScanWorld(world)


def batch_of(product_id: UUID) -> BatchView:
    return BatchView(BRAND, new_id(), new_id(), 7, 1, product_id, "INNER", "REWARD", 10, "ACTIVE")


def scan() -> ScanRequest:
    actor = Actor(ActorKind.MEMBER, BRAND, new_id(), "CONSUMER")
    return ScanRequest(
        new_id(), actor, None, 7, 0, "key", "hash", None, 30.5, 120.5, "shelf", "192.0.2.1"
    )


def alice(**more: Any) -> MemberState:
    return MemberState(BRAND, new_id(), new_id(), "CONSUMER", "ACTIVE", **more)


def test_campaigns_of_other_products_times_and_ranks_cost_a_scan_no_condition() -> None:
    """200 live campaigns: one condition is asked, that of the one for the scanned product."""
    condition = "member.isNew && counters.memberToday < 3"
    others = [campaign(f"beer-{i}", i, condition, product_id=BEER) for i in range(100)]
    others += [campaign(f"over-{i}", i, condition, ends_at=NOW) for i in range(100)]
    world = world_of(*others, campaign("tea", 0, condition, product_id=TEA))
    chosen = choose_campaign(world, scan(), batch_of(TEA), alice(is_new=True))
    assert chosen is not None
    assert chosen.code == "tea"
    assert world.questions.asked == 1

    assert choose_campaign(world, scan(), batch_of(TEA), alice()) is None
    assert world.questions.asked == 2
    choose_campaign(world, scan(), batch_of(BEER), alice())
    assert world.questions.asked == 2 + 100  # each of its own product, once


def test_bonuses_of_other_products_and_times_cost_a_scan_no_condition() -> None:
    """200 live bonus campaigns: the two of the scanned product's groups are asked."""
    condition, main = "member.isNew", campaign("main")
    groups = [BonusTerms(f"g{i}", Asset.POINTS if i % 2 else None) for i in range(100)]
    bonuses = [
        campaign(f"beer-{i}", i, condition, product_id=BEER, bonus=group)
        for i, group in enumerate(groups)
    ]
    bonuses += [
        campaign(f"over-{i}", i, condition, ends_at=NOW, bonus=group)
        for i, group in enumerate(groups)
    ]
    ours = [campaign(f"tea-{i}", 0, condition, product_id=TEA, bonus=groups[i]) for i in (0, 1)]
    world = world_of(main, *bonuses, *ours)
    assert candidates(world, scan(), batch_of(TEA)) == (main,)
    consumer, cause = alice(is_new=True), Cause("SCAN", new_id(), "MEMBER", new_id(), "scan", NOW)
    planned = plan_of_scan(world, scan(), batch_of(TEA), cause, (consumer, []), None, 1)
    assert [each.campaign.code for each in planned] == ["tea-0", "tea-1"]
    assert world.questions.asked == 2


def test_campaigns_of_other_regions_cost_a_scan_no_condition() -> None:
    """200 live campaigns: the one that runs here is asked, then the one that runs everywhere."""
    condition = "member.isNew"
    square = ((30.0, 120.0), (31.0, 120.0), (31.0, 121.0), (30.0, 121.0))
    here = RegionView("here", "此处", "Here", (area_of(square),))
    others = [campaign(f"r-{i}", i % 9, condition, regions=(f"r{i}",)) for i in range(200)]
    ours: LiveCampaign = campaign("ours", 0, condition, regions=("there", "here"))
    world = world_of(*others, ours, campaign("all", 0, condition), regions=(here,))
    assert choose_campaign(world, scan(), batch_of(TEA), alice()) is None
    assert world.questions.asked == 2
    chosen = choose_campaign(world, scan(), batch_of(TEA), alice(is_new=True))
    assert chosen is ours
    elsewhere = replace(scan(), latitude=31.5)
    chosen = choose_campaign(world, elsewhere, batch_of(TEA), alice(is_new=True))
    assert chosen is not None
    assert chosen.code == "all"
    index = index_campaigns([ours, *others])
    assert len(index.all()) == 201, "each once, also one that runs in several regions"


def test_where_no_campaign_has_a_condition_nothing_is_asked() -> None:
    world = world_of(campaign("one", 1), campaign("two", 2))
    batch = batch_of(TEA)
    assert [found.code for found in candidates(world, scan(), batch)] == ["two"]
    chosen = choose_campaign(world, scan(), batch, alice())
    assert chosen is not None
    assert (chosen.code, world.questions.asked) == ("two", 0)


def test_a_condition_that_fails_leaves_the_scan_to_the_next_campaign_and_is_noted_once() -> None:
    fails = "1 / counters.memberTotal > 0"
    world = world_of(campaign("fails", 1, fails), campaign("next"))
    for _ in range(2):
        chosen = choose_campaign(world, scan(), batch_of(TEA), alice())
        assert chosen is not None
        assert chosen.code == "next"
    assert list(world.questions.failed) == [fails]


def test_every_fact_of_a_scan_may_be_asked() -> None:
    told = (
        "event.kind == 'SCAN' && event.at == timestamp('2026-11-09T12:00:00Z')"
        " && event.scene == 'shelf' && event.located && event.latitude == 30.5"
        " && event.longitude == 120.5 && event.region == ''"
        " && product.sku == 'TEA' && product.gtin == ''"
        " && batch.number == 7 && batch.kind == 'INNER' && member.role == 'CONSUMER'"
        " && !member.isNew && member.isInvited && member.daysSinceJoined == 2"
        " && member.isBirthday && tier.rank == 0 && tier.code == ''"
    )
    later = (
        "counters.memberToday == 0 && counters.memberTotal == 0 && calendar.hour == 20"
        " && calendar.minute == 0 && calendar.weekday == 1 && calendar.date == '2026-11-09'"
        " && calendar.year == 2026 && calendar.month == 11 && calendar.day == 9"
    )
    member = alice(invited_by_id=new_id(), joined_at=NOW - timedelta(days=2), birthday="11-09")
    for condition in (told, later):
        world = world_of(campaign("told", 0, condition))
        assert choose_campaign(world, scan(), batch_of(TEA), member) is not None


def test_who_scans_twice_in_one_batch_is_new_only_once() -> None:
    world = world_of(campaign("new", 0, "member.isNew"))
    member = alice(is_new=True)
    assert choose_campaign(world, scan(), batch_of(TEA), member) is not None
    member.is_greeted = True  # by the receipt of that scan
    assert choose_campaign(world, scan(), batch_of(TEA), member) is None


def test_what_a_condition_counts_is_counted_like_a_cap_that_nobody_reaches() -> None:
    day = Cap(CapSubject.MEMBER, CapWindow.DAY, 3)
    guide = Cap(CapSubject.GUIDE, CapWindow.CAMPAIGN, 1)
    facts = ("counters.memberToday", "counters.memberTotal", "member.isNew")
    total = Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, COUNTED_MAX)
    assert with_counted([day, guide], facts) == (day, guide, total)
    assert with_counted([day, guide], ["member.isNew"]) == (day, guide)
