"""What a brand's world is made of: people and bottles, and what is remembered of each event."""

from dataclasses import dataclass, field
from datetime import date, datetime

from tests.model.campaigns import Terms
from tests.model.wallets import Wallet


@dataclass
class Member:
    """One person in one role; ``name`` is both. Another member may have taken its place."""

    person: str
    role: str
    invited_by: str | None = None
    merged_into: str | None = None
    frozen: bool = False
    rank: int = 0
    wallet: Wallet = field(default_factory=Wallet)
    devices: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"{self.person} {self.role}"


@dataclass
class Batch:
    series: int
    kind: str
    product: int
    quantity: int
    status: str


@dataclass
class Item:
    """One bottle: who pre-scanned it (and by which scan), whether its two rewards are decided, and
    when each of its codes was scanned."""

    guide: str | None = None
    guide_scan: str | None = None
    guide_claimed: bool = False
    guide_over_budget: bool = False
    claimed: bool = False
    scans: dict[str, list[datetime]] = field(default_factory=dict)


@dataclass(eq=False)
class Waiting:
    """A credit that an event has granted and that waits: for the consumer's scan of a bottle; or
    for so many more ``scans`` of its member that pay, each before ``lapses_at``."""

    member: str
    campaign: str
    asset: str
    amount: int
    granted_by: str
    item: Item | None = None
    scans: int = 1
    lapses_at: datetime | None = None


@dataclass(eq=False)
class Credit:
    """What came to a member: when an event happened, of what it or an earlier one had granted.
    ``good_until`` is the lot that it went into; ``taken`` of it was taken back since, or is owed.
    """

    member: str
    campaign: str
    asset: str
    amount: int
    cause: str
    granted_by: str
    good_until: date
    taken: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.taken


@dataclass
class Spending:
    """What one lot paid when a member spent for the so-manieth time in this world."""

    number: int
    member: str
    asset: str
    day: date
    amount: int
    given_back: int = 0


@dataclass
class ScanRecord:
    """``terms`` are those that it was decided by. ``guide_grants`` are the scans that may have
    granted what the guide got when this one paid it. ``counted``: for whom, and on which day."""

    name: str
    role: str
    unpaid: str | None = None
    terms: Terms | None = None
    guide_grants: tuple[str, ...] = ()
    counted: tuple[str, date] | None = None
    reversed: bool = False


@dataclass
class Line:
    """So many pieces for so many fen, and what of both was given back."""

    pieces: int
    fen: int
    pieces_back: int = 0
    fen_back: int = 0


@dataclass
class Purchase:
    """``terms`` are those that it was rewarded by, if it was. ``lefts`` is how much of it there was
    when something was granted, by what granted it: itself, or a return that left less of it."""

    body: object
    member: str
    on: date
    fen: int
    lines: list[Line]
    points: int
    terms: Terms | None
    lefts: dict[str, int]
    fen_back: int = 0
    over: bool = False
