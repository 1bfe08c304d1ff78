"""What the assistant says, asked ahead: answers of all tickets as columns.

Tickets exist before the clock starts, so their first prompts are known. A columnar backend
answers all of them at once, also where a human's category or a second try makes another prompt; a
backend that pays for each answer is asked ahead for what will surely be needed, and for the rest
one by one. The desk's clock never waits for it: latency is data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.assistant.protocol import OK, Answers, Assistant, Luck, Questions, Step, Written
from twin.demand import Demand
from twin.desk.rules import Rules
from twin.luck import Lazy, Stream, view
from twin.records import STEPS
from twin.scenario import Scenario

if TYPE_CHECKING:
    from twin.assistant.judge import Judge

# Who found the category that an answer is asked for: the model of that number, or a human.
BY_HUMAN = -1
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


_NOTHING = memoryview(b"")


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
    step, model, version : int
        What they answer (index into `records.STEPS`), and the numbers of the model and of its
        prompt version in the run.
    """

    step: int
    model: int
    version: int
    latency_s: memoryview
    prompt_tokens: memoryview
    completion_tokens: memoryview
    outcome: memoryview
    asked: memoryview
    again: Callable[[], Lines]
    need: Callable[[int], None]
    category: memoryview = _NOTHING
    confidence: memoryview = _NOTHING
    quality: memoryview = _NOTHING
    answer: memoryview = _NOTHING


# Columns of Lines with their types in memory, by step.
_BOTH: dict[str, type[np.generic]] = {
    "latency_s": np.float64,
    "prompt_tokens": np.int32,
    "completion_tokens": np.int32,
    "outcome": np.int8,
}
_COLUMNS: dict[Step, dict[str, type[np.generic]]] = {
    "categorize": _BOTH | {"category": np.int16, "confidence": np.float64},
    "respond": _BOTH | {"quality": np.float64, "answer": np.int32},
}


def distinct(names: Iterable[str]) -> list[str]:
    """Each name once, in order of appearance."""
    return list(dict.fromkeys(names))


class Texts:
    """The distinct answers written in a run, by number."""

    def __init__(self) -> None:
        self._number: dict[Written, int] = {}
        self.written: list[Written] = []

    def number(self, text: Written) -> int:
        """The number of a text, a new one if it was not seen before."""
        if text not in self._number:
            self._number[text] = len(self.written)
            self.written.append(text)
        return self._number[text]


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
    texts : Texts
        Takes what is written; models of one run share it.
    scripts : list of Script
        The scripts of the run by the number of their model; this one appends itself. Only the
        first is asked ahead, since few tickets need the second.
    """

    def __init__(
        self,
        assistant: Assistant,
        scenario: Scenario,
        demand: Demand,
        judge: Judge,
        texts: Texts,
        scripts: list[Script],
    ) -> None:
        self.assistant = assistant
        self._rules = Rules.of(scenario, demand.categories)
        self._samples = scenario.assistant.samples
        self._demand = demand
        self._judge = judge
        self._number = len(scripts)
        self._scripts = scripts
        scripts.append(self)
        # Two models may ask with the same prompts, so names are numbered each once.
        self.model = distinct(s.assistant.model for s in scripts).index(assistant.model)
        self.version = distinct(s.assistant.prompt_version for s in scripts).index(
            assistant.prompt_version
        )
        self.lines: Lazy[tuple[Step, int, int], Lines] = Lazy(self._first)
        self._texts = texts

    def ask_ahead(self) -> None:
        """Ask all first prompts: this is what a recording must hold."""
        self.get("categorize")
        if self._rules.responds:
            self.get("respond", self._number)
            self.get("respond", BY_HUMAN)

    def get(self, step: Step, given: int = 0, repeat: int = 0) -> Lines:
        """Answers of all tickets that will surely need them; `Lines.need` asks for the others.

        Parameters
        ----------
        step : {"categorize", "respond"}
        given : int
            For respond: who found the category to answer in, a model's number or BY_HUMAN.
        repeat : int
            How-manieth attempt: other luck where the backend simulates, the same answer where it
            does not.
        """
        if not self.assistant.columnar:
            repeat = 0
        return self.lines[step, given, repeat]

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        self.lines.clear()

    def _first(self, key: tuple[Step, int, int]) -> Lines:
        step, given, repeat = key
        n = len(self._demand)
        columns = {
            name: view(np.full(n, -1, dtype=dtype)) for name, dtype in _COLUMNS[step].items()
        }

        def need(ticket: int) -> None:
            if not lines.asked[ticket]:
                self._ask(lines, step, given, np.array([ticket]), repeat)

        lines = Lines(
            step=STEPS.index(step),
            model=self.model,
            version=self.version,
            **columns,
            asked=view(np.zeros(n, dtype=bool)),
            again=lambda: self.get(step, given, repeat + 1),
            need=need,
        )
        if self.assistant.columnar:
            tickets = np.arange(n)
        elif self._number == 0:
            tickets = np.flatnonzero(self._needs(step, given))
        else:
            tickets = np.empty(0, dtype=np.int64)
        if len(tickets):
            self._ask(lines, step, given, tickets, repeat)
        return lines

    def _needs(self, step: Step, given: int) -> npt.NDArray[np.bool_]:
        """Which tickets' first prompts these are, as far as the rules tell before the run."""
        if step == "categorize":
            return np.ones(len(self._demand), dtype=bool)
        categorized = self.get("categorize")
        known = np.asarray(categorized.outcome) == OK
        unsure = np.asarray(categorized.confidence) < self._rules.threshold
        human = given == BY_HUMAN
        category = self._demand.category if human else np.asarray(categorized.category)
        for_humans = np.isin(category, list(self._rules.for_humans))
        needed: npt.NDArray[np.bool_] = known & (unsure == human) & ~for_humans
        return needed

    def _ask(self, lines: Lines, step: Step, given: int, tickets: Ints, repeat: int) -> None:
        demand = self._demand
        category: Ints | None = None
        if step == "respond":
            category = demand.category[tickets]
            if given != BY_HUMAN:
                known = self._scripts[given].get("categorize")
                category = np.asarray(known.category, dtype=np.int64)[tickets]
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
            **{name: getattr(answers, name, None) for name in _COLUMNS[step]},
        }
        if step == "respond":
            found |= {"quality": quality, "answer": self._numbered(answers)}
        for name, values in found.items():
            if values is not None:
                np.asarray(getattr(lines, name))[tickets] = values
        np.asarray(lines.asked)[tickets] = True

    def _numbered(self, answers: Answers) -> Ints | None:
        """Each answer's number among all that were written in the run."""
        if answers.written is None or not answers.texts:
            return None
        local = np.array([self._texts.number(text) for text in answers.texts])
        return np.where(answers.written >= 0, local[answers.written], -1)
