"""Carries payouts to the provider, and what it says of them back into the books.

The stored request is all that is ever sent. Whatever may have been sent before is asked about
first, and sent again, unchanged, only if the provider does not know its number. An answer that
tells us nothing fails the event; it comes back later, under the same number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from loyalty import outbox
from loyalty.db import Snapshot, Tx
from loyalty.outbox import Leased
from rewards.payouts import service
from rewards.payouts.providers import Paymaster
from rewards.payouts.rules import (
    LIVE,
    Report,
    ReportSource,
    ReportState,
    check_report,
    must_ask_first,
)
from rewards.payouts.service import Heard


class UnknownPayout(Exception):
    """A fact about a payout that the brand does not have."""


class OtherProvider(Exception):
    """A payout that was made for another provider than the one that is set now."""


@dataclass(frozen=True, slots=True)
class PayoutParcel:
    """One stored request, and whether it may have been sent before."""

    key: tuple[UUID, UUID]
    number: str
    amount_fen: int
    request: str
    ask_first: bool
    asks: int


class PayoutCourier:
    """For ``payout.requested`` and ``payout.ask``: the subject is the payout."""

    def __init__(self, paymaster: Paymaster) -> None:
        self._paymaster = paymaster

    async def prepare(
        self, snapshot: Snapshot, events: Sequence[Leased]
    ) -> Mapping[UUID, PayoutParcel]:
        """Nothing for payouts that have ended."""
        keys = {(event.brand_id, event.subject_id) for event in events}
        found = await service.find_payouts(snapshot, keys)
        if len(found) != len(keys):
            raise UnknownPayout
        parcels = {}
        for event in events:
            payout = found[event.brand_id, event.subject_id]
            if payout.status not in LIVE:
                continue
            if payout.provider != self._paymaster.provider.name:
                raise OtherProvider(payout.provider)
            parcels[event.id] = PayoutParcel(
                payout.key,
                payout.number,
                payout.amount_fen,
                payout.request,
                event.topic == service.ASK_TOPIC
                or must_ask_first(payout.status, event.attempts, event.created_at, snapshot.now),
                int(event.payload.get("asks", 0)),
            )
        return parcels

    async def send(self, parcel: PayoutParcel) -> list[Heard]:
        """Ask, and send only what is not known. ReportMismatch when the provider speaks of another
        transfer."""
        heard = []
        if parcel.ask_first:
            report = await self._paymaster.provider.ask(parcel.number)
            heard.append(_checked(parcel, ReportSource.ASK, report))
            if report.state is not ReportState.NOT_FOUND:
                return heard
        report = await self._paymaster.provider.send(parcel.request)
        heard.append(_checked(parcel, ReportSource.SEND, report))
        return heard

    async def record(
        self,
        tx: Tx,
        token: UUID,
        events: Sequence[Leased],
        reports: Mapping[UUID, list[Heard]],
    ) -> None:
        """Mark the events delivered and apply what was heard."""
        await outbox.deliver(tx, token, events)
        heard = [each for event in events for each in reports.get(event.id, ())]
        if heard:
            await service.record_reports(tx, self._paymaster, heard)


def _checked(parcel: PayoutParcel, source: ReportSource, report: Report) -> Heard:
    check_report(report, parcel.number, parcel.amount_fen)
    return Heard(parcel.key, source, report, parcel.asks)
