"""Pacing with a clock of its own: never above a limit in any window, and not far below it."""

import heapq
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.assistant.live.pacing import DAY_S, MINUTE_S, Left, Pacer, Window


def bursts(moments, period_s):
    """Most units in any window of a period, of (moment, amount) in order."""
    most = total = start = 0
    for moment, amount in moments:
        total += amount
        while moments[start][0] <= moment - period_s:
            total -= moments[start][1]
            start += 1
        most = max(most, total)
    return most


class Provider:
    """A provider that drains evenly, with calls of given latencies; by its own clock."""

    def __init__(self, limits, charge=int.__add__, headers=True):
        self.limits, self.charge, self.headers = limits, charge, headers
        self.level = dict.fromkeys(limits, 0.0)
        self.at = 0.0

    def ask(self, prompt, room, now):
        """True if it takes the call, and what its headers tell."""
        amount = {"requests": 1, "tokens": self.charge(prompt, room)}
        for kind, limit in self.limits.items():
            drained = (now - self.at) * limit / MINUTE_S
            self.level[kind] = max(0.0, self.level[kind] - drained)
        self.at = now
        over = {k: self.level[k] + amount[k] - limit for k, limit in self.limits.items()}
        taken = all(x <= 1e-9 for x in over.values())
        if taken:
            for kind in self.limits:
                self.level[kind] += amount[kind]
        told = {}
        for kind, limit in self.limits.items() if self.headers else ():
            told[f"x-ratelimit-limit-{kind}"] = str(limit)
            told[f"x-ratelimit-remaining-{kind}"] = str(int(limit - self.level[kind]))
            told[f"x-ratelimit-reset-{kind}"] = f"{self.level[kind] / limit * MINUTE_S:.3f}s"
        return taken, told


def run(pacer, calls, latency, provider=None, written=60, abreast=32):
    """Make calls of (prompt, room) tokens as fast as the pacer lets; moments, and how many 429."""
    now, k, limited = 0.0, 0, 0
    ends, moments = [], []
    while k < len(calls) or ends:
        wait = math.inf
        if k < len(calls) and len(ends) < abreast:
            wait = pacer.wait_s(*calls[k], now)
        if wait <= 0:
            slot = pacer.send(*calls[k], now)
            taken, told = True, {}
            # It arrives somewhere on the way.
            if provider is not None:
                taken, told = provider.ask(*calls[k], now)
            moments.append((now, sum(calls[k])))
            heapq.heappush(ends, (now + latency(k), slot.order, slot, taken, told))
            limited += not taken
            k += 1
            continue
        next_end = ends[0][0] if ends else math.inf
        assert math.isfinite(min(next_end, now + wait)), "nothing will ever happen"
        if next_end <= now + wait:
            now, _, slot, taken, told = heapq.heappop(ends)
            pacer.read(slot, told, now)
            pacer.end(slot, now, slot.estimated if taken else None, written, refused=not taken)
        else:
            now += wait + 1e-9  # As a real clock, it goes on.
    return moments, limited


@settings(max_examples=60, deadline=None)
@given(
    rpm=st.integers(1, 40),
    tpm=st.integers(200, 8000),
    calls=st.lists(st.tuples(st.integers(1, 150), st.integers(1, 50)), min_size=2, max_size=120),
    slow=st.floats(0.01, 20),
)
def test_never_above_a_limit_in_any_window(rpm, tpm, calls, slow):
    pacer = Pacer({"rpm": rpm, "tpm": tpm})
    moments, _ = run(pacer, calls, lambda k: slow * (1 + k % 7) / 7)
    assert bursts([(moment, 1) for moment, _ in moments], MINUTE_S) <= rpm
    assert bursts(moments, MINUTE_S) <= tpm
    assert len(moments) == len(calls)


@settings(max_examples=40, deadline=None)
@given(
    limit=st.integers(1, 100),
    period=st.floats(0.5, 1000),
    steps=st.lists(st.tuples(st.integers(1, 60), st.floats(0, 500)), max_size=60),
)
def test_a_window_counts_a_call_until_a_period_after_its_end(limit, period, steps):
    """Wherever between its sending and its end a call arrives, no window is above its limit."""
    window, now, arrivals = Window(limit, period), 0.0, []
    for amount, on_the_way in steps:
        wait = window.wait_s(amount, now)
        assert wait >= 0
        assert math.isfinite(wait)
        now += wait
        assert window.wait_s(amount, now) <= 1e-6 * max(now, 1)
        window.send(amount)
        end = now + on_the_way
        window.end(amount, amount, end)
        arrivals.append((end, min(amount, limit)))
        now = end
    # The latest possible arrival of each, the earliest of the next: never two in one window.
    assert bursts(arrivals, period * (1 - 1e-9)) <= limit


def test_waits_for_the_end_of_a_call_where_only_that_can_tell():
    window = Window(1, 60)
    assert window.wait_s(1, 0.0) == 0
    window.send(1)
    assert window.wait_s(1, 1e6) == math.inf
    window.end(1, 1, 1e6)
    assert window.wait_s(1, 1e6) == 60


def test_the_first_call_goes_alone():
    pacer = Pacer({"rpm": 100})
    assert pacer.wait_s(10, 10, 0.0) == 0
    slot = pacer.send(10, 10, 0.0)
    assert pacer.wait_s(10, 10, 5.0) == math.inf
    pacer.end(slot, 6.0)
    assert pacer.wait_s(10, 10, 6.0) == 0


@pytest.mark.parametrize("charge", ["reserved", "used", "double"])
@pytest.mark.parametrize("latency", [0.02, 2.0])
@pytest.mark.parametrize("known", [True, False])
def test_close_to_what_a_provider_allows(charge, latency, known):
    """True if the plan is known or only headers tell, and whatever the provider counts."""
    charges = {
        "reserved": lambda prompt, room: prompt + room,
        "used": lambda prompt, room: prompt + 5,
        "double": lambda prompt, room: 2 * (prompt + room),
    }
    limits = {"requests": 300, "tokens": 60_000}
    provider = Provider(limits, charges[charge])
    pacer = Pacer({"rpm": 300, "tpm": 60_000} if known else {})
    calls = [(200 + 13 * (k % 11), 60) for k in range(2400)]
    moments, limited = run(pacer, calls, lambda k: latency, provider, written=5)
    took = moments[-1][0]
    charged = sum(charges[charge](*call) for call in calls)
    assert charged >= 0.95 * limits["tokens"] * took / MINUTE_S
    # Also without the first period's worth, which is there at once.
    assert charged - limits["tokens"] >= 0.85 * limits["tokens"] * took / MINUTE_S
    assert limited <= 0.01 * len(moments)


def test_a_limit_of_a_day():
    pacer = Pacer({"rpd": 3})
    for k in range(3):
        pacer.end(pacer.send(1, 1, float(k)), float(k))
    assert pacer.wait_s(1, 1, 10.0) == DAY_S - 10


def test_calls_of_an_earlier_process_count():
    pacer = Pacer({"rpm": 2, "tpm": 1000})
    pacer.earlier(900, -10.0)
    pacer.earlier(10, -5.0)
    assert pacer.wait_s(1, 1, 0.0) == 50


def test_caps_hold_where_the_provider_would_allow_more():
    pacer = Pacer({"tpm": 500}, {"tpm": 400})
    assert pacer.limits == {"tpm": 400}
    slot = pacer.send(1, 1, 0.0)
    headers = {"x-ratelimit-limit-tokens": "9000", "x-ratelimit-remaining-tokens": "8000"}
    pacer.read(slot, headers, 1.0)
    assert pacer.limits == {"tpm": 400}
    pacer.read(slot, headers | {"x-ratelimit-limit-tokens": "300"}, 1.0)
    assert pacer.limits == {"tpm": 300}


def test_requests_are_a_days_limit_at_the_provider():
    pacer = Pacer({"rpm": 30})
    slot = pacer.send(1, 1, 0.0)
    headers = {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-reset-requests": "2m59.56s",
    }
    pacer.read(slot, headers, 1.0)
    pacer.end(slot, 1.0)
    assert pacer.limits == {"rpm": 30}
    assert pacer.wait_s(1, 1, 1.0) == 0


def test_a_429_holds_back_and_teaches():
    pacer = Pacer({})
    slot = pacer.send(1, 1, 0.0)
    pacer.limited(7.5, ("rpm", 30), 1.0)
    pacer.end(slot, 1.0, refused=True)
    assert pacer.limits == {"rpm": 30}
    assert pacer.wait_s(1, 1, 1.0) == 7.5


@given(
    st.dictionaries(
        st.sampled_from(
            [f"x-ratelimit-{a}-{b}" for a in ("limit", "remaining", "reset")
             for b in ("requests", "tokens")]
        ),
        st.one_of(st.text(max_size=8), st.integers(-5, 10**12).map(str), st.just("1m2s")),
    )
)  # fmt: skip
def test_any_headers_leave_a_pacer_that_goes_on(headers):
    pacer = Pacer({"rpm": 10})
    slot = pacer.send(1, 1, 0.0)
    pacer.read(slot, headers, 1.0)
    pacer.end(slot, 1.0)
    assert math.isfinite(pacer.wait_s(1, 1, 1.0))


def test_left_knows_nothing_until_it_is_told():
    assert Left().wait_s(10**9, 0.0) == 0
