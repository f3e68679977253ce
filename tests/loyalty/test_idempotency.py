"""One key, one effect, one reply."""

import asyncio
import hashlib
from typing import Any

import orjson
import pytest
from sqlmodel import func, select

from loyalty.actor import Actor, system_actor
from loyalty.brands import service as brands
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyExists, IdempotencyConflict, InvalidInput
from loyalty.idempotency import IdempotencyRecord, body_hash, check_key, once
from loyalty.ids import new_id
from loyalty.products import service as products

BODY = {"sku": "W-500", "name": "水"}
KEYRING = Keyring(bytes(32))


async def create(
    tx: Tx,
    actor: Actor,
    key: str = "key-1",
    body: dict[str, Any] = BODY,
    operation: str = "createProduct",
) -> tuple[dict[str, Any], bool]:
    """Makes a product: an effect that could not happen twice unnoticed."""

    async def effect() -> dict[str, Any]:
        made = await products.create_product(
            tx, actor, sku=body["sku"], name_zh=body["name"], name_en="Water"
        )
        return {"id": made.id.hex}

    return await once(tx, actor, KEYRING, operation, key, body, effect)


async def count_records(db: Database) -> int:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(func.count()).select_from(IdempotencyRecord))
        return found.one()


async def test_the_same_request_again_gets_the_first_reply(db: Database, brand: Brand) -> None:
    actor = system_actor(brand.id)
    reply, replayed = await db.in_transaction(create, actor)
    assert not replayed
    again = await db.in_transaction(create, actor, body=dict(reversed(BODY.items())))
    assert again == (reply, True)


async def test_another_request_under_the_key_is_a_conflict(db: Database, brand: Brand) -> None:
    actor = system_actor(brand.id)
    await db.in_transaction(create, actor)
    with pytest.raises(IdempotencyConflict):
        await db.in_transaction(create, actor, body=BODY | {"sku": "W-501"})


async def test_a_refusal_is_not_stored_and_its_key_may_be_tried_again(
    db: Database, brand: Brand
) -> None:
    actor = system_actor(brand.id)
    await db.in_transaction(create, actor, "key-1")
    with pytest.raises(AlreadyExists):
        await db.in_transaction(create, actor, "key-2")
    assert await count_records(db) == 1
    _, replayed = await db.in_transaction(create, actor, "key-2", BODY | {"sku": "W-501"})
    assert not replayed


async def test_a_key_belongs_to_one_brand_actor_and_operation(db: Database, brand: Brand) -> None:
    actor = system_actor(brand.id)
    await db.in_transaction(create, actor)
    other_brand = await db.in_transaction(brands.create_brand, slug="other", name="Other")
    others = [
        (system_actor(other_brand.id), "createProduct"),
        (Actor(actor.kind, brand.id, new_id(), actor.role), "createProduct"),
        (actor, "createProductAgain"),
    ]
    for i, (who, operation) in enumerate(others):
        _, replayed = await db.in_transaction(
            create, who, body=BODY | {"sku": f"other-{i}"}, operation=operation
        )
        assert not replayed
    assert await count_records(db) == 4


async def test_fifty_at_once_have_one_effect_and_one_reply(db: Database, brand: Brand) -> None:
    actor = system_actor(brand.id)
    answers = await asyncio.gather(*(db.in_transaction(create, actor) for _ in range(50)))
    assert sum(not replayed for _, replayed in answers) == 1
    assert len({reply["id"] for reply, _ in answers}) == 1
    async with db.snapshot() as snapshot:
        assert (await brands.get_brand(snapshot, brand.id)).revision == brand.revision + 1


async def test_fifty_other_bodies_at_once_have_one_effect_and_conflict(
    db: Database, brand: Brand
) -> None:
    actor = system_actor(brand.id)
    answers = await asyncio.gather(
        *(db.in_transaction(create, actor, body=BODY | {"sku": f"W-{i}"}) for i in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, IdempotencyConflict) for answer in answers) == 49
    assert sum(isinstance(answer, tuple) for answer in answers) == 1


async def test_a_twin_of_one_that_rolls_back_has_the_effect_itself(
    db: Database, brand: Brand
) -> None:
    actor = system_actor(brand.id)
    first_is_in = asyncio.Event()

    async def create_then_fail(tx: Tx) -> None:
        await create(tx, actor)
        first_is_in.set()
        await asyncio.sleep(0.05)
        raise InvalidInput(field="later", problem="something else was wrong")

    async def create_meanwhile() -> tuple[dict[str, Any], bool]:
        await first_is_in.wait()
        return await db.in_transaction(create, actor)

    failed, (_, replayed) = await asyncio.gather(
        db.in_transaction(create_then_fail), create_meanwhile(), return_exceptions=True
    )
    assert isinstance(failed, InvalidInput)
    assert not replayed
    assert await count_records(db) == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "a\x00", "a\n", "\ud800"])
def test_a_key_is_one_to_128_printable_characters(key: str) -> None:
    with pytest.raises(InvalidInput):
        check_key(key)
    assert check_key("x" * 128) == "x" * 128


@pytest.mark.parametrize("value", ["\ud800", 2**64, -(2**63) - 1])
def test_a_body_that_cannot_be_kept_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        body_hash(KEYRING, new_id(), {"value": value})


def test_bodies_differ_by_any_value_and_not_by_order() -> None:
    brand_id = new_id()

    def hash_of(body: dict[str, Any]) -> str:
        return body_hash(KEYRING, brand_id, body)

    assert hash_of({"a": 1, "b": [1, 2]}) == hash_of({"b": [1, 2], "a": 1})
    different: list[dict[str, Any]] = [
        {"a": 1},
        {"a": "1"},
        {"a": None},
        {},
        {"a": 1.5},
        {"a": True},
        {"a": [1]},
    ]
    assert len({hash_of(body) for body in different}) == len(different)


def test_who_has_no_key_cannot_try_bodies_against_a_hash() -> None:
    """Nor does a body hash alike in two brands: phones and PINs are few."""
    brand_id, body = new_id(), {"phone": "13800138000", "pin": "1234"}
    plain = hashlib.sha256(orjson.dumps(body)).hexdigest()
    hashes = {
        body_hash(keyring, brand, body)
        for keyring in (KEYRING, Keyring(bytes(31) + b"1"))
        for brand in (brand_id, new_id())
    }
    assert len(hashes) == 4
    assert plain[:40] not in hashes
