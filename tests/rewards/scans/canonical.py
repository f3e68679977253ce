"""Every row of some brands with names in the place of ids: two worlds that went through the same
compare equal, whatever ids were made on the way and in whatever order."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select

from loyalty.db import Database
from migrations.metadata import metadata

Rows = list[tuple[tuple[str, str], ...]]

_BARE_ID = re.compile(r"[0-9a-f]{32}")


class Names:
    """What ids are called, by their 32 hexadecimal digits. One name has one id."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    def give(self, found: UUID | str, name: str) -> None:
        key = found.hex if isinstance(found, UUID) else found
        assert self._ids.setdefault(name, key) == key, f"two rows are called {name!r}"
        self._names[key] = name

    def __getitem__(self, found: UUID) -> str:
        return self._names[found.hex]

    def say(self, value: Any) -> Any:
        """A value with names for the ids in it, also inside texts and JSON."""
        if isinstance(value, UUID):
            return self._names[value.hex]
        if isinstance(value, str):
            whole = self._names.get(value)
            if whole is not None:
                return whole
            return _BARE_ID.sub(lambda bare: self._names.get(bare[0], bare[0]), value)
        if isinstance(value, Mapping):
            return {key: self.say(part) for key, part in sorted(value.items())}
        if isinstance(value, list):
            return [self.say(part) for part in value]
        return value


async def read_rows(db: Database, brand_ids: Sequence[UUID], names: Names) -> dict[str, Rows]:
    """The rows of every table that has a brand, by table. ``names`` knows brands, what was there
    before, and scans; members, accounts, transfers and coupons are named here by what they are."""
    found: dict[str, Sequence[RowMapping]] = {}
    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        for table in metadata.sorted_tables:
            owner = table.c.id if table.name == "brands" else table.c.get("brand_id")
            if owner is None:  # nobody's: the due times of periodic work
                continue
            result = await connection.execute(select(table).where(owner.in_(brand_ids)))
            found[table.name] = result.mappings().all()
    _name_rows(found, names)
    return {table: sorted(_row(table, row, names) for row in rows) for table, rows in found.items()}


_REFERRED = {
    "brands": ("id",),
    "members": ("id",),
    "accounts": ("id",),
    "transfers": ("id",),
    "locked_rewards": ("id",),
    "scan_events": ("id",),
    "coupon_templates": ("id",),
    "coupons": ("id",),
}
"""Tables whose ids others refer to: the id is part of what is compared."""

_COUNTS_WRITES = {("standings", "revision")}
"""Columns that tell how often a row was written, not what became of it."""


def _name_rows(found: Mapping[str, Sequence[RowMapping]], names: Names) -> None:
    for row in found["members"]:
        names.give(row["id"], f"{names[row['identity_id']]} as {row['role']}")
    for row in found["accounts"]:
        names.give(row["id"], f"{row['kind']} {row['asset']} of {names[row['owner_id']]}")
    for row in sorted(found["transfers"], key=lambda row: row["pending_id"] is not None):
        accounts = f"{names[row['debit_account_id']]} to {names[row['credit_account_id']]}"
        if row["pending_id"] is not None:
            accounts = names[row["pending_id"]]
        else:  # a bonus gives the same asset once more
            accounts = f"{accounts} for {names.say(row['campaign_id'])}"
        if row["phase"] == "PENDING":  # a scan may lock several of one asset
            accounts = f"{row['amount']} from {accounts}"
        names.give(row["id"], f"{row['phase']} {accounts} by {names.say(row['cause_id'])}")
    for row in found["standing_changes"]:
        rise = f"rise of {names[row['member_id']]} to {row['to_rank']}"
        names.give(row["id"], f"{rise} by {names.say(row['transfer_id'])}")
    for row in found["standing_changes"]:
        moved = f"{row['from_rank']} to {row['to_rank']} of {names[row['member_id']]}"
        names.give(row["id"], f"move from {moved} by {names.say(row['transfer_id'])}")
    for row in found["coupons"]:
        coupon = f"coupon of {names[row['template_id']]} by {names[row['cause_id']]}"
        names.give(row["id"], coupon)
        names.give(row["code"], f"number of {coupon}")


def _row(table: str, row: RowMapping, names: Names) -> tuple[tuple[str, str], ...]:
    return tuple(
        (column, repr(names.say(value)))
        for column, value in row.items()
        if (table, column) not in _COUNTS_WRITES
        and (column != "id" or column in _REFERRED.get(table, ()))
    )
