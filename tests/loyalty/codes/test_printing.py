"""Files of codes say exactly what the codec says, and a label reads back."""

import hashlib
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from loyalty.codes.printing import (
    CHUNK_CODES,
    CodeFileDiffers,
    png_label,
    read_codes,
    read_label,
    write_codes,
)
from loyalty.codes.rules import BATCH_NUMBER_MAX, SERIALS_PER_SERIES, CodeKey

KEY = CodeKey(uuid4(), uuid4(), "Z09", bytes(range(16)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    batch_number=st.integers(1, BATCH_NUMBER_MAX),
    first_serial=st.integers(0, SERIALS_PER_SERIES - 50),
    quantity=st.integers(1, 50),
    key=st.binary(min_size=16, max_size=16),
    host=st.sampled_from([None, "host.example"]),
)
def test_a_file_says_what_the_codec_says(
    tmp_path: Path,
    batch_number: int,
    first_serial: int,
    quantity: int,
    key: bytes,
    host: str | None,
) -> None:
    code_key = CodeKey(uuid4(), uuid4(), "0ZA", key)
    codes = [
        code_key.encode(batch_number, serial)
        for serial in range(first_serial, first_serial + quantity)
    ]
    address = "https://host.example/c/" if host else ""
    path = tmp_path / "codes.txt"
    path.unlink(missing_ok=True)
    digest = write_codes(path, code_key, batch_number, first_serial, quantity, host)
    content = path.read_bytes()
    assert content.decode() == "".join(f"{address}{code}\n" for code in codes)
    assert digest == hashlib.sha256(content).hexdigest()
    assert list(read_codes(path)) == codes


def test_a_file_of_several_chunks_has_no_seams(tmp_path: Path) -> None:
    quantity = 2 * CHUNK_CODES + 1
    done: list[int] = []
    write_codes(tmp_path / "codes.txt", KEY, 3, 7, quantity, progress=done.append)
    assert done == [CHUNK_CODES, 2 * CHUNK_CODES, quantity]
    codes = list(read_codes(tmp_path / "codes.txt"))
    assert len(codes) == quantity
    for at in (0, CHUNK_CODES - 1, CHUNK_CODES, 2 * CHUNK_CODES - 1, 2 * CHUNK_CODES):
        assert KEY.decode(codes[at]) == (3, 7 + at)


def test_a_file_is_its_owners_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"
    write_codes(path, KEY, 1, 0, 10)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["codes.txt"]


def test_a_rerun_ends_the_same(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"
    first = write_codes(path, KEY, 1, 0, 10)
    written_at = path.stat().st_mtime_ns
    assert write_codes(path, KEY, 1, 0, 10) == first
    assert path.stat().st_mtime_ns == written_at


def test_other_codes_are_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"
    write_codes(path, KEY, 1, 0, 10)
    before = path.read_bytes()
    with pytest.raises(CodeFileDiffers, match=r"codes\.txt"):
        write_codes(path, KEY, 2, 0, 10)
    assert path.read_bytes() == before


class Stopped(Exception):
    pass


def test_a_run_that_breaks_off_leaves_no_half_file(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        write_codes(tmp_path / "codes.txt", KEY, 1, 0, 10, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_of_two_runs_at_once_one_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.txt"

    def other_run_ends(_: int) -> None:
        path.write_text("other codes")

    with pytest.raises(CodeFileDiffers):
        write_codes(path, KEY, 1, 0, 10, progress=other_run_ends)
    assert path.read_text() == "other codes"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("batch_number", "first_serial", "quantity"),
    [(1, 0, 0), (0, 0, 1), (BATCH_NUMBER_MAX + 1, 0, 1), (1, SERIALS_PER_SERIES - 1, 2)],
)
def test_what_does_not_fit_is_not_written(
    tmp_path: Path, batch_number: int, first_serial: int, quantity: int
) -> None:
    with pytest.raises(ValueError):
        write_codes(tmp_path / "codes.txt", KEY, batch_number, first_serial, quantity)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["", "https://host.example/c/"])
def test_a_label_reads_back(tmp_path: Path, address: str) -> None:
    path = tmp_path / "label.png"
    code = KEY.encode(1, 2)
    png_label(address + code, path)
    assert read_label(path) == address + code
    assert KEY.decode(read_label(path)) == (1, 2)


def test_an_empty_picture_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "white.png"
    Image.new("L", (200, 200), 255).save(path)
    with pytest.raises(ValueError, match=r"0 codes found in white\.png"):
        read_label(path)
