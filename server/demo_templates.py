"""The demo's campaigns of tomorrow: from templates, one of them tried on what happened today."""

import time
from datetime import timedelta
from typing import Any

from loyalty.clock import utc_now
from server.demo_client import StoryBroke, expect
from server.demo_screen import yuan
from server.demo_stage import MEI, PLUM, Stage

TRIED_SECONDS_MAX = 30
LOOK_SECONDS = 0.2
CODE = "packet"
PACKET_BUDGET_FEN = 100_000
REBATES_FEN = 500_000
RAMP_FEN = 2_000_000
SHELF: tuple[tuple[str, dict[str, Any]], ...] = (
    ("FOLLOW", {}),
    ("LINKED_REBATE", {"budgetFen": REBATES_FEN}),
    ("MEMBER_DAY", {"budgetFen": PACKET_BUDGET_FEN}),
    ("RAMP", {"budgetFen": RAMP_FEN, "days": 28}),
    ("BIRTHDAY", {}),
    ("REFERRAL", {}),
)
"""What else the operator takes from the templates; the last two are published."""
PUBLISHED = ("BIRTHDAY", "REFERRAL")

_TEMPLATES = "{ campaignTemplates { code nameZh nameEn event } }"
_TRIED = """query ($id: ID!) { node(id: $id) { ... on Simulation { status problem
    draft { events paid rewardedMembers costs { campaignCode asset given locked }
            unpaid { reason times } } } } }"""


def try_a_draft(stage: Stage) -> None:
    """A red packet drafted and tried, and left a draft; a check-in drafted and published."""
    operator = stage.operator
    templates = operator.ask(_TEMPLATES)["campaignTemplates"]
    stage.screen.scene(
        "Tomorrow's campaign, tried today",
        "先试算，再发布",
        f"Of {len(templates)} templates the operator takes the locked red packet for the plum"
        " soda, with ¥1,000 to spend, and tries it on this day's scans before anybody sees it.",
        f"从{len(templates)}个模板中为梅子气泡水选“待解锁红包”，先用今天的扫码试算，不影响会员。",
    )
    wanted = {"productId": stage.product_ids[PLUM.slug], "budgetFen": PACKET_BUDGET_FEN}
    draft = operator.do("draftFromTemplate", template="RED_PACKET", code=CODE, **wanted)["draft"]
    tried = operator.do("simulateCampaign", draftId=draft["id"], past={"days": 1})
    report = _report_of(stage, tried["simulation"]["id"])
    expect("The scans it was tried on", report["events"], stage.tally.scans)
    costs = {c["asset"]: c for c in report["costs"] if c["campaignCode"] == CODE}
    cash, budget = costs["CASH"], yuan(PACKET_BUDGET_FEN)
    reasons = ", ".join(f"{each['times']} {each['reason']}" for each in report["unpaid"])
    stage.screen.table(
        ("What 什么", ">Would be 试算结果"),
        [
            ("scans 扫码", str(report["events"])),
            ("paid 有奖", f"{report['paid']}, to {report['rewardedMembers']} people"),
            ("not paid 无奖", reasons),
            ("points 积分", str(costs["POINTS"]["given"])),
            ("packets 红包", f"{yuan(cash['given'])} opened 已解锁, of {budget}"),
            ("", f"{yuan(cash['locked'])} wait for the next scan 待下次扫码"),
        ],
    )
    stage.screen.done("Nothing of it was written: it stays a draft. 仅为试算，草稿未发布。")
    _check_in(stage)
    _shelve(stage, {each["code"]: each for each in templates})


def _shelve(stage: Stage, templates: dict[str, Any]) -> None:
    """More of them, a mutation each: drafts to be changed and tried, and two that run at once."""
    rows = []
    begin = utc_now().replace(microsecond=0) + timedelta(days=1)
    for template, terms in SHELF:
        wanted = dict(terms)
        if days := wanted.pop("days", None):
            end = begin + timedelta(days=days)
            wanted |= {"startsAt": begin.isoformat(), "endsAt": end.isoformat()}
        code = template.lower().replace("_", "-")
        made = stage.operator.do("draftFromTemplate", template=template, code=code, **wanted)
        draft, state = made["draft"], "draft 草稿"
        if template in PUBLISHED:
            named = {"draftId": draft["id"], "revision": draft["revision"]}
            stage.operator.do("publishCampaignDraft", **named)
            state = "runs 进行中"
        called = templates[template]
        budget = yuan(wanted["budgetFen"]) if "budgetFen" in wanted else ""
        rows.append((f"{called['nameEn']} {called['nameZh']}", budget, state))
    stage.screen.table(("From its template 模板", ">Budget 预算", "Now 状态"), rows)


def _report_of(stage: Stage, id: str) -> Any:
    """The worker inside the server makes it."""
    until = time.monotonic() + TRIED_SECONDS_MAX
    while time.monotonic() < until:
        found = stage.operator.ask(_TRIED, id=id)["node"]
        if found["status"] == "DONE":
            return found["draft"]
        if found["status"] not in ("WAITING", "RUNNING"):
            raise StoryBroke(f"The dry run is {found['status']}: {found['problem']}")
        time.sleep(LOOK_SECONDS)
    raise StoryBroke(f"The dry run was not done within {TRIED_SECONDS_MAX} s.")


def _check_in(stage: Stage) -> None:
    operator, mei = stage.operator, stage.person(MEI)
    draft = operator.do("draftFromTemplate", template="CHECK_IN", code="check-in")["draft"]
    operator.do("publishCampaignDraft", draftId=draft["id"], revision=draft["revision"])
    percent = mei.me()["tier"]["level"]["pointsMultiplierPercent"]
    event = mei.do("checkIn", scene="home")["event"]
    expect("Why the check-in did not pay", event["unpaidReason"], None)
    points = 5 * percent // 100
    stage.tally.points_beside += points
    expect("What the check-in pays", event["earned"], [{"asset": "POINTS", "amount": points}])
    stage.screen.done(
        f"The daily check-in is published from its template; Mei checks in: +{points} points."
        f" “每日签到”已发布，小美签到得{points}积分。"
    )
