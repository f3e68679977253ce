"""Campaigns for some people: whoever an operator puts into a segment is paid more, by scans,
purchases and every other event, from its next one on; and conditions ask what was bought, and how
often a code was scanned."""

from typing import Any

from tests.api import Caller
from tests.scenarios.shop import POINTS, Shop, outcome

SEGMENTS = "{ segments { code nameZh members } }"
USUAL = 20
"""What a new brand pays for ten yuan: points, and growth."""
OF_MEMBER = "query ($id: ID!) { node(id: $id) { ... on Member { segments } } }"


async def paid(caller: Caller, code: str) -> int:
    """The points that a scan gave."""
    receipt = await caller.done("scanCode", code=code)
    return sum(each["amount"] for each in receipt["rewards"] if each["asset"] == POINTS)


async def bought(shop: Shop, number: int, phone: str, sku: str | None = None) -> int:
    """The points that a purchase gave."""
    lines: dict[str, Any] = {}
    if sku is not None:
        lines = {"lines": [{"lineNo": 1, "sku": sku, "quantity": 1, "amountFen": 1_000}]}
    receipt = await shop.admin.done(
        "recordPurchase",
        purchaseRef=f"till-{number}",
        occurredAt="2026-11-09T11:00:00+08:00",
        amountFen=1_000,
        quantity=1,
        source="TILL",
        phone=phone,
        **lines,
    )
    return sum(each["amount"] for each in receipt["earned"])


async def test_a_campaign_pays_whoever_is_in_its_segment(shop: Shop) -> None:
    [codes] = await shop.print_codes(9, "INNER")
    regulars = {"condition": "'regulars' in segment.codes", "priority": 9}
    await shop.publish([outcome("CONSUMER", POINTS, 10)])
    for event in ("SCAN", "PURCHASE", "CHECK_IN"):
        code, more = f"regulars-{event}", [outcome("CONSUMER", POINTS, 50)]
        await shop.publish(more, code=code, event=event, **regulars)
    ann, bob = await shop.person("13800138001"), await shop.person("13800138002")
    assert [await paid(ann, codes[0]), await paid(bob, codes[1])] == [10, 10]

    who = [(await caller.me())["id"] for caller in (ann, bob)]
    await shop.admin.done("putSegment", code="regulars", nameZh="老客", nameEn="Regulars")
    moved = await shop.admin.done("setSegmentMembers", code="regulars", addMemberIds=[who[0]])
    assert (moved["added"], moved["removed"]) == (1, 0)
    assert (await shop.admin.ask(OF_MEMBER, id=who[0]))["node"] == {"segments": ["regulars"]}
    assert (await ann.ask(OF_MEMBER, id=who[0]))["node"] == {"segments": None}, "not hers to read"
    assert [await paid(ann, codes[2]), await paid(bob, codes[3])] == [50, 10]
    sold = [await bought(shop, 1, "13800138001"), await bought(shop, 2, "13800138002")]
    assert sold == [50, USUAL]
    checked = [await caller.done("checkIn") for caller in (ann, bob)]
    assert [len(each["event"]["earned"]) for each in checked] == [1, 0]

    # Bob takes Ann's place, and hers in the segment; then he is taken out.
    one = {"fromMemberId": who[0], "intoMemberId": who[1], "reason": "one person"}
    await shop.admin.done("mergeMembers", **one)
    assert await paid(bob, codes[4]) == 50
    closed = await shop.admin.do("setSegmentMembers", code="regulars", addMemberIds=[who[0]])
    assert closed["code"] == "MEMBER_CLOSED"
    both = {"code": "regulars", "addMemberIds": [who[1]], "removeMemberIds": [who[1]]}
    refused = await shop.admin.do("setSegmentMembers", **both)
    assert refused["details"]["field"] == "removeMemberIds"
    moved = await shop.admin.done("setSegmentMembers", code="regulars", removeMemberIds=[who[1]])
    assert (moved["added"], moved["removed"]) == (0, 1)
    assert (await shop.admin.ask(SEGMENTS))["segments"] == [
        {"code": "regulars", "nameZh": "老客", "members": 0}
    ]
    assert await paid(bob, codes[5]) == 10
    assert (await shop.host.run("audit"))["broken"] == 0


async def test_conditions_ask_what_was_bought_and_how_often_a_code_was_scanned(
    shop: Shop,
) -> None:
    [codes] = await shop.print_codes(2, "INNER", active=False)
    first = {"condition": "item.scans == 0 && item.serial >= 0", "priority": 9}
    await shop.publish([outcome("CONSUMER", POINTS, 10)])
    await shop.publish([outcome("CONSUMER", POINTS, 30)], code="first", **first)
    tea: dict[str, Any] = {"event": "PURCHASE", "priority": 9}
    tea["condition"] = "'TEA-1' in product.skus || size(product.skus) > 1"
    await shop.publish([outcome("CONSUMER", POINTS, 7)], code="tea", **tea)
    ann = await shop.person("13800138001")
    early = await ann.done("scanCode", code=codes[0])
    assert early["unpaidReason"] == "INACTIVE"
    [batch] = (await shop.admin.ask("{ codeBatches { nodes { id } } }"))["codeBatches"]["nodes"]
    await shop.admin.done("activateCodeBatch", id=batch["id"])
    assert [await paid(ann, code) for code in codes] == [10, 30], "that one was scanned before"
    sold = [await bought(shop, n, "13800138001", sku) for n, sku in enumerate(("TEA-1", "X", None))]
    assert sold == [7, USUAL, USUAL]
    wrong = {"code": "wrong", "nameZh": "错", "nameEn": "Wrong"}
    for text, problem in (
        ("segment.codes == 'vip'", "line 1, column 15: == has no meaning for list and string"),
        ("7 in segment.codes", "line 1, column 3: a int is never in a list of string"),
        ("product.skus", "line 1, column 1: unknown fact 'product.skus'"),
        ("'a' in segment.codes && !('a' in segment.codes)", "line 1, column 1: nobody can"),
    ):
        outcomes = [outcome("CONSUMER", POINTS, 1)]
        refused = await shop.admin.do("publishCampaign", **wrong, outcomes=outcomes, condition=text)
        assert refused["details"]["field"] == "condition"
        assert refused["details"]["problem"].startswith(problem), refused
