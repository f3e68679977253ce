"""One brand and its people, and what the brand's people may do that is no scan."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from tests.model.campaigns import Campaign, Terms
from tests.model.wallets import Ladder, Policy, Wallet, last_good_day

CHANNEL = ("GUIDE", "STORE", "DEALER", "SALESPERSON")


class Refused(Exception):
    """The world stays as it was. ``details`` are those that tell numbers."""

    def __init__(self, code: str, **details: int) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass
class Member:
    """One person in one role; ``name`` is both."""

    person: str
    role: str
    invited_by: str | None = None
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
class Locked:
    """A credit that waits for the consumer's scan."""

    campaign: str
    asset: str
    amount: int


@dataclass
class Item:
    """One bottle: who pre-scanned it, what waits, whether its two rewards are decided, and when
    each of its codes was scanned."""

    guide: str | None = None
    guide_claimed: bool = False
    guide_over_budget: bool = False
    waiting: list[Locked] = field(default_factory=list)
    claimed: bool = False
    scans: dict[str, list[datetime]] = field(default_factory=dict)


class World:
    """``now`` is set by whoever plays. Names are people's; members are "person ROLE"."""

    def __init__(self, zone: str, policies: dict[str, Policy], now: datetime) -> None:
        self.zone = ZoneInfo(zone)
        self.policies = dict(policies)
        self.now = now
        self.lived_on = self.expired = 0
        self.members: dict[str, Member] = {}
        self.rosters: set[tuple[str, str]] = set()
        self.invitations: dict[str, str] = {}
        self.accepted: set[str] = set()
        self.campaigns: dict[str, Campaign] = {}
        self.ladders: dict[str, Ladder] = {}
        self.batches: dict[int, Batch] = {}
        self.items: dict[tuple[int, int], Item] = {}
        self.keys: dict[tuple[str, str], tuple[object, dict[str, object]]] = {}
        self.purchases: dict[str, tuple[object, int]] = {}

    # --- people -------------------------------------------------------------------------------

    def may_act(self, person: str, role: str) -> bool:
        return role not in CHANNEL or (person, role) in self.rosters

    def enrol(self, person: str, role: str) -> Member:
        """The member, made now if need be; a consumer's open invitation is taken up."""
        member = self.members.get(f"{person} {role}")
        if member is None:
            member = Member(person, role)
            if role == "CONSUMER" and person in self.invitations:
                member.invited_by = self.invitations[person]
                self.accepted.add(person)
            self.members[member.name] = member
        return member

    def invite(self, person: str, role: str, guest: str) -> None:
        if not self.may_act(person, role):
            raise Refused("NOT_ON_ROSTER")
        inviter = self.members.get(f"{person} {role}")
        if inviter is not None and inviter.frozen:
            raise Refused("MEMBER_FROZEN")
        if guest == person:
            raise Refused("INVALID_INPUT")
        if guest in self.invitations or f"{guest} CONSUMER" in self.members:
            raise Refused("ALREADY_INVITED")
        self.invitations[guest] = self.enrol(person, role).name

    # --- configuration ------------------------------------------------------------------------

    def publish(self, terms: Terms) -> None:
        campaign = self.campaigns.get(terms.code)
        wanted = dict(terms.budgets)
        if campaign is None:
            budgets = {asset: [allowed, 0, 0] for asset, allowed in wanted.items()}
            self.campaigns[terms.code] = Campaign(terms, budgets)
            return
        if set(wanted) != set(campaign.budgets):
            raise Refused("INVALID_INPUT")
        for asset, allowed in sorted(wanted.items()):  # the first in this order is named
            _, spent, reserved = campaign.budgets[asset]
            if allowed < spent + reserved:
                raise Refused("BUDGET_BELOW_SPENT", committed=spent + reserved)
        for asset, allowed in wanted.items():
            campaign.budgets[asset][0] = allowed
        campaign.terms = terms

    def publish_ladder(self, role: str, ladder: Ladder, allow_lowering: bool) -> None:
        top = len(ladder.levels) - 1
        above = [m for m in self.members.values() if m.role == role and m.rank > top]
        if above and not allow_lowering:
            raise Refused("LADDER_LOWERS_MEMBERS", members=len(above))
        for member in above:
            member.rank = top
        self.ladders[role] = ladder

    def set_status(self, number: int, status: str) -> None:
        """Of the batch and its pair, which share their fate here."""
        order = ("DRAFT", "PRINTED", "ACTIVE", "RETIRED")
        batch = self.batches[number]
        steps = order.index(status) - order.index(batch.status)
        if steps < 0 or (steps > 1 and status != "RETIRED"):
            raise Refused("BATCH_STATE_WRONG")
        for other in self.batches.values():
            if other.series == batch.series:
                other.status = status

    def campaign_for(self, event: str, product: int | None, at: datetime) -> Campaign | None:
        """Open ones; by priority, then the product's own, then by code."""
        found = [
            campaign
            for campaign in self.campaigns.values()
            if campaign.terms.event == event
            and campaign.terms.product in (None, product)
            and campaign.terms.open_at(at)
        ]
        found.sort(key=lambda c: (-c.terms.priority, c.terms.product is None, c.terms.code))
        return found[0] if found else None

    # --- value --------------------------------------------------------------------------------

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def gifts(self, terms: Terms, member: Member, units: int = 1) -> list[tuple[str, int]]:
        """What the terms give a member in its role: points by its tier, rounded down."""
        ladder = self.ladders.get(member.role)
        percent = ladder.percent(member.rank) if ladder else 100
        found = []
        for beneficiary, asset, each in terms.gives:
            amount = each * units
            if asset == "POINTS":
                amount = amount * percent // 100
            if beneficiary == member.role and amount:
                found.append((asset, amount))
        return found

    def credit(self, member: Member, asset: str, amount: int, at: datetime) -> None:
        """New growth lifts at once; what growth there is was maybe moved here."""
        until = self._active(member, asset, at)
        member.wallet.put(asset, amount, until)
        ladder = self.ladders.get(member.role)
        if asset == "GROWTH" and ladder is not None:
            member.rank = max(member.rank, ladder.rank_at(member.wallet.balance(asset)))

    def _active(self, member: Member, asset: str, at: datetime) -> date:
        """Until when what comes at a time is good; and what is there, if it goes by activity."""
        policy = self.policies[asset]
        until = last_good_day(self.day_of(at), policy)
        if policy[0] == "ACTIVE":
            self.lived_on += member.wallet.live_on(asset, self.day_of(self.now), until)
        return until

    def spend(self, name: str, asset: str, amount: int) -> None:
        member, today = self.members[name], self.day_of(self.now)
        available = member.wallet.spendable(asset, today)
        if available < amount:
            raise Refused("INSUFFICIENT_BALANCE", available=available, wanted=amount)
        member.wallet.take(asset, amount, today)
        self._active(member, asset, self.now)

    def sweep(self) -> None:
        """What has gone bad by today goes."""
        today = self.day_of(self.now)
        self.expired += sum(member.wallet.expire(today) for member in self.members.values())

    def move(self, source: str, target: str, asset: str, amount: int) -> None:
        if source == target:
            raise Refused("SAME_ACCOUNT")
        today = self.day_of(self.now)
        giver, taker = self.members[source].wallet, self.members[target].wallet
        available = giver.spendable(asset, today)
        if available < amount:
            raise Refused("INSUFFICIENT_BALANCE", available=available, wanted=amount)
        for day, part in giver.take(asset, amount, today):
            taker.put(asset, part, day)

    def purchase(self, ref: str, person: str, on: date, amount_fen: int) -> tuple[str, int]:
        """(status, points granted): the event's own date counts, all or nothing is given."""
        body = (person, on, amount_fen)
        if ref in self.purchases:
            earlier, points = self.purchases[ref]
            return ("ALREADY_RECORDED", points) if earlier == body else ("CONFLICT", 0)
        member = self.members.get(f"{person} CONSUMER") or self.enrol(person, "CONSUMER")
        at = datetime.combine(on, time(12), self.zone).astimezone(UTC)
        campaign = self.campaign_for("PURCHASE", None, at)
        gifts: list[tuple[str, int]] = []
        if campaign is not None and not member.frozen:
            gifts = self.gifts(campaign.terms, member, amount_fen // 100)
        if campaign is not None and gifts:
            who: dict[str, str | None] = {"MEMBER": member.name}
            if campaign.allows(who, on) and campaign.affords(gifts):
                for asset, amount in gifts:
                    self.credit(member, asset, amount, at)
                    campaign.book(asset, amount, 0)
                campaign.count(who, on)
            else:
                gifts = []
        points = sum(amount for asset, amount in gifts if asset == "POINTS")
        self.purchases[ref] = (body, points)
        return "RECORDED", points
