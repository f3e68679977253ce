"""Members to whom all kinds of things happen by chance, and what their accounts said after each."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import select

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.errors import InsufficientBalance
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.expiry import sweep_chunk
from loyalty.ledger.models import NEVER_EXPIRES, Account, AccountKind, TransferPhase
from loyalty.ledger.queries import list_free_lots
from loyalty.ledger.rules import AccountState, Book, ReversibleTransfer, plan_return
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.loyalty.ledger.lots_made import (
    GROWTH,
    POINTS,
    add_members,
    command,
    give,
    spend,
    write,
)

PLAYED = 60


@dataclass(frozen=True)
class Moment:
    """What the accounts said at a time."""

    at: datetime
    own: Mapping[tuple[UUID, str], tuple[int, int, int, int]]
    books: Mapping[tuple[str, str], int]


async def look(db: Database, at: datetime) -> Moment:
    own: dict[tuple[UUID, str], tuple[int, int, int, int]] = {}
    books: Counter[tuple[str, str]] = Counter()
    async with db.snapshot() as snapshot:
        for a in await snapshot.session.exec(select(Account)):
            balance = a.credits_posted - a.debits_posted
            books[a.asset, a.kind] += balance
            key = (a.owner_id, a.asset)
            had, locked, held, owed = own.get(key, (0, 0, 0, 0))
            if a.kind == "MAIN":
                own[key] = (balance, a.credits_pending, a.debits_pending, owed)
            elif a.kind == "RECEIVABLE":
                own[key] = (had, locked, held, -balance)
    return Moment(at, own, books)


class Play:
    """Three members of a brand, and whatever happens to what they have."""

    def __init__(self, db: Database, clock: SettableClock, brand: Brand, seed: int) -> None:
        self.db, self.clock, self.brand = db, clock, brand
        self.chance = random.Random(seed)
        self.members: list[UUID] = []
        self.given: list[tuple[UUID, ReversibleTransfer, date]] = []
        self.moments: list[Moment] = []

    async def run(self) -> None:
        self.members = await self.db.in_transaction(add_members, self.brand, 3)
        acts = [self.earn, self.earn, self.spend, self.hold, self.lock, self.move, self.take_back]
        for _ in range(PLAYED):
            self.clock.advance(hours=self.chance.randint(1, 12))
            try:
                await self.db.in_transaction(self.chance.choice([*acts, self.sweep]))
            except InsufficientBalance:
                pass
            self.moments.append(await look(self.db, self.clock()))

    @property
    def member(self) -> UUID:
        return self.chance.choice(self.members)

    @property
    def asset(self) -> str:
        return self.chance.choice([POINTS, POINTS, GROWTH])

    @property
    def today(self) -> date:
        return (self.clock() + timedelta(hours=8)).date()

    async def earn(self, tx: Tx) -> None:
        day = self.today + timedelta(days=self.chance.choice([-3, 0, 1, 9, 90]))
        amount = self.chance.randint(5, 50)
        member_id = self.member
        (made,) = await give(tx, self.brand, {member_id: {day: amount}})
        self.given.append((member_id, ReversibleTransfer(made.id, amount, None), day))

    async def spend(self, tx: Tx) -> None:
        await spend(tx, self.brand, self.member, self.chance.randint(1, 20), self.today)

    async def hold(self, tx: Tx) -> None:
        book = Book(new_id)
        owner = (self.brand.id, self.member)
        await ledger.spend_balance(
            tx,
            book,
            owner,
            POINTS,
            self.chance.randint(1, 9),
            command(tx, "hold"),
            self.today,
            phase=TransferPhase.PENDING,
        )
        await write(tx, book)

    async def lock(self, tx: Tx) -> None:
        member_id, asset = self.member, self.asset
        has = await ledger.lock_member_accounts(tx, [(self.brand.id, member_id)])
        account = has.get((self.brand.id, member_id, asset)) or AccountState(
            self.brand.id, new_id(), member_id, asset, is_new=True
        )
        issuance = (await ledger.issuance_accounts(tx, [self.brand.id]))[
            self.brand.id, self.brand.id, asset
        ]
        book = Book(new_id)
        cause = command(tx, "lock")
        pending = book.lock(issuance, account, 6, cause, campaign_id=None)
        if self.chance.random() < 0.6:
            until = self.chance.choice([None, self.today, NEVER_EXPIRES])
            book.resolve(
                issuance, account, 6, cause, pending_id=pending.id, campaign_id=None,
                expires_on=until,
            )  # fmt: skip
        await write(tx, book)

    async def move(self, tx: Tx) -> None:
        source, target = self.chance.sample(self.members, 2)
        brand_id = self.brand.id
        has = await ledger.lock_member_accounts(tx, [(brand_id, source), (brand_id, target)])
        account = has.get((brand_id, source, POINTS))
        if account is None:
            return
        to = has.get((brand_id, target, POINTS)) or AccountState(
            brand_id, new_id(), target, POINTS, is_new=True
        )
        parts = await ledger.spend_parts(tx, account, self.chance.randint(1, 9), self.today)
        book = Book(new_id)
        book.move(account, to, parts, command(tx, "move"))
        await write(tx, book)

    async def take_back(self, tx: Tx) -> None:
        if not self.given:
            return
        member_id, reverses, day = self.given.pop(self.chance.randrange(len(self.given)))
        key = (self.brand.id, member_id, POINTS)
        has, owes = await ledger.lock_accounts_and_debts(tx, [key[:2]])
        lots = await list_free_lots(tx, self.brand.id, has[key].id)
        parts = plan_return(lots, reverses.amount, self.today, day)
        owed = owes.get(key) or AccountState(
            self.brand.id, new_id(), member_id, POINTS, kind="RECEIVABLE", is_new=True
        )
        books = await ledger.brand_books(tx, [self.brand.id], AccountKind.REVERSED)
        book = Book(new_id)
        book.take_back(
            has[key],
            books[self.brand.id, self.brand.id, POINTS],
            parts,
            command(tx, "wrong"),
            reverses=reverses,
            owed=owed,
            shortfall=reverses.amount - sum(part for _, part in parts),
        )
        await write(tx, book)

    async def sweep(self, tx: Tx) -> None:
        await sweep_chunk(tx, self.brand.id, 100, again=True)


async def play_through(db: Database, clock: SettableClock, seed: int) -> Play:
    play = Play(db, clock, await db.in_transaction(make_brand), seed)
    await play.run()
    return play
