"""Tiers through GraphQL: ladders published and previewed, levels given, and what members see."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from graphql_schema.context import Context, Services
from graphql_schema.pagination import find_id_of
from graphql_schema.tier_types import tier_of
from loyalty.clock import local_date, utc_now
from loyalty.db import Database, KeyedStatement, Snapshot, Statement
from loyalty.members.models import Member
from loyalty.members.service import get_member
from tests.api import Caller
from tests.graphql_schema.stage import CONSUMER, Stage, outcome
from tests.tiers.standings.members import bought, fold
from tiers.standings.reevaluation import re_evaluate
from tiers.standings.service import brand_tiers

ZONE = "Asia/Shanghai"


def level(code: str, threshold: int | None, **more: Any) -> dict[str, Any]:
    named = {"code": code, "nameZh": f"{code}级", "nameEn": code.title()}
    return named | ({} if threshold is None else {"threshold": threshold}) | more


LEVELS = [
    level("BASIC", 0),
    level("SILVER", 10_000, pointsMultiplierPercent=150),
    level("CLUB", None, invitationOnly=True),
    level("GOLD", 50_000, pointsMultiplierPercent=200),
]
YEARLY_SPEND = {
    "levels": LEVELS,
    "metric": "SPEND",
    "period": {"kind": "CALENDAR", "unit": "YEAR"},
    "ends": "NEXT_PERIOD_END",
    "grace": "P1M",
    "downgrade": "ONE_STEP",
}

TIER = """
  level { rank code threshold invitationOnly } until basis metric metricAsset amount
  keep { threshold amount missing countsFrom by }
  rise { level { code pointsMultiplierPercent } amount missing by startsOn }
  pending { level { code } on } nextLevel { code } growth growthToNext progressPercent
"""
MY_TIER = f"{{ me {{ id tier {{ {TIER} since }} }} }}"
LADDERS = """{ ladders { role version metric metricAsset period { kind unit count } starts ends
  grace downgrade levels { code threshold growthThreshold } } }"""
PREVIEW = """query ($input: PreviewLadderInput!, $size: Int) {
  previewLadder(input: $input, sampleSize: $size) { __typename
    ... on LadderPreview { moves { fromLevel { code } toLevel { code } lowers members memberIds } }
    ... on Refused { code details } } }"""
_CHANGES = """ {
  nodes { fromRank toRank reason note transferId causeKind causeId occurredAt }
  pageInfo { hasNextPage endCursor } }"""
CHANGES = f"""query ($id: ID!, $first: Int, $after: String) {{
  tierChanges(memberId: $id, first: $first, after: $after) {_CHANGES} }}"""
CHANGES_OF_ALL = "{ members { nodes { id tierChanges(first: 1) { nodes { reason } } } } }"
MY_CHANGES = f"""query ($first: Int, $after: String) {{
  me {{ tierChanges(first: $first, after: $after) {_CHANGES} }} }}"""


def given(mutation: str) -> str:
    name = mutation[0].upper() + mutation[1:]
    return (
        f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename"
        f" ... on {name}Receipt {{ replayed tier {{ {TIER} }} }}"
        " ... on Refused { code details } } }"
    )


async def give(operator: Caller, mutation: str, key: str = "1", **input: Any) -> Any:
    input["idempotencyKey"] = f"{mutation} {key}"
    return (await operator.ask(given(mutation), input=input))[mutation]


async def spend(stage: Stage, member_id: str, fen: int) -> None:
    """As a purchase does, of today."""
    id = find_id_of("Member", member_id)
    assert id is not None
    async with stage.database.snapshot() as snapshot:
        rules = await brand_tiers(snapshot, stage.brand_id)
    event = bought(utc_now(), fen)
    await stage.database.in_transaction(fold, stage.brand_id, rules, [(id, event)])


async def consumer(stage: Stage, phone: str = "13800138001") -> tuple[Caller, str]:
    """A member by its first scan, which pays nothing; and its global id."""
    caller = await stage.member(phone)
    await caller.done("scanCode", code=await stage.code())
    return caller, (await caller.ask("{ me { id } }"))["me"]["id"]


async def test_a_member_sees_what_it_holds_until_when_and_what_is_missing(stage: Stage) -> None:
    await stage.admin.done("publishLadder", **YEARLY_SPEND)
    caller, id = await consumer(stage)
    await spend(stage, id, 12_000)
    tier = (await caller.ask(MY_TIER))["me"]["tier"]
    year = local_date(utc_now(), ZONE).year
    assert tier.pop("since") is not None
    assert tier == {
        "level": {"rank": 1, "code": "SILVER", "threshold": 10_000, "invitationOnly": False},
        "until": f"{year + 2}-01-31",
        "basis": "EARNED",
        "metric": "SPEND",
        "metricAsset": None,
        "amount": 12_000,
        "keep": {
            "threshold": 10_000,
            "amount": 0,
            "missing": 10_000,
            "countsFrom": f"{year + 1}-01-01",
            "by": f"{year + 1}-12-31",
        },
        "rise": {
            "level": {"code": "GOLD", "pointsMultiplierPercent": 200},
            "amount": 12_000,
            "missing": 38_000,
            "by": f"{year}-12-31",
            "startsOn": None,
        },
        "pending": None,
        "nextLevel": {"code": "GOLD"},
        "growth": 0,
        "growthToNext": 38_000,
        "progressPercent": 24,
    }


async def test_a_level_that_begins_next_month_is_pending(stage: Stage) -> None:
    terms = YEARLY_SPEND | {
        "metric": "EARNED",
        "metricAsset": "POINTS",
        "period": {"kind": "CALENDAR", "unit": "MONTH"},
        "starts": "NEXT_PERIOD",
        "levels": [level("BASIC", 0), level("SILVER", 100)],
    }
    await stage.admin.done("publishLadder", **terms)
    await stage.publish([outcome(CONSUMER, 100)])
    caller, id = await consumer(stage)
    member_id = find_id_of("Member", id)
    async with stage.database.snapshot() as snapshot:
        rules = await brand_tiers(snapshot, stage.brand_id)
        assert member_id is not None
    event = bought(utc_now(), 0, earned={"POINTS": 100})
    await stage.database.in_transaction(fold, stage.brand_id, rules, [(member_id, event)])
    tier = (await caller.ask(MY_TIER))["me"]["tier"]
    today = local_date(utc_now(), ZONE)
    begins = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    assert tier["pending"] == {"level": {"code": "SILVER"}, "on": begins.isoformat()}
    assert (tier["level"]["rank"], tier["metricAsset"]) == (0, "POINTS")
    assert tier["rise"]["startsOn"] == begins.isoformat()


async def test_ladders_are_shown_to_whoever_signs_in(stage: Stage) -> None:
    await stage.admin.done("publishLadder", **YEARLY_SPEND)
    caller = await stage.member("13800138001")
    [ladder] = (await caller.ask(LADDERS))["ladders"]
    assert [level["threshold"] for level in ladder["levels"]] == [0, 10_000, None, 50_000]
    del ladder["levels"]
    assert ladder == {
        "role": "CONSUMER",
        "version": 2,
        "metric": "SPEND",
        "metricAsset": None,
        "period": {"kind": "CALENDAR", "unit": "YEAR", "count": 1},
        "starts": "AT_ONCE",
        "ends": "NEXT_PERIOD_END",
        "grace": "P1M",
        "downgrade": "ONE_STEP",
    }


async def test_a_preview_tells_who_would_move_before_it_is_published(stage: Stage) -> None:
    await stage.admin.done("publishLadder", **YEARLY_SPEND)
    _, id = await consumer(stage)
    await spend(stage, id, 12_000)
    input = YEARLY_SPEND | {"levels": [level("BASIC", 0), level("GOLD", 11_000)]}
    answer = (await stage.admin.ask(PREVIEW, input=input, size=3))["previewLadder"]
    assert answer["moves"] == [
        {
            "fromLevel": {"code": "SILVER"},
            "toLevel": {"code": "GOLD"},
            "lowers": True,  # its own level is gone, whatever it comes to
            "members": 1,
            "memberIds": [id],
        }
    ]
    refused = await stage.admin.do("publishLadder", **input)
    assert (refused["code"], refused["details"]) == ("LADDER_LOWERS_MEMBERS", {"members": 1})
    worse = YEARLY_SPEND | {"grace": "1 month"}
    answer = (await stage.admin.ask(PREVIEW, input=worse, size=3))["previewLadder"]
    assert (answer["code"], answer["details"]["field"]) == ("INVALID_INPUT", "grace")


@pytest.mark.parametrize(
    ("levels", "field"),
    [
        ([level("A", 0, growthThreshold=0)], "levels[0].threshold"),
        ([level("A", None)], "levels[0].threshold"),
        ([level("A", 0), level("B", 5, invitationOnly=True)], "levels[1].threshold"),
    ],
)
async def test_a_level_has_one_threshold_or_is_by_invitation(
    stage: Stage, levels: list[dict[str, Any]], field: str
) -> None:
    refused = await stage.admin.do("publishLadder", levels=levels)
    assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", field)


async def test_the_former_name_of_thresholds_still_works(stage: Stage) -> None:
    levels = [level("A", None, growthThreshold=0), level("B", None, growthThreshold=7)]
    receipt = await stage.admin.done("publishLadder", levels=levels)
    assert [each["growthThreshold"] for each in receipt["levels"]] == [0, 7]


async def test_levels_are_given_and_taken_back_by_hand(stage: Stage) -> None:
    await stage.admin.done("publishLadder", **YEARLY_SPEND)
    caller, id = await consumer(stage)
    admin = stage.admin
    until = (local_date(utc_now(), ZONE) + timedelta(days=9)).isoformat()
    asked: dict[str, Any] = {"memberId": id, "rank": 3, "until": until, "reason": "an apology"}
    receipt = await give(admin, "grantTier", **asked)
    assert (receipt["tier"]["level"]["code"], receipt["tier"]["basis"]) == ("GOLD", "GRANTED")
    assert (receipt["tier"]["until"], receipt["replayed"]) == (until, False)
    assert (await give(admin, "grantTier", **asked))["replayed"]
    refused = await give(admin, "grantTier", "2", **asked | {"rank": 2})
    assert (refused["code"], refused["details"]) == ("LEVEL_BY_INVITATION", {"level": "CLUB"})
    invited: dict[str, Any] = {"memberId": id, "rank": 2, "reason": "a friend"}
    receipt = await give(admin, "inviteToTier", **invited)
    assert (receipt["tier"]["level"]["code"], receipt["tier"]["until"]) == ("CLUB", None)
    assert (await caller.ask(MY_TIER))["me"]["tier"]["keep"] is None
    receipt = await give(admin, "endTierGrant", memberId=id, reason="no more")
    assert (receipt["tier"]["level"]["code"], receipt["tier"]["basis"]) == ("BASIC", "EARNED")
    refused = await give(admin, "endTierGrant", "2", memberId=id, reason="no more")
    assert (refused["code"], refused["details"]) == ("NOT_FOUND", {"noun": "tier grant"})

    first = (await stage.admin.ask(CHANGES, id=id, first=2))["tierChanges"]
    told = [(c["fromRank"], c["toRank"], c["reason"], c["note"]) for c in first["nodes"]]
    assert told == [(2, 0, "GRANT_ENDED", "no more"), (3, 2, "INVITED", "a friend")]
    after = first["pageInfo"]["endCursor"]
    rest = (await stage.admin.ask(CHANGES, id=id, first=2, after=after))["tierChanges"]
    assert [c["reason"] for c in rest["nodes"]] == ["GRANTED"]
    assert not rest["pageInfo"]["hasNextPage"]
    mine = (await caller.ask(MY_CHANGES, first=2))["me"]["tierChanges"]
    silent = [change | {"note": "", "causeId": None} for change in first["nodes"]]
    assert mine == first | {"nodes": silent}, "what operators say is theirs"
    assert (await caller.ask(MY_CHANGES, after=after))["me"]["tierChanges"]["nodes"] == [
        rest["nodes"][0] | {"note": ""}
    ]
    other, _ = await consumer(stage, "13800138009")
    assert (await other.ask(MY_CHANGES))["me"]["tierChanges"]["nodes"] == []
    both = (await admin.ask(CHANGES_OF_ALL))["members"]["nodes"]
    assert {node["id"]: len(node["tierChanges"]["nodes"]) for node in both} == {
        id: 1,
        (await other.me())["id"]: 0,
    }, "a page of each"
    unknown = (await stage.admin.ask(CHANGES, id=stage.unknown_id("Member")))["tierChanges"]
    assert unknown["nodes"] == []


async def test_a_published_ladder_lifts_by_the_next_run(stage: Stage) -> None:
    await stage.admin.done("publishLadder", **YEARLY_SPEND)
    caller, id = await consumer(stage)
    await spend(stage, id, 9_000)
    lower = [level("BASIC", 0), level("SILVER", 8_000)]
    await stage.admin.done("publishLadder", **YEARLY_SPEND | {"levels": lower})
    assert (await caller.ask(MY_TIER))["me"]["tier"]["level"]["rank"] == 0
    for _ in range(100):
        chunk = await stage.database.in_transaction(re_evaluate, 100)
        if chunk is None or not chunk.is_more_to_do:
            break
    assert (await caller.ask(MY_TIER))["me"]["tier"]["level"]["rank"] == 1


# --- statements --------------------------------------------------------------------------------


class CountingDatabase(Database):
    """Counts what it is asked."""

    asked = 0

    async def read(self, statement: Statement, **values: Any) -> list[Any]:
        self.asked += 1
        return await super().read(statement, **values)

    async def read_each(self, statement: KeyedStatement, keys: Sequence[Any]) -> list[list[Any]]:
        self.asked += 1
        return await super().read_each(statement, keys)

    def snapshot(self) -> Any:
        self.asked += 100  # no snapshot is opened for what is known
        return super().snapshot()


async def test_the_tier_of_a_member_is_one_statement(stage: Stage, database_url: str) -> None:
    _, id = await consumer(stage)
    member_id = find_id_of("Member", id)
    assert member_id is not None
    database = CountingDatabase(database_url)
    try:
        services = Services(database, *(cast(Any, None) for _ in range(8)))
        context = Context(services)
        async with database.snapshot() as snapshot:
            member = await _member(snapshot, stage.brand_id, member_id)
        for terms in ({"levels": [level("A", 0), level("B", 5)]}, YEARLY_SPEND):
            await stage.admin.done("publishLadder", **terms)
            first = await tier_of(context, member)  # what was published has to be learned once
            database.asked = 0
            again = await tier_of(context, member)
            assert again == first and again is not None
            assert database.asked == 1
    finally:
        await database.close()


async def _member(snapshot: Snapshot, brand_id: UUID, id: UUID) -> Member:
    return await get_member(snapshot, brand_id, id)
