"""The page of a study: its sentences and tables say what its points say."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_report import Reader
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.text import amount
from twin.measures.figures import FIGURES
from twin.report.answer import of_study
from twin.report.page import page
from twin.report.study_pictures import pictures

DESK = {
    "name": "small",
    "horizon": "1d",
    "arrivals": {"rate": "12/h"},
    "assistant": {"role": "full", "backend": "profile"},
    "agents": {"all": {"heads": 1, "handle_time": "9min", "cost": 20.0}},
    "targets": {"first_response": {"normal": "1h"}},
}
PLAN = {
    "name": "load <b>",
    "question": "How much <i>load</i>?",
    "factors": {
        "arrivals.scale": [0.2, 4, 8],
        "model": {
            "good": {"assistant.profile.quality": 0.9},
            "middling": {"assistant.profile.quality": 0.6},
            "bad": {"assistant.profile.quality": 0.2},
        },
    },
    "kpis": ["containment", "csat", "occupancy:all"],
    "crossings": [{"kpi": "occupancy:all", "along": "arrivals.scale", "limit": 0.5}],
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    plan = PLAN | {"name": "load", "scenario": twin.from_data(DESK)}
    return twin.study(plan, replications=3, out=folder)


@pytest.fixture(scope="module")
def raw(found):
    return page(found)


@pytest.fixture(scope="module")
def reader(raw):
    return Reader(raw)


def test_the_page_is_sound(reader, raw):
    names = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(names) == len(set(names))
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1
    figures = reader.all("svg")
    assert len(figures) == len(reader.all("figcaption")) == 4
    assert all(a["aria-labelledby"] in names for a in figures)
    assert len(reader.all("caption")) == len(reader.all("table"))
    # What the study says is text.
    assert "How much <i>load</i>?" in reader.text
    assert "<i>" not in raw
    for heading in ("The answer", "In pictures", "Where limits are crossed", "All points",
                    "What is assumed", "Data quality and checks", "Run it again"):  # fmt: skip
        assert heading in reader.text


def test_the_answer_is_three_sentences_of_the_points(found):
    crossing, best, moved = of_study(found)
    where = twin.crossings(found, "occupancy:all", "arrivals.scale", 0.5)
    assert set(where["status"]) == {"crossed"}
    assert crossing.startswith("Along arrivals.scale, occupancy, all crosses 50.0 % for 3 of 3")
    assert any(f"{at:.3g}" in crossing for at in where["at"])
    summary = found.summary().query("kpi == 'csat' and group == ''").set_index("point")["value"]
    named = dict(zip(found.points["point"], found.points["model"], strict=True))
    assert (
        f"best with arrivals.scale {found.points.at[summary.idxmax(), 'arrivals.scale']:g}" in best
    )
    assert f"model {named[summary.idxmin()]} (" in best.partition(" and worst with ")[2]
    assert amount(summary.max(), "share") in best
    assert "What moves occupancy, all most is arrivals.scale" in moved


def test_targets_are_judged_by_values_and_by_intervals():
    plan = {
        "scenario": twin.from_data(DESK),
        "factors": {"agents.all.heads": [2, 6, 12]},
        "set": {"arrivals.scale": 8},
        "minimise": "human_cost",
        "targets": {"occupancy:all": {"at_most": 0.6}},
    }
    found = twin.study(plan, replications=4)
    rows = found.summary().query("kpi == 'occupancy' and group == 'all'").set_index("point")
    met, sure = (rows["value"] <= 0.6).sum(), (rows["high"] <= 0.6).sum()
    assert 0 < met < 3
    how_many, cheapest, _ = of_study(found)
    assert how_many.startswith(f"{met} of 3 points meet the target (occupancy, all at most 60 %)")
    assert ("all of them" if sure == met else f"for {sure} of them") in how_many
    cost = found.summary().query("kpi == 'human_cost' and group == ''").set_index("point")
    best = cost.loc[rows.index[rows["value"] <= 0.6], "value"].idxmin()
    assert f"lowest with all.heads {found.points.at[best, 'agents.all.heads']}: $" in cheapest
    hard = twin.study(plan | {"targets": {"occupancy:all": {"at_most": 0.0001}}}, replications=2)
    none, nothing, *_ = of_study(hard)
    assert none.startswith("0 of 3 points")
    assert nothing == "So none can be called the best by human cost."


def test_figures_that_no_luck_explains_are_told_first():
    plan = {"scenario": twin.from_data(DESK), "factors": {"arrivals.scale": [1, 8]},
            "kpis": ["categorization_accuracy", "occupancy:all"]}  # fmt: skip
    first, second = of_study(twin.study(plan, replications=3))
    assert first.startswith("Occupancy, all is highest with arrivals.scale 8")
    assert "overlap" not in first
    assert re.fullmatch(
        r"Categorization accuracy is 100 % \(\d[\d.]* to 100\) at every point\.", second
    )


def test_pictures_draw_the_figures_under_load(found):
    drawn = list(pictures(found))
    assert drawn[0].title == "Occupancy, all by arrivals.scale"
    assert "Cost per resolution against CSAT of all, arrivals.scale 8" in {p.title for p in drawn}
    assert all(p.svg.startswith("<svg ") and p.alt for p in drawn)
    assert "Lines by model" in drawn[0].alt
    rows = found.summary().query("kpi == 'occupancy' and group == 'all'")
    assert f"highest {amount(rows['value'].max(), 'share')}" in drawn[0].alt


def test_other_factors_are_pooled_and_said_so():
    factors = {"agents.all.heads": [1, 2], "arrivals.scale": [1, 2, 4]}
    factors |= {"customers.survey_rate": [round(0.1 * k, 1) for k in range(1, 8)]}
    factors["customers.reopen_rate"] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    plan = {"scenario": twin.from_data(DESK | {"horizon": "6h"}), "factors": factors,
            "design": "latin hypercube", "points": 8, "kpis": ["csat"]}  # fmt: skip
    found = twin.study(plan, replications=2)
    words = next(pictures(found)).alt
    assert "over all levels of" in words


def test_what_is_shown_runs_again(found, raw, tmp_path):
    text = raw.replace("&quot;", '"').replace("&gt;", ">").replace("&lt;", "<")
    files = re.findall(r"<summary>(\w+) as run \(TOML\)</summary><pre[^>]*><code>(.*?)</code>",
                       text, flags=re.DOTALL)  # fmt: skip
    assert [name for name, _ in files] == ["small", "load"]
    for name, content in files:
        (tmp_path / f"{name}.toml").write_text(content)
    again = twin.study(tmp_path / "load.toml")
    pd.testing.assert_frame_equal(again.frame, found.frame, check_dtype=False)
    assert "twin study load.toml" in text


def test_the_command_writes_the_page_of_a_study(found, tmp_path):
    runner = CliRunner()
    done = runner.invoke(app, ["report", str(found.path)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(found.path / "report.html")
    assert (found.path / "report.html").read_text().startswith("<!doctype html>")
    to = tmp_path / "page.html"
    done = runner.invoke(app, ["report", str(found.path.parent), "--out", str(to)])
    assert done.exit_code == 0, done.output
    assert "How much" in to.read_text()


def test_failures_are_told_and_nothing_makes_no_page(found):
    from dataclasses import replace

    failed = found.points[["point", "scenario", *found.factors]].head(1)
    failed = failed.assign(replication=7, stage="run", type="ValueError", message="no <b>luck</b>",
                           traceback="")  # fmt: skip
    text = page(replace(found, failures=failed, notes=("a note",)))
    assert "no &lt;b&gt;luck&lt;/b&gt;" in text
    assert "a note" in text
    with pytest.raises(ValueError, match="no replication is whole"):
        page(replace(found, frame=found.frame[:0]))


def test_notebooks_show_a_study_and_a_comparison(found):
    text = Reader(found._repr_html_()).text
    assert "27 of 27 replications of 9 points" in text
    assert "arrivals.scale model containment CSAT occupancy, all" in text
    names = found.points["scenario"].tolist()
    compared = twin.compare(found.results(), names[0], ["occupancy:all"])
    shown = Reader(compared._repr_html_())
    assert len(shown.all("table")) == len(names) - 1
    for row in compared.table.to_dict("records"):
        assert amount(row["what_if"], row["unit"]) in shown.text
    assert "Bonferroni" in shown.text


def test_less_load_is_never_the_best():
    """A point with half the tickets has the better service level, and is no better desk for it."""
    plan = {"scenario": twin.from_data(DESK), "factors": {"arrivals.scale": [1, 8]},
            "kpis": ["service_level", "agent_wait_mean"]}  # fmt: skip
    said = " ".join(of_study(twin.study(plan, replications=3)))
    assert "they differ in load, so neither is called better" in said
    assert "best" not in said


def equal_everywhere() -> dict[str, Any]:
    """Two factors and a leading figure that neither moves: nobody waits at all."""
    return {
        "scenario": twin.from_data(
            {"horizon": "12h", "replications": 3, "arrivals": {"rate": "2/h"},
             "agents": {"all": {"heads": 40, "handle_time": "1min"}},
             "targets": {"first_response": {"normal": "1h"}}}
        ),
        "factors": {"agents.all.heads": [40, 50, 60], "arrivals.scale": [0.3, 0.7, 1.0]},
    }  # fmt: skip


@pytest.mark.parametrize("kpi", ["service_level", "abandonment_rate", "human_cost",
                                 "categorization_accuracy", "service_level:urgent"])  # fmt: skip
def test_a_study_whose_leading_figure_is_equal_or_missing_everywhere_reports(kpi: str) -> None:
    found = twin.study(equal_everywhere() | {"kpis": [kpi]})
    text = page(found)
    assert "What moves" not in text.split("In pictures")[0].split("All points")[0]
    moved = twin.effects(found)
    # A figure that is equal everywhere is moved by nothing, not by 1e-16.
    assert (moved[["effect", "low", "high"]].fillna(0.0) == 0.0).all(axis=None)


def test_noise_of_arithmetic_is_no_effect() -> None:
    found = twin.study(equal_everywhere())
    # By a tenth a head, whatever the load: the regression leaves 1e-16 for that.
    frame = found.frame.assign(value=found.frame["agents.all.heads"] * 0.1)
    moved = twin.effects(replace(found, frame=frame), ["backlog"]).set_index("factor")
    assert moved.loc["agents.all.heads", "effect"] == pytest.approx(2.0)
    assert moved.loc["arrivals.scale", ["effect", "low", "high"]].tolist() == [0.0, 0.0, 0.0]


def figures_and_factors() -> Iterator[tuple[str, dict[str, Any]]]:
    factors: list[dict[str, Any]] = [
        {},
        {"agents.all.heads": [2, 2]},
        {"arrivals.kind": ["poisson", "constant"]},
        {"arrivals.scale": [1e-9, 2e-9]},
        {"arrivals.scale": [1e-9, 1.0], "agents.all.heads": [1, 2]},
        {"arrivals.kind": ["poisson", "constant"], "agents.all.heads": [1, 2]},
        {"agents.all.heads": [1, 2], "arrivals.scale": [0.5, 1.0], "horizon": ["6h", "12h"]},
    ]
    for plan in factors:
        yield ", ".join(plan) or "none", plan


@pytest.mark.parametrize("backend", ["off", "profile"])
@pytest.mark.parametrize(("name", "factors"), list(figures_and_factors()))
def test_a_study_of_anything_reports(name: str, factors: dict[str, Any], backend: str) -> None:
    assistant = {"role": "off"} if backend == "off" else {"backend": backend}
    desk = twin.from_data(
        {"horizon": "12h", "replications": 2, "arrivals": {"rate": "12/h"}, "assistant": assistant,
         "agents": {"all": {"heads": 2, "handle_time": "7min"}}}
    )  # fmt: skip
    found = twin.study({"scenario": desk, "factors": factors})
    numbers = [key for key, levels in factors.items() if not isinstance(levels[0], str)]
    for kpi in ("cost_per_resolution", "service_level", "csat", "backlog", "queue_wait_p90:urgent"):
        if kpi.partition(":")[0] not in FIGURES:
            continue
        crossings = [{"kpi": kpi, "along": key, "limit": 0.5} for key in numbers[:1]]
        one = replace(found, shown=(kpi,), crossings=tuple(crossings))
        assert "<html" in page(one)
