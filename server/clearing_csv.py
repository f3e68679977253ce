"""One side's copy of a statement between two brands as CSV (对账单), in pieces.

Its entries are a partner's words in part: notes, names of places and tills. No field is a formula.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from graphql_schema.context import Language
from graphql_schema.pagination import encode_id
from loyalty import keyed
from loyalty.db import Database, StatementMismatch
from rewards.clearing.models import ClearingEntry, ClearingStatement
from rewards.clearing.queries import list_entries_of_statement
from server.statement_csv import CLOSING, OPENING, PAGE_ROWS, BrandCalendar, csv_head, csv_lines

COLUMNS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        *("id", "kind", "occurred_at", "template", "coupon_id", "redemption_id", "place", "till"),
        *("amount_yuan", "amount_fen", "note"),
    ),
    "zh-CN": (
        *("编号", "类别", "时间", "券模板", "券编号", "核销编号", "网点", "收银台"),
        *("金额(元)", "金额(分)", "备注"),
    ),
}
KINDS_ZH: Mapping[str, str] = {
    OPENING: "期初",
    "REDEMPTION": "核销",
    "REVERSAL": "撤销核销",
    "FEE": "服务费",
    "PAYMENT": "收付款",
    "ADJUSTMENT": "调整",
    "NETTING": "轧差",
    CLOSING: "期末",
}


async def clearing_statement(
    database: Database,
    calendar: BrandCalendar,
    statement: ClearingStatement,
    codes: Mapping[UUID, str],
    language: Language,
) -> AsyncIterator[bytes]:
    """What it opens at, its entries, oldest first, and what it closes at. ``codes`` are those of
    templates, by id; times are in the calendar's zone. Amounts are what the brand owes; below zero
    it is owed. StatementMismatch, and no end of the file, where they do not add up."""
    brand_id, id = statement.brand_id, statement.id
    yield csv_head(COLUMNS[language])
    opening = [_standing(OPENING, statement.starts_at, statement.opening_fen, language)]
    yield csv_lines(calendar, opening)
    sum_fen, after = statement.opening_fen, None
    while True:
        # What both put right meanwhile is in the last page, and in what it closes at by then.
        async with database.snapshot() as snapshot:
            entries = await list_entries_of_statement(
                snapshot, brand_id, id, after=after, limit=PAGE_ROWS
            )
            is_last = len(entries) < PAGE_ROWS
            if is_last:
                statement = await keyed.get_row(
                    snapshot, ClearingStatement, brand_id, id, "clearing statement"
                )
        sum_fen += sum(entry.owed_fen for entry in entries)
        yield csv_lines(calendar, _rows(entries, codes, language))
        if is_last:
            break
        after = entries[-1].id
    if sum_fen != statement.closing_fen:
        raise StatementMismatch("a statement's entries do not come to what it closes at")
    yield csv_lines(
        calendar, [_standing(CLOSING, statement.ends_at, statement.closing_fen, language)]
    )


def _rows(
    entries: Iterable[ClearingEntry], codes: Mapping[UUID, str], language: Language
) -> Iterable[list[Any]]:
    for entry in entries:
        code = None if entry.template_id is None else codes.get(entry.template_id)
        yield [
            encode_id("ClearingEntry", entry.id),
            *(_said(entry.kind, language), entry.occurred_at, code),
            None if entry.coupon_id is None else encode_id("Coupon", entry.coupon_id),
            None if entry.redemption_id is None else encode_id("Redemption", entry.redemption_id),
            *(entry.place_name, entry.till_name, *_amount(entry.owed_fen), entry.note),
        ]


def _standing(what: str, at: Any, fen: int, language: Language) -> list[Any]:
    return [None, _said(what, language), at, *[None] * 5, *_amount(fen), None]


def _amount(fen: int) -> tuple[Decimal, int]:
    """In yuan, to the fen, and in fen: numbers, whose sign is not the beginning of a formula."""
    return Decimal(fen).scaleb(-2), fen


def _said(kind: str, language: Language) -> str:
    return KINDS_ZH[kind] if language == "zh-CN" else kind
