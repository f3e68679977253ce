"""A brand from before every asset kept lots lives on: with the same balances, and right books."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import SQLModel

from loyalty.assets.rules import NEVER, Expiry, ExpiryKind, Unit
from loyalty.assets.service import assets_by_code
from loyalty.db import Database, Statement, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.audit import audit
from loyalty.ledger.models import NEVER_EXPIRES, Lot
from loyalty.ledger.rules import Book, Cause
from migrations.runner import pending, upgrade
from rewards.campaigns.models import CampaignBudget
from rewards.grants.models import LockedReward
from tests.loyalty.ledger.audited_books import AT, AuditedBooks
from tests.loyalty.ledger.audited_brand import EXPIRED_ON, GOOD_UNTIL, OUTCOMES, AuditedBrand
from tests.loyalty.ledger.corruptions import broken
from tests.migrations.past import RowThen, make_past

BEFORE = "0003"
_LOTS = Statement(
    """
    SELECT a.owner_id, a.asset, l.expires_on, l.locked, l.granted, l.remaining FROM lots l
    JOIN accounts a ON a.brand_id = l.brand_id AND a.id = l.account_id WHERE l.brand_id = :brand
    """,
    params="brand uuid",
    returns="owner_id uuid, asset text, expires_on date, locked boolean, granted bigint,"
    " remaining bigint",
)
CASH_OUTCOMES = [
    {"beneficiary": "CONSUMER", "asset": "CASH", "basis": "FIXED", "amount": 100},
    {"beneficiary": "GUIDE", "asset": "CASH", "basis": "FIXED", "amount": 20},
]


class BrandBefore(AuditedBrand):
    """Scans, a purchase and moves as they were booked then: of cash and growth no side named a
    lot, points were spent into issuance. The guide has 20 fen that it unlocked, and waits for 20
    more."""

    def __init__(self, slug: str) -> None:
        AuditedBooks.__init__(self, slug)
        self.scans: dict[str, UUID] = {}
        self._people()
        self._goods()
        self._campaigns()
        self._add(
            CampaignBudget,
            campaign_id=self.campaign,
            asset="CASH",
            allowed=300,
            spent=220,
            reserved=20,
        )
        self._first_item()
        self._other_items()
        self._purchases()
        self._move()
        self._standing()
        self._item_codes()
        self._deliveries()

    def _asset(self, code: str) -> None:
        self._account(self.id, code, "ISSUANCE")

    def _outcomes(self) -> list[dict[str, Any]]:
        return [*OUTCOMES, *CASH_OUTCOMES]

    def _paid(self, scan: str, member: UUID) -> None:
        super()._paid(scan, member)
        self._earn(f"cash of {scan}", member, "CASH", 100, scan)

    def _pending(self, name: str, scan: str) -> None:
        super()._pending(name, scan)
        self._earn(f"cash of {name}", self.guide, "CASH", 20, scan, phase="PENDING")

    def _resolve(self, lock: str, scan: str) -> None:
        pending = {"phase": "POST", "pending_id": self.transfers[f"cash of {lock}"]}
        self._earn(f"cash of post of {lock}", self.guide, "CASH", 20, scan, **pending)
        super()._resolve(lock, scan)

    def _locked_reward(self, lock: str, scan: str, resolved_by_id: UUID | None) -> None:
        super()._locked_reward(lock, scan, resolved_by_id)
        points = self.rows[-1]
        assert isinstance(points, LockedReward)
        cash = {**points.model_dump(), "asset": "CASH", "amount": 20}
        cash["id"] = self.transfers[f"cash of {lock}"]
        if resolved_by_id:
            cash["resolved_by_id"] = self.transfers[f"cash of post of {lock}"]
        self.rows.append(LockedReward(**cash))

    def _move(self) -> None:
        super()._move()
        people, cause = (self.consumer, self.other_consumer), ("OPERATOR", new_id())
        for asset, amount in (("CASH", 30), ("GROWTH", 2)):
            giver, taker = ((member, asset) for member in people)
            self._transfer(f"move of {asset}", giver, taker, amount, cause, kind="MOVE")
        points = (self.consumer, "POINTS"), (self.id, "POINTS")
        spent: dict[str, Any] = {"kind": "SPEND", "debit_expires_on": GOOD_UNTIL}
        self._transfer("spend", *points, 4, cause, **spent)

    @property
    def rows_then(self) -> Iterator[SQLModel]:
        """What there was of it: only points kept lots."""
        with_lots = {account.id for account in self.accounts.values() if account.asset == "POINTS"}
        for row in self.rows:
            if not isinstance(row, Lot) or row.account_id in with_lots:
                yield row


def _then(brands: dict[BrandBefore, int | None]) -> Iterator[RowThen]:
    """Their rows, and what brands had of their own then."""
    for brand, months in brands.items():
        for row in brand.rows_then:
            name = str(type(row).__tablename__)
            months_then = {"points_valid_months": months} if name == "brands" else {}
            yield name, row.model_dump() | months_then


@pytest.fixture
def brands() -> dict[BrandBefore, int | None]:
    """By how many months their points were good."""
    return {BrandBefore("tea"): 24, BrandBefore("milk"): None}


async def test_what_members_had_they_have(
    empty_database_url: str, brands: dict[BrandBefore, int | None]
) -> None:
    await make_past(empty_database_url, BEFORE, _then(brands), {})
    assert (await pending(empty_database_url))[0] == "0004"
    await upgrade(empty_database_url)
    db = Database(empty_database_url)
    try:
        assert broken(await audit(db)) == {}
        for brand, months in brands.items():
            await _check(db, brand, months)
            await db.in_transaction(_live_on, brand)
        assert broken(await audit(db)) == {}
    finally:
        await db.close()


async def _check(db: Database, brand: BrandBefore, months: int | None) -> None:
    names = {brand.consumer: "ann", brand.other_consumer: "bob", brand.guide: "gus"}
    lots: dict[str, dict[Any, tuple[int, int]]] = {}
    for owner, asset, *lot, granted, remaining in await db.read(_LOTS, brand=brand.id):
        lots.setdefault(f"{asset} of {names[owner]}", {})[tuple(lot)] = (granted, remaining)
    free, locked, good = (NEVER_EXPIRES, False), (NEVER_EXPIRES, True), (GOOD_UNTIL, False)
    assert lots == {
        "CASH of ann": {free: (100, 70)},
        "CASH of bob": {free: (130, 130)},
        "CASH of gus": {free: (20, 20), locked: (40, 20)},
        "GROWTH of ann": {free: (5, 3)},
        "GROWTH of bob": {free: (7, 7)},
        "POINTS of ann": {good: (17, 9), (EXPIRED_ON, False): (2, 2)},
        "POINTS of bob": {good: (14, 14)},
        "POINTS of gus": {good: (3, 3), locked: (6, 3)},
    }
    async with db.snapshot() as snapshot:
        assets = await assets_by_code(snapshot, brand.id)
    points = Expiry(ExpiryKind.AFTER, Unit.MONTH, months) if months else NEVER
    expiries = {code: asset.expiry for code, asset in assets.items()}
    assert expiries == {"POINTS": points, "GROWTH": NEVER, "CASH": NEVER, "CHANCES": NEVER}


async def _live_on(tx: Tx, brand: BrandBefore) -> None:
    """The consumer spends all its cash, out of the lot that it was given."""
    book = Book(new_id)
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "spent", tx.now)
    owner, today = (brand.id, brand.consumer), AT.date()
    [spent] = await ledger.spend_balance(tx, book, owner, "CASH", 70, cause, today)
    assert spent.debit_expires_on == NEVER_EXPIRES
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)
