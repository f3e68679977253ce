"""A purchase of the audited brand that paid who is behind its place, of which some came back."""

from datetime import timedelta
from uuid import UUID

from loyalty.ids import new_id
from loyalty.ledger.models import TransferReversal
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.purchases.models import PurchaseEvent, PurchaseShare
from rewards.returns.models import PurchaseReturn, PurchaseReturnTaking
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_channel import OUTCOMES, AuditedChannel

SOLD_AT = AT + timedelta(days=4)


class AuditedShares(AuditedChannel):
    """The buyer got 1 fen and the store 3, of which 2 were taken back; the dealer was frozen, and
    the place has no salesperson."""

    def _shares(self) -> None:
        campaign = self._add(Campaign, code="SOLD", created_at=AT).id
        version = self._add(
            CampaignVersion,
            campaign_id=campaign,
            version=1,
            name_zh="活动",
            name_en="Campaign",
            event="PURCHASE",
            gate="NONE",
            priority=0,
            outcomes=[{"asset": "CASH", "basis": "FIXED", **outcome} for outcome in OUTCOMES],
            caps=[],
            published_by=new_id(),
            published_at=AT,
        ).id
        self.sold = self._add(
            PurchaseEvent,
            purchase_ref="sold",
            content_hash="c",
            member_id=self.other_consumer,
            purchased_on=SOLD_AT.date(),
            quantity=1,
            amount_fen=900,
            points_granted=0,
            source="TILL",
            campaign_version_id=version,
            place_id=self.places[0],
            returned_fen=450,
            occurred_at=SOLD_AT,
            created_at=SOLD_AT,
        ).id
        for role, member, reason in (
            ("STORE", self.store, None),
            ("DEALER", self.dealer, "FROZEN"),
            ("SALESPERSON", None, "VACANT"),
        ):
            self._add(
                PurchaseShare,
                purchase_id=self.sold,
                role=role,
                member_id=member,
                unpaid_reason=reason,
            )
        for name, member, amount in (
            ("the buyer's part", self.other_consumer, 1),
            ("the store's share", self.store, 3),
        ):
            self._transfer(
                *(name, (self.id, "CASH"), (member, "CASH"), amount, ("PURCHASE", self.sold)),
                at=SOLD_AT,
                booked_at=SOLD_AT,
                campaign_id=campaign,
            )
        self._half_returned(campaign)

    def _half_returned(self, campaign: UUID) -> None:
        row = self._add(
            PurchaseReturn,
            purchase_id=self.sold,
            return_ref="half of it",
            content_hash="c",
            amount_fen=450,
            left_fen=450,
            reason="too large",
            created_at=SOLD_AT,
        ).id
        taken = {"CONSUMER": ("the buyer's part", 1, 1), "STORE": ("the store's share", 3, 2)}
        for role, (name, amount, back) in taken.items():
            member = self.other_consumer if role == "CONSUMER" else self.store
            self._add(
                PurchaseReturnTaking,
                return_id=row,
                role=role,
                asset="CASH",
                taken=back,
                owed=0,
                voided=0,
            )
            sides = (member, "CASH"), (self.id, "REVERSED CASH")
            self._transfer(
                *(f"{name} back", *sides, back, ("PURCHASE_RETURN", row)),
                kind="REVERSE",
                at=SOLD_AT,
                booked_at=SOLD_AT,
                campaign_id=campaign,
                reverses_id=self.transfers[name],
            )
            self._add(
                TransferReversal,
                transfer_id=self.transfers[name],
                amount=amount,
                reversed=back,
            )
