"""Scene 2: the consumer's scan also credits the guide, together or not at all."""

from typing import Any

from tests.api import Caller
from tests.scenarios.shop import Shop

PAID_CONSUMER = {"POINTS": (100, 0), "GROWTH": (50, 0)}


def why(receipt: dict[str, Any]) -> tuple[str | None, str | None]:
    """(unpaidReason, guideUnpaidReason)."""
    return receipt["unpaidReason"], receipt["guideUnpaidReason"]


async def entries(caller: Caller) -> list[tuple[str, int, str]]:
    """(asset, amount, phase) of the caller's entries, oldest first."""
    me = await caller.me()
    return [(e["asset"], e["amount"], e["phase"]) for e in reversed(me["entries"]["nodes"])]


async def test_the_guide_is_who_pre_scanned_else_who_invited_else_nobody(shop: Shop) -> None:
    await shop.publish()
    inner, outer = await shop.print_codes(5, "INNER", "OUTER")
    wang, li = await shop.guide("13900139001"), await shop.guide("13900139002")

    sold = await wang.done("scanCode", code=outer[0])
    assert why(sold) == ("AWAITS_CONSUMER", None)
    assert sold["rewards"] == []
    assert await wang.balances() == {}, "without a gate nothing is granted at the sale"

    pre_scanned = await shop.person("13800138001")
    assert why(await pre_scanned.done("scanCode", code=inner[0])) == (None, None)
    assert await pre_scanned.balances() == PAID_CONSUMER
    assert await wang.balances() == {"POINTS": (30, 0)}

    await wang.done("inviteMember", phone="138 0013 8002")
    invited = await shop.person("13800138002")
    assert why(await invited.done("scanCode", code=inner[1])) == (None, None)
    assert await wang.balances() == {"POINTS": (60, 0)}
    assert (await invited.me())["invitedById"] == (await wang.me())["id"]

    await li.done("scanCode", code=outer[2])
    assert why(await invited.done("scanCode", code=inner[2])) == (None, None)
    assert await li.balances() == {"POINTS": (30, 0)}, "the sale counts before the invitation"
    assert await wang.balances() == {"POINTS": (60, 0)}

    stranger = await shop.person("13800138003")
    assert why(await stranger.done("scanCode", code=inner[3])) == (None, "NO_GUIDE")
    assert await stranger.balances() == PAID_CONSUMER
    late = await li.done("scanCode", code=outer[3])
    assert why(late) == ("ALREADY_CLAIMED", None), "no guide names itself after the fact"
    assert await li.balances() == {"POINTS": (30, 0)}

    outsider = await shop.person("13900139009", "GUIDE")
    assert why(await outsider.done("scanCode", code=outer[4])) == ("ROSTER", None)
    assert await outsider.me() is None


async def test_behind_the_gate_the_guides_reward_is_locked_until_the_consumer_scans(
    shop: Shop,
) -> None:
    await shop.publish(
        gate="CONSUMER_SCAN",
        budgets=[{"asset": "POINTS", "allowed": 260}],
        caps=[{"subject": "GUIDE", "window": "DAY", "timesMax": 2}],
    )
    inner, outer = await shop.print_codes(4, "INNER", "OUTER")
    guide, rival = await shop.guide("13900139001"), await shop.guide("13900139002")

    sold = await guide.done("scanCode", code=outer[0])
    assert why(sold) == (None, None)
    assert sold["rewards"] == [{"asset": "POINTS", "amount": 30, "locked": True}]
    assert sold["balances"] == [{"asset": "POINTS", "balance": 0, "locked": 30}]
    assert await guide.balances() == {"POINTS": (0, 30)}
    assert await entries(guide) == [("POINTS", 30, "PENDING")]
    assert await budget(shop) == {"allowed": 260, "spent": 0, "reserved": 30}

    again = await rival.done("scanCode", code=outer[0])
    assert why(again) == ("ALREADY_CLAIMED", None)
    assert await rival.balances() == {}

    consumer = await shop.person("13800138001")
    assert why(await consumer.done("scanCode", code=inner[0])) == (None, None)
    assert await consumer.balances() == PAID_CONSUMER
    assert await guide.balances() == {"POINTS": (30, 0)}
    assert await entries(guide) == [("POINTS", 30, "PENDING"), ("POINTS", 30, "POST")]
    assert await budget(shop) == {"allowed": 260, "spent": 130, "reserved": 0}

    await guide.done("scanCode", code=outer[1])
    capped = await guide.done("scanCode", code=outer[2])
    assert why(capped) == ("CAP", None)
    assert await guide.balances() == {"POINTS": (30, 30)}

    assert why(await consumer.done("scanCode", code=inner[3])) == (None, "NO_GUIDE")
    assert await budget(shop) == {"allowed": 260, "spent": 230, "reserved": 30}
    broke = await consumer.done("scanCode", code=inner[1])
    assert why(broke) == ("BUDGET", None)
    assert await guide.balances() == {"POINTS": (30, 0)}, "together or not at all"
    assert await entries(guide) == [
        ("POINTS", 30, "PENDING"),
        ("POINTS", 30, "POST"),
        ("POINTS", 30, "PENDING"),
        ("POINTS", 30, "VOID"),
    ]
    assert await budget(shop) == {"allowed": 260, "spent": 230, "reserved": 0}
    assert await consumer.balances() == {"POINTS": (200, 0), "GROWTH": (100, 0)}


async def budget(shop: Shop) -> Any:
    """The scan campaign's budget of points."""
    listed = await shop.admin.ask(
        "{ campaigns { nodes { code budgets { asset allowed spent reserved } } } }"
    )
    [campaign] = [c for c in listed["campaigns"]["nodes"] if c["code"] == "scan"]
    [points] = campaign["budgets"]
    return {name: points[name] for name in ("allowed", "spent", "reserved")}


async def test_nobody_is_both_the_consumer_and_the_guide(shop: Shop) -> None:
    await shop.publish(gate="CONSUMER_SCAN")
    inner, outer = await shop.print_codes(2, "INNER", "OUTER")
    guide = await shop.guide("13900139001")
    same_person = await shop.person("13900139001", "CONSUMER")

    await guide.done("scanCode", code=outer[0], deviceId="guides-phone")
    own = await same_person.done("scanCode", code=inner[0], deviceId="another-phone")
    assert why(own) == ("SELF_DEALING", None)
    assert await same_person.balances() == {}
    assert await guide.balances() == {"POINTS": (0, 30)}, "still waiting for a consumer"

    accomplice = await shop.person("13800138001")
    borrowed = await accomplice.done("scanCode", code=inner[0], deviceId="guides-phone")
    assert why(borrowed) == ("SELF_DEALING", None)
    assert await accomplice.balances() == {}

    invited = await guide.do("inviteMember", phone="13900139001")
    assert (invited["code"], invited["details"]["field"]) == ("INVALID_INPUT", "phone")

    consumer = await shop.person("13800138002")
    honest = await consumer.done("scanCode", code=inner[0], deviceId="consumers-phone")
    assert why(honest) == (None, None), "what was refused has consumed nothing"
    assert await consumer.balances() == PAID_CONSUMER
    assert await guide.balances() == {"POINTS": (30, 0)}
