"""What there is in the worlds that scans are tried in: batches, people, who stands behind whom."""

from loyalty.actor import MemberRole
from loyalty.codes.models import BatchStatus, CodeKind

CONSUMER, GUIDE, STORE = MemberRole.CONSUMER, MemberRole.GUIDE, MemberRole.STORE
DEALER, SALESPERSON = MemberRole.DEALER, MemberRole.SALESPERSON

BATCHES: tuple[tuple[int, CodeKind, int, BatchStatus], ...] = (
    (1, CodeKind.INNER, 0, BatchStatus.ACTIVE),
    (1, CodeKind.OUTER, 0, BatchStatus.ACTIVE),
    (3, CodeKind.INNER, 1, BatchStatus.ACTIVE),
    (3, CodeKind.OUTER, 1, BatchStatus.ACTIVE),
    (5, CodeKind.INNER, 0, BatchStatus.RETIRED),
    (5, CodeKind.OUTER, 0, BatchStatus.ACTIVE),
    (7, CodeKind.INNER, 1, BatchStatus.PRINTED),
    (7, CodeKind.OUTER, 1, BatchStatus.DRAFT),
    (9, CodeKind.CARD, 1, BatchStatus.ACTIVE),
    (10, CodeKind.PALLET, 1, BatchStatus.ACTIVE),
)
"""(series, kind, product, status); a batch's number is its place, from 1."""

PEOPLE: dict[str, tuple[tuple[MemberRole, ...], tuple[MemberRole, ...], str | None]] = {
    "ann": ((), (), "gus"),
    "bob": ((CONSUMER,), (), None),
    "cat": ((DEALER,), (DEALER,), "gil"),
    "dan": ((), (), "bob"),
    "gus": ((GUIDE,), (GUIDE,), None),
    "gil": ((GUIDE, CONSUMER), (GUIDE,), None),
    "new": ((), (GUIDE, STORE), "gus"),
    "off": ((), (), None),
    "sid": ((STORE,), (STORE,), None),
    "sam": ((SALESPERSON,), (SALESPERSON,), None),
}
"""Per person: roles held already, rosters it is on, and who invited it."""

PLACES = {
    "gus": {STORE: "sid", DEALER: "cat", SALESPERSON: "sam"},
    "gil": {STORE: "new", SALESPERSON: "sam"},
}
"""By guide who stands behind it; ``new`` is on the roster alone, and has no place as a guide."""

LEVELS = {CONSUMER: ((0, 100), (4, 150), (9, 300)), GUIDE: ((0, 100), (3, 133))}
"""(growth threshold, percent) of the levels of each role."""
