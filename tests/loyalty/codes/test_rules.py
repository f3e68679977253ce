"""The codec keeps its promise: what we print reads back, what we did not print never does."""

import os
import random
import re
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.codes.models import BatchStatus, CodeKind, CodePurpose
from loyalty.codes.rules import (
    BATCH_NUMBER_MAX,
    BATCH_QUANTITY_MAX,
    CODE_LENGTH,
    CROCKFORD,
    DEFAULT_PURPOSES,
    KEY_ID_LENGTH,
    SERIALS_PER_SERIES,
    CodeKey,
    item_no,
    next_status,
    normalise,
    recognise,
    require_sound_order,
    serial_of,
    series_of,
    split,
)
from loyalty.errors import BatchStateWrong, InvalidInput

KEY = CodeKey(uuid4(), uuid4(), "7AB", bytes(range(16)))
OTHER_KEY = CodeKey(uuid4(), uuid4(), "7AC", bytes(range(1, 17)))
KEYS = {key.key_id: key for key in (KEY, OTHER_KEY)}

batch_numbers = st.integers(1, BATCH_NUMBER_MAX)
serials = st.integers(0, SERIALS_PER_SERIES - 1)
FORGERIES = 10_000


@given(batch_numbers, serials)
def test_a_code_reads_back(batch_number: int, serial: int) -> None:
    code = KEY.encode(batch_number, serial)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(CROCKFORD)
    assert code.startswith(KEY.key_id)
    assert KEY.decode(code) == (batch_number, serial)
    assert recognise(KEYS, code) == (KEY, batch_number, serial)


def test_a_code_is_what_it_was_yesterday() -> None:
    # By openssl, not by us. Printed caps outlive releases: this must never change.
    assert KEY.encode(1, 0) == "7AB135YRWXFBXP0FMDSK67NC4007A"


@given(batch_numbers, serials, st.randoms(use_true_random=False))
def test_a_code_reads_however_it_is_typed(
    batch_number: int, serial: int, chance: random.Random
) -> None:
    code = KEY.encode(batch_number, serial)
    typed = "".join(
        chance.choice({"0": "0Oo", "1": "1IiLl"}.get(digit, digit + digit.lower()))
        + chance.choice(["", "", "-", " "])
        for digit in code
    )
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    for text in (
        typed,
        full_width,
        f"  {code}\r\n",
        f"https://host.example/c/{code}",
        f"HTTPS://HOST.EXAMPLE/C/{code}",
        f"https://host.example/shop/c/{typed}/?scene=/c/1#top",
    ):
        assert normalise(text) == code
        assert KEY.decode(text) == (batch_number, serial)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "7AB",
        "7AB" + "0" * 25,
        "7AB" + "0" * 27,
        "7AB" + "U" * 26,
        "7AB+" + "0" * 25,
        "7AB" + "0_0" * 8 + "00",
        "7AB" + "0" * 25 + "\0",
        "7AB" + "\ud800" * 26,
        "7AB" + "😀" * 26,
        "\u202e7AB" + "0" * 26,
        "https://host.example/x/7AB" + "0" * 26,
        "7" * 1_000_000,
    ],
)
def test_what_is_no_code_is_refused_quietly(text: str) -> None:
    assert KEY.decode(text) is None
    assert recognise(KEYS, text) is None


@given(st.text())
def test_no_text_is_a_surprise(text: str) -> None:
    assert KEY.decode(text) is None
    assert recognise(KEYS, text) is None


def test_split_takes_the_key_id_off() -> None:
    code = KEY.encode(5, 6)
    assert split(code.lower()) == (KEY.key_id, code[KEY_ID_LENGTH:])
    assert split(code[:-1]) is None


def test_random_forgeries_all_fail() -> None:
    chance = random.Random(1)
    accepted = [
        code
        for code in ("7AB" + "".join(chance.choices(CROCKFORD, k=26)) for _ in range(FORGERIES))
        if KEY.decode(code) is not None
    ]
    assert accepted == []


def test_sequential_forgeries_all_fail() -> None:
    value = int.from_bytes(os.urandom(15))
    blocks = [value + step for step in range(FORGERIES)]
    accepted = [block for block in blocks if KEY.decode("7AB" + _base32(block)) is not None]
    assert accepted == []


def test_a_code_with_one_bit_changed_always_fails() -> None:
    chance = random.Random(2)
    for _ in range(FORGERIES):
        code = KEY.encode(chance.randint(1, BATCH_NUMBER_MAX), chance.randrange(1 << 40))
        digits = [CROCKFORD.index(digit) for digit in code]
        digits[chance.randrange(CODE_LENGTH)] ^= 1 << chance.randrange(5)
        assert recognise(KEYS, "".join(CROCKFORD[digit] for digit in digits)) is None


def test_a_code_with_one_character_changed_always_fails() -> None:
    chance = random.Random(3)
    for _ in range(FORGERIES):
        code = KEY.encode(chance.randint(1, BATCH_NUMBER_MAX), chance.randrange(1 << 40))
        place = chance.randrange(CODE_LENGTH)
        other = chance.choice(CROCKFORD.replace(code[place], ""))
        assert recognise(KEYS, code[:place] + other + code[place + 1 :]) is None


def test_a_block_has_one_spelling() -> None:
    # The top two bits of 130 are zero: setting one would be a second code for the same item.
    code = KEY.encode(9, 9)
    first = CROCKFORD.index(code[KEY_ID_LENGTH])
    assert first < 8
    for high in (8, 16, 24):
        assert KEY.decode(code[:KEY_ID_LENGTH] + CROCKFORD[first + high] + code[4:]) is None


def test_another_keys_code_is_not_ours() -> None:
    code = OTHER_KEY.encode(1, 1)
    assert KEY.decode(code) is None
    assert KEY.decode(KEY.key_id + code[KEY_ID_LENGTH:]) is None


@pytest.mark.parametrize("bit", range(64))
def test_every_one_of_the_zero_bits_is_checked(bit: int) -> None:
    block = KEY.encrypt_blocks((1 << 104 | 1 << bit).to_bytes(16))
    assert KEY.decode("7AB" + _base32(int.from_bytes(block))) is None


@pytest.mark.parametrize("high", [0, 1 << 40 + 23, 7 << 40 + 21])
def test_a_sealed_block_outside_the_batch_numbers_fails(high: int) -> None:
    block = KEY.encrypt_blocks((high << 64).to_bytes(16))
    assert KEY.decode("7AB" + _base32(int.from_bytes(block))) is None


@pytest.mark.parametrize(
    ("batch_number", "serial"),
    [(0, 0), (-1, 0), (BATCH_NUMBER_MAX + 1, 0), (1, -1), (1, SERIALS_PER_SERIES)],
)
def test_what_does_not_fit_is_not_encoded(batch_number: int, serial: int) -> None:
    with pytest.raises(ValueError):
        KEY.encode(batch_number, serial)
    with pytest.raises(ValueError):
        item_no(batch_number, serial)


@given(batch_numbers, serials)
def test_an_item_number_comes_apart(series_no: int, serial: int) -> None:
    number = item_no(series_no, serial)
    assert (series_of(number), serial_of(number)) == (series_no, serial)
    assert 0 < number < 1 << 63


def test_a_key_does_not_show_itself() -> None:
    assert repr(KEY) == "CodeKey(7AB)"
    assert not hasattr(KEY, "__dict__")


@pytest.mark.parametrize("key_id", ["7A", "7ABC", "7AU", "7ab"])
def test_a_key_id_is_three_characters_of_the_alphabet(key_id: str) -> None:
    with pytest.raises(ValueError, match="three characters"):
        CodeKey(uuid4(), uuid4(), key_id, bytes(16))


def test_part_of_a_block_is_never_encrypted() -> None:
    # It would stay in the kept context and shift every later code.
    with pytest.raises(ValueError, match="whole blocks"):
        KEY.encrypt_blocks(bytes(17))
    assert KEY.decode(KEY.encode(1, 1)) == (1, 1)


def test_every_kind_has_its_purpose() -> None:
    assert {kind.value: purpose.value for kind, purpose in DEFAULT_PURPOSES.items()} == {
        "INNER": "REWARD",
        "OUTER": "GUIDE",
        "BOX_INNER": "SELL_THROUGH",
        "BOX_OUTER": "SELL_THROUGH",
        "PALLET": "TRACE",
        "CARD": "REWARD",
        "TICKET": "REWARD",
    }
    assert set(DEFAULT_PURPOSES) == set(CodeKind)
    assert set(DEFAULT_PURPOSES.values()) <= set(CodePurpose)


ALLOWED = re.findall(
    r"(\w+) -> (\w+)",
    """
    DRAFT -> DRAFT, DRAFT -> PRINTED, DRAFT -> RETIRED,
    PRINTED -> PRINTED, PRINTED -> ACTIVE, PRINTED -> RETIRED,
    ACTIVE -> ACTIVE, ACTIVE -> RETIRED,
    RETIRED -> RETIRED
    """,
)


@pytest.mark.parametrize("current", list(BatchStatus))
@pytest.mark.parametrize("wanted", list(BatchStatus))
def test_a_batch_moves_only_forward(current: BatchStatus, wanted: BatchStatus) -> None:
    if (current.value, wanted.value) in ALLOWED:
        assert next_status(current, wanted) is wanted
        return
    with pytest.raises(BatchStateWrong) as refused:
        next_status(current, wanted)
    assert refused.value.details == {"status": current.value, "wanted": wanted.value}


@pytest.mark.parametrize(
    ("quantity", "kinds", "field"),
    [
        (0, [CodeKind.INNER], "quantity"),
        (-1, [CodeKind.INNER], "quantity"),
        (BATCH_QUANTITY_MAX + 1, [CodeKind.INNER], "quantity"),
        (1, [], "kinds"),
        (1, [CodeKind.INNER, CodeKind.OUTER, CodeKind.INNER], "kinds"),
    ],
)
def test_an_unsound_order_is_refused(quantity: int, kinds: list[CodeKind], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        require_sound_order(quantity, kinds)
    assert refused.value.details["field"] == field


def test_a_sound_order_passes() -> None:
    require_sound_order(1, [CodeKind.INNER])
    require_sound_order(BATCH_QUANTITY_MAX, list(CodeKind))


def _base32(block: int) -> str:
    """Written out again, plainly, so that the tests do not lean on the codec's own digits."""
    return "".join(CROCKFORD[block >> shift & 31] for shift in range(125, -1, -5))
