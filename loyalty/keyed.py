"""Rows of any tenant table by their key: how every noun finds, lists, locks and moves its own."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, inspect, union_all, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import SQLModel, select

from loyalty.db import Snapshot, Tx
from loyalty.errors import NotFound

Row = TypeVar("Row", bound=SQLModel)


def _columns(model: type[SQLModel]) -> Any:
    return inspect(model).local_table.c


async def find_row(snapshot: Snapshot, model: type[Row], brand_id: UUID, id: UUID) -> Row | None:
    """The row as it is now, also when this transaction has read an older one."""
    columns = _columns(model)
    found = await snapshot.session.exec(
        select(model)
        .where(columns.brand_id == brand_id, columns.id == id)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def get_row(snapshot: Snapshot, model: type[Row], brand_id: UUID, id: UUID, noun: str) -> Row:
    """The row as it is now; NotFound, by the noun people know it by, when the brand has none."""
    row = await find_row(snapshot, model, brand_id, id)
    if row is None:
        raise NotFound(noun=noun)
    return row


async def lock_row(
    tx: Tx, model: type[Row], brand_id: UUID, id: UUID, *, key_share: bool = False
) -> Row | None:
    """The row as it is now, and nobody else changes it until this transaction ends; with
    ``key_share`` others may refer to it meanwhile."""
    columns = _columns(model)
    found = await tx.session.exec(
        select(model)
        .where(columns.brand_id == brand_id, columns.id == id)
        .with_for_update(key_share=key_share)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def write_row(tx: Tx, row: SQLModel, **changes: Any) -> None:
    """Change a row that is locked, or that what is locked stands for; the value in hand changes
    with it."""
    columns, held = _columns(type(row)), cast(Any, row)
    await tx.session.exec(
        update(type(row))
        .where(columns.brand_id == held.brand_id, columns.id == held.id)
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
    for name, value in changes.items():
        set_committed_value(row, name, value)


async def list_rows_by_ids(
    snapshot: Snapshot, model: type[Row], brand_id: UUID, ids: Sequence[UUID]
) -> list[Row]:
    """For loaders: those that exist, in no order."""
    columns = _columns(model)
    found = await snapshot.session.exec(
        select(model).where(columns.brand_id == brand_id, columns.id.in_(ids))
    )
    return list(found)


async def list_newest(
    snapshot: Snapshot,
    model: type[Row],
    brand_id: UUID,
    *conditions: ColumnElement[bool],
    before: UUID | None,
    limit: int,
) -> list[Row]:
    """A page by keyset, newest first: those older than the id ``before``."""
    columns = _columns(model)
    query = select(model).where(columns.brand_id == brand_id, *conditions)
    if before is not None:
        query = query.where(columns.id < before)
    return list(await snapshot.session.exec(query.order_by(columns.id.desc()).limit(limit)))


async def list_newest_of_each(
    snapshot: Snapshot,
    model: type[Row],
    brand_id: UUID,
    parent: str,
    parent_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[Row]:
    """A page of each of many parents, for loaders: the newest rows that name one of them in the
    column ``parent``, up to ``limit`` each, older than the id ``before``, newest first."""
    columns = _columns(model)
    turn = func.row_number().over(partition_by=columns[parent], order_by=columns.id.desc())
    ranked = select(columns.id, turn.label("turn")).where(
        columns.brand_id == brand_id, columns[parent].in_(parent_ids)
    )
    if before is not None:
        ranked = ranked.where(columns.id < before)
    newest = ranked.subquery()
    found = await snapshot.session.exec(
        select(model)
        .join(newest, newest.c.id == columns.id)
        .where(columns.brand_id == brand_id, newest.c.turn <= limit)
        .order_by(columns.id.desc())
    )
    return list(found)


async def list_newest_of_few(
    snapshot: Snapshot,
    model: type[Row],
    brand_id: UUID,
    parent: str,
    parent_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[Row]:
    """``list_newest_of_each`` for parents that may have rows by the million: it reads no more of
    them than a page each, by an index on the parent and the id."""
    if not parent_ids:
        return []
    columns = _columns(model)
    pages = []
    for parent_id in parent_ids:
        page = select(columns.id).where(columns.brand_id == brand_id, columns[parent] == parent_id)
        if before is not None:
            page = page.where(columns.id < before)
        of_one = page.order_by(columns.id.desc()).limit(limit).subquery()
        pages.append(select(of_one.c.id))
    found = await snapshot.session.exec(
        select(model)
        .where(columns.brand_id == brand_id, columns.id.in_(union_all(*pages)))
        .order_by(columns.id.desc())
    )
    return list(found)


async def set_status(tx: Tx, model: type[SQLModel], brand_id: UUID, id: UUID, status: str) -> bool:
    """False when the row has this status already, or is not there."""
    columns = _columns(model)
    changed = await tx.session.exec(
        update(model)
        .where(columns.brand_id == brand_id, columns.id == id, columns.status != status)
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1
