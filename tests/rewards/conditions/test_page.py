"""docs/conditions.md says what conditions may read, and no more."""

from pathlib import Path

from rewards.campaigns.models import EventKind
from rewards.conditions.facts import FACTS, FactSpec, Kind
from rewards.conditions.reading import FUNCTIONS, METHODS
from rewards.conditions.rules import LENGTH_MAX

PAGE = Path("docs/conditions.md").read_text(encoding="utf-8")


def row_of(name: str, spec: FactSpec) -> str:
    of_all = spec.events == frozenset(EventKind)
    events = "all" if of_all else ", ".join(sorted(spec.events))
    of_text = spec.values if spec.kind is Kind.STRING else ()
    values = ", ".join(f"`{value}`" for value in of_text)
    return f"| `{name}` | {spec.kind.value} | {events} | {values} | {spec.description} |"


def test_the_page_lists_the_declared_facts() -> None:
    listed = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert listed == [row_of(name, spec) for name, spec in FACTS.items()]


def test_the_page_names_every_function_and_the_length() -> None:
    assert all(f"`{name}(" in PAGE for name in FUNCTIONS)
    assert all(f".{name}(" in PAGE for name in METHODS)
    assert f"{LENGTH_MAX} characters" in PAGE
