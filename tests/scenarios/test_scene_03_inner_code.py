"""Scene 3: what waits for the item's inner scan. A card round the bottle's neck pays whoever scans
it in the shop a little, and the rest once the bottle is open; a guide's reward does not wait for
ever for the buyer."""

from datetime import date, time

from tests.scenarios.calendar_days import CalendarDays, next_year
from tests.scenarios.shop import POINTS, Shop, eventually, outcome
from tests.scenarios.test_scene_03_locked_red_packet import (
    CASH,
    PACKET_FEN,
    SCAN,
    budget,
    lapsed,
    locked,
    red_packets,
    rewards,
)

YEAR = next_year()
SCANNED_ON, TOO_LATE_ON = date(YEAR, 3, 2), date(YEAR, 3, 9)
GUIDED_FEN = 120
BUDGETS = [{"asset": CASH, "allowed": 10 * PACKET_FEN}]


async def test_the_card_pays_and_the_bottles_own_code_unlocks_the_rest(
    dated_shop: Shop, days: CalendarDays
) -> None:
    shop = dated_shop
    packet = locked("INNER_SCAN", CASH, PACKET_FEN, lapsesAfter="P7D")
    await shop.publish([outcome("CONSUMER", POINTS, 10), packet], budgets=BUDGETS)
    card, inner = await shop.print_codes(4, "CARD", "INNER")
    await days.go_to(SCANNED_ON)
    ann, bob = await shop.person("13800138001"), await shop.person("13800138002")

    for place, code in enumerate(card[:3]):
        input = {"code": code, "idempotencyKey": str(place)}
        told = (await ann.ask(SCAN, input=input))["scanCode"]["rewards"]
        assert [(each["amount"], each["locked"]) for each in told] == [(10, False), (500, True)]
    condition = told[1]["lock"]["condition"]
    assert condition.startswith("Unlocks when you scan this item's inner code, before ")
    assert await red_packets(ann) == (0, 0, 3 * PACKET_FEN)

    # Another's scan of that bottle unlocks nothing, nor does another bottle of hers.
    theirs = await bob.done("scanCode", code=inner[0])
    assert theirs["unpaidReason"] == "ALREADY_CLAIMED"
    own = await ann.done("scanCode", code=inner[3])
    assert [(each["amount"], each["locked"]) for each in own["rewards"]] == [
        *[(10, False), (PACKET_FEN, False)]
    ], "the inner code itself has nothing to wait for"
    assert await red_packets(ann) == (PACKET_FEN, PACKET_FEN, 3 * PACKET_FEN)
    opened = await ann.done("scanCode", code=inner[1])
    assert opened["unpaidReason"] == "ALREADY_CLAIMED"
    assert await red_packets(ann) == (2 * PACKET_FEN, 2 * PACKET_FEN, 2 * PACKET_FEN)
    await ann.done("scanCode", code=inner[1])
    assert await red_packets(ann) == (2 * PACKET_FEN, 2 * PACKET_FEN, 2 * PACKET_FEN)
    assert await budget(shop) == (2 * PACKET_FEN, 2 * PACKET_FEN)

    await days.go_to(TOO_LATE_ON, time(13))
    await ann.done("scanCode", code=inner[2])
    assert len(await lapsed(ann)) == 2
    assert await eventually(lambda: budget(shop), lambda seen: seen == (2 * PACKET_FEN, 0))
    assert (await shop.host.run("audit"))["broken"] == 0


async def test_what_a_gate_locks_lapses_where_it_says_so(
    dated_shop: Shop, days: CalendarDays
) -> None:
    shop = dated_shop
    packet = outcome("GUIDE", CASH, GUIDED_FEN) | {"lock": {"kind": "ITEM", "lapsesAfter": "P7D"}}
    await shop.publish(
        [outcome("CONSUMER", POINTS, 10), outcome("GUIDE", POINTS, 5), packet],
        gate="CONSUMER_SCAN",
        budgets=BUDGETS,
    )
    inner, outer = await shop.print_codes(4, "INNER", "OUTER")
    wang = await shop.guide("13900139001")
    await days.go_to(SCANNED_ON)
    ann = await shop.person("13800138001")
    for code in outer[:3]:
        sold = await wang.done("scanCode", code=code)
        assert {(each["amount"], each["locked"]) for each in sold["rewards"]} == {
            *[(5, True), (GUIDED_FEN, True)]
        }
    bought = await ann.done("scanCode", code=inner[0])
    assert (bought["unpaidReason"], bought["guideUnpaidReason"]) == (None, None)
    assert await red_packets(wang) == (GUIDED_FEN, GUIDED_FEN, 2 * GUIDED_FEN)

    # A week later the cash is lost, and what has no end still waits for the buyer.
    await days.go_to(TOO_LATE_ON, time(13))
    late = await ann.done("scanCode", code=inner[1])
    assert (late["unpaidReason"], late["guideUnpaidReason"]) == (None, None)
    assert await eventually(lambda: budget(shop), lambda seen: seen == (GUIDED_FEN, 0))
    assert await red_packets(wang) == (GUIDED_FEN, GUIDED_FEN, 0)
    assert (await wang.balances())[POINTS] == (10, 5)
    assert sorted(status for *_, status in await rewards(wang)) == [
        *["LAPSED"] * 2,
        "LOCKED",
        *["UNLOCKED"] * 3,
    ]

    # Nothing but the lapsed is due: the buyer's scan says why its guide gets nothing.
    await shop.publish(
        [outcome("CONSUMER", POINTS, 10), packet], gate="CONSUMER_SCAN", budgets=BUDGETS
    )
    await wang.done("scanCode", code=outer[3])
    await days.go_to(date(YEAR, 3, 17), time(13))
    lost = await ann.done("scanCode", code=inner[3])
    assert (lost["unpaidReason"], lost["guideUnpaidReason"]) == (None, "GUIDE_VOIDED")
    assert (await shop.host.run("audit"))["broken"] == 0
