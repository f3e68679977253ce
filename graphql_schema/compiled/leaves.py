"""Leaves that need no ceremony: read from their source, checked and written, in a tight loop.

Whatever is not quite regular (a null where none may be, an exception, an awaitable, a value that
does not fit) raises, and is done again by the exact way, which says what is wrong and where.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from inspect import Parameter
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLScalarType,
    GraphQLString,
    get_nullable_type,
    is_non_null_type,
)
from graphql.pyutils import Path, Undefined
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.base_scalars import isoformat
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from graphql_schema.compiled.running import ORDINARY, FieldAbout, FieldInfo, Run, is_ordinary

Tell = Callable[[Run, Path | None, int | None], Any]
"""Makes the ``info`` of a resolver that wants it."""
Check = Callable[[Any, Any], Any]
"""A type's ``is_type_of``."""
Row = Callable[[Run, Any, FieldInfo, Path, int | None], dict[str, Any]]
"""An object of nothing but leaves as it goes into the reply."""


class Irregular(Exception):
    """Not for the tight loop."""


class Leaf(NamedTuple):
    """``exact`` are the types of values that are written as they are."""

    read: Callable[..., Any]
    tell: Tell | None
    exact: frozenset[type]
    write: Callable[[Any], Any]
    nullable: bool


_AS_IT_IS = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


def leaf_of(
    about: FieldAbout, definition: StrawberryField, config: StrawberryConfig
) -> Leaf | None:
    """How to read and write a field without arguments or extensions; None if it is not so plain."""
    type_ = get_nullable_type(about.return_type)
    if definition.extensions or definition.arguments:
        return None
    if not isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        return None
    reading = _reading(about, definition, config)
    if reading is None:
        return None
    nullable = not is_non_null_type(about.return_type)
    if isinstance(type_, GraphQLEnumType):
        return Leaf(*reading, frozenset(), _enum_writer(type_), nullable)
    coerce = type_.coerce_output_value
    kept = str if coerce is str else _AS_IT_IS.get(type_)
    exact = frozenset() if kept is None else frozenset({kept})
    write = moment_writer() if coerce is isoformat else _scalar_writer(coerce)
    return Leaf(*reading, exact, write, nullable)


def typename_leaf(name: str) -> Leaf:
    return Leaf(lambda _: name, None, frozenset({str}), str, nullable=False)


def _reading(
    about: FieldAbout, definition: StrawberryField, config: StrawberryConfig
) -> tuple[Callable[..., Any], Tell | None] | None:
    resolver = definition.base_resolver
    if resolver is None:
        plain = config.default_resolver is getattr
        return (attrgetter(definition.python_name), None) if plain else None
    if definition.is_async or resolver.arguments:
        return None
    read = _plain_call(resolver)
    if read is None or resolver.info_parameter is None:
        return None if read is None else (read, None)
    info_class = config.info_class
    name = resolver.info_parameter.name

    def read_told(source: Any, info: Any) -> Any:
        return read(source, **{name: info})

    def tell(run: Run, parent: Path | None, index: int | None) -> Any:
        raw: Any = FieldInfo(run, about, parent, index)
        return info_class(_raw_info=raw, _field=definition)

    return read_told, tell


def _plain_call(resolver: StrawberryResolver[Any]) -> Callable[..., Any] | None:
    """The resolver's function as one of the source, and of ``info`` by name if it takes that."""
    function: Any = resolver.wrapped_func
    given = (resolver.self_parameter, resolver.parent_parameter, resolver.root_parameter)
    sources = [parameter for parameter in given if parameter is not None]
    first = list(resolver.signature.parameters.values())[: len(sources)]
    if {each.name for each in first} != {each.name for each in sources}:
        return None
    if any(each.kind is not Parameter.POSITIONAL_OR_KEYWORD for each in first):
        return None
    if len(sources) == 1:
        return function  # type: ignore[no-any-return]
    if len(sources) == 2 and resolver.info_parameter is None:
        return lambda source: function(source, source)
    if len(sources) == 2:
        return lambda source, **told: function(source, source, **told)
    return None


def _scalar_writer(coerce: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if type(value) not in ORDINARY and not is_ordinary(value):
            raise Irregular
        written = coerce(value)
        if written is None or written is Undefined:
            raise Irregular
        return written

    return write


def moment_writer() -> Callable[[Any], Any]:
    """A time in UTC is written by JSON's writer: the same text in a third of the time."""
    write_any = _scalar_writer(isoformat)

    def write(value: Any) -> Any:
        if type(value) is datetime and value.tzinfo is UTC:
            return orjson.dumps(value)[1:-1].decode()
        return value.isoformat() if type(value) is date else write_any(value)

    return write


def _enum_writer(type_: GraphQLEnumType) -> Callable[[Any], Any]:
    """By tables made beforehand: a member, or the text that it stands for, gives its name."""
    write_any = _scalar_writer(type_.coerce_output_value)
    tables: dict[type, dict[Any, str]] = {}
    for value in getattr(type_, "wrapped_cls", ()):
        tables.setdefault(type(value), {})[value] = write_any(value)
    for name, defined in type_.values.items():
        if type(defined.value) is str:
            tables.setdefault(str, {})[defined.value] = name

    def write(value: Any) -> Any:
        table = tables.get(type(value))
        name = None if table is None else table.get(value)
        return write_any(value) if name is None else name

    return write


def row_of(leaves: Mapping[str, Leaf], check: Check | None) -> Row:
    """The tight loop; raises for whatever is irregular."""
    parts: Sequence[tuple[Any, ...]] = [(name, *leaf) for name, leaf in leaves.items()]

    def row(
        run: Run, source: Any, info: FieldInfo, path: Path, index: int | None
    ) -> dict[str, Any]:
        if type(source) not in ORDINARY and not is_ordinary(source):
            raise Irregular
        if check is not None and not check(source, info):
            raise Irregular
        results: dict[str, Any] = {}
        for name, read, tell, exact, write, nullable in parts:
            value = read(source) if tell is None else read(source, tell(run, path, index))
            if type(value) in exact:
                results[name] = value
            elif value is not None:
                results[name] = write(value)
            elif nullable:
                results[name] = None
            else:
                raise Irregular
        return results

    return row
