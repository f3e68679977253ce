"""Our scalars. Points, fen and counts outgrow GraphQL's 32-bit Int: they are ``BigInt``. Assets go
by their codes, since brands have their own: ``AssetCode``."""

import re
from typing import Any, NewType

import strawberry
from graphql import EnumValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
"""Annotate resolvers and inputs with this; the value is a plain ``int``."""

AssetCode = NewType("AssetCode", str)
"""POINTS, GROWTH, CASH, CHANCES, or a brand's own; the value is a plain ``str``."""

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
JSON_SAFE_MAX = 2**53 - 1
_ASSET_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def serialize_big_int(value: Any) -> int | str:
    """A JSON number up to 2^53-1 (what JavaScript holds exactly), a decimal string beyond."""
    if type(value) is not int or not INT64_MIN <= value <= INT64_MAX:
        raise GraphQLError("BigInt cannot represent this value.")
    return value if -JSON_SAFE_MAX <= value <= JSON_SAFE_MAX else str(value)


def parse_big_int(value: Any) -> int:
    """A number or a decimal string within 64 bits; no floats, booleans, blanks or signs of +."""
    if type(value) is str and _DECIMAL.fullmatch(value):
        value = int(value)
    if type(value) is not int:
        raise GraphQLError("BigInt must be a whole number, or a string of one.")
    if not INT64_MIN <= value <= INT64_MAX:
        raise GraphQLError("BigInt must fit in 64 bits.")
    return value


def _parse_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> int:
    if isinstance(node, IntValueNode | StringValueNode) and len(node.value) <= 20:
        return parse_big_int(node.value)
    raise GraphQLError("BigInt must be a whole number, or a string of one.", node)


def parse_asset_code(value: Any) -> str:
    """Letters as an asset's code has them; whether the brand has such an asset is asked later."""
    if type(value) is not str or not _ASSET_CODE.fullmatch(value):
        raise GraphQLError("AssetCode must be the code of an asset, such as POINTS.")
    return value


def _parse_asset_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> str:
    # Once an enum: documents that say POINTS without quotes go on working.
    if isinstance(node, StringValueNode | EnumValueNode):
        return parse_asset_code(node.value)
    raise GraphQLError("AssetCode must be the code of an asset, such as POINTS.", node)


SCALAR_MAP: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits: a JSON number up to 2^53-1, a string beyond.",
        serialize=serialize_big_int,
        parse_value=parse_big_int,
        parse_literal=_parse_literal,
    ),
    AssetCode: strawberry.scalar(
        name="AssetCode",
        description="POINTS 积分, GROWTH 成长值, CASH 红包 (fen), CHANCES 抽奖次数; a brand's own.",
        serialize=str,
        parse_value=parse_asset_code,
        parse_literal=_parse_asset_literal,
    ),
}
"""For ``StrawberryConfig(scalar_map=SCALAR_MAP)``."""
