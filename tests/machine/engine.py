"""The engine as the state machine plays with it: what people and operators do, by name, and what
the rows say afterwards. Knows nothing of what should come of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
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
from loyalty.db import Database, Tx
from loyalty.errors import Refusal
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.audit import audit
from loyalty.ledger.expiry import sweep_chunk
from loyalty.ledger.rules import Book, Cause, ReturnPolicy
from loyalty.members.models import Identity
from loyalty.members.service import freeze_member, import_roster, invite_member, unfreeze_member
from loyalty.products.service import create_product
from rewards.campaigns.rules import CampaignDefinition
from rewards.campaigns.service import publish_campaign
from rewards.corrections.service import move_balance, reverse_transfer
from rewards.grants.unlocking import settle_due
from rewards.merges.service import merge_members
from rewards.purchases.rules import LineFact, PurchaseFact, PurchaseResult
from rewards.purchases.service import settle_purchases
from rewards.returns.rules import LineRequest, ReturnRequest
from rewards.returns.service import return_purchase
from rewards.scans.batcher import ScanBatcher
from rewards.scans.intake import ScanIntake
from rewards.scans.reversing import reverse_scan
from rewards.scans.world import ScanReply
from tests.clocks import SettableClock
from tests.machine.rows import Credited, Spent, find_credits, find_locked, find_spends, read_state
from tiers.ladders.rules import LadderPolicy, Level
from tiers.ladders.service import publish_ladder

Given = tuple[int, int | None, int | None]
"""What is given back of a line of a purchase: its number, how many pieces, for how many fen."""


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
        self._events: dict[UUID, str] = {}
        self._spends: list[UUID] = []
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

    async def publish_ladder(
        self, role: str, levels: list[Level], policy: LadderPolicy, allow_lowering: bool
    ) -> None:
        await self._db.in_transaction(
            publish_ladder,
            self._operator,
            role=MemberRole(role),
            levels=levels,
            policy=policy,
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
            reply = await self._intake.scan(
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
        self._events[UUID(hex=reply.reply["scan_id"])] = f"{person}: {key}"
        return reply

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
        command_id = new_id()
        await self._db.in_transaction(
            self._spend, self._member_id(member), asset, amount, command_id
        )
        self._spends.append(command_id)

    async def _spend(
        self, tx: Tx, member_id: UUID, asset: str, amount: int, command_id: UUID
    ) -> None:
        book = Book(new_id)
        cause = Cause("OPERATOR", command_id, "OPERATOR", new_id(), "a reason", tx.now)
        owner, today = (self._brand_id, member_id), local_date(tx.now, self._zone)
        await ledger.spend_balance(tx, book, owner, asset, amount, cause, today)
        await ledger.write_members_side(tx, book)
        await ledger.write_brands_side(tx, book)

    async def reverse(self, credit: Credited, amount: int | None, policy: str) -> None:
        found = await find_credits(self._db, self._brand_id, self._names, self._events)
        await self._reverse(found, credit, amount, policy)

    async def reverse_locked(self, credit: Credited) -> None:
        found = await find_locked(self._db, self._brand_id, self._names, self._events)
        await self._reverse(found, credit, None, "UNLIMITED")

    async def give_back(self, spent: Spent, amount: int | None) -> None:
        found = await find_spends(self._db, self._brand_id, self._spends)
        await self._reverse(found, spent, amount, "WITHIN_BALANCE")

    async def _reverse(
        self, found: Mapping[Any, UUID], wanted: object, amount: int | None, policy: str
    ) -> None:
        await self._db.in_transaction(
            reverse_transfer,
            self._operator,
            found[wanted],
            amount=amount,
            policy=ReturnPolicy(policy),
            reason="a reason",
        )

    async def reverse_scan(self, name: str) -> None:
        scan_id = next(found for found, known in self._events.items() if known == name)
        await self._db.in_transaction(reverse_scan, self._operator, scan_id, "a reason")

    async def sweep(self) -> None:
        """Of what has expired, few lots at a time, and of what has waited for too long."""
        swept = await self._db.in_transaction(sweep_chunk, self._brand_id, 3, again=True)
        while not swept.is_finished:
            swept = await self._db.in_transaction(sweep_chunk, self._brand_id, 3)
        while await self._db.in_transaction(settle_due, 100):
            pass  # also of brands that were played before

    async def purchase(
        self, *told: tuple[str, str, date, int, Sequence[tuple[int, int]]]
    ) -> list[PurchaseResult]:
        """(reference, person, day, fen, (pieces, fen) of each line) of each, in one batch."""
        facts = [
            PurchaseFact(
                ref,
                person,
                on,
                sum(pieces for pieces, _ in lines) or 1,
                fen,
                lines=tuple(LineFact(n, "sku", None, *line) for n, line in enumerate(lines, 1)),
            )
            for ref, person, on, fen, lines in told
        ]
        results = await self._db.in_transaction(
            settle_purchases, self._brand_id, self._operator, facts
        )
        for fact, result in zip(facts, results, strict=True):
            if result.purchase_id is not None:
                self._events[result.purchase_id] = fact.purchase_ref
        return results

    async def return_purchase(
        self, ref: str, return_ref: str, fen: int | None, line: Given | None
    ) -> None:
        lines = () if line is None else (LineRequest(*line),)
        request = ReturnRequest(return_ref, "a reason", fen, lines)
        done = await self._db.in_transaction(
            return_purchase, self._operator, request, purchase_ref=ref
        )
        self._events[done.row.id] = return_ref

    async def merge(self, source: str, target: str) -> None:
        await self._db.in_transaction(
            merge_members,
            self._operator,
            from_member_id=self._member_id(source),
            into_member_id=self._member_id(target),
            reason="a reason",
        )

    # --- what the rows say --------------------------------------------------------------------

    async def state(self) -> dict[str, dict[Any, Any]]:
        """Members, balances, lots, debts, budgets and counts, by name."""
        people = {found: name for name, found in self._identities.items()}
        self._names, found = await read_state(self._db, self._brand_id, people, self._devices)
        return found

    async def offences(self) -> list[str]:
        """What the auditor finds broken in this brand."""
        checks = await audit(self._db, self._slug)
        return [f"{check.name}: {check.examples}" for check in checks if check.broken]
