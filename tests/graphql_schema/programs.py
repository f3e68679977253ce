"""Tasks, surveys and referrals, and their mutations' inputs that take effect."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.graphql_schema.effects import BOB, CAROL, Effect
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage

TASK: dict[str, Any] = {
    "code": "thrice",
    "nameZh": "签到三天",
    "nameEn": "Three days",
    "role": "CONSUMER",
    "counts": "CHECK_INS",
    "target": 3,
}

SURVEY: dict[str, Any] = {
    "code": "taste",
    "nameZh": "口味问卷",
    "nameEn": "Your taste",
    "endsAt": "2999-01-01T00:00:00+08:00",
    "questions": [
        {
            "code": "tea",
            "kind": "ONE",
            "zh": "喜欢哪种茶",
            "en": "Which tea",
            "options": [
                {"code": "green", "zh": "绿茶", "en": "Green"},
                {"code": "black", "zh": "红茶", "en": "Black"},
            ],
        },
        {"code": "why", "kind": "TEXT", "zh": "为什么", "en": "Why", "required": False},
    ],
}
ANSWERS = {"answers": [{"question": "tea", "options": ["green"]}]}


async def create_task(stage: Stage) -> Effect:
    return Effect(stage.admin, TASK, TASK | {"code": "again"}, TASK | {"target": 0})


async def end_task(stage: Stage) -> Effect:
    return Effect(stage.admin, *(await _codes(stage)))


async def take_task(stage: Stage) -> Effect:
    return Effect(await stage.member(ALICE), *(await _codes(stage)))


async def _codes(stage: Stage) -> list[dict[str, str]]:
    for code in ("thrice", "again"):
        await stage.admin.done("createTask", **TASK | {"code": code})
    return [{"code": code} for code in ("thrice", "again", "unheard-of")]


async def create_survey(stage: Stage) -> Effect:
    return Effect(stage.admin, SURVEY, SURVEY | {"code": "other"}, SURVEY | {"questions": []})


async def end_survey(stage: Stage) -> Effect:
    return Effect(stage.admin, *(await _surveys(stage)))


async def answer_survey(stage: Stage) -> Effect:
    one, other, unknown = [code | ANSWERS for code in await _surveys(stage)]
    return Effect(await stage.member(ALICE), one, other, unknown)


async def _surveys(stage: Stage) -> list[dict[str, Any]]:
    for code in ("taste", "other"):
        await stage.admin.done("createSurvey", **SURVEY | {"code": code})
    return [{"code": code} for code in ("taste", "other", "unheard-of")]


async def open_referral_code(stage: Stage) -> Effect:
    alice = await stage.member(ALICE)
    return Effect(alice, {}, {"deviceId": "phone"}, {"deviceId": ""})


async def use_referral_code(stage: Stage) -> Effect:
    """One's own code is refused on record, so that the other one takes effect as well."""
    codes = [
        (await (await stage.member(phone)).done("openReferralCode"))["code"]
        for phone in (BOB, CAROL)
    ]
    one, other, unknown = [{"code": code} for code in (*codes, "NOBODYS")]
    return Effect(await stage.member(BOB), one, other, unknown)


PROGRAM_EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "createTask": create_task,
    "endTask": end_task,
    "takeTask": take_task,
    "createSurvey": create_survey,
    "endSurvey": end_survey,
    "answerSurvey": answer_survey,
    "openReferralCode": open_referral_code,
    "useReferralCode": use_referral_code,
}
