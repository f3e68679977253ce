"""Code that breaks the house rules, for each rule: proof that it bites; and code that does not."""

from tests.house import checks
from tests.house.checks import Check
from tests.house.source import Source

SERVICE = "loyalty/members/service.py"
RULES = "loyalty/members/rules.py"

BAD: tuple[tuple[Check, str, str], ...] = (
    (checks.imports_inside_functions, SERVICE, "def f():\n    import json"),
    (checks.imports_inside_functions, SERVICE, "async def f():\n    from loyalty import db"),
    (checks.circles_hidden_by_type_checking, SERVICE, "from typing import TYPE_CHECKING"),
    (checks.circles_hidden_by_type_checking, SERVICE, "import typing\nif typing.TYPE_CHECKING: x"),
    (checks.transactions_ended_elsewhere, SERVICE, "async def f(tx): await tx.session.commit()"),
    (checks.transactions_ended_elsewhere, "server/asgi.py", "engine.begin()"),
    (checks.transactions_ended_elsewhere, "workers/relay.py", "AsyncSession(engine)"),
    (checks.transactions_begun_in_rooms, SERVICE, "async def f(db): await db.in_transaction(g)"),
    (checks.transactions_begun_in_rooms, "analytics/queries.py", "async with db.snapshot(): x"),
    (checks.sql_outside_queries, SERVICE, "from sqlmodel import col, select"),
    (checks.sql_outside_queries, "server/asgi.py", "from sqlalchemy import text"),
    (checks.sql_outside_queries, SERVICE, "from loyalty.statements import Statement"),
    (checks.sql_outside_queries, RULES, 'X = "SELECT id FROM members"'),
    (checks.sql_outside_queries, SERVICE, "X = f'''\n  UPDATE {table} AS t SET a = 1'''"),
    (checks.dialects_outside_db, SERVICE, 'if tx.dialect == "x": pass'),
    (checks.dialects_outside_db, SERVICE, 'X = "postgresql+asyncpg"'),
    (checks.dialects_outside_db, "server/cli.py", "if settings.is_sqlite: pass"),
    (checks.dialects_outside_db, SERVICE, "from sqlalchemy.dialects import sqlite"),
    (checks.clocks_elsewhere, "loyalty/db.py", "datetime.now(UTC)"),
    (checks.clocks_elsewhere, SERVICE, "import datetime\ndatetime.datetime.utcnow()"),
    (checks.clocks_elsewhere, "server/asgi.py", "import time\ntime.time()"),
    (checks.clocks_elsewhere, SERVICE, "from time import time"),
    (checks.clocks_elsewhere, SERVICE, "date.today()"),
    (checks.clocks_elsewhere, SERVICE, "from loyalty.clock import utc_now"),
    (checks.impure_rules, RULES, "from sqlmodel import Session"),
    (checks.impure_rules, RULES, "from loyalty.db import Tx"),
    (checks.impure_rules, RULES, "from loyalty import db"),
    (checks.impure_rules, RULES, "async def decide(): pass"),
    (checks.queries_of_another_noun, SERVICE, "from loyalty.codes import queries"),
    (checks.queries_of_another_noun, SERVICE, "from loyalty.codes.queries import get_batch"),
    (checks.long_functions, "tests/test_x.py", "def f():\n" + "    x = 1\n" * 60),
    (checks.long_files, "tests/test_x.py", "x = 1\n" * 401),
    (checks.banned_names, "loyalty/utils.py", ""),
    (checks.banned_names, "rewards/common/models.py", ""),
    (checks.banned_names, SERVICE, "class MemberManager: pass"),
    (checks.banned_names, SERVICE, "def base_of(x): pass"),
    (checks.relationships, "loyalty/members/models.py", "from sqlmodel import Relationship"),
    (checks.relationships, "loyalty/members/models.py", "x = sqlmodel.Relationship()"),
    (checks.fifth_rooms, "loyalty/members/lookups.py", ""),
    (checks.fifth_rooms, "analytics/charts.py", ""),
)

GOOD: tuple[Source, ...] = (
    Source(
        SERVICE,
        '"""Works on sqlite and postgresql; SELECT x FROM y is for queries."""\n'
        "from loyalty.clock import local_date\n"
        "from loyalty.members import queries\n"
        "async def enrol(tx): return await queries.find_member(tx, tx.now)\n",
    ),
    Source("loyalty/members/queries.py", "from sqlmodel import col, select\nX = 'DELETE FROM y'"),
    Source(
        "loyalty/members/models.py",
        "from sqlalchemy import Index, text\nIndex('i', sqlite_where=text('a IS NULL'))",
    ),
    Source("workers/relay.py", "async def f(db): await db.in_transaction(g)"),
    Source("loyalty/database_shape.py", "def rebase(): pass\nclass Commonality: pass"),
    Source(RULES, "def decide(a: int) -> int:\n" + "    a += 1\n" * 58 + "    return a\n"),
)
