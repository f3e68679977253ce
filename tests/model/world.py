"""One brand and its people, and what the brand's people may do that is no scan. ``met`` counts
what a run should come across."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.model.campaigns import Campaign, Terms
from tests.model.records import (
    Batch,
    Credit,
    Item,
    Member,
    Purchase,
    ScanRecord,
    Spending,
    Waiting,
)
from tests.model.wallets import Ladder, Policy, last_good_day

CHANNEL = ("GUIDE", "STORE", "DEALER", "SALESPERSON")


class Refused(Exception):
    """The world stays as it was. ``details`` are those worth telling."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


class World:
    """``now`` is set by whoever plays. Names are people's; members are "person ROLE"."""

    def __init__(self, zone: str, policies: dict[str, Policy], now: datetime) -> None:
        self.zone = ZoneInfo(zone)
        self.policies = dict(policies)
        self.now = now
        self.met: Counter[str] = Counter()
        self.members: dict[str, Member] = {}
        self.persons: dict[str, str] = {}
        self.rosters: set[tuple[str, str]] = set()
        self.invitations: dict[str, str] = {}
        self.accepted: set[str] = set()
        self.campaigns: dict[str, Campaign] = {}
        self.ladders: dict[str, Ladder] = {}
        self.batches: dict[int, Batch] = {}
        self.items: dict[tuple[int, int], Item] = {}
        self.keys: dict[tuple[str, str], tuple[object, dict[str, object]]] = {}
        self.purchases: dict[str, Purchase] = {}
        self.returns: dict[str, object] = {}
        self.scans: dict[str, ScanRecord] = {}
        self.credits: list[Credit] = []
        self.waiting: list[Waiting] = []
        self.spendings: list[Spending] = []

    # --- people -------------------------------------------------------------------------------

    def may_act(self, person: str, role: str) -> bool:
        return role not in CHANNEL or (person, role) in self.rosters

    def enrol(self, person: str, role: str) -> Member:
        """The member that a person acts as, made now if need be; a consumer's open invitation is
        taken up."""
        if f"{person} {role}" not in self.members:
            member = Member(person, role)
            if role == "CONSUMER" and person in self.invitations:
                member.invited_by = self.invitations[person]
                self.accepted.add(person)
            self.members[member.name] = member
        return self.holder(f"{person} {role}")

    def holder(self, name: str) -> Member:
        """The member, or the one that has taken its place."""
        member = self.members[name]
        return self.members[member.merged_into] if member.merged_into else member

    def check_open(self, *members: Member) -> None:
        if any(member.merged_into for member in members):
            raise Refused("MEMBER_CLOSED")

    def who(self, person: str) -> str:
        """The same for all that a person has turned out to be."""
        return self.persons.get(person, person)

    def join_persons(self, one: str, other: str) -> None:
        was, now = self.who(one), self.who(other)
        self.persons.update({one: now, other: now})
        self.persons.update({person: now for person, who in self.persons.items() if who == was})

    def freeze(self, name: str, frozen: bool) -> None:
        self.check_open(self.members[name])
        self.members[name].frozen = frozen

    def invite(self, person: str, role: str, guest: str) -> None:
        if not self.may_act(person, role):
            raise Refused("NOT_ON_ROSTER")
        name = f"{person} {role}"
        if name in self.members and self.holder(name).frozen:
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
        is_over = terms.closes_at is not None and terms.closes_at <= self.now
        if is_over or any(allowed < terms.cost(asset) for asset, allowed in wanted.items()):
            raise Refused("INVALID_INPUT")
        if campaign is None:
            if any(terms.cost(asset) == 0 for asset in wanted):
                raise Refused("INVALID_INPUT")
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
        """Who stands above its top is lowered at once; who no longer has the growth for a level
        that drops, by the next growth that moves."""
        top = len(ladder.levels) - 1
        holders = [m for m in self.members.values() if m.role == role]
        above = [m for m in holders if m.rank > top]
        dropping = [
            m
            for m in holders
            if ladder.drops and ladder.rank_at(m.wallet.balance("GROWTH")) < m.rank
        ]
        lowered = {m.name for m in (*above, *dropping)}
        if lowered and not allow_lowering:
            raise Refused("LADDER_LOWERS_MEMBERS", members=len(lowered))
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

    def credit(
        self,
        member: Member,
        campaign: str,
        asset: str,
        amount: int,
        at: datetime,
        cause: str,
        granted_by: str | None = None,
    ) -> None:
        """What is owed is repaid first; new growth lifts at once."""
        until = self._active(member, asset, at)
        self.met["repaid"] += member.wallet.earn(asset, amount, until) > 0
        self.credits.append(
            Credit(member.name, campaign, asset, amount, cause, granted_by or cause, until)
        )
        if asset == "GROWTH":
            self.look(member)

    def give(
        self,
        campaign: Campaign,
        member: Member,
        gifts: list[tuple[str, int]],
        at: datetime,
        cause: str,
    ) -> list[tuple[str, int, bool]]:
        """What is given for an event; and whether it waits."""
        terms, told = campaign.terms, []
        for asset, amount in gifts:
            wait = terms.wait(member.role, asset)
            told.append((asset, amount, wait is not None))
            if wait is None:
                self.credit(member, terms.code, asset, amount, at, cause)
                campaign.book(asset, amount, 0)
            else:
                scans, days = wait
                lapses_at = None if days is None else at + timedelta(days=days)
                waiting = Waiting(member.name, terms.code, asset, amount, cause)
                self.lock(replace(waiting, scans=scans, lapses_at=lapses_at))
        return told

    def lock(self, waiting: Waiting) -> None:
        self.waiting.append(waiting)
        self.members[waiting.member].wallet.locked[waiting.asset] += waiting.amount
        self.campaigns[waiting.campaign].book(waiting.asset, 0, waiting.amount)

    def waiting_for(self, item: Item) -> list[Waiting]:
        return [waiting for waiting in self.waiting if waiting.item is item]

    def scanned(self, member: Member, cause: str) -> None:
        """One more of the scans that some of what a member was granted waits for."""
        for waiting in list(self.waiting):
            over = waiting.lapses_at is not None and waiting.lapses_at <= self.now
            if waiting.member == member.name and waiting.item is None and not over:
                waiting.scans -= 1
                if waiting.scans == 0:
                    self.met["unlocked"] += 1
                    self.unlock(waiting, cause)

    def void(self, waiting: Waiting) -> None:
        """It is given up, and may be given to others."""
        self.waiting.remove(waiting)
        self.members[waiting.member].wallet.locked[waiting.asset] -= waiting.amount
        self.campaigns[waiting.campaign].book(waiting.asset, 0, -waiting.amount)

    def unlock(self, waiting: Waiting, cause: str) -> None:
        """What it waited for has come: its time counts from now."""
        self.void(waiting)
        member, asset, amount = self.members[waiting.member], waiting.asset, waiting.amount
        self.campaigns[waiting.campaign].book(asset, amount, 0)
        code, granted_by = waiting.campaign, waiting.granted_by
        self.credit(member, code, asset, amount, self.now, cause, granted_by)

    def look(self, member: Member) -> None:
        """At the level, after growth has come or gone."""
        ladder = self.ladders.get(member.role)
        if ladder is not None:
            rank = ladder.rank_at(member.wallet.balance("GROWTH"))
            self.met["lowered"] += ladder.drops and rank < member.rank
            member.rank = rank if ladder.drops else max(member.rank, rank)

    def _active(self, member: Member, asset: str, at: datetime) -> date:
        """Until when what comes at a time is good; and what is there, if it goes by activity."""
        policy = self.policies[asset]
        until = last_good_day(self.day_of(at), policy)
        if policy[0] == "ACTIVE":
            self.met["lived on"] += member.wallet.live_on(asset, self.day_of(self.now), until)
        return until

    def spend(self, name: str, asset: str, amount: int) -> None:
        member, today = self.members[name], self.day_of(self.now)
        self.check_open(member)
        available = member.wallet.spendable(asset, today)
        if available < amount:
            raise Refused("INSUFFICIENT_BALANCE", available=available, wanted=amount)
        number = len({spending.number for spending in self.spendings})
        for day, part in member.wallet.take(asset, amount, today):
            self.spendings.append(Spending(number, name, asset, day, part))
        self._active(member, asset, self.now)

    def sweep(self) -> None:
        """What has gone bad by today goes, and what has waited for too long."""
        today = self.day_of(self.now)
        for waiting in list(self.waiting):
            if waiting.lapses_at is not None and waiting.lapses_at <= self.now:
                self.met["lapsed"] += 1
                self.void(waiting)
        self.met["expired"] += sum(member.wallet.expire(today) for member in self.members.values())

    def move(self, source: str, target: str, asset: str, amount: int) -> None:
        if source == target:
            raise Refused("SAME_ACCOUNT")
        today = self.day_of(self.now)
        giver, taker = self.members[source], self.members[target]
        self.check_open(giver, taker)
        available = giver.wallet.spendable(asset, today)
        if available < amount:
            raise Refused("INSUFFICIENT_BALANCE", available=available, wanted=amount)
        for day, part in giver.wallet.take(asset, amount, today):
            taker.wallet.put(asset, part, day)
        if asset == "GROWTH":
            self.look(giver)
            self.look(taker)
