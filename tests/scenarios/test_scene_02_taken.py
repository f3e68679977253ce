"""Scene 2, third gate: the guide's reward waits until the consumer has taken what it got."""

from datetime import date, time
from typing import Any

import pytest

from tests.api import Caller
from tests.scenarios.calendar_days import CalendarDays, next_year
from tests.scenarios.shop import POINTS, Shop, eventually, outcome
from tests.scenarios.test_scene_03_locked_red_packet import (
    CASH,
    ME,
    PACKET_FEN,
    budget,
    locked,
    red_packets,
    rewards,
)

YEAR = next_year()
SCANNED_ON, LATER_ON = date(YEAR, 3, 2), date(YEAR, 3, 10)
GUIDED_FEN = 120
BUDGETS = [{"asset": CASH, "allowed": 10 * (PACKET_FEN + GUIDED_FEN)}]
GUIDED = outcome("GUIDE", CASH, GUIDED_FEN)


async def publish(shop: Shop, *packets: dict[str, Any], guided: dict[str, Any] = GUIDED) -> None:
    await shop.publish(
        [outcome("CONSUMER", POINTS, 10), *packets, guided], gate="CONSUMER_TAKEN", budgets=BUDGETS
    )


async def statuses(guide: Caller) -> list[str]:
    found = await rewards(guide)
    assert {(kind, amount) for kind, amount, _ in found} <= {("TAKEN", GUIDED_FEN)}
    return [status for *_, status in found]


async def is_sound(shop: Shop) -> None:
    assert (await shop.host.run("audit"))["broken"] == 0


async def test_a_guide_is_paid_by_the_scan_that_unlocks_what_its_buyer_got(shop: Shop) -> None:
    await publish(shop, locked("NEXT_SCAN", CASH, PACKET_FEN, lapsesAfter="P7D"))
    inner, outer = await shop.print_codes(4, "INNER", "OUTER")
    wang, li = await shop.guide("13900139001"), await shop.guide("13900139002")
    for code in outer[:2]:
        sold = await wang.done("scanCode", code=code)
        assert [each["locked"] for each in sold["rewards"]] == [True]
    ann = await shop.person("13800138001")

    first = await ann.done("scanCode", code=inner[0])
    assert (first["unpaidReason"], first["guideUnpaidReason"]) == (None, None)
    assert await red_packets(wang) == (0, 0, 2 * GUIDED_FEN)
    waits = (await wang.ask(ME))["me"]["lockedRewards"]["nodes"][-1]["lock"]
    assert waits["condition"] == "Unlocks when the buyer has taken this item's rewards"
    await is_sound(shop)

    # Her next scan unlocks her first packet, and with it what her guide had waiting for that.
    await ann.done("scanCode", code=inner[1])
    assert await red_packets(ann) == (PACKET_FEN, PACKET_FEN, PACKET_FEN)
    assert await red_packets(wang) == (GUIDED_FEN, GUIDED_FEN, GUIDED_FEN)

    # Who invited a buyer waits as well, without any scan of its own.
    await li.done("inviteMember", phone="138 0013 8002")
    bob = await shop.person("13800138002")
    await bob.done("scanCode", code=inner[2])
    assert await red_packets(li) == (0, 0, GUIDED_FEN)
    await bob.done("scanCode", code=inner[3])
    assert await red_packets(li) == (GUIDED_FEN, GUIDED_FEN, GUIDED_FEN)
    assert await statuses(li) == ["UNLOCKED", "LOCKED"]
    assert await budget(shop) == (2 * (PACKET_FEN + GUIDED_FEN), 2 * (PACKET_FEN + GUIDED_FEN))
    await is_sound(shop)


async def test_what_is_there_at_once_is_taken_at_once(shop: Shop) -> None:
    await publish(shop, locked("INNER_SCAN", CASH, PACKET_FEN))
    card, inner, outer = await shop.print_codes(2, "CARD", "INNER", "OUTER")
    wang = await shop.guide("13900139001")
    for code in outer:
        await wang.done("scanCode", code=code)
    ann = await shop.person("13800138001")
    await ann.done("scanCode", code=inner[0])
    assert await red_packets(wang) == (GUIDED_FEN, GUIDED_FEN, GUIDED_FEN)

    await ann.done("scanCode", code=card[1])
    assert await red_packets(wang) == (GUIDED_FEN, GUIDED_FEN, GUIDED_FEN)
    await ann.done("scanCode", code=inner[1])
    assert await red_packets(wang) == (2 * GUIDED_FEN, 2 * GUIDED_FEN, 0)
    await is_sound(shop)


async def test_all_of_it_has_to_be_taken_and_some_of_it_not_to_be_lost(shop: Shop) -> None:
    """Two things wait; an action and an operator end them. What nobody took pays no guide."""
    follow = locked("ACTION", CASH, PACKET_FEN, action="follow")
    join = locked("ACTION", POINTS, 50, action="join_group")
    await publish(shop, follow, join)
    inner, outer = await shop.print_codes(2, "INNER", "OUTER")
    wang = await shop.guide("13900139001")
    buyers = [await shop.person("13800138001"), await shop.person("13800138002")]
    for sold, bought, buyer in zip(outer, inner, buyers, strict=True):
        await wang.done("scanCode", code=sold)
        await buyer.done("scanCode", code=bought)

    ids = [(await buyer.me())["id"] for buyer in buyers]
    await shop.admin.done("reportAction", memberId=ids[0], action="follow")
    assert await statuses(wang) == ["LOCKED", "LOCKED"]
    await shop.admin.done("reportAction", memberId=ids[0], action="join_group")
    assert await statuses(wang) == ["UNLOCKED", "LOCKED"]
    nodes = (await buyers[1].ask(ME))["me"]["lockedRewards"]["nodes"]
    for node in nodes:
        assert await statuses(wang) == ["UNLOCKED", "LOCKED"]
        await shop.admin.done("voidLockedReward", lockedRewardId=node["id"], reason="a mistake")
    assert await statuses(wang) == ["UNLOCKED", "VOIDED"]
    assert await red_packets(wang) == (GUIDED_FEN, GUIDED_FEN, 0)
    assert await budget(shop) == (PACKET_FEN + GUIDED_FEN, 0)
    await is_sound(shop)


@pytest.mark.parametrize("lapses_after", [None, "P3D"])
async def test_time_unlocks_or_loses_both(
    dated_shop: Shop, days: CalendarDays, lapses_after: str | None
) -> None:
    shop = dated_shop
    lock = {"lock": {"kind": "ITEM", "lapsesAfter": lapses_after}} if lapses_after else {}
    back = locked("AFTER", CASH, PACKET_FEN, after="P7D")
    await publish(shop, back, guided=GUIDED | lock)
    inner, outer = await shop.print_codes(2, "INNER", "OUTER")
    wang, ann = await shop.guide("13900139001"), await shop.person("13800138001")
    await days.go_to(SCANNED_ON)
    await wang.done("scanCode", code=outer[0])
    await ann.done("scanCode", code=inner[0])
    lost = locked("NEXT_SCAN", CASH, PACKET_FEN, lapsesAfter="P7D")
    await publish(shop, lost)
    await wang.done("scanCode", code=outer[1])
    bob = await shop.person("13800138002")
    await bob.done("scanCode", code=inner[1])

    await days.go_to(LATER_ON, time(13))
    paid = 0 if lapses_after else GUIDED_FEN
    assert await eventually(lambda: budget(shop), lambda seen: seen == (PACKET_FEN + paid, 0))
    assert await statuses(wang) == ["LAPSED" if lapses_after else "UNLOCKED", "LAPSED"]
    assert await red_packets(ann) == (PACKET_FEN, PACKET_FEN, 0)
    assert await red_packets(bob) == (0, 0, 0)
    assert await red_packets(wang) == (paid, paid, 0)
    await is_sound(shop)


async def test_a_scan_that_is_taken_back_takes_what_its_guide_has_waiting(shop: Shop) -> None:
    await publish(shop, locked("NEXT_SCAN", CASH, PACKET_FEN))
    inner, outer = await shop.print_codes(3, "INNER", "OUTER")
    wang, ann = await shop.guide("13900139001"), await shop.person("13800138001")
    await wang.done("scanCode", code=outer[0])
    first = await ann.done("scanCode", code=inner[0])
    await shop.admin.done("reverseScan", scanId=first["scanId"], reason="a returned bottle")
    assert await statuses(wang) == ["VOIDED"]
    await ann.done("scanCode", code=inner[1])
    await wang.done("scanCode", code=outer[2])
    second = await ann.done("scanCode", code=inner[2])
    assert second["guideUnpaidReason"] is None
    assert await statuses(wang) == ["VOIDED", "LOCKED"]
    await is_sound(shop)


async def test_who_is_merged_meanwhile_is_paid_as_somebody_else(shop: Shop) -> None:
    """The guide goes into another, and then the buyer: what waits goes over, and ends as before."""
    await publish(shop, locked("ACTION", CASH, PACKET_FEN, action="follow"))
    [inner, outer] = await shop.print_codes(2, "INNER", "OUTER")
    wang, li = await shop.guide("13900139001"), await shop.guide("13900139002")
    ann, anna = await shop.person("13800138001"), await shop.person("13800138002")
    await wang.done("scanCode", code=outer[0])
    await ann.done("scanCode", code=inner[0])
    await li.done("scanCode", code=outer[1])
    await anna.done("scanCode", code=inner[1])
    for gone, stays in ((wang, li), (ann, anna)):
        one, other = (await gone.me())["id"], (await stays.me())["id"]
        merged = {"fromMemberId": one, "intoMemberId": other, "reason": "one person"}
        await shop.admin.done("mergeMembers", **merged)
    assert await red_packets(li) == (0, 0, 2 * GUIDED_FEN)
    await is_sound(shop)
    told = {"memberId": (await anna.me())["id"], "action": "follow"}
    assert (await shop.admin.done("reportAction", **told))["unlocked"] == 2
    assert await red_packets(anna) == (2 * PACKET_FEN, 2 * PACKET_FEN, 0)
    assert await red_packets(li) == (2 * GUIDED_FEN, 2 * GUIDED_FEN, 0)
    await is_sound(shop)


async def test_what_can_never_wait_is_refused(shop: Shop) -> None:
    at_once = outcome("CONSUMER", POINTS, 10)
    for outcomes, field in (([at_once], "gate"), ([], "outcomes")):
        refused = await shop.admin.do(
            "publishCampaign",
            code="scan",
            nameZh="扫码",
            nameEn="Scan",
            event="SCAN",
            gate="CONSUMER_TAKEN",
            outcomes=[*outcomes, GUIDED],
        )
        assert refused["code"] == "INVALID_INPUT"
        assert refused["details"]["field"] == field
