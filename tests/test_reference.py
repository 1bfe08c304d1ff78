"""The kept reference runs: they are of what is shipped today, and small."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders import reference
from twin.experiments.replication import play

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / reference.FOLDER
REBUILD = "stale: run python -m tests.builders.reference"
FOLDERS = {reference.WHAT_IFS, *(path.stem for path in reference.studies(ROOT))}


@cache
def samples():
    """Scenarios that are played again, by the folder of the reference."""
    found = {}
    for name, desk in reference.samples(ROOT):
        found.setdefault(name, []).append(desk)
    return found


def stored(name):
    return pd.read_parquet(FOLDER / name / "kpis.parquet")


def test_there_is_one_of_each():
    studies = {path.stem for path in reference.studies(ROOT)}
    wanted = {reference.BASELINE, reference.WHAT_IFS, *studies}
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == wanted, REBUILD
    for name in wanted:
        assert len(stored(name))
    names = {desk.name for desk in reference.scenarios(ROOT)}
    assert set(stored(reference.WHAT_IFS)["scenario"]) == names, REBUILD


def test_made_from_the_files_of_today():
    kept = json.loads((FOLDER / "inputs.json").read_text(encoding="utf-8"))
    assert kept == reference.inputs(ROOT), REBUILD


def test_samples_are_of_all():
    assert set(samples()) == FOLDERS


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_played_again_gives_the_same(name):
    for scenario in samples()[name]:
        check_played(scenario, stored(name))


def check_played(scenario, rows):
    rows = rows[(rows["scenario"] == scenario.name) & (rows["replication"] == 0)]
    assert len(rows), REBUILD
    keys = ["kpi", "group"]
    now = play(scenario).kpis.set_index(keys)
    for column in ("numerator", "denominator"):
        old, new = rows.set_index(keys)[column], now[column].reindex(rows.set_index(keys).index)
        # Sums of floats may differ between machines in the last digits.
        assert np.allclose(old, new, rtol=1e-6, equal_nan=True), REBUILD


def test_small_and_of_no_machine():
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(sizes) < 1_000_000
    for path in FOLDER.glob("*/report.html"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>")
        assert str(ROOT) not in text
        assert "file:" not in text
