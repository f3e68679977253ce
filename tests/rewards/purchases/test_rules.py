"""Which rows are purchases, and why others are not."""

import hashlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.purchases.reading import RejectReason, read_fact
from rewards.purchases.rules import PurchaseFact, occurred_at

TODAY = date(2026, 11, 9)
GOOD = ["P-1", "M-1", "2026-11-09", "2", "29.33"]

BAD = [
    (0, RejectReason.PURCHASE_REF_INVALID, ["", " ", "　", "x" * 65, "a\x00", "a\tb", "a\u202eb"]),
    (1, RejectReason.MEMBER_REF_INVALID, ["", " ", "x" * 65, "a\x1b[31m", "a\nb", "\ufeff"]),
    (
        2,
        RejectReason.DATE_INVALID,
        *[["", "19970101", "1997-1-1", "1997-W01-1", "2026-02-30", "01/02/1997", "0001-01-01"]],
    ),
    (2, RejectReason.DATE_INVALID, ["1997-01-01T00:00:00", "１９９７-01-01", "1899-12-31"]),
    (2, RejectReason.DATE_IN_FUTURE, ["2026-11-10", "9999-12-31"]),
    (
        3,
        RejectReason.QUANTITY_NOT_A_WHOLE_NUMBER,
        ["", "two", "2.0", "1e3", "+1", "٣", "0x1", "1_000", "--1", "NaN"],
    ),
    (3, RejectReason.QUANTITY_NEGATIVE, ["-1", "-0", "-" + "9" * 5000]),
    (3, RejectReason.QUANTITY_TOO_LARGE, ["1000000001", "9" * 5000]),
    (
        4,
        RejectReason.AMOUNT_NOT_A_NUMBER,
        ["", "ten", "NaN", "Infinity", "-Infinity", "1e5", "1E2", ".5", "5.", "1,000.00", "¥5"],
    ),
    (4, RejectReason.AMOUNT_NOT_A_NUMBER, ["+5", "5 0", "1_0", "５", "٣", "0x10", "sNaN", "5.0.0"]),
    (4, RejectReason.AMOUNT_NEGATIVE, ["-0.01", "-5", "-0", "-1.234"]),
    (4, RejectReason.AMOUNT_TOO_PRECISE, ["1.234", "1.000", "0." + "0" * 5000]),
    (4, RejectReason.AMOUNT_TOO_LARGE, ["1000000000.01", "9" * 5000, "0" * 21]),
]


def with_field(index: int, text: str) -> list[str]:
    return [*GOOD[:index], text, *GOOD[index + 1 :]]


@pytest.mark.parametrize(("index", "reason", "texts"), BAD)
def test_a_bad_field_is_rejected_with_its_reason(
    index: int, reason: RejectReason, texts: list[str]
) -> None:
    for text in texts:
        assert read_fact(with_field(index, text), TODAY) is reason, text


@pytest.mark.parametrize("fields", [[], GOOD[:4], [*GOOD, ""]])
def test_a_row_has_exactly_its_fields(fields: list[str]) -> None:
    assert read_fact(fields, TODAY) is RejectReason.FIELD_COUNT


def test_a_good_row_is_a_purchase() -> None:
    assert read_fact(GOOD, TODAY) == PurchaseFact("P-1", "M-1", TODAY, 2, 2933)
    assert read_fact([" P-1 ", "M-1\u3000", " 2026-11-09", "2 ", " 29.33 "], TODAY) == read_fact(
        GOOD, TODAY
    )


@pytest.mark.parametrize(
    ("text", "fen"),
    [("0", 0), ("0.00", 0), ("5", 500), ("5.1", 510), ("0.07", 7), ("1000000000.00", 10**11)],
)
def test_an_amount_is_exact(text: str, fen: int) -> None:
    fact = read_fact(with_field(4, text), TODAY)
    assert isinstance(fact, PurchaseFact)
    assert fact.amount_fen == fen


@given(st.integers(0, 10**11))
def test_every_fen_survives_being_written_and_read(fen: int) -> None:
    fact = read_fact(with_field(4, f"{fen // 100}.{fen % 100:02}"), TODAY)
    assert isinstance(fact, PurchaseFact)
    assert fact.amount_fen == fen


@given(st.lists(st.text(max_size=30), max_size=7))
def test_no_text_breaks_the_reader(fields: list[str]) -> None:
    assert isinstance(read_fact(fields, TODAY), PurchaseFact | RejectReason)


def test_the_content_is_what_was_meant_and_not_how_it_was_written() -> None:
    def content(*fields: str) -> str:
        fact = read_fact(fields, TODAY)
        assert isinstance(fact, PurchaseFact)
        return fact.content_hash

    written = content("P", "M", "2026-11-09", "2", "5.00")
    assert content("P", "M", "2026-11-09", "02", "5") == written
    for other in (("N", "2026-11-09", "2", "5"), ("M", "2026-11-08", "2", "5")):
        assert content("P", *other) != written
    for other in (("M", "2026-11-09", "3", "5"), ("M", "2026-11-09", "2", "5.01")):
        assert content("P", *other) != written


def test_the_content_of_a_files_row_is_what_it_always_was() -> None:
    fact = PurchaseFact("P", "M", TODAY, 2, 500)
    body = b'["M","2026-11-09",2,500]'
    assert fact.content_hash == hashlib.sha256(body).hexdigest()


def test_a_purchase_happened_at_noon_of_its_day_in_the_brands_zone() -> None:
    fact = PurchaseFact("P", "M", date(2026, 7, 1), 1, 1)
    assert occurred_at(fact, "Asia/Shanghai") == datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert occurred_at(fact, "America/New_York") == datetime(2026, 7, 1, 16, tzinfo=UTC)
    early = PurchaseFact("P", "M", date(1900, 1, 1), 1, 1)
    assert occurred_at(early, "America/Juneau").year == 1900
