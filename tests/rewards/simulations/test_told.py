"""Dry runs of what earns beside scans and purchases: what they say comes true to the point."""

from datetime import timedelta

from graphql_schema.simulations import report_of
from loyalty.actor import MemberRole
from loyalty.clock import local_date
from loyalty.db import Database
from loyalty.members.service import freeze_member
from loyalty.segments.service import put_segment, set_members
from rewards.campaigns.models import CapSubject, CapWindow, EventKind
from rewards.campaigns.rules import CampaignDefinition, Cap, CouponOutcome
from rewards.campaigns.service import publish_campaign
from rewards.event_types.service import register_type
from rewards.events import service, sources
from rewards.events.reading import EventReport
from rewards.simulations.rules import Past
from rewards.simulations.service import prepare, total_costs
from tests.clocks import SettableClock
from tests.rewards.coupons.wallets import add_template
from tests.rewards.events.cafe import COFFEE, events, join
from tests.rewards.returns.shopping import GROWTH, POINTS, fixed, open_shop
from tests.rewards.simulations.trying import recorded, tried

DAYS = 3
ONCE = Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, 1)
ONCE_A_DAY = Cap(CapSubject.MEMBER, CapWindow.DAY, 1)
CHECK_INS = CampaignDefinition(
    "daily",
    "签到",
    "Daily",
    EventKind.CHECK_IN,
    (fixed(POINTS, 5), fixed(GROWTH, 2)),
    condition="event.scene == 'home' && counters.memberToday == 0",
    caps=(ONCE,),
    budgets={POINTS: 12},
)
COFFEES = CampaignDefinition(
    "coffees",
    "咖啡",
    "Coffees",
    EventKind.CUSTOM,
    (fixed(POINTS, 7),),
    event_type="coffee",
    condition="custom.cups >= 2",
    caps=(ONCE_A_DAY,),
    budgets={POINTS: 36},
)


async def test_check_ins_and_what_others_post_cost_what_was_said_before(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    shop = await open_shop(db)
    members = await join(shop, "ann", "bob", "cid", "dan")
    await shop.run(freeze_member, shop.actor, members[-1], "lost")
    other = COFFEE.__class__("tea", "茶", "Tea", COFFEE.fields)
    for type in (COFFEE, other):
        await shop.run(register_type, shop.actor, type)

    async def days(key: str) -> None:
        """Three of them: everybody checks in, mostly at home, and has coffee three times."""
        for day in range(DAYS):
            clock.advance(days=1)
            for n, member in enumerate(members):
                at = clock.at - timedelta(hours=1, seconds=-n)
                on, scene = local_date(at, shop.brand.timezone), "shop" if day == n else "home"
                fact = sources.checked_in(member, on, scene, at)
                await shop.run(service.settle_events, shop.brand.id, shop.actor, [fact])
                reports = [
                    EventReport(f"{key} {day} {n} {cups}", type, at, [("cups", cups)], member)
                    for cups, type in ((1, "coffee"), (2, "coffee"), (3, "coffee"), (4, "tea"))
                ]
                await shop.run(service.post_events, shop.actor, reports)

    await days("before")
    before = {
        kind: (await events(db, kind))[-1].id for kind in (EventKind.CHECK_IN, EventKind.CUSTOM)
    }
    foreseen = [await tried(db, shop.brand.id, each, DAYS) for each in (CHECK_INS, COFFEES)]
    for campaign in (CHECK_INS, COFFEES):
        await shop.run(publish_campaign, shop.actor, campaign)
    await days("after")
    given, unpaid = await recorded(db, EventKind.CHECK_IN, before[EventKind.CHECK_IN])
    assert foreseen[0] == (given, unpaid)
    assert {"CAP", "BUDGET", "NO_CAMPAIGN", "FROZEN"} == unpaid.keys(), "or it proves less"
    given, unpaid = await recorded(db, EventKind.CUSTOM, before[EventKind.CUSTOM])
    teas = {"NO_CAMPAIGN": (len(members) - 1) * DAYS, "FROZEN": DAYS}
    coffees = {reason: times - teas.get(reason, 0) for reason, times in unpaid.items()}
    assert foreseen[1] == (given, coffees)
    assert {"CAP", "BUDGET", "NO_CAMPAIGN", "FROZEN"} == unpaid.keys(), "or it proves less"
    await shop.check_books()


async def test_a_dry_run_knows_segments_of_now_and_what_was_bought(
    clocked_db: Database, clock: SettableClock
) -> None:
    shop = await open_shop(clocked_db)
    clock.advance(hours=1)
    for ref, lines in (("1", [(1, 500), (1, 500)]), ("2", [(1, 900), (1, 100)]), ("3", [])):
        await shop.buy(ref, 1_000, lines=lines)
    asked = "'vip' in segment.codes && 'SKU-2' in product.skus"
    teas = CampaignDefinition(
        "teas", "茶", "Teas", EventKind.PURCHASE, (fixed(POINTS, 5),), condition=asked, priority=9
    )

    async def foreseen() -> int:
        async with clocked_db.snapshot() as snapshot:
            run = await prepare(snapshot, shop.brand.id, teas, Past(1), 1)
        run.advance(run.total)
        return total_costs(run.result()["draft"]).get(("teas", POINTS), 0)

    assert await foreseen() == 0
    await shop.run(put_segment, shop.actor, code="vip", name_zh="老客", name_en="VIP")
    ann = [shop.members["ann"]]
    await shop.run(set_members, shop.actor, code="vip", add=ann, remove=[])
    assert await foreseen() == 10, "of her two that had a second line"


async def test_a_dry_run_tells_coupons_in_all_and_by_day(
    clocked_db: Database, clock: SettableClock
) -> None:
    shop = await open_shop(clocked_db)
    template = await shop.run(add_template, shop.brand)
    clock.advance(hours=1)
    for ref in "123":
        await shop.buy(ref, 1_000)
    gives = CouponOutcome(MemberRole.CONSUMER, template.id)
    gift = CampaignDefinition("gift", "礼", "Gift", EventKind.PURCHASE, (gives,), priority=9)
    async with clocked_db.snapshot() as snapshot:
        run = await prepare(snapshot, shop.brand.id, gift, Past(1), 1)
    run.advance(run.total)
    result = run.result()
    day = local_date(clock.at, shop.brand.timezone).isoformat()
    assert result["draft"]["coupons"] == {template.code: 3}
    assert result["draft"]["coupon_days"] == [{"on": day, "template": template.code, "given": 3}]
    assert result["running"]["coupon_days"] == []
    [told] = report_of(result["draft"]).coupon_days
    assert (told.on.isoformat(), told.template_code, told.given) == (day, template.code, 3)
