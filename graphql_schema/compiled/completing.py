"""Values into the reply, exactly as graphql-core completes them, by closures made beforehand.

What graphql-core asks of every value (of what type is it, may it be null, may it be awaited) is
asked once, when the document is compiled. Errors are located and collected by its own functions.
"""

from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType, SimpleNamespace
from typing import Any, NamedTuple, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    is_non_null_type,
    located_error,
)
from graphql.execution.executor import (
    Executor,
    collect_iterator_awaitables,
    default_type_resolver,
    invalid_return_type_error,
)
from graphql.pyutils import Path, Undefined, gather_with_cancel, is_iterable
from strawberry.execution import optimized_is_awaitable

from graphql_schema.compiled.leaves import Check, Leaf, Row
from graphql_schema.compiled.running import (
    ORDINARY,
    FieldAbout,
    FieldInfo,
    Resolve,
    Run,
    is_ordinary,
)

Complete = Callable[[Run, Any, Path, FieldInfo], Any]
"""A resolver's value into what goes into the reply, or a coroutine of that."""
Execute = Callable[[Run, Any, Path | None], Any]
"""A field, or a selection of them, of a source that lies at a path; or a coroutine of that."""


class Completer(NamedTuple):
    """``row`` is the tight loop, if it is of objects of nothing but leaves."""

    complete: Complete
    may_wait: bool
    row: Row | None = None


class Step(NamedTuple):
    """One field of a selection."""

    response_name: str
    leaf: Leaf | None
    execute: Execute


# --- fields -----------------------------------------------------------------------------------


def field_of(about: FieldAbout, resolve: Resolve, completer: Completer) -> Execute:
    """A field the exact way: resolved, completed, and its errors told in their place."""
    complete, may_wait, _ = completer
    response_name, parent_name = about.response_name, about.parent_type.name
    fail = _failure_of(about, about.return_type)
    later = _later_of(completer, fail)

    def execute(run: Run, source: Any, parent: Path | None) -> Any:
        path = Path(parent, response_name, parent_name)
        info = FieldInfo(run, about, parent)
        try:
            result = resolve(run, source, info)
            if type(result) not in ORDINARY and optimized_is_awaitable(result):
                return later(run, result, path, info)
            completed = complete(run, result, path, info)
        except Exception as error:  # noqa: BLE001 - told as GraphQL tells it
            fail(run, error, path)
            return None
        if may_wait and type(completed) is CoroutineType:
            return _awaited(run, completed, path, fail)
        return completed

    return execute


Fail = Callable[[Run, Exception, Path], None]


def _failure_of(about: FieldAbout, type_: GraphQLOutputType) -> Fail:
    """What an exception does at a place of this type: the null goes up from a non-null one."""
    nodes, non_null = about.nodes, is_non_null_type(type_)

    def fail(run: Run, error: Exception, path: Path) -> None:
        located = located_error(error, nodes, path.as_list())
        if non_null:
            raise located
        run.errors.add(located, path)

    return fail


def _later_of(completer: Completer, fail: Fail) -> Complete:
    """A value that is still to come, completed once it is there."""
    complete, may_wait, _ = completer

    async def later(run: Run, awaitable: Any, path: Path, info: FieldInfo) -> Any:
        try:
            completed = complete(run, await awaitable, path, info)
            if may_wait and type(completed) is CoroutineType:
                completed = await completed
        except Exception as error:  # noqa: BLE001 - told as GraphQL tells it
            fail(run, error, path)
            completed = None
        return completed

    return later


async def _awaited(run: Run, completed: Any, path: Path, fail: Fail) -> Any:
    try:
        return await completed
    except Exception as error:  # noqa: BLE001 - told as GraphQL tells it
        fail(run, error, path)
        return None


def fields_of(steps: Sequence[Step]) -> Execute:
    """Fields side by side: each is begun in turn, then those that wait are awaited together."""

    def execute(run: Run, source: Any, path: Path | None) -> Any:
        results: dict[str, Any] = {}
        waiting: list[str] = []
        try:
            for name, leaf, execute_field in steps:
                if leaf is not None:
                    value = _read(leaf, run, source, path)
                    if value is not Undefined:
                        results[name] = value
                        continue
                done = results[name] = execute_field(run, source, path)
                if type(done) is CoroutineType:
                    waiting.append(name)
        except Exception:
            run.settle([results[name] for name in waiting])
            raise
        return _gathered(results, waiting) if waiting else results

    return execute


def _read(leaf: Leaf, run: Run, source: Any, path: Path | None) -> Any:
    """A leaf as it goes into the reply; Undefined for the exact way to deal with."""
    read, tell, exact, write, nullable = leaf
    try:
        value = read(source) if tell is None else read(source, tell(run, path, None))
        if type(value) in exact:
            return value
        if value is None:
            return None if nullable else Undefined
        return write(value)
    except Exception:  # noqa: BLE001 - met again by the exact way, and reported in its place
        return Undefined


async def _gathered(results: Any, waiting: Sequence[Any]) -> Any:
    """Coroutines in a dict or a list, at the keys ``waiting``, replaced by what they give."""
    if len(waiting) == 1:
        results[waiting[0]] = await results[waiting[0]]
        return results
    awaited = await gather_with_cancel(*(results[key] for key in waiting))
    for key, value in zip(waiting, awaited, strict=True):
        results[key] = value
    return results


def serial_fields_of(steps: Sequence[Step]) -> Execute:
    """Fields one after the other: a mutation's."""

    async def rest(run: Run, source: Any, results: dict[str, Any], done: Any, begun: int) -> Any:
        results[steps[begun].response_name] = await done
        for name, _, execute_field in steps[begun + 1 :]:
            done = execute_field(run, source, None)
            results[name] = await done if type(done) is CoroutineType else done
        return results

    def execute(run: Run, source: Any, path: Path | None) -> Any:
        results: dict[str, Any] = {}
        for begun, (name, _, execute_field) in enumerate(steps):
            done = execute_field(run, source, path)
            if type(done) is CoroutineType:
                return rest(run, source, results, done, begun)
            results[name] = done
        return results

    return execute


# --- values -----------------------------------------------------------------------------------


def _is_null(value: Any) -> bool:
    if isinstance(value, Exception):
        raise value
    return value is None or value is Undefined


def leaf_completer(type_: Any) -> Completer:
    def complete(_run: Run, value: Any, _path: Path, _info: FieldInfo) -> Any:
        return None if _is_null(value) else Executor.complete_leaf_value(type_, value)

    return Completer(complete, may_wait=False)


def non_null_completer(inner: Completer, about: FieldAbout) -> Completer:
    complete_inner = inner.complete
    message = f"Cannot return null for non-nullable field {about.parent_type}.{about.name}."

    def complete(run: Run, value: Any, path: Path, info: FieldInfo) -> Any:
        completed = complete_inner(run, value, path, info)
        if completed is None:
            raise TypeError(message)
        return completed

    return inner._replace(complete=complete)


def object_completer(
    type_: GraphQLObjectType, about: FieldAbout, fields: Execute, row: Row | None
) -> Completer:
    check: Check | None = type_.is_type_of

    def complete(run: Run, value: Any, path: Path, info: FieldInfo) -> Any:
        if row is not None and (type(value) in ORDINARY or is_ordinary(value)):
            try:
                return row(run, value, info, path, None)
            except Exception:  # noqa: BLE001 - met again below, and reported in its place
                pass
        if _is_null(value):
            return None
        if check is not None and not check(value, info):
            raise invalid_return_type_error(type_, value, about.details)
        return fields(run, value, path)

    return Completer(complete, may_wait=True, row=row)


def abstract_completer(
    type_: GraphQLAbstractType,
    about: FieldAbout,
    core: GraphQLSchema,
    completes: Mapping[str, Complete],
) -> Completer:
    """``completes`` has every possible type, by name."""
    resolve_type = type_.resolve_type or default_type_resolver
    executor = cast(Executor[None], SimpleNamespace(schema=core))

    def complete(run: Run, value: Any, path: Path, info: FieldInfo) -> Any:
        if _is_null(value):
            return None
        name: Any = resolve_type(value, cast(Any, info), type_)
        if type(name) is not str or name not in completes:
            # It raises, as there is no such type here.
            Executor.ensure_valid_runtime_type(
                executor, name, type_, about.details, cast(Any, info), value
            )
        return completes[name](run, value, path, info)

    return Completer(complete, may_wait=True)


def list_completer(item_type: GraphQLOutputType, item: Completer, about: FieldAbout) -> Completer:
    row = item.row
    exact_item = _item_of(item_type, item, about)
    message = (
        f"Expected Iterable, but did not find one for field '{about.parent_type}.{about.name}'."
    )

    def complete(run: Run, value: Any, path: Path, info: FieldInfo) -> Any:
        if type(value) is not list:
            if _is_null(value):
                return None
            if not is_iterable(value):
                raise GraphQLError(message)
        completed: list[Any] = []
        waiting: list[int] = []
        iterator = iter(value)
        try:
            for index, each in enumerate(iterator):
                if row is not None:
                    try:
                        completed.append(row(run, each, info, path, index))
                        continue
                    except Exception:  # noqa: BLE001 - met again below, reported in its place
                        pass
                done = exact_item(run, each, Path(path, index, None), info)
                completed.append(done)
                if type(done) is CoroutineType:
                    waiting.append(index)
        except Exception:
            left = collect_iterator_awaitables(iterator, optimized_is_awaitable)
            run.settle([*(completed[index] for index in waiting), *left])
            raise
        return _gathered(completed, waiting) if waiting else completed

    return Completer(complete, may_wait=True)


def _item_of(item_type: GraphQLOutputType, item: Completer, about: FieldAbout) -> Complete:
    complete, may_wait, _ = item
    fail = _failure_of(about, item_type)
    later = _later_of(item, fail)

    def exact(run: Run, value: Any, path: Path, info: FieldInfo) -> Any:
        if type(value) not in ORDINARY and optimized_is_awaitable(value):
            return later(run, value, path, info)
        try:
            completed = complete(run, value, path, info)
        except Exception as error:  # noqa: BLE001 - told as GraphQL tells it
            fail(run, error, path)
            return None
        if may_wait and type(completed) is CoroutineType:
            return _awaited(run, completed, path, fail)
        return completed

    return exact
