"""A brand of its own for each race, with people who hold tokens and codes that can be scanned."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import SQLModel, col, select

from loyalty.access.tokens import TokenIssuer
from loyalty.actor import (
    GRANTS_BY_ROLE,
    Actor,
    ActorKind,
    MemberRole,
    OperatorRole,
    system_actor,
)
from loyalty.clock import utc_now
from loyalty.codes import service as codes
from loyalty.codes.models import CodeBatch, CodeKind
from loyalty.codes.rules import item_no
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.members import service as members
from loyalty.members.models import Identity, Invitation, Member
from loyalty.places.channel import set_guide_place
from loyalty.places.service import create_place
from loyalty.products.service import create_product
from rewards.campaigns.models import EventKind, Gate, OutcomeBasis
from rewards.campaigns.rules import BonusTerms, CampaignDefinition, Cap, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.draws.terms import DrawTerms
from tests.brands_made import make_brand
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.races.wire import Answer, ask_once, request_bytes

CONSUMER_POINTS = 100
GUIDE_POINTS = 30
CODES_ORDERED = 1000
READY_TRIES_MAX = 100

SCAN = """mutation Race($input: ScanCodeInput!) { scanCode(input: $input) { __typename
  ... on ScanCodeReceipt { replayed scanId verdict unpaidReason guideUnpaidReason scanCount
    isNewMember rewards { asset amount locked } }
  ... on Refused { code } } }"""

Row = TypeVar("Row", bound=SQLModel)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token."""

    identity_id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Guide(Caller):
    """A guide is a member before its first scan."""

    member_id: UUID


class Stage:
    """One brand on one database, and what races need of it."""

    def __init__(self, db: Database, slug: str) -> None:
        self.db = db
        self.slug = slug
        self.keyring = Keyring(bytes.fromhex(MASTER_KEY))
        self._tokens = TokenIssuer(bytes.fromhex(TOKEN_SECRET), 3600)
        self._phones = 0

    async def build(
        self,
        *,
        caps: Sequence[Cap] = (),
        budget: int | None = None,
        gate: Gate = Gate.NONE,
        pays: bool = True,
        draw: DrawTerms | None = None,
        besides: Sequence[Outcome] = (),
    ) -> "Stage":
        """Make the brand; its campaign pays a consumer 100 points and 10 growth, a guide 30."""
        brand = await self.db.in_transaction(make_brand, self.slug)
        self.brand_id = brand.id
        self._system = system_actor(brand.id)
        product = await self.db.in_transaction(
            create_product, self._system, sku="tea", name_zh="茶", name_en="Tea"
        )
        if pays:
            definition = CampaignDefinition(
                code="races",
                name_zh="竞赛",
                name_en="Races",
                event=EventKind.SCAN,
                outcomes=(*_OUTCOMES, *besides),
                gate=gate,
                caps=tuple(caps),
                budgets={} if budget is None else {Asset.POINTS: budget},
                draw=draw,
            )
            await self.db.in_transaction(publish_campaign, self._system, definition, self.keyring)
        inner, outer = await self._order(product.id, [CodeKind.INNER, CodeKind.OUTER])
        await self.db.in_transaction(codes.activate_batch, self._system, inner.id)
        (idle,) = await self._order(product.id, [CodeKind.INNER])
        async with self.db.snapshot() as snapshot:
            key = await codes.load_key(snapshot, self.keyring, self.brand_id, inner.key_epoch_id)
        self.inner_batch = inner
        self.inner = [key.encode(inner.number, serial) for serial in range(CODES_ORDERED)]
        self.outer = [key.encode(outer.number, serial) for serial in range(CODES_ORDERED)]
        self.inactive = [key.encode(idle.number, serial) for serial in range(CODES_ORDERED)]
        return self

    async def stack(
        self, code: str, asset: Asset, *, caps: Sequence[Cap] = (), budget: int | None = None
    ) -> None:
        """A bonus campaign, the only one of its group: 1 of an asset for the consumer, on top."""
        definition = CampaignDefinition(
            code=code,
            name_zh="加奖",
            name_en="Bonus",
            event=EventKind.SCAN,
            outcomes=(Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.FIXED, 1),),
            caps=tuple(caps),
            budgets={} if budget is None else {asset: budget},
            bonus=BonusTerms(code),
        )
        await self.db.in_transaction(publish_campaign, self._system, definition)

    async def _order(self, product_id: UUID, kinds: list[CodeKind]) -> list[CodeBatch]:
        batches = await self.db.in_transaction(
            codes.create_batches,
            self._system,
            self.keyring,
            product_id=product_id,
            quantity=CODES_ORDERED,
            kinds=kinds,
        )
        await self.db.in_transaction(codes.mark_printed, self._system, batches[0].id, True)
        return batches

    async def boxes(self) -> UUID:
        """A batch of boxes."""
        (batch,) = await self._order(self.inner_batch.product_id, [CodeKind.BOX_INNER])
        return batch.id

    # --- people ---------------------------------------------------------------------------------

    def _token(self, identity_id: UUID, role: MemberRole) -> str:
        actor = Actor(ActorKind.MEMBER, self.brand_id, identity_id, role.value)
        return self._tokens.issue(actor, utc_now())

    def operator(self) -> str:
        """A token that may do everything in the console."""
        role = OperatorRole.ADMIN
        actor = Actor(ActorKind.OPERATOR, self.brand_id, new_id(), role.value, GRANTS_BY_ROLE[role])
        return self._tokens.issue(actor, utc_now())

    def clerk(self, actor: Actor) -> str:
        """A token of a clerk at a till."""
        return self._tokens.issue(actor, utc_now())

    async def consumers(self, count: int, invited_by: Sequence[Guide] = ()) -> list[Caller]:
        """People who never acted; invited by these guides in turn, if any."""
        identities = await self.db.in_transaction(self._add_people, count, invited_by)
        return [Caller(i.id, self._token(i.id, MemberRole.CONSUMER)) for i in identities]

    async def _add_people(self, tx: Tx, count: int, invited_by: Sequence[Guide]) -> list[Identity]:
        found = []
        for number in range(count):
            phone = self._next_phone()
            phone_hash = self.keyring.lookup_hash(self.brand_id, "phone", phone)
            cipher = self.keyring.encrypt_phone(self.brand_id, phone)
            identity = Identity(
                brand_id=self.brand_id,
                phone_hash=phone_hash,
                phone_cipher=cipher,
                created_at=tx.now,
            )
            await tx.add(identity)
            found.append(identity)
            if invited_by:
                await tx.add(
                    Invitation(
                        brand_id=self.brand_id,
                        inviter_id=invited_by[number % len(invited_by)].member_id,
                        phone_hash=phone_hash,
                        phone_cipher=cipher,
                        created_at=tx.now,
                    )
                )
        return found

    def _next_phone(self) -> str:
        self._phones += 1
        return f"+86138{self._phones:08d}"

    async def guides(self, count: int) -> list[Guide]:
        """Guides on the roster, enrolled."""
        return await self.db.in_transaction(self._add_guides, count)

    async def _add_guides(self, tx: Tx, count: int) -> list[Guide]:
        role = MemberRole.GUIDE
        phones = [self._next_phone() for _ in range(count)]
        entries = [(phone, "Guide") for phone in phones]
        await members.import_roster(tx, self._system, self.keyring, role.value, entries)
        found = []
        for phone in phones:
            identity = await members.find_or_create_identity_by_phone(
                tx, self.keyring, self.brand_id, phone
            )
            actor = Actor(ActorKind.MEMBER, self.brand_id, identity.id, role.value)
            member = await members.enrol(tx, actor)
            found.append(Guide(identity.id, self._token(identity.id, role), member.id))
        return found

    async def store_of(self, guide: Guide) -> UUID:
        """Put a place behind a guide: the member that acts for it."""
        return await self.db.in_transaction(self._add_store, guide)

    async def _add_store(self, tx: Tx, guide: Guide) -> UUID:
        system, keyring, phone = self._system, self.keyring, self._next_phone()
        terms: dict[str, Any] = {"address": "-", "payout_threshold_fen": 100, "store_phone": phone}
        place = await create_place(tx, system, keyring, code="store", name="Store", **terms)
        known = await members.get_identity(tx, self.brand_id, guide.identity_id)
        guides = keyring.decrypt_phone(self.brand_id, known.phone_cipher or "")
        await set_guide_place(tx, system, keyring, guides, place.id)
        owner = await members.find_or_create_identity_by_phone(tx, keyring, self.brand_id, phone)
        role = MemberRole.STORE.value
        member = await members.enrol(tx, Actor(ActorKind.MEMBER, self.brand_id, owner.id, role))
        return member.id

    def item_no(self, serial: int) -> int:
        """The item that ``inner[serial]`` and ``outer[serial]`` are printed on."""
        return item_no(self.inner_batch.series_no, serial)

    # --- requests and rows ----------------------------------------------------------------------

    def scan(self, caller: Caller, code: str, key: str, device: str | None = None) -> bytes:
        """A prebuilt scan."""
        given = {"code": code, "idempotencyKey": key, "deviceId": device}
        return request_bytes(caller.token, SCAN, {"input": given})

    async def warm(self, ports: Iterable[int]) -> None:
        """Until every server knows the brand's keys: an unpaid scan of a code not activated."""
        (somebody,) = await self.consumers(1)
        for number, port in enumerate(ports):
            for _ in range(READY_TRIES_MAX):
                request = self.scan(somebody, self.inactive[number], f"warm-{number}")
                if said(await ask_once(port, request)).get("unpaidReason") == "INACTIVE":
                    break
                await asyncio.sleep(0.05)
            else:
                raise TimeoutError("a server never learned the brand's keys")

    async def rows(self, model: type[Row]) -> list[Row]:
        """All of the brand's rows of a table."""
        owner: Any = col(model.brand_id)  # type: ignore[attr-defined]
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(select(model).where(owner == self.brand_id))
            return list(found)

    async def member_ids(self) -> dict[UUID, UUID]:
        """Members by identity; of a guide that is a consumer too, the last one."""
        return {member.identity_id: member.id for member in await self.rows(Member)}


_OUTCOMES = tuple(
    Outcome(role, asset, OutcomeBasis.FIXED, amount)
    for role, asset, amount in (
        (MemberRole.CONSUMER, Asset.POINTS, CONSUMER_POINTS),
        (MemberRole.CONSUMER, Asset.GROWTH, 10),
        (MemberRole.GUIDE, Asset.POINTS, GUIDE_POINTS),
    )
)


def said(answer: Answer, field: str = "scanCode") -> dict[str, Any]:
    """What a mutation said; a masked fault has only ``fault``, its code."""
    data = answer.get("data")
    if data is None or data.get(field) is None:
        errors = answer.get("errors") or [{}]
        return {"__typename": "Fault", "fault": errors[0].get("extensions", {}).get("code")}
    found: dict[str, Any] = data[field]
    return found
