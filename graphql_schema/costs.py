"""What an operation costs: 1 a field, times the size of the pages it is asked for in.

The cost is computed once per document into a small expression, and evaluated per request with
the variables. A connection's ``first`` or ``last`` multiplies what lies under its lists; a plain
list (short by the house's rule: long ones are connections) counts as ``LIST_SIZE_ASSUMED``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from graphql_schema.limits import Measured
from graphql_schema.pagination import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

LIST_SIZE_ASSUMED = 5
INTROSPECTION_COST = 100

Size = int | tuple[int | str, ...]
"""A number, or the candidates of first and last: numbers and names of variables."""


@dataclass(slots=True)
class Cost:
    """``constant`` plus each of ``terms``, a size times a cost. Fragments are shared."""

    constant: int = 0
    terms: list[tuple[Size, "Cost"]] = field(default_factory=list)

    def add(self, size: Size, cost: "Cost") -> None:
        if isinstance(size, int) and not cost.terms:
            self.constant += size * cost.constant
        else:
            self.terms.append((size, cost))

    def value(self, sizes: Mapping[str, int], known: dict[int, int]) -> int:
        """``sizes`` holds the variables; ``known`` the costs met before, by identity."""
        if not self.terms:
            return self.constant
        total = known.get(id(self))
        if total is None:
            total = self.constant
            for size, cost in self.terms:
                total += _size_value(size, sizes) * cost.value(sizes, known)
            known[id(self)] = total
        return total


@dataclass(frozen=True, slots=True)
class OperationCost:
    """The cost of one operation; ``defaults`` are its variables' own."""

    cost: Cost
    defaults: Mapping[str, int]

    def value(self, variables: Mapping[str, Any] | None) -> int:
        """The cost with these variables, which need not have been checked yet."""
        if not self.cost.terms:
            return self.cost.constant
        sizes = dict(self.defaults)
        for name, given in (variables or {}).items():
            sizes[name] = _clamp(given)
        return self.cost.value(sizes, {})


def operation_costs(schema: GraphQLSchema, measured: Measured) -> list[OperationCost]:
    """The cost of each operation of a valid document, in its order."""
    model = _Model(schema)
    for name in measured.order:
        fragment = measured.fragments[name]
        condition = schema.get_type(fragment.type_condition.name.value)
        model.fragments[name] = model.selections(fragment.selection_set, condition)
    return [model.operation(operation) for operation in measured.operations]


class _Model:
    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self.fragments: dict[str, tuple[Cost, Cost]] = {}

    def operation(self, operation: OperationDefinitionNode) -> OperationCost:
        root = self._schema.get_root_type(operation.operation)
        total, items = self.selections(operation.selection_set, root)
        total.add(LIST_SIZE_ASSUMED, items)
        defaults = {
            definition.variable.name.value: _clamp(int(definition.default_value.value))
            for definition in operation.variable_definitions or ()
            if isinstance(definition.default_value, IntValueNode)
        }
        return OperationCost(total, defaults)

    def selections(
        self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None
    ) -> tuple[Cost, Cost]:
        """The cost of a selection, apart from its lists; and of one item of each of its lists."""
        flat, items = Cost(), Cost()
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                self._field(selection, parent, flat, items)
                continue
            if isinstance(selection, InlineFragmentNode):
                condition = parent
                if selection.type_condition is not None:
                    condition = self._schema.get_type(selection.type_condition.name.value)
                inner = self.selections(selection.selection_set, condition)
            elif isinstance(selection, FragmentSpreadNode):
                inner = self.fragments[selection.name.value]
            flat.add(1, inner[0])
            items.add(1, inner[1])
        return flat, items

    def _field(
        self, node: FieldNode, parent: GraphQLNamedType | None, flat: Cost, items: Cost
    ) -> None:
        flat.constant += 1
        if node.name.value in ("__schema", "__type"):
            flat.constant += INTROSPECTION_COST
            return
        if node.selection_set is None or not isinstance(
            parent, GraphQLObjectType | GraphQLInterfaceType
        ):
            return
        definition = parent.fields[node.name.value]
        own, own_items = self.selections(node.selection_set, get_named_type(definition.type))
        paged = "first" in definition.args or "last" in definition.args
        if is_list_type(get_nullable_type(definition.type)):
            own.add(LIST_SIZE_ASSUMED, own_items)
            if paged:
                flat.add(_page_size(node), own)
            else:
                items.add(1, own)
        else:
            flat.add(1, own)
            flat.add(_page_size(node) if paged else LIST_SIZE_ASSUMED, own_items)


def _page_size(node: FieldNode) -> Size:
    candidates = [
        _candidate(argument.value)
        for argument in node.arguments or ()
        if argument.name.value in ("first", "last")
    ]
    if any(isinstance(candidate, str) for candidate in candidates):
        return tuple(candidates)
    return _size_value(tuple(candidates), {})


def _candidate(value: ValueNode) -> int | str:
    if isinstance(value, VariableNode):
        return value.name.value
    return _clamp(int(value.value)) if isinstance(value, IntValueNode) else 0


def _size_value(size: Size, sizes: Mapping[str, int]) -> int:
    if isinstance(size, int):
        return size
    largest = 0
    for candidate in size:
        given = sizes.get(candidate, 0) if isinstance(candidate, str) else candidate
        largest = max(largest, given)
    return largest or PAGE_SIZE_DEFAULT


def _clamp(given: Any) -> int:
    """A page size as far as it makes sense; 0 for none. The resolver refuses what does not."""
    return min(max(given, 1), PAGE_SIZE_MAX) if type(given) is int else 0
