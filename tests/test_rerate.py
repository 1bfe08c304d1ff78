"""Rating a run again: the same customers, another judge, a new table next to the old ones."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from test_learning_desk import BAD, CORPUS, KNOWLEDGE, OTHER
from typer.testing import CliRunner

import twin
from twin.assistant.errors import NoKey, UnknownPrice
from twin.assistant.judging import marking, rubric
from twin.assistant.judging.judge import Judge
from twin.assistant.recorded.recording import Recording, Reply
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.experiments import rerate
from twin.records import storage
from twin.scenario.model import from_data

JUDGE = "openai/gpt-oss-120b"
DESK = {
    "name": "desk",
    "horizon": "2d",
    "arrivals": {"rate": "20/h"},
    "tickets": {"corpus": CORPUS, "category_mix": {BAD: 1.0, OTHER: 1.0}},
    "assistant": {
        "knowledge": KNOWLEDGE,
        "confidence_threshold": 0.4,
        "review_categories": [OTHER],
        "learning": {"mode": "bandit"},
    },
    "agents": {"all": {"heads": 2, "handle_time": "12min"}},
    "customers": {"survey_rate": 0.8, "reopen_rate": 0.5},
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Two replications of two days: a few agents, tickets that come back, an open end."""
    folder = tmp_path_factory.mktemp("runs")
    twin.run(from_data(DESK), replications=2, out=folder)
    return folder


@pytest.fixture
def run(original, tmp_path):
    shutil.copytree(original, tmp_path / "results")
    (folder,) = (tmp_path / "results" / "desk").iterdir()
    return folder


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_rater_says_the_same(run):
    done = rerate.rate(run)
    assert done.before == done.after == "evidence-3"
    for name in ("quality", "solved", "rating"):
        np.testing.assert_array_equal(done.table[name], done.table[f"{name}_before"])
    assert done.table["rating"].notna().sum() > 500
    assert (done.figures["difference"] == 0).all()
    assert done.agreement.rank == pytest.approx(1)
    assert done.agreement.near == 1
    assert done.notes == ()


def test_nothing_old_is_touched_and_nothing_is_overwritten(run):
    before = contents(run)
    done = rerate.rate(run)
    after = contents(run)
    assert before.items() <= after.items()
    new = sorted(p.relative_to(run).as_posix() for p in after.keys() - before.keys())
    assert new == [
        "rerated/evidence-3/r0000.parquet",
        "rerated/evidence-3/r0001.parquet",
        "rerated/evidence-3/rating.json",
    ]
    with pytest.raises(ValueError, match="rated by evidence-3 already"):
        rerate.rate(run)
    assert contents(run) == after
    # Results open as before, and the new table is what was returned.
    assert len(twin.open_results(run).table("tickets")) == len(
        twin.open_results(run).table("tickets")
    )
    kept = pd.concat(map(pd.read_parquet, sorted(done.path.glob("*.parquet"))), ignore_index=True)
    pd.testing.assert_frame_equal(kept, done.table, check_dtype=False)


def test_another_version_tells_both_and_the_difference(run, monkeypatch):
    monkeypatch.setattr(Judge, "rater", "evidence-4")
    monkeypatch.setattr(marking, "_ENOUGH", 0.9)
    # What articles were judged before is known to the old weights only in its own instance.
    done = rerate.rate(run)
    assert (done.before, done.after) == ("evidence-3", "evidence-4")
    figures = done.figures.set_index("kpi")
    table = done.table
    by_hand = table["quality"].mean() - table["quality_before"].mean()
    assert figures.loc["quality", "difference"] == pytest.approx(by_hand)
    assert figures.loc["quality", "low"] <= by_hand <= figures.loc["quality", "high"]
    told = json.loads((done.path / "rating.json").read_text())
    assert (told["before"], told["after"]) == ("evidence-3", "evidence-4")
    assert told["customers"] == "cumulative-logit-1"
    assert set(told["columns"]) == {column.name for column in rerate.COLUMNS}


def test_a_kinder_judge_solves_more_and_agents_stay_as_they_were(run, monkeypatch):
    monkeypatch.setattr(Judge, "rater", "kind")
    monkeypatch.setattr(Judge, "judge", lambda self, slug, answer, ticket: 1.0)
    done = rerate.rate(run)
    tickets = twin.open_results(run).table("tickets")
    table = done.table.merge(
        tickets[["replication", "ticket_id", "resolved_by"]], on=["replication", "ticket_id"]
    )
    by_assistant = table["resolved_by"] == "assistant"
    assert (table["quality"] == 1).all()
    assert (table.loc[by_assistant, "solved"] >= table.loc[by_assistant, "solved_before"]).all()
    assert table.loc[by_assistant, "solved"].sum() > table.loc[by_assistant, "solved_before"].sum()
    rated = table["rating"].notna()
    assert (table.loc[rated, "rating"] >= table.loc[rated, "rating_before"]).all()
    for name in ("solved", "rating"):
        others = table[~by_assistant & table[name].notna()]
        assert len(others)
        assert (others[name] == others[f"{name}_before"]).all()
    assert (done.figures["difference"] > 0).all()


def verdicts(path, run, score):
    """A recording of verdicts on all answers of a run, made without a model."""
    kept = Recording(path)

    def fetch(asks):
        made = {}
        for ask in asks:
            made[ask.key] = Reply(
                key=ask.key,
                step=ask.step,
                model=JUDGE,
                prompt_version=ask.version,
                sample=0,
                request=ask.request,
                answer=json.dumps({"score": score, "reason": "So."}),
                finish="stop",
                repaired=False,
                prompt_tokens=500,
                completion_tokens=20,
                latency_s=0.4,
                cost_usd=0.0001,
            )
            kept.add(made[ask.key])
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerate, "_fetch", lambda *_: fetch)
        done = rerate.rate(run, JUDGE, path)
    kept.close()
    return done


@pytest.fixture
def no_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    monkeypatch.delenv("GROQ_BASE_URL", raising=False)


@pytest.mark.usefixtures("no_key")
class TestModel:
    def test_verdicts_that_are_recorded_take_no_key(self, run, tmp_path):
        first = verdicts(tmp_path / "kept.jsonl", run, 4)
        shutil.rmtree(first.path)
        done = rerate.rate(run, JUDGE, tmp_path / "kept.jsonl")
        assert done.after == f"model {JUDGE}, rubric-{rubric.RUBRIC_VERSION}"
        assert done.path.name == "model-openai-gpt-oss-120b-rubric-1"
        assert set(done.table["quality"]) == {0.75}
        assert "verdicts" in done.notes[0]
        # One mark for all has no rank.
        assert np.isnan(done.agreement.rank)
        pairs = done.table.drop_duplicates(["quality_before"])
        assert done.agreement.n >= len(pairs)
        pd.testing.assert_frame_equal(done.table, first.table)

    def test_without_them_a_key_is_needed_and_nothing_is_left(self, run, tmp_path):
        before = contents(run)
        with pytest.raises(NoKey):
            rerate.rate(run, JUDGE, tmp_path / "kept.jsonl")
        assert contents(run) == before

    def test_models_that_cannot_judge(self, run):
        with pytest.raises(ScenarioError, match="unknown model"):
            rerate.rate(run, "gpt-none")
        with pytest.raises(UnknownPrice):
            rerate.rate(run, "llama-3.1-8b-instant", max_cost_usd=1.0)


class TestWhatCannotBeRated:
    def test_no_run(self, tmp_path):
        with pytest.raises(ValueError, match="is not a run"):
            rerate.rate(tmp_path)

    def test_a_corpus_that_has_changed(self, run, tmp_path):
        path = tmp_path / "tickets.csv"
        path.write_text("text,category\n" + "\n".join(f"Text {k},{BAD}" for k in range(9)))
        manifest = storage.read_manifest(run)
        manifest["scenario_as_run"]["tickets"] = {"corpus": str(path)}
        storage.write_manifest(run, manifest)
        with pytest.raises(ValueError, match=r"tickets\.corpus has changed since the run"):
            rerate.rate(run)

    def test_tickets_of_another_version(self, run):
        manifest = storage.read_manifest(run)
        manifest["scenario_as_run"]["seed"] = 99
        storage.write_manifest(run, manifest)
        with pytest.raises(ValueError, match="cannot be drawn again"):
            rerate.rate(run)

    def test_versions_of_a_desk_are_drawn_again(self, tmp_path):
        desk = {**DESK, "uncertainty": {"assumed": {"arrivals.scale": [0.6, 1.4]}}}
        done = twin.run(from_data(desk), replications=3, out=tmp_path)
        found = rerate.rate(done.paths[0])
        assert (found.figures["difference"] == 0).all()
        assert set(found.table["replication"]) == {0, 1, 2}

    def test_a_run_without_answers(self, tmp_path):
        twin.run(
            from_data(
                {
                    "horizon": "6h",
                    "arrivals": {"rate": "6/h"},
                    "assistant": {"role": "full", "backend": "profile"},
                }
            ),
            replications=1,
            out=tmp_path,
        )
        with pytest.raises(ValueError, match="holds no answers"):
            rerate.rate(next(tmp_path.glob("*/*")))

    def test_changed_articles_are_told(self, run, tmp_path):
        folder = tmp_path / "knowledge"
        shutil.copytree(KNOWLEDGE, folder)
        manifest = storage.read_manifest(run)
        manifest["scenario_as_run"]["assistant"]["knowledge"] = str(folder)
        manifest["files"]["assistant.knowledge"] = "another"
        storage.write_manifest(run, manifest)
        assert "articles have changed" in rerate.rate(run).notes[0]


class TestCommand:
    def invoke(self, *words):
        return CliRunner().invoke(app, ["rate", *map(str, words)])

    def test_it_prints_both_raters_and_the_difference(self, run):
        done = self.invoke(run.parent)
        assert done.exit_code == 0, done.output
        for words in (
            "before: evidence-3",
            "after:  evidence-3",
            "rating_mean",
            "agreement",
            "table: ",
        ):
            assert words in done.output
        again = self.invoke(run)
        assert again.exit_code == 2
        assert "already" in again.output

    def test_json(self, run):
        done = self.invoke(run, "--json")
        told = json.loads(done.stdout)
        assert (told["before"], told["after"]) == ("evidence-3", "evidence-3")
        assert [row["kpi"] for row in told["figures"]] == [
            "quality",
            "solved",
            "rating_mean",
            "csat",
        ]
        assert told["agreement"]["n"] > 20

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["--rater", "model"], 2, "go together"),
            (["--model", JUDGE], 2, "go together"),
            (["--rater", "model", "--model", "gpt-none"], 2, "unknown model"),
            (["--rater", "model", "--model", JUDGE], 1, "GROQ_API_KEY"),
            (["--rater", "somebody"], 2, "somebody"),
        ],
    )
    def test_faults_are_a_line(self, run, no_key, words, code, said):
        done = self.invoke(run, *words)
        assert done.exit_code == code
        assert said in done.output
        assert "Traceback" not in done.output

    def test_no_folder(self, tmp_path):
        done = self.invoke(tmp_path / "gone")
        assert done.exit_code == 2
        assert "no such folder" in done.output
