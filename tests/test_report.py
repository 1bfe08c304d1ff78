"""The page: its numbers are those of the results, and no text becomes markup."""

import itertools
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.cli.figure_tables import figures
from twin.common import html as markup
from twin.common import toml
from twin.common.text import estimate, label
from twin.experiments.display import figure_rows, of_no_assistant
from twin.measures.figures import MAIN
from twin.report import background, numbers
from twin.report.page import page
from twin.report.source import Source
from twin.scenario.model import from_data

ROOT = Path(__file__).parents[1]
EVIL = '<script>alert("x")</script> & **bold** [link](http://evil.example) $a$ `code`'
IMAGE = "<img src=x onerror=alert(1)> 'quoted'"
CATEGORY = "Login <b>now</b>"
ROWS = (
    f'text,category,priority,split\n"{EVIL.replace(chr(34), chr(34) * 2)}",{CATEGORY},high,desk\n'
)
ROWS += f'"{IMAGE}",Costs $5 or $6,normal,desk\n'


def desk(folder, **more):
    corpus = folder / "tickets.csv"
    corpus.write_text(ROWS)
    return {
        "name": "baseline",
        "question": "What <if>?",
        "horizon": "3d",
        "warm_up": "1d",
        "arrivals": {"rate": "12/h"},
        "tickets": {"corpus": str(corpus)},
        "assistant": {"role": "full", "backend": "profile", "confidence_threshold": 0.4},
        "agents": {"all": {"heads": 2, "handle_time": "9min", "cost": 20.0}},
        "targets": {
            "first_response": {"high": "10min", "normal": "4h"},
            "resolution": {"high": "2h"},
        },
        "customers": {"patience": {"distribution": "exponential", "mean": "2h"}},
    } | more


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    base = from_data(desk(folder))
    busy = base.vary({"arrivals.scale": 3}, name="busy")
    twin.run([base, busy], replications=4, out=folder / "results")
    opened = twin.open_results(folder / "results" / "baseline", folder / "results" / "busy")
    # The statistical backend writes no answers; one that is written must be shown as text too.
    path = opened.runs[0].path / "tickets.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([entry | {"response": EVIL} for entry in entries]))
    return opened


@pytest.fixture(scope="module")
def one(results):
    return twin.open_results(results.runs[0].path)


class Reader(HTMLParser):
    """Elements, attributes and text of a page; an element that is not closed is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def raw_single(one):
    return page(one)


@pytest.fixture(scope="module")
def single(raw_single):
    return Reader(raw_single)


@pytest.fixture(scope="module")
def several(results):
    return Reader(page(results))


def test_waits_of_scenarios_lie_over_each_other_in_one_figure(single, several):
    assert "90 % have a first response: " in several.text
    assert "90 % have a first response: " not in single.text


@pytest.mark.parametrize("which", ["single", "several"])
def test_the_page_is_sound_and_holds_all_it_needs(which, request):
    reader = request.getfixturevalue(which)
    names = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(names) == len(set(names))
    for _, attributes in reader.elements:
        for key in ("href", "src", "xlink:href"):
            address = attributes.get(key, "#")
            assert address.startswith(("#", "data:"))
            if address.startswith("#") and len(address) > 1:
                assert address[1:] in names
        assert not any(key.startswith("on") for key in attributes)
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in names
    assert {tag for tag, _ in reader.elements} & {"script", "iframe", "object", "img"} == set()
    assert "@import" not in "".join(reader.words)


@pytest.mark.parametrize("which", ["single", "several"])
def test_headings_go_down_by_one_and_all_figures_have_words(which, request):
    reader = request.getfixturevalue(which)
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
    assert reader.all("html") == [{"lang": "en"}]
    figures = [a for tag, a in reader.elements if tag == "svg"]
    assert len(figures) == len(reader.all("figcaption")) >= 10
    assert all(a["role"] == "img" and a["aria-labelledby"] for a in figures)
    assert len(reader.all("caption")) == len(reader.all("table"))


def test_texts_of_tickets_and_scenarios_are_shown_as_texts(single, raw_single):
    assert EVIL in single.text
    assert IMAGE in single.text
    assert "What <if>?" in single.text
    assert CATEGORY in single.text
    assert "Costs $5 or $6" in single.text
    raw = raw_single
    for part in ("<script", "<img", "<b>", "<if>"):
        assert part not in raw


def test_numbers_are_those_of_the_results(single, one):
    for row in one.summary().to_dict("records"):
        if (row["kpi"], row["group"]) in {
            ("arrivals", ""), ("service_level", ""), ("csat", ""), ("cost_per_resolution", ""),
            ("service_level", "high"), ("resolution_within_target", "high"),
        }:  # fmt: skip
            assert estimate(row) in single.text


def test_the_first_page_answers_first(single, several):
    for reader in (single, several):
        text = reader.text[reader.text.index("No target is set") :]
        parts = ["No target is set, so this page gives no yes or no.", "What to do",
                 "set [targets.figures] in the scenario", "What it costs a week",
                 "What it rests on", "Measured", "Assumed", "Not identified",
                 "Show every part"]  # fmt: skip
        places = [text.index(part) for part in parts]
        assert places == sorted(places)
        # Intervals stand in the table, not in sentences.
        first = text[: places[-1]]
        assert "±" not in first
        assert not re.search(r"\([-+]?\$?[\d.]+ to ", first)


def test_of_several_runs_the_comparison_is_shown(several, results):
    comparison = twin.compare(results, baseline="baseline")
    worse = comparison.table.query("verdict == 'worse'")["kpi"].tolist()
    assert "backlog" in worse
    assert "busy against baseline: worse in" in several.text
    assert "busy is worse (" in several.text
    assert "busy against baseline" in several.text
    assert "Bonferroni" in several.text
    assert "arrivals.scale - 3.0" in several.text


def test_the_scenario_of_the_page_runs_again(one, raw_single):
    text = toml.dump(dict(one.runs[0].manifest["scenario_as_run"]))
    import tomllib

    assert from_data(tomllib.loads(text)) == from_data(one.runs[0].manifest["scenario_as_run"])
    assert markup.html(text) in raw_single


@pytest.mark.parametrize(
    "data",
    [
        {"a": 1, "b": 1.5, "c": True, "d": None, "e": 'say "hi"\n\\ \x7f \t é \N{GRINNING FACE}'},
        {"x": {"y": {"z": [1, 2]}}, "list": [{"a": 1, "b": [{"c": "d"}]}], "empty": {}},
        {"agents": {"a b": {"handle": {"distribution": "constant", "value": "1min"}}}},
        {"key.with.dots": 1, "": 2, "ä": {"ö": 3}},
    ],
)
def test_any_data_comes_back_from_toml(data):
    import tomllib

    def clean(value):
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items() if v is not None}
        return value

    assert tomllib.loads(toml.dump(data)) == clean(data)


def test_a_run_in_memory_makes_a_page_as_well(tmp_path):
    scenario = from_data(desk(tmp_path))
    kept = twin.run(scenario, replications=2, keep_logs=True)
    reader = Reader(page(kept))
    assert "2 of 2 replications are whole" in reader.text
    assert EVIL in reader.text or IMAGE in reader.text
    bare = twin.run(scenario, replications=1)
    with pytest.raises(ValueError, match="keep_logs"):
        page(bare)


@pytest.mark.parametrize(
    "changes",
    [
        {"assistant": {"role": "off"}},
        {"assistant": {"role": "triage", "backend": "profile"}},
        {"agents": {}, "customers": {}},
        {"targets": {}},
        {"targets": {"clock": "desk hours", "first_response": {"high": "1h"}}},
        {"tickets": {}},
        {"arrivals": {"rate": "0.01/h"}},
        {"customers": {"survey_rate": 0.0}},
        {"provider": {"rpm": 1, "plan": "unlimited"}},
    ],
    ids=["humans", "triage", "no-humans", "no-targets", "desk-hours", "no-texts", "idle",
         "no-ratings", "quota"],
)  # fmt: skip
def test_desks_of_all_kinds_have_a_page(changes, tmp_path):
    scenario = from_data(desk(tmp_path, horizon="30h", warm_up="6h", **changes))
    reader = Reader(page(twin.run(scenario, replications=2, keep_logs=True)))
    assert "nan" not in reader.text.lower().split()
    assert "None" not in reader.text.split()
    assert ("Wait for quota" in reader.text) == ("provider" in changes)


@pytest.mark.parametrize(
    ("name", "horizon", "said"),
    [
        ("chat", "40h", [
            "those who may have several tickets in hand have", "first response, chat: 1 min",
            "in every row", "chat, in every priority:",
        ]),
        ("email", "5d", [
            "of that the ticket waits for the customer", "resolved by an agent who asked back",
        ]),
        ("phone", "40h", [
            "those who come and go are away for", "half get a first response at once",
            "agents are on shift, up to", "agents away", "arrivals.rate 40/h 22/h",
        ]),
    ],
)  # fmt: skip
def test_desks_of_each_channel_answer_their_question(name, horizon, said):
    scenario = twin.load(
        ROOT / "scenarios" / f"{name}-desk.toml", {"horizon": horizon, "warm_up": "1d"}
    )
    reader = Reader(page(twin.run(scenario, replications=1, keep_logs=True)))
    assert scenario.question in reader.text
    for words in said:
        assert words in reader.text
    assert "Prompts:" not in reader.text


def test_failures_and_what_is_missing_are_said(results, one):
    failures = pd.DataFrame(
        [{"scenario": "baseline", "replication": 3, "stage": "simulate", "type": "KeyError",
          "message": "<b>no</b>", "traceback": ""}]
    )  # fmt: skip
    sources = [Source(one, one.runs[0], one.summary())]

    def said(results):
        return Reader(markup.tag("main", *background.quality(results, sources))).text

    broken = twin.Results(one.kpis, failures, one.runs, _checks=one.table("sanity"))
    assert "baseline, replication 3 simulate KeyError <b>no</b>" in said(broken)
    checks = one.table("sanity").assign(ok=False)
    wrong = twin.Results(one.kpis, one.failures, one.runs, _checks=checks)
    assert "does not hold" in said(wrong)
    assert "does not hold" not in said(one)
    assert "4 of 4 replications are whole" in said(one)


def test_without_a_whole_replication_there_is_no_page(one):
    with pytest.raises(ValueError, match="nothing to report"):
        page(twin.Results(one.kpis.iloc[:0], one.failures, one.runs))


def test_the_difference_from_the_base_is_shown(tmp_path):
    base = tmp_path / "base.toml"
    base.write_text(
        toml.dump(
            desk(tmp_path) | {"name": None, "horizon": "6h", "warm_up": "0s", "replications": 2}
        )
    )
    more = tmp_path / "more.toml"
    more.write_text('extends = "base.toml"\n[arrivals]\nrate = "20/h"\n')
    done = twin.run(twin.load(more, {"seed": 5}), keep_logs=True)
    reader = Reader(page(done))
    assert "Differences from base.toml" in reader.text
    assert re.search(r"seed 1 5 ", reader.text)
    changed = {k: (a, b) for k, a, b in done.runs[0].manifest["base"]["changes"]}
    assert changed["seed"] == ("1", "5")
    assert set(changed) == {"seed", "arrivals.rate"}


def test_the_command_writes_where_it_says(results, tmp_path):
    folders = [str(run.path) for run in results.runs]
    runner = CliRunner()
    done = runner.invoke(app, ["report", folders[0]])
    assert done.exit_code == 0
    assert done.stdout.strip() == str(results.runs[0].path / "report.html")
    assert (results.runs[0].path / "report.html").read_text().startswith("<!doctype html>")
    to = tmp_path / "new" / "page.html"
    done = runner.invoke(app, ["report", *folders, "--out", str(to)])
    assert done.exit_code == 0
    assert "busy against baseline" in to.read_text()
    done = runner.invoke(app, ["report", str(tmp_path / "nothing")])
    assert done.exit_code == 2
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr
    # A page in its folder is no part of the run.
    assert twin.open_results(folders[0]).runs[0].whole == 4


def test_notebooks_show_results_and_scenarios(results, tmp_path):
    text = results._repr_html_()
    reader = Reader(text)
    rows = figure_rows(results.summary(), ["csat"], ["baseline", "busy"])
    assert all(cell in reader.text for cell in rows[0])
    path = tmp_path / "a.toml"
    path.write_text(toml.dump(desk(tmp_path) | {"name": None}))
    scenario = twin.load(path)
    varied = scenario.vary({"arrivals.scale": 2})
    assert "arrivals.scale 2.0" in Reader(varied._repr_html_()).text
    assert "arrivals.scale" not in Reader(scenario._repr_html_()).text
    assert "What <if>?" in Reader(varied._repr_html_()).text
    path.unlink()
    assert "arrivals.rate" in Reader(varied._repr_html_()).text
    assert "arrivals.rate" in Reader(from_data(desk(tmp_path))._repr_html_()).text


def test_only_markup_is_markup():
    assert markup.html(["<", markup.Html("<b>")]) == "&lt;<b>"
    assert markup.tag("p", 5, title='"<', hidden=True, lang=None) == (
        '<p title="&quot;&lt;" hidden>5</p>'
    )
    assert "\x00" not in markup.html("a\x00\x1b[31m\ud800b")
    assert markup.html("a\x00\nb") == "a\N{REPLACEMENT CHARACTER}\nb"
    assert markup.glue("5 % ± 0.1 and 3 min") == "5\xa0%\xa0±\xa00.1 and 3\xa0min"


def test_plots_series_and_report_are_reached_from_twin():
    assert twin.plots.backlog
    assert twin.series.statuses
    assert twin.report.write
    assert {"plots", "report", "series"} <= set(dir(twin))


def test_wide_intervals_are_named(one):
    source = Source(one, one.runs[0], one.summary().assign(half_width=1e9))
    text = " ".join(background._amounts(source))
    assert "Known to no better than 10 %" in text
    assert "So few replications" in text


@pytest.mark.parametrize(("replications", "said"), [(1, "one replication does not tell"),
                                                    (3, "kept for 9 in 10")])  # fmt: skip
def test_one_replication_does_not_tell_whether_a_promise_is_kept(replications, said):
    results = twin.run(
        from_data({
            "horizon": "4h", "arrivals": {"rate": "200/h"},
            "agents": {"all": {"heads": 40, "handle_time": "5min"}},
            "targets": {"first_response": {"normal": "10min"}},
        }),
        replications=replications,
    )  # fmt: skip
    source = Source(results, results.runs[0], results.summary())
    text = " ".join(map(str, numbers.key_figures([source])))
    assert said in text
    history = Source(results, results.runs[0], results.summary(), averaged=False)
    assert "kept for 9 in 10" in " ".join(map(str, numbers.key_figures([history])))


def shown_on(*changes):
    """Names of figures of desks side by side: on a terminal, and on pages."""
    people = {"heads": 2, "handle_time": "10min", "cost": 30.0}
    data = {"horizon": "1d", "warm_up": "0s", "replications": 2, "arrivals": {"rate": "4/h"},
            "agents": {"all": people}}  # fmt: skip
    desks = [from_data(data | {"name": f"d{k}"} | one) for k, one in enumerate(changes)]
    summary = twin.run(desks, workers=1).summary()
    names = [desk.name for desk in desks]
    printed = set(figures(summary).columns[0].cells)
    pages = {row[0] for row in figure_rows(summary, MAIN, names)}
    assert {label(name) for name in printed if name} == pages
    return printed


def test_figures_of_an_assistant_are_shown_only_where_there_is_one():
    of_assistant = {"containment", "escalation_rate", "model_cost"}
    people = {"assistant": {"role": "off"}}
    full = {"assistant": {"role": "full", "backend": "profile"}}
    alone = shown_on(people)
    assert not of_assistant & alone
    assert {"solved", "human_cost", "reopen_rate"} <= alone
    # Beside a desk with an assistant, a 0 says something; and so it does where all it tried failed.
    assert of_assistant <= shown_on(people, full)
    failing = full | {"provider": {"outages": [{"start": "0s", "length": "3d"}]}}
    assert of_assistant <= shown_on(failing)


def test_what_is_not_known_of_an_assistant_hides_no_figure():
    """In the history of a desk whose calls were not kept, containment of 0 is a finding."""
    told = {"containment": 0.0, "escalation_rate": 0.0, "model_cost": math.nan,
            "call_failure_share": math.nan}  # fmt: skip
    rows = [{"scenario": "a", "group": "", "kpi": kpi, "value": told[kpi]} for kpi in told]
    assert of_no_assistant(pd.DataFrame(rows), ["a"]) == set()
    free = pd.DataFrame(rows).assign(value=[0.2, 0.0, 0.0, math.nan])
    assert of_no_assistant(free, ["a"]) == {"escalation_rate", "model_cost"}
    assert of_no_assistant(free[free["kpi"] != "model_cost"], ["a"]) == set()
