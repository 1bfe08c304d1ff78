"""Differences between scenarios: the numbers by hand and against scipy, the words, the pairing."""

import json
import math
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.text import interval, signed, size_in
from twin.experiments.comparison import Comparison, compare, join
from twin.experiments.results import Results, Run
from twin.records import storage
from twin.report.page import page
from twin.stats.differences import POWER, differences

PAIRS = {"seed": 1, "start": "2026-01-05", "time_zone": "UTC", "horizon_s": 86400.0,
         "warm_up_s": 0.0, "code": "abc"}  # fmt: skip
DESK = {
    "name": "baseline",
    "horizon": "1d",
    "replications": 4,
    "arrivals": {"rate": "6/h"},
    "targets": {"first_response": {"normal": "5min"}},
    "agents": {"all": {"heads": 1, "handle_time": {"distribution": "exponential", "mean": "8min"}}},
}


def rows(scenario, kpi, numerators, denominators=None, group="", unit="s", start=0):
    n = len(numerators)
    return pd.DataFrame(
        {
            "scenario": scenario,
            "replication": np.arange(start, start + n),
            "kpi": kpi,
            "group": group,
            "unit": unit,
            "numerator": np.asarray(numerators, dtype=float),
            "denominator": 1.0 if denominators is None else np.asarray(denominators, dtype=float),
        }
    )


def results(*frames, **conditions):
    """Results of frames; conditions of a scenario that differ from PAIRS go by its name."""
    kpis = pd.concat(frames, ignore_index=True)
    names = list(dict.fromkeys(kpis["scenario"]))
    runs = tuple(
        Run(name, "", "complete", 0, 0, 0,
            manifest={"pairs_by": {**PAIRS, **conditions.get(name, {})}})
        for name in names
    )  # fmt: skip
    return Results(kpis, storage.join([], "failures"), runs)


samples = st.integers(3, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-1000, 1000), min_size=n, max_size=n)] * 2)
)


@given(samples, st.floats(0.5, 0.99))
@settings(max_examples=50, deadline=None)
def test_paired_means_are_those_of_the_t_test(pair, level):
    a, b = (np.array(values, dtype=float) for values in pair)
    row = differences(
        pd.concat([rows("a", "wait", a), rows("b", "wait", b)]), "a", [("wait", "")], level=level
    ).iloc[0]
    assert row["difference"] == pytest.approx(b.mean() - a.mean(), abs=1e-6)
    if np.ptp(b - a) == 0:
        assert row["low"] == row["high"] == row["difference"]
        return
    test = stats.ttest_rel(b, a)
    low, high = test.confidence_interval(level)
    tight = {"rel": 1e-5, "abs": 1e-5}
    assert row["p"] == pytest.approx(test.pvalue, **tight)
    assert (row["low"], row["high"]) == pytest.approx((low, high), **tight)


@given(samples, st.floats(0.5, 0.99))
@settings(max_examples=50, deadline=None)
def test_unpaired_means_are_those_of_welch(pair, level):
    a, b = (np.array(values, dtype=float) for values in pair)
    b = np.append(b, [7.0, 9.0])
    if np.ptp(a) == 0:
        return
    row = differences(
        pd.concat([rows("a", "wait", a), rows("b", "wait", b)]),
        "a", [("wait", "")], {"b": False}, level,
    ).iloc[0]  # fmt: skip
    test = stats.ttest_ind(b, a, equal_var=False)
    low, high = test.confidence_interval(level)
    tight = {"rel": 1e-5, "abs": 1e-5}
    assert row["p"] == pytest.approx(test.pvalue, **tight)
    assert (row["low"], row["high"]) == pytest.approx((low, high), **tight)


def test_a_difference_of_ratios_by_hand():
    frame = pd.concat(
        [rows("a", "sl", [1, 2, 3], [2, 4, 4]), rows("b", "sl", [2, 3, 3], [2, 4, 5])]
    )
    row = differences(frame, "a", [("sl", "")]).iloc[0]
    left_out = np.array([6 / 9 - 5 / 8, 5 / 7 - 4 / 6, 5 / 6 - 3 / 6])
    error = math.sqrt(2 / 3 * ((left_out - left_out.mean()) ** 2).sum())
    assert row["difference"] == pytest.approx(8 / 11 - 6 / 10)
    assert row["high"] - row["difference"] == pytest.approx(stats.t.ppf(0.975, 2) * error)
    assert row["replications"] == 3


def test_intervals_are_simultaneous_over_all_rows():
    generator = np.random.default_rng(5)
    frames = [
        rows(name, kpi, generator.normal(size=8))
        for kpi in ("one", "two", "three")
        for name in ("a", "b", "c")
    ]
    wanted = [("one", ""), ("two", ""), ("three", ""), ("nowhere", "")]
    found = differences(pd.concat(frames), "a", wanted)
    assert len(found) == 6
    assert list(found["scenario"]) == ["b"] * 3 + ["c"] * 3
    alone = differences(pd.concat(frames[:2]), "a", [("one", "")]).iloc[0]
    here = found[(found["scenario"] == "b") & (found["kpi"] == "one")].iloc[0]
    wider = stats.t.ppf(1 - 0.05 / 12, 7) / stats.t.ppf(0.975, 7)
    assert here["high"] - here["low"] == pytest.approx((alone["high"] - alone["low"]) * wider)
    assert here["p"] == pytest.approx(alone["p"])
    assert found["p_adjusted"].to_numpy() == pytest.approx(np.minimum(found["p"] * 6, 1))
    # One rule for both: a difference is shown just where its interval keeps off 0.
    off = (found["low"] > 0) | (found["high"] < 0)
    assert ((found["p_adjusted"] <= 0.05) == off).all()


def test_what_never_varies_is_exact_and_rounding_is_no_difference():
    a = np.array([0.1, 0.2, 0.3]) * 3
    frames = [
        rows("a", "same", [0.3, 0.6, 0.9]), rows("b", "same", a),
        rows("a", "cost", [5, 6, 7]), rows("b", "cost", [6, 7, 8]),
        rows("a", "none", [0, 0, 0], [0, 0, 0]), rows("b", "none", [1, 2, 3]),
    ]  # fmt: skip
    keys = [("same", ""), ("cost", ""), ("none", "")]
    found = differences(pd.concat(frames), "a", keys).set_index("kpi")
    same, cost, none = (found.loc[name] for name in ("same", "cost", "none"))
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
    assert (cost["difference"], cost["low"], cost["high"], cost["p"]) == (1, 1, 1, 0)
    # Of nothing there is no difference, and no test that would count among the others.
    assert math.isnan(none["difference"])
    assert math.isnan(none["p"])
    assert cost["p_adjusted"] == 0
    assert same["p_adjusted"] == 1


def test_one_replication_tells_no_interval():
    frame = pd.concat([rows("a", "wait", [1]), rows("b", "wait", [2])])
    row = differences(frame, "a", [("wait", "")]).iloc[0]
    assert row["difference"] == 1
    assert row[["low", "high", "p", "more_replications"]].isna().all()


def test_a_replication_without_the_figure_counts_for_neither():
    # The third has no urgent tickets in either scenario, the fourth only in the what-if.
    frames = [
        rows("a", "sl", [1, 2, 0, 0], [2, 2, 0, 0], "urgent"),
        rows("b", "sl", [2, 2, 0, 1], [2, 2, 0, 3], "urgent"),
    ]
    row = differences(pd.concat(frames), "a", [("sl", "urgent")]).iloc[0]
    assert row["replications"] == 3
    assert row["baseline"] == 3 / 4
    assert row["what_if"] == 5 / 7


def test_replications_that_would_settle_it_do():
    """With so many replications four of five experiments show a difference of that size."""
    generator = np.random.default_rng(11)
    change = np.array([0.9, -0.7, 1.1, 0.2, -0.4, 0.6, 0.3, -0.1])
    frame = pd.concat([rows("a", "wait", np.zeros(8)), rows("b", "wait", change)])
    row = differences(frame, "a", [("wait", "")]).iloc[0]
    assert row["p"] > 0.05
    n = 8 + int(row["more_replications"])
    values = generator.normal(change.mean(), change.std(ddof=1), size=(4000, n))
    shown = stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(POWER, abs=0.03)


def test_what_no_number_of_replications_settles_is_missing():
    frame = pd.concat([rows("a", "wait", [0, 0, 0]), rows("b", "wait", [1, -1, 1e-4])])
    assert math.isnan(differences(frame, "a", [("wait", "")])["more_replications"].iloc[0])


def test_verdicts_go_by_the_better_direction():
    step = np.array([0.0, 0.1, -0.1, 0.05])
    frames = []
    for kpi, change in [("service_level", 1), ("first_response_mean", 1), ("csat", -1),
                        ("backlog", -1), ("arrivals", 1), ("throughput", 0)]:  # fmt: skip
        frames += [rows("a", kpi, step), rows("b", kpi, step[::-1] + change)]
    for guard in ("solved", "abandonment_rate"):
        frames += [rows("a", guard, step), rows("b", guard, step)]
    frames += [rows("a", "queue", step), rows("b", "queue", step)]
    frames += [rows("a", "containment", step * 0, step * 0), rows("b", "containment", step)]
    names = ["service_level", "first_response_mean", "csat", "backlog", "arrivals", "throughput",
             "queue", "containment"]  # fmt: skip
    found = compare(results(*frames), "a", names)
    assert dict(zip(found.table["kpi"], found.table["verdict"], strict=True)) == {
        "service_level": "better",
        "first_response_mean": "worse",
        "csat": "worse",
        "backlog": "better",
        "arrivals": "higher",
        "throughput": "no difference shown",
        "queue": "equal",
        "containment": "not known",
    }
    assert found.notes == ()
    assert "Bonferroni" in found.method
    text = "\n".join(found.sentences())
    assert "b: service_level is better" in text
    assert "b: throughput: no difference shown" in text
    assert "would settle it" in text
    assert "b: containment: not known" in text
    assert "queue" not in text


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"seed": 2}, r"another seed \(1 and 2\)"),
        ({"horizon_s": 172800.0}, r"another horizon \(1 d and 2 d\)"),
        ({"start": "2026-02-01"}, "another start"),
        ({"code": "def"}, "another version of the twin's code"),
    ],
)
def test_runs_that_do_not_pair_are_noticed_and_compared_as_unrelated(other, reason):
    a, b = np.arange(6.0), np.arange(6.0) + 0.5
    frames = [rows("a", "backlog", a), rows("b", "backlog", b)]
    paired, apart = compare(results(*frames)), compare(results(*frames, b=other))
    assert paired.table["verdict"].tolist() == ["worse"]
    assert paired.table["paired"].tolist() == [True]
    assert apart.table["verdict"].tolist() == ["no difference shown"]
    assert apart.table["paired"].tolist() == [False]
    (note,) = apart.notes
    assert re.search(reason, note)
    assert "do not pair" in apart.method


def test_old_runs_do_not_pair():
    found = results(rows("a", "backlog", [1, 2]), rows("b", "backlog", [1, 2]))
    old = replace(found, runs=tuple(replace(run, manifest={}) for run in found.runs))
    assert "old run" in compare(old).notes[0]


def test_replications_that_one_lacks_are_left_out_and_said():
    a, b = rows("a", "backlog", [1, 2, 4, 9]), rows("b", "backlog", [2, 3, 5], start=0)
    found = compare(results(a, b))
    assert "1 replications without a partner" in found.notes[0]
    assert found.table["replications"].tolist() == [3]
    assert found.table["baseline"].tolist() == [pytest.approx(7 / 3)]
    apart = compare(results(a, rows("b", "backlog", [1, 2, 3], start=10)))
    assert "fewer than two replications in common" in apart.notes[0]


def test_the_baseline_is_found_by_name_or_comes_first():
    frames = [rows(name, "backlog", [1, 2, 4]) for name in ("x", "baseline", "y")]
    assert compare(results(*frames)).baseline == "baseline"
    assert compare(results(*frames[::2])).baseline == "x"
    assert compare(results(*frames), "y").baseline == "y"
    with pytest.raises(ValueError, match="no scenario 'z'"):
        compare(results(*frames), "z")
    with pytest.raises(ValueError, match="two scenarios"):
        compare(results(frames[0]))
    with pytest.raises(ValueError, match="did you mean"):
        compare(results(*frames), kpis=["backlogs"])
    with pytest.raises(ValueError, match=r"no group 'urgent' of backlog.*no groups"):
        compare(results(*frames), kpis=["backlog:urgent"])
    with pytest.raises(ValueError, match="level"):
        compare(results(*frames), level=95)


def test_runs_of_the_same_scenario_get_names_of_their_own():
    one = results(rows("a", "backlog", [1, 2, 4]))
    both = join([one, one])
    assert [run.scenario for run in both.runs] == ["a", "a (2)"]
    found = compare(both)
    assert found.table["verdict"].tolist() == ["equal"]


def test_joined_runs_keep_their_sanity_checks(desks):
    alone, both = desks.sanity(), join([desks, desks]).sanity()
    assert set(both["scenario"]) == {"baseline", "two", "baseline (2)", "two (2)"}
    assert len(both) == 2 * len(alone)
    assert both["ok"].all()


@pytest.fixture(scope="module")
def desks():
    desk = twin.from_data(DESK)
    return twin.run([desk, desk.vary({"agents.all.heads": 2}, name="two")])


def test_what_if_against_baseline_from_end_to_end(desks):
    found = twin.compare(desks)
    assert isinstance(found, Comparison)
    verdicts = dict(zip(found.table["kpi"], found.table["verdict"], strict=True))
    assert verdicts["service_level"] == "better"
    assert found.table["paired"].all()
    assert found.notes == ()
    # The same customers came to both.
    arrivals = twin.compare(desks, kpis=["arrivals"])
    assert arrivals.table["verdict"].tolist() == ["equal"]


def run_cli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def files(tmp_path):
    base, two = tmp_path / "base.toml", tmp_path / "two.toml"
    base.write_text(
        'horizon = "1d"\nreplications = 3\narrivals.rate = "6/h"\n'
        "[agents.all]\nheads = 1\n"
        'handle_time = { distribution = "exponential", mean = "8min" }\n'
    )
    two.write_text('extends = "base.toml"\nagents.all.heads = 2\n')
    return base, two


def test_the_command_compares_files_and_folders(files, tmp_path):
    base, two = files
    out = tmp_path / "results"
    first = run_cli("compare", base, two, "--out", out, "--quiet", "--workers", 1)
    assert first.exit_code == 0, first.output
    assert "two against base" in first.stdout
    assert "better" in first.stdout
    assert "Bonferroni" in first.stdout
    again = run_cli("compare", out / "base", out / "two", "--json", "--kpi", "backlog")
    data = json.loads(again.stdout)
    assert data["baseline"] == "base"
    assert data["notes"] == []
    (row,) = data["rows"]
    assert row["kpi"] == "backlog"
    assert row["verdict"] == "better"
    mixed = run_cli("compare", out / "base", two, "--seed", 5, "--out", out, "--quiet",
                    "--workers", 1)  # fmt: skip
    assert "another seed" in mixed.stderr
    assert mixed.exit_code == 0


def test_a_slip_in_a_figure_is_told_before_anything_is_played(files, tmp_path):
    done = run_cli("compare", *files, "--out", tmp_path / "results", "--kpi", "backlogs")
    assert done.exit_code == 2
    assert 'no figure "backlogs"' in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_command_refuses_in_a_line(files, tmp_path):
    base, two = files
    for words, text in [
        ((base,), "at least one what-if"),
        ((base, two, "--kpi", "backlogs"), "did you mean"),
        ((base, tmp_path), "holds no run"),
        ((base, base), "is given twice"),
        ((base, two, "--cluster", "here"), "a Dask scheduler's address"),
    ]:
        found = run_cli("compare", *words, "--out", tmp_path / "results", "--quiet",
                        "--workers", 1)  # fmt: skip
        assert found.exit_code == (1 if "--cluster" in words else 2), found.output
        assert text in found.stderr
        assert "Traceback" not in found.output


def test_terminal_and_page_have_the_same_intervals(files, tmp_path):
    """The page of a comparison, and each other way to it, takes the figures of `twin compare`."""
    found = run_cli("compare", *files, "--out", tmp_path, "--quiet", "--workers", 1)
    paths = re.findall(r"^results: (.+)", found.output, flags=re.M)
    results = twin.open_results(*paths)
    of_page, of_terminal = (" ".join(text.split()) for text in (page(results), found.output))
    method = compare(results).method
    assert re.search(r"over all \d+ figures together", method)
    assert method in of_terminal
    assert method[1:].replace("%", " %") in of_page
    rows = compare(results).table.query("verdict == 'no difference shown'").to_dict("records")
    assert rows
    for row in rows:
        assert interval(row) in of_terminal
        low, high = (signed(row[k], row["unit"], size_in(row)) for k in ("low", "high"))
        assert f">{low} to {high}<" in of_page


def test_a_narrow_terminal_cuts_no_name_off(files, tmp_path, monkeypatch):
    narrow = Console(width=80, file=StringIO())
    monkeypatch.setattr("twin.cli.compare.out", narrow)
    found = run_cli("compare", *files, "--out", tmp_path, "--quiet", "--workers", 1)
    assert found.exit_code == 0, found.output
    text = narrow.file.getvalue()
    assert "…" not in text
    assert "first_response_mean" in text
    assert re.search(r"^equal \(in every replication\): .*abandonment_rate", text, re.MULTILINE)


def test_models_that_say_the_same_are_told_of():
    data = {
        "horizon": "6h",
        "arrivals": {"rate": "6/h"},
        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    }
    desk = twin.from_data(data)
    for backend, told in (("embedded", True), ("profile", False)):
        one = desk.vary({"assistant.backend": backend, "assistant.role": "off"}, name="one")
        other = one.vary({"assistant.model": "openai/gpt-oss-120b"}, name="other")
        results = twin.run([one, other], replications=2)
        notes = twin.compare(results).notes
        assert any("the same under every model" in note for note in notes) == told
