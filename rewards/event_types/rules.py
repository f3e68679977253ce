"""Pure: what a type of custom events may look like, how it grows, and what a payload has to be."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.errors import InvalidInput
from loyalty.text import checked_text, is_clean
from rewards.event_types.models import FieldKind

FIELDS_MAX = 30
NAME_LENGTH_MAX = 80
TEXT_LENGTH_MAX = 200
INT_MAX = 2**53 - 1
"""What JSON holds exactly."""

FieldValue = str | int | bool

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FIELD = re.compile(r"[a-z][A-Za-z0-9]{0,39}")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of a type. ``since``: the version that added it."""

    name: str
    kind: FieldKind
    required: bool
    since: int = 1


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """What an operator registers."""

    code: str
    name_zh: str
    name_en: str
    fields: tuple[FieldSpec, ...]


def check_type(wanted: TypeDefinition) -> None:
    """Refuses InvalidInput with the field's path."""
    if not _CODE.fullmatch(wanted.code):
        problem = "a small letter, then up to 39 of a-z, 0-9 and underscores"
        raise InvalidInput(field="code", problem=problem)
    checked_text(wanted.name_zh, "nameZh", length_max=NAME_LENGTH_MAX)
    checked_text(wanted.name_en, "nameEn", length_max=NAME_LENGTH_MAX)
    if len(wanted.fields) > FIELDS_MAX:
        raise InvalidInput(field="fields", problem=f"at most {FIELDS_MAX}")
    seen: set[str] = set()
    for i, field in enumerate(wanted.fields):
        if not _FIELD.fullmatch(field.name):
            problem = "a small letter, then up to 39 letters and digits"
            raise InvalidInput(field=f"fields[{i}].name", problem=problem)
        if field.name in seen:
            raise InvalidInput(field=f"fields[{i}].name", problem="named twice")
        seen.add(field.name)


def grown(held: Sequence[FieldSpec], wanted: Sequence[FieldSpec], version: int) -> list[FieldSpec]:
    """The fields of the next version: those there are, in their order, and new optional ones.

    Refuses InvalidInput where that would make what is sent today invalid, or mean something else.
    """
    places = {field.name: i for i, field in enumerate(wanted)}
    for field in held:
        i = places.get(field.name)
        if i is None:
            raise InvalidInput(field="fields", problem=f"{field.name} cannot be dropped")
        if wanted[i].kind is not field.kind:
            raise InvalidInput(field=f"fields[{i}].kind", problem=f"is {field.kind} already")
        if wanted[i].required is not field.required:
            word = "required" if field.required else "optional"
            raise InvalidInput(field=f"fields[{i}].required", problem=f"is {word} already")
    known = {field.name for field in held}
    added = []
    for i, field in enumerate(wanted):
        if field.name in known:
            continue
        if field.required:
            problem = "what a later version adds is optional"
            raise InvalidInput(field=f"fields[{i}].required", problem=problem)
        added.append(FieldSpec(field.name, field.kind, field.required, version))
    return [*held, *added]


def fields_to_json(fields: Iterable[FieldSpec]) -> list[dict[str, Any]]:
    """As stored with a type."""
    return [
        {"name": f.name, "kind": f.kind.value, "required": f.required, "since": f.since}
        for f in fields
    ]


def fields_from_json(stored: Iterable[dict[str, Any]]) -> tuple[FieldSpec, ...]:
    return tuple(
        FieldSpec(f["name"], FieldKind(f["kind"]), f["required"], f["since"]) for f in stored
    )


def check_payload(
    path: str, told: Sequence[tuple[str, FieldValue | None]], fields: Sequence[FieldSpec]
) -> Mapping[str, FieldValue]:
    """A payload as it was sent, by name, if it is one of a type with these fields. Refuses
    InvalidInput with the field's path: what is missing, unknown, or of another kind."""
    known = {field.name: field for field in fields}
    payload: dict[str, FieldValue] = {}
    for name, value in told:
        if name not in known:
            shown = name if _FIELD.fullmatch(name) else "?"
            raise InvalidInput(field=f"{path}.{shown}", problem="the type has no such field")
        if name in payload:
            raise InvalidInput(field=f"{path}.{name}", problem="told twice")
        payload[name] = _checked_value(f"{path}.{name}", value, known[name].kind)
    for field in fields:
        if field.required and field.name not in payload:
            raise InvalidInput(field=f"{path}.{field.name}", problem="is required")
    return payload


def _checked_value(path: str, value: FieldValue | None, kind: FieldKind) -> FieldValue:
    if kind is FieldKind.BOOL:
        if type(value) is bool:
            return value
        raise InvalidInput(field=path, problem="must be one flag")
    if kind is FieldKind.INT:
        if type(value) is int and -INT_MAX <= value <= INT_MAX:
            return value
        raise InvalidInput(field=path, problem="must be one number, within 53 bits")
    if type(value) is str and len(value) <= TEXT_LENGTH_MAX and is_clean(value):
        return value
    problem = f"must be one text of up to {TEXT_LENGTH_MAX} characters, no control characters"
    raise InvalidInput(field=path, problem=problem)
