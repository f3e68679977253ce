"""Documents compiled: each operation once into closures that call one another.

``compile_operation`` answers None for whatever it does not support, and ``run`` None for variables
that do not fit, in both cases before any resolver ran: such a request goes to graphql-core.
"""

from collections import Counter
from collections.abc import Awaitable, Mapping
from inspect import iscoroutinefunction
from itertools import product
from types import CoroutineType
from typing import Any

import strawberry
from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    OperationType,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from graphql_schema.compiled.completing import (
    Complete,
    Completer,
    Execute,
    Step,
    abstract_completer,
    field_of,
    fields_of,
    leaf_completer,
    list_completer,
    non_null_completer,
    object_completer,
    serial_fields_of,
)
from graphql_schema.compiled.inputs import Inputs, Misfit, Variable
from graphql_schema.compiled.leaves import Row, leaf_of, row_of, typename_leaf
from graphql_schema.compiled.resolving import resolve_of
from graphql_schema.compiled.running import FieldAbout, OperationAbout, Run, Unsupported

CONDITIONS_MAX = 3
"""Variables that decide what is included: an operation is compiled for all they may say."""

Result = ExecutionResult | Awaitable[ExecutionResult]


class CompiledOperation:
    """One operation of a valid document, ready to run any number of times at once."""

    def __init__(
        self,
        about: OperationAbout,
        variables: Mapping[str, Variable],
        conditions: tuple[str, ...],
        plans: Mapping[tuple[bool, ...], Execute],
    ) -> None:
        self._about = about
        self._variables = tuple(variables.values())
        self._conditions = conditions
        self._plans = plans

    def run(self, context: Any, variables: dict[str, Any] | None) -> Result | None:
        """The result, or an awaitable of it; None if the variables are for graphql-core."""
        given = variables or {}
        try:
            values = self._values(given)
            plan = self._plans[tuple([values[name] for name in self._conditions])]
        except Exception:  # noqa: BLE001 - whatever a scalar raised, graphql-core says it again
            return None
        run = Run(self._about, context, given, values)
        try:
            data = plan(run, None, None)
        except GraphQLError as error:
            run.errors.add(error, None)
            data = None
        if type(data) is CoroutineType:
            return _finished(run, data)
        return ExecutionResult(data, run.errors.errors or None)

    def _values(self, given: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for variable in self._variables:
            name = variable.name
            if name in given:
                values[name] = variable.convert(given[name])
            elif variable.default is not Undefined:
                values[name] = variable.default
            elif variable.non_null:
                raise Misfit
            if variable.wanted and values.get(name, Undefined) is None:
                raise Misfit
        return values


async def _finished(run: Run, data: Any) -> ExecutionResult:
    try:
        data = await data
    except GraphQLError as error:
        run.errors.add(error, None)
        data = None
    return ExecutionResult(data, run.errors.errors or None)


class OperationCompiler:
    """Compiles operations of one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._inputs = Inputs(schema)

    def compile(
        self, document: DocumentNode, name: str | None, fields_max: int
    ) -> CompiledOperation | None:
        """One operation of a valid document, with at most so many fields; None if graphql-core
        is to execute it."""
        try:
            return self._compile(document, name, fields_max)
        except (Unsupported, GraphQLError):
            return None

    def _compile(
        self, document: DocumentNode, name: str | None, fields_max: int
    ) -> CompiledOperation:
        node = next(
            each
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
            and (name is None or (each.name is not None and each.name.value == name))
        )
        fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        about = OperationAbout(self._schema._schema, document, node, fragments)
        if node.operation is OperationType.SUBSCRIPTION or node.directives:
            raise Unsupported("a subscription, or directives on the operation")
        if any(fragment.variable_definitions for fragment in fragments.values()):
            raise Unsupported("fragments with variables")
        seen = _Seen()
        visit(document, seen)
        variables = self._inputs.variables(node)
        conditions = tuple(sorted(seen.conditions & variables.keys()))
        if len(conditions) > CONDITIONS_MAX:
            raise Unsupported("too many conditions")
        fields_left = [fields_max]
        plans = {}
        for booleans in product((False, True), repeat=len(conditions)):
            known = dict(zip(conditions, booleans, strict=True))
            selection = _Selection(
                self._schema, self._inputs, about, variables, known, seen.uses, fields_left
            )
            plans[booleans] = selection.root()
        return CompiledOperation(about, variables, conditions, plans)


class _Seen(Visitor):
    """The variables of a document: how often each is used, and which decide what is included."""

    def __init__(self) -> None:
        super().__init__()
        self.uses: Counter[str] = Counter()
        self.conditions: set[str] = set()

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        self.uses[node.variable.name.value] -= 1  # it is a variable's node, and no use of it

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.uses[node.name.value] += 1

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        if node.name.value not in ("skip", "include"):
            raise Unsupported(f"@{node.name.value}")
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.conditions.add(argument.value.name.value)


class _Selection:
    """The compiler at work on one operation, for one set of conditions."""

    def __init__(
        self,
        schema: strawberry.Schema,
        inputs: Inputs,
        about: OperationAbout,
        variables: Mapping[str, Variable],
        conditions: dict[str, bool],
        uses: Counter[str],
        fields_left: list[int],
    ) -> None:
        self._schema = schema
        self._inputs = inputs
        self._about = about
        self._core = about.core
        self._variables = variables
        self._known = VariableValues({}, conditions)
        self._fragments = {
            name: FragmentDetails(fragment) for name, fragment in about.fragments.items()
        }
        self._uses = uses
        self._fields_left = fields_left

    def root(self) -> Execute:
        operation = self._about.node
        type_ = self._core.get_root_type(operation.operation)
        if type_ is None:
            raise Unsupported("no such root")
        collected = collect_fields(
            self._core, self._fragments, self._known, type_, operation, hide_suggestions=True
        )
        steps = self._steps(type_, collected.grouped_field_set, is_root=True)
        if operation.operation is OperationType.MUTATION:
            return serial_fields_of(steps)
        return fields_of(steps)

    def _steps(
        self, type_: GraphQLObjectType, grouped: GroupedFieldSet, is_root: bool = False
    ) -> list[Step]:
        return [
            self._step(type_, response_name, details, is_root)
            for response_name, details in grouped.items()
        ]

    def _step(
        self, type_: GraphQLObjectType, response_name: str, details: FieldDetailsList, is_root: bool
    ) -> Step:
        self._fields_left[0] -= 1
        if self._fields_left[0] < 0:
            raise Unsupported("too many fields")
        nodes = [detail.node for detail in details]
        name = nodes[0].name.value
        if name == "__typename":
            return Step(response_name, typename_leaf(type_.name), lambda *_: type_.name)
        field = type_.fields.get(name)
        if field is None:
            raise Unsupported(f"there is no {type_.name}.{name}")
        definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(definition, StrawberryField):
            raise Unsupported(f"{type_.name}.{name} is not Strawberry's")
        about = FieldAbout(name, response_name, type_, field.type, details, nodes)
        arguments = self._inputs.arguments(
            field, definition, nodes[0], self._variables, is_root and self._uses_once(nodes[0])
        )
        resolve = resolve_of(self._schema, definition, arguments)
        execute = field_of(about, resolve, self._completer(field.type, about))
        return Step(response_name, leaf_of(about, definition, self._schema.config), execute)

    def _uses_once(self, node: FieldNode) -> bool:
        return all(
            self._uses[argument.value.name.value] == 1
            for argument in node.arguments or ()
            if isinstance(argument.value, VariableNode)
        )

    def _completer(self, type_: GraphQLOutputType, about: FieldAbout) -> Completer:
        if is_non_null_type(type_):
            return non_null_completer(self._completer(type_.of_type, about), about)
        if is_list_type(type_):
            return list_completer(type_.of_type, self._completer(type_.of_type, about), about)
        if is_leaf_type(type_):
            return leaf_completer(type_)
        if is_object_type(type_):
            return self._object(type_, about)
        if not is_abstract_type(type_):
            raise Unsupported(f"{type_} is of an unknown kind")
        if iscoroutinefunction(type_.resolve_type):
            raise Unsupported(f"the type of a {type_} is awaited")
        completes: dict[str, Complete] = {
            possible.name: self._object(possible, about).complete
            for possible in self._core.get_possible_types(type_)
        }
        return abstract_completer(type_, about, self._core, completes)

    def _object(self, type_: GraphQLObjectType, about: FieldAbout) -> Completer:
        if iscoroutinefunction(type_.is_type_of):
            raise Unsupported(f"the type of a {type_} is awaited")
        collected = collect_subfields(
            self._core,
            self._fragments,
            self._known,
            self._about.node,
            type_,
            about.details,
            hide_suggestions=True,
        )
        steps = self._steps(type_, collected.grouped_field_set)
        leaves = {name: leaf for name, leaf, _ in steps if leaf is not None}
        row: Row | None = None
        if len(leaves) == len(steps):
            row = row_of(leaves, type_.is_type_of)
        return object_completer(type_, about, fields_of(steps), row)
