import dataclasses
import json
from datetime import date

import numpy as np
import pytest
from scipy import stats

import twin
from twin.assistant import catalogue, prompts
from twin.assistant.errors import RecordingError
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.profile import ProfileAssistant, between, measured_latency_s
from twin.assistant.protocol import Luck, Questions
from twin.assistant.recorded.measured import measure, reproduce, to_toml
from twin.assistant.recorded.recorded_calls import MeasuringError, read_sample
from twin.assistant.recorded.recording import Reply
from twin.demand.corpus import load_corpus
from twin.scenario.file import load, starter
from twin.scenario.model import MeasuredStep

MODEL = "openai/gpt-oss-20b"
N = 300
LIMITS = {"categorize": 200, "respond": 350}
OVERHEAD, READING, WRITING = 0.05, 0.0002, 0.004


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(str(starter() / "corpus" / "tickets.csv"))


@pytest.fixture(scope="module")
def knowledge():
    return Knowledge(load_articles(starter() / "knowledge"))


def reply(step, sample, text, answer, tokens, latency_s, **more):
    """A recorded call; the key is only a number, as nothing here asks for it."""
    data = {"ticket": text}
    if step == "respond":
        data |= {"category": more.pop("category"), "articles": [{"title": "t", "text": "x"}] * 2}
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": json.dumps(data)}]
    return Reply(
        key=f"{step}{sample}".rjust(64, "0"),
        step=step,
        model=more.pop("model", MODEL),
        prompt_version=more.pop("prompt_version", "1"),
        sample=0,
        request={
            "messages": messages,
            "max_completion_tokens": 200 if step == "categorize" else 350,
        },
        answer=answer,
        finish="stop",
        repaired=False,
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        latency_s=latency_s,
        timings=more.pop("timings", {}),
        recorded=more.pop("recorded", "2026-11-01T10:00:00+00:00"),
    )


def write(path, replies):
    path.write_bytes(b"".join(one.to_line() for one in replies))
    return path


def calls(corpus, knowledge, timed=True, spread=0.05):
    """Calls about the corpus with known latency, a fifth in the next category, half of steps."""
    rng = np.random.default_rng(5)
    size = len(corpus.categories)
    made = []
    for k in range(N):
        truth = int(corpus.category[k])
        said = (truth + 1) % size if k % 5 == 0 else truth
        tokens = int(rng.integers(300, 400)), int(rng.integers(10, 30))
        queue = float(rng.lognormal(np.log(0.2), 0.5))
        work = OVERHEAD + READING * tokens[0] + WRITING * tokens[1]
        latency = queue * timed + work * float(rng.lognormal(0, spread))
        timings = {
            "queue_time": queue,
            "prompt_time": READING * tokens[0],
            "completion_time": WRITING * tokens[1],
        }
        answer = {"category": corpus.categories[said], "confidence": 0.9 if said == truth else 0.6}
        more = {"timings": timings if timed else {}}
        made.append(
            reply("categorize", k, corpus.texts[k], json.dumps(answer), tokens, latency, **more)
        )
        slug = corpus.article[k]
        steps = knowledge.articles[slug].steps if slug else ("Sorry.",)
        words = " ".join(steps[: len(steps) // 2] if k % 2 else steps)
        tokens = int(rng.integers(900, 1500)), int(rng.integers(50, 200))
        latency = OVERHEAD + READING * tokens[0] + WRITING * tokens[1]
        more["category"] = corpus.categories[truth]
        more["timings"] = {}
        made.append(reply("respond", k, corpus.texts[k], words, tokens, latency, **more))
    return made


@pytest.fixture(scope="module")
def sample(corpus, knowledge, tmp_path_factory):
    path = write(tmp_path_factory.mktemp("recorded") / "r.jsonl", calls(corpus, knowledge))
    return read_sample(path, corpus, knowledge)


def test_what_was_put_in_comes_out(sample, corpus):
    made = measure(sample)
    assert made["accuracy"] == 0.8
    first = corpus.categories[0]
    row = made["confusion"][first]
    assert row[corpus.categories[1]] / sum(row.values()) == pytest.approx(0.2, abs=0.15)
    measured = made["measured"]
    assert (measured["model"], measured["prompt_version"]) == (MODEL, "1")
    assert (measured["date"], measured["articles"]) == (date(2026, 11, 1), 2)
    assert (measured["confidence_right"], measured["confidence_wrong"]) == ([0.9], [0.6])
    step = measured["categorize"]
    assert (step["calls"], step["max_tokens"]) == (N, 200)
    texts = len(set(corpus.texts[:N]))
    assert (step["texts"], measured["accuracy_texts"]) == (texts, texts)
    assert measured["accuracy_answers"] == N
    assert float(step["prompt_token"][:-1]) == pytest.approx(READING, rel=1e-3)
    assert float(step["completion_token"][:-1]) == pytest.approx(WRITING, rel=1e-3)
    assert float(step["overhead"][:-1]) == pytest.approx(OVERHEAD, abs=0.01)
    assert float(step["queue"][50][:-1]) == pytest.approx(0.2, rel=0.1)
    assert step["spread"][50] == pytest.approx(1.0, abs=0.02)
    assert 0.3 < np.mean(measured["quality"]) < 1.0


def test_without_reported_times_the_line_is_fitted(sample):
    step = measure(sample)["measured"]["respond"]
    assert "queue" not in step
    assert float(step["overhead"][:-1]) == pytest.approx(OVERHEAD, rel=1e-3)
    assert float(step["prompt_token"][:-1]) == pytest.approx(READING, rel=1e-3)
    assert float(step["completion_token"][:-1]) == pytest.approx(WRITING, rel=1e-3)
    assert step["spread"] == [1.0]


def test_a_profile_reproduces_its_recording(sample):
    found = reproduce(sample, measure(sample)).set_index(["step", "figure"])
    for (_, figure), row in found.iterrows():
        near = 0.15 if figure == "latency p99" else 0.08
        assert row["profile"] == pytest.approx(row["recorded"], rel=near), figure
    assert found.loc[("categorize", "accuracy"), "recorded"] == 0.8
    assert set(found.index.get_level_values("step")) == {"categorize", "respond"}


def test_a_written_profile_is_a_scenario_that_runs_the_same(sample, tmp_path):
    made = measure(sample)
    (tmp_path / "base.toml").write_text(
        'horizon = "1h"\n[arrivals]\nrate = "60/h"\n[agents.all]\nheads = 3\nhandle_time = "5min"\n'
        f"[tickets]\ncorpus = {json.dumps(str(starter() / 'corpus' / 'tickets.csv'))}\n"
        '[assistant]\nrole = "full"\nmax_tokens = { categorize = 50, respond = 200 }\n'
    )
    path = tmp_path / "measured.toml"
    path.write_text(to_toml(made, MODEL, "base.toml", "r.jsonl"), encoding="utf-8")
    desk = load(path)
    assert desk.assistant.backend == "profile"
    assert desk.assistant.profile.accuracy == 0.8
    step = desk.assistant.profile.measured.categorize
    assert step.queue[0] == float(made["measured"]["categorize"]["queue"][0][:-1])
    assert desk.assistant.profile.confusion == made["confusion"]
    assert load(path).vary({"seed": 3}).assistant == desk.assistant

    from twin.demand.tickets import draw
    from twin.desk.simulation import simulate

    log = simulate(desk, draw(desk))
    latency = (log.calls["ended_s"] - log.calls["started_s"]).dropna()
    assert latency.between(0.05, 5).all()
    assert log.tickets["category"].notna().any()


def rests_on(profile):
    made = {"backend": "profile", "model": MODEL, "profile": profile}
    desk = load(starter() / "baseline.toml").as_data()
    desk["assistant"] = made
    return [s for s in twin.explain(twin.from_data(desk)) if "Its " in s]


@pytest.mark.parametrize("answers", [1, 3])
def test_a_profile_says_on_how_many_texts_it_rests_however_often_each_was_asked(
    corpus, knowledge, tmp_path, answers
):
    """More answers about the same texts make nobody surer of other texts."""
    made = [
        dataclasses.replace(one, key=f"{n}{one.key[1:]}")
        for n in range(answers)
        for one in calls(corpus, knowledge)
    ]
    profile = measure(read_sample(write(tmp_path / "r.jsonl", made), corpus, knowledge))
    texts = profile["measured"]["accuracy_texts"]
    assert texts == len(set(corpus.texts[:N]))
    low, high = stats.binomtest(round(0.8 * texts), texts).proportion_ci(method="wilson")
    assert rests_on(profile) == [
        f"Its accuracy, 80.0 %, was measured on {texts} texts ({N * answers} answers): "
        f"{100 * low:.1f} % to {100 * high:.1f} % at 95 %.",
        f"Its latency to categorize was measured on {N * answers} calls ({texts} texts).",
        f"Its latency to respond was measured on {N * answers} calls ({texts} texts).",
    ]


def test_a_profile_that_nobody_measured_says_assumed(sample):
    assert len(rests_on({"accuracy": 0.9, "respond_latency": "2s"})) == 3
    assert all("assumed" in sentence for sentence in rests_on({"accuracy": 0.9}))
    # Profiles from before the numbers were kept can be read, and promise nothing.
    old = measure(sample)
    for name in ("accuracy_texts", "accuracy_answers"):
        del old["measured"][name]
    del old["measured"]["categorize"]["texts"]
    stated = rests_on(old | {"respond_latency": "2s"})
    assert [("assumed" in s, "measured on" in s) for s in stated] == [
        (True, False), (False, True), (True, False),
    ]  # fmt: skip


def test_what_the_scenario_states_goes_before_what_was_measured(sample, corpus):
    made = measure(sample)
    quality = {"distribution": "constant", "value": 0.25}
    stated = {"respond_latency": "3s", "quality": quality, "respond_tokens": 77}
    answers = assistant({**made, **stated}, corpus).answer(questions(corpus, "respond"))
    assert (answers.latency_s == 3).all()
    assert (answers.quality == 0.25).all()
    assert (answers.completion_tokens == 77).all()
    assert answers.prompt_tokens.min() >= 900


def assistant(profile, corpus, today=date(2026, 11, 20), **settings):
    from twin.scenario.model import Profile, Scenario

    made = {"backend": "profile", "model": MODEL, "profile": Profile.model_validate(profile)}
    desk = Scenario.model_validate({"arrivals": {"rate": "6/h"}, "assistant": made | settings})
    entry = catalogue.model(settings.get("model", MODEL))
    return ProfileAssistant(desk, corpus.categories, entry, today)


def questions(corpus, step, n=500):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, len(corpus.categories), n)
    luck = Luck.drawn(n, rng)
    category = truth if step == "respond" else None
    nothing = np.full(n, -1)
    return Questions(step, corpus.categories, (), nothing, category, truth, np.arange(n), luck)


def test_a_profile_used_as_measured_has_no_notes(sample, corpus):
    backend = assistant(measure(sample), corpus)
    for step in ("categorize", "respond"):
        backend.answer(questions(corpus, step))
    assert backend.notes == []


@pytest.mark.parametrize(
    ("today", "settings", "change", "note"),
    [
        (date(2027, 6, 1), {}, {}, r"old: measured on 2026-11-01, 212 days ago"),
        (None, {"model": "openai/gpt-oss-120b"}, {}, r"extrapolated: .*gpt-oss-20b.*gpt-oss-120b"),
        (None, {"knowledge": "x", "articles": 5}, {}, r"up to 2 articles in a prompt, used for 5"),
        (None, {"retrieval": False}, {}, r"up to 2 articles in a prompt, used for 0"),
        (None, {}, {"calls": 12}, r"few calls: 12 of step respond"),
        (None, {"max_tokens": {"respond": 500}}, {"max_tokens": 190}, r"at most 190 tokens"),
        (None, {}, {"drop": True}, r"no calls of step respond"),
        (None, {}, {"confusion": True}, r"no calls measured for tickets of category"),
    ],
)
def test_doubtful_use_is_noted(sample, corpus, today, settings, change, note):
    made = json.loads(json.dumps(measure(sample), default=str))
    if change.get("drop"):
        del made["measured"]["respond"]
    elif change.get("confusion"):
        made["confusion"].pop(corpus.categories[0])
    else:
        made["measured"]["respond"] |= change
    backend = assistant(made, corpus, today or date(2026, 11, 20), **settings)
    assert len(backend.notes) == 1
    with pytest.raises(AssertionError, match=note):
        raise AssertionError(backend.notes[0])


def test_tokens_outside_of_what_was_measured_are_noted_once(sample, corpus):
    backend = assistant(measure(sample) | {"prompt_tokens": 5000}, corpus)
    for _ in range(2):
        backend.answer(questions(corpus, "categorize"))
    (note,) = backend.notes
    assert "prompt tokens outside of the 300 to 399" in note


def test_notes_reach_the_log(sample, corpus, play):
    made = measure(sample) | {"prompt_tokens": 5000}
    data = {
        "horizon": "1h",
        "arrivals": {"rate": "60/h"},
        "tickets": {"category_mix": dict.fromkeys(corpus.categories, 1)},
        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
        "assistant": {"role": "full", "backend": "profile", "profile": made},
    }
    log = play(data)
    assert any("extrapolated" in note for note in log.notes)


def test_latency_grows_with_tokens_and_luck():
    step = MeasuredStep(
        calls=10,
        max_tokens=100,
        prompt_tokens=[10.0],
        completion_tokens=[5.0],
        queue=["0.1s", "0.3s"],
        overhead="0.01s",
        prompt_token="0.001s",
        completion_token="0.01s",
        spread=[0.5, 1.5],
    )
    half = np.array([0.5])
    assert measured_latency_s(step, 10, 5, half, half)[0] == pytest.approx(0.2 + 0.07)
    low, high = np.array([0.0]), np.array([1.0])
    assert measured_latency_s(step, 10, 5, low, low)[0] == pytest.approx(0.1 + 0.035)
    assert measured_latency_s(step, 10, 5, high, high)[0] == pytest.approx(0.3 + 0.105)
    assert measured_latency_s(step, 20, 5, half, half) > measured_latency_s(step, 10, 5, half, half)
    np.testing.assert_allclose(
        between([1.0, 2.0, 4.0], np.array([0, 0.25, 0.5, 1.0])), [1, 1.5, 2, 4]
    )


def test_a_recording_of_the_default_prompts_is_understood(corpus, knowledge, tmp_path):
    """The words of the real prompts are read back: ticket, odd characters, category."""
    text = next(text for text in corpus.texts if "<" in text)
    row = corpus.texts.index(text)
    name = corpus.categories[corpus.category[row]]
    asked = prompts.respond_messages(text, name, list(knowledge.articles.values())[:3])
    one = reply("respond", 1, text, "Sorry.", (900, 3), 0.5, category=name)
    one = Reply(**{**vars(one), "request": {"messages": asked, "max_completion_tokens": 200}})
    sample = read_sample(write(tmp_path / "r.jsonl", [one]), corpus, knowledge)
    found = sample.steps["respond"]
    assert found.truth.tolist() == found.said.tolist() == [corpus.category[row]]
    assert found.articles.tolist() == [3]


def test_without_a_corpus_it_measures_what_it_can(corpus, knowledge, tmp_path):
    path = write(tmp_path / "r.jsonl", calls(corpus, knowledge)[:20])
    sample = read_sample(path, None, None)
    made = measure(sample)
    assert set(made) == {"measured"}
    assert "quality" not in made["measured"]
    assert set(reproduce(sample, made)["figure"]) >= {"latency p50", "prompt tokens"}


def test_several_models_or_versions_must_be_chosen(corpus, tmp_path):
    text = corpus.texts[0]
    answer = json.dumps({"category": corpus.categories[0], "confidence": 1})
    made = [
        reply("categorize", 1, text, answer, (10, 5), 0.1),
        reply("categorize", 2, text, answer, (10, 5), 0.1, model="openai/gpt-oss-120b"),
        reply("categorize", 3, text, answer, (10, 5), 0.1, prompt_version="2"),
    ]
    path = write(tmp_path / "r.jsonl", made)
    with pytest.raises(MeasuringError, match=r"several models.*--model"):
        read_sample(path, corpus, None)
    with pytest.raises(MeasuringError, match=r"several prompt versions.*--prompt-version"):
        read_sample(path, corpus, None, model=MODEL)
    with pytest.raises(MeasuringError, match=r'no calls of model "x"; there are'):
        read_sample(path, corpus, None, model="x")
    sample = read_sample(path, corpus, None, model=MODEL, prompt_version="2")
    assert len(sample.steps["categorize"]) == 1
    assert measure(sample)["measured"]["categorize"]["prompt_tokens"] == [10.0]


def test_empty_missing_and_undated_recordings_are_named(corpus, tmp_path):
    with pytest.raises(RecordingError, match="no such recording"):
        read_sample(tmp_path / "nowhere.jsonl", corpus, None)
    with pytest.raises(MeasuringError, match="holds no calls"):
        read_sample(write(tmp_path / "empty.jsonl", []), corpus, None)
    one = reply("categorize", 1, "x", "{}", (10, 5), 0.1, recorded="")
    with pytest.raises(MeasuringError, match="when it was made"):
        read_sample(write(tmp_path / "undated.jsonl", [one]), corpus, None)


@pytest.mark.parametrize("key", ["prompt_tokens", "spread", "queue"])
def test_quantiles_must_rise(sample, corpus, key):
    made = measure(sample)
    made["measured"]["categorize"][key] = ["2s", "1s"] if key == "queue" else [2.0, 1.0]
    with pytest.raises(ValueError, match="smallest to the largest"):
        assistant(made, corpus)
