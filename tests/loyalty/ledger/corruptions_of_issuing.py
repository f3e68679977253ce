"""Coupons of partners that are told wrongly: invariants 5 and 12."""

from rewards.clearing.models import ClearingPosition
from rewards.code_lists.models import OutsideCode
from rewards.coupons.models import Coupon, CouponTemplate
from rewards.issues.models import IssueCounter, IssueList, IssueListRow, PartnerIssue, PoolMove
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.corruptions import Corruption, add, change, remove, the_template
from tests.loyalty.ledger.corruptions_of_clearing import RESERVED

ISSUED = "what a partner issued is a coupon of its host's, and no other coupon is a partner's"
FEES = "the fee of issuing is owed once for each coupon"
LIST_ROWS = "issue_list_rows refers only to its own brand"
LISTED = "a list has come to what its rows say"
POOLED = "a pool has what was put into it, and its fees are owed"
CODED = "a template of codes has a coupon for each code, and a code is of its coupon's template"
COUNTED = "a quota's counters are the coupons that were issued"

OF_ISSUING = (
    Corruption(
        "an issue that is lost",
        12,
        lambda b, _: [remove(PartnerIssue, brand_id=b.partner)],
        (ISSUED, RESERVED, COUNTED, LIST_ROWS),
    ),
    Corruption(
        "an issue of another coupon",
        12,
        lambda b, _: [
            change(PartnerIssue, {"brand_id": b.partner}, coupon_id=b.coupons["won too"])
        ],
        (ISSUED,),
    ),
    Corruption(
        "a coupon that ended, and what was reserved for it is not released",
        5,
        lambda b, _: [
            change(Coupon, {"brand_id": b.id, "cause_kind": "PARTNER"}, status="VOID", ended_at=AT)
        ],
        (RESERVED,),
    ),
    Corruption(
        "funds that are reserved for nothing",
        5,
        lambda b, _: [add(ClearingPosition, {"brand_id": b.id}, "reserved_fen", 1)],
        (RESERVED,),
    ),
    Corruption(
        "a fee that nobody has booked",
        5,
        lambda b, _: [add(PartnerIssue, {"brand_id": b.partner}, "fee_fen", 5)],
        (FEES,),
    ),
    Corruption(
        "a quota that counts more than was issued",
        5,
        lambda b, _: [
            change(IssueCounter, {"brand_id": b.partner, "campaign": ""}, used=2, used_max=2)
        ],
        (COUNTED,),
    ),
    Corruption(
        "a coupon of a campaign that counts for another one",
        5,
        lambda b, _: [change(PartnerIssue, {"brand_id": b.partner}, campaign="spring")],
        (COUNTED,),
    ),
    Corruption(
        "a list that says more than its rows",
        5,
        lambda b, _: [change(IssueListRow, {"brand_id": b.partner}, code="X", issue_id=None)],
        (LISTED,),
    ),
    Corruption(
        "a list that has come to a row without a result",
        5,
        lambda b, _: [add(IssueList, {"brand_id": b.partner}, "done_count", 1)],
        (LISTED,),
        ("issue_lists",),
    ),
    Corruption(
        "a pool with a coupon that nobody has put in",
        5,
        lambda b, _: [add(CouponTemplate, the_template(b, "pooled"), "stock_max", 1)],
        (POOLED, RESERVED, CODED),
    ),
    Corruption(
        "coupons put into a pool whose fee nobody has booked",
        5,
        lambda b, _: [change(PoolMove, {"brand_id": b.partner}, fee_fen=5)],
        (POOLED,),
    ),
    Corruption(
        "a code that is lost",
        5,
        lambda b, _: [remove(OutsideCode, brand_id=b.id, coupon_id=None)],
        (CODED,),
    ),
    Corruption(
        "a code that a coupon of another template has",
        5,
        lambda b, _: [
            change(OutsideCode, {"brand_id": b.id}, coupon_id=b.coupons["fresh"], given_at=AT)
        ],
        (CODED,),
    ),
)
