"""Agreements of which the two sides' copies say different things: invariant 12."""

from rewards.alliances.models import Agreement, AgreementVersion
from rewards.coupons.models import CouponTemplate
from tests.loyalty.ledger.corruptions import Corruption, change, remove, the_template

AGREEMENTS = "both brands have the same agreement, each as its own"
VERSIONS = "both brands have the same terms, and have signed what is in force"
NAMED = "a template is under an agreement that names it"

OF_ALLIANCES = (
    Corruption(
        "one side's pause of which the other does not know",
        12,
        lambda b, _: [change(Agreement, {"brand_id": b.partner}, partner_paused_at=None)],
        (AGREEMENTS,),
    ),
    Corruption(
        "one side's copy of other terms",
        12,
        lambda b, _: [
            change(AgreementVersion, {"brand_id": b.partner, "id": b.agreed}, terms="[]")
        ],
        (VERSIONS,),
    ),
    Corruption(
        "a version of which the partner knows nothing",
        12,
        lambda b, _: [remove(AgreementVersion, brand_id=b.partner, id=b.next_version)],
        (VERSIONS,),
    ),
    Corruption(
        "terms in force that one side has not signed",
        12,
        lambda b, _: [
            change(AgreementVersion, {"brand_id": b.id, "id": b.agreed}, partner_signed_at=None)
        ],
        (VERSIONS,),
        ("agreement_versions",),
    ),
    Corruption(
        "a template under an agreement that does not name it",
        12,
        lambda b, _: [change(CouponTemplate, the_template(b, "won"), agreement_id=b.agreement)],
        (NAMED,),
    ),
)
