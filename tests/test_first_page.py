"""The first page of a report: what it says follows from its verdicts, in plain words."""

import html
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS
from test_report import Reader
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.toml import dump
from twin.experiments.comparison import compare
from twin.experiments.targets import Answers, answers
from twin.report import advice, prose
from twin.report.page import page
from twin.report.source import Source
from twin.scenario.model import Target

RUNNER = CliRunner()
DESK = {
    "name": "baseline",
    "question": "Are <two> enough?",
    "horizon": "12h",
    "arrivals": {"rate": "8/h"},
    "targets": {"first_response": {"normal": "30min"}},
    "agents": {"all": {"heads": 3, "handle_time": "15min", "cost": 20.0}},
    "customers": {"patience": {"distribution": "exponential", "mean": "1h"}},
}
EASY, HARD = {"service_level": Target(at_least=0.5)}, {"service_level": Target(at_least=0.999)}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first") / "results"
    base = twin.from_data(DESK)
    desks = [
        base,
        base.vary({"agents.all.extra_heads": 3}, name="more"),
        base.vary({"agents.all.extra_heads": -2}, name="fewer"),
        base.vary({"arrivals.scale": 3}, name="rush"),
    ]
    twin.run(desks, replications=8, out=folder)
    return twin.open_results(*(folder / desk.name for desk in desks))


@pytest.fixture(scope="module")
def one(played):
    return twin.open_results(played.runs[0].path)


def sources_of(results):
    summary = results.summary()
    return [
        Source(results, run, summary[summary["scenario"] == run.scenario]) for run in results.runs
    ]


def told(results, targets=None):
    comparison = compare(results, "baseline") if len(results.runs) > 1 else None
    found = answers(results, "baseline", targets)
    return advice.what_to_do(results, sources_of(results), comparison, found)


def first_of(results, targets=None):
    return Reader(page(results, brief=True, targets=targets)).text


def test_a_desk_without_targets_gets_none(played, one):
    for results in (played, one):
        text = first_of(results)
        assert "No target is set, so this page gives no yes or no." in text
        assert "set [targets.figures] in the scenario" in text
        assert "With a chance of at least" not in text
        assert 'class="verdict"' not in page(results, brief=True)
        # A promised time says of no share how many must keep it.
        assert "9 in 10" not in text.split("What to do")[1]


def test_yes_and_no_are_those_of_the_verdicts(played):
    text = first_of(played, EASY)
    verdicts = answers(played, "baseline", EASY).verdicts
    assert verdicts["baseline"] == verdicts["more"] == "met"
    assert verdicts["fewer"] == "missed"
    for name, verdict in verdicts.items():
        word = {"met": "yes", "missed": "no", "open": "not known yet"}[verdict]
        assert f"{name}: {word} ." in text or f"{name}: {word}." in text
    assert "With a chance of at least 95 %, every yes and no here is right." in text


def test_one_run_says_yes_or_no_and_what_follows(one):
    text = first_of(one, EASY)
    assert "Yes ." in text or "Yes." in text
    assert "Keep baseline as it is" in text
    text = first_of(one, HARD)
    assert "No ." in text or "No." in text
    assert "Change the desk: baseline misses a target." in text
    assert "twin search" in text


def test_the_cheapest_that_meets_every_target_is_chosen(played):
    # With three more it is met, too, at more cost.
    sentences = told(played, EASY)
    assert sentences[0] == (
        "Choose baseline: of baseline and more, which meet every target, it costs least."
    )
    # Another load is no choice.
    assert not any("Choose rush" in one for one in sentences)
    assert any(one.startswith("rush plays another load") for one in sentences)
    none = told(played, {"service_level": Target(at_least=1.0)})
    assert none[0].startswith(("Change the desk: none of these meets", "Decide nothing yet"))


def test_the_only_one_that_meets_them_is_chosen(played):
    wait = played.summary().query("kpi == 'agent_wait_mean'").set_index("scenario")["value"]
    between = (wait["baseline"] * wait["more"]) ** 0.5
    sentences = told(played, {"agent_wait_mean": Target(at_most=float(between))})
    assert sentences[0] == (
        "Choose more: it is the only one here that is shown to meet every target."
    )


def test_who_loses_customers_is_no_choice_and_no_miss(played):
    found = answers(played, "baseline", {"first_response_p90": Target(at_most=1e6)})
    verdicts = {"baseline": "missed", "fewer": "not judged"}
    found = replace(found, verdicts=verdicts, reasons={"fewer": "solved got worse"})
    (text,) = advice._by_targets(played, ["baseline", "fewer"], found)
    assert "fewer would meet every target; the others miss one" in text
    assert "customers are lost" in text


def test_without_targets_a_trade_is_called_one(played):
    sentences = told(played)
    (fewer,) = [one for one in sentences if "fewer" in one]
    (more,) = [one for one in sentences if one.startswith("more ")]
    # Dearer and better, or cheaper and worse: which of both is wanted, no twin can tell.
    assert more.startswith("more is a trade: better in")
    assert "cost of a week" in more
    assert fewer.startswith(("fewer is a trade", "Keep baseline rather than fewer"))


def test_what_is_open_names_what_would_settle_it(one):
    table = pd.DataFrame([{
        "scenario": "baseline", "target": "solved", "kpi": "solved", "group": "", "unit": "share",
        "at_most": False, "limit": 0.9, "value": 0.9, "low": 0.8, "high": 0.95, "verdict": "open",
        "more": 31.2, "replications": 8,
    }])  # fmt: skip
    found = Answers(table, {"baseline": "open"}, {}, 0.95)
    sentences = advice.what_to_do(one, sources_of(one), None, found)
    assert sentences == [
        "Decide nothing yet: only baseline may meet every target.",
        "For baseline, about 32 more replications would tell: "
        "run its file with `--replications 40`.",
    ]
    found = Answers(table.assign(more=float("inf")), {"baseline": "open"}, {}, 0.95)
    sentences = advice.what_to_do(one, sources_of(one), None, found)
    assert "more replications would not tell" in sentences[1]
    # One target that is missed decides, however long the others stay open.
    missing = table.assign(target="csat", kpi="csat", value=0.5, more=1.0)
    found = Answers(
        pd.concat([table.assign(more=float("inf")), missing]), {"baseline": "open"}, {}, 0.95
    )
    assert advice.what_to_do(one, sources_of(one), None, found)[1] == (
        "For baseline, about 1 more replication would tell: run its file with `--replications 9`."
    )


def test_the_command_that_would_tell_plays_the_same_desk_when_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my desks").mkdir()
    file = tmp_path / "my desks" / "$tight.toml"
    limits = {"figures": {"service_level": {"at_least": 0.999}}}
    file.write_text(dump(DESK | {"targets": DESK["targets"] | limits}))
    work = "agents.all.handle_time={ distribution = 'lognormal', mean = '15min', cv = 0.5 }"
    changes = [f"--set={one}" for one in ("arrivals.rate=7/h", work, "arrivals.scale=1.5")]
    relative = str(file.relative_to(tmp_path))
    done = RUNNER.invoke(app, ["run", relative, *changes, "--replications=2", "--seed=5"])
    assert done.exit_code == 0, done.output
    (line,) = re.findall(r"<code>twin (run .*--replications \d+)</code>", newest_page())
    words = shlex.split(line)
    assert words[1] == relative
    words[words.index("--replications") + 1] = "2"
    assert RUNNER.invoke(app, words).exit_code == 0
    first, second = (run.manifest for run in open_all("results/baseline"))
    assert first["scenario_as_run"] == second["scenario_as_run"]
    # Where the file is gone no command would work, and none is said.
    file.unlink()
    assert "run its file with <code>--replications" in newest_page()


def newest_page():
    done = RUNNER.invoke(app, ["report", "results/baseline", "--brief"])
    # A whole report stays beside it.
    assert Path(done.stdout.strip()).name == "report-brief.html"
    return html.unescape(Path(done.stdout.strip()).read_text(encoding="utf-8"))


def open_all(folder):
    return [twin.open_results(path).runs[0] for path in sorted(Path(folder).iterdir())]


@pytest.mark.parametrize(
    "of",
    [{"file": 5, "set": []}, {"file": "README.md", "set": [5]}, {"file": "a\0b", "set": []},
     {"file": "x" * 5000, "set": []}, {"file": "README.md", "set": "--out /"}, {"set": ["a=1"]}],
)  # fmt: skip
def test_a_damaged_manifest_names_no_command(of):
    assert advice._run_again({"read_from": of}, 9) == "run its file with `--replications 9`"


def test_costs_are_money_and_their_lack_is_said(played):
    sentences = advice.costs(sources_of(played), compare(played, "baseline"))
    assert re.match(r"baseline costs \$[\d,]+ a week", sentences[0])
    assert re.match(r"more costs \$[\d,]+ more a week", sentences[1])
    assert re.match(r"fewer costs \$[\d,]+ less a week", sentences[2])
    assert sentences[2].endswith("; that is no merit, as customers are lost.")
    assert sentences[3].endswith("under another load.")
    free = twin.from_data(DESK | {"agents": {"all": {"heads": 3, "handle_time": "15min"}}})
    results = twin.run(free, replications=2, keep_logs=True)
    assert advice.costs(sources_of(results), None) == ["Not known: set agents.all.cost."]
    assert "Not known: set agents.all.cost." in first_of(results)


def test_what_it_rests_on_is_named(played):
    rows = dict(advice.rests_on(played, sources_of(played), None, ["solved", "cost_week"]))
    assert "8 replications of each scenario" in rows["Measured"]
    assert "customers.solved.agent" in rows["Assumed"]
    assert "no history was given" in rows["Not identified"]


def test_nothing_of_a_scenario_becomes_markup(played):
    text = page(played, brief=True)
    assert "<two>" not in text
    assert "Are &lt;two&gt; enough?" in text


def test_the_command_writes_the_first_page(played, tmp_path):
    folders = [str(run.path) for run in played.runs[:2]]
    to = tmp_path / "brief.html"
    done = RUNNER.invoke(app, ["report", *folders, "--brief", "--target", "service_level=30%",
                               "--target", "occupancy<=99%", "--out", str(to)])  # fmt: skip
    assert done.exit_code == 0, done.output
    text = Reader(to.read_text()).text
    assert "at least 30 % is asked" in text
    assert "at most 99 % is asked" in text
    assert "Key figures and targets" not in text


@pytest.mark.parametrize(
    ("target", "said"),
    [("service_level", "FIGURE=VALUE"), ("servce_level=3", "did you mean"),
     ("service_level=x", "must be a number"), ("occupancy=90%", "occupancy>=VALUE"),
     ("=3", "FIGURE=VALUE")],
)  # fmt: skip
def test_a_target_that_is_none_is_refused_in_a_line(played, target, said):
    done = RUNNER.invoke(app, ["report", str(played.runs[0].path), "--target", target])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_history_has_no_first_page(tmp_path):
    file = tmp_path / "log.csv"
    lines = [
        f"{k},2026-03-0{1 + k % 9}T10:00:00Z,2026-03-0{1 + k % 9}T11:00:00Z" for k in range(40)
    ]
    file.write_text("id,created,solved\n" + "\n".join(lines) + "\n", encoding="utf-8")
    folder = tmp_path / "history"
    done = RUNNER.invoke(app, ["import", str(file), "--zone", "UTC", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    for option in (["--brief"], ["--target", "solved=90%"]):
        done = RUNNER.invoke(app, ["report", str(folder), *option])
        assert done.exit_code == 2
        assert "for runs, studies and searches" in done.stderr
        assert "`twin fidelity` says how far its twin can be trusted" in done.stderr


UNITS = ("share", "s", "USD/ticket", "USD/week", "tickets", "1-5", "ratio", "customers/USD")


@SETTINGS
@given(st.sampled_from(UNITS), st.floats(0, 1e6), st.floats(0, 1e5))
def test_any_figure_has_words(unit, value, half):
    row = {"value": value, "low": value - half, "high": value + half, "unit": unit}
    for text in (prose.said(row), prose.between(row), prose.change(row | {"difference": -value})):
        assert text
        assert "nan" not in text
        assert "e+" not in text
        assert not text.startswith("-") or unit != "USD/week" or half > value
    # No finer than the interval tells: two numbers in its middle read alike.
    if unit == "share" and half > 0.02:
        assert "." not in prose.said(row)
