"""Text that a database and a reader can keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import InvalidInput
from loyalty.text import checked_text, for_spreadsheet, is_clean


@pytest.mark.parametrize("kept", ["a", "矿泉水", "💧", "=cmd|' /C calc'!A0", "مرحبا", "a\u202eb"])
def test_text_of_any_script_is_kept_as_it_is(kept: str) -> None:
    assert checked_text(kept, "name", length_max=20) == kept


def test_surrounding_spaces_are_dropped() -> None:
    assert checked_text(" \u3000水 \u00a0", "name", length_max=1) == "水"


@pytest.mark.parametrize("bad", ["", "   ", "\x00", "a\tb", "a\r", "\x1b[31m", "\u2029", "\udfff"])
def test_text_that_would_choke_a_reader_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_text(bad, "name", length_max=20)
    assert refused.value.details["field"] == "name"


@given(st.text(alphabet=st.characters(), max_size=40))
def test_what_passes_can_be_stored_and_comes_back(text: str) -> None:
    try:
        kept = checked_text(text, "name", length_max=20)
    except InvalidInput:
        return
    assert kept in text
    assert is_clean(kept)
    assert kept.encode().decode() == kept


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", " =", "\u3000=", "|", "＝", "＠", "\t=", "\r="]
)
def test_no_field_is_a_formula(start: str) -> None:
    shown = for_spreadsheet(f"{start}cmd")
    assert shown.startswith(("'", "\\"))


def test_a_harmless_field_is_shown_as_it_is_and_controls_are_spelled_out() -> None:
    assert for_spreadsheet("会员 7-a") == "会员 7-a"
    assert for_spreadsheet("a\x1b[31m\x00\u2028b") == "a\\x1b[31m\\x00\\u2028b"
