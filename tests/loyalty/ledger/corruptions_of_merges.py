"""Members that were merged, and something that shows that they were not: invariants 2, 4, 6, 12."""

from datetime import timedelta

from loyalty.holds.models import Hold
from loyalty.ids import new_id
from loyalty.ledger.models import Account, Lot, Transfer
from loyalty.members.models import Identity, Invitation, Member
from loyalty.segments.models import SegmentMember
from rewards.coupons.models import Coupon
from rewards.grants.models import LockedReward
from rewards.merges.models import MemberMerge
from rewards.scans.models import Claim
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import (
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_claim,
    the_coupon,
    the_lot,
    the_transfer,
)
from tiers.standings.models import Standing

_LEFT = "a merged member has nothing left that is good"
_SAID = "a member is merged where its merge says"
_CHAIN = "merges form no chains"
_PERSON = "members that were merged are one person"


def _twin(b: AuditedBrand) -> dict[str, object]:
    return {"brand_id": b.id, "id": b.twin}


def _in_segment(b: AuditedBrand) -> dict[str, object]:
    return {"brand_id": b.id, "segment_id": b.segment, "member_id": b.other_consumer}


def _merge(b: AuditedBrand) -> dict[str, object]:
    return {"brand_id": b.id, "id": b.merge}


OF_MERGES = (
    Corruption(
        "a coupon left with a merged member",
        2,
        lambda b, _: [change(Coupon, the_coupon(b, "twin's"), member_id=b.twin)],
        (_LEFT,),
    ),
    Corruption(
        "a segment left with a merged member",
        2,
        lambda b, _: [change(SegmentMember, _in_segment(b), member_id=b.twin)],
        (_LEFT,),
    ),
    Corruption(
        "another brand's member in a segment",
        12,
        lambda b, other: [change(SegmentMember, _in_segment(b), member_id=other.consumer)],
        ("segment_members refers only to its own brand",),
    ),
    Corruption(
        "points left with a merged member",
        2,
        lambda b, _: [
            remove(Transfer, **the_transfer(b, "twin's move")),
            add(Account, the_account(b, b.twin), "debits_posted", -5),
            add(Account, the_account(b, b.other_consumer), "credits_posted", -5),
            add(Lot, the_lot(b, b.twin), "remaining", 5),
            add(Lot, the_lot(b, b.other_consumer), "remaining", -5),
            add(Lot, the_lot(b, b.other_consumer), "granted", -5),
        ],
        (_LEFT,),
    ),
    Corruption(
        "a locked reward left with a merged member",
        2,
        lambda b, _: [
            change(
                LockedReward,
                {"brand_id": b.id, "id": b.transfers["twin's lock anew"]},
                member_id=b.twin,
            )
        ],
        (_LEFT, "a locked reward is its pending transfer, and ends with it"),
    ),
    Corruption(
        "a level left with a merged member",
        2,
        lambda b, _: [
            repeat(Standing, {"brand_id": b.id, "member_id": b.consumer}, member_id=b.twin)
        ],
        (_LEFT, "a standing is where its changes led"),
    ),
    Corruption(
        "a merged member's account that is open",
        2,
        lambda b, _: [change(Account, the_account(b, b.twin), closed_at=None)],
        (_LEFT,),
    ),
    Corruption(
        "somebody whom a merged member has invited",
        2,
        lambda b, _: [change(Member, {"brand_id": b.id, "id": b.consumer}, invited_by_id=b.twin)],
        (_LEFT,),
    ),
    Corruption(
        "an invitation by a merged member",
        2,
        lambda b, _: [
            repeat(
                Invitation,
                {"brand_id": b.id},
                id=new_id(),
                inviter_id=b.twin,
                phone_hash="p",
                accepted_member_id=None,
            )
        ],
        (_LEFT,),
    ),
    Corruption(
        "a hold of a merged member",
        2,
        lambda b, _: [
            change(Hold, {"brand_id": b.id, "id": b.holds["open"]}, member_id=b.twin),
        ],
        (_LEFT, "a hold's transfers are what it held and spent"),
    ),
    Corruption(
        "a guide's claim left with a merged member",
        2,
        lambda b, _: [
            change(Claim, the_claim(b, 2, "GUIDE"), member_id=b.twin),
        ],
        (_LEFT, "a claim's scans exist and are of its item"),
    ),
    Corruption(
        "a closed account of somebody who is not merged",
        2,
        lambda b, _: [change(Account, the_account(b, b.consumer), closed_at=AT)],
        ("only merged members' accounts are closed",),
    ),
    Corruption(
        "a merge that led to another role",
        4,
        lambda b, _: [change(Member, _twin(b), merged_into_id=b.guide)],
        (
            _CHAIN,
            _SAID,
            "a coupon bought was paid for by its member",
            "a member buys no more coupons than its limit, and each is counted",
            "a purchase gave to whom its shares say, and to its buyer",
            "a scan's member is its identity's, in the role acted in",
        ),
    ),
    Corruption(
        "a chain of merges",
        4,
        lambda b, _: [
            change(
                Member,
                {"brand_id": b.id, "id": b.other_consumer},
                status="MERGED",
                merged_into_id=b.consumer,
            )
        ],
        (
            _CHAIN,
            _LEFT,
            _SAID,
            "a coupon bought was paid for by its member",
            "a member buys no more coupons than its limit, and each is counted",
            "a purchase gave to whom its shares say, and to its buyer",
            "a scan's member is its identity's, in the role acted in",
        ),
    ),
    Corruption(
        "a merge that nobody made",
        4,
        lambda b, _: [remove(MemberMerge, **_merge(b))],
        (_SAID, "a transfer is booked with the event that caused it"),
    ),
    Corruption(
        "a merge told twice",
        4,
        lambda b, _: [repeat(MemberMerge, _merge(b), id=new_id())],
        (_SAID,),
        tables=("member_merges",),
    ),
    Corruption(
        "a merge that was not marked",
        4,
        lambda b, _: [change(Member, _twin(b), status="FROZEN")],
        (_SAID,),
        tables=("members",),
    ),
    Corruption(
        "a reward locked anew without a merge",
        4,
        lambda b, _: [change(MemberMerge, _merge(b), into_member_id=b.consumer)],
        (_SAID, _PERSON, "a transfer is booked with the event that caused it"),
    ),
    Corruption(
        "two people of one",
        6,
        lambda b, _: [change(Identity, {"brand_id": b.id, "id": b.twin_identity}, person_id=None)],
        (_PERSON,),
    ),
    Corruption(
        "a person that is another's",
        6,
        lambda b, _: [
            change(
                Identity,
                {"brand_id": b.id, "id": b.other_identity},
                person_id=b.consumer_identity,
            )
        ],
        (_PERSON,),
    ),
    Corruption(
        "two rewards for one person in two identities",
        6,
        lambda b, _: [
            change(
                MemberMerge,
                _merge(b),
                from_member_id=b.guide,
                into_member_id=b.consumer,
                created_at=AT - timedelta(days=2),
            )
        ],
        (
            "the two rewards of a scan go to different people",
            _SAID,
            _PERSON,
            "a transfer is booked with the event that caused it",
        ),
    ),
)
