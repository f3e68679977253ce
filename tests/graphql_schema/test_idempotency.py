"""One key, one effect, one reply, for every mutation that takes a key."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from loyalty.db import Database
from tests.api import Caller
from tests.graphql_schema.arguments import root_fields
from tests.graphql_schema.stage import BOTH_PAID, SCAN_CAMPAIGN, Stage, all_rows

ALICE, BOB, CAROL = "13800138001", "13800138002", "13800138003"


@dataclass(frozen=True)
class Effect:
    """Inputs of one mutation: one that takes effect, another one, and one that is refused."""

    caller: Caller
    good: dict[str, Any]
    other: dict[str, Any]
    refused: dict[str, Any]


async def scan_code(stage: Stage) -> Effect:
    await stage.publish()
    [[one, two]] = await stage.codes(2)
    return Effect(await stage.member(ALICE), {"code": one}, {"code": two}, {"code": "forged"})


async def invite_member(stage: Stage) -> Effect:
    return Effect(await stage.member(ALICE), {"phone": BOB}, {"phone": CAROL}, {"phone": "none"})


async def import_roster(stage: Stage) -> Effect:
    entries = [{"phone": ALICE, "name": "李"}]
    return Effect(
        stage.admin,
        {"role": "GUIDE", "entries": entries},
        {"role": "STORE", "entries": entries},
        {"role": "CONSUMER", "entries": entries},
    )


async def set_member_status(stage: Stage) -> Effect:
    alice = await stage.member(ALICE)
    await alice.done("inviteMember", phone=BOB)
    freeze = {"memberId": (await alice.me())["id"], "frozen": True, "reason": "farming"}
    unknown = {"memberId": stage.unknown_id("Member")}
    return Effect(stage.admin, freeze, freeze | {"reason": "again"}, freeze | unknown)


async def create_product(stage: Stage) -> Effect:
    new = {"sku": "NEW", "nameZh": "新品", "nameEn": "New"}
    return Effect(stage.admin, new, new | {"sku": "NEWER"}, new | {"sku": "SKU-1"})


async def create_code_batch(stage: Stage) -> Effect:
    order = {"productId": stage.product_id, "quantity": 10, "kinds": ["INNER"]}
    return Effect(stage.admin, order, order | {"quantity": 11}, order | {"quantity": 0})


async def activate_code_batch(stage: Stage) -> Effect:
    printed, other, draft = [(await stage.order())[0] for _ in range(3)]
    for batch_id in (printed, other):
        await stage.print(batch_id, 1)
    return Effect(stage.admin, {"id": printed}, {"id": other}, {"id": draft})


async def retire_code_batch(stage: Stage) -> Effect:
    one, other = [{"id": (await stage.order())[0], "reason": "leaked"} for _ in range(2)]
    return Effect(stage.admin, one, other, one | {"id": stage.unknown_id("CodeBatch")})


async def publish_campaign(stage: Stage) -> Effect:
    scan = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    return Effect(stage.admin, scan, scan | {"priority": 1}, scan | {"priority": 10_000})


async def publish_ladder(stage: Stage) -> Effect:
    def ladder(threshold: int) -> dict[str, Any]:
        level = {"code": "BASIC", "nameZh": "普通", "nameEn": "Basic"}
        return {"levels": [level | {"growthThreshold": threshold}], "role": "GUIDE"}

    return Effect(stage.admin, ladder(0), ladder(0) | {"role": "STORE"}, ladder(1))


async def move_balance(stage: Stage) -> Effect:
    await stage.publish()
    code = await stage.code()
    ids = []
    for phone in (ALICE, BOB):
        member = await stage.member(phone)
        await member.done("scanCode", code=code)
        ids.append((await member.me())["id"])
    move = {"fromMemberId": ids[0], "toMemberId": ids[1], "asset": "POINTS", "reason": "wrong one"}
    return Effect(
        stage.admin, move | {"amount": 60}, move | {"amount": 5}, move | {"amount": 1_000}
    )


EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "scanCode": scan_code,
    "inviteMember": invite_member,
    "importRoster": import_roster,
    "setMemberStatus": set_member_status,
    "createProduct": create_product,
    "createCodeBatch": create_code_batch,
    "activateCodeBatch": activate_code_batch,
    "retireCodeBatch": retire_code_batch,
    "publishCampaign": publish_campaign,
    "publishLadder": publish_ladder,
    "moveBalance": move_balance,
}
every_mutation = pytest.mark.parametrize("mutation", EFFECTS)


def test_every_mutation_but_signing_in_takes_a_key_and_is_tried() -> None:
    mutations = [field for field in root_fields() if field.operation == "mutation"]
    keyed = {
        field.name
        for field in mutations
        if "idempotencyKey" in field.variables(lambda kind: "")["input"]
    }
    assert keyed == set(EFFECTS)
    assert {field.name for field in mutations} - keyed == {
        "requestSignInCode",
        "signInByCode",
        "signInOperator",
        "signInByWechat",
        "refreshSession",
        "signOut",
    }


@every_mutation
async def test_a_refusal_is_not_stored_an_effect_is_replayed_and_another_body_conflicts(
    mutation: str, stage: Stage, db: Database
) -> None:
    effect = await EFFECTS[mutation](stage)
    key = {"idempotencyKey": str(uuid4())}
    refused = await effect.caller.do(mutation, **effect.refused, **key)
    assert refused["__typename"] == "Refused"

    first = await effect.caller.done(mutation, **effect.good, **key)
    assert first["replayed"] is False
    after_first = await all_rows(db)
    for _ in range(2):
        again = await effect.caller.done(mutation, **effect.good, **key)
        assert again == first | {"replayed": True}
    for body in (effect.other, effect.refused):
        conflict = await effect.caller.do(mutation, **body, **key)
        # An input that no key could save may be refused before the key is looked at.
        refusals = {"IDEMPOTENCY_CONFLICT"} | (
            {refused["code"]} if body is effect.refused else set()
        )
        assert conflict["code"] in refusals
    assert await all_rows(db) == after_first

    new_key = await effect.caller.do(mutation, **effect.other)
    assert new_key.get("replayed") is False, "another key is another intention"


@every_mutation
async def test_a_key_sent_many_times_at_once_has_one_effect(mutation: str, stage: Stage) -> None:
    effect = await EFFECTS[mutation](stage)
    key = {"idempotencyKey": str(uuid4())}
    replies = await asyncio.gather(
        *(effect.caller.done(mutation, **effect.good, **key) for _ in range(6))
    )
    assert sorted(reply["replayed"] for reply in replies) == [False] + [True] * 5
    assert len({str(reply | {"replayed": None}) for reply in replies}) == 1


async def test_a_key_belongs_to_its_caller_and_its_operation(stage: Stage) -> None:
    await stage.publish()
    code = await stage.code()
    key = {"idempotencyKey": "the same"}
    alice, bob = await stage.member(ALICE), await stage.member(BOB)
    for receipt in (
        await alice.done("scanCode", code=code, **key),
        await bob.done("scanCode", code=code, **key),
        await alice.done("inviteMember", phone=CAROL, **key),
    ):
        assert receipt["replayed"] is False
