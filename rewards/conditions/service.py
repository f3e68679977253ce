"""Telling operators of conditions that fail."""

import structlog

from loyalty.ids import new_id
from rewards.conditions.rules import Questions

log = structlog.get_logger("conditions")


def log_failures(questions: Questions) -> None:
    """Each condition that failed in a batch, once, with an id to speak of it by."""
    for text, problem in questions.failed.items():
        log.error("condition_failed", error_id=str(new_id()), condition=text, problem=problem)
