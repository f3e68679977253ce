"""Named exceptions to the house rules, each with its reason."""

TABLES_WITHOUT_BRAND = {
    "periodic_jobs": "looks after every brand",
    "brands": "the tenant itself",
}

SQL_HOMES = {
    "loyalty/db.py": "opens transactions",
    "loyalty/transactions.py": "writes single rows",
    "loyalty/statements.py": "one SQL text for both databases: makes them",
    "loyalty/gathering.py": "hands statements on, writes none of its own",
    "loyalty/readers.py": "runs statements on each driver, writes none of its own",
    "loyalty/outbox.py": "kernel file: its own table, no room of its own",
    "loyalty/periodic.py": "kernel file: its own table, no room of its own",
    "loyalty/keyed.py": "kernel file: rows of any noun by their key",
    "loyalty/idempotency.py": "kernel file: its own table, no room of its own",
    "loyalty/ledger/book_queries.py": "as queries.py, which would be too long",
    "loyalty/ledger/expiry_queries.py": "as queries.py, which would be too long",
    "loyalty/ledger/history_queries.py": "as queries.py, which would be too long",
    "tiers/standings/rewinding_queries.py": "as queries.py, which would be too long",
    "loyalty/ledger/audit": "reads the books by its own SQL, sharing nothing with the writers",
    "migrations/": "the schema",
}

DIALECT_HOMES = {
    "loyalty/db.py": "engines of each dialect, how transactions begin",
    "loyalty/transactions.py": "beside db.py: statements and locks in each dialect",
    "loyalty/statements.py": "renders one SQL text for each database",
    "loyalty/readers.py": "beside db.py: talks to each driver",
    "loyalty/settings.py": "says which addresses are accepted, and where secrets come from",
    "migrations/": "DDL differs",
}

COMMITTERS = {
    "loyalty/db.py": "in_transaction",
    "loyalty/transactions.py": "makes the session, inside what db.py begins and ends",
    "migrations/": "alembic's one transaction around all revisions",
}

CLOCKS = {
    "loyalty/clock.py": "the only now()",
}

LONG_FILES = {
    "loyalty/errors.py": "every refusal in one place: a list, three lines each",
    "migrations/versions/": "a revision is written once from the models and read as a list",
}

LONG_FUNCTIONS = {
    "migrations/versions/": "a revision is one list of operations",
}


def is_allowed(path: str, allowed: dict[str, str]) -> bool:
    """Whether a path is named in a list, itself or by the start of its name."""
    return any(path.startswith(prefix) for prefix in allowed)
