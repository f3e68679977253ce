"""One dual-reward scan as a competent team writes it first: objects, one session a request.

It writes the rows that the engine writes (asserted by every run) and keeps the same guarantees:
one transaction, row locks, guarded budgets, an idempotency record. Configuration that a request
only reads (brand, keys, campaign, levels, batches) is held in memory, as the engine does. The
hottest rows are moved last, by one UPDATE each, in one order, so that it does not deadlock.
It shares the tables and the codec of codes with the engine, and nothing of the scan itself.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from benchmarks.twin_configuration import Configuration
from benchmarks.twin_payment import Payment
from loyalty.clock import local_date
from loyalty.codes.models import CodeBatch, ItemCode
from loyalty.codes.rules import item_no, recognise
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.members.models import Identity, Invitation, Member, MemberDevice
from rewards.campaigns.models import CapCounter
from rewards.scans.models import Claim, ScanEvent


class Declined(Exception):
    """What the twin does not pay. The bench asks for none of it."""


@dataclass(frozen=True)
class Request:
    """The input of the mutation, and whose token it came with."""

    identity_id: UUID
    code: str
    key: str
    device_id: str | None
    latitude: float | None
    longitude: float | None


@dataclass
class Scan:
    """The unit of work of one request."""

    session: AsyncSession
    configuration: Configuration
    request: Request
    now: datetime
    id: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        self._payment = Payment(
            self.session, self.configuration, self.request.identity_id, self.id, self.now
        )

    async def run(self) -> dict[str, Any]:
        """Pay the consumer and the guide, or raise; the receipt."""
        request, configuration = self.request, self.configuration
        brand_id = configuration.brand.id
        body = json.dumps([request.code, request.device_id, request.latitude, request.longitude])
        digest = hashlib.sha256(body.encode()).hexdigest()
        record_key = (brand_id, request.identity_id, "scanCode", request.key)
        stored = await self.session.get(IdempotencyRecord, record_key)
        if stored is not None:
            if stored.body_hash != digest:
                raise Declined("the key was used with another body")
            return stored.reply
        found = recognise(configuration.keys, request.code)
        if found is None:
            raise Declined("no such code")
        batch = configuration.batches[found[1]]
        item = item_no(batch.series_no, found[2])
        member, is_new = await self._member()
        guide = await self._guide(member)
        device_hash = await self._device(member, guide)
        await self._claim(item, member, guide)
        await self._count(member, guide, device_hash)
        await self._payment.pay("CONSUMER", member)
        await self._payment.pay("GUIDE", guide)
        reply = await self._receipt(member, batch, is_new)
        self._record(member, guide, batch, item, device_hash)
        if is_new:
            self._payment.emit("member.enrolled", member.id, {"role": member.role})
        self.session.add(
            IdempotencyRecord(
                brand_id=brand_id,
                actor_id=request.identity_id,
                operation="scanCode",
                key=request.key,
                body_hash=digest,
                reply=reply,
                created_at=self.now,
            )
        )
        await self.session.flush()
        await self._payment.move_hot_rows()
        return reply

    # --- who ---------------------------------------------------------------------------------

    async def _member(self) -> tuple[Member, bool]:
        brand_id, identity_id = self.configuration.brand.id, self.request.identity_id
        member = (
            await self.session.exec(
                select(Member).where(
                    Member.brand_id == brand_id,
                    Member.identity_id == identity_id,
                    Member.role == "CONSUMER",
                )
            )
        ).first()
        if member is not None:
            if member.status != "ACTIVE":
                raise Declined("frozen")
            return member, False
        identity = await self.session.get_one(Identity, (brand_id, identity_id))
        invitation = (
            await self.session.exec(
                select(Invitation)
                .where(
                    Invitation.brand_id == brand_id,
                    Invitation.phone_hash == identity.phone_hash,
                )
                .with_for_update()
            )
        ).first()
        member = Member(
            brand_id=brand_id,
            identity_id=identity_id,
            role="CONSUMER",
            invited_by_id=invitation.inviter_id if invitation else None,
            enrolled_at=self.now,
        )
        self.session.add(member)
        await self.session.flush()
        if invitation is not None and invitation.accepted_member_id is None:
            invitation.accepted_member_id = member.id
            invitation.accepted_at = self.now
            self.session.add(invitation)
        return member, True

    async def _guide(self, member: Member) -> Member:
        if member.invited_by_id is None:
            raise Declined("no guide")
        guide = await self.session.get_one(Member, (member.brand_id, member.invited_by_id))
        if guide.status != "ACTIVE" or guide.identity_id == member.identity_id:
            raise Declined("frozen, or the same person")
        return guide

    async def _device(self, member: Member, guide: Member) -> str | None:
        if self.request.device_id is None:
            return None
        brand_id = member.brand_id
        device_hash = self.configuration.keyring.lookup_hash(
            brand_id, "device", self.request.device_id
        )
        devices = (
            await self.session.exec(
                select(MemberDevice).where(
                    MemberDevice.brand_id == brand_id,
                    MemberDevice.device_hash == device_hash,
                    col(MemberDevice.member_id).in_([member.id, guide.id]),
                )
            )
        ).all()
        if any(device.member_id == guide.id for device in devices):
            raise Declined("the guide's own device")
        if not devices:
            self.session.add(
                MemberDevice(
                    brand_id=brand_id,
                    device_hash=device_hash,
                    member_id=member.id,
                    first_seen_at=self.now,
                )
            )
        return device_hash

    # --- whether -----------------------------------------------------------------------------

    async def _claim(self, item: int, member: Member, guide: Member) -> None:
        claims = (
            await self.session.exec(
                select(Claim).where(
                    Claim.brand_id == member.brand_id,
                    Claim.item_no == item,
                    Claim.purpose == "REWARD",
                )
            )
        ).all()
        if claims:
            raise Declined("already claimed")
        for role, beneficiary in (("CONSUMER", member), ("GUIDE", guide)):
            self.session.add(
                Claim(
                    brand_id=member.brand_id,
                    item_no=item,
                    purpose="REWARD",
                    beneficiary_role=role,
                    scan_id=self.id,
                    member_id=beneficiary.id,
                    outcome="PAID",
                    campaign_id=self.configuration.campaign.campaign_id,
                    settled_scan_id=self.id,
                    created_at=self.now,
                )
            )
        await self.session.flush()  # the primary key decides who was first

    async def _count(self, member: Member, guide: Member, device_hash: str | None) -> None:
        campaign = self.configuration.campaign
        subjects = {"MEMBER": member.id.hex, "DEVICE": device_hash, "GUIDE": guide.id.hex}
        today = local_date(self.now, self.configuration.brand.timezone).isoformat()
        for cap in campaign.caps:
            subject = subjects[cap["subject"]]
            if subject is None:
                continue
            window = today if cap["window"] == "DAY" else "ALL"
            key = (campaign.brand_id, campaign.campaign_id, cap["subject"], subject, window)
            counter = await self.session.get(CapCounter, key, with_for_update=True)
            if counter is None:
                counter = CapCounter(
                    brand_id=campaign.brand_id,
                    campaign_id=campaign.campaign_id,
                    subject_kind=cap["subject"],
                    subject=subject,
                    window_key=window,
                    used=0,
                    times_max=cap["times_max"],
                )
            if counter.used >= cap["times_max"]:
                raise Declined("a cap")
            counter.used += 1
            counter.times_max = cap["times_max"]
            self.session.add(counter)
        await self.session.flush()

    # --- what is kept ------------------------------------------------------------------------

    async def _receipt(self, member: Member, batch: CodeBatch, is_new: bool) -> dict[str, Any]:
        levels = self.configuration.levels.get("CONSUMER")
        level = levels[await self._payment.rank(member)] if levels else None
        return {
            "id": str(self.id),
            "occurredAt": self.now.isoformat(),
            "verdict": "FIRST",
            "product": self.configuration.products[batch.product_id].name_en,
            "isNewMember": is_new,
            "rewards": self._payment.rewards,
            "balances": [
                {"asset": asset, "balance": balance}
                for asset, balance in self._payment.balances.items()
            ],
            "tier": level.code if level else None,
        }

    def _record(
        self, member: Member, guide: Member, batch: CodeBatch, item: int, device_hash: str | None
    ) -> None:
        request, campaign = self.request, self.configuration.campaign
        self.session.add(
            ScanEvent(
                brand_id=member.brand_id,
                id=self.id,
                item_no=item,
                code_kind=batch.kind,
                batch_id=batch.id,
                product_id=batch.product_id,
                identity_id=request.identity_id,
                member_id=member.id,
                role="CONSUMER",
                verdict="FIRST",
                unpaid_reason=None,
                guide_member_id=guide.id,
                guide_unpaid_reason=None,
                campaign_version_id=campaign.id,
                device_hash=device_hash,
                latitude=request.latitude,
                longitude=request.longitude,
                scene=None,
                occurred_at=self.now,
                created_at=self.now,
            )
        )
        self.session.add(
            ItemCode(
                brand_id=member.brand_id,
                item_no=item,
                kind=batch.kind,
                batch_id=batch.id,
                scan_count=1,
                first_scan_id=self.id,
                first_scanned_at=self.now,
                first_latitude=request.latitude,
                first_longitude=request.longitude,
                last_scan_id=self.id,
                last_scanned_at=self.now,
            )
        )
        payload = {"product_id": batch.product_id.hex, "first": True, "paid": True}
        self._payment.emit("scan.recorded", self.id, payload)
