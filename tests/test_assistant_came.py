"""An assistant that comes to a desk of humans, by its own texts or by stated assumptions."""

import re

import numpy as np
import pandas as pd
import pytest
from exports import write_csv
from test_calibrate import set_quick
from test_own_corpus import SAID, WHEN
from typer.testing import CliRunner

import twin
from twin.assistant.classifier import Classifier
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.common.toml import dump
from twin.experiments.workload import known_habits, workload
from twin.history.assistant_came import Assumed, assistant_came, write_assistant
from twin.history.corpus_folder import open_corpus, write_corpus
from twin.history.own_corpus import OwnCorpus

FRAME = pd.DataFrame
MEAN_S = 300.0


def desk_data(**more):
    return {
        "horizon": "2d",
        "replications": 4,
        "arrivals": {"rate": "30/h"},
        "agents": {"agents": {"heads": 4, "handle_time": "5min"}},
        "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
        "routing": {"wait_bonus": "0s"},
        **more,
    }


@pytest.fixture
def base(tmp_path):
    """Writes a desk, and gives the desk to which an assistant came."""

    def made(assumed=None, corpus=None, **more):
        path, to = tmp_path / "desk.toml", tmp_path / "came.toml"
        path.write_text(dump(desk_data(**more)), encoding="utf-8")
        came = assistant_came(twin.load(path), corpus, assumed)
        write_assistant(came, path, to, True)
        return twin.load(path), twin.load(to), to.read_text(encoding="utf-8")

    return made


def played(scenario):
    return twin.simulate(scenario, twin.draw(scenario))


ON_THE_LINE = {
    "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0},
                  "patience": {"distribution": "exponential", "mean": "5min"}}
}  # fmt: skip


@pytest.mark.parametrize("line", [{}, ON_THE_LINE], ids=["tickets", "calls"])
def test_one_that_answers_nothing_changes_nothing_but_its_delay(base, line):
    before, after, _ = base(Assumed(answers=0.0), **line)
    after = after.vary({"assistant.profile.categorize_latency": "20s"})
    old, new = played(before), played(after)
    assert old.tickets["arrived_s"].equals(new.tickets["arrived_s"])
    columns = ["queued_s", "started_s", "ended_s"]
    early = old.visits["queued_s"] < before.horizon - 4 * 3600
    first, then = (log.visits.set_index("ticket_id")[columns] for log in (old, new))
    kept = first.index[early.to_numpy()]
    gap = (then.loc[kept] - first.loc[kept]).to_numpy()
    assert np.nanmax(np.abs(gap - 20.0)) < 1e-6
    assert np.isnan(gap).sum() == 2 * 0 + np.isnan(first.loc[kept].to_numpy()).sum()
    assert (new.tickets["resolved_by"].dropna() == "agent").all()


@pytest.mark.parametrize("line", [{}, ON_THE_LINE], ids=["tickets", "calls"])
def test_one_that_answers_and_solves_all_leaves_agents_nothing(base, line):
    _, after, _ = base(Assumed(answers=1.0, solves=1.0), **line)
    log = played(after)
    assert not len(log.visits)
    figures = twin.measure(log, after).set_index(["kpi", "group"])["value"]
    assert figures["containment", ""] == 1.0
    assert figures["occupancy", ""] == 0.0


def test_the_work_it_leaves_is_what_it_does_not_solve(base):
    _, after, _ = base(Assumed(answers=0.4, solves=0.75))
    after = after.vary({"customers.reopen_rate": 1.0})
    demand = twin.draw(after)
    left = workload(after, demand, known_habits(after, demand))
    assert left.ticket_s == pytest.approx(MEAN_S * (1 - 0.4 * 0.75), rel=0.002)
    contained = np.mean([
        float(twin.measure(played(after), after).set_index("kpi")["value"]["containment"])
    ])  # fmt: skip
    assert contained == pytest.approx(0.3, abs=0.04)


def test_every_number_says_that_it_is_assumed(base):
    _, after, text = base()
    assert after.assistant.confidence_threshold == pytest.approx(0.6)
    assert "# assumed: it answers 40 % of the tickets" in text
    assert text.count("# assumed:") == 5
    assert "reopen_delay" in text
    _, spoken, text = base(**ON_THE_LINE)
    assert spoken.customers.reopen_delay.mean_value() == 30.0
    assert spoken.provider.timeout > 60.0
    assert text.count("# assumed:") == 7
    # What the desk says itself is not said again.
    own = {"reopen_rate": 0.5, "reopen_delay": "1h", "survey_rate": 0.0, "solved": {"agent": 1.0}}
    _, after, text = base(customers=own)
    assert after.customers.reopen_rate == 0.5
    assert "reopen" not in text


def texts_of(kinds, count, luck, start=0):
    found = []
    for k in range(count):
        words = " ".join(luck.permutation(WHEN)[: 3 + k % 4])
        kind = kinds[(start + k) % len(kinds)]
        found.append((f"{SAID[kind][luck.integers(4)]} {words}", kind))
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A corpus whose categories are known, one of which (other) is in no words of its own."""
    luck, kinds = np.random.default_rng(2), tuple(SAID)
    rows = [(text, kind, "train") for text, kind in texts_of(kinds, 150, luck)]
    rows += [(text, kind, "desk") for text, kind in texts_of(kinds, 90, luck)]
    # Texts that could be of any kind.
    for side, count in (("train", 50), ("desk", 30)):
        for _ in range(count):
            words = " ".join(luck.permutation(WHEN)[:4])
            rows.append((f"please help {words}", kinds[luck.integers(3)], side))
    rows += [(text, "other", "desk") for text, _ in texts_of(kinds, 10, luck)]
    tickets = FRAME(rows, columns=["text", "category", "split"]).assign(article="")
    keys = FRAME({"key": ["1"], "category": ["Login"]})
    found = OwnCorpus(tickets, keys, "category", "other", pd.Timestamp("2026-03-01").date(),
                      FRAME(), ())  # fmt: skip
    folder = tmp_path_factory.mktemp("planted")
    bare = write_corpus(found, None, folder / "bare")
    whole = write_corpus(found, None, folder / "whole")
    (whole.path / "articles").mkdir()
    for kind, said in SAID.items():
        article = f"---\ntitle: Help with {kind}\ncategory: {kind}\n---\n"
        article += "\n".join(f"- When {problem}, wait." for problem in said)
        (whole.path / "articles" / f"{kind.lower()}.md").write_text(article, encoding="utf-8")
    return bare, open_corpus(whole.path)


MIX = {"category_mix": {"Billing": 3, "Delivery": 3, "Login": 3, "other": 1}}


def test_with_texts_and_articles_each_ticket_is_read(base, planted):
    _, whole = planted
    before, after, text = base(corpus=whole, tickets=MIX)
    assert after.assistant.backend == "embedded"
    assert after.assistant.human_categories == ["other"]
    assert not any(words in text for said in SAID.values() for words in said)
    old, new = twin.draw(before), twin.draw(after)
    assert old.categories == new.categories
    assert np.array_equal(old.category, new.category)
    log = played(after)
    tickets = log.tickets.set_index("ticket_id")
    given, truth = (tickets[c].astype(object) for c in ("category", "category_true"))
    # What is handed over has no answer; all else is as the texts say, text by text.
    handed = log.timeline[log.timeline["status"] == "Escalated"]["ticket_id"]
    first = tickets["reopens"] == 0
    own = whole.held_back()
    assert own.value("sure enough to answer")[3] == 130
    corpus = whole.corpus()
    model = Classifier(
        corpus.categories,
        [corpus.texts[k] for k in np.flatnonzero(corpus.train)],
        corpus.category[corpus.train],
        whole.knowledge(),
    )
    said, confidence = model.classify([corpus.texts[k] for k in new.text])
    known = np.array(corpus.categories)[said] != "other"
    answered = (confidence >= own.threshold) & known
    assert 0.3 < answered.mean() < 0.95
    kept = (tickets["resolved_s"].notna() & first).to_numpy()
    assert np.array_equal(~tickets.index.isin(handed)[kept], answered[kept])
    # Right ones solve at one half, wrong ones hardly ever.
    alone = tickets["resolved_by"] == "assistant"
    right = (given == truth) & alone & (tickets["status"] != "Reopened")
    assert right.any()
    assert known_habits(after, new).quality == 0.5


def test_without_articles_it_is_as_sure_and_as_right_as_on_the_texts(base, planted):
    bare, _ = planted
    _, after, text = base(corpus=bare, tickets={"category_mix": {"A": 1, "B": 1}})
    own = bare.held_back()
    sure, _, _, n = own.value("sure enough to answer")
    right = own.value("category right, where sure")[0]
    assert 0 < sure < 1
    assert after.assistant.backend == "profile"
    assert after.assistant.confidence_threshold == pytest.approx(1 - sure, abs=1e-4)
    assert after.assistant.profile.accuracy == pytest.approx(right, abs=1e-4)
    assert f"n {n}; share of later texts of which it is not sure enough" in text
    assert after.tickets.corpus is None
    log = played(after)
    handed = log.timeline[log.timeline["status"] == "Escalated"]["ticket_id"]
    assert (~log.tickets["ticket_id"].isin(handed)).mean() > sure - 0.3


def test_a_desk_of_other_categories_is_told_to_be_calibrated_with_the_corpus(base, planted):
    _, whole = planted
    with pytest.raises(ScenarioError, match="calibrate it with --corpus") as error:
        base(corpus=whole, tickets={"category_mix": {"Billing": 1, "Returns": 1}})
    assert 'without texts: "Returns"' in str(error.value)


@pytest.mark.parametrize(
    ("assumed", "more", "said"),
    [
        (Assumed(answers=1.5), {}, "--answers"),
        (Assumed(solves=-0.1), {}, "--solves"),
        (None, {"assistant": {"role": "triage", "backend": "profile"}}, "an assistant already"),
    ],
)
def test_what_cannot_be_is_a_clear_fault(base, assumed, more, said):
    with pytest.raises(ScenarioError, match=re.escape(said)):
        base(assumed, **more)


WORKFLOW = {
    "start": {"New": 1.0},
    "statuses": {
        "New": {"counts_as": "Open", "delay": "2h", "next": {"Done": 1.0}},
        "Done": {"counts_as": "Resolved"},
    },
}


def test_a_desk_of_statuses_alone_says_what_can_and_what_cannot_be_told(tmp_path, planted):
    bare, _ = planted
    path = tmp_path / "desk.toml"
    data = {key: value for key, value in desk_data().items() if key != "agents"}
    path.write_text(dump(data | {"workflow": WORKFLOW}), encoding="utf-8")
    run = CliRunner().invoke
    said = run(app, ["assistant", str(path)])
    assert said.exit_code == 2
    assert "What cannot be told: how much sooner the other tickets are served" in said.output
    assert "see twin corpus" in said.output
    said = run(app, ["assistant", str(path), "--corpus", str(bare.path)])
    assert re.search(r"of 100 tickets \d+ \(\d+ to \d+\) would get an answer", said.output)
    assert [one.name for one in tmp_path.iterdir()] == ["desk.toml"]
    with pytest.raises(ScenarioError, match="known by its statuses"):
        assistant_came(twin.load(path))


def test_the_command_writes_what_run_and_compare_play_and_replaces_only_where_told(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text(dump(desk_data(**ON_THE_LINE)), encoding="utf-8")
    run = CliRunner().invoke
    said = run(app, ["assistant", str(path)])
    assert said.exit_code == 0, said.output
    to = tmp_path / "desk-assistant.toml"
    assert "twin compare" in said.output
    assert run(app, ["assistant", str(path)]).exit_code == 2
    assert run(app, ["assistant", str(path), "--out", str(path), "--replace"]).exit_code == 2
    assert run(app, ["assistant", str(path), "--out", str(tmp_path)]).exit_code == 2
    few = ("--replace", "--answers", "0.1")
    assert run(app, ["assistant", str(path), *few]).exit_code == 0
    assert twin.load(to).assistant.confidence_threshold == 0.9
    results = twin.run([twin.load(path), twin.load(to)], replications=2, workers=1)
    table = twin.compare(results, baseline="desk").table.set_index(["kpi", "group"])
    assert 0 < table.loc[("containment", ""), "what_if"] < 0.2
    assert table.loc[("agent_wait_mean", ""), "difference"] < 0


def events_of(log, luck):
    """Work on tickets as a desk writes it down: starts, ends, agents, and customers' words."""
    visits = log.visits[log.visits["ended_s"].notna()].merge(
        log.tickets[["ticket_id", "category_true", "arrived_s"]]
    )
    begin = pd.Timestamp("2026-03-02")

    def at(seconds):
        return (begin + pd.Timedelta(seconds=float(seconds))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    rows = []
    for row in visits.itertuples():
        kind = str(row.category_true)
        said = texts_of((kind,), 1, luck)[0][0]
        words = f"{said}, {luck.permutation(WHEN)[0]} and {luck.permutation(WHEN)[0]}"
        shared = {"case": row.ticket_id, "topic": kind, "description": words}
        rows.append(shared | {"activity": "New", "time": at(row.queued_s)})
        work = {
            "time": at(row.started_s),
            "start": at(row.started_s),
            "end": at(row.ended_s),
            "agent": f"A{row.agent}",
        }
        rows.append(shared | {"activity": "Repair"} | work)
        rows.append(shared | {"activity": "Resolved", "time": at(row.ended_s)})
    return rows


def test_from_a_ticket_desk_s_log_with_texts_to_the_comparison(tmp_path, monkeypatch, planted):
    set_quick(monkeypatch)
    _, whole = planted
    pool = {"heads": 3, "individuals": True,
            "handle_time": {"distribution": "lognormal", "mean": "12min", "cv": 0.8}}  # fmt: skip
    mix = {name: share for name, share in MIX["category_mix"].items() if name != "other"}
    desk = twin.from_data({
        "start": "2026-03-02", "horizon": "9d", "arrivals": {"rate": "6/h"},
        "tickets": {"category_mix": mix}, "agents": {"line": pool},
        "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
    })  # fmt: skip
    log = twin.simulate(desk, twin.draw(desk))
    head = ("case", "topic", "description", "activity", "time", "start", "end", "agent")
    path = write_csv(tmp_path / "log.csv", events_of(log, np.random.default_rng(4)), head=head)
    run = CliRunner().invoke

    def twin_(*words):
        said = run(app, [str(word) for word in words])
        assert said.exit_code == 0, said.output
        return said.output

    made, to = tmp_path / "corpus", tmp_path / "my.toml"
    twin_("import", path, "--out", tmp_path / "h", "--zone", "UTC", "--texts", "--yes")
    twin_("corpus", tmp_path / "h", "--out", made, "--articles", whole.articles)
    twin_("calibrate", tmp_path / "h", "--out", to, "--corpus", made, "--quiet")
    twin_("assistant", to, "--corpus", made)
    both = (to, tmp_path / "my-assistant.toml", "--replications", 2, "--workers", 1)
    shown = twin_("compare", *both, "--set", "horizon=2d", "--out", tmp_path / "r", "--json")
    assert '"containment"' in shown
    # Customers' words are in the corpus, the history's own file of texts, and results alone.
    said = [words.encode() for kind in SAID.values() for words in kind]
    holding = {
        one.relative_to(tmp_path).parts[0] if "r" in one.parts or "articles" in one.parts
        else one.name
        for one in tmp_path.rglob("*")
        if one.is_file() and any(words in one.read_bytes() for words in said)
    }  # fmt: skip
    assert holding <= {"log.csv", "texts.parquet", "tickets.csv", "corpus", "r"}
