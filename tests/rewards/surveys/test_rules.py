"""What a survey may ask, and what answers it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from rewards.surveys.models import QuestionKind
from rewards.surveys.rules import (
    GivenAnswer,
    Option,
    Question,
    SurveyDefinition,
    check_survey,
    questions_from_json,
    questions_to_json,
    read_answers,
)

NOW = datetime(2026, 11, 9, tzinfo=UTC)
TEAS = (Option("green", "绿茶", "Green"), Option("black", "红茶", "Black"))
ONE = Question("tea", QuestionKind.ONE, "哪种茶", "Which tea", options=TEAS)
SEVERAL = replace(ONE, code="teas", kind=QuestionKind.SEVERAL, required=False)
SCALE = Question("stars", QuestionKind.SCALE, "几星", "Stars", low=1, high=5)
TEXT = Question("why", QuestionKind.TEXT, "为什么", "Why", required=False)
ALL = (ONE, SEVERAL, SCALE, TEXT)
SURVEY = SurveyDefinition(
    "taste", "口味", "Taste", MemberRole.CONSUMER, ALL, None, datetime(2027, 1, 1, tzinfo=UTC)
)
TEA, STARS = GivenAnswer("tea", ("green",)), GivenAnswer("stars", number=5)


def test_answers_are_kept_by_question_and_options_in_their_own_order() -> None:
    assert check_survey(SURVEY, NOW) == NOW
    asked = questions_from_json(questions_to_json(ALL))
    assert asked == list(ALL)
    said = [TEA, GivenAnswer("teas", ("black", "green")), STARS, GivenAnswer("why", text=" 香 ")]
    assert read_answers(asked, said) == {
        "tea": ["green"],
        "teas": ["green", "black"],
        "stars": 5,
        "why": "香",
    }
    assert read_answers(asked, [STARS, TEA]) == {"tea": ["green"], "stars": 5}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ([TEA], "answers"),
        ([TEA, TEA, STARS], "answers[1].question"),
        ([GivenAnswer("coffee", ("green",))], "answers[0].question"),
        ([GivenAnswer("tea", ("green", "black"))], "answers[0].options"),
        ([GivenAnswer("tea", ("red",))], "answers[0].options"),
        ([GivenAnswer("teas", ())], "answers[0].options"),
        ([GivenAnswer("teas", ("green", "green"))], "answers[0].options"),
        ([GivenAnswer("tea", text="green")], "answers[0].options"),
        ([GivenAnswer("tea", ("green",), number=1)], "answers[0].number"),
        ([GivenAnswer("stars", number=6)], "answers[0].number"),
        ([GivenAnswer("why", text=" ")], "answers[0].text"),
    ],
)
def test_what_is_no_answer_is_refused_where_it_is(said: list[GivenAnswer], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_answers(ALL, said)
    assert refused.value.details["field"] == field


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"code": "Taste"}, "code"),
        ({"questions": ()}, "questions"),
        ({"questions": (ONE, TEXT, ONE)}, "questions[2].code"),
        ({"questions": (replace(ONE, options=TEAS[:1]),)}, "questions[0].options"),
        ({"questions": (replace(ONE, options=TEAS + TEAS[:1]),)}, "questions[0].options[2].code"),
        ({"questions": (replace(TEXT, options=TEAS),)}, "questions[0].options"),
        ({"questions": (replace(SCALE, high=None),)}, "questions[0].low"),
        ({"questions": (replace(SCALE, high=1),)}, "questions[0].high"),
        ({"questions": (replace(TEXT, low=1),)}, "questions[0].low"),
        ({"ends_at": NOW}, "endsAt"),
    ],
)
def test_what_cannot_be_asked_is_refused_where_it_is(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_survey(replace(SURVEY, **changed), NOW)
    assert refused.value.details["field"] == field
