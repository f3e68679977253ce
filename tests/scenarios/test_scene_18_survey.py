"""Scene 18: a survey inside the brand's own mini-program, answered for points, once."""

import asyncio
from typing import Any

from tests.api import Caller
from tests.scenarios.shop import POINTS, Shop, outcome

QUESTIONS: list[dict[str, Any]] = [
    {
        "code": "tea",
        "kind": "SEVERAL",
        "zh": "喜欢哪些茶",
        "en": "Which teas do you like?",
        "options": [
            {"code": "green", "zh": "绿茶", "en": "Green"},
            {"code": "black", "zh": "红茶", "en": "Black"},
        ],
    },
    {
        "code": "stars",
        "kind": "SCALE",
        "zh": "几颗星",
        "en": "How many stars?",
        "low": 1,
        "high": 5,
    },
    {"code": "why", "kind": "TEXT", "zh": "为什么", "en": "Why?", "required": False},
]
MINE = """
{ mySurveys { survey { code name questions { code kind prompt required options { code zh } } }
              answer { answers { question options number text } } } }
"""
ANSWERED = """
{ surveyAnswers(code: "taste") { nodes { memberId answers { question options number text } } } }
"""
REWARD = 20


def said(stars: int, **more: Any) -> list[dict[str, Any]]:
    tea = {"question": "tea", "options": ["black", "green"]}
    return [tea, {"question": "stars", "number": stars}, *more.values()]


async def mine(caller: Caller) -> Any:
    [survey] = (await caller.ask(MINE))["mySurveys"]
    return survey


async def test_a_consumer_answers_once_and_has_points_for_it(shop: Shop) -> None:
    await shop.admin.done(
        "publishCampaign",
        code="survey",
        nameZh="问卷有礼",
        nameEn="For your answers",
        event="SURVEY_ANSWERED",
        condition="event.survey == 'taste'",
        outcomes=[outcome("CONSUMER", POINTS, REWARD)],
    )
    taste = {"code": "taste", "nameZh": "口味问卷", "nameEn": "Your taste"}
    until = {"endsAt": "2999-01-01T00:00:00+08:00", "questions": QUESTIONS}
    await shop.admin.done("createSurvey", **taste, **until)
    ann, bob = await shop.person("13800138001"), await shop.person("13800138002")
    shown = await mine(ann)
    assert (shown["survey"]["code"], shown["answer"]) == ("taste", None)
    assert [q["code"] for q in shown["survey"]["questions"]] == ["tea", "stars", "why"]

    missed = await ann.do("answerSurvey", code="taste", answers=said(9))
    assert (missed["code"], missed["details"]["field"]) == ("INVALID_INPUT", "answers[1].number")
    assert await ann.me() is None, "who is refused is not enrolled either"
    why = {"question": "why", "text": "香"}
    event = (await ann.done("answerSurvey", code="taste", answers=said(5, why=why)))["event"]
    assert event["earned"] == [{"asset": POINTS, "amount": REWARD, "locked": False}]
    again = await ann.do("answerSurvey", code="taste", answers=said(1))
    assert again["code"] == "ALREADY_ANSWERED"
    assert (await mine(ann))["answer"]["answers"][-1] == {
        "question": "why",
        "text": "香",
        "options": None,
        "number": None,
    }

    # Many at once: one counts.
    replies = await asyncio.gather(
        *(bob.do("answerSurvey", code="taste", answers=said(stars)) for stars in (1, 2, 3, 4))
    )
    assert sum(reply["__typename"] == "AnswerSurveyReceipt" for reply in replies) == 1
    for caller in (ann, bob):
        assert await caller.balances() == {POINTS: (REWARD, 0)}
    nodes = (await shop.admin.ask(ANSWERED))["surveyAnswers"]["nodes"]
    assert [node["memberId"] for node in nodes] == [(await who.me())["id"] for who in (bob, ann)]
    assert nodes[1]["answers"][0]["options"] == ["green", "black"]

    await shop.admin.done("endSurvey", code="taste")
    late = await shop.person("13800138003")
    assert (await late.do("answerSurvey", code="taste", answers=said(3)))["code"] == "NOT_OPEN"
    assert (await late.ask(MINE))["mySurveys"] == []
    assert (await shop.host.run("audit"))["broken"] == 0
