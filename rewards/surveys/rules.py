"""Pure: what a survey may ask, and what answers it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.text import check_handle, checked_instant, checked_text
from rewards.surveys.models import QuestionKind

NAME_LENGTH_MAX = 80
PROMPT_LENGTH_MAX = 300
TEXT_LENGTH_MAX = 1_000
QUESTIONS_MAX = 50
OPTIONS_MAX = 30
OPEN_SURVEYS_MAX = 50
SCALE_MAX = 100

Answered = list[str] | int | str
"""Codes of options, a number or a text."""

_CHOICES = (QuestionKind.ONE, QuestionKind.SEVERAL)


@dataclass(frozen=True, slots=True)
class Option:
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Question:
    """``options`` of ONE and SEVERAL; ``low`` to ``high``, both included, of SCALE."""

    code: str
    kind: QuestionKind
    zh: str
    en: str
    required: bool = True
    options: tuple[Option, ...] = ()
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class SurveyDefinition:
    """What an operator asks for; ``starts_at`` None is now."""

    code: str
    name_zh: str
    name_en: str
    role: MemberRole
    questions: tuple[Question, ...]
    starts_at: datetime | None
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What a member says to one question: the one of the three that its kind asks for."""

    question: str
    options: Sequence[str] | None = None
    number: int | None = None
    text: str | None = None


def check_survey(wanted: SurveyDefinition, now: datetime) -> datetime:
    """When it begins. Refuses InvalidInput with the field's path."""
    check_handle(wanted.code, "code")
    checked_text(wanted.name_zh, "nameZh", length_max=NAME_LENGTH_MAX)
    checked_text(wanted.name_en, "nameEn", length_max=NAME_LENGTH_MAX)
    if not 1 <= len(wanted.questions) <= QUESTIONS_MAX:
        raise InvalidInput(field="questions", problem=f"1 to {QUESTIONS_MAX}")
    for i, question in enumerate(wanted.questions):
        _check_question(f"questions[{i}]", question)
    _check_distinct("questions", [each.code for each in wanted.questions])
    for name, at in (("startsAt", wanted.starts_at), ("endsAt", wanted.ends_at)):
        checked_instant(at, name)
    starts_at = now if wanted.starts_at is None else wanted.starts_at
    if wanted.ends_at <= max(starts_at, now):
        raise InvalidInput(field="endsAt", problem="after startsAt, and in the future")
    return starts_at


def _check_distinct(field: str, codes: Sequence[str]) -> None:
    for i, code in enumerate(codes):
        if code in codes[:i]:
            raise InvalidInput(field=f"{field}[{i}].code", problem="named twice")


def _check_question(field: str, question: Question) -> None:
    check_handle(question.code, f"{field}.code")
    checked_text(question.zh, f"{field}.zh", length_max=PROMPT_LENGTH_MAX)
    checked_text(question.en, f"{field}.en", length_max=PROMPT_LENGTH_MAX)
    is_choice = question.kind in _CHOICES
    if is_choice and not 2 <= len(question.options) <= OPTIONS_MAX:
        raise InvalidInput(field=f"{field}.options", problem=f"2 to {OPTIONS_MAX}")
    if not is_choice and question.options:
        raise InvalidInput(field=f"{field}.options", problem=f"{question.kind} has none")
    for i, option in enumerate(question.options):
        check_handle(option.code, f"{field}.options[{i}].code")
        checked_text(option.zh, f"{field}.options[{i}].zh", length_max=NAME_LENGTH_MAX)
        checked_text(option.en, f"{field}.options[{i}].en", length_max=NAME_LENGTH_MAX)
    _check_distinct(f"{field}.options", [option.code for option in question.options])
    if question.kind is not QuestionKind.SCALE:
        if question.low is not None or question.high is not None:
            raise InvalidInput(field=f"{field}.low", problem=f"{question.kind} has no scale")
    elif question.low is None or question.high is None:
        raise InvalidInput(field=f"{field}.low", problem="a scale needs low and high")
    elif not 0 <= question.low < question.high <= SCALE_MAX:
        raise InvalidInput(field=f"{field}.high", problem=f"0 to {SCALE_MAX}, above low")


def read_answers(
    questions: Iterable[Question], given: Sequence[GivenAnswer]
) -> dict[str, Answered]:
    """By question, as they are stored. Refuses InvalidInput with the field's path."""
    asked = {question.code: question for question in questions}
    answers: dict[str, Answered] = {}
    for i, answer in enumerate(given):
        question = asked.get(answer.question)
        if question is None or answer.question in answers:
            problem = "no question of this survey" if question is None else "answered twice"
            raise InvalidInput(field=f"answers[{i}].question", problem=problem)
        answers[question.code] = _read(f"answers[{i}]", question, answer)
    missing = [code for code, each in asked.items() if each.required and code not in answers]
    if missing:
        raise InvalidInput(field="answers", problem=f"{missing[0]} is to be answered")
    return answers


def _read(field: str, question: Question, given: GivenAnswer) -> Answered:
    told = {"options": given.options, "number": given.number, "text": given.text}
    wanted = {QuestionKind.SCALE: "number", QuestionKind.TEXT: "text"}.get(question.kind, "options")
    for name, value in told.items():
        if (value is None) is (name == wanted):
            raise InvalidInput(field=f"{field}.{name}", problem=f"answered by {wanted}")
    if given.number is not None:
        low, high = question.low or 0, question.high or SCALE_MAX
        if not low <= given.number <= high:
            raise InvalidInput(field=f"{field}.number", problem=f"{low} to {high}")
        return given.number
    if given.text is not None:
        return checked_text(given.text, f"{field}.text", length_max=TEXT_LENGTH_MAX)
    return _read_options(f"{field}.options", question, given.options or ())


def _read_options(field: str, question: Question, chosen: Sequence[str]) -> list[str]:
    known = [option.code for option in question.options]
    if set(chosen) - set(known):
        raise InvalidInput(field=field, problem="not all are options of this question")
    if len(set(chosen)) < len(chosen) or not chosen:
        raise InvalidInput(field=field, problem="each once, one at least")
    if question.kind is QuestionKind.ONE and len(chosen) > 1:
        raise InvalidInput(field=field, problem="one")
    return [code for code in known if code in chosen]


def questions_to_json(questions: Iterable[Question]) -> list[dict[str, Any]]:
    """As a survey stores them."""
    return [
        {
            "code": each.code,
            "kind": each.kind.value,
            "zh": each.zh.strip(),
            "en": each.en.strip(),
            "required": each.required,
            "options": [
                {"code": option.code, "zh": option.zh.strip(), "en": option.en.strip()}
                for option in each.options
            ],
            "low": each.low,
            "high": each.high,
        }
        for each in questions
    ]


def questions_from_json(stored: Iterable[Mapping[str, Any]]) -> list[Question]:
    """As they were asked."""
    return [
        Question(
            each["code"],
            QuestionKind(each["kind"]),
            each["zh"],
            each["en"],
            each["required"],
            tuple(Option(**option) for option in each["options"]),
            each["low"],
            each["high"],
        )
        for each in stored
    ]
