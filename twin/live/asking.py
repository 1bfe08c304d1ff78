"""Asking the assistant live: with a limit on calls at once and a time limit for each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from twin.assistant import catalogue
from twin.assistant.backends import build as build_backend
from twin.assistant.errors import AssistantError, ModelRetired, UnknownModel
from twin.assistant.protocol import (
    OK,
    OUTAGE,
    OUTCOMES,
    RATE_LIMITED,
    SERVER_ERROR,
    TIMEOUT,
    Answers,
    Assistant,
    Guidance,
    Luck,
    Questions,
    Step,
    Written,
)
from twin.common.errors import ScenarioError, TwinError
from twin.demand.corpus import Corpus
from twin.live.watch import Watch
from twin.scenario.model import Scenario

_log = logging.getLogger(__name__)

# Where the scenario does not say: calls under way at once.
PLACES = 16
# An assistant keeps what it was asked; a new one forgets it.
_FORGET_AFTER = 2_000
# HTTP status of a ticket whose call failed, by outcome; others are a bad gateway.
_STATUS = {RATE_LIMITED: 503, OUTAGE: 503, TIMEOUT: 504}

Build = Callable[[Scenario, tuple[str, ...], Corpus | None, str], Assistant]


class Failed(TwinError, RuntimeError):
    """A call that failed.

    Attributes
    ----------
    status : int
        HTTP status that fits.
    ticket : dict or None
        The ticket of the call, as it is afterwards.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.ticket: dict[str, Any] | None = None
        super().__init__(reason)


class UnusableModel(TwinError, ValueError):
    """A model that does not exist or cannot be called."""


@dataclass(frozen=True)
class Said:
    """Answer of a call that did not fail."""

    category: int
    confidence: float
    written: Written | None


class Asker:
    """The assistants of a desk, by model and with or without retrieval.

    Parameters
    ----------
    scenario : Scenario
    categories : tuple of str
    corpus : Corpus or None
    build : callable, optional
        Makes an assistant; `twin.assistant.backends.build` by default.
    """

    def __init__(
        self,
        scenario: Scenario,
        categories: tuple[str, ...],
        corpus: Corpus | None,
        build: Build = build_backend,
    ) -> None:
        self.backend = scenario.assistant.backend
        self.places = scenario.provider.concurrency or PLACES
        self._scenario = scenario.vary({"assistant.recording": None}, name=scenario.name)
        self._categories = categories
        self._corpus = corpus
        self._build = build
        self._free = threading.Semaphore(self.places)
        self._building = threading.Lock()
        self._assistants: dict[tuple[str, bool], tuple[Assistant, int]] = {}
        self._luck = np.random.default_rng()

    def models(self) -> list[catalogue.Model]:
        """Models that can be asked for: all that are known, but for retired ones where real."""
        today = datetime.now(UTC).date()
        found = catalogue.models(self._scenario.models).values()
        return [m for m in found if self.backend != "groq" or not m.is_retired(today)]

    def check(self, model: str) -> None:
        """See that a model can be asked for.

        Raises
        ------
        UnusableModel
        """
        if any(entry.name == model for entry in self.models()):
            return
        try:
            entry = catalogue.model(model, self._scenario.models)
        except ScenarioError as error:
            raise UnusableModel(f"unknown model; {error.faults[0].hint}") from None
        advice = f"; use {entry.successor}" if entry.successor else ""
        raise UnusableModel(f"the model is retired{advice}")

    def warm_up(self) -> None:
        """Make the desk's own assistants, so that the first customer does not wait for them.

        Raises
        ------
        AssistantError, ScenarioError
            If they cannot be made.
        """
        for use_rag in (True, False):
            self._assistant(self._scenario.assistant.model, use_rag)

    def _assistant(self, model: str, use_rag: bool) -> Assistant:
        with self._building:
            found, asked = self._assistants.get((model, use_rag), (None, 0))
            if found is None or (self.backend == "groq" and asked >= _FORGET_AFTER):
                desk = self._scenario.vary({"assistant.retrieval": use_rag}, name="live")
                found, asked = self._build(desk, self._categories, self._corpus, model), 0
            self._assistants[model, use_rag] = (found, asked + 1)
            return found

    def ask(
        self,
        step: Step,
        ticket: dict[str, Any],
        category: int | None,
        calls: list[dict[str, Any]],
        deadline: float,
        model: str | None = None,
        guidance: Guidance | None = None,
    ) -> Said:
        """Ask about a ticket.

        Parameters
        ----------
        step : {"categorize", "respond"}
        ticket : dict
            A row of the store.
        category : int or None
            For respond: index of the category to answer in.
        calls : list of dict
            Gets one row more, whatever happens.
        deadline : float
            When to give up (on the clock of `time.monotonic`), waits for a place included.
        model : str, optional
            Instead of the ticket's.
        guidance : Guidance, optional
            For respond: answers to follow and to avoid.

        Raises
        ------
        Failed
        """
        model = model or ticket["model"]
        watch = Watch()
        row: dict[str, Any] = {
            "step": step,
            "backend": self.backend,
            "model": model,
            "prompt_version": "",
            "asked_at": watch.now(),
            "started_at": None,
            "latency_s": None,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "max_tokens": getattr(self._scenario.assistant.max_tokens, step)
            + catalogue.model(model, self._scenario.models).reasoning_tokens,
            "articles": 0,
            "outcome": OUTCOMES[TIMEOUT],
            "category": None,
            "confidence": None,
        }
        calls.append(row)
        try:
            questions = self._questions(step, ticket, category, guidance)
            return self._within(questions, ticket, model, deadline, row, watch)
        finally:
            row["ended_at"] = watch.now()
            if row["outcome"] == OUTCOMES[OK] and self.backend != "groq":
                # `embedded` simulates a catalogue model's latency; here the machine's own counts.
                row["latency_s"] = row["ended_at"] - row["started_at"]

    def _within(
        self,
        questions: Questions,
        ticket: dict[str, Any],
        model: str,
        deadline: float,
        row: dict[str, Any],
        watch: Watch,
    ) -> Said:
        if not self._free.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise Failed(504, "all places at the assistant stayed taken")
        row["started_at"] = watch.now()
        box: list[Answers | BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                assistant = self._assistant(model, ticket["use_rag"])
                row["prompt_version"] = assistant.prompt_version
                box.append(assistant.answer(questions))
            except BaseException as error:
                box.append(error)
            finally:
                # Not before: a call keeps its place also when nobody waits for it any more.
                self._free.release()
                done.set()

        # A daemon thread each, so that a call that hangs blocks neither others nor the exit.
        threading.Thread(target=work, name="twin-live-call", daemon=True).start()
        if not done.wait(max(deadline - time.monotonic(), 0.0)):
            raise Failed(504, "the assistant did not answer in time")
        (end,) = box
        if isinstance(end, BaseException):
            raise self._failure(end, row) from None
        return self._said(end, row)

    def _said(self, answers: Answers, row: dict[str, Any]) -> Said:
        outcome = int(answers.outcome[0])
        row["outcome"] = OUTCOMES[outcome]
        if outcome != OK:
            raise Failed(_STATUS.get(outcome, 502), f"the model call failed: {OUTCOMES[outcome]}")
        row["latency_s"] = float(answers.latency_s[0])
        row["prompt_tokens"] = int(answers.prompt_tokens[0])
        row["completion_tokens"] = int(answers.completion_tokens[0])
        if answers.category is not None and answers.confidence is not None:
            said = Said(int(answers.category[0]), float(answers.confidence[0]), None)
            row |= {"category": self._categories[said.category], "confidence": said.confidence}
            return said
        assert answers.written is not None
        written = answers.texts[int(answers.written[0])]
        row["articles"] = len(written.articles)
        return Said(-1, 1.0, written)

    def _failure(self, error: BaseException, row: dict[str, Any]) -> Failed:
        row["outcome"] = OUTCOMES[SERVER_ERROR]
        if isinstance(error, AssistantError):
            if error.outcome is not None:
                row["outcome"] = OUTCOMES[error.outcome]
            # Its words hold neither keys nor texts, by its contract.
            _log.error("the assistant cannot be asked: %s", error)
            gone = isinstance(error, ModelRetired | UnknownModel)
            reason = "the provider no longer runs this model" if gone else "the provider refuses"
            return Failed(502, reason)
        _log.error("the assistant failed: %s", type(error).__name__)
        return Failed(502, "the assistant failed")

    def _questions(
        self,
        step: Step,
        ticket: dict[str, Any],
        category: int | None,
        guidance: Guidance | None,
    ) -> Questions:
        first = np.zeros(1, dtype=np.int64)
        # Only the profile and the stated latency of `embedded` look at luck; neither counts here.
        luck = Luck.drawn(1, self._luck)
        return Questions(
            step=step,
            categories=self._categories,
            texts=(ticket["description"],),
            text=first,
            category=None if category is None else np.array([category], dtype=np.int64),
            truth=first,
            ticket=np.array([ticket["id"]], dtype=np.int64),
            luck=luck,
            # A question of its own, even where another customer wrote the same.
            sample=np.array([ticket["id"]], dtype=np.int64),
            guidance=None if guidance is None else (guidance,),
        )
