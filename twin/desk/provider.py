"""The language-model provider as a simulated resource: concurrency, quotas, refusals, outages.

Limits are leaky buckets: what was used drains continuously at limit over period. That is how the
provider's own messages compute: "Limit 8000, Used 6956, Requested 3570. Please try again in
18.945s" is (6956 + 3570 - 8000) / 8000 x 60 s.

Retry, back-off and Retry-After happen here, in simulated time. The back-off doubles from
`backoff` to `max_backoff`, less up to a quarter at random, as in the groq SDK.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.assistant.catalogue import LIMITS
from twin.assistant.protocol import (
    BAD_ANSWER,
    OK,
    OUTAGE,
    RATE_LIMITED,
    REFUSED,
    TIMEOUT,
)
from twin.demand.luck import Stream, generator
from twin.desk.answers import AnswerColumns
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.scenario.model import Provider as Settings
from twin.scenario.model import RandomOutages, Scenario

# A call in simulated time: ends with an outcome (see `twin.assistant.protocol`) and answers.
Ends = Generator[Any, Any, tuple[int, AnswerColumns]]

# Asking again would bring the same.
_FINAL = {OK, REFUSED, BAD_ANSWER}
# Nobody worked on these, so a fresh attempt keeps its luck.
_UNHEARD = {OUTAGE, RATE_LIMITED, REFUSED}
# Who waited as long as they were told must fit: less than this share of a limit is rounding.
ROUNDING = 1e-9


@dataclass
class Quota:
    """One limit: so many units (requests or tokens) a period, as a leaky bucket.

    Attributes
    ----------
    limit : int
        Units it holds.
    drain : float
        Units a second that run out.
    counts_tokens : bool
        Tokens, or else requests.
    level, at_s : float
        What was in it at a moment.
    """

    limit: int
    drain: float
    counts_tokens: bool
    level: float = 0.0
    at_s: float = 0.0


class Attempt(Happening):
    """A request on its way: it waits for a free connection, is sent, and is answered or refused."""

    started_s = 0.0
    retry_after_s = 0.0

    def __init__(self, clock: Clock, ticket: int, answers: AnswerColumns) -> None:
        # As in Happening, without the call: two of these are made for every ticket.
        self.env = clock
        self.callbacks = []
        self.ticket = ticket
        self.latency_s = answers.latency_s[ticket]
        self.tokens_in = answers.prompt_tokens[ticket]
        self.tokens_out = answers.completion_tokens[ticket]
        self.outcome = answers.outcome[ticket]


class Provider:
    """One model at the provider, with its own quotas.

    Parameters
    ----------
    clock : Clock
    settings : twin.scenario.Provider
    limits : mapping of str to int
        rpm, rpd, tpm, tpd: those that apply.
    outages : list of (float, float)
        Start and end of each outage, seconds.
    jitter : sequence of float, shape (n,)
        A uniform a ticket, for the back-off.
    ledger : Ledger
    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        limits: dict[str, int],
        outages: list[tuple[float, float]],
        jitter: memoryview,
        ledger: Ledger,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._most = settings.concurrency
        self._timeout_s = settings.timeout
        self._add_call, self._pack_call = ledger.calls.add, ledger.calls.pack
        self._jitter = jitter
        self.quotas = [
            Quota(limits[name], limits[name] / period_s, name.startswith("t"))
            for name, period_s in LIMITS.items()
            if name in limits
        ]
        self._down_from = [start for start, _ in outages]
        self._down_to = [end for _, end in outages]
        self._under_way = 0
        self._waiting: deque[Attempt] = deque()

    def ask(self, ticket: int, answers: AnswerColumns) -> Ends:
        """Ask until there is an answer or the retries are used up.

        Waits in simulated time: `yield from` it in a process. Writes the row of the call.

        Returns
        -------
        outcome : int
            OK, or how the last attempt failed.
        answers : AnswerColumns
            Those given; where the call failed for good those of its last attempt, which
            `for_next_attempt` turns into the ones for another try.
        """
        asked_s = self._clock._now
        attempt = Attempt(self._clock, ticket, answers)
        self._send(attempt)
        yield attempt
        last, attempts, limited, quota_s = answers, 1, 0, 0.0
        if attempt.outcome != OK:
            attempt, last, attempts, limited, quota_s = yield from self._retry(attempt, answers)
        outcome, tokens_in, tokens_out = attempt.outcome, attempt.tokens_in, attempt.tokens_out
        reply = -1
        if outcome != OK:
            tokens_in = tokens_out = 0
        elif answers.reply:
            reply = answers.reply[ticket]
        self._add_call(self._pack_call(
            ticket, answers.step, answers.model, answers.version, asked_s, attempt.started_s,
            self._clock._now, quota_s, attempts, limited, tokens_in, tokens_out, outcome, reply,
        ))  # fmt: skip
        return outcome, answers if outcome == OK else last

    def _retry(
        self, attempt: Attempt, answers: AnswerColumns
    ) -> Generator[Any, Any, tuple[Attempt, AnswerColumns, int, int, float]]:
        """Try again after a failed attempt.

        Returns the last attempt and its answers, how many there were, how many of them were
        answered 429, and the time waited for that.
        """
        clock, settings = self._clock, self._settings
        ticket = attempt.ticket
        attempts = 1
        limited = 0
        quota_s = 0.0
        while True:
            limited += attempt.outcome == RATE_LIMITED
            if attempt.outcome in _FINAL or attempts > settings.retries:
                return attempt, answers, attempts, limited, quota_s
            pause = min(settings.max_backoff, settings.backoff * 2.0 ** (attempts - 1))
            pause *= 1 - 0.25 * self._jitter[ticket]
            if attempt.outcome == RATE_LIMITED:
                pause = max(pause, attempt.retry_after_s)
                quota_s += pause
            answers = for_next_attempt(answers, attempt.outcome)
            yield clock.at(clock.now + pause)
            attempt = Attempt(clock, ticket, answers)
            self._send(attempt)
            yield attempt
            attempts += 1

    def _send(self, attempt: Attempt) -> None:
        """Send the attempt when a connection is free: from then one event to its end."""
        if self._most is not None:
            if self._under_way == self._most:
                self._waiting.append(attempt)
                return
            self._under_way += 1
            attempt.callbacks.append(self._release)
        self._start(attempt)

    def _release(self, _: Any) -> None:
        if self._waiting:
            attempt = self._waiting.popleft()
            attempt.callbacks.insert(0, self._release)
            self._start(attempt)
        else:
            self._under_way -= 1

    def _start(self, attempt: Attempt) -> None:
        clock = self._clock
        now = attempt.started_s = clock._now
        duration = 0.0
        if self._down_from and self._is_down(now):
            attempt.outcome = OUTAGE
        elif self._admits(attempt, now):
            duration = attempt.latency_s
            if duration > self._timeout_s:
                duration = self._timeout_s
                attempt.outcome = TIMEOUT
        clock.schedule_at(attempt, now + duration)

    def _is_down(self, now_s: float) -> bool:
        k = bisect_right(self._down_from, now_s) - 1
        return k >= 0 and now_s < self._down_to[k]

    def _admits(self, attempt: Attempt, now: float) -> bool:
        """True if the quotas let the request through; if so it is counted."""
        wait_s = 0.0
        tokens = attempt.tokens_in + attempt.tokens_out
        for quota in self.quotas:
            amount = tokens if quota.counts_tokens else 1
            level = quota.level - (now - quota.at_s) * quota.drain
            quota.level = level = level if level > 0.0 else 0.0
            quota.at_s = now
            excess = level + amount - quota.limit
            if excess > ROUNDING * quota.limit:
                if amount > quota.limit:
                    attempt.outcome = REFUSED
                    return False
                wait_s = max(wait_s, excess / quota.drain)
        if wait_s > 0.0:
            attempt.outcome = RATE_LIMITED
            attempt.retry_after_s = wait_s
            return False
        for quota in self.quotas:
            quota.level += tokens if quota.counts_tokens else 1
        return True


def for_next_attempt(answers: AnswerColumns, outcome: int) -> AnswerColumns:
    """Return the answers for an attempt after one that failed: the same words, fresh luck."""
    return answers if outcome in _UNHEARD else answers.again()


def outages(scenario: Scenario, seed: int, replication: int) -> list[tuple[float, float]]:
    """Start and end of every outage, planned or random, merged and in order; seconds."""
    settings = scenario.provider
    windows = [(o.start, o.start + o.length) for o in settings.outages]
    if settings.random_outages is not None:
        windows += _random(settings.random_outages, scenario.horizon, seed, replication)
    merged: list[tuple[float, float]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _random(
    settings: RandomOutages, horizon: float, seed: int, replication: int
) -> list[tuple[float, float]]:
    rng = generator(seed, replication, Stream.OUTAGE)
    windows: list[tuple[float, float]] = []
    moment = 0.0
    while True:
        up, down = -np.log1p(-rng.random(2))
        start = moment + up * settings.mean_time_between_failures
        if start >= horizon:
            return windows
        moment = start + down * settings.mean_time_to_repair
        windows.append((float(start), float(moment)))
