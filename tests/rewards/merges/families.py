"""A brand whose people are known to it twice: consumers and guides who scan, buy, owe and wait,
until somebody finds out that two of them are one."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from sqlmodel import SQLModel, col, select

from loyalty.actor import Actor, ActorKind, MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.clock import local_date
from loyalty.codes.models import BatchStatus, CodeBatch, CodeKind, CodePurpose, KeyEpoch
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.ledger.models import Account, Lot, Transfer
from loyalty.ledger.rules import ReturnPolicy
from loyalty.members.models import Identity, Member, RosterEntry
from loyalty.products.models import Product
from rewards.campaigns import service as campaigns
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import EventKind, Gate, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import CampaignDefinition, CouponOutcome, Outcome
from rewards.corrections.service import reverse_transfer
from rewards.coupons.service import buy_coupon
from rewards.merges.service import Merged, merge_members
from rewards.purchases.rules import PurchaseFact, PurchaseResult
from rewards.purchases.service import settle_purchases
from rewards.scans.service import settle_scans
from rewards.scans.world import ScanReply, ScanRequest
from tests.brands_made import make_brand
from tests.loyalty.bank import operator
from tests.rewards.coupons.wallets import add_template

P = ParamSpec("P")
T = TypeVar("T")
TWO_DAYS = timedelta(days=2)
Row = TypeVar("Row", bound=SQLModel)

CONSUMER, GUIDE = MemberRole.CONSUMER, MemberRole.GUIDE
PEOPLE = ("ann", "bea", "cat", "gus", "gil")
INNER, OUTER = 1, 2
POINTS, GROWTH, GUIDE_POINTS = 10, 40, 4
"""What a consumer's scan gives it and its guide."""
CASH, CHANCES = 7, 2
"""What a purchase gives beside a point and growth of one per yuan: cash that waits for two scans,
and chances that wait for two days."""


@dataclass(frozen=True)
class Holding:
    """What members have of an asset together. ``good`` is of ``balance``."""

    balance: int
    owed: int
    locked: int
    good: int

    @property
    def net(self) -> int:
        return self.balance - self.owed


class Family:
    """``people`` are identities by name; guides are on the roster."""

    def __init__(self, db: Database, brand: Brand, people: dict[str, UUID], epoch: UUID) -> None:
        self.db = db
        self.brand = brand
        self.people = people
        self.operator = operator(brand.id)
        self.template: UUID = brand.id
        self._epoch = epoch
        self._keys = 0

    def actor(self, person: str, role: MemberRole = CONSUMER) -> Actor:
        return Actor(ActorKind.MEMBER, self.brand.id, self.people[person], role.value)

    async def run(
        self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self.db.in_transaction(verb, *args, **kwargs)

    # --- what happens -------------------------------------------------------------------------

    def request(
        self, person: str, role: MemberRole, serial: int, device: str | None = None
    ) -> ScanRequest:
        self._keys += 1
        return ScanRequest(
            scan_id=new_id(),
            actor=self.actor(person, role),
            key_epoch_id=self._epoch,
            batch_number=INNER if role is CONSUMER else OUTER,
            serial=serial,
            idempotency_key=f"scan {self._keys}",
            body_hash="b",
            device_hash=device,
            latitude=None,
            longitude=None,
            scene=None,
            address="192.0.2.1",
        )

    async def scan(
        self, person: str, serial: int, role: MemberRole = CONSUMER, device: str | None = None
    ) -> dict[str, Any]:
        """The reply to one scan."""
        request = self.request(person, role, serial, device)
        [reply] = await self.run(settle_scans, [request], {})
        assert isinstance(reply, ScanReply), reply
        return reply.reply

    async def buy(self, person: str, yuan: int, days_ago: int = 0) -> PurchaseResult:
        async with self.db.snapshot() as snapshot:
            today = local_date(snapshot.now, self.brand.timezone)
        self._keys += 1
        on = today - timedelta(days=days_ago)
        fact = PurchaseFact(f"order {self._keys}", person, on, 1, yuan * 100)
        [result] = await self.run(settle_purchases, self.brand.id, self.operator, [fact])
        return result

    async def coupon(self, person: str) -> UUID:
        return (await self.run(buy_coupon, self.actor(person), self.template)).id

    async def take_back(self, person: str, asset: str) -> None:
        """Take back all that a member's oldest credit gave that was not yet; it owes the rest."""
        member = await self.member(person)
        accounts = await self.rows(Account, owner_id=member.id, asset=asset, kind="MAIN")
        for account in accounts:
            for credit in await self.rows(Transfer, credit_account_id=account.id, kind="EARN"):
                if credit.phase == "POSTED":
                    await self.run(
                        reverse_transfer,
                        self.operator,
                        credit.id,
                        amount=None,
                        policy=ReturnPolicy.UNLIMITED,
                        reason="a mistake",
                    )
                    return

    async def merge(self, one: str, other: str, role: MemberRole = CONSUMER) -> Merged:
        """Merge what one person is into what the other is: two members, or refused."""
        return await self.run(
            merge_members,
            self.operator,
            from_member_id=(await self.own(one, role)).id,
            into_member_id=(await self.own(other, role)).id,
            reason="one person, two phones",
        )

    # --- what is there ------------------------------------------------------------------------

    async def rows(self, model: type[Row], **where: Any) -> list[Row]:
        """Rows of the brand."""
        table: Any = model
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(
                select(model).where(
                    col(table.brand_id) == self.brand.id,
                    *(col(getattr(table, name)) == value for name, value in where.items()),
                )
            )
            return list(found)

    async def own(self, person: str, role: MemberRole = CONSUMER) -> Member:
        """The member that a person was enrolled as."""
        [member] = await self.rows(Member, identity_id=self.people[person], role=role.value)
        return member

    async def member(self, person: str, role: MemberRole = CONSUMER) -> Member:
        """The member that a person acts as."""
        own = await self.own(person, role)
        if own.merged_into_id is None:
            return own
        [other] = await self.rows(Member, id=own.merged_into_id)
        return other

    async def holdings(self, *members: UUID) -> dict[str, Holding]:
        """What members have together, by asset."""
        async with self.db.snapshot() as snapshot:
            today = local_date(snapshot.now, self.brand.timezone)
        sums: dict[str, Counter[str]] = {}
        for member_id in members:
            for account in await self.rows(Account, owner_id=member_id):
                found = sums.setdefault(account.asset, Counter())
                balance = account.credits_posted - account.debits_posted
                if account.kind == "RECEIVABLE":
                    found["owed"] -= balance
                    continue
                found["balance"] += balance
                found["locked"] += account.credits_pending
                for lot in await self.rows(Lot, account_id=account.id, locked=False):
                    found["good"] += lot.remaining if lot.expires_on >= today else 0
        return {
            asset: Holding(**{name: found[name] for name in ("balance", "owed", "locked", "good")})
            for asset, found in sums.items()
        }

    async def lots(self, member_id: UUID, asset: str) -> dict[Any, int]:
        """What is left of free lots, by last good day."""
        [account] = await self.rows(Account, owner_id=member_id, asset=asset, kind="MAIN")
        lots = await self.rows(Lot, account_id=account.id, locked=False)
        return {lot.expires_on: lot.remaining for lot in lots if lot.remaining}

    async def check(self) -> None:
        """The auditor finds nothing wrong."""
        broken = {check.name: check.examples for check in await audit(self.db) if check.broken}
        assert not broken, broken


async def make_family(db: Database, slug: str = "demo", names: Iterable[str] = PEOPLE) -> Family:
    """Nobody has done anything yet, so nobody is a member."""
    brand = await db.in_transaction(make_brand, slug)
    people, epoch = await db.in_transaction(_add_people_and_codes, brand, names)
    family = Family(db, brand, people, epoch)
    template = await db.in_transaction(add_template, brand, points_price=5, bought_per_member_max=3)
    family.template = template.id
    await db.in_transaction(
        campaigns.publish_campaign,
        system_actor(brand.id),
        CampaignDefinition(
            code="scan",
            name_zh="扫码",
            name_en="Scan",
            event=EventKind.SCAN,
            gate=Gate.CONSUMER_SCAN,
            outcomes=(
                _outcome(CONSUMER, "POINTS", POINTS),
                _outcome(CONSUMER, "GROWTH", GROWTH),
                _outcome(GUIDE, "POINTS", GUIDE_POINTS),
                CouponOutcome(CONSUMER, template.id),
            ),
            budgets={"POINTS": 10**6},
        ),
    )
    per_yuan = OutcomeBasis.PER_CURRENCY_UNIT
    await db.in_transaction(
        campaigns.publish_campaign,
        system_actor(brand.id),
        CampaignDefinition(
            code="buy",
            name_zh="购买",
            name_en="Buy",
            event=EventKind.PURCHASE,
            priority=9,
            outcomes=(
                Outcome(CONSUMER, "POINTS", per_yuan, 1),
                Outcome(CONSUMER, "GROWTH", per_yuan, 1),
                _outcome(CONSUMER, "CASH", CASH, Lock(UnlockKind.NEXT_SCAN, 2)),
                _outcome(CONSUMER, "CHANCES", CHANCES, Lock(UnlockKind.AFTER, after=TWO_DAYS)),
            ),
            budgets={"CASH": 10**6},
        ),
    )
    return family


def _outcome(role: MemberRole, asset: str, amount: int, lock: Lock | None = None) -> Outcome:
    return Outcome(role, asset, OutcomeBasis.FIXED, amount, lock)


async def _add_people_and_codes(
    tx: Tx, brand: Brand, names: Iterable[str]
) -> tuple[dict[str, UUID], UUID]:
    people = {}
    for name in names:
        identity = Identity(
            brand_id=brand.id,
            phone_hash=f"phone of {name}",
            phone_cipher="",
            external_ref=name,
            created_at=tx.now,
        )
        people[name] = identity.id
        await tx.add(
            identity,
            RosterEntry(
                brand_id=brand.id,
                role=GUIDE.value,
                phone_hash=f"phone of {name}",
                phone_cipher="",
                name=name,
                created_at=tx.now,
            ),
        )
    epoch = KeyEpoch(
        brand_id=brand.id, key_id=brand.id.hex[-6:], wrapped_key="k", created_at=tx.now
    )
    product = Product(brand_id=brand.id, sku="tea", name_zh="茶", name_en="Tea", created_at=tx.now)
    await tx.add(epoch, product)
    for number, kind, purpose in (
        (INNER, CodeKind.INNER, CodePurpose.REWARD),
        (OUTER, CodeKind.OUTER, CodePurpose.GUIDE),
    ):
        await tx.add(
            CodeBatch(
                brand_id=brand.id,
                number=number,
                series_no=1,
                key_epoch_id=epoch.id,
                product_id=product.id,
                kind=kind.value,
                purpose=purpose.value,
                quantity=10_000,
                status=BatchStatus.ACTIVE.value,
                created_at=tx.now,
            )
        )
    return people, epoch.id
