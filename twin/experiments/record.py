"""Ask ahead: fetch every answer that a scenario needs into its recording.

First an estimate from the very questions that the desk will ask, then the calls. What is recorded
is never asked again, so that going on after an interruption is running the same again.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.assistant import catalogue, prompts
from twin.assistant.asking import Ask, Asking
from twin.assistant.catalogue import cost_usd
from twin.assistant.errors import NothingWorks, UnknownPrice
from twin.assistant.judging.judge import Judge
from twin.assistant.live.fetching import CONCURRENCY, Tally
from twin.assistant.live.groq import GroqAssistant
from twin.assistant.protocol import OK, Answers, Assistant, Questions
from twin.assistant.recorded.recording import Recording, open_recording
from twin.common.errors import Fault, ScenarioError
from twin.demand.tickets import Demand, draw
from twin.desk.answers import ModelAnswers
from twin.desk.names import Names
from twin.desk.simulation import simulate
from twin.experiments.versions import as_played
from twin.scenario.model import Scenario

# Failures in a row after which nothing is expected to work.
ENOUGH_FAILURES = 30
# Tokens of a usual answer, as `twin.scenario.Profile` has them.
_USUAL = {"categorize": 15, "respond": 120}


@dataclass(frozen=True)
class Plan:
    """Answers to be recorded, and an estimate of calls, time and cost.

    Attributes
    ----------
    scenario : Scenario
        With backend `groq` and the recording.
    demands : tuple of Demand
        The tickets, by replication.
    whole : bool
        Whether these are all tickets of the replications.
    prompts, recorded : int
        Distinct prompts, and those of them that the recording holds.
    prompt_tokens, completion_tokens : int
        Of the calls to make; answers of usual length.
    cost_usd, most_usd : float
        With answers of usual length, and of the longest; NaN where the price is unknown.
    seconds : float
        Under the limits of the plan.
    """

    scenario: Scenario
    demands: tuple[Demand, ...]
    whole: bool
    prompts: int
    recorded: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    most_usd: float
    seconds: float

    @property
    def tickets(self) -> int:
        """Tickets in all."""
        return sum(map(len, self.demands))

    @property
    def calls(self) -> int:
        """Calls to make."""
        return self.prompts - self.recorded


class _Planner:
    """An assistant that is always right; it writes nothing and notes its questions."""

    columnar = False
    prompt_version = prompts.PROMPT_VERSION

    def __init__(self, asking: Asking, recording: Recording) -> None:
        self.model = asking.model.name
        self.asks: dict[str, Ask] = {}
        self._asking = asking
        self._recording = recording

    def answer(self, questions: Questions) -> Answers:
        asks, row = self._asking.asks(questions)
        self.asks |= {ask.key: ask for ask in asks}
        n = len(questions)
        zeros = np.zeros(n)
        columns = (zeros, zeros.astype(np.int64), zeros.astype(np.int64), np.full(n, OK))
        if questions.step == "respond":
            return Answers(*columns, quality=zeros)
        category, confidence = questions.truth.copy(), np.ones(n)
        for k, ask in enumerate(asks):
            reply = self._recording.get(ask.key)
            if reply is not None:
                here = row == k
                category[here], confidence[here] = self._asking.parse_category(reply.answer)
        return Answers(*columns, category=category, confidence=confidence)


def plan(
    scenario: Scenario,
    recording: str | Path | None = None,
    replications: int | None = None,
    limit: int | None = None,
    concurrency: int | None = None,
) -> Plan:
    """See what a recording of a scenario takes. Nothing is sent.

    Parameters
    ----------
    scenario : Scenario
        Its backend does not matter.
    recording : path, optional
        Instead of `assistant.recording`.
    replications : int, optional
        Instead of the scenario's own.
    limit : int, optional
        Only the first so many tickets of all.
    concurrency : int, optional
        Calls under way at once.

    Raises
    ------
    ScenarioError
        If the scenario has no assistant, or names no recording.
    RecordingError
        If the recording cannot be read.
    """
    path = recording or scenario.assistant.recording
    if scenario.assistant.role == "off":
        raise ScenarioError(
            scenario.name, [Fault("assistant.role", "there is no assistant", "off")]
        )
    if path is None:
        hint = "or name a file with --recording"
        fault = Fault("assistant.recording", "must be given", hint=hint)
        raise ScenarioError(scenario.name, [fault])
    changes = {"assistant.backend": "groq", "assistant.recording": str(path)}
    scenario = scenario.vary(changes, name=scenario.name)
    demands, whole = _demands(scenario, replications or scenario.replications, limit)
    model = catalogue.model(scenario.assistant.model, scenario.models)
    there = open_recording(path)
    asks: dict[str, Ask] = {}
    for demand in demands:
        desk = as_played(scenario, demand.replication)
        planner = _Planner(Asking(desk, demand.categories, model), there)
        _answers(planner, desk, demand).ask_ahead()
        asks |= planner.asks
    missing = [ask for ask in asks.values() if ask.key not in there]
    return Plan(
        scenario=scenario,
        demands=tuple(demands),
        whole=whole,
        prompts=len(asks),
        recorded=len(asks) - len(missing),
        **_estimate(scenario, model, missing, concurrency),
    )


def _demands(scenario: Scenario, replications: int, limit: int | None) -> tuple[list[Demand], bool]:
    left = math.inf if limit is None else limit
    demands = []
    for k in range(replications):
        demand = draw(as_played(scenario, k), k)
        if len(demand) > left:
            demands.append(_first(demand, int(left)))
            return demands, False
        demands.append(demand)
        left -= len(demand)
        if left <= 0 and k + 1 < replications:
            return demands, False
    return demands, True


def _first(demand: Demand, n: int) -> Demand:
    """The first tickets, with the luck that they have among all."""
    columns = ("arrived_s", "category", "priority", "text")
    return dataclasses.replace(demand, **{name: getattr(demand, name)[:n] for name in columns})


def _answers(assistant: Assistant, scenario: Scenario, demand: Demand) -> ModelAnswers:
    # The quality of answers does not matter here, and a judge without articles costs no time.
    return ModelAnswers(assistant, scenario, demand, Judge(None), Names(), [])


def _estimate(
    scenario: Scenario, model: catalogue.Model, asks: Sequence[Ask], concurrency: int | None
) -> dict[str, Any]:
    tokens_in = sum(ask.prompt_tokens for ask in asks)
    room = sum(ask.room for ask in asks)
    usual = sum(min(_USUAL[ask.step] + model.reasoning_tokens // 2, ask.room) for ask in asks)
    waits = [0.0]
    for name, limit in catalogue.limits_of(model, scenario.provider).items():
        used = tokens_in + usual if name.startswith("t") else len(asks)
        # The first period's worth can be used at once.
        waits.append((math.ceil(used / limit) - 1) * catalogue.LIMITS[name])
    latency = catalogue.latency_s(model, tokens_in, usual, 0.5) if asks else 0.0
    # `latency_s` of all tokens at once holds one time in the queue.
    alone = float(latency) + model.queue_s * max(len(asks) - 1, 0)
    abreast = concurrency or scenario.provider.concurrency or CONCURRENCY
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": usual,
        "cost_usd": cost_usd(model, tokens_in, usual),
        "most_usd": cost_usd(model, tokens_in * 1.5, room),
        "seconds": max(*waits, 0.0) + alone / abreast,
    }


@dataclass(frozen=True)
class Recorded:
    """Outcome of a recording session.

    Attributes
    ----------
    tally : Tally
    path : Path
    replies : int
        Replies that the recording holds now.
    limits : dict of str to int
        The provider's limits, as its headers told in the end.
    note : str
        What the reader should know of the recording.
    """

    tally: Tally
    path: Path
    replies: int
    limits: dict[str, int]
    note: str


class Session:
    """Carries a plan out.

    Parameters
    ----------
    plan : Plan
    max_cost_usd : float, optional
        Stop before more could be spent.
    concurrency : int, optional
    watch : callable, optional
        Called with the tally whenever a call has ended, on another thread.
    stream : bool
        Ask for answers as streams, so that the recording has the time to the first token.

    Raises
    ------
    AssistantError
        If there is no key, the model is retired, or its price is unknown though a cost is given.
    """

    def __init__(
        self,
        plan: Plan,
        max_cost_usd: float | None = None,
        concurrency: int | None = None,
        watch: Callable[[Tally], None] | None = None,
        stream: bool = False,
    ) -> None:
        self._plan = plan
        self._watch = watch
        self._answered = self._failed = 0
        model = catalogue.model(plan.scenario.assistant.model, plan.scenario.models)
        if max_cost_usd is not None and math.isnan(cost_usd(model, 1, 1)):
            raise UnknownPrice(model.name)
        self._assistant = GroqAssistant(
            plan.scenario,
            plan.demands[0].categories,
            model,
            concurrency=concurrency,
            max_cost_usd=max_cost_usd,
            watch=self._see,
            stream=stream,
        )

    def _see(self, tally: Tally) -> None:
        failed = sum(tally.failed.values())
        if tally.answered > self._answered:
            self._answered, self._failed = tally.answered, failed
        elif failed - self._failed >= ENOUGH_FAILURES:
            raise NothingWorks(ENOUGH_FAILURES, list(tally.words.values())[-1])
        if self._watch is not None:
            self._watch(tally)

    def run(self) -> None:
        """Ask for all that is missing.

        Raises
        ------
        AssistantError
            If going on makes no sense. What came before is recorded.
        """
        scenario = self._plan.scenario
        played = [
            (as_played(scenario, demand.replication), demand) for demand in self._plan.demands
        ]
        for desk, demand in played:
            _answers(self._assistant, desk, demand).ask_ahead()
        # A run may also ask the fallback model; its answers are recorded separately.
        alone = scenario.assistant.fallback_model is None
        if self._plan.whole and alone and not self._assistant.tally.failed:
            # Some prompts only the run itself brings about, as when an agent finds the category.
            with warnings.catch_warnings():
                # The price of a model was said before.
                warnings.simplefilter("ignore", catalogue.PriceWarning)
                for desk, demand in played:
                    simulate(desk, demand, self._assistant)

    def close(self) -> Recorded:
        """End it, and say what was done."""
        recording = self._assistant.recording
        self._assistant.close()
        assert recording.path is not None
        limits = self._assistant.limits
        return Recorded(
            self._assistant.tally, recording.path, len(recording), limits, recording.note
        )
