"""The verbs of payouts: post rebates, make payouts of what has come together, and apply what the
provider reports of them.

Whoever makes or ends a payout of a place holds its account's lock: accounts in the order of their
places first, payouts after. A payout ends by one guarded update; only who made it moves money.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from loyalty import outbox
from loyalty.actor import SYSTEM_ID, ActorKind
from loyalty.db import RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.outbox import Fact
from rewards.payouts import queries
from rewards.payouts.providers import Paymaster
from rewards.payouts.queries import PayoutView, find_payout, find_payouts
from rewards.payouts.rules import (
    STATUS_BY_STATE,
    Order,
    PlaceTerms,
    Report,
    ReportSource,
    ReportState,
    ask_delay,
    check_report,
    payee_due,
    payout_number,
    strongest,
)

log = structlog.get_logger("payouts")

REQUESTED_TOPIC = "payout.requested"
ASK_TOPIC = "payout.ask"
DUE_TOPIC = "payout.due"
PAID_TOPIC = "payout.paid"
FAILED_TOPIC = "payout.failed"

__all__ = [
    "ASK_TOPIC",
    "DUE_TOPIC",
    "REQUESTED_TOPIC",
    "Heard",
    "PayoutUnknown",
    "Rebate",
    "find_payout",
    "find_payouts",
    "open_due_payouts",
    "post_rebates",
    "record_callback",
    "record_reports",
]

PlaceKey = tuple[UUID, UUID]
Accounts = Mapping[PlaceKey, AccountState]


class PayoutUnknown(Exception):
    """A report of a number that no brand has asked this provider for."""


@dataclass(frozen=True, slots=True)
class Rebate:
    """What a captured redemption credits its place with: the pending transfer to be posted."""

    brand_id: UUID
    place_id: UUID
    redemption_id: UUID
    transfer_id: UUID
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A report of a payout, by (brand_id, payout_id), and how it came; ``asks`` is how often the
    payout was asked about before."""

    key: tuple[UUID, UUID]
    source: ReportSource
    report: Report
    asks: int = 0


# --- rebates -----------------------------------------------------------------------------------


async def post_rebates(tx: Tx, paymaster: Paymaster, rebates: Sequence[Rebate]) -> None:
    """Post pending rebates and make the payouts that they bring about. The caller has locked the
    redemptions and knows that these are pending."""
    places = {(rebate.brand_id, rebate.place_id) for rebate in rebates}
    accounts = await ledger.lock_place_accounts(tx, places)
    issuance = await ledger.issuance_accounts(tx, {brand_id for brand_id, _ in places})
    book = Book(new_id)
    for rebate in rebates:
        brand_id = rebate.brand_id
        book.settle(
            issuance[brand_id, brand_id, Asset.CASH.value],
            accounts[brand_id, rebate.place_id],
            rebate.amount_fen,
            "REBATE",
            _cause(tx, "REDEMPTION", rebate.redemption_id, "settlement"),
            pending_id=rebate.transfer_id,
            post=True,
        )
    facts = await _make_payouts(tx, paymaster, book, accounts)
    await _write(tx, book, facts)


async def open_due_payouts(tx: Tx, paymaster: Paymaster, places: Iterable[PlaceKey]) -> None:
    """Make the payouts of places that have enough and none under way."""
    accounts = await ledger.lock_place_accounts(tx, places)
    book = Book(new_id)
    facts = await _make_payouts(tx, paymaster, book, accounts)
    await _write(tx, book, facts)


async def _make_payouts(tx: Tx, paymaster: Paymaster, book: Book, accounts: Accounts) -> list[Fact]:
    """Into the book and the table, for those of the locked places that are to be paid now."""
    due = []
    for row in await tx.fetch(queries.FIND_TERMS, places=sorted(accounts)):
        terms = PlaceTerms(*row)
        account = accounts[terms.brand_id, terms.place_id]
        payee = payee_due(terms, account.balance - account.held, paymaster.retry, tx.now)
        if payee is not None:
            due.append((account, payee))
    if not due:
        return []
    leaving = await ledger.payout_accounts(tx, {account.brand_id for account, _ in due})
    provider = paymaster.provider
    rows: list[tuple[Any, ...]] = []
    facts = []
    for account, payee in due:
        brand_id, payout_id = account.brand_id, new_id()
        order = Order(payout_number(payout_id), account.balance - account.held, payee)
        cause = _cause(tx, "PAYOUT", payout_id, "payout")
        pending = book.pend(account, leaving[brand_id], order.amount_fen, "PAYOUT", cause)
        rows.append(
            (
                *(brand_id, payout_id, account.owner_id, order.number, order.amount_fen),
                *(pending.id, provider.name, provider.build(order), tx.now),
            )
        )
        facts.append(Fact(brand_id, REQUESTED_TOPIC, payout_id, {}, tx.now))
    if len(await tx.fetch(queries.INSERT_PAYOUTS, rows=rows)) != len(rows):
        raise RetryTransaction  # another payout of a place has come to life
    return facts


def _cause(tx: Tx, kind: str, id: UUID, reason: str) -> Cause:
    return Cause(kind, id, ActorKind.SYSTEM.value, SYSTEM_ID, reason, tx.now)


async def _write(tx: Tx, book: Book, facts: Sequence[Fact]) -> None:
    await ledger.write_members_side(tx, book)
    await outbox.emit(tx, facts)
    await ledger.write_brands_side(tx, book)


# --- reports -----------------------------------------------------------------------------------


async def record_callback(tx: Tx, paymaster: Paymaster, report: Report) -> None:
    """Apply what a provider tells us unasked. PayoutUnknown or ReportMismatch for what is not one
    of our payouts; a report that comes again, or late, is recorded and changes nothing."""
    payout = await queries.find_by_number(tx, report.number, paymaster.provider.name)
    if payout is None:
        raise PayoutUnknown(report.number)
    await record_reports(tx, paymaster, [Heard(payout.key, ReportSource.CALLBACK, report)])


async def record_reports(tx: Tx, paymaster: Paymaster, heard: Sequence[Heard]) -> None:
    """Record reports and apply them: PAID posts what is held for a payout, FAILED voids it, and
    either makes room for the next; what is not final is asked about later. Final states stay.

    ReportMismatch when a report is not of its payout.
    """
    payouts = await find_payouts(tx, {each.key for each in heard})
    said: dict[tuple[UUID, UUID], list[Report]] = {}
    for each in heard:
        payout = payouts[each.key]
        check_report(each.report, payout.number, payout.amount_fen)
        said.setdefault(each.key, []).append(each.report)
    news = {key: report for key in said if (report := strongest(said[key])) is not None}
    ending = [payouts[key] for key, report in news.items() if report.is_final]
    accounts: Accounts = {}
    if ending:
        accounts = await ledger.lock_place_accounts(tx, {payout.place_key for payout in ending})
    moved = await _move_payouts(tx, news)
    await tx.fetch(queries.INSERT_REPORTS, rows=[_report_row(tx, each) for each in heard])
    await _tell_contradictions(tx, news, {p.key for p in ending if p.id not in moved})
    facts = _asks(tx, paymaster, heard, news)
    if not ending:
        await outbox.emit(tx, facts)
        return
    book = Book(new_id)
    ended = [payout for payout in ending if payout.id in moved]
    facts += await _end_payouts(tx, paymaster, book, accounts, ended, news)
    facts += await _make_payouts(tx, paymaster, book, accounts)
    await _write(tx, book, facts)


async def _move_payouts(tx: Tx, news: Mapping[tuple[UUID, UUID], Report]) -> set[UUID]:
    rows = [
        (*key, STATUS_BY_STATE[report.state].value, report.reference, report.detail)
        for key, report in sorted(news.items(), key=lambda item: item[0])
    ]
    if not rows:
        return set()
    return {row[0] for row in await tx.fetch(queries.MOVE_PAYOUTS, moved=rows, now=tx.now)}


def _report_row(tx: Tx, heard: Heard) -> tuple[Any, ...]:
    report = heard.report
    return (
        *(heard.key[0], new_id(), heard.key[1], heard.source.value),
        *(report.state.value, report.detail, tx.now),
    )


async def _tell_contradictions(
    tx: Tx, news: Mapping[tuple[UUID, UUID], Report], late: set[tuple[UUID, UUID]]
) -> None:
    """PAID after FAILED may be money that left twice: for people to look into."""
    found = await find_payouts(tx, late) if late else {}
    for key, payout in found.items():
        reported = STATUS_BY_STATE[news[key].state].value
        if payout.status != reported:
            log.error(
                "payout_contradicted",
                payout_id=str(payout.id),
                status=payout.status,
                reported=reported,
            )


def _asks(
    tx: Tx,
    paymaster: Paymaster,
    heard: Sequence[Heard],
    news: Mapping[tuple[UUID, UUID], Report],
) -> list[Fact]:
    """One later ask for each payout that is still under way. A callback needs none: whatever was
    sent has its ask already."""
    asks = {
        each.key: each.asks
        for each in heard
        if each.source is not ReportSource.CALLBACK
        and each.key in news
        and not news[each.key].is_final
    }
    return [
        Fact(
            key[0],
            ASK_TOPIC,
            key[1],
            {"asks": count + 1},
            tx.now,
            tx.now + ask_delay(paymaster.ask_seconds, count),
        )
        for key, count in asks.items()
    ]


async def _end_payouts(
    tx: Tx,
    paymaster: Paymaster,
    book: Book,
    accounts: Accounts,
    ended: Sequence[PayoutView],
    news: Mapping[tuple[UUID, UUID], Report],
) -> list[Fact]:
    """Post or void what was held for payouts that have just ended, into the book. A place whose
    payout failed is looked at again when it may be tried again."""
    if not ended:
        return []
    leaving = await ledger.payout_accounts(tx, {payout.brand_id for payout in ended})
    facts = []
    for payout in ended:
        paid = news[payout.key].state is ReportState.PAID
        book.settle(
            accounts[payout.place_key],
            leaving[payout.brand_id],
            payout.amount_fen,
            "PAYOUT",
            _cause(tx, "PAYOUT", payout.id, "payout"),
            pending_id=payout.transfer_id,
            post=paid,
        )
        told = {"place_id": payout.place_id.hex, "amount_fen": payout.amount_fen}
        topic = PAID_TOPIC if paid else FAILED_TOPIC
        facts.append(Fact(payout.brand_id, topic, payout.id, told, tx.now))
        if not paid:
            log.warning("payout_failed", payout_id=str(payout.id))
            again_at = tx.now + timedelta(seconds=paymaster.retry_seconds)
            facts.append(Fact(payout.brand_id, DUE_TOPIC, payout.place_id, {}, tx.now, again_at))
    return facts
