"""The notebooks run from top to bottom in a fresh kernel, and are kept as they should be."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PATHS = sorted(
    (ROOT / "notebooks").glob("*.ipynb"), key=lambda path: int(path.name.partition("-")[0])
)
# Less of everything, in the notebooks' own parameters.
QUICK = {
    1: {"HORIZON": "2d", "REPLICATIONS": 2},
    2: {"HORIZON": "2d", "REPLICATIONS": 2},
    3: {"HORIZON": "36h", "REPLICATIONS": 2, "LOADS": [0.1, 0.4]},
    4: {"HORIZON": "4d", "REPLICATIONS": 2},
    5: {"REPLICATIONS": 2, "DAYS": 2},
    6: {"HORIZON": "2d", "REPLICATIONS": 2, "CASE_REPLICATIONS": 2, "CASES": "Erlang"},
    7: {"EMAIL_HORIZON": "10d", "EMAIL_REPLICATIONS": 2, "HORIZON": "2d", "REPLICATIONS": 2},
    8: {"SINCE": "2026-03-14", "REPLICATIONS": 4},
    9: {"SINCE": "2026-03-14", "REPLICATIONS": 4},
    10: {"SINCE": "2026-03-13", "AHEAD": 7, "REPLICATIONS": 8},
    11: {
        "EARLY": [4],
        "LATE": [4, 5],
        "WEEKEND": [4],
        "HORIZON": "60h",
        "REPLICATIONS": 2,
        "BUDGET": 40,
    },
}
# A process of its own: kernels talk over sockets, which are blocked here.
PLAY = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
folder = {"metadata": {"path": sys.argv[2]}}
NotebookClient(notebook, timeout=240, resources=folder).execute()
nbformat.write(notebook, sys.argv[1])
"""


def number(path):
    return int(path.name.partition("-")[0])


def read(path):
    return nbformat.read(path, as_version=4)


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def test_all_are_here():
    assert [number(path) for path in PATHS] == sorted(QUICK)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_kept_without_outputs_and_written_to_teach(path):
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in cells(notebook, "code"):
        assert not cell.outputs
        assert cell.execution_count is None
        assert not re.search(r"^\s*(?:async )?(?:def|class) |\blambda \w+:.*\n.*\n", cell.source)
    words = [cell.source for cell in cells(notebook, "markdown")]
    assert "**Question:" in words[0]
    assert words[0].rstrip().count("?") >= 1
    assert any(text.startswith("## Decision") for text in words)
    for target in re.findall(r"\]\(([^)]+)\)", "\n".join(words)):
        assert target.startswith("https://") or (path.parent / target).exists()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(path, tmp_path):
    notebook = read(path)
    quick = QUICK[number(path)]
    (parameters,) = [
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    for name in quick:
        assert re.search(rf"^{name} = ", parameters.source, flags=re.M)
    # Beside what it reads, so that whatever it leaves would be seen.
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("scenarios", "results"):
        source = ROOT / name / ("reference" if name == "results" else "")
        shutil.copytree(source, tmp_path / name / ("reference" if name == "results" else ""))
    before = set(tmp_path.rglob("*"))
    parameters.source = "\n".join(f"{name} = {value!r}" for name, value in quick.items()) + "\n" + (
        "\n".join(
            line for line in parameters.source.splitlines()
            if line.partition(" = ")[0] not in quick
        )
    )  # fmt: skip
    played = tmp_path / "played.ipynb"
    nbformat.write(notebook, played)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PLAY, str(played), str(folder)],
        env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(tmp_path.rglob("*")) - before == {played}
    for cell in cells(read(played), "code"):
        texts = [out.get("text", "") for out in cell.outputs if out.output_type == "stream"]
        assert not texts, f"a cell writes: {texts}"
