"""Luck by key: all that a draw is for is part of its key, so no two purposes share a uniform."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.assistant.backends import build
from twin.assistant.judging.judge import Judge
from twin.demand.luck import FIRST, Stream, Use, generator, key, uniforms
from twin.demand.tickets import draw
from twin.desk.answers import ModelAnswers
from twin.desk.names import Names
from twin.scenario.model import from_data

# Small numbers meet often, those around 50 and 100 are where luck once met, others go far.
parts = st.one_of(st.integers(0, 3), st.sampled_from([49, 50, 51, 99, 100, 101, 150, 200]),
                  st.integers(0, 2**32 - 1))  # fmt: skip
uses = st.builds(Use, parts, parts, parts, parts)
purposes = st.tuples(parts, st.sampled_from(Stream), parts, uses)


@given(purposes, purposes)
def test_two_purposes_share_neither_key_nor_uniforms(one, other):
    luck = [generator(1, *purpose).random(4) for purpose in (one, other)]
    if one == other:
        assert key(*one) == key(*other)
        assert (luck[0] == luck[1]).all()
    else:
        assert key(*one) != key(*other)
        assert not np.isin(luck[0], luck[1]).any()


@given(purposes)
def test_a_key_is_read_back_as_what_it_is_for(purpose):
    found = key(*purpose)
    replication, stream, layer, *use = (*found, *[0] * (7 - len(found)))
    assert (replication, Stream(stream), layer, Use(*use)) == purpose


def test_first_uses_have_the_short_key_that_they_always_had():
    for stream in Stream:
        assert key(3, stream) == key(3, stream, 0, FIRST) == (3, stream)
        rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(3, int(stream))))
        assert (uniforms(7, 3, stream, 5) == rng.random(5)).all()


def test_models_attempts_and_visits_answer_with_luck_of_their_own():
    """Among them those that once were the same: attempt 50 and the second model, and so on."""
    desk = from_data(
        {
            "horizon": "1d",
            "arrivals": {"rate": "2/h"},
            "agents": {"all": {"heads": 1, "handle_time": "5min"}},
            "assistant": {
                "role": "full",
                "backend": "profile",
                "profile": {"respond_latency": {"distribution": "exponential", "mean": "5s"}},
            },
        }
    )
    demand = draw(desk)
    models: list[ModelAnswers] = []
    for _ in range(2):
        assistant = build(desk, demand.categories, demand.corpus)
        ModelAnswers(assistant, desk, demand, Judge(None), Names(), models)
    seen = set()
    for model in models:
        for visit in (0, 1, 2):
            for attempt in (0, 1, 50, 100, 150):
                answers = model.get("respond", visit=visit, attempt=attempt)
                seen |= set(answers.latency_s)
    assert len(seen) == 2 * 3 * 5 * len(demand)
