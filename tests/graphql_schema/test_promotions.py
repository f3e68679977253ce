"""The rules that a brand publishes, told to everybody in words."""

from typing import Any

from tests.api import Caller
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, outcome

PROMOTIONS = """query ($brand: String!) {
    promotions(brand: $brand) { code name version startsAt endsAt rules } }"""
VERSIONS = """query ($brand: String!, $code: String!, $version: Int) {
    promotions(brand: $brand, campaign: $code, version: $version) {
        version draw { stages { oddsFromPpm } } } }"""
CAMPAIGN: dict[str, Any] = {
    "code": "spring",
    "nameZh": "春季",
    "nameEn": "Spring",
    "startsAt": "2099-03-01T00:00:00+08:00",
    "endsAt": "2099-03-31T00:00:00+08:00",
    "condition": "member.isNew ||\n  tier.rank >= 1",
    "caps": [{"subject": "MEMBER", "window": "DAY", "timesMax": 3}],
    "draw": {
        "prizes": [
            {"code": "PACKET", "nameZh": "红包", "nameEn": "Packet", "asset": "CASH"}
            | {"amount": 88, "stock": 500, "quotaPerDay": 50},
            {"code": "CAR", "nameZh": "汽车", "nameEn": "Car", "stock": 1},
            {"code": "THANKS", "nameZh": "谢谢参与", "nameEn": "Thanks"},
        ],
        "stages": [
            {
                "oddsFromPpm": 100_000,
                "oddsToPpm": 12_500,
                "curve": "EASE_OUT",
                "budgets": [{"asset": "CASH", "allowed": 44_000}],
                "entries": [
                    {"prize": "PACKET", "weight": 999, "amountFrom": 288, "amountTo": 88},
                    {"prize": "CAR", "weight": 1},
                ],
            }
        ],
        "consolation": "THANKS",
        "bonuses": [{"condition": "counters.memberTotal >= 3", "ppm": 50_000}],
        "guarantee": {"prize": "PACKET", "drawNo": 10},
    },
}
OUTCOMES = (
    outcome(CONSUMER, 10),
    outcome(CONSUMER, 50, "CASH") | {"lock": {"kind": "NEXT_SCAN"}},
    outcome(GUIDE, 5),
)
IN_CHINESE = [
    "活动时间：2099-03-01 00:00起，至2099-03-31 00:00止（Asia/Shanghai）。",
    "参与方式：扫码（啤酒）。",
    "参与条件：member.isNew || tier.rank >= 1",
    "消费者得10积分。",
    "消费者得0.50元红包（下次扫码后到账）。",
    "奖品：红包（0.88元红包），共500份，每天50份。",
    "奖品：汽车，共1份。",
    "奖品：谢谢参与。",
    "第1阶段（2099-03-01 00:00起）：中奖概率10%，先快后慢变为1.25%。",
    "　中奖者中99.9%得红包（2.88元红包至0.88元红包）。",
    "　中奖者中0.1%得汽车。",
    "　符合 counters.memberTotal >= 3 时概率加5%。",
    "　本阶段最多发放440.00元红包。",
    "保底：第10次抽奖必得红包。",
    "奖品发完即止，改发谢谢参与，其他奖品的中奖概率不变。",
    "每位会员每天最多3次。",
]


async def test_everybody_reads_the_rules_of_what_runs(stage: Stage) -> None:
    await stage.publish(OUTCOMES, **CAMPAIGN, productId=stage.product_id)
    await stage.publish([outcome(GUIDE, 5)], code="channel", event="TASK_COMPLETED")
    over = await stage.publish(code="over", endsAt=None)
    await stage.admin.done("endCampaign", campaignId=over["campaign"]["id"], reason="over")
    in_chinese = Caller(stage.api, None, "zh-CN")
    told = (await in_chinese.ask(PROMOTIONS, brand=stage.slug))["promotions"]
    assert [each["code"] for each in told] == ["purchase-points", "spring"], (
        "not what is over, or the channel's"
    )
    assert (told[1]["name"], told[1]["rules"]) == ("春季", IN_CHINESE)
    in_english = (await stage.api.nobody.ask(PROMOTIONS, brand=stage.slug))["promotions"][1]
    assert in_english["name"] == "Spring"
    assert len(in_english["rules"]) == len(IN_CHINESE)
    assert in_english["rules"][8] == (
        "Stage 1, from 2099-03-01 00:00: 10% of draws win, going early to 1.25%."
    )
    assert (await stage.api.nobody.ask(PROMOTIONS, brand="nobody-s"))["promotions"] == []

    async def versions(code: str, number: int | None = None) -> Any:
        asked = {"brand": stage.slug, "code": code, "version": number}
        return (await stage.api.nobody.ask(VERSIONS, **asked))["promotions"]

    await stage.publish(OUTCOMES, **CAMPAIGN | {"draw": None})
    first = {"version": 1, "draw": {"stages": [{"oddsFromPpm": 100_000}]}}
    assert await versions("spring", 1) == [first]
    assert await versions("spring") == [{"version": 2, "draw": None}]
    assert await versions("over") == [{"version": 1, "draw": None}]
    for code, number in (("spring", 3), ("moon", None), ("channel", 1)):
        assert await versions(code, number) == [], "none such, or the channel's"
