"""What a printed code is, and what a batch of them may become. Pure: keys and texts come as values.

A native code is 29 characters of Crockford base32: a clear key id (3) and one AES-128 block (26
characters, top two bits zero) over the 24-bit batch number, the 40-bit serial and 64 zero bits.
Those zeros verify a code without a stored row: a forgery passes once in 2**64 tries.
"""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES128

from loyalty.codes.models import BatchStatus, CodeKind, CodePurpose
from loyalty.errors import BatchStateWrong, InvalidInput

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY_ID_LENGTH = 3
BLOCK_LENGTH = 26
CODE_LENGTH = KEY_ID_LENGTH + BLOCK_LENGTH
KEY_BYTES = 16
BLOCK_BYTES = 16
TEXT_LENGTH_MAX = 512
"""Longer texts are no code: nobody's megabyte is normalised."""

SERIAL_BITS = 40
SERIALS_PER_SERIES = 1 << SERIAL_BITS
BATCH_NUMBER_MAX = (1 << 23) - 1
BATCH_QUANTITY_MAX = 10_000_000

DEFAULT_PURPOSES: Mapping[CodeKind, CodePurpose] = {
    CodeKind.INNER: CodePurpose.REWARD,
    CodeKind.OUTER: CodePurpose.GUIDE,
    CodeKind.BOX_INNER: CodePurpose.SELL_THROUGH,
    CodeKind.BOX_OUTER: CodePurpose.SELL_THROUGH,
    CodeKind.PALLET: CodePurpose.TRACE,
    CodeKind.CARD: CodePurpose.REWARD,
    CodeKind.TICKET: CodePurpose.REWARD,
}
"""What a scan of a code means, by where it is printed, unless its batch says otherwise."""

# --- the text of a code ------------------------------------------------------------------------

_FORGIVEN = bytes.maketrans(b"OIL", b"011")
_SEPARATORS = b"- \t\r\n"
# int(text, 32) counts in 0-9a-v. Whatever is not ours becomes "!", which it refuses; as it is, it
# would forgive signs, underscores and the letter U.
_TO_INT_DIGITS = bytes(
    b"0123456789abcdefghijklmnopqrstuv"[CROCKFORD.index(chr(code))]
    if chr(code) in CROCKFORD
    else ord("!")
    for code in range(256)
)
_DIGIT_PAIRS = [high + low for high in CROCKFORD for low in CROCKFORD]
_PAIR_SHIFTS = range(5 * (BLOCK_LENGTH - 2), -1, -10)


def normalise(text: str) -> str:
    """A code as it was printed: upper case, no separators, look-alikes (O, I, L) read as digits.

    Takes what people type and what scanners give: a bare code, or a URL ending ``/c/{code}``, in
    any case and with full-width letters (全角). Answers "" for what cannot be a code.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return ""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        if not text.isascii():
            return ""
    raw = text.upper().encode()
    if b"/" in raw:
        address = raw.partition(b"#")[0].partition(b"?")[0].rstrip(b"/ \t\r\n")
        raw = address.rpartition(b"/C/")[2]
    return raw.translate(_FORGIVEN, _SEPARATORS).decode()


def split(text: str) -> tuple[str, str] | None:
    """The clear key id and the block of a code, normalised; None when the length is wrong."""
    code = normalise(text)
    if len(code) != CODE_LENGTH:
        return None
    return code[:KEY_ID_LENGTH], code[KEY_ID_LENGTH:]


# --- the cipher --------------------------------------------------------------------------------


class CodeKey:
    """One brand's key of one epoch, ready for use; it never shows the key itself.

    Not for use by several threads at once: the cipher contexts are kept and used again. That is
    sound because every call gives whole blocks, and blocks of one context do not depend on each
    other.
    """

    __slots__ = ("_decrypt", "_encrypt", "brand_id", "epoch_id", "key_id")

    def __init__(self, brand_id: UUID, epoch_id: UUID, key_id: str, key: bytes) -> None:
        if len(key_id) != KEY_ID_LENGTH or any(digit not in CROCKFORD for digit in key_id):
            raise ValueError("a key id is three characters of Crockford base32")
        # ECB is right here: one block a code, every block another plain text.
        cipher = Cipher(AES128(key), modes.ECB())
        self._encrypt = cipher.encryptor().update
        self._decrypt = cipher.decryptor().update
        self.brand_id = brand_id
        self.epoch_id = epoch_id
        self.key_id = key_id

    def __repr__(self) -> str:
        return f"CodeKey({self.key_id})"

    def encrypt_blocks(self, blocks: bytes | memoryview) -> bytes:
        """Whole 16-byte blocks, many at once, for printing."""
        if len(blocks) % BLOCK_BYTES:
            raise ValueError("only whole blocks")
        return self._encrypt(blocks)

    def encode(self, batch_number: int, serial: int) -> str:
        """The code of one serial of one batch; ValueError when either is out of range."""
        require_in_range(batch_number, serial)
        plain = ((batch_number << SERIAL_BITS | serial) << 64).to_bytes(BLOCK_BYTES)
        value = int.from_bytes(self._encrypt(plain))
        return self.key_id + "".join([_DIGIT_PAIRS[value >> bit & 1023] for bit in _PAIR_SHIFTS])

    def decode(self, code: str) -> tuple[int, int] | None:
        """Batch number and serial; None when this key did not make the code."""
        parts = split(code)
        if parts is None or parts[0] != self.key_id:
            return None
        return self.decode_block(parts[1])

    def decode_block(self, block: str) -> tuple[int, int] | None:
        """As ``decode``, for the normalised 26 characters that ``split`` gives."""
        if len(block) != BLOCK_LENGTH:
            return None
        try:
            value = int(block.encode("ascii").translate(_TO_INT_DIGITS), 32)
            plain = int.from_bytes(self._decrypt(value.to_bytes(BLOCK_BYTES)))
        except (ValueError, OverflowError):  # a foreign letter; the top two bits not zero
            return None
        if plain & 0xFFFF_FFFF_FFFF_FFFF:
            return None
        batch_number = plain >> 64 + SERIAL_BITS
        if not 0 < batch_number <= BATCH_NUMBER_MAX:
            return None
        return batch_number, plain >> 64 & SERIALS_PER_SERIES - 1


def recognise(keys: Mapping[str, CodeKey], text: str) -> tuple[CodeKey, int, int] | None:
    """The key, batch number and serial of a scanned text among all keys, by their key id; None for
    forgeries and misreads. Whose code it is, ``CodeKey.brand_id`` says: compare it."""
    parts = split(text)
    if parts is None:
        return None
    key = keys.get(parts[0])
    if key is None:
        return None
    found = key.decode_block(parts[1])
    return None if found is None else (key, *found)


def require_in_range(batch_number: int, serial: int) -> None:
    """ValueError unless a block can hold both."""
    if not 0 < batch_number <= BATCH_NUMBER_MAX:
        raise ValueError(f"batch number {batch_number} is not in 1..{BATCH_NUMBER_MAX}")
    if not 0 <= serial < SERIALS_PER_SERIES:
        raise ValueError(f"serial {serial} is not in 0..{SERIALS_PER_SERIES - 1}")


# --- items -------------------------------------------------------------------------------------


def item_no(series_no: int, serial: int) -> int:
    """The item (单品) that all codes of one serial in one series are printed on."""
    require_in_range(series_no, serial)
    return series_no << SERIAL_BITS | serial


def serial_of(item_no: int) -> int:
    return item_no & SERIALS_PER_SERIES - 1


def series_of(item_no: int) -> int:
    return item_no >> SERIAL_BITS


# --- batches -----------------------------------------------------------------------------------

_NEXT: Mapping[BatchStatus, Collection[BatchStatus]] = {
    BatchStatus.DRAFT: {BatchStatus.PRINTED, BatchStatus.RETIRED},
    BatchStatus.PRINTED: {BatchStatus.ACTIVE, BatchStatus.RETIRED},
    BatchStatus.ACTIVE: {BatchStatus.RETIRED},
    BatchStatus.RETIRED: set(),
}


def next_status(current: BatchStatus, wanted: BatchStatus) -> BatchStatus:
    """The status a batch takes; asking again for the one it has changes nothing.

    Refuses with BatchStateWrong what would skip printing or bring a batch back.
    """
    if wanted is not current and wanted not in _NEXT[current]:
        raise BatchStateWrong(status=current.value, wanted=wanted.value)
    return wanted


def require_sound_order(quantity: int, kinds: Sequence[CodeKind]) -> None:
    """InvalidInput unless a print run of that many codes of each of those kinds can be made."""
    if not 1 <= quantity <= BATCH_QUANTITY_MAX:
        raise InvalidInput(field="quantity", problem=f"must be from 1 to {BATCH_QUANTITY_MAX}")
    if not kinds:
        raise InvalidInput(field="kinds", problem="name at least one kind")
    if len(set(kinds)) != len(kinds):
        raise InvalidInput(field="kinds", problem="name every kind once")
