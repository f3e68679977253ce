"""The state machine: what people, operators and time do to a brand, in any order."""

import asyncio
from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from loyalty.errors import Refusal
from rewards.scans.world import ScanReply
from tests.machine.comparing import reply_of
from tests.machine.configuring import ConfiguringMachine
from tests.machine.plans import (
    QUANTITY,
    anybody,
    devices,
    picks,
    purchases,
    roles,
    sales,
    scans,
    steps,
)
from tests.model.scanning import Scan, scan
from tests.model.shopping import Pieces, purchase
from tests.model.wallets import ASSETS
from tests.model.world import Refused


class BrandMachine(ConfiguringMachine):
    """One brand, from its founding on. Scans go the way they go in a server."""

    def __init__(self) -> None:
        super().__init__()
        self.scans: list[Scan] = []
        self.bought: list[tuple[str, str, date, int, Pieces]] = []

    def _member(self, pick: int, role: str = "") -> str:
        """Some member, of this role if there is one."""
        names = sorted(self.world.members)
        names = [name for name in names if name.endswith(role)] or names
        return names[pick % len(names)]

    @precondition(lambda self: self.world.members)
    @rule(pick=picks, frozen=st.booleans(), guide=st.booleans())
    def freezes(self, pick: int, frozen: bool, guide: bool) -> None:
        self._freeze(self._member(pick, "GUIDE" if guide else ""), frozen)

    def _freeze(self, name: str, frozen: bool) -> None:
        self._both(
            f"{name} frozen: {frozen}",
            lambda: self.engine.freeze(name, frozen),
            lambda: self.world.freeze(name, frozen),
        )

    @rule(step=steps, swept=st.booleans())
    def waits(self, step: timedelta, swept: bool = False) -> None:
        """Maybe what has expired is swept at the end of it."""
        self.world.now += step
        self.stage.clock.set(self.world.now)
        if swept:
            self._both("a sweep", self.engine.sweep, self.world.sweep)

    # --- value --------------------------------------------------------------------------------

    def _scan(self, *wanted: Scan) -> None:
        """Scans sent at once, answered in their order."""

        async def send() -> list[ScanReply | Refusal]:
            sent = [self.engine.scan(s.person, s.role, s.code, s.device, s.key) for s in wanted]
            return list(await asyncio.gather(*sent))

        answers = self._wait_for(send())
        for one, answer in zip(wanted, answers, strict=True):
            expected: object
            try:
                expected = scan(self.world, one)
            except Refused as refused:
                expected = refused.code
            found: object
            if isinstance(answer, Refusal):
                found = answer.code
            else:
                found = (answer.replayed, reply_of(answer.reply))
            self._agree(f"the answer to {one}", found, expected)
            self._note(expected)
            self.scans.append(one)
        self._compare_states(f"{len(wanted)} scans, the last one {wanted[-1]}")

    def _usual(self, drawn: tuple[str, str, str, int, int, str | None], ahead: int = 0) -> Scan:
        kind, consumer, guide, pick, serial, device = drawn
        numbers = [number for number, batch in self.world.batches.items() if batch.kind == kind]
        code = (numbers[pick % len(numbers)], serial)
        person, role = (consumer, "CONSUMER") if kind == "INNER" else (guide, "GUIDE")
        return Scan(person, role, code, device, f"key {len(self.scans) + ahead}")

    @rule(drawn=scans)
    def scans_a_code(self, drawn: tuple[str, str, str, int, int, str | None]) -> None:
        self._scan(self._usual(drawn))

    @rule(drawn=st.lists(scans, min_size=2, max_size=6))
    def scans_at_once(self, drawn: list[tuple[str, str, str, int, int, str | None]]) -> None:
        self._scan(*(self._usual(one, ahead) for ahead, one in enumerate(drawn)))

    @precondition(lambda self: self._unscanned())
    @rule(sales=sales, between=st.none() | steps, frozen=st.booleans())
    def sells_bottles(
        self,
        sales: list[tuple[str, str | None, str | None]],
        between: timedelta | None,
        frozen: bool,
    ) -> None:
        """Guides pre-scan new bottles and consumers scan them: all at once; or with time between,
        the last one when its guide is frozen maybe."""
        pairs = [
            self._sale(*sale, bottle)
            for sale, bottle in zip(sales, self._unscanned(), strict=False)
        ]
        if between is None:
            self._scan(*(one for pair in pairs for one in pair))
            return
        for pair in pairs:
            if len(pair) == 2:
                self._scan(pair[0])
            self.waits(between)
            if frozen and pair is pairs[-1] and f"{pair[0].person} GUIDE" in self.world.members:
                self._freeze(self.world.holder(f"{pair[0].person} GUIDE").name, True)
            self._scan(pair[-1])

    @precondition(lambda self: len(self._unscanned()) > 1)
    @rule(gated=st.booleans(), guide=st.sampled_from(["gus", "gil"]))
    def fills_a_guides_cap(self, gated: bool, guide: str) -> None:
        """A guide may be paid once, and sells twice."""
        room = {
            asset: spent + reserved + 50
            for asset, (_, spent, reserved) in self.world.campaigns["scan"].budgets.items()
        }
        given = ({"POINTS": 2}, {"POINTS": 1})
        self._publish(self._terms("scan", given, gated, [("GUIDE", "CAMPAIGN", 1)], room))
        for consumer, bottle in zip(("ann", "bob"), self._unscanned(), strict=False):
            for one in self._sale(consumer, guide, None, bottle):
                self._scan(one)

    def _sale(
        self, consumer: str, guide: str | None, device: str | None, bottle: tuple[int, int]
    ) -> list[Scan]:
        series, serial = bottle
        key = f"sale of {bottle} after {len(self.scans)}"
        scans = [Scan(consumer, "CONSUMER", bottle, device, f"{key}, inner")]
        if guide is not None:
            scans.insert(0, Scan(guide, "GUIDE", (series + 1, serial), None, f"{key}, outer"))
        return scans

    def _unscanned(self) -> list[tuple[int, int]]:
        """Bottles of active series that were never scanned, as their inner codes."""
        return [
            (number, serial)
            for serial in range(QUANTITY)
            for number, batch in self.world.batches.items()
            if batch.kind == "INNER" and batch.status == "ACTIVE"
            if (number, serial) not in self.world.items
        ]

    @rule(person=anybody, role=roles, pick=picks, serial=st.integers(0, QUANTITY), device=devices)
    def scans_anything(
        self, person: str, role: str, pick: int, serial: int, device: str | None
    ) -> None:
        number = pick % (len(self.world.batches) + 2)
        code = (number, serial) if number else None
        self._scan(Scan(person, role, code, device, f"key {len(self.scans)}"))

    @precondition(lambda self: self.scans)
    @rule(pick=picks, device=devices, changed=st.booleans(), role=st.none() | roles)
    def asks_again(self, pick: int, device: str | None, changed: bool, role: str | None) -> None:
        """An earlier key once more, maybe with another body or in another role."""
        old = self.scans[-1 - pick % len(self.scans)]
        body = device if changed else old.device
        self._scan(Scan(old.person, role or old.role, old.code, body, old.key))

    @precondition(lambda self: self.world.members)
    @rule(
        one=picks,
        other=picks,
        asset=st.sampled_from(["POINTS", "POINTS", *ASSETS]),
        amount=st.integers(1, 12),
        more_than_all=st.none() | st.integers(-1, 1),
        after=st.none() | steps,
    )
    def moves_value(
        self,
        one: int,
        other: int,
        asset: str,
        amount: int,
        more_than_all: int | None,
        after: timedelta | None,
    ) -> None:
        """Some of what a member has; or about all that it may still spend."""
        if after is not None:
            self.waits(after)
        members, today = self.world.members, self.world.day_of(self.world.now)
        rich = [name for name in sorted(members) if members[name].wallet.balance(asset)]
        partly = [name for name in rich if members[name].wallet.gone_bad_in_part(asset, today)]
        giver, taker = self._member(one), self.world.holder(self._member(other)).name
        if rich:
            giver = (partly or rich)[one % len(partly or rich)]
        wallet = members[giver].wallet
        spendable = wallet.spendable(asset, today)
        if more_than_all is not None:
            amount = max(1, spendable + more_than_all)
        self.stage.seen["gone bad"] += wallet.gone_bad_in_part(asset, today)
        self.stage.seen["all gone bad"] += 0 == spendable < wallet.balance(asset)
        self._both(
            f"{amount} {asset} from {giver} to {taker}",
            lambda: self.engine.move(giver, taker, asset, amount),
            lambda: self.world.move(giver, taker, asset, amount),
        )

    @precondition(lambda self: self._mixed())
    @rule(pick=picks, other=picks, more_than_all=st.integers(-1, 1))
    def waits_until_some_goes_bad(self, pick: int, other: int, more_than_all: int) -> None:
        """And not all; of what is left something is moved."""
        mixed = self._mixed()
        asset, day = mixed[pick % len(mixed)]
        step = timedelta(days=(day - self.world.day_of(self.world.now)).days + 1)
        self.moves_value(pick, other, asset, 1, more_than_all, step)

    def _mixed(self) -> list[tuple[str, date]]:
        """Lots that go bad within two months before others of the same wallet do."""
        found, today = [], self.world.day_of(self.world.now)
        for _, member in sorted(self.world.members.items()):
            for asset, lots in member.wallet.free.items():
                days = sorted(day for day, left in lots.items() if left and day >= today)
                if days and days[0] < days[-1] and (days[0] - today).days < 60:
                    found.append((asset, days[0]))
        return found

    @precondition(lambda self: self._rich())
    @rule(pick=picks, amount=st.integers(1, 12), all_of_it=st.booleans())
    def spends(self, pick: int, amount: int, all_of_it: bool) -> None:
        rich = self._rich()
        name, asset = rich[pick % len(rich)]
        if all_of_it:
            today = self.world.day_of(self.world.now)
            amount = max(1, self.world.members[name].wallet.spendable(asset, today))
        self._spend(name, asset, amount)

    def _spend(self, name: str, asset: str, amount: int) -> None:
        self._both(
            f"{amount} {asset} spent by {name}",
            lambda: self.engine.spend(name, asset, amount),
            lambda: self.world.spend(name, asset, amount),
        )

    def _rich(self) -> list[tuple[str, str]]:
        """Who has some of what."""
        members = sorted(self.world.members.items())
        return [(name, asset) for name, m in members for asset in ASSETS if m.wallet.balance(asset)]

    @rule(drawn=st.lists(purchases, min_size=1, max_size=3))
    def buys(self, drawn: list[tuple[str, int, tuple[int, Pieces]]]) -> None:
        """All of them told at once."""
        today, known = self.world.day_of(self.world.now), len(self.bought)
        self._purchase(
            *(
                (f"order {known + n}", person, today - timedelta(days=days_ago), *what)
                for n, (person, days_ago, what) in enumerate(drawn)
            )
        )

    @precondition(lambda self: self.bought)
    @rule(pick=picks, more_fen=st.sampled_from([0, 0, 100]))
    def reports_a_purchase_again(self, pick: int, more_fen: int) -> None:
        ref, person, on, fen, lines = self.bought[pick % len(self.bought)]
        self._purchase((ref, person, on, fen + more_fen, lines))

    def _purchase(self, *facts: tuple[str, str, date, int, Pieces]) -> None:
        results = self._wait_for(self.engine.purchase(*facts))
        for fact, result in zip(facts, results, strict=True):
            found = (result.status.value, result.points_granted)
            self._agree(f"the purchase {fact}", found, purchase(self.world, *fact))
            self.bought.append(fact)
        self._compare_states(f"the purchases {facts}")
