"""The engine as the state machine plays with it: what people and operators do, by name, and what
the rows say afterwards. Knows nothing of what should come of it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole, system_actor
from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import Expiry
from loyalty.assets.service import configure_asset
from loyalty.brands.service import create_brand
from loyalty.clock import local_date
from loyalty.codes.models import CodeKind
from loyalty.codes.rules import CodeKey
from loyalty.codes.service import (
    activate_batch,
    create_batches,
    load_key,
    mark_printed,
    retire_batch,
)
from loyalty.crypto import Keyring
from loyalty.db import Database, Statement, Tx
from loyalty.errors import Refusal
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.audit import audit
from loyalty.ledger.expiry import sweep_chunk
from loyalty.ledger.rules import Book, Cause
from loyalty.members.models import Identity
from loyalty.members.service import freeze_member, import_roster, invite_member, unfreeze_member
from loyalty.moves.service import move_balance
from loyalty.products.service import create_product
from rewards.campaigns.rules import CampaignDefinition
from rewards.campaigns.service import publish_campaign
from rewards.purchases.rules import PurchaseFact, PurchaseResult
from rewards.purchases.service import settle_purchases
from rewards.scans.batcher import ScanBatcher
from rewards.scans.intake import ScanIntake
from rewards.scans.world import ScanReply
from tests.clocks import SettableClock
from tiers.ladders.rules import Level
from tiers.ladders.service import publish_ladder

_MEMBERS = Statement(
    """
    SELECT m.id, m.identity_id, m.role, m.status, m.invited_by_id, s.rank FROM members m
    LEFT JOIN standings s ON s.brand_id = m.brand_id AND s.member_id = m.id
    WHERE m.brand_id = :brand
    """,
    params="brand uuid",
    returns="id uuid, identity_id uuid, role text, status text, invited_by_id uuid, rank bigint",
)
_ACCOUNTS = Statement(
    """
    SELECT owner_id, asset, credits_posted - debits_posted, credits_pending FROM accounts
    WHERE brand_id = :brand AND kind = 'MAIN'
    """,
    params="brand uuid",
    returns="owner_id uuid, asset text, balance bigint, locked bigint",
)
_LOTS = Statement(
    """
    SELECT a.owner_id, a.asset, l.expires_on, l.locked, l.remaining FROM accounts a
    JOIN lots l ON l.brand_id = a.brand_id AND l.account_id = a.id
    WHERE a.brand_id = :brand AND l.remaining <> 0
    """,
    params="brand uuid",
    returns="owner_id uuid, asset text, expires_on date, locked boolean, remaining bigint",
)
_BUDGETS = Statement(
    """
    SELECT c.code, b.asset, b.allowed, b.spent, b.reserved FROM campaigns c
    JOIN campaign_budgets b ON b.brand_id = c.brand_id AND b.campaign_id = c.id
    WHERE c.brand_id = :brand
    """,
    params="brand uuid",
    returns="code text, asset text, allowed bigint, spent bigint, reserved bigint",
)
_COUNTERS = Statement(
    """
    SELECT c.code, n.subject_kind, n.subject, n.window_key, n.used FROM campaigns c
    JOIN cap_counters n ON n.brand_id = c.brand_id AND n.campaign_id = c.id
    WHERE c.brand_id = :brand
    """,
    params="brand uuid",
    returns="code text, subject_kind text, subject text, window_key text, used bigint",
)


@dataclass
class Stage:
    """What all examples share: a database on a settable clock, one batcher, one loop."""

    runner: asyncio.Runner
    db: Database
    clock: SettableClock
    keyring: Keyring
    batcher: ScanBatcher
    seen: Counter[str] = field(default_factory=Counter)
    """How often each answer was given."""


@dataclass(frozen=True)
class Person:
    """Known by a phone, or to an import by its own reference."""

    name: str
    phone: str | None = None


class Engine:
    """One brand of a stage."""

    def __init__(self, stage: Stage, people: Sequence[Person]) -> None:
        self._stage = stage
        self._db = stage.db
        self._people = {person.name: person for person in people}
        self._intake = ScanIntake(stage.db, stage.keyring, stage.batcher)
        self._brand_id = UUID(int=0)
        self._slug = ""
        self._zone = ""
        self._identities: dict[str, UUID] = {}
        self._names: dict[UUID, str] = {}
        self._devices: dict[str, str] = {}
        self._products: list[UUID] = []
        self._batches: dict[int, UUID] = {}
        self._key: CodeKey | None = None

    @property
    def _operator(self) -> Actor:
        return system_actor(self._brand_id)

    def _actor(self, person: str, role: str) -> Actor:
        return Actor(ActorKind.MEMBER, self._brand_id, self._identities[person], role)

    def _member_id(self, name: str) -> UUID:
        return next(found for found, known in self._names.items() if known == name)

    # --- set-up -------------------------------------------------------------------------------

    async def begin(self, zone: str, products: int) -> None:
        await self._db.in_transaction(self._begin, zone, products)

    async def _begin(self, tx: Tx, zone: str, products: int) -> None:
        brand = await create_brand(
            tx,
            slug=f"b{new_id().hex}",
            name="Brand",
            timezone=zone,
        )
        self._brand_id, self._slug, self._zone = brand.id, brand.slug, zone
        await ledger.open_brand_books(tx, brand.id)
        for number in range(products):
            product = await create_product(
                tx, self._operator, sku=f"sku-{number}", name_zh="品", name_en="Product"
            )
            self._products.append(product.id)
        for person in self._people.values():
            await tx.add(self._identity(person, tx.now))

    def _identity(self, person: Person, now: datetime) -> Identity:
        identity = Identity(brand_id=self._brand_id, created_at=now)
        if person.phone is None:
            identity.external_ref = person.name
        else:
            keyring = self._stage.keyring
            identity.phone_hash = keyring.lookup_hash(self._brand_id, "phone", person.phone)
            identity.phone_cipher = keyring.encrypt_phone(self._brand_id, person.phone)
        self._identities[person.name] = identity.id
        return identity

    async def set_expiry(self, asset: str, expiry: Expiry) -> None:
        await self._db.in_transaction(
            configure_asset,
            self._operator,
            asset,
            expiry=expiry,
            adjustment_limit=None,
            status=AssetStatus.ACTIVE,
        )

    async def order_codes(self, product: int, quantity: int) -> list[tuple[int, str]]:
        """(number, kind) of the batches, inner and outer of the same bottles, in draft."""
        batches = await self._db.in_transaction(
            create_batches,
            self._operator,
            self._stage.keyring,
            product_id=self._products[product],
            quantity=quantity,
            kinds=[CodeKind.INNER, CodeKind.OUTER],
        )
        for batch in batches:
            self._batches[batch.number] = batch.id
        if self._key is None:
            async with self._db.snapshot() as snapshot:
                self._key = await load_key(
                    snapshot, self._stage.keyring, self._brand_id, batches[0].key_epoch_id
                )
        return [(batch.number, batch.kind) for batch in batches]

    async def set_status(self, number: int, status: str) -> None:
        """Of the batch and its pair."""
        verb = {"PRINTED": mark_printed, "ACTIVE": activate_batch}.get(status, retire_batch)
        await self._db.in_transaction(
            verb, self._operator, self._batches[number], include_paired=True
        )

    async def publish(self, definition: CampaignDefinition) -> None:
        await self._db.in_transaction(publish_campaign, self._operator, definition)

    def product_id(self, product: int | None) -> UUID | None:
        return None if product is None else self._products[product]

    async def publish_ladder(self, role: str, levels: list[Level], allow_lowering: bool) -> None:
        await self._db.in_transaction(
            publish_ladder,
            self._operator,
            role=MemberRole(role),
            levels=levels,
            allow_lowering=allow_lowering,
        )

    # --- what people and operators do ---------------------------------------------------------

    async def scan(
        self, person: str, role: str, code: tuple[int, int] | None, device: str | None, key: str
    ) -> ScanReply | Refusal:
        assert self._key is not None
        if device is not None:
            hashed = self._stage.keyring.lookup_hash(self._brand_id, "device", device)
            self._devices[hashed] = device
        try:
            return await self._intake.scan(
                self._actor(person, role),
                code="no code at all" if code is None else self._key.encode(*code),
                idempotency_key=key,
                device_id=device,
                position=None,
                scene=None,
                nonce=None,
                address="192.0.2.1",
            )
        except Refusal as refusal:
            return refusal

    async def admit(self, person: str, role: str) -> None:
        entry = (self._people[person].phone or "", person)
        await self._db.in_transaction(
            import_roster, self._operator, self._stage.keyring, role, [entry]
        )

    async def invite(self, person: str, role: str, guest: str) -> None:
        phone = self._people[guest].phone or ""
        await self._db.in_transaction(
            invite_member, self._actor(person, role), self._stage.keyring, phone
        )

    async def freeze(self, member: str, frozen: bool) -> None:
        verb = freeze_member if frozen else unfreeze_member
        await self._db.in_transaction(verb, self._operator, self._member_id(member), "a reason")

    async def move(self, source: str, target: str, asset: str, amount: int) -> None:
        await self._db.in_transaction(
            move_balance,
            self._operator,
            from_member_id=self._member_id(source),
            to_member_id=self._member_id(target),
            asset=asset,
            amount=amount,
            reason="a reason",
            timezone=self._zone,
            command_id=new_id(),
        )

    async def spend(self, member: str, asset: str, amount: int) -> None:
        await self._db.in_transaction(self._spend, self._member_id(member), asset, amount)

    async def _spend(self, tx: Tx, member_id: UUID, asset: str, amount: int) -> None:
        book = Book(new_id)
        cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "a reason", tx.now)
        owner, today = (self._brand_id, member_id), local_date(tx.now, self._zone)
        await ledger.spend_balance(tx, book, owner, asset, amount, cause, today)
        await ledger.write_members_side(tx, book)
        await ledger.write_brands_side(tx, book)

    async def sweep(self) -> None:
        """Of what has expired; few lots at a time."""
        swept = await self._db.in_transaction(sweep_chunk, self._brand_id, 3, again=True)
        while not swept.is_finished:
            swept = await self._db.in_transaction(sweep_chunk, self._brand_id, 3)

    async def purchase(self, *told: tuple[str, str, date, int]) -> list[PurchaseResult]:
        """(reference, person, day, fen) of each, in one batch."""
        facts = [PurchaseFact(ref, person, on, 1, fen) for ref, person, on, fen in told]
        return await self._db.in_transaction(
            settle_purchases, self._brand_id, self._operator, facts
        )

    # --- what the rows say --------------------------------------------------------------------

    async def state(self) -> dict[str, dict[Any, Any]]:
        """Members, balances, lots, budgets and counts, by name."""
        db, brand_id = self._db, self._brand_id
        people = {found: name for name, found in self._identities.items()}
        members = await db.read(_MEMBERS, brand=brand_id)
        self._names = {row[0]: f"{people[row[1]]} {row[2]}" for row in members}
        names = self._names
        found: dict[str, dict[Any, Any]] = {
            "members": {
                names[row[0]]: (row[3] == "FROZEN", row[5] or 0, names.get(row[4]))
                for row in members
            },
            "balances": {},
            "lots": {},
            "locked": {},
        }
        for owner_id, asset, balance, locked in await db.read(_ACCOUNTS, brand=brand_id):
            if (balance, locked) != (0, 0):
                found["balances"].setdefault(names[owner_id], {})[asset] = (balance, locked)
        for owner_id, asset, expires_on, locked, remaining in await db.read(_LOTS, brand=brand_id):
            if locked:
                found["locked"].setdefault(names[owner_id], {})[asset] = remaining
            else:
                found["lots"].setdefault(names[owner_id], {})[asset, expires_on] = remaining
        rows = await db.read(_BUDGETS, brand=brand_id)
        found["budgets"] = {(row[0], row[1]): tuple(row[2:]) for row in rows}
        found["counts"] = {
            (code, kind, self._subject(kind, subject), window): used
            for code, kind, subject, window, used in await db.read(_COUNTERS, brand=brand_id)
        }
        return found

    def _subject(self, kind: str, subject: str) -> str:
        return self._devices[subject] if kind == "DEVICE" else self._names[UUID(hex=subject)]

    async def offences(self) -> list[str]:
        """What the auditor finds broken in this brand."""
        checks = await audit(self._db, self._slug)
        return [f"{check.name}: {check.examples}" for check in checks if check.broken]
