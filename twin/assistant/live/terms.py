"""On which terms is asked, and what came of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from twin.assistant.catalogue import Model
from twin.scenario.model import Provider

# Calls under way at once where the scenario does not say.
CONCURRENCY = 32


@dataclass(frozen=True)
class Sent:
    """What came back from one HTTP request, seen to be whole.

    Attributes
    ----------
    answer, finish, prompt_tokens, completion_tokens, latency_s, usage, timings
        See `twin.assistant.recorded.recording.Reply`.
    limits : mapping of str to str
        The rate-limit headers; no others.
    """

    answer: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    limits: Mapping[str, str]
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)


@dataclass
class Tally:
    """What was done so far.

    Attributes
    ----------
    sent, limited : int
        HTTP requests, and those of them answered 429.
    answered : int
        Calls that ended in an answer, now recorded.
    failed : Counter
        Calls that failed, by type of error; `words` says what the last of each said.
    prompt_tokens, completion_tokens : int
    spent_usd : float
        By the catalogue's price; NaN where that is unknown.
    started_s, ended_s : float
        Moments of the first request and the last end, on a monotonic clock.
    """

    sent: int = 0
    limited: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    words: dict[str, str] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    spent_usd: float = 0.0
    started_s: float = math.nan
    ended_s: float = math.nan


@dataclass(frozen=True)
class Terms:
    """On which terms is asked.

    Attributes
    ----------
    timeout_s, retries, backoff_s, max_backoff_s, concurrency
        See `twin.scenario.Provider`.
    max_cost_usd : float
        Not to be exceeded, whatever the calls under way may cost.
    """

    timeout_s: float
    retries: int
    backoff_s: float
    max_backoff_s: float
    concurrency: int = CONCURRENCY
    max_cost_usd: float = math.inf

    @classmethod
    def of(
        cls,
        provider: Provider,
        concurrency: int | None = None,
        max_cost_usd: float | None = None,
    ) -> Terms:
        """The terms of a scenario."""
        return cls(
            timeout_s=provider.timeout,
            retries=provider.retries,
            backoff_s=provider.backoff,
            max_backoff_s=provider.max_backoff,
            concurrency=concurrency or provider.concurrency or CONCURRENCY,
            max_cost_usd=math.inf if max_cost_usd is None else max_cost_usd,
        )


def cost_usd(model: Model, prompt_tokens: float, completion_tokens: float) -> float:
    """Price of a call; NaN where it is unknown, without the warning of `Model.cost_usd`."""
    if model.price_in is None or model.price_out is None:
        return math.nan
    return (prompt_tokens * model.price_in + completion_tokens * model.price_out) / 1e6
