"""Codes for the printer: whole files by the million, and single QR labels.

A code file is worth its rewards to whoever holds it: it is readable by its owner alone, and it
appears under its name only when it is whole and on the disk.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import segno
import zxingcpp
from PIL import Image

from loyalty.codes.rules import (
    BLOCK_LENGTH,
    CROCKFORD,
    SERIAL_BITS,
    CodeKey,
    normalise,
    require_in_range,
)

CHUNK_CODES = 1 << 16  # what stays in the processor's cache; four times as many take twice as long
LABEL_SCALE = 8
LABEL_BORDER = 4
_READ_BYTES = 1 << 20

_PAIRS: npt.NDArray[np.uint16] = np.frombuffer(
    "".join(high + low for high in CROCKFORD for low in CROCKFORD).encode(), dtype=np.uint16
)
"""The two characters of every 10 bits, as they lie in memory."""


class CodeFileDiffers(Exception):
    """The file is there already and holds other codes; it was left alone."""


def write_codes(
    path: Path,
    key: CodeKey,
    batch_number: int,
    first_serial: int,
    quantity: int,
    host: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> str:
    """Write ``quantity`` codes, one a line, serials rising; the SHA-256 of the file in hexadecimal.

    With ``host`` each line is ``https://{host}/c/{code}``. ``progress`` is told how many codes are
    done. A file that is there already is left as it is: the same codes answer the same hash, so a
    run that was killed or repeated ends the same; others raise CodeFileDiffers.
    """
    chunks = _chunks(key, batch_number, first_serial, quantity, host, progress)
    if path.exists():
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
        return _same_or_raise(path, digest.hexdigest())
    # Two runs at once write two files; the first to be whole gets the name, by link, which unlike
    # a rename never replaces.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        written = _write(temporary, chunks)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return _same_or_raise(path, written)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return written


def read_codes(path: Path) -> Iterator[str]:
    """The codes of a file, in its order, without their address."""
    with path.open(encoding="ascii") as file:
        for line in file:
            yield normalise(line)


def png_label(code: str, path: Path) -> None:
    """A QR label (二维码) of one code or its URL, large enough for any reader."""
    segno.make(code, error="m", micro=False).save(
        str(path), kind="png", scale=LABEL_SCALE, border=LABEL_BORDER
    )


def read_label(path: Path) -> str:
    """What the one QR code of an image says; ValueError when there is not exactly one."""
    with Image.open(path) as image:
        found = zxingcpp.read_barcodes(image.convert("L"))
    if len(found) != 1:
        raise ValueError(f"{len(found)} codes found in {path.name}, not one")
    return str(found[0].text)


# --- many at once ------------------------------------------------------------------------------


def _chunks(
    key: CodeKey,
    batch_number: int,
    first_serial: int,
    quantity: int,
    host: str | None,
    progress: Callable[[int], None] | None,
) -> Iterator[bytes]:
    if quantity < 1:
        raise ValueError("at least one code")
    require_in_range(batch_number, first_serial)
    require_in_range(batch_number, first_serial + quantity - 1)
    address = f"https://{host}/c/" if host else ""
    prefix = (address + key.key_id).encode("ascii")
    done = 0
    while done < quantity:
        size = min(CHUNK_CODES, quantity - done)
        yield _lines(key, prefix, batch_number << SERIAL_BITS | first_serial + done, size)
        done += size
        if progress is not None:
            progress(done)


def _lines(key: CodeKey, prefix: bytes, first: int, size: int) -> bytes:
    """``size`` lines, for the upper halves of the plain blocks that count up from ``first``."""
    plain = np.zeros((size, 2), dtype=">u8")
    plain[:, 0] = np.arange(first, first + size, dtype=np.uint64)
    blocks = np.frombuffer(key.encrypt_blocks(plain.tobytes()), dtype=">u8").reshape(size, 2)
    high = blocks[:, 0].astype(np.uint64)
    low = blocks[:, 1].astype(np.uint64)
    lines = np.empty(
        size,
        dtype=[("prefix", f"S{len(prefix)}"), ("pairs", "u2", BLOCK_LENGTH // 2), ("end", "S1")],
    )
    lines["prefix"] = prefix
    lines["end"] = b"\n"
    pairs = lines["pairs"]
    for column in range(BLOCK_LENGTH // 2):
        shift = 5 * (BLOCK_LENGTH - 2) - 10 * column  # bits to the right of this pair
        if shift >= 64:
            digits = high >> np.uint64(shift - 64)
        elif shift + 10 <= 64:
            digits = low >> np.uint64(shift)
        else:
            digits = high << np.uint64(64 - shift) | low >> np.uint64(shift)
        pairs[:, column] = _PAIRS[digits & np.uint64(1023)]
    return lines.tobytes()


# --- one file ----------------------------------------------------------------------------------


def _write(path: Path, chunks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        for chunk in chunks:
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:  # an unbuffered write may take less than all
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    return digest.hexdigest()


def _same_or_raise(path: Path, wanted: str) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    if digest.hexdigest() != wanted:
        raise CodeFileDiffers(f"{path} is there already and holds other codes")
    return wanted


def _sync_directory(path: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
