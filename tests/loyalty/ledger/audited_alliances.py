"""What the audited brand has agreed on with its partner, in the copies of both."""

from uuid import UUID

from loyalty.ids import new_id
from rewards.alliances.models import Agreement, AgreementVersion, CouponPool
from rewards.code_lists.models import OutsideCode
from rewards.coupons.models import Coupon
from rewards.issues.models import IssueCounter, IssueList, IssueListRow, PartnerIssue, PoolMove
from rewards.matching.models import MatchToken
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_clearing import POOLED_FEN, RESERVED_FEN, AuditedClearing
from tests.loyalty.ledger.audited_store import TODAY, YEAR_END


class AuditedAlliances(AuditedClearing):
    """A version in force, and the next one proposed by the partner, which has signed it. The
    partner has issued a coupon."""

    def _agreed(self) -> None:
        """The agreement's copies: templates refer to them."""
        self.agreement, self.partner = new_id(), new_id()
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

    def _agreements(self) -> None:
        self.agreed, self.next_version = new_id(), new_id()
        template_id, pool_id = new_id(), new_id()
        for brand_id in (self.id, self.partner):
            is_ours = brand_id == self.id
            self.rows.append(
                AgreementVersion(
                    id=self.agreed,
                    agreement_id=self.agreement,
                    number=1,
                    terms=f'["{template_id.hex}", "{pool_id.hex}"]',
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
        self._issued(template_id)
        self._pooled(pool_id)

    def _issued(self, template_id: UUID) -> None:
        issue_id, coupon_id = new_id(), new_id()
        issued = {"agreement_id": self.agreement, "issued": 1}
        self._template("partners", id=template_id, status="PARTNER", amount_off_fen=1, **issued)
        self._add(
            Coupon,
            id=coupon_id,
            template_id=template_id,
            member_id=self.consumer,
            code="partners",
            cause_kind="PARTNER",
            cause_id=issue_id,
            usable_from=TODAY,
            usable_until=YEAR_END,
            issued_at=AT,
        )
        self.rows.append(
            PartnerIssue(
                brand_id=self.partner,
                id=issue_id,
                host_id=self.id,
                agreement_id=self.agreement,
                version_id=self.agreed,
                template_id=template_id,
                coupon_id=coupon_id,
                campaign="autumn",
                fee_fen=0,
                reserved_fen=RESERVED_FEN,
                issued_at=AT,
            )
        )
        for campaign in ("", "autumn"):
            self.rows.append(
                IssueCounter(
                    brand_id=self.partner,
                    agreement_id=self.agreement,
                    template_id=template_id,
                    window="DAY",
                    starts_on=TODAY,
                    campaign=campaign,
                    used=1,
                    used_max=1,
                )
            )
        self._add(
            MatchToken,
            agreement_id=self.agreement,
            token="A" * 43,
            identity_id=self.consumer_identity,
        )
        self._listed(template_id, issue_id)

    def _listed(self, template_id: UUID, issue_id: UUID) -> None:
        issue_list = IssueList(
            brand_id=self.partner,
            agreement_id=self.agreement,
            template_id=template_id,
            name="list",
            upload_key="1",
            digest="1",
            status="OPEN",
            row_count=1,
            done_count=1,
            issued_count=1,
            created_at=AT,
            worked_at=AT,
        )
        self.rows.append(issue_list)
        self.rows.append(
            IssueListRow(
                brand_id=self.partner,
                list_id=issue_list.id,
                row_no=1,
                token="A" * 43,
                code="ISSUED",
                issue_id=issue_id,
            )
        )

    def _pooled(self, template_id: UUID) -> None:
        """One coupon in a pool that nobody has, of a third party's code."""
        agreed = {"agreement_id": self.agreement, "issued": 0, "stock_max": 1}
        of_codes = {"kind": "CODE", "cost_fen": 0, "fee_fen": 0}
        self._template("pooled", id=template_id, **of_codes, **agreed)
        self._add(
            CouponPool,
            template_id=template_id,
            agreement_id=self.agreement,
            reserve_fen=POOLED_FEN,
            opened_at=AT,
        )
        self.rows.append(
            PoolMove(
                brand_id=self.partner,
                host_id=self.id,
                agreement_id=self.agreement,
                template_id=template_id,
                count=1,
                fee_fen=0,
                moved_at=AT,
            )
        )
        self._add(OutsideCode, template_id=template_id, code_hash="1", code_cipher="1", added_at=AT)
