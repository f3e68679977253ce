"""``POST /callbacks/payouts``: what a payout provider tells us unasked. At least once, in any
order, by anybody who finds the address: nothing is read of a body that is not signed."""

import asyncio

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from loyalty.clock import utc_now
from loyalty.db import Database, is_unavailable
from loyalty.settings import Settings
from rewards.payouts.providers import SIGNATURE_HEADER, TIMESTAMP_HEADER, Paymaster
from rewards.payouts.rules import (
    ReportMismatch,
    ReportState,
    ReportUnreadable,
    is_signed,
    read_report,
)
from rewards.payouts.service import PayoutUnknown, record_callback

PATH = "/callbacks/payouts"
BODY_BYTES_MAX = 16 * 1024
BODY_SECONDS_MAX = 10

log = structlog.get_logger("payout_callbacks")


class TooLarge(Exception):
    """A body beyond any report's size; what is left of it stays unread."""


def payout_callback_routes(
    settings: Settings, database: Database, paymaster: Paymaster
) -> list[Route]:
    """The route, where a provider is set that may call."""
    if settings.payout_provider == "null" or settings.payout_secret is None:
        return []
    secret = settings.payout_secret.get_secret_value().encode()
    return [payout_callback_route(database, paymaster, secret)]


def payout_callback_route(database: Database, paymaster: Paymaster, secret: bytes) -> Route:
    """The route of the provider that shares this secret.

    200 once it is recorded, also when it changes nothing; 401 unsigned or more than five minutes
    off; 404 no payout of this number; 409 another amount than ours; 400, 408, 413 no report.
    """

    async def receive(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                body = await _body(request)
        except TooLarge:
            return _answer(413, "too large", close=True)
        except TimeoutError:
            return _answer(408, "too slow", close=True)
        except ClientDisconnect:
            return _answer(400, "disconnected", close=True)
        timestamp = request.headers.get(TIMESTAMP_HEADER)
        signed = request.headers.get(SIGNATURE_HEADER)
        if not is_signed(secret, timestamp, signed, body, utc_now()):
            return _answer(401, "not signed, or long ago")
        try:
            report = read_report(body)
            if report.state is ReportState.NOT_FOUND:
                raise ReportUnreadable("NOT_FOUND answers questions")
            await database.in_transaction(record_callback, paymaster, report)
        except ReportUnreadable as error:
            return _answer(400, str(error))
        except PayoutUnknown:
            return _answer(404, "no such payout")
        except ReportMismatch as error:
            log.error("payout_mismatch", number=report.number, problem=str(error))
            return _answer(409, "another amount than ours")
        except Exception as error:
            if not is_unavailable(error):
                raise
            return _answer(503, "try again")
        return _answer(200, "recorded")

    return Route(PATH, receive, methods=["POST"])


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > BODY_BYTES_MAX:
        raise TooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _answer(status: int, said: str, *, close: bool = False) -> Response:
    headers = {"connection": "close"} if close else None
    return JSONResponse({"status": said}, status_code=status, headers=headers)
