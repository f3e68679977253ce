"""Scene 9: a region-limited pilot first. One city's scans pay, then two cities', then all."""

from pathlib import Path
from typing import Any

from loyalty.db import Database
from tests.api import Caller
from tests.clocks import SettableClock
from tests.graphql_schema.stage import outcome
from tests.scenarios.drawn import Fair, fair_on

SHANGHAI, HANGZHOU, BEIJING = (31.2, 121.4), (30.2, 120.1), (39.9, 116.4)
PILOT: dict[str, Any] = {
    "code": "pilot",
    "nameZh": "试点",
    "nameEn": "Pilot",
    "outcomes": [outcome("CONSUMER", 50, "POINTS")],
}


def around(latitude: float, longitude: float) -> list[dict[str, float]]:
    return [
        {"latitude": latitude + south, "longitude": longitude + west}
        for south, west in ((-0.3, -0.3), (0.4, -0.3), (0.4, 0.4), (-0.3, 0.4))
    ]


async def put(admin: Caller, code: str, name: str, *areas: list[dict[str, float]]) -> Any:
    said = {"code": code, "nameZh": name, "nameEn": code.title(), "areas": list(areas)}
    return (await admin.done("putRegion", **said))["region"]


async def scan(fair: Fair, at: tuple[float, float] | None) -> Any:
    position = None if at is None else {"latitude": at[0], "longitude": at[1]}
    receipt = await fair.scan(fair.people[0], position=position)
    return receipt["unpaidReason"] or receipt["rewards"][0]["amount"]


async def test_a_pilot_pays_where_it_runs(
    clocked_db: Database, clock: SettableClock, tmp_path: Path
) -> None:
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        await fair.open(people=1, codes=20)
        admin = fair.stage.admin
        made = await put(admin, "shanghai", "上海", around(*SHANGHAI))
        assert (made["name"], made["nameZh"], len(made["areas"][0])) == ("Shanghai", "上海", 4)
        await put(admin, "hangzhou", "杭州", around(*HANGZHOU))
        listed = (await admin.ask("{ regions { code } }"))["regions"]
        assert [region["code"] for region in listed] == ["hangzhou", "shanghai"]

        for wrong, path in (
            ({"regions": ["shanghai", "nowhere"]}, "regions[1]"),
            ({"regions": ["shanghai"], "event": "SIGN_UP"}, "regions"),
            ({"regions": ["shanghai", "shanghai"]}, "regions"),
            ({"condition": "event.region > 1"}, "condition"),
        ):
            refused = await admin.do("publishCampaign", **PILOT | wrong)
            assert refused["details"]["field"] == path

        await fair.stage.publish(**PILOT, regions=["shanghai"])
        assert await scan(fair, SHANGHAI) == 50
        assert [await scan(fair, at) for at in (HANGZHOU, BEIJING, None)] == 3 * ["NO_CAMPAIGN"]

        await fair.stage.publish(**PILOT, regions=["shanghai", "hangzhou"])
        assert [await scan(fair, at) for at in (SHANGHAI, HANGZHOU)] == [50, 50]
        assert await scan(fair, BEIJING) == "NO_CAMPAIGN"

        # A region that is said to be elsewhere is so from the next scan on.
        await put(admin, "hangzhou", "杭州", around(*BEIJING))
        assert await scan(fair, HANGZHOU) == "NO_CAMPAIGN"
        assert await scan(fair, BEIJING) == 50

        # Everywhere, but less; where the pilot runs it comes first. A bonus reads the region too.
        national = {"code": "all", "nameZh": "全国", "nameEn": "All", "priority": 0}
        await fair.stage.publish(**national, outcomes=[outcome("CONSUMER", 5, "POINTS")])
        await fair.stage.publish(
            code="extra",
            nameZh="加赠",
            nameEn="Extra",
            outcomes=[outcome("CONSUMER", 1, "GROWTH")],
            condition="event.region == '' && !event.located",
            bonus={"group": "extra"},
        )
        assert [await scan(fair, at) for at in (SHANGHAI, HANGZHOU, None)] == [50, 5, 5]

        promoted = "query ($slug: String!) { promotions(brand: $slug) { code rules } }"
        found = (await admin.ask(promoted, slug=fair.stage.slug))["promotions"]
        rules = {each["code"]: "".join(each["rules"]) for each in found}
        assert "Where: Shanghai, Hangzhou" in rules["pilot"]
        assert "Where" not in rules["all"]
        campaigns = (await admin.ask("{ campaigns { nodes { code regions } } }"))["campaigns"]
        assert {"code": "pilot", "regions": ["shanghai", "hangzhou"]} in campaigns["nodes"]
        assert not await fair.offences()
