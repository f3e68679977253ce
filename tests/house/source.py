"""A source file as the checks see it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
ENGINE = (
    "loyalty",
    "tiers",
    "rewards",
    "analytics",
    "graphql_schema",
    "workers",
    "server",
    "migrations",
)
NOUN_HOMES = ("loyalty", "tiers", "rewards")  # packages whose folders are nouns
ROOMS = ("models.py", "rules.py", "queries.py", "service.py")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file; ``path`` is relative to the checkout, with slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def package(self) -> str:
        return PurePosixPath(self.path).parts[0]

    @property
    def noun(self) -> str | None:
        """``loyalty/codes`` for a file of that noun; ``analytics`` is a noun by itself."""
        parts = PurePosixPath(self.path).parts
        if parts[0] == "analytics":
            return "analytics"
        return "/".join(parts[:2]) if parts[0] in NOUN_HOMES and len(parts) > 2 else None

    @property
    def is_room(self) -> bool:
        return self.noun is not None and self.name in ROOMS

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[FunctionNode]:
        return [n for n in self.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def imports(self) -> list[tuple[int, str, str]]:
        """Line, module and name of each import; the name is empty for ``import module``."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(node.lineno, node.module or "", alias.name) for alias in node.names]
        return found

    @cached_property
    def strings(self) -> list[tuple[int, str]]:
        """Line and text of strings, docstrings left out; an f-string's values show as ``{}``."""
        documentation = {
            id(node.value)
            for node in self.nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        return [
            (node.lineno, text)
            for node in self.nodes
            if isinstance(node, ast.expr)
            and id(node) not in documentation
            and (text := _string(node)) is not None
        ]

    def at(self, line: int, problem: str) -> str:
        return f"{self.path}:{line}: {problem}"


def _string(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_string(part) or "{}" for part in node.values)
    return None


def read_sources(*folders: str) -> Iterator[Source]:
    """Every Python file below folders of the checkout."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
