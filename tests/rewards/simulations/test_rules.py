"""Crowds that are made up, files of events, and pictures: pure, and the same each time."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest

from loyalty.clock import local_date
from loyalty.errors import InvalidInput
from rewards.campaigns.models import MEMBER_EVENTS, EventKind
from rewards.event_types.models import FieldKind
from rewards.event_types.rules import FieldSpec
from rewards.simulations.crowds import happenings
from rewards.simulations.files import CustomType, read_events
from rewards.simulations.pictures import spending_svg
from rewards.simulations.rules import (
    Crowd,
    EventHappens,
    Past,
    PurchaseHappens,
    Region,
    ScanHappens,
    Source,
    check_source,
    source_from_json,
    source_to_json,
)

BRAND, PRODUCT = UUID(int=1), UUID(int=2)
SHANGHAI = "Asia/Shanghai"
NEW_YORK = "America/New_York"
CLOCKS_GO_BACK = date(2026, 11, 1)
CROWD = Crowd(
    people=200,
    events_per_day=500,
    days=4,
    guides=3,
    pre_scanned_ppm=250_000,
    repeated_ppm=100_000,
    regions=(Region(31.2, 121.5, 3), Region(23.1, 113.3, 1)),
)


def made(crowd: Crowd = CROWD, seed: int = 1, timezone: str = SHANGHAI) -> list[Any]:
    return list(
        happenings(crowd, EventKind.SCAN, BRAND, PRODUCT, timezone, date(2026, 10, 30), seed)
    )


def test_a_crowd_does_what_its_shares_say() -> None:
    scans = made()
    assert scans == made()
    assert scans != made(seed=2)
    assert [scan.at for scan in scans] == sorted(scan.at for scan in scans)
    by_role = Counter(scan.role for scan in scans)
    assert by_role["CONSUMER"] == 2_000
    items = Counter(scan.serial for scan in scans if scan.role == "CONSUMER")
    repeated = 1 - len(items) / 2_000
    # Binomial: five standard deviations of 2,000 draws at 10 %, and of 1,800 at 25 %.
    assert abs(repeated - 0.10) < 5 * (0.1 * 0.9 / 2_000) ** 0.5
    assert abs(by_role["GUIDE"] / len(items) - 0.25) < 5 * (0.25 * 0.75 / 1_700) ** 0.5
    assert len({scan.identity_id for scan in scans if scan.role == "GUIDE"}) == 3
    north = sum(1 for scan in scans if scan.latitude == 31.2) / len(scans)
    assert abs(north - 0.75) < 5 * (0.75 * 0.25 / len(scans)) ** 0.5


def test_each_day_has_its_events_also_where_clocks_go_back() -> None:
    crowd = replace(CROWD, hours=(1,) * 24, guides=0, pre_scanned_ppm=0)
    days = Counter(local_date(scan.at, NEW_YORK) for scan in made(crowd, timezone=NEW_YORK))
    assert days[CLOCKS_GO_BACK] == 500
    assert len(days) == 4


SOURCES: tuple[Source, ...] = (Past(7), CROWD, replace(CROWD, starts_on=date(2027, 1, 1)))


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_is_kept_as_it_is(source: Source) -> None:
    check_source(source, EventKind.SCAN)
    assert source_from_json(source_to_json(source)) == source


WRONG: dict[str, tuple[Source, str]] = {
    "no days": (Past(0), "past.days"),
    "nobody": (replace(CROWD, people=0), "madeUp.people"),
    "too many events": (replace(CROWD, events_per_day=50_001), "madeUp.eventsPerDay"),
    "more guides than people": (replace(CROWD, guides=201), "madeUp.guides"),
    "pre-scans by nobody": (replace(CROWD, guides=0), "madeUp.preScannedPpm"),
    "a day of 23 hours": (replace(CROWD, hours=(1,) * 23), "madeUp.hours"),
    "a day without hours": (replace(CROWD, hours=(0,) * 24), "madeUp.hours"),
    "a weight below zero": (replace(CROWD, hours=(-1,) + (1,) * 23), "madeUp.hours[0]"),
    "nowhere": (replace(CROWD, regions=(Region(float("nan"), 0, 1),)), "madeUp.regions[0]"),
    "purchases that cost less at most": (
        replace(CROWD, amount_fen_from=5, amount_fen_to=4),
        "madeUp.amountFenTo",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_of_a_source_is_named(name: str) -> None:
    source, field = WRONG[name]
    with pytest.raises(InvalidInput) as refused:
        check_source(source, EventKind.SCAN)
    assert refused.value.details["field"] == field
    with pytest.raises(InvalidInput) as refused:
        check_source(CROWD, EventKind.BIRTHDAY)
    assert refused.value.details["field"] == "madeUp"
    check_source(SOURCES[0], EventKind.BIRTHDAY)


def read(text: str, event: EventKind = EventKind.SCAN) -> list[Any]:
    return read_events(text.splitlines(), event, BRAND, PRODUCT, SHANGHAI)


def test_a_file_of_scans_is_read_in_the_order_of_time() -> None:
    later, pre_scan, first = read(
        "at,person,item,role,latitude,longitude\n"
        "2026-11-03T12:00:00+08:00,ann,bottle 1,,31.2,121.5\n"
        "2026-11-01T12:00:00+08:00,wang,bottle 1,GUIDE,,\n"
        "2026-11-02T12:00:00+08:00,ann,bottle 2,CONSUMER,,\n"
    )[::-1]
    assert isinstance(later, ScanHappens)
    assert (pre_scan.serial, first.role) == (1, "GUIDE")
    assert later.serial == first.serial == 0
    assert later.identity_id == pre_scan.identity_id != first.identity_id
    assert (later.latitude, first.latitude) == (31.2, None)


def test_a_file_of_purchases_is_read() -> None:
    text = "at,person,amount_fen,quantity\n2026-11-01T23:30:00Z,ann,1234,2\n"
    [bought] = read(text, EventKind.PURCHASE)
    assert isinstance(bought, PurchaseHappens)
    fact = bought.fact
    assert (fact.amount_fen, fact.quantity, fact.purchased_on) == (1234, 2, date(2026, 11, 2))


def test_a_file_of_what_else_earns_says_what_is_once() -> None:
    day = "2026-11-01T12:00:00Z,ann,home\n2026-11-01T13:00:00Z,ann,shop\n"
    again = "2026-11-01T17:00:00Z,ann,home\n2026-11-01T12:00:00Z,bob,\n"
    told = read("at,person,scene\n" + day + again, EventKind.CHECK_IN)
    assert all(isinstance(each, EventHappens) for each in told)
    assert len({each.fact.ref for each in told}) == 3, "a member's local day"
    assert [each.fact.payload["scene"] for each in told] == ["home", "", "shop", "home"]
    for kind in MEMBER_EVENTS - {EventKind.CUSTOM}:
        assert len(read("at,person,role\n2026-11-01T12:00:00Z,wang,GUIDE\n", kind)) == 1
    [risen] = read(
        "at,person,level,rank,fromRank\n2026-11-01T12:00:00Z,ann,GOLD,2,1\n",
        EventKind.TIER_REACHED,
    )
    assert isinstance(risen, EventHappens)
    assert risen.fact.payload == {"level": "GOLD", "rank": 2, "fromRank": 1}
    [bought] = read(
        "at,person,amount_fen,skus\n2026-11-01T12:00:00Z,ann,990,TEA CUP\n", EventKind.PURCHASE
    )
    assert isinstance(bought, PurchaseHappens)
    assert [line.sku for line in bought.fact.lines] == ["TEA", "CUP"]


COFFEE = CustomType(
    UUID(int=7),
    (
        FieldSpec("cups", FieldKind.INT, required=True),
        FieldSpec("shop", FieldKind.STRING, required=False),
        FieldSpec("iced", FieldKind.BOOL, required=False),
    ),
)


def read_coffees(header: str, line: str) -> list[Any]:
    text = f"at,person,{header}\n2026-11-01T12:00:00Z,ann,{line}\n"
    return read_events(text.splitlines(), EventKind.CUSTOM, BRAND, None, SHANGHAI, COFFEE)


def test_a_file_of_a_brands_own_events_tells_their_fields() -> None:
    [drunk] = read_coffees("custom.cups,custom.shop,custom.iced,weather", "2,,true,rain")
    assert drunk.fact.type_id == COFFEE.id
    assert drunk.fact.payload == {"cups": 2, "iced": True}
    assert drunk.fact.custom == {"cups": 2, "shop": "", "iced": True}


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("custom.shop", "SH-1"),
        ("custom.cups", "two"),
        ("custom.cups", ""),
        ("custom.cups,custom.iced", "1,yes"),
        ("custom.cups,custom.milk", "1,oat"),
    ],
)
def test_a_file_of_what_the_type_is_not_is_refused(header: str, line: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_coffees(header, line)
    assert refused.value.details["field"] == "line 2"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("at,person\n", "line 1"),
        ("", "line 1"),
        ("at,person,item\nyesterday,ann,1\n", "line 2"),
        ("at,person,item\n2026-11-01T12:00:00,ann,1\n", "line 2"),
        ("at,person,item\n2026-11-01T12:00:00Z,ann,1\n2026-11-01T12:00:00Z,ann\n", "line 3"),
        ("at,person,item,role\n2026-11-01T12:00:00Z,ann,1,DEALER\n", "line 2"),
        ("at,person,item,latitude\n2026-11-01T12:00:00Z,ann,1,91\n", "line 2"),
    ],
)
def test_a_bad_line_is_named(text: str, line: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert refused.value.details["field"] == line


def test_a_picture_ends_where_the_sums_do() -> None:
    costs = [
        {"on": f"2026-12-0{day}", "campaign": "ramp", "asset": "CASH", "given": 0, "locked": 0}
        | {"drawn": 100 * day, "expected": 110 * day}
        for day in (1, 2, 3)
    ]
    budgets = [{"campaign": "ramp", "asset": "CASH", "allowed": 800, "spent": 600}]
    svg = ElementTree.fromstring(spending_svg({"costs": costs, "budgets": budgets}, "ramp", "CASH"))
    lines = [line.get("points", "").split() for line in svg.iter() if line.tag.endswith("polyline")]
    expected, given, budget = [float(line[-1].split(",")[1]) for line in lines]
    assert expected < given, "660 is above 600, and up is less"
    assert budget < expected, "800 above both"
    with pytest.raises(ValueError, match="POINTS"):
        spending_svg({"costs": costs, "budgets": budgets}, "ramp", "POINTS")
