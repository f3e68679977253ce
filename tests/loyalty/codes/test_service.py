"""Keys, batches and misses on real databases: numbering under concurrency, and moves that hold."""

import asyncio
from collections.abc import Sequence
from datetime import date
from itertools import chain
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from loyalty import audit_log
from loyalty.actor import Actor, system_actor
from loyalty.brands.models import Brand
from loyalty.codes import queries, service
from loyalty.codes.models import BatchStatus, CodeBatch, CodeKind, KeyEpoch, UnknownCodeCount
from loyalty.codes.rules import recognise
from loyalty.codes.service import UnknownCode
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import BatchStateWrong, InvalidInput, NotFound
from loyalty.ids import new_id
from loyalty.products.models import Product

PAIR = [CodeKind.INNER, CodeKind.OUTER]


async def _brand_with_product(tx: Tx, slug: str) -> tuple[Actor, UUID]:
    brand = Brand(id=new_id(), slug=slug, name=slug, created_at=tx.now)
    product = Product(
        brand_id=brand.id, sku="SKU-1", name_zh="汽水", name_en="Soda", created_at=tx.now
    )
    await tx.add(brand, product)
    return system_actor(brand.id), product.id


async def _order(
    db: Database,
    keyring: Keyring,
    actor: Actor,
    product_id: UUID,
    kinds: Sequence[CodeKind] = PAIR,
    quantity: int = 10,
) -> list[CodeBatch]:
    return await db.in_transaction(
        service.create_batches,
        actor,
        keyring,
        product_id=product_id,
        quantity=quantity,
        kinds=kinds,
    )


async def _audited(db: Database, brand_id: UUID) -> list[str]:
    async with db.snapshot() as snapshot:
        entries = await snapshot.session.exec(
            select(audit_log.AuditLogEntry)
            .where(audit_log.AuditLogEntry.brand_id == brand_id)
            .order_by(col(audit_log.AuditLogEntry.id))
        )
        return [entry.action for entry in entries]


async def test_the_first_order_makes_a_key_and_a_pair_shares_its_series(
    db: Database, keyring: Keyring
) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    inner, outer = await _order(db, keyring, actor, product_id)
    assert (inner.number, outer.number) == (1, 2)
    assert inner.series_no == outer.series_no == 1
    assert (inner.kind, inner.purpose) == ("INNER", "REWARD")
    assert (outer.kind, outer.purpose) == ("OUTER", "GUIDE")
    assert inner.status == outer.status == "DRAFT"
    (pallet,) = await _order(db, keyring, actor, product_id, [CodeKind.PALLET])
    assert (pallet.number, pallet.series_no, pallet.purpose) == (3, 3, "TRACE")
    assert pallet.key_epoch_id == inner.key_epoch_id
    assert await _audited(db, actor.brand_id) == ["key_epoch.create", *["batch.create"] * 3]
    async with db.snapshot() as snapshot:
        listed = await queries.list_batches(snapshot, actor.brand_id, limit=2)
        assert [batch.number for batch in listed] == [3, 2]
        rest = await queries.list_batches(snapshot, actor.brand_id, limit=2, below_number=2)
        assert [batch.id for batch in rest] == [inner.id]
        pair = await queries.list_series(snapshot, actor.brand_id, 1)
        assert [batch.id for batch in pair] == [inner.id, outer.id]
        found = await queries.find_batch_by_number(snapshot, actor.brand_id, 2)
        assert found is not None and found.id == outer.id


async def test_each_brand_numbers_its_own_batches(db: Database, keyring: Keyring) -> None:
    for slug in ("fizz", "pop"):
        actor, product_id = await db.in_transaction(_brand_with_product, slug)
        batches = await _order(db, keyring, actor, product_id)
        assert [batch.number for batch in batches] == [1, 2]


async def test_orders_at_once_get_numbers_of_their_own_without_gaps(
    db: Database, keyring: Keyring
) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    orders = await asyncio.gather(
        *(_order(db, keyring, actor, product_id, PAIR[: 1 + at % 2]) for at in range(30))
    )
    numbers = [[batch.number for batch in order] for order in orders]
    assert sorted(chain.from_iterable(numbers)) == list(range(1, 46))
    assert all(order == list(range(order[0], order[0] + len(order))) for order in numbers)
    assert all(batch.series_no == order[0].number for order in orders for batch in order)
    async with db.snapshot() as snapshot:
        epochs = await snapshot.session.exec(
            select(KeyEpoch).where(KeyEpoch.brand_id == actor.brand_id)
        )
        assert len(epochs.all()) == 1  # of those that made the first key at once, one stayed


async def test_new_batches_take_the_newest_key_and_old_codes_still_read(
    db: Database, keyring: Keyring
) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    (old,) = await _order(db, keyring, actor, product_id, [CodeKind.INNER])
    newest = await db.in_transaction(service.create_key_epoch, actor, keyring)
    (new,) = await _order(db, keyring, actor, product_id, [CodeKind.INNER])
    assert new.key_epoch_id == newest.id != old.key_epoch_id
    async with db.snapshot() as snapshot:
        keys = await service.load_keys(snapshot, keyring)
        for batch in (old, new):
            key = await service.load_key(snapshot, keyring, actor.brand_id, batch.key_epoch_id)
            found = recognise(keys, key.encode(batch.number, 4))
            assert found is not None
            assert found[0].epoch_id == batch.key_epoch_id
            assert found[0].brand_id == actor.brand_id
            assert found[1:] == (batch.number, 4)


async def test_keys_are_kept_wrapped_and_open_only_under_their_master_key_and_brand(
    db: Database, keyring: Keyring
) -> None:
    actor, _ = await db.in_transaction(_brand_with_product, "fizz")
    epoch = await db.in_transaction(service.create_key_epoch, actor, keyring)
    key = keyring.unwrap_key(actor.brand_id, epoch.wrapped_key)
    assert len(key) == 16
    assert key.hex() not in epoch.wrapped_key
    async with db.snapshot() as snapshot:
        with pytest.raises(service.KeyUnreadable, match=f"{epoch.key_id}.*LOYALTY_MASTER_KEY"):
            await service.load_keys(snapshot, Keyring(b"\x01" * 32))
        with pytest.raises(NotFound):
            await service.load_key(snapshot, keyring, uuid4(), epoch.id)


async def test_key_ids_are_unique_over_all_brands(db: Database, keyring: Keyring) -> None:
    epochs = []
    for slug in ("fizz", "pop"):
        actor, _ = await db.in_transaction(_brand_with_product, slug)
        for _ in range(10):
            epochs.append(await db.in_transaction(service.create_key_epoch, actor, keyring))
    async with db.snapshot() as snapshot:
        keys = await service.load_keys(snapshot, keyring)
    assert {epoch.key_id: epoch.brand_id for epoch in epochs} == {
        key_id: key.brand_id for key_id, key in keys.items()
    }
    assert len(keys) == 20


async def test_an_unsound_or_foreign_order_is_refused(db: Database, keyring: Keyring) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    stranger, _ = await db.in_transaction(_brand_with_product, "pop")
    for quantity, kinds in [(0, PAIR), (10_000_001, PAIR), (1, []), (1, PAIR * 2)]:
        with pytest.raises(InvalidInput):
            await _order(db, keyring, actor, product_id, kinds, quantity)
    with pytest.raises(NotFound):
        await _order(db, keyring, stranger, product_id)
    with pytest.raises(NotFound):
        await _order(db, keyring, actor, uuid4())
    assert await _audited(db, actor.brand_id) == []


async def test_a_batch_is_printed_activated_with_its_pair_and_retired(
    db: Database, keyring: Keyring
) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    inner, outer = await _order(db, keyring, actor, product_id)
    printed = await db.in_transaction(service.mark_printed, actor, inner.id)
    assert [(batch.id, batch.status) for batch in printed] == [(inner.id, "PRINTED")]
    assert printed[0].printed_at is not None
    with pytest.raises(BatchStateWrong):  # its pair is still a draft, and nothing moves half
        await db.in_transaction(service.activate_batch, actor, inner.id)
    await db.in_transaction(service.mark_printed, actor, outer.id)
    active = await db.in_transaction(service.activate_batch, actor, outer.id)
    assert [(batch.id, batch.status) for batch in active] == [
        (inner.id, "ACTIVE"),
        (outer.id, "ACTIVE"),
    ]
    first_activated_at = active[0].activated_at
    again = await db.in_transaction(service.activate_batch, actor, inner.id)
    assert [batch.activated_at for batch in again] == [first_activated_at] * 2
    retired = await db.in_transaction(
        service.retire_batch, actor, outer.id, include_paired=False, reason="caps were stolen"
    )
    assert [(batch.id, batch.status) for batch in retired] == [(outer.id, "RETIRED")]
    async with db.snapshot() as snapshot:
        stored = await queries.get_batch(snapshot, actor.brand_id, inner.id)
        assert stored.status == "ACTIVE"
    assert (await _audited(db, actor.brand_id))[3:] == [
        *["batch.mark_printed"] * 2,
        *["batch.activate"] * 2,
        "batch.retire",
    ]


async def test_moves_of_another_brands_batch_find_nothing(db: Database, keyring: Keyring) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    stranger, _ = await db.in_transaction(_brand_with_product, "pop")
    inner, _ = await _order(db, keyring, actor, product_id)
    for verb in (service.mark_printed, service.activate_batch, service.retire_batch):
        with pytest.raises(NotFound):
            await db.in_transaction(verb, stranger, inner.id)
    async with db.snapshot() as snapshot:
        assert await queries.find_batch(snapshot, stranger.brand_id, inner.id) is None
        assert await queries.find_batch_by_number(snapshot, stranger.brand_id, 1) is None
        assert await queries.list_batches(snapshot, stranger.brand_id, limit=10) == []
        stored = await queries.get_batch(snapshot, actor.brand_id, inner.id)
        assert stored.status == "DRAFT"


async def test_moves_at_once_end_in_one_state_and_are_written_down_once(
    db: Database, keyring: Keyring
) -> None:
    actor, product_id = await db.in_transaction(_brand_with_product, "fizz")
    (batch,) = await _order(db, keyring, actor, product_id, [CodeKind.INNER])
    await db.in_transaction(service.mark_printed, actor, batch.id)
    await asyncio.gather(
        *(db.in_transaction(service.activate_batch, actor, batch.id) for _ in range(8)),
        *(db.in_transaction(service.retire_batch, actor, batch.id) for _ in range(8)),
        return_exceptions=True,
    )
    async with db.snapshot() as snapshot:
        stored = await queries.get_batch(snapshot, actor.brand_id, batch.id)
    assert stored.status == BatchStatus.RETIRED
    moves = (await _audited(db, actor.brand_id))[3:]
    assert moves in (["batch.activate", "batch.retire"], ["batch.retire"])


async def test_misses_are_counted_and_not_kept_one_by_one(db: Database, keyring: Keyring) -> None:
    actor, _ = await db.in_transaction(_brand_with_product, "fizz")
    today = date(2026, 11, 21)
    rows = [
        UnknownCode(actor.brand_id, today, "192.0.2.1", "aa"),
        UnknownCode(actor.brand_id, today, "192.0.2.1", "bb"),
        UnknownCode(actor.brand_id, today, "192.0.2.1", "aa", attempts=3),
        UnknownCode(actor.brand_id, date(2026, 11, 22), "192.0.2.1", "aa"),
    ]
    await db.in_transaction(service.count_unknown_codes, rows)
    await db.in_transaction(service.count_unknown_codes, iter(rows[:1]))
    await db.in_transaction(service.count_unknown_codes, [])
    await asyncio.gather(
        *(db.in_transaction(service.count_unknown_codes, order) for order in (rows, rows[::-1]) * 5)
    )
    async with db.snapshot() as snapshot:
        counts = await snapshot.session.exec(select(UnknownCodeCount))
        assert {(row.counted_on.day, row.device_hash): row.attempts for row in counts} == {
            (21, "aa"): 45,
            (21, "bb"): 11,
            (22, "aa"): 11,
        }
