"""People, accounts, transfers and lots written row by row and added up here: nothing of the
engine's writers is called, so that the auditor is tested against other arithmetic than theirs."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import SQLModel

from loyalty.assets.models import AssetDefinition
from loyalty.brands.models import Brand
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger.models import NEVER_EXPIRES, Account, Lot, Transfer
from loyalty.members.models import Identity, Member

AT = datetime(2026, 11, 1, 15, 30, tzinfo=UTC)
"""Half an hour before midnight in Shanghai."""


class AuditedBooks:
    """A brand's books. ``rows`` are to be inserted in their order."""

    def __init__(self, slug: str) -> None:
        self.id = new_id()
        self.rows: list[SQLModel] = [Brand(id=self.id, slug=slug, name=slug, created_at=AT)]
        self.accounts: dict[tuple[UUID, str], Account] = {}
        self.lots: dict[tuple[UUID, date, bool], Lot] = {}
        self.transfers: dict[str, UUID] = {}

    def _add(self, model: type[SQLModel], /, **values: Any) -> Any:
        row = model(brand_id=self.id, **values)
        self.rows.append(row)
        return row

    def _person(self, role: str) -> tuple[UUID, UUID]:
        identity = self._add(Identity, external_ref=new_id().hex, created_at=AT)
        member = self._add(Member, identity_id=identity.id, role=role, enrolled_at=AT)
        return member.id, identity.id

    def _account(
        self, owner_id: UUID, asset: str, kind: str = "MAIN", name: str | None = None
    ) -> None:
        """An account, found by its owner and asset, or by a name where that is not enough."""
        self.accounts[(owner_id, name or asset)] = self._add(
            Account,
            owner_id=owner_id,
            asset=asset,
            kind=kind,
            overdraft_allowed=kind in ("ISSUANCE", "PLACE", "RECEIVABLE", "CLEARING", "PARTNER"),
            created_at=AT,
        )

    def _asset(self, code: str) -> None:
        """An asset and the brand's own books of it; issuance is found by the asset alone."""
        self._add(
            AssetDefinition,
            code=code,
            name_zh="资产",
            name_en=code,
            expiry={"kind": "NEVER"},
            created_at=AT,
        )
        self._account(self.id, code, "ISSUANCE")
        for kind in ("SPENT", "EXPIRED", "REVERSED"):
            self._account(self.id, code, kind, name=f"{kind} {code}")

    def account(self, owner_id: UUID, asset: str = "POINTS") -> UUID:
        return self.accounts[(owner_id, asset)].id

    def _transfer(
        self,
        name: str,
        debit: tuple[UUID, str],
        credit: tuple[UUID, str],
        amount: int,
        cause: tuple[str, UUID],
        *,
        phase: str = "POSTED",
        kind: str = "EARN",
        at: datetime = AT,
        booked_at: datetime = AT,
        **values: Any,
    ) -> None:
        giver, taker = self.accounts[debit], self.accounts[credit]
        pending, posted = {
            "POSTED": (0, amount),
            "PENDING": (amount, 0),
            "POST": (-amount, amount),
            "VOID": (-amount, 0),
        }[phase]
        giver.debits_pending += pending
        giver.debits_posted += posted
        taker.credits_pending += pending
        taker.credits_posted += posted
        self._move_lots(giver, taker, amount, phase, kind, **values)
        row = self._add(
            Transfer,
            debit_account_id=giver.id,
            credit_account_id=taker.id,
            asset=giver.asset,
            amount=amount,
            phase=phase,
            kind=kind,
            cause_kind=cause[0],
            cause_id=cause[1],
            actor_kind="SYSTEM",
            actor_id=UUID(int=0),
            reason="",
            occurred_at=at,
            created_at=booked_at,
            **values,
        )
        self.transfers[name] = row.id

    def _move_lots(
        self,
        giver: Account,
        taker: Account,
        amount: int,
        phase: str,
        kind: str,
        debit_expires_on: date | None = None,
        credit_expires_on: date | None = None,
        **_: Any,
    ) -> None:
        """Members' sides keep lots: one that is not dated never expires."""
        if giver.kind == "MAIN":
            taken = {"POSTED": -amount, "PENDING": -amount, "VOID": amount, "POST": 0}[phase]
            self._lot(giver.id, debit_expires_on or NEVER_EXPIRES, False, 0, taken)
        if taker.kind == "MAIN" and phase in ("POSTED", "POST"):
            granted = 0 if kind == "REVERSE" else amount
            self._lot(taker.id, credit_expires_on or NEVER_EXPIRES, False, granted, amount)
        if taker.kind == "MAIN" and phase != "POSTED":
            locked = amount if phase == "PENDING" else -amount
            self._lot(taker.id, NEVER_EXPIRES, True, max(locked, 0), locked)

    def _lot(self, account: UUID, on: date, locked: bool, granted: int, remaining: int) -> None:
        key = (account, on, locked)
        if key not in self.lots:
            self.lots[key] = self._add(
                Lot, account_id=account, expires_on=on, locked=locked, granted=0, remaining=0
            )
        self.lots[key].granted += granted
        self.lots[key].remaining += remaining


async def write(tx: Tx, books: AuditedBooks) -> None:
    """Insert all rows, table by table in the order of their first rows."""
    rows_of: dict[type[SQLModel], list[dict[str, Any]]] = {}
    for row in books.rows:
        rows_of.setdefault(type(row), []).append(row.model_dump())
    connection = await tx.session.connection()
    for model, rows in rows_of.items():
        await connection.execute(insert(model), rows)
