"""What the assistant says, asked ahead: answers of all tickets as columns.

Tickets exist before the clock starts, so their first prompts are known. A columnar backend
answers all of them at once, also where a human's category or a second try makes another prompt; a
backend that pays for each answer is asked ahead for what will surely be needed, and for the rest
one by one. The desk's clock never waits for it: latency is data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from twin.assistant.protocol import OK, Answers, Assistant, Luck, Questions, Step, Written
from twin.demand import Demand
from twin.desk.rules import Rules
from twin.luck import Stream, view
from twin.scenario import Scenario

if TYPE_CHECKING:
    from twin.assistant.judge import Judge

Given = Literal["own", "true"]
Ints = npt.NDArray[np.int64]

_STREAMS = {
    "categorize": (
        Stream.CATEGORIZE_ANSWER,
        Stream.CATEGORIZE_CONFIDENCE,
        Stream.CATEGORIZE_CONFIDENCE,
        Stream.CATEGORIZE_LATENCY,
        Stream.CATEGORIZE_TOKENS_IN,
        Stream.CATEGORIZE_TOKENS_OUT,
        Stream.CATEGORIZE_ERROR,
    ),
    "respond": (
        Stream.RESPOND_ANSWER,
        Stream.RESPOND_QUALITY,
        Stream.RESPOND_QUALITY,
        Stream.RESPOND_LATENCY,
        Stream.RESPOND_TOKENS_IN,
        Stream.RESPOND_TOKENS_OUT,
        Stream.RESPOND_ERROR,
    ),
}


@dataclass
class Lines:
    """Answers to one step for all tickets; each column is indexed by ticket.

    Attributes
    ----------
    category, confidence : memoryview
        For categorize.
    quality : memoryview
        For respond: 0 to 1.
    latency_s, prompt_tokens, completion_tokens, outcome : memoryview
        See `twin.assistant.protocol.Answers`.
    answer : memoryview
        For respond: number of the text written; -1 where there is none.
    asked : memoryview of bool
        Which tickets have their answer; for a columnar backend all.
    """

    latency_s: memoryview
    prompt_tokens: memoryview
    completion_tokens: memoryview
    outcome: memoryview
    category: memoryview
    confidence: memoryview
    quality: memoryview
    answer: memoryview
    asked: memoryview
    again: Callable[[], Lines]


# Columns of Lines with their types in memory.
_COLUMNS: dict[str, type[np.generic]] = {
    "latency_s": np.float64,
    "prompt_tokens": np.int32,
    "completion_tokens": np.int32,
    "outcome": np.int8,
    "category": np.int16,
    "confidence": np.float64,
    "quality": np.float64,
    "answer": np.int32,
}


class Script:
    """All that one assistant says in a run.

    Parameters
    ----------
    assistant : Assistant
    scenario : Scenario
        Its rules tell which tickets will need which prompt.
    demand : Demand
    judge : Judge
        Gives the quality of answers that backends only wrote.
    ahead : bool
        Whether to ask ahead at all; False for a second model, which few tickets need.
    """

    def __init__(
        self,
        assistant: Assistant,
        scenario: Scenario,
        demand: Demand,
        judge: Judge,
        ahead: bool = True,
    ) -> None:
        self.assistant = assistant
        self._rules = Rules.of(scenario, demand.categories)
        self._samples = scenario.assistant.samples
        self._demand = demand
        self._judge = judge
        self._ahead = ahead
        self._done: dict[tuple[Step, Given, int], Lines] = {}
        self._number: dict[Written, int] = {}
        self.written: list[Written] = []

    def ask_ahead(self) -> None:
        """Ask all first prompts: this is what a recording must hold."""
        self.lines("categorize")
        if self._rules.responds:
            self.lines("respond", "own")
            self.lines("respond", "true")

    def lines(self, step: Step, given: Given = "own", repeat: int = 0) -> Lines:
        """Answers of all tickets that will need them; see `need` for the others.

        Parameters
        ----------
        step : {"categorize", "respond"}
        given : {"own", "true"}
            For respond: the category to answer in, the assistant's own or the true one, which a
            human found.
        repeat : int
            How-manieth attempt: other luck where the backend simulates, the same answer where it
            does not.
        """
        if not self.assistant.columnar:
            repeat = 0
        key = (step, given, repeat)
        if key not in self._done:
            self._done[key] = self._first(step, given, repeat)
        return self._done[key]

    def need(self, lines: Lines, step: Step, given: Given, ticket: int) -> None:
        """Make sure that `lines` hold the answer of one ticket."""
        if not lines.asked[ticket]:
            self._ask(lines, step, given, np.array([ticket]), 0)

    def _first(self, step: Step, given: Given, repeat: int) -> Lines:
        n = len(self._demand)
        columns = {name: view(np.full(n, -1, dtype=dtype)) for name, dtype in _COLUMNS.items()}
        lines = Lines(
            **columns,
            asked=view(np.zeros(n, dtype=bool)),
            again=lambda: self.lines(step, given, repeat + 1),
        )
        if self.assistant.columnar:
            tickets = np.arange(n)
        elif self._ahead:
            tickets = np.flatnonzero(self._needs(step, given))
        else:
            tickets = np.empty(0, dtype=np.int64)
        if len(tickets):
            self._ask(lines, step, given, tickets, repeat)
        return lines

    def _needs(self, step: Step, given: Given) -> npt.NDArray[np.bool_]:
        """Which tickets' first prompts these are, as far as the rules tell before the run."""
        if step == "categorize":
            return np.ones(len(self._demand), dtype=bool)
        categorized = self.lines("categorize")
        known = np.asarray(categorized.outcome) == OK
        unsure = np.asarray(categorized.confidence) < self._rules.threshold
        category = np.asarray(categorized.category) if given == "own" else self._demand.category
        for_humans = np.isin(category, list(self._rules.for_humans))
        needed: npt.NDArray[np.bool_] = known & (unsure == (given == "true")) & ~for_humans
        return needed

    def _ask(self, lines: Lines, step: Step, given: Given, tickets: Ints, repeat: int) -> None:
        demand = self._demand
        category: Ints | None = None
        if step == "respond":
            own = given == "own"
            known = self.lines("categorize").category if own else demand.category
            category = np.asarray(known, dtype=np.int64)[tickets]
        luck = Luck(*(demand.uniform(stream, repeat)[tickets] for stream in _STREAMS[step]))
        sample = (demand.uniform(Stream.SAMPLE)[tickets] * self._samples).astype(np.int64)
        questions = Questions(
            step=step,
            categories=demand.categories,
            texts=demand.texts,
            text=demand.text[tickets],
            category=category,
            truth=demand.category[tickets],
            ticket=tickets,
            luck=luck,
            sample=sample,
        )
        answers = self.assistant.answer(questions)
        quality = answers.quality
        if quality is None and step == "respond":
            quality = self._judge.quality(questions, answers, demand.articles)
        found = {
            **{name: getattr(answers, name, None) for name in _COLUMNS},
            "quality": quality,
            "answer": self._numbered(answers),
        }
        for name, values in found.items():
            if values is not None:
                np.asarray(getattr(lines, name))[tickets] = values
        np.asarray(lines.asked)[tickets] = True

    def _numbered(self, answers: Answers) -> Ints | None:
        """Each answer's number among all that were written in the run."""
        if answers.written is None or not answers.texts:
            return None
        for text in answers.texts:
            if text not in self._number:
                self._number[text] = len(self.written)
                self.written.append(text)
        local = np.array([self._number[text] for text in answers.texts])
        return np.where(answers.written >= 0, local[answers.written], -1)
