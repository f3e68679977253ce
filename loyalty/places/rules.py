"""What a place, a till and a clerk may be called, and when they may redeem."""

from dataclasses import dataclass

from loyalty.places.models import Clerk, Place, Till

OPEN = "OPEN"
CLOSED = "CLOSED"
ACTIVE = "ACTIVE"
REVOKED = "REVOKED"
LEFT = "LEFT"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a clerk stands: the place, the till and the clerk, as they were when read."""

    place: Place
    till: Till
    clerk: Clerk


def is_in_service(desk: Desk) -> bool:
    """An open place, and a till and a clerk of that very place that are both active."""
    return (
        desk.place.status == OPEN
        and desk.till.status == ACTIVE
        and desk.clerk.status == ACTIVE
        and desk.place.id == desk.till.place_id == desk.clerk.place_id
    )
