"""Pure: the payout protocol as values, and when a store is paid.

``docs/payouts.md`` has the protocol as a provider sees it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from loyalty.text import is_clean
from rewards.payouts.models import PayoutStatus

ASK_SECONDS_MAX = 3600
FRESH_SECONDS = 60
SIGNATURE_AGE_SECONDS_MAX = 300
REFERENCE_LENGTH_MAX = 100
DETAIL_LENGTH_MAX = 500


class ReportState(StrEnum):
    """What a provider says of a transfer: ACCEPTED or PROCESSING for now, PAID or FAILED for good;
    NOT_FOUND when it does not know the number."""

    ACCEPTED = "ACCEPTED"
    PROCESSING = "PROCESSING"
    PAID = "PAID"
    FAILED = "FAILED"
    NOT_FOUND = "NOT_FOUND"


class ReportSource(StrEnum):
    SEND = "SEND"
    ASK = "ASK"
    CALLBACK = "CALLBACK"


class ReportUnreadable(Exception):
    """An answer that is not of the protocol: what became of the transfer is unknown."""


class ReportMismatch(Exception):
    """A report that names another number or amount than the payout it was to be about."""


@dataclass(frozen=True, slots=True)
class Order:
    """A transfer as a provider is asked for it."""

    number: str
    amount_fen: int
    payee: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider said. ``amount_fen`` is None where it does not know the number."""

    state: ReportState
    number: str
    amount_fen: int | None = None
    reference: str | None = None
    detail: str | None = None

    @property
    def is_final(self) -> bool:
        return self.state in (ReportState.PAID, ReportState.FAILED)


STATUS_BY_STATE = {
    ReportState.ACCEPTED: PayoutStatus.SENT,
    ReportState.PROCESSING: PayoutStatus.PROCESSING,
    ReportState.PAID: PayoutStatus.PAID,
    ReportState.FAILED: PayoutStatus.FAILED,
}
LIVE = frozenset(
    {PayoutStatus.CREATED.value, PayoutStatus.SENT.value, PayoutStatus.PROCESSING.value}
)


def payout_number(payout_id: UUID) -> str:
    """32 letters and digits, as the strictest providers want them: P and the id, without the digit
    that only says which version of a UUID it is."""
    digits = payout_id.hex.upper()
    return f"P{digits[:12]}{digits[13:]}"


def request_text(order: Order) -> str:
    """The body of a transfer, the same text for the same order."""
    return orjson.dumps(
        {
            "number": order.number,
            "amount_fen": order.amount_fen,
            "currency": "CNY",
            "payee": order.payee,
        }
    ).decode()


def order_of(request: str) -> Order:
    """The order in a text of ``request_text``."""
    values = orjson.loads(request)
    return Order(values["number"], values["amount_fen"], values["payee"])


def masked_payee(request: str) -> str:
    """How the payee of a stored request is shown: its last four characters."""
    payee = order_of(request).payee
    return f"****{payee[-4:]}" if len(payee) > 8 else "****"


# --- signatures --------------------------------------------------------------------------------


def signature(secret: bytes, timestamp: int, text: bytes) -> str:
    """HMAC-SHA256 over ``timestamp.text`` in hexadecimal; the text is the body, or the number that
    is asked about."""
    return hmac.digest(secret, f"{timestamp}.".encode() + text, hashlib.sha256).hex()


def is_signed(
    secret: bytes, timestamp: str | None, signed: str | None, text: bytes, now: datetime
) -> bool:
    """Whether the text was signed with our secret and not long ago."""
    if timestamp is None or signed is None or not timestamp.isascii():
        return False
    if not timestamp.isdigit() or len(timestamp) > 11:
        return False
    wanted = signature(secret, int(timestamp), text)
    fits = hmac.compare_digest(wanted.encode(), signed.encode())
    return fits and abs(now.timestamp() - int(timestamp)) <= SIGNATURE_AGE_SECONDS_MAX


# --- reports -----------------------------------------------------------------------------------


def read_report(body: bytes) -> Report:
    """A provider's JSON as a report; ReportUnreadable for anything else."""
    try:
        values: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReportUnreadable("the answer is not JSON") from error
    if not isinstance(values, dict):
        raise ReportUnreadable("the answer is not an object")
    number, amount_fen = values.get("number"), values.get("amount_fen")
    if type(number) is not str:
        raise ReportUnreadable("the answer has no number")
    try:
        state = ReportState(str(values.get("state")))
    except ValueError as error:
        raise ReportUnreadable("the answer has no state of ours") from error
    if state is ReportState.NOT_FOUND:
        return Report(state, number)
    if type(amount_fen) is not int:
        raise ReportUnreadable("the answer has no amount")
    reference = _storable(values.get("reference"), REFERENCE_LENGTH_MAX)
    detail = _storable(values.get("detail"), DETAIL_LENGTH_MAX)
    return Report(state, number, amount_fen, reference, detail)


def _storable(text: Any, length_max: int) -> str | None:
    if type(text) is not str:
        return None
    return "".join(letter if is_clean(letter) else "?" for letter in text[:length_max])


def check_report(report: Report, number: str, amount_fen: int) -> None:
    """ReportMismatch unless the report is of this payout, to the fen."""
    if report.number != number:
        raise ReportMismatch(f"the provider's number is not {number}")
    if report.state is not ReportState.NOT_FOUND and report.amount_fen != amount_fen:
        raise ReportMismatch(f"{number}: {report.amount_fen} fen reported, {amount_fen} asked for")


def strongest(reports: list[Report]) -> Report | None:
    """Of several reports of one payout the one that counts: the first that is final, else the
    furthest on. None when all say NOT_FOUND."""
    for report in reports:
        if report.is_final:
            return report
    known = [report for report in reports if report.state is not ReportState.NOT_FOUND]
    # In the order of the enum: PROCESSING is further on than ACCEPTED.
    return max(known, key=lambda report: list(ReportState).index(report.state), default=None)


# --- when --------------------------------------------------------------------------------------


def ask_delay(first_seconds: float, asks: int) -> timedelta:
    """How long after a report to ask again, ``asks`` asks later: doubling, up to an hour."""
    return timedelta(seconds=min(ASK_SECONDS_MAX, first_seconds * 2 ** min(asks, 12)))


def must_ask_first(status: str, attempts: int, created_at: datetime, now: datetime) -> bool:
    """Whether a request may have been sent before. A first attempt is known by its youth, too:
    attempts count anew when somebody retries a dead letter, which is hours old by then."""
    age_seconds = abs((now - created_at).total_seconds())
    return status != PayoutStatus.CREATED or attempts > 1 or age_seconds > FRESH_SECONDS


@dataclass(frozen=True, slots=True)
class PlaceTerms:
    """When a place is paid. ``failed_at`` and ``failed_request`` are of its latest payout, if
    that failed."""

    brand_id: UUID
    place_id: UUID
    payee: str | None
    threshold_fen: int
    status: str
    has_live: bool
    failed_at: datetime | None
    failed_request: str | None


def payee_due(terms: PlaceTerms, available_fen: int, retry: timedelta, now: datetime) -> str | None:
    """Whom to pay now what a place has, all of it, once that reaches the threshold; None for not
    yet. After a failure the same payee is not tried again before ``retry`` is over."""
    if terms.payee is None or terms.status != "OPEN" or terms.has_live:
        return None
    if available_fen < terms.threshold_fen:
        return None
    if terms.failed_at is not None and terms.failed_request is not None:
        is_other = order_of(terms.failed_request).payee != terms.payee
        if now < terms.failed_at + retry and not is_other:
            return None
    return terms.payee
