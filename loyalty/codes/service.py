"""Keys made and opened, batches ordered, printed, activated and retired, misses counted."""

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.codes import queries
from loyalty.codes.models import BatchStatus, CodeBatch, CodeKind, KeyEpoch
from loyalty.codes.rules import (
    BATCH_NUMBER_MAX,
    CROCKFORD,
    DEFAULT_PURPOSES,
    KEY_BYTES,
    KEY_ID_LENGTH,
    CodeKey,
    next_status,
    require_sound_order,
)
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from loyalty.products import service as products

find_batch_by_number = queries.find_batch_by_number  # a read that other nouns need
lock_series = queries.lock_series  # for other nouns whose rows follow from batches

KEY_ID_TRIES_MAX = 100


class KeyUnreadable(Exception):
    """A stored code key does not open under this master key; the message says what to look at."""


class KeyIdsExhausted(Exception):
    """No free key id was found: a server holds 32,768 of them over all its brands."""


class UnknownCode(NamedTuple):
    """Attempts with codes that were not ours: the brand asked, its local day, the caller's address
    and the keyed hash of the device it claims ("" for none)."""

    brand_id: UUID
    counted_on: date
    address: str
    device_hash: str
    attempts: int = 1


# --- keys --------------------------------------------------------------------------------------


async def create_key_epoch(tx: Tx, actor: Actor, keyring: Keyring) -> KeyEpoch:
    """Give the brand a new random key, wrapped by the master key; later batches are made with it.

    Codes of earlier epochs stay readable.
    """
    key = secrets.token_bytes(KEY_BYTES)
    for _ in range(KEY_ID_TRIES_MAX):
        epoch = KeyEpoch(
            brand_id=actor.brand_id,
            id=new_id(),
            key_id="".join(secrets.choice(CROCKFORD) for _ in range(KEY_ID_LENGTH)),
            wrapped_key=keyring.wrap_key(actor.brand_id, key),
            created_at=tx.now,
        )
        if await tx.insert_if_absent(epoch):
            await audit_log.record(tx, actor, "key_epoch.create", epoch.id, key_id=epoch.key_id)
            return epoch
    raise KeyIdsExhausted(f"{KEY_ID_TRIES_MAX} random key ids were all taken")


async def load_keys(snapshot: Snapshot, keyring: Keyring) -> dict[str, CodeKey]:
    """All brands' keys by key id, for ``rules.recognise``: what a server holds in memory."""
    epochs = await queries.list_key_epochs_of_all_brands(snapshot)
    return {epoch.key_id: _open_key(epoch, keyring) for epoch in epochs}


async def load_key(snapshot: Snapshot, keyring: Keyring, brand_id: UUID, epoch_id: UUID) -> CodeKey:
    """One key of one brand, to print a batch with; refuses NotFound."""
    return _open_key(await queries.get_key_epoch(snapshot, brand_id, epoch_id), keyring)


def _open_key(epoch: KeyEpoch, keyring: Keyring) -> CodeKey:
    try:
        key = keyring.unwrap_key(epoch.brand_id, epoch.wrapped_key)
    except InvalidTag as error:
        raise KeyUnreadable(
            f"code key {epoch.key_id} does not open: was LOYALTY_MASTER_KEY changed since?"
        ) from error
    return CodeKey(epoch.brand_id, epoch.id, epoch.key_id, key)


# --- batches -----------------------------------------------------------------------------------


async def create_batches(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    *,
    product_id: UUID,
    quantity: int,
    kinds: Sequence[CodeKind],
) -> list[CodeBatch]:
    """Order a print run of ``quantity`` items: one draft batch a kind, in the order given.

    Several kinds share their serials (内外码关联): serial n of each is printed on the same item.
    Made with the brand's newest key, which the first order makes. Refuses InvalidInput, and
    NotFound for a product that is not the brand's.
    """
    require_sound_order(quantity, kinds)
    brand_id = actor.brand_id
    await products.require_product(tx, brand_id, product_id)
    await queries.lock_numbering(tx, brand_id)
    # The number is read before the key: who makes the first key has read 0 then, and of several
    # such orders only one gets number 1. The others run again and find its key.
    first_number = await queries.find_last_batch_number(tx, brand_id) + 1
    epoch = await queries.find_newest_key_epoch(tx, brand_id)
    if epoch is None:
        epoch = await create_key_epoch(tx, actor, keyring)
    if first_number + len(kinds) - 1 > BATCH_NUMBER_MAX:
        raise InvalidInput(field="kinds", problem="the brand's batch numbers are used up")
    batches = []
    for number, kind in enumerate(kinds, first_number):
        batch = CodeBatch(
            brand_id=brand_id,
            id=new_id(),
            number=number,
            series_no=first_number,
            key_epoch_id=epoch.id,
            product_id=product_id,
            kind=kind.value,
            purpose=DEFAULT_PURPOSES[kind].value,
            quantity=quantity,
            created_at=tx.now,
        )
        if not await tx.insert_if_absent(batch):
            raise RetryTransaction(f"batch number {number} was taken meanwhile")
        await audit_log.record(
            tx,
            actor,
            "batch.create",
            batch.id,
            number=number,
            kind=batch.kind,
            quantity=quantity,
            product_id=str(product_id),
        )
        batches.append(batch)
    return batches


async def mark_printed(
    tx: Tx, actor: Actor, batch_id: UUID, include_paired: bool = False
) -> list[CodeBatch]:
    """A batch's codes were written out for the printer (已印刷); its pair is printed on its own."""
    return await _move(tx, actor, batch_id, BatchStatus.PRINTED, include_paired)


async def activate_batch(
    tx: Tx, actor: Actor, batch_id: UUID, include_paired: bool = True
) -> list[CodeBatch]:
    """Let a printed batch's codes be scanned for rewards (激活), as late as goods allow."""
    return await _move(tx, actor, batch_id, BatchStatus.ACTIVE, include_paired)


async def retire_batch(
    tx: Tx, actor: Actor, batch_id: UUID, include_paired: bool = True, reason: str = ""
) -> list[CodeBatch]:
    """Let a batch's codes pay no more, for good (作废)."""
    return await _move(tx, actor, batch_id, BatchStatus.RETIRED, include_paired, reason)


# What each move is called in the audit log, and the column that keeps its time.
_MOVES = {
    BatchStatus.PRINTED: ("batch.mark_printed", "printed_at"),
    BatchStatus.ACTIVE: ("batch.activate", "activated_at"),
    BatchStatus.RETIRED: ("batch.retire", "retired_at"),
}


async def _move(
    tx: Tx,
    actor: Actor,
    batch_id: UUID,
    wanted: BatchStatus,
    include_paired: bool,
    reason: str = "",
) -> list[CodeBatch]:
    """The batch, and with ``include_paired`` its whole series, in the wanted status: all or none.

    In order of their numbers. Those already there stay as they are. Refuses NotFound and
    BatchStateWrong.
    """
    action, moved_at = _MOVES[wanted]
    series = await queries.lock_series(tx, actor.brand_id, batch_id)
    batches = [batch for batch in series if include_paired or batch.id == batch_id]
    for batch in batches:
        current = BatchStatus(batch.status)
        if next_status(current, wanted) is current:
            continue
        if not await queries.move_batch(tx, batch, current.value, wanted.value, moved_at):
            raise RetryTransaction("the batch was moved meanwhile")
        await audit_log.record(tx, actor, action, batch.id, reason, before=current.value)
    return sorted(batches, key=lambda batch: batch.number)


# --- misses ------------------------------------------------------------------------------------


async def count_unknown_codes(tx: Tx, rows: Iterable[UnknownCode]) -> None:
    """Add attempts to their day's counts, one row per brand, day, address and device, by set.

    In key order, so that two writers that count the same addresses do not deadlock.
    """
    attempts: Counter[tuple[UUID, date, str, str]] = Counter()
    for row in rows:
        attempts[row[:4]] += row.attempts
    if attempts:
        counted = [(*key, attempts[key]) for key in sorted(attempts)]
        await tx.write(queries.ADD_UNKNOWN_CODES, rows=counted)
