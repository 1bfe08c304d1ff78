"""What a scenario file may say: frozen models of the desk, one section a class.

Reading files, `extends`, `--set` and error messages live in `scenario_file`; this is the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from twin.distributions import NumberDistribution, TimeDistribution
from twin.units import ClockTime, Duration, Rate

if TYPE_CHECKING:
    from pathlib import Path

Priority = Literal["urgent", "high", "normal", "low"]
PRIORITIES: tuple[str, ...] = get_args(Priority)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Quantiles = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=1001)]
# Not strict: a scenario that was written out holds its days as text.
Day = Annotated[date, Field(strict=False)]


def _fail(reason: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{reason}", {"reason": reason})


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise _fail("must be longer than 0s")
    return seconds


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise _fail(f'unknown time zone "{name}"; names look like "Europe/London" or "UTC"')
    return name


def parse_days(text: str) -> tuple[int, ...]:
    """Weekday numbers (Monday 0) of ``"Mon-Fri"``, ``"Sat,Sun"`` or ``"daily"``.

    Raises
    ------
    ValueError
        If a day is not one of Mon ... Sun.

    Examples
    --------
    >>> parse_days("Mon-Wed,Sun")
    (0, 1, 2, 6)
    """
    if text.strip().lower() == "daily":
        return tuple(range(7))
    names = {day.lower(): k for k, day in enumerate(DAYS)}
    found: set[int] = set()
    for part in text.split(","):
        ends = [names.get(name.strip().lower(), -1) for name in part.split("-")]
        if -1 in ends or len(ends) > 2:
            raise ValueError('must be days such as "Mon-Fri", "Sat,Sun" or "daily"')
        first, last = ends[0], ends[-1]
        found.update((first + k) % 7 for k in range((last - first) % 7 + 1))
    return tuple(sorted(found))


def _checked_days(text: str) -> str:
    try:
        parse_days(text)
    except ValueError as error:
        raise _fail(str(error)) from None
    return text


LongDuration = Annotated[Duration, AfterValidator(_positive)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
Days = Annotated[str, AfterValidator(_checked_days)]
PriorityTimes = dict[Priority, LongDuration]


class Model(BaseModel):
    """Base of all sections: frozen, strict in types, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Busyness(Model):
    """A factor a day, gamma distributed with mean 1: some days are simply busier."""

    cv: Annotated[float, Field(gt=0, le=3)] = Field(description="cv of the day factor")


class Bursts(Model):
    """Markov-modulated bursts: quiet and burst periods of exponential length alternate."""

    factor: Annotated[float, Field(gt=1, le=1000)] = Field(
        description="arrival rate in a burst, relative to the rate in quiet times"
    )
    mean_quiet: LongDuration = Field(description="mean length of a quiet period")
    mean_burst: LongDuration = Field(description="mean length of a burst")


class Surge(Model):
    """A planned rise (or fall) of the arrival rate."""

    start: Duration = Field(description="time since the start of the run")
    length: LongDuration = Field(description="how long it lasts")
    factor: Annotated[float, Field(ge=0, le=1000)] = Field(description="times the usual rate")


class Week(Model):
    """The shape of a week; `rate` is its mean, so only relative sizes matter."""

    hours: list[Annotated[float, Field(ge=0)]] = Field(
        default=[1.0] * 24, description="24 weights, midnight first, or 168 from Monday midnight"
    )
    days: list[Annotated[float, Field(ge=0)]] = Field(
        default=[1.0] * 7, min_length=7, max_length=7, description="7 weights, Monday first"
    )

    @model_validator(mode="after")
    def _check(self) -> Week:
        if len(self.hours) not in (24, 168):
            raise _fail(f"hours must hold 24 or 168 weights, not {len(self.hours)}")
        if sum(self.weights) <= 0:
            raise _fail("hours and days must not all be 0")
        return self

    @property
    def weights(self) -> list[float]:
        """168 weights by hour of week, from Monday midnight."""
        hours = self.hours * 7 if len(self.hours) == 24 else self.hours
        return [weight * self.days[k // 24] for k, weight in enumerate(hours)]


class Arrivals(Model):
    """When tickets arrive."""

    kind: Literal["poisson", "hourly", "constant", "trace"] = Field(
        "poisson",
        description="poisson: one rate; hourly: Poisson by hour of week; constant: evenly spaced; "
        "trace: recorded times",
    )
    rate: Rate | None = Field(None, description="mean arrival rate over the week")
    week: Week | None = Field(None, description="shape of the week, for hourly")
    scale: Annotated[float, Field(ge=0, le=1000)] = Field(1.0, description="load factor")
    busyness: Busyness | None = None
    bursts: Bursts | None = None
    surges: list[Surge] = []
    trace: str | None = Field(
        None,
        description="CSV or Parquet with a column `timestamp` (times, or seconds since the start) "
        "and, where known, `text`, `category`, `priority`",
    )

    @model_validator(mode="after")
    def _check(self) -> Arrivals:
        if self.kind == "trace":
            if self.trace is None:
                raise _fail('kind "trace" needs trace = "file.csv"')
            if self.rate or self.week or self.busyness or self.bursts or self.surges:
                raise _fail("a trace brings its own times: rate, week, busyness, bursts and "
                            "surges do not apply (scale does)")  # fmt: skip
            return self
        if self.trace is not None:
            raise _fail('trace is given, so kind must be "trace"')
        if self.rate is None:
            raise _fail('needs a rate, such as rate = "40/h"')
        if (self.kind == "hourly") != (self.week is not None):
            raise _fail('week and kind = "hourly" go together')
        return self


class Tickets(Model):
    """What the tickets are about."""

    corpus: str | None = Field(
        None,
        description="CSV with columns text, category, priority and, where known, article (the "
        "one that solves it) and split (train: the assistant may learn from it; desk: customers "
        "send it)",
    )
    category_mix: dict[str, Annotated[float, Field(ge=0)]] | None = Field(
        None, description="weight by category; default: as frequent as in the corpus"
    )
    priority_mix: dict[Priority, Annotated[float, Field(ge=0)]] | None = Field(
        None, description="weight by priority; default: each ticket's own, or all normal"
    )

    @model_validator(mode="after")
    def _check(self) -> Tickets:
        for name in ("category_mix", "priority_mix"):
            mix = getattr(self, name)
            if mix is not None and sum(mix.values()) <= 0:
                raise _fail(f"{name} must have a weight above 0")
        return self


class MeasuredStep(Model):
    """Recorded calls of one step; lists hold quantiles from the smallest to the largest."""

    calls: Annotated[int, Field(ge=1)] = Field(description="how many were recorded")
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
                raise _fail(f"{name} must hold quantiles, from the smallest to the largest")
        return self


class Measured(Model):
    """What recorded calls were like: `twin profile` writes it. Keys of the profile go before it."""

    model: str = Field(description="model that was recorded")
    date: Day = Field(description="day of the last call")
    prompt_version: str = Field(description="version of the prompts")
    articles: Count | None = Field(None, description="most articles in a prompt")
    categorize: MeasuredStep | None = None
    respond: MeasuredStep | None = None
    confidence_right: Quantiles | None = Field(None, description="confidence when right")
    confidence_wrong: Quantiles | None = Field(None, description="confidence when wrong")
    quality: Quantiles | None = Field(None, description="judged quality in the right category")


class Profile(Model):
    """A statistical assistant (backend `profile`): measured or assumed distributions."""

    accuracy: Share = Field(0.8, description="share of tickets categorized rightly")
    confusion: dict[str, dict[str, Annotated[float, Field(ge=0)]]] | None = Field(
        None, description="weights of answers by true category, instead of accuracy"
    )
    quality: NumberDistribution | None = Field(
        None, description="quality of an answer in the right category, 0 to 1; default 0.8"
    )
    confidence_right: NumberDistribution | None = Field(
        None, description="confidence when right; default triangular .4 .95 1"
    )
    confidence_wrong: NumberDistribution | None = Field(
        None, description="confidence when wrong; default triangular .1 .4 .95"
    )
    categorize_latency: TimeDistribution | None = Field(
        None, description="latency of a call; default: from the catalogue's speeds"
    )
    respond_latency: TimeDistribution | None = Field(None, description="likewise, for an answer")
    prompt_tokens: NumberDistribution | None = Field(None, description="tokens in; default 350")
    categorize_tokens: NumberDistribution | None = Field(None, description="tokens out; default 15")
    respond_tokens: NumberDistribution | None = Field(None, description="tokens out; default 120")
    error_rate: Share = Field(0.0, description="share of calls that end in a server error")
    measured: Measured | None = Field(
        None, description="recorded calls, for all that the keys above do not say"
    )


class MaxTokens(Model):
    """Most tokens the model may write, by step."""

    categorize: Annotated[int, Field(ge=1, le=100_000)] = Field(50, description="for a category")
    respond: Annotated[int, Field(ge=1, le=100_000)] = Field(200, description="for an answer")


class Learning(Model):
    """How feedback improves answers (see `twin.assistant.learning`)."""

    mode: Literal["off", "examples", "bandit"] = Field(
        "off",
        description="off; examples: well and badly rated answers go into the prompt; bandit: "
        "prompt versions compete by Thompson sampling",
    )
    versions: list[str] = Field(
        ["1", "brief"], min_length=2, description="prompt versions of the bandit, the first in use"
    )
    every: LongDuration = Field(86400.0, description="time between looks at the ratings")
    explore: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="share of answers by a version drawn at random, so that versions compare"
    )
    error_rate: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.05, description="chance that anything is promoted where ratings say nothing"
    )
    examples: Annotated[int, Field(ge=1, le=10)] = Field(
        2, description="examples in a prompt, to follow and as many to avoid"
    )
    feedback: str | None = Field(
        None, description="feedback store (JSON) that the run starts from, for examples"
    )
    effect: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(
        {},
        description="for backend profile: assumed change of quality by version; `examples` is "
        "the key for examples",
    )


class Assistant(Model):
    """The language-model step."""

    role: Literal["full", "triage", "off"] = Field(
        "full",
        description="full: categorizes and responds; triage: only categorizes; off: humans only",
    )
    backend: Literal["embedded", "profile", "groq", "replay"] = Field(
        "embedded", description="where answers come from (see README)"
    )
    model: str = Field(
        "openai/gpt-oss-20b", description="a model of the catalogue (`twin models` lists them)"
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        0.2, description="how much the model varies; 0 is least"
    )
    max_tokens: MaxTokens = MaxTokens()
    retrieval: bool = Field(True, description="look up knowledge articles (RAG)")
    knowledge: str | None = Field(None, description="folder of Markdown articles")
    articles: Annotated[int, Field(ge=1, le=20)] = Field(3, description="articles a question (k)")
    floor: Annotated[float, Field(ge=-1, le=1)] = Field(
        0.2, description="similarity below which an article is not used"
    )
    confidence_threshold: Share = Field(
        0.0, description="below this confidence a human categorizes"
    )
    human_categories: list[str] = Field([], description="always sent to humans")
    review_categories: list[str] = Field(
        [], description='a human approves the draft (Pending Review); "*" means all'
    )
    on_failure: Literal["escalate", "retry", "fallback"] = Field(
        "escalate", description="when the provider fails for good: see provider.retries"
    )
    retry_after: LongDuration = Field(600.0, description="pause between tries for on_failure retry")
    fallback_model: str | None = Field(None, description="second model for on_failure fallback")
    recording: str | None = Field(None, description="recording (JSON lines) for groq and replay")
    samples: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="different answers recorded for the same prompt"
    )
    profile: Profile = Profile()
    learning: Learning = Learning()

    @model_validator(mode="after")
    def _check(self) -> Assistant:
        if (self.on_failure == "fallback") != (self.fallback_model is not None):
            raise _fail('fallback_model and on_failure = "fallback" go together')
        return self


class Outage(Model):
    """A planned window in which the provider answers nothing."""

    start: Duration = Field(description="time since the start of the run")
    length: LongDuration = Field(description="how long it lasts")


class RandomOutages(Model):
    """Outages at random, exponential up and down times."""

    mean_time_between_failures: LongDuration = Field(description="mean time up")
    mean_time_to_repair: LongDuration = Field(description="mean time down")


class Provider(Model):
    """The service that runs the model: its limits and its failures."""

    plan: Literal["free", "developer", "unlimited"] = Field(
        "developer", description="limits come from the catalogue, by plan"
    )
    concurrency: Annotated[int, Field(ge=1)] | None = Field(
        None, description="calls under way at once; default: no limit"
    )
    rpm: Annotated[int, Field(ge=1)] | None = Field(None, description="requests a minute")
    rpd: Annotated[int, Field(ge=1)] | None = Field(None, description="requests a day")
    tpm: Annotated[int, Field(ge=1)] | None = Field(None, description="tokens a minute")
    tpd: Annotated[int, Field(ge=1)] | None = Field(None, description="tokens a day")
    timeout: LongDuration = Field(30.0, description="a call is given up after this")
    retries: Annotated[int, Field(ge=0, le=20)] = Field(3, description="tries after the first")
    backoff: LongDuration = Field(1.0, description="first pause; doubles with each try")
    max_backoff: LongDuration = Field(60.0, description="longest pause")
    outages: list[Outage] = []
    random_outages: RandomOutages | None = None


class Break(Model):
    """Time in a shift when some agents are away."""

    start: ClockTime = Field(description="local time")
    end: ClockTime = Field(description="local time")
    heads: Annotated[int, Field(ge=1)] = Field(description="how many are away")


class Shift(Model):
    """Heads on the weekly calendar; an end before the start is on the next day."""

    days: Days = Field("daily", description="weekdays on which it starts")
    start: ClockTime = Field(description="local time")
    end: ClockTime = Field(description="local time; not after the start: on the next day")
    heads: Count = Field(description="agents on shift")
    breaks: list[Break] = []

    @model_validator(mode="after")
    def _check(self) -> Shift:
        length = self.end - self.start if self.end > self.start else self.end + 86400 - self.start
        for pause in self.breaks:
            after = (pause.start - self.start) % 86400
            lasts = (pause.end - pause.start) % 86400
            if not lasts or after + lasts > length:
                raise _fail("a break must lie within its shift, and end after it starts")
        return self


class Pool(Model):
    """A pool of agents with the same skills."""

    heads: Count | None = Field(None, description="agents around the clock; else give shifts")
    shifts: list[Shift] | None = Field(None, description="when how many work; else give heads")
    extra_heads: Annotated[int, Field(ge=-10_000, le=10_000)] = Field(
        0, description="added to every shift (negative: fewer agents), never below 0"
    )
    skills: list[str] = Field([], description="categories they take; none given: all")
    time_zone: TimeZone | None = Field(None, description="default: the scenario's")
    holidays: list[Day] = Field([], description="days on which no shift starts")
    at_shift_end: Literal["finish", "hand over"] = Field(
        "finish", description="what happens to work in hand"
    )
    handle_time: TimeDistribution = Field(description="an agent's work on a ticket")
    handle_times: dict[str, TimeDistribution] = Field({}, description="by true category")
    review_time: TimeDistribution | None = Field(
        None, description="to approve a draft; default: a fifth of the handle time"
    )
    triage_time: TimeDistribution | None = Field(
        None, description="to categorize only; default: a tenth of the handle time"
    )
    cost: Annotated[float, Field(ge=0)] = Field(0.0, description="USD an agent an hour")

    @model_validator(mode="after")
    def _check(self) -> Pool:
        if (self.heads is None) == (self.shifts is None):
            raise _fail("give heads (around the clock) or shifts, one of them")
        return self


class Targets(Model):
    """What the desk promises."""

    clock: Literal["around the clock", "desk hours"] = Field(
        "around the clock", description="desk hours: time counts while an agent is on shift"
    )
    first_response: PriorityTimes = Field({}, description="by priority")
    resolution: PriorityTimes = Field({}, description="by priority")


class Solved(Model):
    """Chance that an answer solves the ticket."""

    agent: Share = Field(0.92, description="an agent's answer")
    reviewed: Share = Field(0.92, description="a draft that an agent approved or mended")
    assistant: Share = Field(
        0.95, description="the assistant's, in the right category at quality 1"
    )
    wrong_category: Share = Field(0.05, description="the assistant's, in the wrong category")


class Satisfaction(Model):
    """Shifts of the rating on a logit scale (see `twin.customers`)."""

    unsolved: float = Field(3.0, ge=0, description="fall when the answer did not solve it")
    wrong_category: float = Field(0.5, ge=0, description="fall when answered in a wrong category")
    transfer: float = Field(0.25, ge=0, description="fall with each transfer")
    reopened: float = Field(0.5, ge=0, description="fall with each reopening")
    wait: float = Field(1.0, ge=0, description="weight of the published fall with response time")


class Customers(Model):
    """The simulated customer."""

    patience: TimeDistribution | None = Field(
        None, description="longest wait for a human before giving up; default: endless"
    )
    survey_rate: Share = Field(0.3, description="share of resolved tickets that are rated")
    solved: Solved = Solved()
    reopen_rate: Share = Field(0.7, description="share of unsolved tickets that come back")
    reopen_delay: TimeDistribution = Field(
        default_factory=lambda: _lognormal("4h", 1.5), description="until they come back"
    )
    max_reopens: Annotated[int, Field(ge=0, le=10)] = Field(
        2, description="times a customer comes back at most"
    )
    close_after: Duration = Field(86400.0, description="quiet time until Resolved becomes Closed")
    satisfaction: Satisfaction = Satisfaction()


def _lognormal(mean: str, cv: float) -> Any:
    from twin.distributions import Lognormal

    return Lognormal.model_validate({"distribution": "lognormal", "mean": mean, "cv": cv})


class Scenario(Model):
    """A support desk and the question asked of it; frozen.

    Examples
    --------
    >>> desk = Scenario.model_validate({"horizon": "1d", "arrivals": {"rate": "6/h"}})
    >>> desk.horizon
    86400.0
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+=,@-]{0,120}$")] = Field(
        "scenario", description="default: the file's name"
    )
    question: str = Field("", description="what the scenario answers, in a sentence")
    horizon: LongDuration = Field(604800.0, description="length of the run")
    warm_up: Duration = Field(0.0, description="left out when measuring")
    seed: Count = Field(1, description="of all luck; the same seed, the same customers")
    replications: Annotated[int, Field(ge=1, le=100_000)] = Field(
        10, description="times it is played, each with other luck"
    )
    start: Day = Field(date(2026, 1, 5), description="day on which the run starts, at midnight")
    time_zone: TimeZone = Field("UTC", description="of start, shifts and the hours of the week")
    arrivals: Arrivals
    tickets: Tickets = Tickets()
    assistant: Assistant = Assistant(role="off")
    provider: Provider = Provider()
    agents: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], Pool] = Field(
        {}, description="pools by name, as [agents.frontline]; none: no humans"
    )
    targets: Targets = Targets()
    customers: Customers = Customers()

    # The file it came from, for messages only; set by scenario_file.
    _path: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> Scenario:
        if self.warm_up >= self.horizon:
            raise _fail("warm_up must be shorter than horizon")
        if self.assistant.role == "off" and not self.agents:
            raise _fail("nobody works here: give [agents.NAME] or assistant.role")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone of the desk."""
        return ZoneInfo(self.time_zone)

    def as_data(self) -> dict[str, Any]:
        """Plain data that loads to an equal scenario: what was set, defaults left out."""
        return self.model_dump(mode="json", exclude_unset=True)

    def vary(self, changes: Mapping[str, Any], name: str | None = None) -> Scenario:
        """A new scenario with some keys changed.

        Parameters
        ----------
        changes : mapping of str to value
            Dotted key paths, as ``{"arrivals.scale": 2, "agents.frontline.heads": 4}``.
        name : str, optional
            Name of the new scenario; by default the old one followed by the changes.

        Raises
        ------
        ScenarioError
            If a key is unknown or a value not allowed.

        Examples
        --------
        >>> desk = Scenario.model_validate(
        ...     {"arrivals": {"rate": "6/h"}, "assistant": {"role": "full"}}
        ... )
        >>> desk.vary({"arrivals.scale": 2}).arrivals.scale
        2.0
        """
        from twin.scenario_file import vary

        return vary(self, changes, name)
