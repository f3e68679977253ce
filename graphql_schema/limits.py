"""What a document may ask for: its shape before validation, its cost before execution.

Every measure is linear in the text: each definition is walked once, without recursion, and
fragments are summed up in topological order. So a bomb of nested fragments, whose expansion is
exponential, costs an attacker's kilobyte what an honest kilobyte costs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    VariableDefinitionNode,
    parse,
)

from graphql_schema.faults import Invalid


@dataclass(frozen=True, slots=True)
class Limits:
    """Per request. Counts are of the expanded document: a fragment counts where it is spread."""

    body_bytes_max: int = 256 * 1024
    body_seconds_max: float = 10.0
    source_chars_max: int = 64 * 1024
    tokens_max: int = 2_000
    comments_max: int = 100
    depth_max: int = 12
    aliases_max: int = 20
    fragments_max: int = 20
    directives_max: int = 20
    root_fields_max: int = 10
    operations_max: int = 10
    variables_max: int = 50
    repeats_max: int = 40
    selections_max: int = 500
    nesting_max: int = 40
    validation_errors_max: int = 10
    cost_max: int = 5_000
    cache_tokens_max: int = 100_000


@dataclass(slots=True)
class Shape:
    """The measures of one definition; ``spreads`` are (fragment, depth, is it counted in depth)."""

    depth: int = 0
    selections: int = 0
    aliases: int = 0
    directives: int = 0
    repeats: int = 0
    root_fields: int = 0
    spreads: list[tuple[str, int, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """A document that kept within the limits. ``order``: fragments, those spread first first."""

    order: list[str]
    fragments: dict[str, FragmentDefinitionNode]
    operations: list[OperationDefinitionNode]
    visited: int


def limit_error(code: str, message: str, node: Node | None = None) -> GraphQLError:
    return GraphQLError(message, node, extensions={"code": code})


def parse_within(text: str, limits: Limits) -> DocumentNode:
    """Parse a document of bounded length; raises GraphQLError."""
    if len(text) > limits.source_chars_max:
        raise limit_error("DOCUMENT_TOO_LONG", f"More than {limits.source_chars_max} characters.")
    try:
        return parse(text, max_lexical_tokens=limits.tokens_max, max_comments=limits.comments_max)
    except GraphQLSyntaxError as error:
        code = Invalid.code
        if "Document contains more than" in error.message:
            code = "DOCUMENT_TOO_LONG"
        elif "nested too deeply" in error.message:
            code = "DOCUMENT_TOO_DEEP"
        error.extensions = {"code": code}
        raise


def measure(document: DocumentNode, limits: Limits) -> Measured:
    """Check the shape of a document before anything walks its expansion; raises GraphQLError."""
    fragments: dict[str, FragmentDefinitionNode] = {}
    operations: list[OperationDefinitionNode] = []
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
        elif isinstance(definition, OperationDefinitionNode):
            operations.append(definition)
    if len(operations) > limits.operations_max:
        raise limit_error("TOO_MANY_OPERATIONS", f"More than {limits.operations_max} operations.")
    if len(document.definitions) - len(operations) > limits.fragments_max:
        raise limit_error("TOO_MANY_FRAGMENTS", f"More than {limits.fragments_max} fragments.")
    meter = _Meter(limits)
    shapes = {name: meter.shape(fragment) for name, fragment in fragments.items()}
    order = _topological(shapes, fragments)
    for name in order:
        _add_spreads(shapes[name], shapes)
        _check(shapes[name], fragments[name], limits)
    for operation in operations:
        shape = meter.shape(operation)
        _add_spreads(shape, shapes)
        _check(shape, operation, limits)
    return Measured(order, fragments, operations, meter.visited)


class _Meter:
    """Walks definitions one by one and counts its own steps, so that tests can bound them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.visited = 0

    def shape(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> Shape:
        shape = Shape()
        self._add_directives(shape, definition.directives)
        variables = definition.variable_definitions or ()
        if len(variables) > self._limits.variables_max:
            message = f"More than {self._limits.variables_max} variables."
            raise limit_error("TOO_MANY_VARIABLES", message, definition)
        for variable in variables:
            self._add_variable(shape, variable)
        # (selections, depth of their parent, syntactic nesting, inside introspection, names met:
        # inline fragments share theirs with the selections around them)
        stack: list[tuple[SelectionSetNode, int, int, bool, set[str]]]
        stack = [(definition.selection_set, 0, 1, False, set())]
        while stack:
            selection_set, depth, nesting, meta, names = stack.pop()
            if nesting > self._limits.nesting_max:
                raise _too_deep(self._limits, selection_set)
            for selection in selection_set.selections:
                self.visited += 1
                shape.selections += 1
                self._add_directives(shape, selection.directives)
                if isinstance(selection, FieldNode):
                    inner, below = self._add_field(shape, selection, depth, meta, names)
                    if selection.selection_set is not None:
                        stack.append((selection.selection_set, below, nesting + 1, inner, set()))
                elif isinstance(selection, InlineFragmentNode):
                    stack.append((selection.selection_set, depth, nesting + 1, meta, names))
                elif isinstance(selection, FragmentSpreadNode):
                    shape.spreads.append((selection.name.value, depth, not meta))
                    self._add_name(shape, "..." + selection.name.value, names)
                    self._check_arguments(selection.arguments)
        return shape

    def _add_field(
        self, shape: Shape, node: FieldNode, depth: int, meta: bool, names: set[str]
    ) -> tuple[bool, int]:
        """Count a field; whether its children are introspection, and their parent's depth."""
        if depth == 0 and not meta:
            shape.root_fields += 1
        # Introspection has its own rule of depth (MaxIntrospectionDepthRule): the standard
        # query goes 14 deep and is harmless.
        meta = meta or node.name.value in ("__schema", "__type")
        below = depth if meta else depth + 1
        shape.depth = max(shape.depth, below)
        if node.alias is not None:
            shape.aliases += 1
        self._add_name(shape, (node.alias or node.name).value, names)
        self._check_arguments(node.arguments)
        return meta, below

    def _add_name(self, shape: Shape, name: str, names: set[str]) -> None:
        # Validation compares fields of one name pair by pair: that is quadratic in repeats.
        if name in names:
            shape.repeats += 1
        names.add(name)

    def _add_directives(self, shape: Shape, directives: tuple[DirectiveNode, ...] | None) -> None:
        for directive in directives or ():
            self.visited += 1
            shape.directives += 1
            self._check_arguments(directive.arguments)

    def _add_variable(self, shape: Shape, variable: VariableDefinitionNode) -> None:
        self.visited += 1
        self._add_directives(shape, variable.directives)
        if variable.default_value is not None:
            self._check_values([variable.default_value])

    def _check_arguments(self, arguments: tuple[Any, ...] | None) -> None:
        for argument in arguments or ():
            self.visited += 1
            if isinstance(argument, ArgumentNode):
                self._check_values([argument.value])

    def _check_values(self, values: list[Node]) -> None:
        while values:
            value = values.pop()
            self.visited += 1
            if isinstance(value, StringValueNode):
                if "\0" in value.value:
                    raise limit_error(Invalid.code, "A text may not contain NUL.", value)
            elif isinstance(value, ListValueNode):
                values.extend(value.values)
            elif isinstance(value, ObjectValueNode):
                values.extend(item.value for item in value.fields)


def _topological(
    shapes: Mapping[str, Shape], fragments: Mapping[str, FragmentDefinitionNode]
) -> list[str]:
    """Fragment names, each after all it spreads; a cycle raises GraphQLError."""
    order: list[str] = []
    done: set[str] = set()
    for root in shapes:
        if root in done:
            continue
        path: list[tuple[str, Iterator[tuple[str, int, bool]]]] = [
            (root, iter(shapes[root].spreads))
        ]
        on_path = {root}
        while path:
            name, spreads = path[-1]
            for spread, _, _ in spreads:
                if spread in on_path:
                    message = f"Fragment {spread} spreads itself."
                    raise limit_error("FRAGMENT_CYCLE", message, fragments[spread])
                if spread in shapes and spread not in done:
                    path.append((spread, iter(shapes[spread].spreads)))
                    on_path.add(spread)
                    break
            else:
                path.pop()
                on_path.discard(name)
                done.add(name)
                order.append(name)
    return order


def _add_spreads(shape: Shape, shapes: Mapping[str, Shape]) -> None:
    """Add what the spread fragments hold; theirs must be complete already."""
    for name, depth, counts in shape.spreads:
        spread = shapes.get(name)
        if spread is None:
            continue  # validation will say so
        if counts:
            shape.depth = max(shape.depth, depth + spread.depth)
        if depth == 0 and counts:
            shape.root_fields += spread.root_fields
        shape.selections += spread.selections
        shape.aliases += spread.aliases
        shape.directives += spread.directives
        shape.repeats += spread.repeats


def _check(
    shape: Shape, node: OperationDefinitionNode | FragmentDefinitionNode, limits: Limits
) -> None:
    for code, count, most, what in (
        ("TOO_MANY_SELECTIONS", shape.selections, limits.selections_max, "selections"),
        ("TOO_MANY_ALIASES", shape.aliases, limits.aliases_max, "aliases"),
        ("TOO_MANY_DIRECTIVES", shape.directives, limits.directives_max, "directives"),
        ("TOO_MANY_REPEATS", shape.repeats, limits.repeats_max, "repeated fields"),
    ):
        if count > most:
            raise limit_error(code, f"More than {most} {what}.", node)
    if isinstance(node, FragmentDefinitionNode):
        return  # depth and root fields are the operation's: a fragment may lie in introspection
    if shape.depth > limits.depth_max:
        raise _too_deep(limits, node)
    if shape.root_fields > limits.root_fields_max:
        message = f"More than {limits.root_fields_max} root fields."
        raise limit_error("TOO_MANY_ROOT_FIELDS", message, node)


def _too_deep(limits: Limits, node: Node) -> GraphQLError:
    return limit_error("DOCUMENT_TOO_DEEP", f"Nested deeper than {limits.depth_max}.", node)
