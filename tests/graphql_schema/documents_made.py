"""Documents over the whole schema, made up at random: a new field is asked for unasked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLString,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from tests.graphql_schema.arguments import CORE, RootField

DEPTH_MAX = 4
BAD_VALUES: tuple[Any, ...] = (None, "rubbish", -1, 1_000, True, [], {}, 1.5)
Making = Callable[[str, GraphQLArgument], Any]
"""Makes up a good value for an argument of this name."""


def maker_of(ids: Mapping[str, str], known: Mapping[str, Any]) -> Making:
    """Good values, by the type that an id is of and by the names of arguments."""

    def make(name: str, argument: GraphQLArgument) -> Any:
        alone = RootField("query", name, GraphQLField(GraphQLString, {name: argument}))
        return alone.variables(lambda kind: ids[kind], whole=True, known=known)[name]

    return make


def literal(value: Any, kind: Any) -> str:
    """A JSON value as a document has it."""
    inner = get_nullable_type(kind)
    if value is None:
        return "null"
    if is_list_type(inner) and isinstance(value, list):
        return "[" + ", ".join(literal(item, inner.of_type) for item in value) + "]"
    if isinstance(inner, GraphQLInputObjectType) and isinstance(value, dict):
        parts = (
            f"{name}: {literal(part, inner.fields[name].type)}" for name, part in value.items()
        )
        return "{" + ", ".join(parts) + "}"
    return str(value) if isinstance(inner, GraphQLEnumType) else json.dumps(value)


@dataclass
class MadeDocument:
    """One query in the making: ``variables`` are those to send, ``declared`` all that it takes."""

    random: Random
    make: Making
    fields_left: int = 40
    names: int = 0
    declared: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)

    def text(self, roots: list[str]) -> str:
        """The document that asks for these root fields."""
        query = CORE.query_type
        assert query is not None
        body = " ".join(self._field(name, query.fields[name], DEPTH_MAX) for name in roots)
        head = ", ".join(f"${name}: {kind}" for name, kind in self.declared.items())
        opening = f"query Made({head})" if head else "query Made"
        return "\n".join([f"{opening} {{ {body} }}", *self.fragments])

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _name(self, letter: str) -> str:
        self.names += 1
        return f"{letter}{self.names}"

    def _field(self, name: str, definition: GraphQLField, depth: int, one_of: str = "") -> str:
        self.fields_left -= 1
        named = get_named_type(definition.type)
        inner = "" if is_leaf_type(named) else f" {{ {self._selection(named, depth - 1)} }}"
        # Aliases are new each time, so that no two fields of one name differ.
        alias = f"{self._name('a')}: " if definition.args or inner or self._chance(0.2) else ""
        if one_of and not alias:  # the same name may be of another type in another of these
            alias = f"{name}{one_of}: "
        return f"{alias}{name}{self._arguments(definition)}{self._condition()}{inner}"

    def _selection(self, type_: GraphQLNamedType, depth: int, one_of: str = "") -> str:
        if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
            parts = ["__typename"]
            possible = CORE.get_possible_types(type_)
            for each in self.random.sample(possible, min(len(possible), self.random.randint(1, 4))):
                parts.append(f"... on {each.name} {{ {self._selection(each, depth, each.name)} }}")
            return " ".join(parts)
        assert isinstance(type_, GraphQLObjectType)
        names = [
            name
            for name, definition in type_.fields.items()
            if is_leaf_type(get_named_type(definition.type)) or (depth > 0 and self.fields_left > 0)
        ]
        chosen = self.random.sample(names, min(len(names), self.random.randint(1, 6)))
        parts = [self._part(type_, name, depth, one_of) for name in chosen]
        return " ".join([*parts, *["__typename"] * self._chance(0.2)]) or "__typename"

    def _part(self, type_: GraphQLObjectType, name: str, depth: int, one_of: str) -> str:
        text = self._field(name, type_.fields[name], depth, one_of)
        choice = self.random.random()
        if choice < 0.08:
            return f"...{self._condition()} {{ {text} }}"
        if choice < 0.16:
            return f"... on {type_.name}{self._condition()} {{ {text} }} {name_of(text)}"
        if choice < 0.24:
            fragment = self._name("F")
            self.fragments.append(f"fragment {fragment} on {type_.name} {{ {text} }}")
            return f"...{fragment}{self._condition()}"
        return text

    def _condition(self) -> str:
        if not self._chance(0.08):
            return ""
        directive = self.random.choice(("skip", "include"))
        if self._chance(0.4) and len(self.declared) < 40:
            name = next((n for n in self.declared if n.startswith("c")), None)
            if name is None:
                name = self._name("c")
                self.declared[name] = "Boolean!"
                self.variables[name] = self._chance(0.5)
            return f" @{directive}(if: ${name})"
        return f" @{directive}(if: {json.dumps(self._chance(0.5))})"

    def _arguments(self, definition: GraphQLField) -> str:
        parts = []
        for name, argument in definition.args.items():
            if not is_non_null_type(argument.type) and self._chance(0.5):
                continue
            value = self.make(name, argument)
            if self._chance(0.5):
                parts.append(f"{name}: ${self._variable(name, argument, value)}")
            else:
                parts.append(f"{name}: {literal(value, argument.type)}")
        return f"({', '.join(parts)})" if parts else ""

    def _variable(self, wanted: str, argument: GraphQLArgument, value: Any) -> str:
        kind = str(argument.type)
        for name, known in self.declared.items():
            if known == kind and wanted not in ("id", "code") and self._chance(0.3):
                return name
        name = self._name("v")
        self.declared[name] = kind
        if self._chance(0.1) and wanted != "code":  # who guesses codes is sent away
            value = self.random.choice(BAD_VALUES)
        if is_non_null_type(argument.type) or self._chance(0.9):
            self.variables[name] = value
        return name


def name_of(text: str) -> str:
    """A plain field's name, to ask for it twice; nothing for any other."""
    return text if text.isidentifier() else ""


def everything(type_: GraphQLNamedType, depth: int) -> str:
    """All fields of a type that need no arguments, and of what lies under it so deep."""
    if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
        parts = (
            f"... on {each.name} {{ {everything(each, depth)} }}"
            for each in CORE.get_possible_types(type_)
        )
        return " ".join(["__typename", *parts])
    assert isinstance(type_, GraphQLObjectType)
    found = []
    for name, definition in type_.fields.items():
        named = get_named_type(definition.type)
        if any(is_non_null_type(argument.type) for argument in definition.args.values()):
            continue
        alias = f"{name}Of{type_.name}: {name}"  # so that types may differ in what it is
        if is_leaf_type(named):
            found.append(alias)
        elif depth > 0:
            found.append(f"{alias} {{ {everything(named, depth - 1)} }}")
    return " ".join(found) or "__typename"
