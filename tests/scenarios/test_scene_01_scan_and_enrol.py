"""Scene 1: an unknown consumer scans, is enrolled in that moment, and is told the truth."""

from tests.api import ITEM
from tests.scenarios.shop import Shop

SCANNED_AT = {"latitude": 31.2304, "longitude": 121.4737}
ROUNDED = {"latitude": 31.2, "longitude": 121.5}


async def test_an_unknown_consumer_is_enrolled_by_the_scan_that_pays(shop: Shop) -> None:
    await shop.publish()
    [codes] = await shop.print_codes(3, "INNER")
    consumer = await shop.person("13800138001")
    assert await consumer.me() is None

    before = await consumer.ask(ITEM, code=codes[0])
    assert before["item"]["verdict"] == "FIRST"
    assert before["item"]["claimed"] is False
    assert await consumer.me() is None, "looking enrols nobody"

    first = await consumer.done(
        "scanCode", code=codes[0], deviceId="phone-1", position=SCANNED_AT, scene="1047"
    )
    assert first["verdict"] == "FIRST"
    assert first["unpaidReason"] is None
    assert first["guideUnpaidReason"] == "NO_GUIDE"
    assert first["isNewMember"] is True
    assert first["scanCount"] == 1
    assert first["firstScan"] is None
    assert first["product"]["sku"] == "BEER-500"
    assert {(r["asset"], r["amount"]) for r in first["rewards"]} == {
        ("POINTS", 100),
        ("GROWTH", 50),
    }

    me = await consumer.me()
    assert me["role"] == "CONSUMER"
    assert me["phone"] == "+86138****8001"
    assert await consumer.balances() == {"POINTS": (100, 0), "GROWTH": (50, 0)}
    assert {(e["asset"], e["amount"], e["phase"]) for e in me["entries"]["nodes"]} == {
        ("POINTS", 100, "POSTED"),
        ("GROWTH", 50, "POSTED"),
    }

    other = await shop.person("13800138002")
    repeat = await other.done("scanCode", code=codes[0])
    assert repeat["verdict"] == "REPEAT"
    assert repeat["unpaidReason"] == "ALREADY_CLAIMED"
    assert repeat["rewards"] == []
    assert repeat["scanCount"] == 2
    assert repeat["firstScan"] == {"at": first["occurredAt"], **ROUNDED}
    assert repeat["isNewMember"] is True, "who only learns the truth is enrolled too"

    own = await consumer.done("scanCode", code=codes[0])
    assert own["verdict"] == "REPEAT"
    assert own["isNewMember"] is False
    assert own["firstScan"]["at"] == first["occurredAt"]
    assert own["latestScan"]["at"] == repeat["occurredAt"]
    assert await consumer.balances() == {"POINTS": (100, 0), "GROWTH": (50, 0)}
    assert await other.balances() == {}

    after = await other.ask(ITEM, code=codes[0])
    assert after["item"]["verdict"] == "REPEAT"
    assert after["item"]["claimed"] is True
    assert after["item"]["scanCount"] == 3


async def test_a_scan_that_proves_nothing_pays_nothing_and_the_operator_sees_it(
    shop: Shop,
) -> None:
    await shop.publish()
    [codes] = await shop.print_codes(1, "INNER", active=False)
    consumer = await shop.person("13800138001")

    forged = codes[0][:-1] + ("0" if codes[0][-1] != "0" else "1")
    for text in (forged, "hello", "", "https://example.com/c/none"):
        unknown = await consumer.do("scanCode", code=text)
        assert (unknown["__typename"], unknown["code"]) == ("Refused", "CODE_UNKNOWN")
    assert await consumer.me() is None

    asleep = await consumer.done("scanCode", code=codes[0])
    assert (asleep["verdict"], asleep["unpaidReason"]) == ("INACTIVE", "INACTIVE")

    listed = await shop.admin.ask("{ codeBatches { nodes { id status } } }")
    [batch] = listed["codeBatches"]["nodes"]
    assert batch["status"] == "PRINTED"
    await shop.admin.done("activateCodeBatch", id=batch["id"])
    awake = await consumer.done("scanCode", code=f"https://d.example.com/c/{codes[0].lower()}")
    assert awake["unpaidReason"] is None
    assert awake["verdict"] == "REPEAT", "it was seen before, and had not paid"
    assert awake["firstScan"]["at"] == asleep["occurredAt"]
    assert await consumer.balances() == {"POINTS": (100, 0), "GROWTH": (50, 0)}

    scans = await shop.admin.ask(
        "{ scans { nodes { verdict unpaidReason member { phone } product { sku } } } }"
    )
    assert [(s["verdict"], s["unpaidReason"]) for s in scans["scans"]["nodes"]] == [
        ("REPEAT", None),
        ("INACTIVE", "INACTIVE"),
    ]
    assert {s["member"]["phone"] for s in scans["scans"]["nodes"]} == {"+86138****8001"}
