"""Distributions: rising quantiles, and the mean, cv and quantiles that people gave."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from twin.demand.luck import Stream, uniforms
from twin.scenario.distributions import NumberDistribution, TimeDistribution

FAMILIES = ("lognormal", "gamma", "weibull")
# Midpoints of a fine grid: the mean of a quantile function over them is the mean, up to its tail.
GRID = (np.arange(400_000) + 0.5) / 400_000

means = st.floats(1e-2, 1e5)
cvs = st.floats(0.05, 3)


def number(**data):
    return TypeAdapter(NumberDistribution).validate_python(data)


def amounts(*names):
    """Rising positive numbers as the parameters of those names."""
    values = st.lists(st.floats(0, 1e4), min_size=len(names), max_size=len(names))
    return values.map(lambda v: dict(zip(names, sorted(v), strict=True)))


simple = (
    amounts("value").map(lambda p: number(distribution="constant", **p))
    | amounts("low", "high").map(lambda p: number(distribution="uniform", **p))
    | amounts("low", "mode", "high")
    .filter(lambda p: p["low"] < p["high"])
    .map(lambda p: number(distribution="triangular", **p))
    | means.map(lambda mean: number(distribution="exponential", mean=mean))
    | st.builds(
        lambda family, mean, cv: number(distribution=family, mean=mean, cv=cv),
        st.sampled_from(FAMILIES),
        means,
        cvs,
    )
)
luck = st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=20).map(np.array)


@given(simple, luck)
def test_quantiles_rise_and_are_finite_and_not_negative(distribution, u):
    values = distribution.quantile(np.sort(u))
    assert values.shape == u.shape
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values) >= -1e-9 * values[1:]).all()


@given(simple, luck)
def test_a_value_belongs_to_its_uniform_alone(distribution, u):
    whole = distribution.quantile(u)
    assert (distribution.quantile(u.reshape(-1, 1))[:, 0] == whole).all()
    parts = [float(distribution.quantile(u[k : k + 1])[0]) for k in range(len(u))]
    assert parts == pytest.approx(whole.tolist(), rel=1e-12)


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("family", FAMILIES)
def test_mean_and_cv_are_reproduced(family, cv):
    distribution = number(distribution=family, mean=300.0, cv=cv)
    values = distribution.quantile(GRID)
    assert distribution.mean_value() == pytest.approx(300)
    assert values.mean() == pytest.approx(300, rel=1e-3)
    assert values.std() / values.mean() == pytest.approx(cv, rel=2e-2)


@given(
    st.sampled_from(FAMILIES),
    st.floats(0.5, 1e3),
    st.floats(1.1, 20),
    st.sampled_from([("p50", "p90"), ("p10", "p99.5"), ("p25", "p75")]),
)
def test_two_quantiles_are_reproduced(family, low, ratio, names):
    given_values = dict(zip(names, (low, low * ratio), strict=True))
    distribution = number(distribution=family, quantiles=given_values)
    at = np.array([float(name[1:]) / 100 for name in names])
    assert distribution.quantile(at) == pytest.approx([low, low * ratio], rel=1e-6)
    again = number(distribution=family, quantiles=dict(reversed(given_values.items())))
    assert (again.quantile(at) == distribution.quantile(at)).all()


@pytest.mark.parametrize(
    ("data", "known"),
    [
        ({"distribution": "exponential", "mean": 3.0}, stats.expon(scale=3)),
        ({"distribution": "uniform", "low": 2.0, "high": 5.0}, stats.uniform(2, 3)),
        (
            {"distribution": "triangular", "low": 1.0, "mode": 2.0, "high": 5.0},
            stats.triang(0.25, 1, 4),
        ),
        ({"distribution": "gamma", "mean": 6.0, "cv": 0.5}, stats.gamma(4, scale=1.5)),
        (
            {"distribution": "lognormal", "quantiles": {"p50": 8.0, "p97.5": 80.0}},
            stats.lognorm(np.log(10) / stats.norm.ppf(0.975), scale=8),
        ),
        ({"distribution": "weibull", "mean": 2.0, "cv": 1.0}, stats.expon(scale=2)),
    ],
)
def test_quantiles_and_means_are_those_of_scipy(data, known):
    distribution = number(**data)
    u = GRID[::997]
    assert distribution.quantile(u) == pytest.approx(known.ppf(u), rel=1e-8)
    assert distribution.mean_value() == pytest.approx(known.mean(), rel=1e-8)


@given(st.lists(st.tuples(st.floats(0.1, 10), simple), min_size=1, max_size=4), luck)
def test_a_mixture_has_the_weighted_mean_and_its_parts_values(parts, u):
    mixture = number(distribution="mixture", parts=[{"weight": w, "of": d} for w, d in parts])
    weights = np.array([w for w, _ in parts])
    expected = sum(w * d.mean_value() for w, d in parts) / weights.sum()
    assert mixture.mean_value() == pytest.approx(expected)
    values = mixture.quantile(u)
    chosen = np.searchsorted(np.cumsum(weights)[:-1] / weights.sum(), u, side="right")
    for k, (_, part) in enumerate(parts):
        low, high = part.quantile(np.array([0.0, np.nextafter(1.0, 0.0)]))
        here = values[chosen == k]
        assert (here >= low * (1 - 1e-9)).all()
        assert (here <= high * (1 + 1e-9)).all()


def test_a_mixture_is_drawn_in_its_proportions():
    short, long = {"distribution": "uniform", "low": 0, "high": 1}, 100.0
    parts = [{"weight": 3, "of": short}, {"weight": 1, "of": long}]
    values = number(distribution="mixture", parts=parts).quantile(GRID)
    assert (values == 100).mean() == pytest.approx(0.25, abs=1e-5)
    assert values[values < 100].mean() == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("name", ["times.csv", "times.parquet"])
def test_an_empirical_distribution_gives_each_measured_value_equally_often(tmp_path, name):
    frame = pd.DataFrame({"minutes": [5.0, 1.0, 2.0, 2.0]})
    path = tmp_path / name
    frame.to_csv(path, index=False) if name.endswith("csv") else frame.to_parquet(path)
    data = {"distribution": "empirical", "file": str(path), "column": "minutes", "unit": "1min"}
    distribution = TypeAdapter(TimeDistribution).validate_python(data)
    assert distribution.mean_value() == 150
    values, counts = np.unique(distribution.quantile(GRID), return_counts=True)
    assert values.tolist() == [60, 120, 300]
    assert (counts / len(GRID)).tolist() == [0.25, 0.5, 0.25]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("n\n-1\n", "none negative"), ("n\nx\n", "must hold numbers"), ("m\n1\n", 'no column "n"')],
)
def test_an_empirical_distribution_names_what_is_wrong(tmp_path, text, reason):
    path = tmp_path / "times.csv"
    path.write_text(text)
    with pytest.raises(ValidationError, match=reason):
        number(distribution="empirical", file=str(path), column="n")
    with pytest.raises(ValidationError, match="file not found"):
        number(distribution="empirical", file=str(tmp_path / "none.csv"), column="n")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"distribution": "lognormal", "mean": 1.0}, "give mean and cv"),
        ({"distribution": "lognormal", "mean": -1.0, "cv": 1}, "mean must be above 0"),
        ({"distribution": "lognormal", "quantiles": {"p50": 2.0}}, "exactly two"),
        ({"distribution": "weibull", "quantiles": {"p50": 2.0, "p90": 1.0}}, "must rise"),
        ({"distribution": "gamma", "quantiles": {"p0": 1.0, "p90": 2.0}}, "quantile names"),
        ({"distribution": "triangular", "low": 1, "mode": 1, "high": 1}, "low < high"),
        ({"distribution": "uniform", "low": 2, "high": 1}, "low <= high"),
        ({"distribution": "normal", "mean": 1}, "must name its distribution"),
        ({"distribution": "exponential", "mean": "5min"}, "must be a plain number"),
        ({"distribution": "exponential", "mean": float("inf")}, "must be a number"),
    ],
)
def test_what_is_no_distribution(data, reason):
    with pytest.raises(ValidationError, match=reason):
        number(**data)


def test_a_time_needs_a_unit_and_a_bare_text_is_a_constant():
    adapter = TypeAdapter(TimeDistribution)
    assert adapter.validate_python("5min").mean_value() == 300
    assert adapter.validate_python(0).mean_value() == 0
    with pytest.raises(ValidationError, match="must be a duration"):
        adapter.validate_python({"distribution": "exponential", "mean": 5})


def test_a_drawn_sample_passes_a_kolmogorov_smirnov_test():
    u = uniforms(1, 0, Stream.HANDLE, 20_000)
    values = number(distribution="lognormal", mean=9.0, cv=0.9).quantile(u)
    sigma = np.sqrt(np.log1p(0.81))
    known = stats.lognorm(sigma, scale=9 / np.exp(sigma**2 / 2))
    assert stats.kstest(values, known.cdf).pvalue > 0.01


def test_a_weibull_too_narrow_is_told_in_plain_words():
    number(distribution="weibull", mean=5, cv=0.003)
    with pytest.raises(ValidationError, match=r"cv of a weibull must be at least 0\.003"):
        number(distribution="weibull", mean=5, cv=0.001)
