"""What ``tests/test_house.py`` checks in one source file: offences as ``path:line: what``."""

import ast
import re
from collections.abc import Callable, Iterator

from tests.house.allowed import (
    CLOCKS,
    COMMITTERS,
    DIALECT_HOMES,
    LONG_FILES,
    LONG_FUNCTIONS,
    SQL_HOMES,
    is_allowed,
)
from tests.house.source import ROOMS, Source

Check = Callable[[Source], Iterator[str]]

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
BANNED_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc"}

_ENDS_TRANSACTION = {"commit", "rollback", "begin", "begin_nested"}
_MAKES_SESSION = {"AsyncSession", "create_engine", "create_async_engine", "sessionmaker"}
_SQL_BUILDERS = {"select", "insert", "update", "delete", "exists", "func", "union_all"}
_SQL_TEXT = re.compile(
    r"\s*(SELECT\s.*\sFROM\s|INSERT\s+INTO\s|UPDATE\s+[\w\"{]+.*\sSET\s|DELETE\s+FROM\s"
    r"|WITH\s+\w+.*\sAS\s*\(|(CREATE|ALTER|DROP)\s+(TABLE|INDEX)\s|PRAGMA\s)",
    re.DOTALL,
)
_DIALECT_NAME = re.compile(r"\b(sqlite3?|postgresql|aiosqlite|asyncpg)\b")
_DIALECT_MODULES = ("sqlite3", "aiosqlite", "asyncpg", "sqlalchemy.dialects")
_NOW = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
_NOW |= {("time", "time"), ("time", "time_ns")}
_IMPURE_MODULES = {
    *("asyncio", "os", "pathlib", "random", "secrets", "socket", "time", "httpx2"),
    *("sqlalchemy", "sqlmodel", "loyalty.db", "loyalty.settings", "loyalty.ids"),
}


def imports_inside_functions(source: Source) -> Iterator[str]:
    for function in source.functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield source.at(node.lineno, f"import inside {function.name}()")


def circles_hidden_by_type_checking(source: Source) -> Iterator[str]:
    for node in source.nodes:
        name = getattr(node, "id", None) or getattr(node, "attr", None)
        if name == "TYPE_CHECKING" or (
            isinstance(node, ast.alias) and node.name == "TYPE_CHECKING"
        ):
            yield source.at(getattr(node, "lineno", 1), "TYPE_CHECKING")


def transactions_ended_elsewhere(source: Source) -> Iterator[str]:
    if is_allowed(source.path, COMMITTERS):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in _ENDS_TRANSACTION:
            yield source.at(node.lineno, f".{node.func.attr}() outside loyalty/db.py")
        if isinstance(node.func, ast.Name) and node.func.id in _MAKES_SESSION:
            yield source.at(node.lineno, f"{node.func.id}() outside loyalty/db.py")


def transactions_begun_in_rooms(source: Source) -> Iterator[str]:
    if not source.is_room:
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("in_transaction", "snapshot"):
            yield source.at(node.lineno, f".{node.attr} belongs to entry points")


def sql_outside_queries(source: Source) -> Iterator[str]:
    if source.name == "queries.py" or is_allowed(source.path, SQL_HOMES):
        return
    for line, module, name in source.imports:
        package = module.partition(".")[0]
        if package in ("sqlmodel", "sqlalchemy") and name in _SQL_BUILDERS:
            yield source.at(line, f"{name} from {module} outside queries.py")
        if (
            module == "sqlalchemy"
            and name == "text"
            and source.name != "models.py"  # models.py: conditions of partial indexes
        ):
            yield source.at(line, "SQL text outside queries.py")
        if module.startswith("loyalty.") and name in ("Statement", "insert_statement"):
            yield source.at(line, f"{name} outside queries.py")
    for line, string in source.strings:
        if _SQL_TEXT.match(string):
            yield source.at(line, "SQL text outside queries.py")


def dialects_outside_db(source: Source) -> Iterator[str]:
    if is_allowed(source.path, DIALECT_HOMES):
        return
    for line, module, _ in source.imports:
        if module.startswith(_DIALECT_MODULES):
            yield source.at(line, f"{module} outside loyalty/db.py")
    for line, string in source.strings:
        if _DIALECT_NAME.search(string):
            yield source.at(line, "a dialect's name outside loyalty/db.py")
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("dialect", "is_sqlite"):
            yield source.at(node.lineno, f".{node.attr} outside loyalty/db.py")


def clocks_elsewhere(source: Source) -> Iterator[str]:
    if is_allowed(source.path, CLOCKS):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        name = getattr(owner, "id", None) or getattr(owner, "attr", None)
        if (name, node.attr) in _NOW:
            yield source.at(node.lineno, f"{name}.{node.attr} outside loyalty/clock.py")
    for line, module, name in source.imports:
        if module == "time" and name in ("time", "time_ns"):
            yield source.at(line, f"time.{name} outside loyalty/clock.py")
        if source.is_room and name == "utc_now":
            yield source.at(line, "a room's time is tx.now, or arrives as a value")


def impure_rules(source: Source) -> Iterator[str]:
    if source.noun is None or source.name != "rules.py":
        return
    for line, module, name in source.imports:
        full = f"{module}.{name}"
        if any(full == m or full.startswith(f"{m}.") for m in _IMPURE_MODULES):
            yield source.at(line, f"rules.py imports {module}")
    for function in source.functions:
        if isinstance(function, ast.AsyncFunctionDef):
            yield source.at(function.lineno, "rules.py has an async function")


def queries_of_another_noun(source: Source) -> Iterator[str]:
    if source.noun is None:
        return
    own = source.noun.replace("/", ".")
    for line, module, name in source.imports:
        full = f"{module}.{name}"
        home, is_queries, _ = full.partition(".queries")
        if is_queries and home != own:
            yield source.at(line, f"{own} reads {home} by its queries, not its service")


def long_functions(source: Source) -> Iterator[str]:
    if is_allowed(source.path, LONG_FUNCTIONS):
        return
    for function in source.functions:
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield source.at(function.lineno, f"{function.name}() has {lines} lines")


def long_files(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX and not is_allowed(source.path, LONG_FILES):
        yield source.at(1, f"{lines} lines")


def banned_names(source: Source) -> Iterator[str]:
    for part in source.path.removesuffix(".py").split("/"):
        if BANNED_WORDS & _words(part):
            yield source.at(1, f"a banned name: {part}")
    for node in source.nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if BANNED_WORDS & _words(node.name):
            yield source.at(node.lineno, f"a banned name: {node.name}")


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])", name)}


def relationships(source: Source) -> Iterator[str]:
    for line, module, name in source.imports:
        if name in ("Relationship", "relationship") and module.startswith(
            ("sqlmodel", "sqlalchemy")
        ):
            yield source.at(line, "an ORM relationship")
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "Relationship":
            yield source.at(node.lineno, "an ORM relationship")


def fifth_rooms(source: Source, documented: str = "") -> Iterator[str]:
    """``documented`` is the text of docs/house.md: a fifth file is named there as `path`."""
    if source.noun is None or source.name in (*ROOMS, "__init__.py"):
        return
    if f"`{source.path}`" not in documented:
        yield source.at(1, "a fifth file without its line in docs/house.md")


ENGINE_CHECKS: tuple[Check, ...] = (
    imports_inside_functions,
    circles_hidden_by_type_checking,
    transactions_ended_elsewhere,
    transactions_begun_in_rooms,
    sql_outside_queries,
    dialects_outside_db,
    clocks_elsewhere,
    impure_rules,
    queries_of_another_noun,
    relationships,
)
EVERYWHERE_CHECKS: tuple[Check, ...] = (
    imports_inside_functions,
    circles_hidden_by_type_checking,
    long_functions,
    long_files,
    banned_names,
)
