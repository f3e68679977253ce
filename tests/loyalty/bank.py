"""Members with credits in lots, and what the rows say afterwards: for tests of what the ledger's
verbs do to them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import NEVER, NEVER_EXPIRES, Expiry
from loyalty.assets.service import configure_asset
from loyalty.brands.models import Brand
from loyalty.db import Database, Statement, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.audit import audit
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.members.models import Identity, Member
from tests.brands_made import make_brand

P = ParamSpec("P")
T = TypeVar("T")

POINTS = "POINTS"

_LOTS = Statement(
    """
    SELECT l.expires_on, l.remaining FROM accounts a
    JOIN lots l ON l.brand_id = a.brand_id AND l.account_id = a.id
    WHERE a.brand_id = :brand AND a.owner_id = :owner AND a.asset = :asset AND a.kind = 'MAIN'
        AND NOT l.locked AND l.remaining <> 0
    """,
    params="brand uuid, owner uuid, asset text",
    returns="expires_on date, remaining bigint",
)
_SUMS = Statement(
    """
    SELECT kind, credits_posted - debits_posted, debits_pending FROM accounts
    WHERE brand_id = :brand AND owner_id = :owner AND asset = :asset
    """,
    params="brand uuid, owner uuid, asset text",
    returns="kind text, balance bigint, held bigint",
)
_TRANSFERS = Statement(
    """
    SELECT kind, phase, amount, debit_expires_on, credit_expires_on FROM transfers
    WHERE brand_id = :brand AND cause_id = :cause ORDER BY id
    """,
    params="brand uuid, cause uuid",
    returns="kind text, phase text, amount bigint, debit_expires_on date, credit_expires_on date",
)

_WRITTEN = Statement(
    """
    SELECT (SELECT count(*) FROM transfers WHERE brand_id = :brand),
        (SELECT count(*) FROM accounts WHERE brand_id = :brand),
        (SELECT count(*) FROM audit_log WHERE brand_id = :brand)
    """,
    params="brand uuid",
    returns="transfers bigint, accounts bigint, entries bigint",
)


def operator(brand_id: UUID) -> Actor:
    """Somebody who may touch the ledger; another one each time."""
    return Actor(
        ActorKind.OPERATOR, brand_id, new_id(), "FINANCE", frozenset({Grant.READ, Grant.LEDGER})
    )


@dataclass(frozen=True)
class Bank:
    """One brand's members and books."""

    db: Database
    brand: Brand
    actor: Actor

    async def run(
        self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self.db.in_transaction(verb, *args, **kwargs)

    async def member(
        self,
        lots: Mapping[date, int] | None = None,
        *,
        asset: str = POINTS,
        status: str = "ACTIVE",
        merged_into: UUID | None = None,
    ) -> UUID:
        """A consumer with free lots of one asset; closed, if MERGED into another."""
        member_id = await self.run(_add_member, self.brand.id, status, merged_into)
        for expires_on, amount in (lots or {}).items():
            await self.credit(member_id, amount, expires_on, asset=asset)
        return member_id

    async def credit(
        self,
        member_id: UUID,
        amount: int,
        expires_on: date = NEVER_EXPIRES,
        *,
        asset: str = POINTS,
        cause_id: UUID | None = None,
        campaign_id: UUID | None = None,
        locked: bool = False,
    ) -> UUID:
        """What an event gave a member, and its transfer's id."""
        return await self.run(
            _credit,
            (self.brand.id, member_id, asset),
            amount,
            None if locked else expires_on,
            cause_id or new_id(),
            campaign_id,
        )

    async def configure(
        self,
        asset: str = POINTS,
        *,
        expiry: Expiry = NEVER,
        adjustment_limit: int | None = None,
        status: AssetStatus = AssetStatus.ACTIVE,
    ) -> None:
        """Set an asset's policies."""
        await self.run(
            configure_asset,
            self.actor,
            asset,
            expiry=expiry,
            adjustment_limit=adjustment_limit,
            status=status,
        )

    async def lots(self, member_id: UUID, asset: str = POINTS) -> dict[date, int]:
        """What is left of free lots."""
        rows = await self._read(_LOTS, owner=member_id, asset=asset)
        return {row[0]: row[1] for row in rows}

    async def sums(self, owner_id: UUID, asset: str = POINTS) -> dict[str, int]:
        """Balances by kind of account, and what is HELD."""
        rows = await self._read(_SUMS, owner=owner_id, asset=asset)
        found = {row[0]: row[1] for row in rows}
        return found | {"HELD": sum(row[2] for row in rows)}

    async def transfers(self, cause_id: UUID) -> list[tuple[Any, ...]]:
        """(kind, phase, amount, debited lot, credited lot) of what an event moved, in order."""
        return [tuple(row) for row in await self._read(_TRANSFERS, cause=cause_id)]

    async def written(self) -> tuple[int, ...]:
        """How many transfers, accounts and entries of the audit log the brand has."""
        [row] = await self._read(_WRITTEN)
        return tuple(row)

    async def _read(self, statement: Statement, **values: Any) -> list[Any]:
        async with self.db.snapshot() as snapshot:
            return await snapshot.fetch(statement, brand=self.brand.id, **values)

    async def is_clean(self) -> bool:
        """The auditor finds nothing wrong; what it finds is told."""
        broken = [check for check in await audit(self.db) if check.broken]
        assert not broken, broken
        return True


async def open_bank(db: Database, slug: str = "bank") -> Bank:
    """A new brand without members."""
    brand = await db.in_transaction(make_brand, slug)
    return Bank(db, brand, operator(brand.id))


async def _add_member(tx: Tx, brand_id: UUID, status: str, merged_into: UUID | None) -> UUID:
    identity = Identity(brand_id=brand_id, external_ref=new_id().hex, created_at=tx.now)
    member = Member(
        brand_id=brand_id,
        identity_id=identity.id,
        role=MemberRole.CONSUMER.value,
        status=status,
        merged_into_id=merged_into,
        enrolled_at=tx.now,
    )
    await tx.add(identity, member)
    return member.id


async def _credit(
    tx: Tx,
    key: tuple[UUID, UUID, str],
    amount: int,
    expires_on: date | None,
    cause_id: UUID,
    campaign_id: UUID | None,
) -> UUID:
    brand_id, member_id, asset = key
    has, owes = await ledger.lock_accounts_and_debts(tx, [key[:2]])
    account = has.get(key) or AccountState(brand_id, new_id(), member_id, asset, is_new=True)
    issuance = (await ledger.issuance_accounts(tx, [brand_id]))[brand_id, brand_id, asset]
    cause = Cause("OPERATOR", cause_id, "OPERATOR", new_id(), "gift", tx.now)
    book = Book(new_id)
    if expires_on is None:
        movement = book.lock(issuance, account, amount, cause, campaign_id=campaign_id)
    else:
        movement = book.credit(
            issuance,
            account,
            amount,
            cause,
            campaign_id=campaign_id,
            expires_on=expires_on,
            owed=owes.get(key),
        )
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)
    return movement.id
