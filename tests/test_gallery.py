"""The gallery in results/gallery: of today's scenarios and reference runs, true and small."""

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.builders import gallery, reference

FOLDER = gallery.ROOT / gallery.FOLDER
REBUILD = "stale: run python -m tests.builders.gallery, or first tests.builders.reference"
ROWS = pd.read_parquet(gallery.ROOT / gallery.ROWS)


def test_it_is_what_would_be_built_now():
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert kept == gallery.build(), REBUILD


def test_every_scenario_is_there_with_its_question_of_today():
    desks = {desk.name: desk.question for desk in reference.scenarios()}
    assert set(gallery.ANSWERS) == set(desks)
    assert dict(zip(ROWS["scenario"], ROWS["question"], strict=True)) == desks, REBUILD
    for name, answer in gallery.ANSWERS.items():
        assert ROWS.loc[ROWS["scenario"] == name, "kpi"].tolist() == list(answer.figures), REBUILD
        assert set(answer.rests_on) <= set(answer.figures)


def test_figures_are_those_of_the_kept_runs():
    """The runs themselves are played again by tests/test_reference.py."""
    kpis = pd.read_parquet(FOLDER.parent / "reference" / "what-ifs" / "kpis.parquet")
    kpis = kpis[kpis["group"] == ""]
    sums = kpis.groupby(["scenario", "kpi"])[["numerator", "denominator"]].sum()
    found = (sums["numerator"] / sums["denominator"]).to_dict()
    for row in ROWS.itertuples():
        # A mean of ratios is no ratio of sums: of those only the rest is looked at.
        if found[row.scenario, row.kpi] == pytest.approx(row.value, rel=0.02):
            continue
        each = kpis[(kpis["scenario"] == row.scenario) & (kpis["kpi"] == row.kpi)]
        assert (each["numerator"] / each["denominator"]).mean() == pytest.approx(row.value), REBUILD
    compared = ROWS[ROWS["verdict"].notna()]
    assert len(compared) > 20
    for row in compared.itertuples():
        assert row.what_if == pytest.approx(row.value)
        assert row.difference == pytest.approx(row.what_if - row.baseline)
        assert row.change_low <= row.difference <= row.change_high


def test_an_answer_whose_verdict_has_gone_is_not_built(tmp_path):
    (tmp_path / gallery.ROWS).parent.mkdir(parents=True)
    table = ROWS.copy()
    here = (table["scenario"] == "night-shift") & (table["kpi"] == "abandonment_rate")
    table.loc[here, "verdict"] = "no difference shown"
    table.to_parquet(tmp_path / gallery.ROWS)
    said = "night-shift: abandonment_rate is no difference shown, not better: reword"
    with pytest.raises(ValueError, match=said):
        gallery.build(tmp_path)


def test_pictures_are_small_and_all_in_sight():
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    assert sum(sizes) < 100_000
    for path in FOLDER.glob("*.svg"):
        svg = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        _, _, wide, high = map(float, svg.get("viewBox").split())
        space = "{http://www.w3.org/2000/svg}"
        bars = svg.findall(f"{space}rect")[1:]
        assert bars
        for bar in bars:
            assert 0 < float(bar.get("x")) + float(bar.get("width")) < wide
            assert float(bar.get("y")) + float(bar.get("height")) < high
        for text in svg.findall(f"{space}text"):
            # Letters of 14 pixels are about 8 wide, those of headings 9.
            long = len(text.text) * (9 if text.get("font-weight") else 8)
            start = float(text.get("x")) - (long if text.get("text-anchor") else 0)
            assert 0 < start < start + long < wide + 8, (path.name, text.text)
        assert not re.search("href|script", path.read_text(encoding="utf-8"))
