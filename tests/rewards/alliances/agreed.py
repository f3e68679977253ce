"""Two brands that agree, as rows, for tests of what follows of it."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loyalty.actor import Actor, system_actor
from loyalty.brands.models import Brand
from loyalty.db import Tx
from rewards.alliances.models import AgreementVersion
from rewards.alliances.service import propose, sign
from rewards.alliances.terms import (
    Draft,
    DraftLine,
    Funding,
    FundingKind,
    Quota,
    QuotaWindow,
    Share,
)
from rewards.coupons.models import CouponTemplate
from tests.brands_made import make_brand
from tests.rewards.redemptions.shops import add_template

FIRST_ON = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A host with a template of 350 fen, and a partner that may issue its coupons."""

    host: Brand
    partner: Brand
    template: CouponTemplate

    @property
    def hosts(self) -> Actor:
        return system_actor(self.host.id)

    @property
    def partners(self) -> Actor:
        return system_actor(self.partner.id)

    def draft(self, **line: Any) -> Draft:
        """The partner issues up to three a day, bears 60 %, the host 20 %, good at both tills, with
        fees of 5 and 7 fen, postpaid up to 10,000 fen; the line's other fields as given."""
        given = DraftLine(
            template_id=self.template.id,
            issuer_id=self.partner.id,
            redeemer_ids=(self.host.id, self.partner.id),
            issuer_share=Share(basis_points=6_000),
            host_share=Share(basis_points=2_000),
            issue_fee_fen=5,
            redeem_fee_fen=7,
            quotas=(Quota(QuotaWindow.DAY, 3),),
        )
        funding = Funding(self.partner.id, FundingKind.POSTPAID, 10_000, 1_000)
        return Draft(first_on=FIRST_ON, funding=(funding,), lines=(replace(given, **line),))


async def make_pair(tx: Tx, /, host: str = "host", partner: str = "partner") -> Pair:
    """Nothing is agreed yet."""
    first, second = await make_brand(tx, host), await make_brand(tx, partner)
    template = await add_template(tx, first.id, usable_until=date(2999, 12, 31))
    return Pair(first, second, template)


async def agree(tx: Tx, /, pair: Pair, draft: Draft | None = None) -> AgreementVersion:
    """The host's copy of a version that both have signed."""
    version = await propose(tx, pair.hosts, pair.partner.slug, draft or pair.draft())
    await sign(tx, pair.partners, version.agreement_id, version.digest)
    return await sign(tx, pair.hosts, version.agreement_id, version.digest)
