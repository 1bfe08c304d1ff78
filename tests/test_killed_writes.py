"""A history and a calibrated desk are whole, old or new, at whatever moment a write is killed."""

import json
import os
import subprocess
import sys

import children
import pytest

from twin.common import files


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_was_killed_at_any_step_is_the_old_or_the_new_and_leaves_nothing_beside(tmp_path):
    """All steps: python -m tests.killed_writes FOLDER."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_writes", str(tmp_path), "12"],
        cwd=children.ROOT, env=os.environ | {"PYTHONPATH": str(children.ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)
    # A dozen of tables, and the renames; the tables of a desk, its text and the removals.
    assert steps["history"] > 30
    assert steps["desk"] > 15


@pytest.mark.skipif(os.name == "nt", reason="asks for processes")
def test_only_what_killed_processes_left_is_removed(tmp_path, monkeypatch):
    path = tmp_path / "desk.toml"
    with files.whole(path) as mine:
        name = mine.name
        mine.write_text("half")
        command = [sys.executable, "-c", "import os; print(os.getpid())"]
        ended = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        dead = name.replace(f"-{os.getpid()}-", f"-{ended}-")
        # A process of another machine may live, for all that is known here, unless it is old.
        other = f".desk.toml.0123ab-{ended}-1.part"
        of_others = ".desk.toml.mine.part", ".desk.toml.backup", ".desk.tomlx.12-1.part"
        for one in (dead, other, *of_others):
            (tmp_path / one).write_text("x")
        files.clear_parts(path)
        assert {one.name for one in tmp_path.iterdir()} == {name, other, *of_others} - {dead}
        monkeypatch.setattr(files, "_STALE_S", -1.0)
        files.clear_parts(path)
        assert not (tmp_path / other).exists()
        # Its own is that of a process that is at work, whatever its age.
        mine.write_text("done")
    assert path.read_text() == "done"
