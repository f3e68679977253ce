"""The payout protocol as values, and when a store is paid."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.ids import new_id
from rewards.payouts.rules import (
    Order,
    PlaceTerms,
    Report,
    ReportMismatch,
    ReportState,
    ReportUnreadable,
    ask_delay,
    check_report,
    is_signed,
    masked_payee,
    must_ask_first,
    order_of,
    payee_due,
    payout_number,
    read_report,
    request_text,
    signature,
    strongest,
)

NOW = datetime(2026, 11, 9, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
NUMBER = "P" + "A1" * 15 + "B"
SECRET = b"a secret shared with the provider"
BRAND, PLACE = new_id(), new_id()


def test_a_number_is_32_letters_and_digits_and_as_unique_as_the_id() -> None:
    ids = [new_id() for _ in range(1000)]
    numbers = {payout_number(id) for id in ids}
    assert len(numbers) == 1000
    assert all(len(n) == 32 and n.isalnum() and n.isascii() for n in numbers)
    assert payout_number(UUID(int=7 << 76)) == "P" + "0" * 31  # all but the version's digit


def test_a_request_is_the_same_text_for_the_same_order() -> None:
    order = Order(NUMBER, 12_345, "wallet-张三-0001")
    assert request_text(order) == request_text(order)
    assert order_of(request_text(order)) == order
    assert masked_payee(request_text(order)) == "****0001"
    assert masked_payee(request_text(Order(NUMBER, 1, "12345678"))) == "****"


def test_a_signature_is_good_for_five_minutes_and_for_its_text_alone() -> None:
    stamp = int(NOW.timestamp())
    signed = signature(SECRET, stamp, b"text")
    assert is_signed(SECRET, str(stamp), signed, b"text", NOW)
    assert is_signed(SECRET, str(stamp), signed, b"text", NOW + timedelta(minutes=5))
    assert not is_signed(SECRET, str(stamp), signed, b"text", NOW + timedelta(minutes=5, seconds=1))
    assert not is_signed(SECRET, str(stamp), signed, b"text", NOW - timedelta(minutes=6))
    assert not is_signed(SECRET, str(stamp + 1), signed, b"text", NOW)
    assert not is_signed(SECRET, str(stamp), signed, b"other", NOW)
    assert not is_signed(b"another", str(stamp), signed, b"text", NOW)


@pytest.mark.parametrize("timestamp", [None, "", "-1", "1e9", "0x1", "９", "9" * 400, "nan", " 1"])
def test_a_timestamp_that_is_no_number_signs_nothing(timestamp: str | None) -> None:
    assert not is_signed(SECRET, timestamp, "0" * 64, b"text", NOW)


@pytest.mark.parametrize("signed", [None, "", "0" * 64, "é", "v1,x"])
def test_a_signature_of_somebody_else_signs_nothing(signed: str | None) -> None:
    assert not is_signed(SECRET, str(int(NOW.timestamp())), signed, b"text", NOW)


GOOD = {"number": NUMBER, "state": "PAID", "amount_fen": 5}


def test_a_report_says_what_became_of_a_number() -> None:
    assert read_report(orjson.dumps(GOOD)) == Report(ReportState.PAID, NUMBER, 5)
    unknown = {"number": NUMBER, "state": "NOT_FOUND"}
    assert read_report(orjson.dumps(unknown)) == Report(ReportState.NOT_FOUND, NUMBER)
    said = read_report(orjson.dumps({**GOOD, "reference": "r" * 999, "detail": "行1\n\x00行2"}))
    assert said.reference == "r" * 100
    assert said.detail == "行1??行2"  # any database takes it


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b"\xff",
        b'{"number": "P',
        *(
            orjson.dumps({**GOOD, **wrong})
            for wrong in (
                {"number": None},
                {"number": 5},
                {"state": "paid"},
                {"state": None},
                {"state": ["PAID"]},
                {"amount_fen": None},
                {"amount_fen": "5"},
                {"amount_fen": 5.0},
                {"amount_fen": True},
            )
        ),
        b'{"number": "P", "state": "PAID", "amount_fen": 1e309}',
        b'{"number": "P", "state": "PAID", "amount_fen": NaN}',
    ],
)
def test_what_is_no_report_tells_nothing(body: bytes) -> None:
    with pytest.raises(ReportUnreadable):
        read_report(body)


def test_a_report_of_another_number_or_amount_is_an_error() -> None:
    check_report(Report(ReportState.PAID, NUMBER, 5), NUMBER, 5)
    check_report(Report(ReportState.NOT_FOUND, NUMBER), NUMBER, 5)
    for report in (
        Report(ReportState.PAID, NUMBER, 6),
        Report(ReportState.PAID, NUMBER + "0", 5),
        Report(ReportState.FAILED, NUMBER, 4),
        Report(ReportState.NOT_FOUND, NUMBER + "0"),
    ):
        with pytest.raises(ReportMismatch):
            check_report(report, NUMBER, 5)


@given(st.lists(st.sampled_from(ReportState)))
def test_the_first_final_report_counts_else_the_furthest_on(states: list[ReportState]) -> None:
    counts = strongest([Report(state, NUMBER, 5) for state in states])
    finals = [s for s in states if s in (ReportState.PAID, ReportState.FAILED)]
    others = [s for s in (ReportState.PROCESSING, ReportState.ACCEPTED) if s in states]
    wanted = next(iter([*finals, *others]), None)
    assert (counts.state if counts else None) == wanted


def test_asking_gets_rarer_up_to_an_hour() -> None:
    delays = [ask_delay(30, asks).total_seconds() for asks in range(9)]
    assert delays == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert ask_delay(30, 10**9) == HOUR


def test_only_a_young_first_attempt_is_sent_unasked() -> None:
    assert not must_ask_first("CREATED", 1, NOW, NOW + timedelta(seconds=60))
    assert must_ask_first("CREATED", 2, NOW, NOW)
    assert must_ask_first("SENT", 1, NOW, NOW)
    # A dead letter that is retried counts from nought.
    assert must_ask_first("CREATED", 1, NOW, NOW + timedelta(seconds=61))
    assert must_ask_first("CREATED", 1, NOW, NOW - timedelta(days=1))


def terms(
    payee: str | None = "wallet",
    status: str = "OPEN",
    has_live: bool = False,
    failed_at: datetime | None = None,
    failed_payee: str = "wallet",
) -> PlaceTerms:
    request = request_text(Order(NUMBER, 1, failed_payee)) if failed_at else None
    return PlaceTerms(BRAND, PLACE, payee, 100, status, has_live, failed_at, request)


@pytest.mark.parametrize(
    ("place", "available_fen", "is_paid"),
    [
        (terms(), 100, True),
        (terms(), 99, False),
        (terms(), -100, False),
        (terms(payee=None), 100, False),
        (terms(status="CLOSED"), 100, False),
        (terms(has_live=True), 100, False),
        (terms(failed_at=NOW - HOUR), 100, True),
        (terms(failed_at=NOW - HOUR + timedelta(seconds=1)), 100, False),
        (terms(failed_at=NOW, failed_payee="closed"), 100, True),
    ],
)
def test_a_store_is_paid_when(place: PlaceTerms, available_fen: int, is_paid: bool) -> None:
    assert payee_due(place, available_fen, HOUR, NOW) == ("wallet" if is_paid else None)
