"""graphql-core's executor, with a shorter way for fields that only read an attribute.

Most fields of a reply are plain: a leaf that is an attribute of its row, or a resolver that takes
nothing but the row. For these the general machinery (a path, an info object, arguments, a
recursion by type) costs ten times the read. Whatever is not quite plain, a null where none may be,
an exception, a value that does not fit, is left to graphql-core, which says what is wrong.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from graphql import (
    Executor,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    get_nullable_type,
    is_non_null_type,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

Leaf = tuple[Callable[[Any], Any], bool, Callable[[Any], Any]]
"""How to read a plain field of a source, whether it may be null, and how to write its value."""
PlainFields = dict[str, dict[str, Leaf]]
"""By type name and field name."""

_SIMPLE = frozenset({str, int, float, bool, date, datetime, UUID})
_SCHEMA_EXTENSION = "loyalty-plain-fields"


def find_plain_fields(schema: GraphQLSchema) -> None:
    """Work out once which fields are plain; kept with the schema for its executors."""
    plain: PlainFields = {}
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            found = {key: _leaf(field) for key, field in type_.fields.items()}
            plain[name] = {key: leaf for key, leaf in found.items() if leaf is not None}
    schema.extensions = {**schema.extensions, _SCHEMA_EXTENSION: plain}


def _leaf(field: GraphQLField) -> Leaf | None:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    type_ = get_nullable_type(field.type)
    if not isinstance(definition, StrawberryField) or field.args or definition.extensions:
        return None
    if not isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        return None
    read = _reader(definition)
    if read is None:
        return None
    return read, not is_non_null_type(field.type), type_.coerce_output_value


def _reader(definition: StrawberryField) -> Callable[[Any], Any] | None:
    resolver = definition.base_resolver
    if resolver is None:
        attribute = definition.python_name
        return lambda source: getattr(source, attribute)
    if resolver.is_async or resolver.info_parameter or resolver.arguments:
        return None
    names = [
        parameter.name
        for parameter in (resolver.parent_parameter, resolver.root_parameter)
        if parameter is not None
    ]
    function: Any = resolver.wrapped_func
    if resolver.self_parameter is not None:
        return lambda source: function(source, **dict.fromkeys(names, source))
    return lambda source: function(**dict.fromkeys(names, source))


class PlainExecutor(Executor[None]):
    """Strawberry's executor without incremental delivery, which our schema has none of, and with
    the short way for plain fields. Resolvers get the same ``info``."""

    operation_extensions: dict[str, Any] | None = None
    build_resolve_info = StrawberryGraphQLCoreExecutionContext.build_resolve_info

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Any,
        grouped_field_set: Any,
        position_context: None,
    ) -> Any:
        plain = self.schema.extensions[_SCHEMA_EXTENSION].get(parent_type.name)
        if not plain or self.middleware_manager:
            return super().execute_fields(
                parent_type, source_value, path, grouped_field_set, position_context
            )
        results: dict[str, Any] = {}
        others = {}
        for response_name, details in grouped_field_set.items():
            value = _read(plain, details[0].node.name.value, source_value)
            # The place is kept, so that the reply has the order of the request.
            results[response_name] = value
            if value is Undefined:
                others[response_name] = details
        if not others:
            return results
        rest: Any = super().execute_fields(
            parent_type, source_value, path, others, position_context
        )
        if self.is_awaitable(rest):
            return _merged_later(results, rest)
        return _merged(results, rest)


def _read(plain: dict[str, Leaf], name: str, source: Any) -> Any:
    """A plain field's value as it goes into the reply; Undefined for graphql-core to deal with."""
    leaf = plain.get(name)
    if leaf is None:
        return Undefined
    read, nullable, write = leaf
    try:
        value = read(source)
        if value is None:
            return None if nullable else Undefined
        if type(value) not in _SIMPLE and (
            isinstance(value, Exception) or optimized_is_awaitable(value)
        ):
            return Undefined
        written = write(value)
    except Exception:  # noqa: BLE001 - graphql-core meets it again and reports it in its place
        return Undefined
    return Undefined if written is None else written


def _merged(results: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    results.update(rest)
    # A field that does not exist (an unknown type's) leaves its place empty.
    return {name: value for name, value in results.items() if value is not Undefined}


async def _merged_later(results: dict[str, Any], rest: Any) -> dict[str, Any]:
    return _merged(results, await rest)
