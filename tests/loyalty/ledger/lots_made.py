"""Members with lots of any dates, for tests of expiry and statements. Causes are commands, so that
the audit finds nothing amiss."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import Asset
from loyalty.ledger.queries import list_free_lots
from loyalty.ledger.rules import AccountState, Book, Cause, Movement
from loyalty.members.models import Identity, Member

POINTS, GROWTH = Asset.POINTS.value, Asset.GROWTH.value


def command(tx: Tx, reason: str = "gift") -> Cause:
    """Something that an operator did just now."""
    return Cause("OPERATOR", new_id(), "OPERATOR", new_id(), reason, tx.now)


async def add_members(tx: Tx, brand: Brand, count: int) -> list[UUID]:
    """Consumers without anything."""
    ids = []
    for _ in range(count):
        identity = Identity(brand_id=brand.id, external_ref=new_id().hex, created_at=tx.now)
        member = Member(
            brand_id=brand.id, identity_id=identity.id, role="CONSUMER", enrolled_at=tx.now
        )
        await tx.add(identity, member)
        ids.append(member.id)
    return ids


async def give(
    tx: Tx,
    brand: Brand,
    lots: Mapping[UUID, Mapping[date, int]],
    asset: str = POINTS,
    reason: str = "gift",
) -> list[Movement]:
    """Credit members with so much, good until those dates."""
    has, owes = await ledger.lock_accounts_and_debts(tx, [(brand.id, id) for id in lots])
    issuance = (await ledger.issuance_accounts(tx, [brand.id]))[brand.id, brand.id, asset]
    book = Book(new_id)
    given = []
    for member_id, amounts in lots.items():
        key = (brand.id, member_id, asset)
        account = has.get(key) or AccountState(brand.id, new_id(), member_id, asset, is_new=True)
        for expires_on, amount in amounts.items():
            given.append(
                book.credit(
                    issuance,
                    account,
                    amount,
                    command(tx, reason),
                    campaign_id=None,
                    expires_on=expires_on,
                    owed=owes.get(key),
                )
            )
    await write(tx, book)
    return given


async def spend(
    tx: Tx, brand: Brand, member_id: UUID, amount: int, on: date, asset: str = POINTS
) -> list[Movement]:
    """Spend by the lots that are good on a day."""
    book = Book(new_id)
    spent = await ledger.spend_balance(
        tx, book, (brand.id, member_id), asset, amount, command(tx, "spent"), on
    )
    await write(tx, book)
    return spent


async def write(tx: Tx, book: Book) -> None:
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)


async def lots_of(
    db: Database, brand: Brand, member_id: UUID, asset: str = POINTS
) -> dict[date, int]:
    """What is left of each lot."""

    async def read(tx: Tx) -> dict[date, int]:
        accounts = await ledger.lock_member_accounts(tx, [(brand.id, member_id)])
        return dict(await list_free_lots(tx, brand.id, accounts[brand.id, member_id, asset].id))

    return await db.in_transaction(read)
