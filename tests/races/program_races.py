"""Races of members who answer surveys and use referral codes; as ``scan_races.py``."""

from collections import Counter
from datetime import UTC, datetime

from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Asset, Transfer
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.referrals.models import Referral
from rewards.surveys.models import QuestionKind, SurveyAnswer
from rewards.surveys.rules import Question, SurveyDefinition
from rewards.surveys.service import create_survey
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import with_points
from tests.races.stage import said
from tests.races.wire import release_at_once, request_bytes

ANSWER = """mutation Race($input: AnswerSurveyInput!) { answerSurvey(input: $input) { __typename
  ... on AnswerSurveyReceipt { event { id } } ... on Refused { code } } }"""
OPEN = """mutation Race($input: OpenReferralCodeInput!) { openReferralCode(input: $input) {
  ... on OpenReferralCodeReceipt { code } } }"""
USE = """mutation Race($input: UseReferralCodeInput!) { useReferralCode(input: $input) { __typename
  ... on UseReferralCodeReceipt { referral { status } } ... on Refused { code } } }"""
PEOPLE = 4
POINTS = 5
_PAYS = CampaignDefinition(
    code="survey",
    name_zh="问卷",
    name_en="Survey",
    event=EventKind.SURVEY_ANSWERED,
    outcomes=(Outcome(MemberRole.CONSUMER, Asset.POINTS, OutcomeBasis.FIXED, POINTS),),
)
_SURVEY = SurveyDefinition(
    "taste",
    "口味",
    "Taste",
    MemberRole.CONSUMER,
    (Question("stars", QuestionKind.SCALE, "几星", "Stars", low=1, high=5),),
    None,
    datetime(2999, 1, 1, tzinfo=UTC),
)


async def a_survey_is_answered_once(arena: Arena, size: int) -> Broken:
    """A few members answer, each many times at once, under keys of their own: each once."""
    broken = Broken()
    stage = await arena.stage("survey").build()
    actor = system_actor(stage.brand_id)
    await stage.db.in_transaction(publish_campaign, actor, _PAYS)
    await stage.db.in_transaction(create_survey, actor, _SURVEY)
    callers = await with_points(arena, stage, PEOPLE)
    requests = []
    for n in range(size):
        given = {
            "idempotencyKey": f"answer {n}",
            "code": "taste",
            "answers": [{"question": "stars", "number": 1 + n % 5}],
        }
        requests.append(request_bytes(callers[n % PEOPLE].token, ANSWER, {"input": given}))
    replies = [
        said(answer, "answerSurvey") for answer in await release_at_once(arena.ports, requests)
    ]
    ends = Counter(str(reply.get("code", reply["__typename"])) for reply in replies)
    wanted = Counter({"AnswerSurveyReceipt": PEOPLE, "ALREADY_ANSWERED": size - PEOPLE})
    broken.unless(ends == wanted, f"each answers once, not {dict(ends)}")
    answers = await stage.rows(SurveyAnswer)
    broken.unless(len({row.member_id for row in answers}) == len(answers), f"{len(answers)} rows")
    paid = [t.amount for t in await stage.rows(Transfer) if t.cause_kind == "EVENT"]
    broken.unless(paid == [POINTS] * PEOPLE, f"paid {paid}")
    return broken


async def a_newcomer_is_referred_once(arena: Arena, size: int) -> Broken:
    """Newcomers each use two codes at once, over both servers: one of them brought each."""
    broken = Broken()
    stage = await arena.stage("referrals").build()
    callers = await stage.consumers(size + 2)
    await stage.warm(arena.ports)
    opened = [
        request_bytes(caller.token, OPEN, {"input": {"idempotencyKey": f"open {n}"}})
        for n, caller in enumerate(callers)
    ]
    # All are members before: nobody waits for another at its enrolment.
    told = [
        said(answer, "openReferralCode") for answer in await release_at_once(arena.ports, opened)
    ]
    codes = [each["code"] for each in told[:2]]
    requests = [
        request_bytes(caller.token, USE, {"input": {"idempotencyKey": f"use {code}", "code": code}})
        for caller in callers[2:]
        for code in codes
    ]
    replies = [
        said(answer, "useReferralCode") for answer in await release_at_once(arena.ports, requests)
    ]
    ends = Counter(str(reply.get("code", reply["__typename"])) for reply in replies)
    wanted = Counter({"UseReferralCodeReceipt": size, "ALREADY_REFERRED": size})
    broken.unless(ends == wanted, f"one code each, not {dict(ends)}")
    brought = Counter(row.referred_id for row in await stage.rows(Referral))
    broken.unless(set(brought.values()) == {1}, "somebody was brought by two")
    return broken
