"""Campaigns made from templates: each is right as it comes, and told what it lacks."""

from typing import Any

import pytest

from tests.graphql_schema.shop import TEMPLATE
from tests.graphql_schema.stage import Stage

TEMPLATES = """{ campaignTemplates { code event nameZh nameEn descriptionZh descriptionEn
    needsBudget needsWindow needsCoupon } }"""
DRAFTS = """{ campaignDrafts { nodes { code event budgets { asset allowed }
    draw { stages { startsAt oddsFromPpm budgets { asset allowed } entries { prize } } } } } }"""
WINDOW = {"startsAt": "2099-03-01T00:00:00+08:00", "endsAt": "2099-03-31T00:00:00+08:00"}
BUDGET_FEN = 1_000_001


async def test_each_template_is_published_as_it_comes(stage: Stage) -> None:
    made = await stage.admin.done("createCouponTemplate", code="five", **TEMPLATE)
    coupon = {"couponTemplateId": made["template"]["id"]}
    templates = (await stage.admin.ask(TEMPLATES))["campaignTemplates"]
    assert len({template["nameZh"] for template in templates}) == len(templates)
    for template in templates:
        assert all(template[name].strip() for name in ("nameEn", "descriptionZh", "descriptionEn"))
        wanted: dict[str, Any] = {"template": template["code"], "code": template["code"].lower()}
        wanted |= {"budgetFen": BUDGET_FEN} if template["needsBudget"] else {}
        wanted |= WINDOW if template["needsWindow"] else {}
        wanted |= coupon if template["needsCoupon"] else {}
        draft = (await stage.admin.done("draftFromTemplate", **wanted))["draft"]
        [kept] = (await stage.admin.ask(DRAFTS))["campaignDrafts"]["nodes"]
        assert (kept["code"], kept["event"]) == (wanted["code"], template["event"])
        if template["code"] == "RAMP":
            stages = kept["draw"]["stages"]
            assert [each["oddsFromPpm"] for each in stages] == sorted(
                (each["oddsFromPpm"] for each in stages), reverse=True
            )
            assert sum(each["budgets"][0]["allowed"] for each in stages) == BUDGET_FEN
            assert stages[1]["startsAt"] == "2099-03-05T16:00:00+00:00"
        named = {"draftId": draft["id"], "revision": 1}
        published = (await stage.admin.done("publishCampaignDraft", **named))["campaign"]
        assert (published["code"], published["status"]) == (wanted["code"], "RUNNING")


async def test_a_ramp_may_end_with_coupons(stage: Stage) -> None:
    made = await stage.admin.done("createCouponTemplate", code="five", **TEMPLATE)
    wanted = {"template": "RAMP", "code": "ramp", "budgetFen": BUDGET_FEN} | WINDOW
    coupon = {"couponTemplateId": made["template"]["id"]}
    draft = (await stage.admin.done("draftFromTemplate", **wanted, **coupon))["draft"]
    [kept] = (await stage.admin.ask(DRAFTS))["campaignDrafts"]["nodes"]
    entries = [[each["prize"] for each in of["entries"]] for of in kept["draw"]["stages"]]
    assert entries == [["PACKET"], ["PACKET"], ["PACKET"], ["COUPON"]]
    assert kept["draw"]["stages"][3]["budgets"] == []
    await stage.admin.done("publishCampaignDraft", draftId=draft["id"], revision=1)
    unknown = wanted | {"code": "other", "couponTemplateId": stage.unknown_id("CouponTemplate")}
    assert (await stage.admin.do("draftFromTemplate", **unknown))["code"] == "NOT_FOUND"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no budget": ({"template": "RED_PACKET"}, "budgetFen"),
    "too little": ({"template": "RED_PACKET", "budgetFen": 99_999}, "budgetFen"),
    "a budget of what gives no cash": ({"template": "CHECK_IN", "budgetFen": 10**6}, "budgetFen"),
    "no window": ({"template": "RAMP", "budgetFen": 10**6}, "startsAt"),
    "three days": (
        {"template": "RAMP", "budgetFen": 10**6} | WINDOW | {"endsAt": "2099-03-03T23:00:00+08:00"},
        "endsAt",
    ),
    "a product of what is no scan": ({"template": "BIRTHDAY"}, "productId"),
    "a coupon of what gives none": ({"template": "CHECK_IN"}, "couponTemplateId"),
    "no coupon": ({"template": "EXCHANGE"}, "couponTemplateId"),
    "a time of nowhere": ({"template": "CHECK_IN", "startsAt": "2099-03-01T00:00:00"}, "startsAt"),
    "no code": ({"template": "CHECK_IN", "code": " "}, "code"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_a_template_lacks_is_told(stage: Stage, name: str) -> None:
    wrong, field = WRONG[name]
    wanted = {"code": "made"} | wrong
    if field == "productId":
        wanted["productId"] = stage.product_id
    if name == "a coupon of what gives none":
        wanted["couponTemplateId"] = stage.unknown_id("CouponTemplate")
    refused = await stage.admin.do("draftFromTemplate", **wanted)
    assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", field)
