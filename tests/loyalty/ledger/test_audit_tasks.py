"""A completion may name anything for its period: the audit tells it, and goes on."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from loyalty.ids import new_id
from loyalty.ledger.audit_tasks import task_periods

AT = datetime(2026, 11, 9, tzinfo=UTC)


@pytest.mark.parametrize("period", ["", "2026-W60", "2026-13", "0000-01", "9999-12", "9999-W53"])
def test_in_a_period_that_no_calendar_has_nothing_was_done(period: str) -> None:
    row = (new_id(), "task", period, "CHECK_INS", 1, AT, None)
    [(*_, begin, end)] = task_periods([row], ZoneInfo("Asia/Shanghai"))
    assert begin == end
