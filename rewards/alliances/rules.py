"""Pure: what may be done to an agreement, whether it rests, and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rewards.alliances.models import Agreement, AgreementStatus, AgreementVersion
from rewards.alliances.terms import Line, Terms, terms_of

PROPOSED_TOPIC = "agreement.proposed"
SIGNED_TOPIC = "agreement.signed"
PAUSED_TOPIC = "agreement.paused"
RESUMED_TOPIC = "agreement.resumed"
ENDED_TOPIC = "agreement.ended"

REASON_LENGTH_MAX = 500
LIVE_MAX = 200
PAUSED = "PAUSED"


@dataclass(frozen=True, slots=True)
class InForce:
    """A line, and the version of the agreement that it stands in."""

    agreement_id: UUID
    version_id: UUID
    number: int
    terms: Terms
    line: Line


def in_version(version: AgreementVersion, template_id: UUID) -> InForce | None:
    """A template's line in a version; None where that does not name it."""
    terms = terms_of(version.terms)
    line = terms.line_of(template_id)
    if line is None:
        return None
    return InForce(version.agreement_id, version.id, version.number, terms, line)


def state_of(agreement: Agreement) -> str:
    """Its status, or PAUSED while either side has paused it."""
    is_active = agreement.status == AgreementStatus.ACTIVE
    return PAUSED if is_active and is_paused(agreement) else agreement.status


def is_paused(agreement: Agreement) -> bool:
    return agreement.paused_at is not None or agreement.partner_paused_at is not None


def was_paused(pauses: Sequence[Sequence[str | None]], at: datetime) -> bool:
    """Whether an instant is in a pause, its first moment included and its last one not."""
    return any(
        begun is not None
        and datetime.fromisoformat(begun) <= at
        and (ended is None or at < datetime.fromisoformat(ended))
        for begun, ended in pauses
    )


def lines_at(agreement: Agreement, version: AgreementVersion, at: datetime) -> list[InForce]:
    """The lines that count for a coupon issued at an instant at which the version was in force:
    none outside the agreement's days. A pause ends the issuing by partners where they issue; what
    the host itself issued in one is its own affair alone. Pools
    are another matter: ``service.pool_line``."""
    terms = terms_of(version.terms)
    if not terms.covers(at):
        return []
    is_resting = was_paused(agreement.pauses, at)
    return [
        InForce(agreement.id, version.id, version.number, terms, line)
        for line in terms.lines
        if not (is_resting and line.issuer_id == line.host_id)
    ]


def begin_pause(pauses: Sequence[Any], at: datetime) -> list[Any]:
    """With one more that lasts; the same where one lasts already."""
    if pauses and pauses[-1][1] is None:
        return list(pauses)
    return [*pauses, [at.isoformat(), None]]


def end_pause(pauses: Sequence[Any], at: datetime) -> list[Any]:
    if not pauses or pauses[-1][1] is not None:
        return list(pauses)
    return [*pauses[:-1], [pauses[-1][0], at.isoformat()]]
