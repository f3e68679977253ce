"""Pure: what a condition's text says. A parser of the part of CEL that conditions may use, which
tells the kind of every operand, so that whatever is wrong is told with its line and column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from rewards.conditions.facts import ROOTS, FactSpec, Kind

DEPTH_MAX = 20

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
    |(?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    |(?P<int>0x[0-9a-fA-F]+|[0-9]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])
    """,
    re.VERBOSE,
)
_NUMBERS = (Kind.INT, Kind.DOUBLE)
_ORDERED = (Kind.INT, Kind.DOUBLE, Kind.STRING, Kind.TIMESTAMP, Kind.DURATION)
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")

FUNCTIONS: Mapping[str, tuple[tuple[Kind, ...], Kind]] = {
    "size": ((Kind.STRING, Kind.LIST), Kind.INT),
    "int": ((Kind.INT, Kind.DOUBLE, Kind.STRING), Kind.INT),
    "double": ((Kind.INT, Kind.DOUBLE, Kind.STRING), Kind.DOUBLE),
    "string": ((Kind.INT, Kind.DOUBLE, Kind.STRING), Kind.STRING),
    "timestamp": ((Kind.STRING,), Kind.TIMESTAMP),
    "duration": ((Kind.STRING,), Kind.DURATION),
}
"""Functions of one argument: what it may be, and what comes of it."""
METHODS = ("contains", "startsWith", "endsWith")
"""Of a string, with a string: a bool."""

_SUMS: Mapping[tuple[str, Kind, Kind], Kind] = {
    **{(sign, kind, kind): kind for sign in "+-*/" for kind in _NUMBERS},
    ("%", Kind.INT, Kind.INT): Kind.INT,
    ("+", Kind.STRING, Kind.STRING): Kind.STRING,
    ("+", Kind.TIMESTAMP, Kind.DURATION): Kind.TIMESTAMP,
    ("+", Kind.DURATION, Kind.TIMESTAMP): Kind.TIMESTAMP,
    ("+", Kind.DURATION, Kind.DURATION): Kind.DURATION,
    ("-", Kind.TIMESTAMP, Kind.TIMESTAMP): Kind.DURATION,
    ("-", Kind.TIMESTAMP, Kind.DURATION): Kind.TIMESTAMP,
    ("-", Kind.DURATION, Kind.DURATION): Kind.DURATION,
}


class ConditionUnreadable(Exception):
    """What is wrong, and at which index of the text."""

    def __init__(self, at: int, problem: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem


class Token(NamedTuple):
    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


@dataclass(frozen=True, slots=True)
class Operand:
    """A part of the text, from ``at`` to ``end``, and what it is. ``fact``: it is that one, and
    nothing else; ``constant``: it reads none."""

    kind: Kind
    at: int
    end: int
    fact: str | None = None
    constant: bool = False
    of: Kind | None = None
    parts: tuple["Operand", ...] = ()


@dataclass(slots=True)
class Reading:
    """What a text says. ``facts``: where which one is read, by index. ``operands``: those of every
    ``&&``, ``||`` and ``?:``, and the whole. ``compared``: the constants that facts are compared
    with. ``is_plain``: facts that may be anything are only compared with constants, so that a few
    values stand for all."""

    text: str
    facts: list[tuple[int, int, str]] = field(default_factory=list)
    operands: list[Operand] = field(default_factory=list)
    compared: dict[str, list[Operand]] = field(default_factory=dict)
    plain_reads: int = 0

    @property
    def is_plain(self) -> bool:
        return self.plain_reads == len(self.facts)

    def rewritten(self, at: int = 0, end: int | None = None) -> str:
        """A part of the text with each fact as one plain name: ``member_isNew``."""
        end = len(self.text) if end is None else end
        parts, begun = [], at
        for start, stop, name in self.facts:
            if at <= start and stop <= end:
                parts += [self.text[begun:start], flat_name(name)]
                begun = stop
        return "".join([*parts, self.text[begun:end]])


def flat_name(fact: str) -> str:
    return fact.replace(".", "_")


def position(text: str, at: int) -> str:
    """An index as people count: ``line 1, column 4``."""
    line = text.count("\n", 0, at)
    return f"line {line + 1}, column {at - (text.rfind(chr(10), 0, at) + 1) + 1}"


def tokens_of(text: str) -> list[Token]:
    """The tokens, and one for the end. Raises ConditionUnreadable."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionUnreadable(at, f"{text[at]!r} is not understood")
        if match.lastgroup != "space":
            token = Token(match.lastgroup or "", match.group(), at)
            before = tokens[-1] if tokens else None
            words = ("name", "int", "double")
            if before and before.end == at and before.kind in words and token.kind in words:
                raise ConditionUnreadable(before.at, f"{before.text + token.text!r} is no number")
            tokens.append(token)
        at = match.end()
    return [*tokens, Token("end", "", len(text.rstrip()))]


def read_condition(text: str, declared: Mapping[str, FactSpec]) -> Reading:
    """What a condition over the declared facts says. Raises ConditionUnreadable."""
    reader = _Reader(text, declared)
    whole = reader.expression()
    reader.expect("")
    if whole.kind is not Kind.BOOL:
        raise ConditionUnreadable(whole.at, f"must be a bool, is a {whole.kind.value}")
    reader.reading.operands.append(whole)
    reader.reading.facts.sort()
    return reader.reading


class _Reader:
    """Recursive descent, one method per precedence."""

    def __init__(self, text: str, declared: Mapping[str, FactSpec]) -> None:
        self.reading = Reading(text)
        self._declared = declared
        self._tokens = tokens_of(text)
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> Token | None:
        token = self._token
        if token.kind not in ("sign", "name") or token.text not in texts:
            return None
        self._next += 1
        return token

    def expect(self, text: str) -> Token:
        token = self._token
        if token.text != text or token.kind == "string":
            wanted = repr(text) if text else "an operator or the end"
            raise self._unexpected(token, f"expected {wanted}")
        self._next += token.kind != "end"
        return token

    def _unexpected(self, token: Token, problem: str) -> ConditionUnreadable:
        found = "the end" if token.kind == "end" else repr(token.text)
        return ConditionUnreadable(token.at, f"{problem}, found {found}")

    def expression(self) -> Operand:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ConditionUnreadable(self._token.at, f"nested more than {DEPTH_MAX} deep")
        asked = self._or()
        if self._take("?"):
            self._want_bool("?", asked)
            first = self.expression()
            self.expect(":")
            second = self.expression()
            if first.kind is not second.kind:
                self._differ("? :", first, second, second.at)
            self.reading.operands += [asked, first, second]
            asked = Operand(
                first.kind,
                asked.at,
                second.end,
                constant=asked.constant and first.constant and second.constant,
                of=first.of,
            )
        self._depth -= 1
        return asked

    def _or(self) -> Operand:
        return self._logical("||", [self._and()])

    def _and(self) -> Operand:
        return self._logical("&&", [self._relation()])

    def _logical(self, sign: str, parts: list[Operand]) -> Operand:
        while self._take(sign):
            parts.append(self._and() if sign == "||" else self._relation())
        if len(parts) == 1:
            return parts[0]
        for part in parts:
            self._want_bool(sign, part)
        self.reading.operands += parts
        constant = all(part.constant for part in parts)
        return Operand(Kind.BOOL, parts[0].at, parts[-1].end, constant=constant)

    def _relation(self) -> Operand:
        left = self._sum(("+", "-"))
        while sign := self._take(*_COMPARISONS, "in"):
            right = self._sum(("+", "-"))
            if sign.text == "in":
                self._check_in(left, right, sign)
            else:
                self._check_comparison(left, right, sign)
            left = Operand(Kind.BOOL, left.at, right.end, constant=left.constant and right.constant)
        return left

    def _check_in(self, left: Operand, right: Operand, sign: Token) -> None:
        if right.kind is not Kind.LIST or right.of is None:
            raise ConditionUnreadable(right.at, f"in needs a list, not a {right.kind.value}")
        if left.kind is Kind.LIST or not _comparable(left.kind, right.of):
            raise ConditionUnreadable(
                sign.at, f"a {left.kind.value} is never in a list of {right.of.value}"
            )
        if left.fact is not None and right.constant:
            self._note_compared(left.fact, right.parts)
        elif right.fact is not None and left.constant:
            self._note_compared(right.fact, [left])

    def _check_comparison(self, left: Operand, right: Operand, sign: Token) -> None:
        if not _comparable(left.kind, right.kind) or left.kind is Kind.LIST:
            self._differ(sign.text, left, right, sign.at)
        is_ordering = sign.text not in ("==", "!=")
        if is_ordering and left.kind not in _ORDERED:
            raise ConditionUnreadable(sign.at, f"{sign.text} has no meaning for {left.kind.value}")
        for one, other in ((left, right), (right, left)):
            if one.fact is not None and other.constant:
                # Where the order of texts matters, no few of them stand for all.
                is_plain = not (is_ordering and one.kind is Kind.STRING)
                self._note_compared(one.fact, [other], is_plain=is_plain)

    def _note_compared(
        self, fact: str, constants: Sequence[Operand], *, is_plain: bool = True
    ) -> None:
        self.reading.compared.setdefault(fact, []).extend(constants)
        self.reading.plain_reads += is_plain and not self._declared[fact].values

    def _sum(self, signs: tuple[str, ...]) -> Operand:
        product = ("*", "/", "%")
        left = self._unary() if signs == product else self._sum(product)
        while sign := self._take(*signs):
            right = self._unary() if signs == product else self._sum(product)
            kind = _SUMS.get((sign.text, left.kind, right.kind))
            if kind is None:
                self._differ(sign.text, left, right, sign.at)
            constant = left.constant and right.constant
            left = Operand(kind, left.at, right.end, constant=constant)
        return left

    def _unary(self) -> Operand:
        signs = []
        while sign := self._take("!", "-"):
            signs.append(sign)
        operand = self._with_methods()
        for sign in reversed(signs):
            fits = (Kind.BOOL,) if sign.text == "!" else _NUMBERS
            if operand.kind not in fits:
                raise ConditionUnreadable(
                    sign.at, f"{sign.text} has no meaning for {operand.kind.value}"
                )
            operand = Operand(operand.kind, sign.at, operand.end, constant=operand.constant)
        return operand

    def _with_methods(self) -> Operand:
        operand = self._primary()
        while self._take("."):
            name = self._token
            if name.text not in METHODS:
                raise ConditionUnreadable(name.at, f"unknown method {name.text!r}")
            self._next += 1
            if operand.kind is not Kind.STRING:
                raise ConditionUnreadable(
                    name.at, f"{name.text} has no meaning for {operand.kind.value}"
                )
            argument, end = self._argument()
            if argument.kind is not Kind.STRING:
                raise ConditionUnreadable(argument.at, f"must be a string: {argument.kind.value}")
            constant = operand.constant and argument.constant
            operand = Operand(Kind.BOOL, operand.at, end, constant=constant)
        return operand

    def _argument(self) -> tuple[Operand, int]:
        self.expect("(")
        argument = self.expression()
        return argument, self.expect(")").end

    def _primary(self) -> Operand:
        token = self._token
        self._next += token.kind != "end"
        if token.kind in ("int", "double", "string"):
            return Operand(Kind(token.kind), token.at, token.end, constant=True)
        if token.kind == "name":
            return self._named(token)
        if token.text == "(":
            inner = self.expression()
            end = self.expect(")").end
            return Operand(
                inner.kind, token.at, end, inner.fact, inner.constant, inner.of, inner.parts
            )
        if token.text == "[":
            return self._list(token)
        raise self._unexpected(token, "expected a value")

    def _list(self, begin: Token) -> Operand:
        parts = [self.expression()]
        while self._take(","):
            parts.append(self.expression())
        end = self.expect("]").end
        for part in parts[1:]:
            if part.kind is not parts[0].kind:
                self._differ("[...]", parts[0], part, part.at)
        if parts[0].kind is Kind.LIST:
            raise ConditionUnreadable(parts[0].at, "a list in a list")
        constant = all(part.constant for part in parts)
        return Operand(
            Kind.LIST, begin.at, end, constant=constant, of=parts[0].kind, parts=tuple(parts)
        )

    def _named(self, token: Token) -> Operand:
        if token.text in ("true", "false"):
            return Operand(Kind.BOOL, token.at, token.end, constant=True)
        if token.text in ROOTS:
            return self._fact(token)
        if self._token.text != "(":
            raise ConditionUnreadable(token.at, f"unknown name {token.text!r}")
        if token.text not in FUNCTIONS:
            raise ConditionUnreadable(token.at, f"unknown function {token.text!r}")
        argument, end = self._argument()
        takes, gives = FUNCTIONS[token.text]
        if argument.kind not in takes:
            raise ConditionUnreadable(
                argument.at, f"{token.text} has no meaning for {argument.kind.value}"
            )
        return Operand(gives, token.at, end, constant=argument.constant)

    def _fact(self, root: Token) -> Operand:
        if not self._take("."):
            raise ConditionUnreadable(root.at, f"{root.text!r} is no fact: name one of its own")
        token = self._token
        name = f"{root.text}.{token.text}"
        spec = self._declared.get(name) if token.kind == "name" else None
        if spec is None:
            raise ConditionUnreadable(root.at, f"unknown fact {name!r}")
        self._next += 1
        self.reading.facts.append((root.at, token.end, name))
        self.reading.plain_reads += bool(spec.values)
        of = Kind.STRING if spec.kind is Kind.LIST else None
        return Operand(spec.kind, root.at, token.end, fact=name, of=of)

    def _want_bool(self, sign: str, operand: Operand) -> None:
        if operand.kind is not Kind.BOOL:
            raise ConditionUnreadable(
                operand.at, f"{sign} needs a bool, not a {operand.kind.value}"
            )

    def _differ(self, sign: str, left: Operand, right: Operand, at: int) -> NoReturn:
        raise ConditionUnreadable(
            at, f"{sign} has no meaning for {left.kind.value} and {right.kind.value}"
        )


def _comparable(left: Kind, right: Kind) -> bool:
    return left is right or (left in _NUMBERS and right in _NUMBERS)
