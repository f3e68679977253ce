"""Scene 9: a stage's budget with a pace, whatever the crowd does."""

from tests.scenarios.drawn import Fair
from tests.scenarios.test_scene_09_draws import CAMPAIGN, DRAW, fair

__all__ = ["fair"]

CURVES = "{ campaigns { nodes { code draw { stages { budgetCurve } } } } }"


async def test_a_stage_with_a_pace_gives_at_no_time_more_than_its_curve_has_come_to(
    fair: Fair,
) -> None:
    stage = {
        "oddsFromPpm": 1_000_000,
        "budgets": [{"asset": "CASH", "allowed": 1_000}],
        "budgetCurve": "LINEAR",
        "entries": [{"prize": "PACKET", "weight": 1}],
    }
    draw = {"prizes": DRAW["prizes"], "consolation": "THANKS", "stages": [stage]}
    terms = CAMPAIGN | {"code": "paced", "priority": 9, "draw": draw}
    aimless = terms | {"draw": draw | {"stages": [stage | {"budgets": []}]}}
    refused = await fair.stage.admin.do("publishCampaign", **aimless)
    assert refused["details"]["field"] == "draw.stages[0].budgetCurve"
    endless = await fair.stage.admin.do("publishCampaign", **terms | {"endsAt": None})
    assert endless["details"]["field"] == "draw.stages[0]"
    await fair.stage.publish(**terms)
    await fair.work()
    given = []
    for day in ("07", "11"):  # three tenths of the time are over, then half of it
        fair.set_clock(f"2026-12-{day}T00:00:00+08:00")
        scans = await fair.scans(5)
        given.append([sum(reward["amount"] for reward in each["rewards"]) for each in scans])
    assert given == [[100, 100, 100, 0, 0], [100, 100, 0, 0, 0]]
    fair.set_clock("2026-12-12T02:00:00+08:00")
    await fair.work()
    receipts = [each for each in await fair.receipts() if each["exhausted"]]
    assert {each["limit"] for receipt in receipts for each in receipt["exhausted"]} == {"PACE"}
    report = await fair.verified(campaign_code="paced")
    assert (report.receipts, report.broken) == (10, 0), report.examples
    said = await fair.stage.admin.ask(CURVES)
    [paced] = [each for each in said["campaigns"]["nodes"] if each["code"] == "paced"]
    assert paced["draw"]["stages"] == [{"budgetCurve": "LINEAR"}]
