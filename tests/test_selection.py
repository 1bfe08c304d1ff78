"""Selection of the best: what the procedures promise, and that they play less for it.

`staffing_plans` is the study of the issue: ten plans with as many agents, of a real desk whose
replications are played once (a bank) and drawn from, whole replications at a time so that common
random numbers stay. It is a surrogate: 200 experiments of real replications would take an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import twin
from twin.common.errors import ScenarioError
from twin.stats.selection import Selection, kn, ocba

TRIALS = 200


def normal_sample(
    rng: np.random.Generator, means: Any, correlation: float, most: int = 3000
) -> Callable[..., Any]:
    """Normal figures of variance 1, correlated across settings as under common random numbers."""
    shared = np.sqrt(correlation) * rng.standard_normal(most)
    own = np.sqrt(1 - correlation) * rng.standard_normal((len(means), most))
    values = np.asarray(means)[:, None] + shared + own
    return lambda settings, first, last: values[np.ix_(settings, range(first, last))]


def close_rival(k: int, distance: float) -> Any:
    """The least favourable case: all others just one indifference behind."""
    return np.r_[np.zeros(k - 1), distance]


@pytest.mark.parametrize("correlation", [0.0, 0.7])
@pytest.mark.parametrize("procedure", [kn, ocba])
def test_the_promise_holds_in_the_least_favourable_case(procedure: Any, correlation: float) -> None:
    means = close_rival(6, 0.8)
    rng = np.random.default_rng(3)
    right = 0
    for _ in range(TRIALS):
        found = procedure(normal_sample(rng, means, correlation), 6, 0.8, 0.9)
        assert found.decided
        right += found.best == 5
    # Not refuted at one in a thousand.
    assert stats.binom.cdf(right, TRIALS, 0.9) > 1e-3


def test_common_random_numbers_save_replications() -> None:
    means = close_rival(6, 0.3)
    rng = np.random.default_rng(4)
    alone, together = (
        np.mean([kn(normal_sample(rng, means, c), 6, 0.3, 0.9).total for _ in range(20)])
        for c in (0.0, 0.7)
    )
    assert together < 0.7 * alone


@pytest.mark.parametrize("procedure", [kn, ocba])
def test_less_can_be_better(procedure: Any) -> None:
    sample = normal_sample(np.random.default_rng(5), [0.0, 2.0, 3.0], 0.5)
    assert procedure(sample, 3, 0.5, larger=False).best == 0
    found = procedure(sample, 3, 0.5)
    assert found.best == 2
    assert found.means[2] == pytest.approx(3.0, abs=1.0)
    assert found.total == found.replications.sum()


def test_what_is_selected_does_not_depend_on_the_step() -> None:
    for seed in range(10):
        means = close_rival(5, 0.5)
        one, four = (
            kn(normal_sample(np.random.default_rng(seed), means, 0.3), 5, 0.5, step=step)
            for step in (1, 4)
        )
        assert one.best == four.best
        assert one.total <= four.total <= one.total + 5 * 3


def test_clear_losers_get_no_more_than_the_first_replications() -> None:
    sample = normal_sample(np.random.default_rng(6), [0.0, 0.0, 0.0, 9.0, 9.4], 0.5)
    for procedure in (kn, ocba):
        found = procedure(sample, 5, 0.4)
        assert found.best == 4
        assert found.replications[:3].tolist() == [10, 10, 10]
        assert found.left_in == (4,)


@pytest.mark.parametrize("procedure", [kn, ocba])
def test_a_budget_ends_it_and_says_so(procedure: Any) -> None:
    sample = normal_sample(np.random.default_rng(7), [0.0, 0.0, 0.0], 0.0)
    found = procedure(sample, 3, 0.01, budget=60)
    assert not found.decided
    assert found.probability < 0.95
    assert len(found.left_in) > 1
    assert found.total <= 60


@pytest.mark.parametrize("procedure", [kn, ocba])
def test_settings_without_any_spread_are_decided_at_once(procedure: Any) -> None:
    values = np.repeat([[1.0], [2.0], [2.0]], 400, axis=1)
    found = procedure(lambda s, a, b: values[np.ix_(s, range(a, b))], 3, 0.5)
    assert found.decided
    assert found.best in (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [{"indifference": 0.0}, {"confidence": 0.2}, {"confidence": 1.0}, {"first": 2}, {"count": 1}],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    given = {"count": 3, "indifference": 0.1} | wrong
    for procedure in (kn, ocba):
        with pytest.raises(ValueError, match=r"must be|needs two"):
            procedure(normal_sample(np.random.default_rng(1), [0, 0, 0], 0.0), **given)


def test_a_missing_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="missing in a replication"):
        kn(lambda s, a, b: np.full((len(s), b - a), np.nan), 2, 0.1)


def staffing_plans() -> dict[str, Any]:
    """Ten plans of eight agents in three shifts, on a day with a peak at noon."""
    hours = [1] * 8 + [3, 5, 7, 8, 8, 7, 6, 5, 5, 4, 3, 2, 2, 1, 1, 1]
    times = [("06:00", "14:00"), ("10:00", "18:00"), ("14:00", "22:00")]
    shifts = [{"start": start, "end": end, "heads": 0} for start, end in times]
    desk = {
        "horizon": "1d",
        "arrivals": {"kind": "hourly", "rate": "14/h", "week": {"hours": hours}},
        "tickets": {"priority_mix": {"normal": 1}},
        "targets": {"first_response": {"normal": "15min"}},
        "agents": {"all": {"shifts": shifts, "handle_time": "9min"}},
        "customers": {"patience": {"distribution": "exponential", "mean": "2h"}},
    }
    splits = [
        (3, 3, 2), (2, 4, 2), (4, 2, 2), (2, 3, 3), (3, 2, 3), (1, 5, 2), (2, 5, 1), (3, 4, 1),
        (4, 3, 1), (5, 2, 1),
    ]  # fmt: skip
    keys = [f"agents.all.shifts.{k}.heads" for k in range(3)]
    plans = {"-".join(map(str, s)): dict(zip(keys, s, strict=True)) for s in splits}
    return {"scenario": twin.from_data(desk), "factors": {"plan": plans}, "kpis": ["service_level"]}


def test_the_best_staffing_plan_is_selected(tmp_path: Path) -> None:
    study = staffing_plans()
    plans = study["factors"]["plan"]
    study["factors"] = {"plan": {name: plans[name] for name in ("3-3-2", "2-5-1", "5-2-1")}}
    found = twin.select(study, "service_level", 0.02, out=tmp_path)
    assert found.selection.decided
    assert "with probability at least 0.95" in found.statement
    (best,) = found.table[found.table["verdict"] == "selected"].to_dict("records")
    assert best["scenario"] == found.best
    assert best["mean"] == found.table["mean"].max()
    assert found.played == found.selection.total
    again = twin.select(study, "service_level", 0.02, out=tmp_path)
    assert again.played == 0
    assert again.best == found.best
    spent = twin.select(study, "service_level", 0.0001, out=tmp_path, budget=31)
    assert "the budget ended before that was clear" in spent.statement


def test_a_figure_that_is_neither_good_nor_bad_selects_nothing() -> None:
    with pytest.raises(ScenarioError, match="neither more nor less of it is better"):
        twin.select(staffing_plans(), "arrivals", 1.0)
    with pytest.raises(ValueError, match='no figure "servicelevel"'):
        twin.select(staffing_plans(), "servicelevel", 1.0)


@pytest.mark.slow
def test_selection_of_ten_staffing_plans_over_200_trials(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In 200 experiments each procedure is right as often as it says, and cheaper than equality.

    Equal allocation is given the same chance: the two-stage procedure of Clark and Yang (1986) with
    the same promise beside `kn`, and the stopping rule of `ocba` with the same number for all.
    """
    bank_size, delta, promised = 200, 0.01, 0.95
    study = twin.study(staffing_plans(), replications=bank_size, workers=2)
    frame = study.frame[(study.frame["kpi"] == "service_level") & (study.frame["group"] == "")]
    bank = frame.pivot(index="point", columns="replication", values="value").to_numpy()
    true = bank.mean(axis=1)
    good = true >= true.max() - delta
    rng = np.random.default_rng(8)
    totals: dict[str, list[int]] = {"kn": [], "clark-yang": [], "ocba": [], "equal": []}
    right = dict.fromkeys(totals, 0)
    for _ in range(TRIALS):
        drawn = bank[:, rng.integers(bank_size, size=20_000)]

        def sample(settings: Any, first: int, last: int, drawn: Any = drawn) -> Any:
            return drawn[np.ix_(settings, range(first, last))]

        for name, found in (
            ("kn", kn(sample, 10, delta, promised, budget=100_000)),
            ("ocba", ocba(sample, 10, delta, promised, budget=100_000)),
            ("clark-yang", clark_yang(drawn, delta, promised)),
            ("equal", equally(drawn, delta, promised)),
        ):
            totals[name].append(found.total)
            right[name] += bool(good[found.best])
    mean = {name: float(np.mean(values)) for name, values in totals.items()}
    with capsys.disabled():
        print(f"\nplans {np.round(true, 4)}; indifference {delta}")
        for name, value in mean.items():
            print(f"{name}: right in {right[name] / TRIALS:.1%}, {value:.0f} replications a trial")
    for name in ("kn", "ocba"):
        assert right[name] / TRIALS >= promised
    assert mean["kn"] < mean["clark-yang"]
    assert mean["ocba"] < mean["equal"]


def clark_yang(drawn: Any, delta: float, promised: float, first: int = 10) -> Selection:
    """Two stages, the same number for all (Clark and Yang 1986, Bonferroni over paired t)."""
    k = len(drawn)
    start = drawn[:, :first]
    spread = (start[:, None, :] - start[None, :, :]).var(axis=2, ddof=1).max()
    t = stats.t.ppf(1 - (1 - promised) / (k - 1), first - 1)
    n = max(first, int(np.ceil(t**2 * spread / delta**2)))
    means = drawn[:, :n].mean(axis=1)
    return Selection(int(means.argmax()), True, promised, means, np.full(k, n), ())


def equally(drawn: Any, delta: float, promised: float, first: int = 10) -> Selection:
    """Ends as `ocba` does, with the same number for all."""
    k = len(drawn)
    for n in range(first, drawn.shape[1]):
        means = drawn[:, :n].mean(axis=1)
        best = int(means.argmax())
        ahead = np.delete(drawn[best, :n] - drawn[:, :n], best, axis=0)
        error = ahead.std(axis=1, ddof=1) / np.sqrt(n)
        z = np.maximum(ahead.mean(axis=1), delta) / np.maximum(error, 1e-12)
        chance = float(np.prod(stats.t.cdf(z, n - 1)))
        if chance >= promised:
            return Selection(best, True, chance, means, np.full(k, n), ())
    raise AssertionError("not decided")
