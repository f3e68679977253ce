"""A brand where people shop and give back, and what the rows say afterwards."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Statement, Tx
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import ReturnPolicy
from loyalty.moves.service import move_balance
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Cap, CouponOutcome, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.purchases.models import PurchaseSource
from rewards.purchases.reading import LineReport, PurchaseReport
from rewards.purchases.service import BuyerReport, Recorded, record_purchase
from rewards.returns.rules import LineRequest, ReturnRequest
from rewards.returns.service import ReturnResult, return_purchase
from tests.brands_made import make_brand
from tests.databases import MASTER_KEY

P = ParamSpec("P")
T = TypeVar("T")

POINTS, GROWTH, CHANCES = (asset.value for asset in (Asset.POINTS, Asset.GROWTH, Asset.CHANCES))
WITHIN, UNLIMITED = ReturnPolicy.WITHIN_BALANCE, ReturnPolicy.UNLIMITED

_BALANCES = Statement(
    """
    SELECT a.asset, a.kind, a.credits_posted - a.debits_posted, a.credits_pending FROM accounts a
    WHERE a.brand_id = :brand AND a.owner_id = :owner
    """,
    params="brand uuid, owner uuid",
    returns="asset text, kind text, balance bigint, locked bigint",
)
_PURCHASE = Statement(
    """
    SELECT p.returned_fen, p.returned_at IS NOT NULL FROM purchase_events p
    WHERE p.brand_id = :brand AND p.purchase_ref = :ref
    """,
    params="brand uuid, ref text",
    returns="returned_fen bigint, is_over boolean",
)
_BUDGETS = Statement(
    "SELECT asset, spent, reserved FROM campaign_budgets WHERE brand_id = :brand",
    params="brand uuid",
    returns="asset text, spent bigint, reserved bigint",
)
_COUNTERS = Statement(
    "SELECT window_key, used FROM cap_counters WHERE brand_id = :brand",
    params="brand uuid",
    returns="window_key text, used bigint",
)
_LOCKED = Statement(
    """
    SELECT amount, status, unlock_count, unlock_key FROM locked_rewards WHERE brand_id = :brand
    ORDER BY id
    """,
    params="brand uuid",
    returns="amount bigint, status text, unlock_count bigint, unlock_key text",
)
_RANK = Statement(
    "SELECT rank FROM standings WHERE brand_id = :brand AND member_id = :member",
    params="brand uuid, member uuid",
    returns="rank bigint",
)
_COUNTS = {
    table: Statement(
        f"SELECT COUNT(*) FROM {table} WHERE brand_id = :brand",
        params="brand uuid",
        returns="n bigint",
    )
    for table in (
        *("transfers", "purchase_returns", "purchase_return_lines", "purchase_return_takings"),
        *("outbox_events", "audit_log", "lot_extensions"),
    )
}


def per_unit(asset: str, amount: int, lock: Lock | None = None) -> Outcome:
    return Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.PER_CURRENCY_UNIT, amount, lock)


def fixed(asset: str, amount: int, lock: Lock | None = None) -> Outcome:
    return Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.FIXED, amount, lock)


def points_of(recorded: Recorded) -> int:
    """What a purchase earned at once."""
    return sum(one.amount for one in recorded.earned if one.asset == POINTS and not one.locked)


@dataclass
class Shop:
    """One brand, whose purchases earn what ``publish`` says, or a point and a growth a unit."""

    db: Database
    brand: Brand
    actor: Actor
    keyring: Keyring
    members: dict[str, UUID] = field(default_factory=dict)

    async def run(
        self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self.db.in_transaction(verb, *args, **kwargs)

    async def publish(
        self,
        outcomes: Sequence[Outcome | CouponOutcome],
        *,
        policy: ReturnPolicy | None = None,
        caps: Sequence[Cap] = (),
        budgets: dict[str, int] | None = None,
    ) -> None:
        definition = CampaignDefinition(
            code="shop",
            name_zh="购物",
            name_en="Shop",
            event=EventKind.PURCHASE,
            priority=9,
            outcomes=tuple(outcomes),
            caps=tuple(caps),
            budgets=budgets or {},
            return_policies={} if policy is None else {MemberRole.CONSUMER: policy},
        )
        await self.run(publish_campaign, self.actor, definition)

    async def buy(
        self, ref: str, amount_fen: int, who: str = "ann", lines: Sequence[tuple[int, int]] = ()
    ) -> Recorded:
        """A purchase of this moment; ``lines`` are (quantity, amount_fen), numbered from 1."""
        report = PurchaseReport(
            ref,
            self.brand.created_at,
            sum(quantity for quantity, _ in lines) or 1,
            amount_fen,
            PurchaseSource.TILL,
            tuple(
                LineReport(no, quantity, fen, sku=f"SKU-{no}")
                for no, (quantity, fen) in enumerate(lines, start=1)
            ),
        )
        result = await self.run(
            record_purchase, self.actor, self.keyring, report, BuyerReport(external_ref=who)
        )
        self.members[who] = result.member_id
        return result

    async def give_back(
        self,
        ref: str,
        return_ref: str,
        amount_fen: int | None = None,
        *,
        pieces: dict[int, int] | None = None,
        amounts: dict[int, int] | None = None,
        db: Database | None = None,
    ) -> ReturnResult:
        """All that is left, an amount, or pieces or amounts of lines."""
        lines = [LineRequest(no, quantity=n) for no, n in (pieces or {}).items()]
        lines += [LineRequest(no, amount_fen=fen) for no, fen in (amounts or {}).items()]
        request = ReturnRequest(return_ref, "too small", amount_fen, tuple(lines))
        return await (db or self.db).in_transaction(
            return_purchase, self.actor, request, purchase_ref=ref
        )

    async def spend(self, amount: int, who: str = "ann", asset: str = POINTS) -> None:
        """Some of it goes to somebody else."""
        await self.buy(f"to have a friend {new_id()}", 0, "friend")
        await self.run(
            move_balance,
            self.actor,
            from_member_id=self.members[who],
            to_member_id=self.members["friend"],
            asset=asset,
            amount=amount,
            reason="spent",
            timezone=self.brand.timezone,
            command_id=new_id(),
        )

    async def balances(self, who: str = "ann") -> dict[str, tuple[int, int]]:
        """(balance, locked) by asset, where there is any; debts as ``asset owed``."""
        rows = await self.db.read(_BALANCES, brand=self.brand.id, owner=self.members[who])
        return {
            asset if kind == "MAIN" else f"{asset} owed": (balance, locked)
            for asset, kind, balance, locked in rows
            if balance or locked
        }

    async def purchase(self, ref: str) -> tuple[int, bool]:
        """(returned_fen, whether nothing is left)."""
        [row] = await self.db.read(_PURCHASE, brand=self.brand.id, ref=ref)
        return row[0], row[1]

    async def budgets(self) -> dict[str, tuple[int, int]]:
        """(spent, reserved) by asset."""
        rows = await self.db.read(_BUDGETS, brand=self.brand.id)
        return {row[0]: (row[1], row[2]) for row in rows}

    async def counters(self) -> dict[str, int]:
        rows = await self.db.read(_COUNTERS, brand=self.brand.id)
        return {row[0]: row[1] for row in rows}

    async def locked(self) -> list[tuple[Any, ...]]:
        """(amount, status, events still to come, key) of locked rewards, oldest first."""
        return [tuple(row) for row in await self.db.read(_LOCKED, brand=self.brand.id)]

    async def rank(self, who: str = "ann") -> int:
        rows = await self.db.read(_RANK, brand=self.brand.id, member=self.members[who])
        return int(rows[0][0]) if rows else 0

    async def counts(self) -> dict[str, int]:
        """How many rows there are of whatever a return writes."""
        found = {}
        for table, statement in _COUNTS.items():
            [row] = await self.db.read(statement, brand=self.brand.id)
            found[table] = row[0]
        return found

    async def check_books(self) -> None:
        """The auditor finds nothing."""
        checks = await audit(self.db)
        assert [(c.name, c.examples) for c in checks if c.broken] == []


async def open_shop(db: Database, slug: str = "demo") -> Shop:
    brand = await db.in_transaction(make_brand, slug)
    actor = Actor(ActorKind.OPERATOR, brand.id, new_id(), "ADMIN", frozenset(Grant))
    return Shop(db, brand, actor, Keyring(bytes.fromhex(MASTER_KEY)))
