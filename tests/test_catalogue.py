import warnings
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.assistant import catalogue
from twin.assistant.catalogue import PriceWarning, latency_s, limits_of, model, models
from twin.scenario.model import Provider

TODAY = date(2026, 11, 1)


@pytest.fixture(autouse=True)
def _warn_again():
    catalogue._warn_once.cache_clear()


def test_every_model_has_sources_and_a_chain_that_ends_alive():
    for entry in models().values():
        assert entry.source
        assert entry.timing_source
        assert entry.as_of <= date.today()
        live = entry.live_successor(TODAY)
        assert live is not None
        assert not live.is_retired(TODAY)


def test_successor_chain_depends_on_the_day():
    old = model("gemma-7b-it")
    assert old.live_successor(date(2024, 12, 17)) is old
    assert old.live_successor(date(2024, 12, 18)).name == "gemma2-9b-it"
    assert old.live_successor(date(2025, 12, 1)).name == "llama-3.1-8b-instant"
    assert old.live_successor(TODAY).name == "openai/gpt-oss-20b"


def test_chain_that_ends_in_a_retired_model_has_no_live_successor():
    lonely = model("gemma-7b-it").model_copy(update={"successor": None})
    assert lonely.live_successor(TODAY) is None


def test_unknown_model_names_the_nearest():
    with pytest.raises(ValueError, match=r'did you mean "openai/gpt-oss-20b"\?'):
        model("gpt-oss-20b")


def test_limits_by_plan():
    entry = model("openai/gpt-oss-20b")
    free = entry.limits("free")
    assert (free.rpm, free.rpd, free.tpm, free.tpd) == (30, 1000, 8000, 200_000)
    assert entry.limits("developer").rpd is None
    assert entry.limits("unlimited") == catalogue.Limits()
    # Nobody published limits of this plan: not limited, and known to be unknown.
    assert not model("gemma-7b-it").limits("developer").known
    with pytest.raises(ValueError, match="unknown plan"):
        entry.limits("gold")


def test_cost_is_tokens_times_price():
    cost = model("openai/gpt-oss-20b").cost_usd([1_000_000, 0], [0, 2_000_000])
    np.testing.assert_allclose(cost, [0.075, 0.60])


def test_unknown_price_is_nan_and_warns_once():
    entry = model("llama-3.1-8b-instant")
    with pytest.warns(PriceWarning, match=r"llama-3.1-8b-instant.*not known"):
        assert np.isnan(entry.cost_usd([10, 20], [1, 2])).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(entry.cost_usd(10, 1)).all()


def test_old_price_warns_and_still_counts():
    entry = model("openai/gpt-oss-20b")
    entry.cost_usd(1, 1, on=date(2027, 10, 1))
    with pytest.warns(PriceWarning, match="more than a year old"):
        assert entry.cost_usd(1_000_000, 0, on=date(2027, 10, 2)) == pytest.approx(0.075)


def test_median_latency_is_queue_plus_reading_plus_writing():
    entry = model("openai/gpt-oss-120b")
    # The public sample of this model: 90 tokens read in .028 s, 38 written in .079 s.
    parts = 0.361 + 90 / 3214 + 38 / 500
    assert latency_s(entry, [90], [38], [0.5])[0] == pytest.approx(parts)
    assert parts == pytest.approx(0.361 + 0.028 + 0.079, rel=0.02)


def test_queue_has_the_mean_of_the_sample():
    entry = model("llama-3.1-8b-instant")
    u = (np.arange(200_000) + 0.5) / 200_000
    assert latency_s(entry, 0, 0, u).mean() == pytest.approx(0.267, rel=0.005)


@given(
    st.sampled_from(sorted(models())),
    st.integers(0, 200_000),
    st.integers(0, 100_000),
    st.floats(0, 1, exclude_max=True),
)
def test_latency_is_finite_and_grows_with_tokens_and_luck(name, tokens_in, tokens_out, u):
    entry = model(name)
    here = latency_s(entry, tokens_in, tokens_out, u)
    assert np.isfinite(here)
    assert here >= 0
    assert latency_s(entry, tokens_in + 1, tokens_out + 1, u) > here
    assert latency_s(entry, tokens_in, tokens_out, u / 2) <= here


def test_the_scenarios_own_limits_hold_in_place_of_the_plans():
    one = model("openai/gpt-oss-20b")
    plan = one.limits("free").model_dump(exclude={"known"}, exclude_none=True)
    assert limits_of(one, Provider(plan="free")) == plan
    own = {"rpm": 7, "tpd": 10**9}
    assert limits_of(one, Provider(plan="free", **own)) == plan | own
    assert limits_of(one, Provider(plan="unlimited")) == {}
    assert limits_of(one, Provider(plan="unlimited", rpm=3)) == {"rpm": 3}
    assert set(plan) <= set(catalogue.LIMITS)
