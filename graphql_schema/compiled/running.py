"""One run of a compiled operation: what its fields share, and what resolvers are told."""

from asyncio import Future, gather, get_running_loop, iscoroutine
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import Path, Undefined
from strawberry.execution import optimized_is_awaitable


class Unsupported(Exception):
    """The compiler leaves this document to graphql-core; the text says why."""


@dataclass(frozen=True, slots=True)
class OperationAbout:
    """What is the same for every run of an operation."""

    core: GraphQLSchema
    document: DocumentNode
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]


@dataclass(frozen=True, slots=True)
class FieldAbout:
    """A field at its place in a document; it may stand there in several nodes."""

    name: str
    response_name: str
    parent_type: GraphQLObjectType
    return_type: GraphQLOutputType
    details: FieldDetailsList
    nodes: list[FieldNode]


class Run:
    """``given`` are the variables as they came, ``values`` as resolvers take them."""

    __slots__ = ("about", "background", "context", "errors", "given", "values")

    def __init__(
        self, about: OperationAbout, context: Any, given: dict[str, Any], values: dict[str, Any]
    ) -> None:
        self.about = about
        self.context = context
        self.given = given
        self.values = values
        self.errors = CollectedErrors()
        self.background: set[Future[Any]] = set()

    def settle(self, awaitables: Sequence[Awaitable[Any]]) -> None:
        """See to awaitables that nobody waits for any more, as graphql-core does."""
        if not awaitables:
            return
        try:
            get_running_loop()
        except RuntimeError:
            for awaitable in awaitables:
                if iscoroutine(awaitable):
                    awaitable.close()
            return
        future = gather(*awaitables, return_exceptions=True)
        self.background.add(future)
        future.add_done_callback(self.background.discard)


class FieldInfo:
    """What graphql-core calls GraphQLResolveInfo. All but the context is looked up when asked for,
    since hardly anybody asks; what serves to await an ``is_type_of`` is left out, as such types are
    not compiled. The source lies at ``parent``, or is one of the list there."""

    __slots__ = ("_about", "_index", "_parent", "_run", "context")

    def __init__(
        self, run: Run, about: FieldAbout, parent: Path | None, index: int | None = None
    ) -> None:
        self.context = run.context
        self._run = run
        self._about = about
        self._parent = parent
        self._index = index

    abort_signal = None
    is_awaitable = staticmethod(optimized_is_awaitable)
    operation_extensions = None
    root_value = None

    @property
    def field_name(self) -> str:
        return self._about.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._about.nodes

    @property
    def return_type(self) -> GraphQLOutputType:
        return self._about.return_type

    @property
    def parent_type(self) -> GraphQLObjectType:
        return self._about.parent_type

    @property
    def path(self) -> Path:
        parent = self._parent
        if self._index is not None:
            parent = Path(parent, self._index, None)
        return Path(parent, self._about.response_name, self._about.parent_type.name)

    @property
    def schema(self) -> GraphQLSchema:
        return self._run.about.core

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return self._run.about.fragments

    @property
    def operation(self) -> OperationDefinitionNode:
        return self._run.about.node

    @property
    def variable_values(self) -> dict[str, Any]:
        about = self._run.about
        coerced = get_variable_values(
            about.core, about.node.variable_definitions or (), self._run.given
        )
        return coerced.coerced if isinstance(coerced, VariableValues) else {}


Resolve = Callable[[Run, Any, FieldInfo], Any]
"""Calls a field's resolver, with its arguments and extensions, on a source."""

ORDINARY: set[type] = {str, int, float, bool, list, tuple, dict}
"""Types of values known to be neither awaitable nor exceptions nor null. Resolvers return values
of few types, so each is looked at once."""


def is_ordinary(value: Any) -> bool:
    """Whether a value is neither null nor an exception nor awaitable."""
    if value is None or value is Undefined or isinstance(value, Exception):
        return False
    if optimized_is_awaitable(value):
        return False
    if not hasattr(type(value), "send"):  # of generators some are awaitable
        ORDINARY.add(type(value))
    return True
