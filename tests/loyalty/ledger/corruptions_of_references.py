"""Rows that refer to another brand's, or to nothing: invariant 12."""

from loyalty.access.models import RefreshToken, SignInSession, WechatAccount
from loyalty.assets.models import AssetDefinition
from loyalty.codes.models import ItemCode
from loyalty.ledger.models import Account
from loyalty.outbox import OutboxEvent
from loyalty.places.models import Place
from rewards.campaigns.models import CapCounter
from rewards.coupons.models import Coupon, CouponTemplate
from rewards.payouts.models import Payout
from rewards.redemptions.models import Redemption
from rewards.scans.models import Claim, ScanEvent
from tests.loyalty.ledger.audited_brand import SERIES
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_claim,
    the_counter,
    the_coupon,
    the_payout,
    the_redemption,
    the_scan,
    the_template,
)

OF_REFERENCES = (
    Corruption(
        "a claim of another brand's member",
        12,
        lambda b, other: [change(Claim, the_claim(b, 2, "GUIDE"), member_id=other.guide)],
        ("a claim's scans exist and are of its item", "claims refers only to its own brand"),
    ),
    Corruption(
        "a cap of another brand's member",
        12,
        lambda b, other: [
            change(CapCounter, the_counter(b, "MEMBER", b.consumer.hex), subject=other.consumer.hex)
        ],
        ("a cap counts a member of its brand", "a cap counts the scans that were paid"),
    ),
    Corruption(
        "an account of another brand's member",
        12,
        lambda b, other: [change(Account, the_account(b, b.guide, "GROWTH"), owner_id=other.guide)],
        ("an account is its brand's, or one of its members' or places'",),
    ),
    Corruption(
        "a debt of another brand's member",
        12,
        lambda b, other: [
            change(Account, the_account(b, b.consumer, "OWED"), owner_id=other.consumer)
        ],
        (
            "an account is its brand's, or one of its members' or places'",
            "a return took what its transfers took",
        ),
    ),
    Corruption(
        "an account of an unknown kind",
        12,
        lambda b, _: [change(Account, the_account(b, b.id, "EXPIRED GROWTH"), kind="LIABILITY")],
        ("an account is its brand's, or one of its members' or places'",),
    ),
    Corruption(
        "an asset that only another brand has",
        12,
        lambda b, _: [remove(AssetDefinition, brand_id=b.id, code="GROWTH")],
        ("an account holds an asset that its brand has",),
    ),
    Corruption(
        "a scan under another person's member",
        12,
        lambda b, _: [change(ScanEvent, the_scan(b, "again 1"), member_id=b.other_consumer)],
        ("a scan's member is its identity's, in the role acted in",),
    ),
    Corruption(
        "a scan of another brand's batch",
        12,
        lambda b, other: [
            change(ScanEvent, the_scan(b, "again 1"), batch_id=other.batches["INNER"])
        ],
        ("scan_events refers only to its own brand",),
    ),
    Corruption(
        "a scan of an item its batch does not have",
        12,
        lambda b, _: [
            change(ScanEvent, {"brand_id": b.id, "item_no": SERIES + 2}, item_no=SERIES + 200),
            change(ItemCode, {"brand_id": b.id, "item_no": SERIES + 2}, item_no=SERIES + 200),
            change(Claim, {"brand_id": b.id, "item_no": SERIES + 2}, item_no=SERIES + 200),
        ],
        ("a scan's item is one of its batch's",),
    ),
    Corruption(
        "a row of no brand",
        12,
        lambda b, _: [repeat(OutboxEvent, {"brand_id": b.id, "attempts": 0}, brand_id=STRANGER)],
        ("every row is of a brand that exists",),
    ),
    Corruption(
        "a redemption at another brand's till",
        12,
        lambda b, other: [change(Redemption, the_redemption(b, "won"), till_id=other.tills[0])],
        ("redemptions refers only to its own brand",),
    ),
    Corruption(
        "a coupon of another brand's template",
        12,
        lambda b, other: [
            change(Coupon, the_coupon(b, "won too"), template_id=other.templates["won"]),
            add(CouponTemplate, the_template(b, "won"), "issued", -1),
        ],
        (
            "a paid scan wins exactly the coupons that its campaign gives",
            "a template's stock counts the coupons there are",
            "coupons refers only to its own brand",
        ),
    ),
    Corruption(
        "a payout to another brand's place",
        12,
        lambda b, other: [change(Payout, the_payout(b, "paid"), place_id=other.places[0])],
        (
            "a payout is its pending transfer, and ends with it",
            "payouts refers only to its own brand",
        ),
    ),
    Corruption(
        "a session of another brand's clerk",
        12,
        lambda b, other: [
            change(SignInSession, {"brand_id": b.id, "kind": "CLERK"}, subject_id=other.clerks[0])
        ],
        ("a session is of a caller of its brand, a clerk's of one place",),
    ),
    Corruption(
        "a clerk's session at another place's till",
        12,
        lambda b, _: [
            change(SignInSession, {"brand_id": b.id, "kind": "CLERK"}, till_id=b.tills[1])
        ],
        ("a session is of a caller of its brand, a clerk's of one place",),
    ),
    Corruption(
        "a session of nobody",
        12,
        lambda b, _: [
            change(SignInSession, {"brand_id": b.id, "kind": "MEMBER"}, subject_id=STRANGER)
        ],
        ("a session is of a caller of its brand, a clerk's of one place",),
    ),
    Corruption(
        "a refresh token of no session",
        12,
        lambda b, _: [
            change(RefreshToken, {"brand_id": b.id, "token_hash": "CLERK"}, session_id=STRANGER)
        ],
        ("refresh_tokens refers only to its own brand",),
    ),
    Corruption(
        "an openid of another brand's person",
        12,
        lambda b, other: [
            change(WechatAccount, {"brand_id": b.id}, identity_id=other.consumer_identity)
        ],
        ("wechat_accounts refers only to its own brand",),
    ),
    Corruption(
        "places of no brand",
        12,
        lambda b, _: [repeat(Place, {"brand_id": b.id, "id": b.places[0]}, brand_id=STRANGER)],
        ("every row is of a brand that exists",),
    ),
)
