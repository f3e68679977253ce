"""docs/events.md says what events there are, and no more."""

from pathlib import Path

from rewards.campaigns.models import MEMBER_EVENTS, EventKind
from rewards.conditions.facts import CUSTOM, FACTS
from rewards.event_types.models import FieldKind
from rewards.event_types.rules import FIELDS_MAX, INT_MAX, TEXT_LENGTH_MAX
from rewards.events.models import EventUnpaidReason
from rewards.events.reading import EARLIEST, REF_LENGTH_MAX
from rewards.events.service import SET_SIZE_MAX

PAGE = Path("docs/events.md").read_text(encoding="utf-8")
OF_ALL = {"event.kind", "event.at"}


def tables() -> list[list[list[str]]]:
    """The cells of each table's rows, without its head."""
    blocks = [block.splitlines() for block in PAGE.split("\n\n") if block.startswith("| ")]
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
        for lines in blocks
    ]


def facts_of(kind: EventKind) -> str:
    """Those of the event itself that not all kinds have."""
    if kind is EventKind.CUSTOM:
        return f"`{CUSTOM}.<field>`"
    own = [n for n, s in FACTS.items() if n.startswith("event.") and kind in s.events]
    return ", ".join(f"`{name}`" for name in own if name not in OF_ALL)


def test_the_page_lists_the_kinds_with_their_own_facts() -> None:
    kinds, _, _ = tables()
    in_order = [kind for kind in EventKind if kind in MEMBER_EVENTS]
    assert [(row[0], row[-1]) for row in kinds] == [(f"`{k}`", facts_of(k)) for k in in_order]


def test_the_page_lists_the_reasons_and_the_kinds_of_fields() -> None:
    _, reasons, fields = tables()
    assert [row[0] for row in reasons] == [f"`{reason}`" for reason in EventUnpaidReason]
    assert [row[0] for row in fields] == [f"`{kind}`" for kind in FieldKind]


def test_the_page_tells_the_limits() -> None:
    words = " ".join(PAGE.split())
    assert f"up to {SET_SIZE_MAX:,} events" in words
    assert f"At most {FIELDS_MAX} fields" in words
    assert f"up to {TEXT_LENGTH_MAX} characters" in words
    assert f"up to {REF_LENGTH_MAX} characters" in words
    assert f"within {INT_MAX.bit_length()} bits" in words
    assert f"not before the year {EARLIEST.year}" in words
