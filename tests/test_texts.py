"""Errors of which texts and answers were seen: one model is not called two."""

import itertools

import numpy as np
import pandas as pd
import pytest

import twin
from twin.assistant.protocol import OK, Answers, Written
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures.figures import FIGURES, measure
from twin.measures.rows import TEXT_GROUPS
from twin.stats.differences import differences
from twin.stats.intervals import summarize

RIGHT = 0.7
TEXTS, CATEGORIES = 150, ("Billing", "Delivery", "Login")
OVER_TIME = ("throughput", "backlog", "queue", "occupancy", "workload_ratio",
             "csat_all", "helped_per_dollar", "cost_per_resolution")  # fmt: skip


class OneModel:
    """A model that is right about a text with chance `RIGHT`, and says the same every time."""

    model = "openai/gpt-oss-20b"
    prompt_version = "1"
    columnar = True

    def __init__(self, recording, texts=TEXTS):
        rng = np.random.default_rng([recording, 7])
        self._right = rng.random(texts) < RIGHT
        self._other = rng.integers(1, len(CATEGORIES), texts)
        self._quality = rng.random(texts)

    def answer(self, questions):
        n, text = len(questions), questions.text
        whole = np.full(n, 0)
        columns = {
            "latency_s": np.full(n, 1.0),
            "prompt_tokens": whole + 100,
            "completion_tokens": whole + 50,
            "outcome": np.full(n, OK),
        }
        if questions.step == "categorize":
            other = (questions.truth + self._other[text]) % len(CATEGORIES)
            category = np.where(self._right[text], questions.truth, other)
            return Answers(**columns, category=category, confidence=np.full(n, 0.9))
        written = [Written("Dear customer")]
        return Answers(**columns, quality=self._quality[text], written=whole, texts=written)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    rows = [
        {"text": f"text {k}", "category": CATEGORIES[k % 3], "split": "desk"} for k in range(TEXTS)
    ]
    rows += [{"text": f"learn {name}", "category": name, "split": "train"} for name in CATEGORIES]
    pd.DataFrame(rows).to_csv(folder / "corpus.csv", index=False)
    (folder / "kb").mkdir()
    for name in CATEGORIES:
        words = f"---\ntitle: {name}\ncategory: {name}\n---\n\n## Steps\n1. Wait.\n"
        (folder / "kb" / f"{name.lower()}.md").write_text(words)
    return twin.from_data(
        {
            "horizon": "2d",
            "arrivals": {"rate": "8/h"},
            "tickets": {"corpus": str(folder / "corpus.csv")},
            "assistant": {"role": "full", "backend": "embedded", "knowledge": str(folder / "kb")},
            "agents": {"all": {"heads": 3, "handle_time": "9min", "cost": 20}},
            "targets": {"first_response": {"normal": "1h"}},
        }
    )


def played(desk, recording, replications):
    tables = []
    for k in range(replications):
        log = simulate(desk, draw(desk, k), OneModel(recording))
        tables.append(measure(log, desk).assign(replication=k, scenario=f"recording {recording}"))
    return pd.concat(tables, ignore_index=True)


def test_figures_are_the_sums_of_their_texts(desk):
    log = simulate(desk, draw(desk, 0), OneModel(1))
    table = measure(log, desk)
    checked = 0
    for row in table.itertuples():
        if not row.by_text or FIGURES[row.kpi].estimation == "quantile" or row.kpi in OVER_TIME:
            continue
        count, *values = np.frombuffer(row.by_text)
        over, under = np.array(values).reshape(2, TEXT_GROUPS)
        assert count == log.tickets["text_id"].nunique()
        # Each ticket is left out once and stays TEXT_GROUPS - 1 times.
        assert over.sum() == pytest.approx(row.numerator * (TEXT_GROUPS - 1))
        assert under.sum() == pytest.approx(row.denominator * (TEXT_GROUPS - 1))
        checked += 1
    assert checked > 20


def test_a_quantile_without_a_group_of_texts_is_that_of_the_other_tickets(desk):
    log = simulate(desk, draw(desk, 0), OneModel(1))
    table = measure(log, desk).set_index(["kpi", "group"])
    values = np.frombuffer(table.at[("first_response_p90", ""), "by_text"])[1:]
    waits = (log.tickets["responded_s"] - log.tickets["arrived_s"]).to_numpy()
    kept = (log.tickets["text_id"].to_numpy() % TEXT_GROUPS != 4) & ~np.isnan(waits)
    assert values[4] == pytest.approx(np.quantile(waits[kept], 0.9))


def test_figures_over_time_are_scaled_up_to_as_many_tickets(desk):
    log = simulate(desk, draw(desk, 0), OneModel(1))
    table = measure(log, desk)
    table = table[table["group"] == ""].set_index("kpi")
    kept = log.tickets["text_id"].to_numpy() % TEXT_GROUPS != 4
    share = kept.mean()
    for name in ("throughput", "backlog", "queue", "occupancy", "workload_ratio"):
        _, *values = np.frombuffer(table.at[name, "by_text"])
        over, under = np.array(values).reshape(2, TEXT_GROUPS)
        assert (under == table.at[name, "denominator"]).all()
        assert over.mean() == pytest.approx(table.at[name, "numerator"], rel=0.1)
    over = np.frombuffer(table.at["throughput", "by_text"])[1 + 4]
    resolved = log.tickets["resolved_s"].notna() & ~log.tickets["status"].isin(["Reopened"])
    open_again = log.tickets["status"].isin(["Resolved", "Closed"])
    assert over == pytest.approx((resolved & open_again & kept).sum() / share)


def test_desks_without_texts_know_none(desk):
    log = simulate(desk, draw(desk, 0), OneModel(1))
    assert not any(measure(log, desk).query("kpi == 'human_cost'")["by_text"])
    # Its answers are drawn ticket by ticket: no text has one of its own.
    drawn = desk.vary({"assistant.backend": "profile"})
    assert not any(twin.play(drawn).kpis["by_text"])
    alone = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
                            "agents": {"all": {"heads": 1, "handle_time": "5min"}}})  # fmt: skip
    assert not any(twin.play(alone).kpis["by_text"])
    found = summarize(twin.run(alone, replications=3).kpis)
    assert (found["texts"] == 0).all()
    assert (found["text_error"] == 0).all()


def test_more_replications_do_not_make_an_accuracy_surer_than_its_texts(desk):
    few, many = (
        summarize(played(desk, 3, n)).set_index(["kpi", "group"]).loc["categorization_accuracy", ""]
        for n in (4, 16)
    )
    # The binomial error of 150 texts; each comes with about equal weight.
    error = np.sqrt(RIGHT * (1 - RIGHT) / TEXTS)
    assert many["text_error"] == pytest.approx(error, rel=0.4)
    assert few["text_error"] == pytest.approx(error, rel=0.4)
    assert many["texts"] >= 140
    assert many["low"] < RIGHT < many["high"]
    assert 1.5 * error < many["half_width"] < 3.5 * error


def test_advice_counts_texts_where_replications_cannot_settle_it(desk):
    one, other = (played(desk, k, 6) for k in (1, 2))
    rows = [("categorization_accuracy", "")]
    row = differences(pd.concat([one, other]), "recording 1", rows).iloc[0]
    assert row["p"] > 0.05
    assert row["difference"] != 0
    assert np.isnan(row["more_replications"])
    assert row["more_texts"] > 0
    assert row["texts"] >= 140


def test_an_agent_more_is_still_seen_on_the_same_texts(desk):
    tables = []
    for name, one in (("few", desk), ("more", desk.vary({"agents.all.heads": 6}))):
        for k in range(6):
            log = simulate(one, draw(one, k), OneModel(1))
            tables.append(measure(log, one).assign(replication=k, scenario=name))
    rows = [("categorization_accuracy", ""), ("occupancy", "")]
    table = differences(pd.concat(tables), "few", rows).set_index("kpi")
    # The same answers: what is paired by text has no error at all.
    assert table.at["categorization_accuracy", "difference"] == 0
    assert table.at["categorization_accuracy", "low"] == 0
    assert table.at["occupancy", "p_adjusted"] < 0.05


@pytest.mark.slow
def test_recordings_of_one_model_are_called_different_as_seldom_as_stated(desk):
    """210 pairs of 21 recordings, 8 replications each: a call in at most 5 % of the pairs."""
    rows = [(name, "") for name, figure in FIGURES.items() if figure.better]
    runs = {k: played(desk, k, 8) for k in range(21)}
    called, alone = [], []
    for a, b in itertools.combinations(runs, 2):
        table = differences(pd.concat([runs[a], runs[b]]), f"recording {a}", rows)
        called.append((table["p_adjusted"] < 0.05).any())
        alone.append((table["p"] < 0.05).mean())
    print(f"\n{len(called)} pairs, {len(table)} figures each: a difference called in "
          f"{np.mean(called):.1%}; of single figures {np.mean(alone):.1%}")  # fmt: skip
    assert np.mean(called) <= 0.05
