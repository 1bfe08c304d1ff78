"""The statistical assistant: what is assumed of it, what was measured, tickets that stay hard."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from twin.scenario.distributions import NumberDistribution, TimeDistribution
from twin.scenario.sections.base import Count, Day, Quantiles, Section, Share, Weight, fail
from twin.scenario.units import Duration

# Correlation between two attempts at a ticket.
Spread = Annotated[float, Field(ge=0, le=1)]


class MeasuredStep(Section):
    """Recorded calls of one step; lists hold quantiles from the smallest to the largest."""

    calls: Annotated[int, Field(ge=1)] = Field(description="how many were recorded")
    texts: Annotated[int, Field(ge=1)] | None = Field(None, description="distinct texts of theirs")
    max_tokens: Annotated[int, Field(ge=1)] = Field(description="token limit they were asked with")
    prompt_tokens: Quantiles = Field(description="tokens in")
    completion_tokens: Quantiles = Field(description="tokens out")
    queue: list[Duration] = Field(
        [], description="time in the provider's queue; none: not reported, so part of the rest"
    )
    overhead: Duration = Field(
        0.0, description="time that depends on no token, such as the network"
    )
    prompt_token: Duration = Field(0.0, description="time a token in")
    completion_token: Duration = Field(0.0, description="time a token out")
    spread: Quantiles = Field([1.0], description="factors on the time after the queue")

    @model_validator(mode="after")
    def _check(self) -> MeasuredStep:
        for name in ("prompt_tokens", "completion_tokens", "queue", "spread"):
            values = getattr(self, name)
            if values != sorted(values):
                raise fail(f"{name} must hold quantiles, from the smallest to the largest")
        return self


class MeasuredSpread(Section):
    """Correlation between two attempts at a ticket, as recorded: bounds, and what they rest on."""

    tickets: Annotated[int, Field(ge=1)] = Field(description="tickets with two attempts or more")
    attempts: Annotated[int, Field(ge=2)] = Field(description="attempts at these")
    low: Spread = Field(description="lower bound at 95 %")
    high: Spread = Field(description="upper bound at 95 %")

    @model_validator(mode="after")
    def _check(self) -> MeasuredSpread:
        if self.low > self.high:
            raise fail("low must not be above high")
        return self


class Measured(Section):
    """Properties of recorded calls, as `twin profile` writes them; the profile's own keys win."""

    model: str = Field(description="model that was recorded")
    date: Day = Field(description="day of the last call")
    prompt_version: str = Field(description="version of the prompts")
    articles: Count | None = Field(None, description="most articles in a prompt")
    accuracy_answers: Annotated[int, Field(ge=1)] | None = Field(
        None, description="answers behind accuracy and confusion"
    )
    accuracy_texts: Annotated[int, Field(ge=1)] | None = Field(
        None, description="distinct texts of those answers"
    )
    categorize: MeasuredStep | None = None
    respond: MeasuredStep | None = None
    confidence_right: Quantiles | None = Field(None, description="confidence when right")
    confidence_wrong: Quantiles | None = Field(None, description="confidence when wrong")
    quality: Quantiles | None = Field(None, description="judged quality in the right category")
    category_spread: MeasuredSpread | None = Field(
        None, description="of difficulty.category, where tickets were tried several times"
    )
    answer_spread: MeasuredSpread | None = Field(None, description="likewise of difficulty.answer")


class Difficulty(Section):
    """Tickets that are hard for every attempt: success is kept for each ticket.

    Not given, each attempt is an independent coin. First attempts do the same on average; further
    ones (a customer who comes back, another model) go as the first one went.
    """

    category: Spread = Field(
        0.0,
        description="correlation between two attempts at a ticket in finding its category: chances "
        "of tickets are beta distributed around the accuracy (0: coins)",
    )
    answer: Spread = Field(
        0.0,
        description="likewise in solving it: each ticket keeps a quality, beta distributed around "
        "the mean of quality (tau-bench, public runs of 2 models: 0.45 to 0.51, fitted to pass^1 "
        "to pass^4 of 115 and 50 tickets; no interval is published)",
    )
    tickets: Annotated[list[Share], Field(min_length=1, max_length=10_000)] | None = Field(
        None,
        description="instead of quality and answer: qualities of tickets, each equally likely; a "
        "ticket keeps its own. `twin profile` fits 200 of them to pass^1 to pass^4, where a "
        "recording refutes a beta distribution",
    )


class Profile(Section):
    """A statistical assistant (backend `profile`): measured or assumed distributions."""

    accuracy: Share = Field(0.8, description="share of tickets categorized rightly (assumed)")
    confusion: dict[str, dict[str, Weight]] | None = Field(
        None, description="weights of answers by true category, instead of accuracy"
    )
    quality: NumberDistribution | None = Field(
        None,
        description="quality of an answer in the right category, 0 to 1; default 0.8 (assumed)",
    )
    confidence_right: NumberDistribution | None = Field(
        None, description="confidence when right; default triangular .4 .95 1 (assumed)"
    )
    confidence_wrong: NumberDistribution | None = Field(
        None, description="confidence when wrong; default triangular .1 .4 .95 (assumed)"
    )
    categorize_latency: TimeDistribution | None = Field(
        None, description="latency of a call; default: from the catalogue's speeds"
    )
    respond_latency: TimeDistribution | None = Field(None, description="likewise, for an answer")
    prompt_tokens: NumberDistribution | None = Field(
        None, description="tokens in; default 350 (assumed)"
    )
    categorize_tokens: NumberDistribution | None = Field(
        None, description="tokens out; default 15 (assumed)"
    )
    respond_tokens: NumberDistribution | None = Field(
        None, description="tokens out; default 120 (assumed)"
    )
    error_rate: Share = Field(
        0.0, description="share of calls that end in a server error (assumed: none)"
    )
    difficulty: Difficulty | None = Field(
        None, description="tickets that are hard for every attempt; default: none"
    )
    measured: Measured | None = Field(
        None, description="recorded calls, for all that the keys above do not say"
    )

    @model_validator(mode="after")
    def _check(self) -> Profile:
        given = self.difficulty
        if given is not None and given.tickets is not None and (given.answer or self.quality):
            raise fail("difficulty.tickets stands instead of quality and difficulty.answer")
        return self
