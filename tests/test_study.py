"""Studies: one tidy frame, resumed where they were; which factor moves what; the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from rich.console import Console
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.cli.study_tables import effects_table, points_table
from twin.common.text import change_of
from twin.demand import once
from twin.experiments import manifest as provenance
from twin.experiments.studies import sensitivity, store
from twin.experiments.studies.results import StudyResults
from twin.experiments.studies.sensitivity import crossings, effects
from twin.experiments.studies.study import StudyInterrupted
from twin.records.columns import TABLES
from twin.report.plots.studies import study_grid
from twin.scenario.model import Scenario

DESK: dict[str, Any] = {
    "name": "desk",
    "question": "Do two agents suffice?",
    "horizon": "4h",
    "replications": 2,
    "arrivals": {"rate": "12/h"},
    "targets": {"first_response": {"normal": "10min"}},
    "agents": {"all": {"heads": 2, "handle_time": "7min", "cost": 20.0}},
}
FACTORS = {"arrivals.scale": [0.5, 1.0], "agents.all.heads": [1, 2]}
SHOWN = ["service_level", "human_cost"]


@pytest.fixture
def desk() -> Scenario:
    return twin.from_data(DESK)


@pytest.fixture
def plan(desk: Scenario) -> dict[str, Any]:
    return {"scenario": desk, "factors": FACTORS, "kpis": SHOWN}


def test_the_frame_has_a_row_a_point_replication_and_figure(plan: dict[str, Any]) -> None:
    found = twin.study(plan)
    figures = [c.name for c in TABLES["kpis"]]
    assert [*found.frame] == ["point", "scenario", *FACTORS, "replication", *figures]
    assert not found.frame.duplicated(["point", "replication", "kpi", "group"]).any()
    assert [*found.points[["arrivals.scale", "agents.all.heads"]].itertuples(index=False)] == [
        (0.5, 1), (0.5, 2), (1.0, 1), (1.0, 2)
    ]  # fmt: skip
    assert (found.points["whole"] == 2).all()
    one = found.frame[(found.frame["point"] == 1) & (found.frame["replication"] == 1)]
    desk = plan["scenario"].vary({"arrivals.scale": 0.5})
    alone = twin.play(desk, 1).kpis
    assert one["value"].tolist() == pytest.approx(alone["value"].tolist(), nan_ok=True, abs=0)
    assert found.question == DESK["question"]


def test_a_study_says_how_many_tickets_come_so_that_a_small_one_is_not_compiled_for(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def engine_of(scenario: Scenario, engine: str, tickets: float) -> str:
        asked.append(tickets)
        return "simpy"

    monkeypatch.setattr(store, "engine_of", engine_of)
    twin.study(plan)
    # Four points, two replications each, of four hours at 6 or 12 an hour.
    assert asked == [pytest.approx(2 * 2 * 4 * (6 + 12))] * 4


def test_points_meet_the_same_customers(plan: dict[str, Any]) -> None:
    frame = twin.study(plan).frame
    arrivals = frame[frame["kpi"] == "arrivals"].groupby(["arrivals.scale", "replication"])
    assert (arrivals["value"].nunique() == 1).all()


def test_the_summary_and_the_results_are_those_of_runs(plan: dict[str, Any]) -> None:
    found = twin.study(plan)
    summary = found.summary()
    assert [*summary][:4] == ["point", "scenario", *FACTORS]
    results = found.results()
    assert_frame_equal(results.summary()[["value", "half_width"]], summary[["value", "half_width"]])
    assert [(run.status, run.whole) for run in results.runs] == [("complete", 2)] * 4


def test_points_compare_as_runs_do(desk: Scenario, tmp_path: Path) -> None:
    plan = {"name": "heads", "scenario": desk, "factors": {"agents.all.heads": [2, 3]}}
    found = twin.study(plan, replications=5, out=tmp_path)
    names = found.points["scenario"].tolist()
    others = [desk.vary({"agents.all.heads": k}, name=name) for k, name in zip((2, 3), names,
              strict=True)]  # fmt: skip
    wanted = twin.compare(twin.run(others, replications=5))
    assert wanted.table["paired"].all()
    assert found.path is not None
    for study in (found, twin.open_study(found.path)):
        compared = twin.compare(study.results())
        assert compared.notes == wanted.notes == ()
        assert_frame_equal(compared.table, wanted.table)


def test_points_of_several_scenarios_have_the_intervals_of_their_versions(desk: Scenario) -> None:
    sure = desk.vary({}, name="sure")
    open_ = desk.vary({"uncertainty.assumed": {"arrivals.scale": [0.5, 1.5]}}, name="open")
    plan = {"scenarios": [sure, open_], "factors": {"agents.all.heads": [2]}}
    found = twin.study(plan, replications=4)
    names = found.points["scenario"].tolist()
    assert found.sources == {names[1]: ("assumed",)}
    alone = twin.study(plan | {"scenarios": [open_]}, replications=4).summary()
    both = found.summary()
    columns = ["kpi", "group", "value", "low", "high"]
    own = both[both["scenario"] == names[1]].reset_index(drop=True)
    assert_frame_equal(own[columns], alone[columns])
    assert both.loc[both["scenario"] == names[0], "data"].isna().all()
    assert "may be too high" in twin.select(plan, "solved", 0.5, first=3).notes[0]


def test_what_was_saved_opens_as_it_was(plan: dict[str, Any], tmp_path: Path) -> None:
    where = [{"kpi": "csat", "along": "arrivals.scale", "limit": 0.5}]
    saved = twin.study(plan | {"crossings": where}, out=tmp_path)
    assert saved.path is not None
    for path in (saved.path, tmp_path / "studies" / "study"):
        opened = twin.open_study(path)
        assert_frame_equal(opened.frame, saved.frame)
        assert_frame_equal(opened.points, saved.points)
        assert (opened.factors, opened.shown, opened.crossings) == (
            saved.factors, saved.shown, saved.crossings,
        )  # fmt: skip
    manifest = json.loads((saved.path / "study.json").read_text())
    assert manifest["code"]
    assert manifest["study_as_run"]["factors"] == FACTORS
    with pytest.raises(ValueError, match="holds no study"):
        twin.open_study(tmp_path)


def test_what_is_done_is_not_done_again(plan: dict[str, Any], tmp_path: Path) -> None:
    assert twin.study(plan, out=tmp_path).played == 8
    again = twin.study(plan, out=tmp_path)
    assert again.played == 0
    more = twin.study(plan | {"factors": FACTORS | {"agents.all.heads": [1, 2, 3]}}, out=tmp_path)
    assert more.played == 4
    assert twin.study(plan, replications=3, out=tmp_path).played == 4
    assert twin.study(plan | {"seed": 7}, out=tmp_path).played == 8
    assert twin.study(plan, out=tmp_path, resume=False).played == 8
    assert_frame_equal(twin.study(plan).frame, again.frame)


def test_names_change_no_figure_and_files_do(desk: Scenario, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.csv"
    corpus.write_text("text,category,split\none,A,desk\n")
    one = desk.vary({"tickets.corpus": str(corpus)}, name="one")
    assert twin.study({"scenario": one}, out=tmp_path).played == 2
    other = one.vary({"question": "Which?"}, name="other")
    assert twin.study({"scenario": other}, out=tmp_path).played == 0
    corpus.write_text("text,category,split\ntwo,A,desk\n")
    assert twin.study({"scenario": one}, out=tmp_path).played == 2


def test_what_another_version_of_the_code_played_is_played_again_and_said(
    plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = twin.study(plan, out=tmp_path)
    assert not any("another version of the code" in note for note in first.notes)
    monkeypatch.setattr(provenance, "code_digest", lambda: "another")
    store._code.cache_clear()
    again = twin.study(plan | {"name": first.name}, replications=3, out=tmp_path)
    told = [note for note in again.notes if "another version of the code" in note]
    # Of the twelve, four were never played before.
    assert again.played == 12
    assert told == [
        "8 replications were played again, because another version of the code, or of a package "
        "it computes with, had stored them"
    ]
    assert not twin.study(plan, replications=3, out=tmp_path).notes
    damaged = next(tmp_path.glob("studies/*/replications/*/manifest.json"))
    damaged.write_text("[1]")
    monkeypatch.setattr(provenance, "code_digest", lambda: "a third")
    assert twin.study(plan, out=tmp_path).notes[0].split()[0] in ("6", "8")
    monkeypatch.undo()
    store._code.cache_clear()


def test_points_that_are_equal_are_played_once(desk: Scenario) -> None:
    found = twin.study({"scenario": desk, "factors": {"arrivals.scale": [1.0, 1.0]}})
    assert found.played == 2
    values = found.frame.groupby("point")["numerator"].agg(list)
    assert values[0] == values[1]


def test_what_failed_is_a_row_with_its_reason_and_is_tried_again(
    plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = once.draw

    def broken(scenario: Scenario, number: int) -> Any:
        if number == 1 and scenario.arrivals.scale == 0.5:
            raise RuntimeError("out of coffee")
        return draw(scenario, number)

    monkeypatch.setattr(once, "draw", broken)
    found = twin.study(plan, out=tmp_path)
    assert [*found.failures[["point", "arrivals.scale", "replication", "stage", "message"]]
            .itertuples(index=False, name=None)] == [
        (0, 0.5, 1, "draw", "out of coffee"), (1, 0.5, 1, "draw", "out of coffee")
    ]  # fmt: skip
    assert found.points["whole"].tolist() == [1, 1, 2, 2]
    assert "2 replications failed" in found.notes[-1]
    assert "draw: RuntimeError: out of coffee" in found.notes[-1]
    monkeypatch.undo()
    again = twin.study(plan, out=tmp_path)
    assert again.played == 2
    assert not len(again.failures)
    assert again.points["whole"].tolist() == [2, 2, 2, 2]


def test_ctrl_c_keeps_what_is_whole(plan: dict[str, Any], tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(StudyInterrupted, match="3 of 8 replications are whole, in "):
        twin.study(plan, out=tmp_path, progress=stop)
    assert twin.study(plan, out=tmp_path).played == 5
    with pytest.raises(StudyInterrupted, match="nothing was kept"):
        twin.study(plan, progress=stop)


def test_a_damaged_part_is_named(plan: dict[str, Any], tmp_path: Path) -> None:
    twin.study(plan, out=tmp_path)
    part = next(tmp_path.glob("studies/study/replications/*/kpis/*.parquet"))
    part.write_bytes(b"x")
    with pytest.raises(ValueError, match=r"r000\d\.parquet is damaged"):
        twin.study(plan, out=tmp_path)


def test_damaged_notes_are_named(plan: dict[str, Any], tmp_path: Path) -> None:
    twin.study(plan, out=tmp_path)
    home = next(tmp_path.glob("studies/study/replications/*"))
    (home / "notes").mkdir(exist_ok=True)
    (home / "notes" / "r0000.json").write_text('["cut off')
    with pytest.raises(ValueError, match=r"r0000\.json is damaged: not valid JSON at line 1"):
        twin.study(plan, out=tmp_path)


def made_up(values: Any, **factors: Any) -> StudyResults:
    """A study with given values of service_level, shape (points, replications)."""
    values = np.asarray(values, dtype=float)
    points = pd.DataFrame({"point": range(len(values)), **factors})
    points.insert(1, "scenario", [f"p{k}" for k in points["point"]])
    frames = [
        points.assign(
            replication=r, kpi="service_level", group="", unit="share",
            numerator=column, denominator=1.0, value=column,
        )
        for r, column in enumerate(values.T)
    ]  # fmt: skip
    return StudyResults(
        "made up", "", tuple(factors), pd.concat(frames, ignore_index=True), pd.DataFrame(),
        points, ("service_level",), (), (),
    )  # fmt: skip


def test_effects_find_what_was_put_in() -> None:
    rng = np.random.default_rng(1)
    x, kind = np.tile([0.0, 5.0, 10.0], 4), np.repeat(["a", "b"], 6)
    still = np.repeat([1.0, 2.0, 3.0, 4.0], 3)
    # Luck that a whole replication shares does not blur an effect.
    luck = 5 * rng.standard_normal(8) + 0.01 * rng.standard_normal((12, 8))
    truth = 0.3 * x + np.where(kind == "a", -1.0, 1.0)
    table = effects(made_up(truth[:, None] + luck, x=x, kind=kind, still=still))
    rows = {(row["factor"], row["level"]): row for row in table.to_dict("records")}
    for key, effect in ((("x", ""), 3.0), (("kind", "a"), -1.0), (("kind", "b"), 1.0)):
        assert rows[key]["low"] < effect < rows[key]["high"]
        assert rows[key]["high"] - rows[key]["low"] < 0.1
    assert rows["still", ""]["low"] < 0 < rows["still", ""]["high"]
    spread = truth.std()
    assert rows["x", ""]["standardised"] == pytest.approx(0.3 * x.std() / spread, abs=0.02)
    assert rows["kind", "a"]["fit"] == pytest.approx(1.0, abs=1e-3)
    assert rows["x", ""]["share"] == pytest.approx((0.3 * x.std() / spread) ** 2, abs=0.02)


def test_effects_use_the_replications_that_all_points_have(desk: Scenario) -> None:
    few = desk.vary({"replications": 3}, name="few")
    many = desk.vary({"replications": 5, "agents.all.heads": 3}, name="many")
    factors = {"arrivals.scale": [1, 2]}
    plan = {"scenarios": [few, many], "factors": factors, "kpis": ["backlog"]}
    found = effects(twin.study(plan))
    assert found["factor"].tolist() == ["base", "base", "arrivals.scale"]
    assert found["replications"].tolist() == [3, 3, 3]
    same = effects(twin.study(plan, replications=3))
    assert_frame_equal(found, same)


def test_effects_over_versions_hold_what_the_history_leaves_open() -> None:
    rng = np.random.default_rng(1)
    numbers, held, alone, tries = np.arange(20), 0, 0, 300
    for _ in range(tries):
        # The history is off by as much as its versions are from each other; the truth is 0.
        versions = rng.normal() + rng.normal(size=10).repeat(2)
        effect = versions + 0.5 * rng.normal(size=20)
        (mean, half), (_, narrow) = (sensitivity._interval(effect, numbers, sources, 0.95)
                                     for sources in (["data"], []))  # fmt: skip
        held += abs(mean) < half
        alone += abs(mean) < narrow
    assert 0.93 <= held / tries <= 0.99
    assert alone / tries < 0.6


def test_effects_of_one_replication_have_no_interval() -> None:
    table = effects(made_up([[1.0], [2.0], [3.0]], x=[1, 2, 3]))
    (row,) = table.to_dict("records")
    assert row["effect"] == pytest.approx(2.0)
    assert np.isnan(row["low"])


def test_durations_are_numbers_and_mixed_levels_are_not() -> None:
    values = [[1.0, 1.1], [2.0, 2.1], [3.0, 3.1]]
    table = effects(made_up(values, wait=["5min", "10min", "15min"]))
    assert table["level"].tolist() == [""]
    assert table["effect"].tolist() == pytest.approx([2.0])
    assert len(effects(made_up(values, wait=["5min", "10min", "1h"]))) == 3
    # Nothing varies, or more levels than points can tell apart.
    assert not len(effects(made_up(values, wait=["5min"] * 3)))
    assert not len(effects(made_up(values, a=["x", "y", "z"], b=["p", "q", "r"])))


def test_crossings_are_found_for_each_setting_of_the_other_factors() -> None:
    study = made_up(
        [[0.9], [0.7], [0.5], [0.95], [0.95], [0.9], [0.1], [0.1], [0.2]],
        load=[1.0, 2.0, 4.0, 4.0, 1.0, 2.0, 1.0, 2.0, 4.0],
        plan=["a"] * 3 + ["b"] * 3 + ["c"] * 3,
    )
    table = crossings(study, "service_level", "load", 0.6)
    assert table["plan"].tolist() == ["a", "b", "c"]
    assert table["status"].tolist() == ["crossed", "above throughout", "below throughout"]
    assert table["at"][0] == pytest.approx(3.0)
    assert (table["before"][0], table["after"][0]) == (2.0, 4.0)
    with pytest.raises(ValueError, match="no factor"):
        crossings(study, "service_level", "lode", 0.6)
    # One at a time: beside the others' own levels a factor does not vary, and crosses nothing.
    study = made_up(
        [[0.9], [0.5], [0.9], [0.4]], load=[1.0, 2.0, 1.0, 1.0], plan=["a", "a", "b", "c"]
    )
    assert crossings(study, "service_level", "load", 0.6)["plan"].tolist() == ["a"]
    with pytest.raises(ValueError, match="no numbers"):
        crossings(study, "service_level", "plan", 0.6)


def test_a_picture_has_a_chart_a_figure_and_the_values_of_the_frame(plan: dict[str, Any]) -> None:
    found = twin.study(plan)
    figure = study_grid(found)
    assert figure is not None
    assert len(figure.axes) == len(SHOWN)
    lines = [sorted(line.get_ydata()) for line in figure.axes[0].lines]
    drawn = [line for line in lines if len(line) > 1]  # the others are dots beside the labels
    summary = found.summary()
    rows = summary[(summary["kpi"] == "service_level") & (summary["group"] == "")]
    # Both factors have two levels: the first of them goes along.
    wanted = [sorted(part["value"]) for _, part in rows.groupby("agents.all.heads")]
    assert sorted(drawn) == sorted(wanted)
    texts = {"crew": {"one": {"agents.all.heads": 1}, "two": {"agents.all.heads": 2}}}
    assert study_grid(twin.study(plan | {"factors": texts})) is None


def test_a_chart_of_zeros_does_not_cut_off_the_one_beside_it_and_limits_are_marked() -> None:
    study = made_up(
        [[0.0], [0.6], [0.0], [0.5], [0.0], [0.0], [0.0], [0.0]],
        load=[1.0, 2.0] * 4, line=["a", "a", "b", "b"] * 2, chart=["x"] * 4 + ["y"] * 4,
    )  # fmt: skip
    limit = {"kpi": "service_level", "along": "load", "limit": 0.2}
    figure = study_grid(replace(study, crossings=(limit,)))
    assert figure is not None
    assert len(figure.axes) == 2
    for ax in figure.axes:
        assert ax.get_ylim()[1] >= 0.6
        (dashed,) = [line for line in ax.lines if line.get_gid() == "limit"]
        assert list(dashed.get_ydata()) == [0.2, 0.2]


STUDY_TOML = """
question = "How many agents?"
scenario = "desk.toml"
kpis = ["service_level", "human_cost"]
minimise = "human_cost"
[set]
replications = 2
[factors]
"agents.all.heads" = [1, 2, 3]
[[crossings]]
kpi = "service_level"
along = "agents.all.heads"
limit = 0.8
[targets]
service_level = { at_least = 0.6 }
"""
DESK_TOML = """
horizon = "4h"
arrivals = { rate = "12/h" }
targets = { first_response = { normal = "10min" } }
agents = { all = { heads = 2, handle_time = "7min", cost = 20.0 } }
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "desk.toml").write_text(DESK_TOML)
    (tmp_path / "heads.toml").write_text(STUDY_TOML)
    return tmp_path


def twin_command(files: Path, command: str, *words: str) -> Any:
    out = ["--out", str(files / "out"), "--workers", "1"]
    return CliRunner().invoke(app, [command, str(files / "heads.toml"), *out, *words])


def test_the_command_study_answers_and_resumes(files: Path) -> None:
    done = twin_command(files, "study", "--effects")
    assert done.exit_code == 0, done.output
    for words in ("heads: How many agents?", "service_level", "Where service_level crosses 80.0 %",
                  "Main effects", "results: "):  # fmt: skip
        assert words in done.output
    assert len([*files.glob("out/studies/heads/*/figure.svg")]) == 1
    again = twin_command(files, "study")
    assert "played 0 replications, 6 were there from before" in again.output
    data = json.loads(twin_command(files, "study", "--json").stdout)
    assert data["factors"] == ["agents.all.heads"]
    assert {row["point"] for row in data["kpis"]} == {0, 1, 2}
    assert data["crossings"][0]["kpi"] == "service_level"


def test_the_commands_say_on_stderr_why_they_play_again(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert twin_command(files, "study").exit_code == 0
    commands = {
        "study": [], "select": ["--kpi", "service_level", "--within", "0.05"],
        "search": ["--checks", "10"],
    }  # fmt: skip
    for command, words in commands.items():
        monkeypatch.setattr(provenance, "code_digest", lambda digest=command: digest)
        store._code.cache_clear()
        done = twin_command(files, command, *words, "--json")
        assert "note: " in done.stderr
        assert "played again, because another version of the code" in done.stderr
        assert json.loads(done.stdout)
    monkeypatch.undo()
    store._code.cache_clear()


def test_the_commands_select_and_search_answer(files: Path) -> None:
    done = twin_command(files, "select", "--kpi", "service_level", "--within", "0.05")
    assert done.exit_code == 0, done.output
    assert "best in service_level or within 5.00 points of the best" in done.output
    again = twin_command(files, "select", "--kpi", "service_level", "--within", "5%")
    # Not the other stream, where a slow machine tells how far it is.
    assert again.stdout.split("(")[0] == done.stdout.split("(")[0]
    done = twin_command(files, "search", "--checks", "10")
    assert done.exit_code == 0, done.output
    assert "cheapest by human_cost" in done.output
    data = json.loads(twin_command(files, "search", "--checks", "10", "--json").stdout)
    assert data["finalists"][0]["verdict"] in ("met", "likely")


def test_mistakes_are_lines_and_no_tracebacks(files: Path) -> None:
    done = twin_command(files, "select", "--kpi", "servicelevel", "--within", "0.05")
    assert done.exit_code == 2
    assert 'no figure "servicelevel"' in done.output
    for size in ("0", "-1%", "30s", "much"):
        done = twin_command(files, "select", "--kpi", "service_level", "--within", size)
        assert done.exit_code == 2
        assert f'--within {size}: must be a number above 0 or a per cent, as "1%"' in done.output
    done = twin_command(files, "study", "--cluster", "here")
    assert done.exit_code == 1
    assert "a Dask scheduler's address" in done.output
    (files / "heads.toml").write_text(STUDY_TOML.replace("heads", "haeds"))
    done = twin_command(files, "study")
    assert done.exit_code == 2
    assert 'did you mean "heads"?' in done.output
    assert "Traceback" not in done.output


def test_what_is_selected_does_not_depend_on_workers(plan: dict[str, Any]) -> None:
    found = [
        twin.select(plan, "service_level", 0.02, first=3, budget=40, workers=workers)
        for workers in (1, 2)
    ]
    assert found[0].statement == found[1].statement
    assert_frame_equal(found[0].table, found[1].table)


def test_effects_have_units_and_no_name_is_cut_off(plan: dict[str, Any]) -> None:
    found = twin.study(plan)
    console = Console(width=80, file=StringIO())
    console.print(effects_table(found))
    console.print(points_table(found))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    (row,) = (
        effects(found, ["service_level"]).query("factor == 'arrivals.scale'").to_dict("records")
    )
    change = change_of(row["effect"], row["low"], row["high"], "share")
    assert change.partition(" (")[0] in text
    assert " points" in change


@pytest.mark.parametrize("command", ["select", "search", "study"])
def test_who_interrupts_a_command_is_told_that_it_goes_on(
    files: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    module = {"select": "choice"}.get(command, command)
    monkeypatch.setattr(f"twin.experiments.studies.{module}.{command}", interrupted)
    words = ("--kpi", "service_level", "--within", "0.05") if command == "select" else ()
    done = twin_command(files, command, *words)
    assert done.exit_code == 130
    assert "the same command goes on from there" in done.output
