"""Calling resolvers as Strawberry calls them: extensions first, and refusals become answers.

The order is Strawberry's own: exception handlers around extensions around the resolver. Every
extension of a field runs, so that who may not see a field is refused as ever.
"""

from collections.abc import Callable
from functools import partial, reduce
from inspect import isasyncgenfunction, isawaitable
from typing import Any

import strawberry
from strawberry.extensions.field_extension import FieldExtension, build_field_extension_resolvers
from strawberry.types.field import StrawberryField

from graphql_schema.compiled.running import FieldInfo, Resolve, Run, Unsupported

Arguments = Callable[[Run], dict[str, Any]]
Call = Callable[[Any, Any, dict[str, Any]], Any]
"""Runs extensions and resolver on a source, with Strawberry's info and the arguments."""
Handlers = tuple[tuple[tuple[type[Exception], ...], Any], ...]


def resolve_of(
    schema: strawberry.Schema, definition: StrawberryField, arguments: Arguments
) -> Resolve:
    """A field's resolver with all that surrounds it."""
    handlers: Handlers = schema.schema_converter._get_field_exception_handlers(definition)
    info_class = schema.config.info_class
    if definition.is_basic_field and not handlers:
        read, name = schema.config.default_resolver, definition.python_name
        return lambda _run, source, _info: read(source, name)
    call = _call_of(definition)
    if not handlers:

        def resolve(run: Run, source: Any, raw: FieldInfo) -> Any:
            info = info_class(_raw_info=raw, _field=definition)  # type: ignore[arg-type]
            return call(source, info, arguments(run))

        return resolve
    make = _handled_later if definition.is_async else _handled
    handled = make(call, definition, handlers)

    def resolve_handled(run: Run, source: Any, raw: FieldInfo) -> Any:
        info = info_class(_raw_info=raw, _field=definition)  # type: ignore[arg-type]
        return handled(source, info, arguments(run))

    return resolve_handled


def _call_of(definition: StrawberryField) -> Call:
    resolver = definition.base_resolver
    if resolver is None:
        raise Unsupported(f"{definition.name} has extensions and no resolver")
    function: Any = resolver.wrapped_func
    if isasyncgenfunction(function) or not callable(function):
        raise Unsupported(f"{definition.name} streams")
    takes_self = resolver.self_parameter is not None
    sources = [
        parameter.name
        for parameter in (resolver.parent_parameter, resolver.root_parameter)
        if parameter is not None
    ]
    told = resolver.info_parameter.name if resolver.info_parameter is not None else None
    chain = _chain_of(definition, function, takes_self, told)

    def call(source: Any, info: Any, named: dict[str, Any]) -> Any:
        for name in sources:
            named[name] = source
        if chain is not None:
            if told is not None and told != "info":
                named[told] = info
            return chain(source, info, **named)
        if told is not None:
            named[told] = info
        return function(source, **named) if takes_self else function(**named)

    return call


def _chain_of(
    definition: StrawberryField, function: Any, takes_self: bool, told: str | None
) -> Callable[..., Any] | None:
    """The resolver within the field's extensions; None if it has none."""
    for extension in definition.extensions:
        if type(extension).map_arguments is not FieldExtension.map_arguments:
            raise Unsupported(f"{definition.name} has its arguments changed")
    if not definition.extensions:
        return None

    def innermost(source: Any, info: Any, **named: Any) -> Any:
        if told == "info":
            named["info"] = info
        return function(source, **named) if takes_self else function(**named)

    resolvers = build_field_extension_resolvers(definition)
    return reduce(lambda inner, outer: partial(outer, inner), resolvers, innermost)


def _find(handlers: Handlers, error: Exception) -> Any:
    return next((handler for kinds, handler in handlers if isinstance(error, kinds)), None)


def _handled_later(call: Call, definition: StrawberryField, handlers: Handlers) -> Call:
    async def handled(source: Any, info: Any, named: dict[str, Any]) -> Any:
        try:
            result = call(source, info, named)
            return await result if isawaitable(result) else result
        except Exception as error:
            handler = _find(handlers, error)
            if handler is None:
                raise
            answer = handler.handle(error, field=definition, info=info)
            if isawaitable(answer):
                answer = await answer
            if answer is None:
                raise
            return answer

    return handled


def _handled(call: Call, definition: StrawberryField, handlers: Handlers) -> Call:
    later = _handled_later(lambda result, _info, _named: result, definition, handlers)

    def handled(source: Any, info: Any, named: dict[str, Any]) -> Any:
        try:
            result = call(source, info, named)
        except Exception as error:
            handler = _find(handlers, error)
            if handler is None:
                raise
            answer = handler.handle(error, field=definition, info=info)
            if answer is None:
                raise
            return answer
        return later(result, info, {}) if isawaitable(result) else result

    return handled
