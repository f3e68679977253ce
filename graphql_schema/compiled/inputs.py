"""Arguments: from a request's JSON straight to what resolvers take.

graphql-core checks variables into dicts and Strawberry makes its inputs of those, looking every
field up again. Here both are one step, worked out once per type. A value that does not fit raises
before any resolver ran; graphql-core is then asked to say what is wrong with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import strawberry
from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLString,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    assert_leaf_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal
from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_argument
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from graphql_schema.compiled.running import Run, Unsupported

Convert = Callable[[Any], Any]
"""A JSON value as a resolver takes it; raises for one that does not fit."""
Get = Callable[[Run], Any]
"""An argument's value in a run; ``Undefined`` leaves it to the resolver's own default."""

_IMMUTABLE = (str, int, float, bool, date, datetime, time, Decimal, UUID, Enum, type(None))
_TEXTS: dict[Any, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


class Misfit(Exception):
    """A variable is not of its type."""


@dataclass(slots=True)
class Variable:
    """``shared``: its value is a leaf, so all who use it may have the same one. ``wanted``: it may
    be null, and an argument that may not takes it; graphql-core reports that null in its place."""

    name: str
    convert: Convert
    non_null: bool
    default: Any
    shared: bool
    wanted: bool = False


class Inputs:
    """The input types of a schema, each converter made once."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._core = schema._schema
        self._config = schema.config
        self._scalars = schema.schema_converter.scalar_registry
        self._objects: dict[str, Convert] = {}

    # --- variables ---------------------------------------------------------------------------

    def variables(self, operation: OperationDefinitionNode) -> dict[str, Variable]:
        """The variables of an operation, by name."""
        found = {}
        for node in operation.variable_definitions or ():
            signature = get_variable_signature(self._core, node)
            if not isinstance(signature, GraphQLVariableSignature):
                raise Unsupported(str(signature))
            default = Undefined
            if node.default_value is not None:
                default = coerce_default_value(signature)
                if not isinstance(default, _IMMUTABLE):
                    raise Unsupported(f"the default of ${signature.name} is not a leaf")
            found[signature.name] = Variable(
                signature.name,
                self._converter(signature.type, ()),
                non_null=is_non_null_type(signature.type),
                default=default,
                shared=is_leaf_type(_nullable(signature.type)),
            )
        return found

    # --- arguments ---------------------------------------------------------------------------

    def arguments(
        self,
        field: GraphQLField,
        definition: StrawberryField,
        node: FieldNode,
        variables: Mapping[str, Variable],
        once: bool,
    ) -> Callable[[Run], dict[str, Any]]:
        """What makes a field's keyword arguments. ``once``: it is resolved once in a run, and is
        the only one to use its variables."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        constants: dict[str, Any] = {}
        getters: list[tuple[str, Get]] = []
        for argument in definition.arguments:
            name = self._config.name_converter.from_argument(argument)
            core = field.args[name]
            if core.out_name is not None and core.out_name != name:
                raise Unsupported(f"{name} goes by another name")
            if _is_unusual(argument.type):
                raise Unsupported(f"{name} is of an unusual type")
            value_node = given.get(name)
            default = coerce_default_value(core)
            if isinstance(value_node, VariableNode):
                variable = variables[value_node.name.value]
                if is_non_null_type(core.type) and not variable.non_null:
                    variable.wanted = True
                getters.append(
                    (argument.python_name, self._variable_getter(variable, argument, default, once))
                )
                continue
            if value_node is None:
                coerced = default
            elif _has_variables(value_node):
                raise Unsupported("a variable inside a value")
            else:
                coerced = coerce_input_literal(value_node, core.type)
                if coerced is Undefined:
                    raise Unsupported(f"{name} does not fit")
            if coerced is Undefined:
                continue
            if isinstance(coerced, _IMMUTABLE):
                constants[argument.python_name] = self._converted(argument, coerced)
            elif value_node is None:
                getters.append((argument.python_name, self._fresh(argument, default)))
            else:
                getters.append(
                    (argument.python_name, self._literal(argument, value_node, core.type))
                )
        return _arguments_of(constants, getters)

    def _variable_getter(
        self, variable: Variable, argument: StrawberryArgument, default: Any, once: bool
    ) -> Get:
        name, convert = variable.name, variable.convert
        if isinstance(default, _IMMUTABLE):
            default = self._converted(argument, default)
        elif default is not Undefined:
            raise Unsupported(f"the default of {argument.python_name} is not a leaf")
        if variable.shared or once:
            return lambda run: run.values.get(name, default)

        def get(run: Run) -> Any:
            # Each resolver has an input of its own, as it may change it.
            if name in run.given:
                return convert(run.given[name])
            return run.values.get(name, default)

        return get

    def _converted(self, argument: StrawberryArgument, coerced: Any) -> Any:
        return convert_argument(coerced, argument.type, self._scalars, self._config)

    def _fresh(self, argument: StrawberryArgument, coerced: Any) -> Get:
        return lambda _: self._converted(argument, coerced)

    def _literal(
        self, argument: StrawberryArgument, node: ValueNode, type_: GraphQLInputType
    ) -> Get:
        return lambda _: self._converted(argument, coerce_input_literal(node, type_))

    # --- types -------------------------------------------------------------------------------

    def _converter(self, type_: GraphQLInputType, within: tuple[str, ...]) -> Convert:
        if is_non_null_type(type_):
            inner = self._converter(type_.of_type, within)

            def convert_required(value: Any) -> Any:
                if value is None:
                    raise Misfit
                return inner(value)

            return convert_required
        if is_list_type(type_):
            return _list_converter(self._converter(type_.of_type, within))
        if is_input_object_type(type_):
            if type_.name in within:
                raise Unsupported(f"{type_.name} holds itself")
            convert = self._objects.get(type_.name)
            if convert is None:
                convert = self._object_converter(type_, (*within, type_.name))
                self._objects[type_.name] = convert
            return convert
        return _leaf_converter(type_)

    def _object_converter(self, type_: GraphQLInputObjectType, within: tuple[str, ...]) -> Convert:
        definition: StrawberryObjectDefinition = type_.extensions[
            GraphQLCoreConverter.DEFINITION_BACKREF
        ]
        origin: Any = definition.origin
        if type_.is_one_of or type_.out_type is not GraphQLInputObjectType.out_type:
            raise Unsupported(f"{type_.name} is checked in its own way")
        if definition.from_input is not None or hasattr(origin, "__post_init__"):
            raise Unsupported(f"{type_.name} is made in its own way")
        parts = [
            (name, *self._input_field(field, definition, within))
            for name, field in type_.fields.items()
        ]
        # As Strawberry does: what has no default of its own is None unless it is given.
        blank = {field.python_name: None for field in definition.fields if not _has_default(field)}

        def convert(value: Any) -> Any:
            if value is None:
                return None
            if type(value) is not dict:
                raise Misfit
            named = blank.copy()
            found = 0
            for name, python_name, convert_field, required, default in parts:
                if name in value:
                    found += 1
                    named[python_name] = convert_field(value[name])
                elif required:
                    raise Misfit
                elif default is not None:
                    named[python_name] = default()
            if found != len(value):
                raise Misfit
            return origin(**named)

        return convert

    def _input_field(
        self, field: GraphQLInputField, owner: StrawberryObjectDefinition, within: tuple[str, ...]
    ) -> tuple[str, Convert, bool, Callable[[], Any] | None]:
        definition: StrawberryField = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        type_: Any = definition.resolve_type(type_definition=owner)
        if field.out_name is not None or _is_unusual(type_):
            raise Unsupported(f"{definition.name} is of an unusual type")
        default: Callable[[], Any] | None = None
        coerced = coerce_default_value(field)
        if coerced is not Undefined:

            def default() -> Any:
                return convert_argument(coerced, type_, self._scalars, self._config)

            if isinstance(coerced, _IMMUTABLE):
                constant = default()

                def default() -> Any:
                    return constant

        convert = self._converter(field.type, within)
        return definition.python_name, convert, is_required_input_field(field), default


def _arguments_of(
    constants: dict[str, Any], getters: list[tuple[str, Get]]
) -> Callable[[Run], dict[str, Any]]:
    def arguments(run: Run) -> dict[str, Any]:
        named = constants.copy()
        for name, get in getters:
            value = get(run)
            if value is not Undefined:
                named[name] = value
        return named

    return arguments if getters else lambda _: constants.copy()


def _list_converter(convert: Convert) -> Convert:
    def convert_list(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is list:
            return [convert(item) for item in value]
        if type(value) in (str, int, float, bool, dict):
            return [convert(value)]  # a list of one
        raise Misfit

    return convert_list


def _leaf_converter(type_: GraphQLInputType) -> Convert:
    leaf = assert_leaf_type(type_)
    coerce = leaf.coerce_input_value
    exact = _TEXTS.get(leaf)
    known: dict[str, Any] = {}
    if isinstance(leaf, GraphQLEnumType):
        known = {name: coerce(name) for name in leaf.values}

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is exact:
            return value
        if type(value) is str and value in known:
            return known[value]
        coerced = coerce(value)
        if coerced is Undefined:
            raise Misfit
        return coerced

    return convert


def _nullable(type_: GraphQLInputType) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


def _has_default(field: StrawberryField) -> bool:
    return not (field.default_value is MISSING and field.default_factory is MISSING)


def _is_unusual(type_: Any) -> bool:
    """Whether Strawberry wraps or parses values of a type, itself or inside a list."""
    while type_ is not None:
        if isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
            return True
        type_ = getattr(type_, "of_type", None)
    return False


def _has_variables(node: ValueNode) -> bool:
    if isinstance(node, VariableNode):
        return True
    if isinstance(node, ListValueNode):
        return any(_has_variables(value) for value in node.values)
    if isinstance(node, ObjectValueNode):
        return any(_has_variables(field.value) for field in node.fields)
    return False
