"""What the assistant says, asked ahead: answers of all tickets as columns.

Tickets exist before the clock starts, so their first prompts are known. A columnar backend
answers all of them at once, also where a human's category or a second try makes another prompt; a
backend that pays for each answer is asked ahead for what will surely be needed, and for the rest
one by one. The desk's clock never waits for it: latency is data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from twin.assistant.protocol import Answers, Assistant, Luck, Questions, Written
from twin.demand import Demand
from twin.luck import Stream

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
    """

    script: Script
    step: Literal["categorize", "respond"]
    given: Given
    repeat: int
    latency_s: memoryview
    prompt_tokens: memoryview
    completion_tokens: memoryview
    outcome: memoryview
    category: memoryview
    confidence: memoryview
    quality: memoryview
    answer: memoryview
    _next: Lines | None = field(default=None)

    def again(self) -> Lines:
        """The answers of another attempt: the same words, fresh luck."""
        if self._next is None:
            self._next = self.script.lines(self.step, self.given, self.repeat + 1)
        return self._next


class Script:
    """All that one assistant says in a run.

    Parameters
    ----------
    assistant : Assistant
    demand : Demand
    judge : Judge
        Gives the quality of answers that backends only wrote.
    """

    def __init__(self, assistant: Assistant, demand: Demand, judge: Judge) -> None:
        self.assistant = assistant
        self._demand = demand
        self._judge = judge
        self._done: dict[tuple[str, Given, int], Lines] = {}
        self._number: dict[Written, int] = {}
        self.written: list[Written] = []

    def lines(
        self, step: Literal["categorize", "respond"], given: Given = "own", repeat: int = 0
    ) -> Lines:
        """Answers of all tickets.

        Parameters
        ----------
        step : {"categorize", "respond"}
        given : {"own", "true"}
            For respond: the category to answer in, the assistant's own or the true one, which a
            human found.
        repeat : int
            How-manieth attempt: other luck.
        """
        key = (step, given, repeat)
        if key not in self._done:
            self._done[key] = self._ask(step, given, repeat)
        return self._done[key]

    def _ask(self, step: Literal["categorize", "respond"], given: Given, repeat: int) -> Lines:
        demand = self._demand
        category: Ints | None = None
        if step == "respond":
            own = given == "own"
            category = (
                np.asarray(self.lines("categorize").category, dtype=np.int64)
                if own
                else demand.category
            )
        luck = Luck(*(demand.uniform(stream, repeat) for stream in _STREAMS[step]))
        questions = Questions(
            step=step,
            categories=demand.categories,
            texts=demand.texts,
            text=demand.text,
            category=category,
            truth=demand.category,
            ticket=np.arange(len(demand)),
            luck=luck,
        )
        answers = self.assistant.answer(questions)
        return self._lines(questions, answers, given, repeat)

    def _lines(self, questions: Questions, answers: Answers, given: Given, repeat: int) -> Lines:
        nothing = np.full(len(questions), -1, dtype=np.int16)
        quality = answers.quality
        if quality is None and questions.step == "respond":
            quality = self._judge.quality(questions, answers, self._demand.articles)
        return Lines(
            script=self,
            step=questions.step,
            given=given,
            repeat=repeat,
            latency_s=_view(answers.latency_s, np.float64),
            prompt_tokens=_view(answers.prompt_tokens, np.int32),
            completion_tokens=_view(answers.completion_tokens, np.int32),
            outcome=_view(answers.outcome, np.int8),
            category=_view(nothing if answers.category is None else answers.category, np.int16),
            confidence=_view(nothing if answers.confidence is None else answers.confidence, np.float64),
            quality=_view(nothing if quality is None else quality, np.float64),
            answer=_view(self._numbered(answers), np.int32),
        )

    def _numbered(self, answers: Answers) -> Ints:
        """Each answer's number among all that were written in the run."""
        if answers.written is None:
            return np.full(len(answers.latency_s), -1)
        for text in answers.texts:
            if text not in self._number:
                self._number[text] = len(self.written)
                self.written.append(text)
        local = np.array([self._number[text] for text in answers.texts] or [-1])
        return np.where(answers.written >= 0, local[answers.written], -1)


def _view(values: npt.NDArray[np.generic], dtype: type) -> memoryview:
    # A memoryview gives Python numbers, which compute faster than numpy's scalars.
    return memoryview(np.ascontiguousarray(values, dtype=dtype))
