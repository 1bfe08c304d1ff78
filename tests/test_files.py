"""Files: reading within bounds, writing whole or not at all."""

import errno
import os
import shlex
from pathlib import Path

import pytest

from twin.common import files
from twin.common.errors import ScenarioError
from twin.common.files import (
    is_there,
    make_writable,
    read_json,
    read_text,
    reason,
    unmakeable,
    whole,
    write_json,
    write_text,
)
from twin.common.text import command
from twin.experiments.studies.file import read_study
from twin.scenario.changes import clean_name
from twin.scenario.model import from_data


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "a.txt"
    for mark in ("", "\ufeff"):
        path.write_text(f"{mark}Grüße", encoding="utf-8")
        assert read_text(path, 100, "a text") == "Grüße"


@pytest.mark.parametrize(
    ("content", "most", "said"),
    [
        (b"x" * 2001, 2000, "larger than 2 kB: not a text"),
        (b"x" * 2_000_001, 2_000_000, "larger than 2 MB: not a text"),
        (b"caf\xe9", 2000, "not UTF-8 text (byte 3)"),
    ],
)
def test_what_is_no_such_text_is_refused_without_a_word_of_it(tmp_path, content, most, said):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said.split(" (")[0]) as caught:
        read_text(path, most, "a text")
    assert reason(caught.value) == said


def test_why_a_file_cannot_be_read(tmp_path):
    for name, words in [("gone", "No such file"), ("a\0b", "not a file name"), (".", "directory")]:
        with pytest.raises((OSError, ValueError)) as caught:
            read_text(tmp_path / name, 100, "a text")
        assert words in reason(caught.value)
    (tmp_path / "a.json").write_text("[1" + "0" * 5000 + "]")
    with pytest.raises(ValueError, match="digits") as caught:
        read_json(tmp_path / "a.json", "numbers")
    assert "sys." not in reason(caught.value)


def test_what_was_written_is_read_and_nothing_else_is_there(tmp_path):
    data = {"name": "Zoë", "values": [1, 2.5, None]}
    write_json(tmp_path / "a.json", data, sync=True)
    assert read_json(tmp_path / "a.json", "data") == data
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("how", ["replace", "fsync"])
def test_a_failed_write_names_its_file_and_leaves_the_old_one(tmp_path, monkeypatch, how):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    monkeypatch.setattr("pathlib.Path.replace" if how == "replace" else "os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(path, "new", sync=True)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def write():
        with whole(tmp_path / "a") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not list(tmp_path.iterdir())


DEVICES = [
    "CON",
    "con",
    "Prn",
    "aux",
    "NUL",
    "com1",
    "LPT9",
    "COM0",
    "nul.txt",
    "Aux.a.b",
    "con .x",
]


@pytest.mark.parametrize("name", [*DEVICES, "desk ", "desk.", "desk. .", "a" * 100 + " "])
def test_a_name_that_windows_cannot_make_is_no_name_of_results(tmp_path, name):
    assert unmakeable(name)
    desk = {"arrivals": {"rate": "1/h"}, "agents": {"a": {"heads": 1, "handle_time": "5min"}}}
    for words in (lambda: from_data(desk | {"name": name}), lambda: from_data(desk).vary({}, name)):
        with pytest.raises(ScenarioError, match=r"name: .*(Windows|must not end)"):
            words()
    plan = {"name": name, "scenario": from_data(desk), "factors": {"arrivals.scale": [1, 2]}}
    with pytest.raises(ScenarioError, match=r"name: .*(Windows|must not end)"):
        read_study(plan)
    # A name that the twin makes, of a file or of changes, is one that can be made.
    assert not unmakeable(clean_name(name))
    assert from_data(desk | {"name": clean_name(name)}).name == clean_name(name)


@pytest.mark.parametrize(
    "name", ["console", "com10", "nullable", "a.con", "lpt", "prn-1", "desk.1"]
)
def test_other_names_are_left_as_they_are(name):
    assert not unmakeable(name)
    assert clean_name(name) == name


def test_a_file_that_somebody_reads_is_replaced_when_they_have_done(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("old")
    replace, tries = Path.replace, []

    def busy(part, path):
        tries.append(part)
        if len(tries) < 4:
            raise PermissionError(13, "used by another process")
        return replace(part, path)

    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(PermissionError):
        write_text(tmp_path / "a.json", "new")
    assert len(tries) == 1
    tries.clear()
    monkeypatch.setattr(files, "_WINDOWS", True)
    write_text(tmp_path / "a.json", "new")
    assert (len(tries), (tmp_path / "a.json").read_text()) == (4, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("plain.toml", "plain.toml"),
        ("my desk.toml", "'my desk.toml'"),
        ("$HOME/a.toml", "'$HOME/a.toml'"),
        ("it's.toml", "'it'\"'\"'s.toml'"),
        ("a;rm -rf b.toml", "'a;rm -rf b.toml'"),
        ("`id`.toml", "'`id`.toml'"),
        ("desk(2).toml", "'desk(2).toml'"),
        ("a&b.toml", "'a&b.toml'"),
        ("*.toml", "'*.toml'"),
        ("", "''"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="other quotes")
def test_printed_commands_are_quoted(path, printed):
    assert command("twin", "run", path) == f"twin run {printed}"
    assert shlex.split(command("twin", "run", path)) == ["twin", "run", path]


def test_a_cache_folder_that_is_not_absolute_does_not_count(monkeypatch):
    monkeypatch.delenv("TWIN_CACHE", raising=False)
    monkeypatch.setenv("HOME", os.path.abspath("home"))
    for value in ("", "here", "../there"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert files.cache_folder() == Path("home", ".cache", "support-desk-twin").absolute()


def test_what_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    make_writable(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        make_writable(tmp_path / "file")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "tmpx7")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match="No space left") as caught:
        make_writable(tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_whether_there_is_a_file_or_a_folder_never_fails(tmp_path):
    assert is_there(tmp_path, folder=True)
    assert not is_there(tmp_path)
    for name in ("x" * 5000, "a\0b", ""):
        assert not is_there(name)
