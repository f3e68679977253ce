"""One key, one effect, one reply, for every mutation that takes a key."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from loyalty.db import Database
from tests.graphql_schema.arguments import root_fields
from tests.graphql_schema.effects import BOB, CAROL
from tests.graphql_schema.effects_of_value import EFFECTS
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage, all_rows

SHOWN_ONCE = {
    "createTill": "key",
    "createClerk": "pin",
    "setClerkPin": "pin",
    **dict.fromkeys(("createWebhookEndpoint", "rotateWebhookSecret"), "secret"),
    **dict.fromkeys(("createPartnerKey", "rotatePartnerKey"), "key"),
}
"""Secrets that nobody keeps: a replay cannot show them."""
ONCE_ONLY = {"setBirthday": "BIRTHDAY_SET"}
"""What has its effect once, whatever the key; and how the second time is refused."""
AT_ONCE = 4


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
        "signInClerk",
    }


def replay_of(mutation: str, first: dict[str, Any]) -> dict[str, Any]:
    """What is answered to a receipt's key the second time."""
    hidden: dict[str, Any] = {}
    if mutation in SHOWN_ONCE:
        assert first[SHOWN_ONCE[mutation]] is not None
        hidden[SHOWN_ONCE[mutation]] = None
    return first | hidden | {"replayed": True}


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
        assert again == replay_of(mutation, first)
    for body in (effect.other, effect.refused):
        conflict = await effect.caller.do(mutation, **body, **key)
        # An input that no key could save may be refused before the key is looked at.
        refusals = {"IDEMPOTENCY_CONFLICT"} | (
            {refused["code"]} if body is effect.refused else set()
        )
        assert conflict["code"] in refusals
    assert await all_rows(db) == after_first

    new_key = await effect.caller.do(mutation, **effect.other)
    if mutation in ONCE_ONLY:
        assert new_key["code"] == ONCE_ONLY[mutation]
    else:
        assert new_key.get("replayed") is False, "another key is another intention"


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
@every_mutation
async def test_a_key_sent_many_times_at_once_has_one_effect(mutation: str, stage: Stage) -> None:
    effect = await EFFECTS[mutation](stage)
    key = {"idempotencyKey": str(uuid4())}
    replies = await asyncio.gather(
        *(effect.caller.done(mutation, **effect.good, **key) for _ in range(AT_ONCE))
    )
    [first] = [reply for reply in replies if not reply["replayed"]]
    rest = [reply for reply in replies if reply["replayed"]]
    assert rest == [replay_of(mutation, first)] * (AT_ONCE - 1)


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
