"""What the audited brand has agreed on with its partner, in the copies of both."""

from loyalty.ids import new_id
from rewards.alliances.models import Agreement, AgreementVersion
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_clearing import AuditedClearing


class AuditedAlliances(AuditedClearing):
    """A version in force, and the next one proposed by the partner, which has signed it."""

    def _agreements(self) -> None:
        self.agreement, self.agreed, self.next_version = new_id(), new_id(), new_id()
        for brand_id, other_id in ((self.id, self.partner), (self.partner, self.id)):
            is_ours = brand_id == self.id
            self.rows.append(
                Agreement(
                    brand_id=brand_id,
                    id=self.agreement,
                    partner_id=other_id,
                    partner_slug="partner",
                    partner_name="Partner",
                    status="ACTIVE",
                    paused_at=AT if is_ours else None,
                    partner_paused_at=None if is_ours else AT,
                    pauses=[[AT.isoformat(), None]],
                    created_at=AT,
                )
            )
            self.rows.append(
                AgreementVersion(
                    id=self.agreed,
                    agreement_id=self.agreement,
                    number=1,
                    terms="{}",
                    digest="1",
                    status="IN_FORCE",
                    is_ours=is_ours,
                    signed_at=AT,
                    signed_by=new_id(),
                    partner_signed_at=AT,
                    in_force_from=AT,
                    brand_id=brand_id,
                    proposed_at=AT,
                )
            )
            self.rows.append(
                AgreementVersion(
                    id=self.next_version,
                    agreement_id=self.agreement,
                    number=2,
                    terms="{}",
                    digest="2",
                    is_ours=not is_ours,
                    signed_at=None if is_ours else AT,
                    signed_by=None if is_ours else new_id(),
                    partner_signed_at=AT if is_ours else None,
                    brand_id=brand_id,
                    proposed_at=AT,
                )
            )
