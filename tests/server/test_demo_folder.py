"""The demo's own folder: made, marked, emptied of what is its own, and never anybody else's."""

from pathlib import Path

import pytest

from server.demo_folder import DATABASE, LABELS, MARKER, FolderRefused, claimed_folder


def test_it_makes_a_new_folder_for_its_owner_alone(tmp_path: Path) -> None:
    with claimed_folder(tmp_path / "a" / "b") as own:
        assert own.path == tmp_path / "a" / "b"
        assert own.path.stat().st_mode & 0o077 == 0
        assert (own.path / MARKER).is_file()


def test_it_takes_an_empty_folder(tmp_path: Path) -> None:
    with claimed_folder(tmp_path):
        assert (tmp_path / MARKER).is_file()


def test_it_removes_what_a_demo_left_and_nothing_else(tmp_path: Path) -> None:
    with claimed_folder(tmp_path) as own:
        assert not own.started_over
        own.file(LABELS[0]).write_text("old")
    with claimed_folder(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def test_it_starts_over_where_a_demo_of_another_version_was(tmp_path: Path) -> None:
    with claimed_folder(tmp_path) as own:
        own.file(DATABASE).write_bytes(b"a database as no version of ours has it")
    with claimed_folder(tmp_path) as own:
        assert own.started_over
        assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def test_it_refuses_its_own_folder_once_something_else_lies_in_it(tmp_path: Path) -> None:
    with claimed_folder(tmp_path) as own:
        own.file(LABELS[0]).write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FolderRefused, match=r"notes\.txt"), claimed_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {MARKER, LABELS[0], "notes.txt"}


def test_it_refuses_a_file_and_a_marker_that_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderRefused, match="is a file"), claimed_folder(tmp_path / "file"):
        pass
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / MARKER).symlink_to(tmp_path / "file")
    with pytest.raises(FolderRefused, match="cannot be used"), claimed_folder(trap):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_it_refuses_a_folder_where_a_demo_is_running(tmp_path: Path) -> None:
    with (
        claimed_folder(tmp_path),
        pytest.raises(FolderRefused, match="Another demo"),
        claimed_folder(tmp_path),
    ):
        pass
    with claimed_folder(tmp_path):
        pass


def test_it_names_no_file_that_it_would_not_remove(tmp_path: Path) -> None:
    with claimed_folder(tmp_path) as own, pytest.raises(KeyError):
        own.file("thesis.txt")
