"""Documents, parsed and validated once, and the short path that executes them.

A trusted document is registered at start and named by the SHA-256 of its text; an ordinary one
arrives as text and is remembered while there is room. Both run through ``execute``: compiled to
closures, or graphql-core, on the same resolvers, so with the same permissions, refusals and errors
as Strawberry's own ``Schema.execute`` (tests compare them), but without its extension machinery.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationType,
    execute,
    specified_rules,
    validate,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graphql_schema.compiled.operations import CompiledOperation, OperationCompiler
from graphql_schema.context import Context
from graphql_schema.costs import OperationCost, operation_costs
from graphql_schema.execution import PlainExecutor, find_plain_fields
from graphql_schema.faults import Invalid, PersistedQueryNotFound, TrustedDocumentsOnly
from graphql_schema.limits import Limits, measure, parse_within

_TRUSTED_FIELDS_MAX = 10_000
"""Far above what any document of ours has, for the memory's sake."""


class DocumentsRefused(GraphQLError):
    """The document is invalid; ``errors`` says all that is wrong with it."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class TrustedDocumentError(Exception):
    """A registered document cannot be served; the server must not start."""


@dataclass(slots=True)
class PreparedOperation:
    """One operation of a document: ``name`` is None for an anonymous one. ``compiled`` is None
    while graphql-core executes it; ``runs`` is how often it did."""

    name: str | None
    kind: OperationType
    cost: OperationCost
    compiled: CompiledOperation | None = None
    runs: int = 0


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A parsed and validated document. ``sha256`` is of its text, in hexadecimal."""

    document: DocumentNode
    sha256: str
    operations: tuple[PreparedOperation, ...]
    trusted: bool

    def find(self, name: str | None) -> PreparedOperation | None:
        """The operation to run, if the name tells."""
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((each for each in self.operations if each.name == name), None)

    def operation(self, name: str | None) -> PreparedOperation:
        """The operation to run; raises the Fault INVALID if the name does not tell."""
        found = self.find(name)
        if found is not None:
            return found
        if name is None:
            raise Invalid("operationName must name one of the operations.")
        raise Invalid("There is no operation of this name.")


@dataclass(slots=True)
class Executions:
    """How many requests ran compiled, and how many on graphql-core."""

    compiled: int = 0
    ordinary: int = 0


class DocumentStore:
    """The documents of one schema. ``trusted`` maps the SHA-256 (hexadecimal) to the text."""

    def __init__(
        self,
        schema: strawberry.Schema,
        trusted: Mapping[str, str] | None = None,
        trusted_only: bool = False,
        introspection: bool = False,
        limits: Limits | None = None,
        cache_size: int = 1_000,
    ) -> None:
        self.limits = limits or Limits()
        self.executions = Executions()
        self._compiler = OperationCompiler(schema)
        self._core: GraphQLSchema = schema._schema
        find_plain_fields(self._core)
        self._trusted_only = trusted_only
        self._hide_suggestions = not introspection
        self._rules = [*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule]
        if not introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._cache: OrderedDict[str, PreparedDocument] = OrderedDict()
        self._cache_size = cache_size
        self._cache_tokens = 0
        self._trusted: dict[str, PreparedDocument] = {}
        self._trusted_by_text: dict[str, PreparedDocument] = {}
        for sha256, text in (trusted or {}).items():
            prepared = self._register(sha256, text)
            self._trusted[sha256] = self._trusted_by_text[text] = prepared

    def prepare(self, query: str | None, sha256: str | None) -> PreparedDocument:
        """The document of a request, by id or by text.

        Raises a Fault (INVALID, PERSISTED_QUERY_NOT_FOUND, TRUSTED_DOCUMENTS_ONLY) or
        DocumentsRefused.
        """
        if sha256 is not None:
            prepared = self._trusted.get(sha256)
            if prepared is not None:
                return prepared
            if query is None:
                raise PersistedQueryNotFound
        if not query:
            raise Invalid("A request needs a query or a documentId.")
        prepared = self._trusted_by_text.get(query)
        if prepared is not None:
            return prepared
        if self._trusted_only:
            raise TrustedDocumentsOnly
        prepared = self._cache.get(query)
        if prepared is not None:
            self._cache.move_to_end(query)
            return prepared
        prepared = self._prepare(query, trusted=False)
        self._remember(query, prepared)
        return prepared

    def execute(
        self,
        prepared: PreparedDocument,
        context: Context,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> Awaitable[ExecutionResult] | ExecutionResult:
        """Run a prepared document; the result's errors are for ``faults.format_errors``."""
        operation = prepared.find(operation_name)
        if operation is not None:
            compiled = operation.compiled or self._compiled(prepared, operation)
            result = None if compiled is None else compiled.run(context, variables)
            if result is not None:
                self.executions.compiled += 1
                return result
        self.executions.ordinary += 1
        return execute(
            self._core,
            prepared.document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            executor_class=PlainExecutor,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            hide_suggestions=self._hide_suggestions,
        )

    def _compiled(
        self, prepared: PreparedDocument, operation: PreparedOperation
    ) -> CompiledOperation | None:
        """An ordinary document is compiled when it comes again: most one-off ones never do. It
        gets as many fields as it has tokens, so that what bounds the remembered texts bounds what
        is made of them."""
        operation.runs += 1
        if operation.runs == 2:
            document = prepared.document
            operation.compiled = self._compiler.compile(
                document, operation.name, document.token_count
            )
        return operation.compiled

    def _prepare(self, text: str, trusted: bool) -> PreparedDocument:
        try:
            document = parse_within(text, self.limits)
            measured = measure(document, self.limits)
        except GraphQLError as error:
            raise DocumentsRefused([error]) from error
        errors = validate(
            self._core,
            document,
            self._rules,
            max_errors=self.limits.validation_errors_max,
            hide_suggestions=self._hide_suggestions,
        )
        if errors:
            raise DocumentsRefused(errors)
        operations = tuple(
            PreparedOperation(node.name.value if node.name else None, node.operation, cost)
            for node, cost in zip(
                measured.operations, operation_costs(self._core, measured), strict=True
            )
        )
        return PreparedDocument(document, sha256_of(text), operations, trusted)

    def _register(self, sha256: str, text: str) -> PreparedDocument:
        if sha256 != sha256_of(text):
            raise TrustedDocumentError(f"{sha256} is not the SHA-256 of its document")
        try:
            prepared = self._prepare(text, trusted=True)
        except DocumentsRefused as error:
            problems = "\n".join(str(problem) for problem in error.errors)
            raise TrustedDocumentError(f"A trusted document is invalid: {problems}") from error
        if len(prepared.operations) != 1:
            raise TrustedDocumentError(f"Not one operation in the trusted document:\n{text}")
        [operation] = prepared.operations
        operation.compiled = self._compiler.compile(
            prepared.document, operation.name, _TRUSTED_FIELDS_MAX
        )
        return prepared

    def _remember(self, text: str, prepared: PreparedDocument) -> None:
        # Bounded by tokens as well: a thousand documents of 2,000 tokens would be a gigabyte.
        self._cache[text] = prepared
        self._cache_tokens += prepared.document.token_count
        while (
            len(self._cache) > self._cache_size or self._cache_tokens > self.limits.cache_tokens_max
        ):
            _, forgotten = self._cache.popitem(last=False)
            self._cache_tokens -= forgotten.document.token_count


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def trusted_documents() -> dict[str, str]:
    """The documents shipped in ``graphql_schema/trusted/*.graphql``, by SHA-256 of their text."""
    folder = files("graphql_schema") / "trusted"
    texts: Iterable[str] = (
        entry.read_bytes().decode()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".graphql")
    )
    return {sha256_of(text): text for text in texts}
