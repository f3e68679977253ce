"""Purchases from before there were returns know what rewarded them, and may be given back."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import select

from loyalty.actor import system_actor
from loyalty.db import Database
from loyalty.ids import new_id
from migrations.runner import pending, upgrade
from rewards.purchases.models import PurchaseEvent
from rewards.purchases.rules import PurchaseFact, PurchaseStatus
from rewards.purchases.service import settle_purchases
from rewards.returns.rules import ReturnRequest, Taking
from rewards.returns.service import return_purchase
from tests.migrations.past import AT, USUAL, RowThen, brand_then, make_past

BEFORE = "0006"
BRAND, MEMBER, CAMPAIGN, ISSUANCE, POINTS = (new_id() for _ in range(5))
VERSIONS = {number: new_id() for number in (1, 2, 3)}
PAID, UNPAID = new_id(), new_id()
NEVER = date(9999, 12, 31)


def _account(id: UUID, owner: UUID, kind: str, **sums: int) -> RowThen:
    none = dict.fromkeys(
        ("credits_posted", "debits_posted", "credits_pending", "debits_pending"), 0
    )
    values = {"id": id, "owner_id": owner, "asset": "POINTS", "kind": kind, **none, **sums}
    return "accounts", values | {"overdraft_allowed": kind == "ISSUANCE"}


def _version(number: int, published_at: datetime) -> RowThen:
    words = {"name_zh": "活动", "name_en": "Campaign", "event": "PURCHASE", "gate": "NONE"}
    rules: dict[str, Any] = {"priority": 0, "outcomes": [], "caps": []}
    ids = {"id": VERSIONS[number], "campaign_id": CAMPAIGN, "published_by": new_id()}
    return (
        "campaign_versions",
        {**words, **rules, **ids, "version": number, "published_at": published_at},
    )


def _purchase(id: UUID, ref: str, amount_fen: int, points: int) -> RowThen:
    fact = PurchaseFact(ref, "ann", AT.date(), 1, amount_fen)
    return (
        "purchase_events",
        {"id": id, "purchase_ref": ref, "content_hash": fact.content_hash, "member_id": MEMBER}
        | {"purchased_on": fact.purchased_on, "quantity": 1, "amount_fen": amount_fen}
        | {"points_granted": points, "occurred_at": AT},
    )


def _then() -> list[RowThen]:
    """A purchase that earned 5 points under the second of three versions, and one that earned
    nothing."""
    hour = timedelta(hours=1)
    asset = {"name_zh": "积分", "name_en": "Points", "expiry": {"kind": "NEVER"}}
    earned = {"debit_account_id": ISSUANCE, "credit_account_id": POINTS, "amount": 5}
    cause = {"cause_kind": "PURCHASE", "cause_id": PAID, "campaign_id": CAMPAIGN, "reason": ""}
    by = {"actor_kind": "SYSTEM", "actor_id": new_id(), "occurred_at": AT}
    sums = {"granted": 5, "remaining": 5}
    return [
        brand_then(BRAND),
        ("assets", {"code": "POINTS", "status": "ACTIVE", **asset}),
        ("identities", {"id": MEMBER, "external_ref": "ann", "wechat": False}),
        (
            "members",
            {"id": MEMBER, "identity_id": MEMBER, "role": "CONSUMER", "status": "ACTIVE"}
            | {"enrolled_at": AT},
        ),
        ("campaigns", {"id": CAMPAIGN, "code": "shop"}),
        *(_version(number, AT + (number - 2.5) * hour) for number in VERSIONS),
        _account(ISSUANCE, BRAND, "ISSUANCE", debits_posted=5),
        _account(new_id(), BRAND, "REVERSED"),
        _account(POINTS, MEMBER, "MAIN", credits_posted=5),
        ("lots", {"account_id": POINTS, "expires_on": NEVER, "locked": False, **sums}),
        (
            "transfers",
            {"id": new_id(), "asset": "POINTS", "phase": "POSTED", "kind": "EARN"}
            | {"credit_expires_on": NEVER}
            | {**earned, **cause, **by},
        ),
        _purchase(PAID, "paid", 500, 5),
        _purchase(UNPAID, "unpaid", 99, 0),
    ]


async def test_purchases_from_before_are_known_and_may_be_given_back(
    empty_database_url: str,
) -> None:
    await make_past(empty_database_url, BEFORE, _then(), USUAL | {"brand_id": BRAND})
    assert (await pending(empty_database_url))[0] == "0007"
    await upgrade(empty_database_url)
    db, actor = Database(empty_database_url), system_actor(BRAND)
    try:
        async with db.snapshot() as snapshot:
            rows = {row.id: row for row in await snapshot.session.exec(select(PurchaseEvent))}
        assert rows[PAID].campaign_version_id == VERSIONS[2]
        assert rows[UNPAID].campaign_version_id is None
        assert {(row.source, row.returned_fen, row.returned_at) for row in rows.values()} == {
            ("IMPORT", 0, None)
        }
        fact = PurchaseFact("paid", "ann", AT.date(), 1, 500)
        [known] = await db.in_transaction(settle_purchases, BRAND, actor, [fact])
        assert (known.status, known.purchase_id) == (PurchaseStatus.ALREADY_RECORDED, PAID)
        for ref, takings in (("paid", {"POINTS": Taking(taken=5)}), ("unpaid", {})):
            request = ReturnRequest(ref, "too small")
            result = await db.in_transaction(return_purchase, actor, request, purchase_ref=ref)
            assert result.takings == takings
    finally:
        await db.close()
