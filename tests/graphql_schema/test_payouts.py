"""Payouts as operators and stores see them."""

from typing import Any
from uuid import UUID

from graphql_schema.pagination import find_id_of
from loyalty.actor import OperatorRole
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import (
    issuance_accounts,
    lock_place_accounts,
    write_brands_side,
    write_members_side,
)
from loyalty.settings import Settings
from rewards.payouts.models import Payout
from rewards.payouts.providers import NullPayoutProvider, Paymaster
from rewards.payouts.rules import Report, ReportState
from rewards.payouts.service import open_due_payouts, record_callback
from tests.api import Api
from tests.graphql_schema.stage import Stage, open_stage
from tests.rewards.payouts.stores import rows

WANG, ZHAO = "13900139001", "13900139002"
PAYMASTER = Paymaster(NullPayoutProvider())

FIELDS = """
    nodes { id number amountFen status provider providerReference failure payee sentAt resolvedAt
            place { code } reports { source state detail } } pageInfo { hasNextPage endCursor }
"""
PAYOUTS = f"""
query ($first: Int, $after: String, $status: PayoutStatus) {{
    payouts(first: $first, after: $after, status: $status) {{ {FIELDS} }} }}
"""
MY_PAYOUTS = f"{{ myPayouts {{ {FIELDS} }} }}"
NODE = "query ($id: ID!) { node(id: $id) { ... on Payout { number } } }"


async def open_place(stage: Stage, code: str, phone: str) -> UUID:
    made = await stage.admin.done(
        "createPlace",
        code=code,
        name="街角店",
        address="人民路1号",
        payoutThresholdFen=10_000,
        storePhone=phone,
        payee=f"wallet-of-{code}",
    )
    id = find_id_of("Place", made["place"]["id"])
    assert id is not None
    return id


async def make_payout(tx: Tx, brand_id: UUID, place_id: UUID) -> None:
    """Of 150.00 that were earned."""
    accounts = await lock_place_accounts(tx, [(brand_id, place_id)])
    issuance = await issuance_accounts(tx, [brand_id])
    cause = Cause("REDEMPTION", new_id(), "SYSTEM", new_id(), "", tx.now)
    book = Book(new_id)
    book.post(
        issuance[brand_id, brand_id, "CASH"],
        accounts[brand_id, place_id],
        15_000,
        "REBATE",
        cause,
    )
    await write_members_side(tx, book)
    await write_brands_side(tx, book)
    await open_due_payouts(tx, PAYMASTER, [(brand_id, place_id)])


async def test_payouts_are_the_bookkeepers_and_each_stores_own(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    corner = await open_place(stage, "corner", WANG)
    market = await open_place(stage, "market", ZHAO)
    store, other = [await stage.member(phone, "STORE") for phone in (WANG, ZHAO)]
    theirs = await open_stage(api, db, settings, "theirs")
    foreign = await theirs.member(WANG, "STORE")
    for place_id in (corner, market):
        await db.in_transaction(make_payout, stage.brand_id, place_id)
    first, second = await rows(db, Payout)
    failed = Report(ReportState.FAILED, first.number, 15_000, "T1", "账户已注销")
    await db.in_transaction(record_callback, PAYMASTER, failed)

    finance = stage.operator(OperatorRole.FINANCE)
    newest, oldest = (await finance.ask(PAYOUTS))["payouts"]["nodes"]
    assert oldest == {
        "id": oldest["id"],
        "number": first.number,
        "amountFen": 15_000,
        "status": "FAILED",
        "provider": "null",
        "providerReference": "T1",
        "failure": "账户已注销",
        "payee": "****rner",
        "sentAt": oldest["resolvedAt"],
        "resolvedAt": oldest["resolvedAt"],
        "place": {"code": "corner"},
        "reports": [{"source": "CALLBACK", "state": "FAILED", "detail": "账户已注销"}],
    }
    assert (newest["number"], newest["status"]) == (second.number, "CREATED")
    assert (newest["sentAt"], newest["reports"]) == (None, [])

    page = (await finance.ask(PAYOUTS, first=1))["payouts"]
    assert [node["number"] for node in page["nodes"]] == [second.number]
    assert page["pageInfo"]["hasNextPage"]
    rest = await finance.ask(PAYOUTS, first=1, after=page["pageInfo"]["endCursor"])
    assert [node["number"] for node in rest["payouts"]["nodes"]] == [first.number]
    found = await finance.ask(PAYOUTS, status="FAILED")
    assert [node["number"] for node in found["payouts"]["nodes"]] == [first.number]
    assert (await theirs.admin.ask(PAYOUTS))["payouts"]["nodes"] == []

    for caller, wanted in ((store, [oldest]), (other, [newest]), (foreign, [])):
        assert (await caller.ask(MY_PAYOUTS))["myPayouts"]["nodes"] == wanted
    seen: dict[str, Any] = {"number": first.number}
    for caller, node in (
        (finance, seen),
        (store, seen),
        (other, None),
        (await stage.member(WANG), None),
        (stage.operator(OperatorRole.VIEWER), None),
        (theirs.admin, None),
        (foreign, None),
    ):
        assert (await caller.ask(NODE, id=oldest["id"]))["node"] == node
