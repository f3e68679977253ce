"""Which texts make the intake look for new keys, and who waits for that."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, product
from typing import Any

from sqlalchemy import Engine, event

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.codes.rules import BLOCK_LENGTH, CROCKFORD, KEY_ID_LENGTH
from loyalty.codes.service import create_key_epoch, load_key
from loyalty.crypto import Keyring
from loyalty.db import Database
from rewards.scans.batcher import ScanBatcher
from rewards.scans.intake import KEYS_RELOADS_AT_ONCE, ScanIntake


def guesses(quantity: int, first: str = "0") -> list[str]:
    """Texts that may be codes, each of a key id of its own."""
    digits = product(first, *[CROCKFORD] * (KEY_ID_LENGTH - 1))
    return ["".join(key_id) + "0" * BLOCK_LENGTH for key_id in islice(digits, quantity)]


@contextmanager
def looks() -> Iterator[list[str]]:
    """The statements that read keys."""
    told: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "key_epochs" in statement:
            told.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield told
    event.remove(Engine, "before_cursor_execute", note)


async def test_a_new_keys_code_is_recognised_while_others_guess(
    db: Database, brand: Brand, keyring: Keyring
) -> None:
    intake = ScanIntake(db, keyring, ScanBatcher(db, batch_size_max=1, queue_size_max=1))
    for guess in guesses(KEYS_RELOADS_AT_ONCE):
        assert await intake.recognise(brand.id, guess) is None
    epoch = await db.in_transaction(create_key_epoch, system_actor(brand.id), keyring)
    async with db.snapshot() as snapshot:
        key = await load_key(snapshot, keyring, brand.id, epoch.id)

    with looks() as told:
        *others, named = await asyncio.gather(
            *(intake.recognise(brand.id, guess) for guess in guesses(200, "Z")),
            intake.recognise(brand.id, key.encode(1, 7)),
        )
    assert named is not None
    assert (named.key_epoch_id, named.batch_number, named.serial) == (epoch.id, 1, 7)
    assert set(others) == {None}
    assert len(told) == 1, "one look answers all who wait for it"


async def test_what_cannot_be_a_code_and_what_was_just_looked_for_cost_no_look(
    db: Database, brand: Brand, keyring: Keyring
) -> None:
    intake = ScanIntake(db, keyring, ScanBatcher(db, batch_size_max=1, queue_size_max=1))
    [guess] = guesses(1)
    with looks() as told:
        for text in ("hello", "", guess[:-1], "https://example.com/c/none"):
            assert await intake.recognise(brand.id, text) is None
        assert told == []
        for _ in range(3):
            assert await intake.recognise(brand.id, guess) is None
        assert len(told) == 1
