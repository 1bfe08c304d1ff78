"""Answers of the assistant, asked ahead: those of all tickets as columns.

Tickets exist before the clock starts, so their first prompts are known. A columnar backend
answers all of them at once, also where a human's category or a second try makes another prompt; a
backend that pays for each answer is asked ahead for what will surely be needed, and for the rest
one by one. The desk's clock never waits for it: latency is data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.assistant.learning.learning import Version
from twin.assistant.protocol import OK, Answers, Assistant, Guidance, Luck, Questions, Step, Written
from twin.common.distinct import distinct
from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.names import Key, Names, Numbered
from twin.desk.rules import Rules
from twin.records.tables import ESCALATED, IN_PROGRESS, STEPS
from twin.scenario.model import Scenario

if TYPE_CHECKING:
    from twin.assistant.judging.judge import Rater

# Who found the category that an answer is asked for: the model of that number, or a human.
BY_HUMAN = -1
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# Answers to all tickets of a demand, and their quality, by the number of the model and their key.
Said = dict[tuple[int, Step, int, int, int, int], tuple[Answers, Floats | None]]

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
_DIFFICULTY: dict[Step, Stream] = {
    "categorize": Stream.CATEGORY_DIFFICULTY,
    "respond": Stream.ANSWER_DIFFICULTY,
}


_NOTHING = memoryview(b"")


@dataclass
class AnswerColumns:
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
    reply : memoryview
        Number of the recorded reply; -1 where there is none. Empty where answers are not recorded.
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
    again: Callable[[], AnswerColumns]
    need: Callable[[int], None]
    category: memoryview = _NOTHING
    confidence: memoryview = _NOTHING
    quality: memoryview = _NOTHING
    answer: memoryview = _NOTHING
    reply: memoryview = _NOTHING


# Columns of AnswerColumns with their types in memory, by step.
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


class ModelAnswers:
    """All that one model answers in a run.

    Parameters
    ----------
    assistant : Assistant
    scenario : Scenario
        Its rules tell which tickets will need which prompt.
    demand : Demand
    judge : Rater
        Gives the quality of answers that backends only wrote.
    names : Names
        Of the run; its models share them.
    models : list of ModelAnswers
        Those of the run by the number of their model; this one appends itself. Only the first is
        asked ahead, since few tickets need the second.
    said : dict, optional
        What was answered to all tickets of this demand in runs before; what is asked is added.
    """

    def __init__(
        self,
        assistant: Assistant,
        scenario: Scenario,
        demand: Demand,
        judge: Rater,
        names: Names,
        models: list[ModelAnswers],
        said: Said | None = None,
    ) -> None:
        self.assistant = assistant
        # What is told of a block is not told of all.
        self._said = None if demand.comes_in_blocks else said
        self._rules = Rules.of(scenario, demand.categories)
        self._samples = scenario.assistant.samples
        self._demand = demand
        self.judge = judge
        self._number = len(models)
        self._models = models
        models.append(self)
        self.columns: Lazy[Key, AnswerColumns] = Lazy(self._first)
        self._names = names
        self._examples = scenario.assistant.learning.examples
        of = scenario.assistant
        self._kept = of.backend == "profile" and of.profile.difficulty is not None
        # By number; the feedback loop puts its own list here, which grows.
        learning = scenario.assistant.learning
        first = assistant.prompt_version
        if "versions" in learning.model_fields_set:
            first = learning.versions[0] + "".join(first.partition("+")[1:])
        self.versions = [Version(first, first)]
        self.model = names.models.number(assistant.model)

    def ask_ahead(self) -> None:
        """Ask all first prompts: this is what a recording must hold."""
        self.get("categorize")
        if self._rules.responds:
            self.get("respond", self._number)
            self.get("respond", BY_HUMAN)

    @property
    def texts(self) -> Numbered[Written]:
        """All that was written in the run."""
        return self._names.texts

    def version_number(self, version: int) -> int:
        """The run's number of one of this model's versions."""
        return self._names.versions.number(self.versions[version].name)

    def get(
        self, step: Step, given: int = 0, visit: int = 0, attempt: int = 0, version: int = 0
    ) -> AnswerColumns:
        """Answers of all tickets that will surely need them; `need` asks for the others.

        Parameters
        ----------
        step : {"categorize", "respond"}
        given : int
            For respond: who found the category to answer in, a model's number or BY_HUMAN.
        visit, attempt : int
            As in `twin.demand.luck.Use`: other luck where the backend simulates, the same answer
            where it does not.
        version : int
            Of the prompts, as in `versions`.
        """
        if not self.assistant.columnar:
            visit = attempt = 0
        return self.columns[step, given, visit, attempt, version]

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        self.columns.clear()

    def _first(self, key: Key) -> AnswerColumns:
        step, given, visit, attempt, version = key
        demand = self._demand
        kinds = self._kinds(step)
        empty = {name: view(demand.room(dtype)) for name, dtype in kinds.items()}

        def need(ticket: int) -> None:
            if not columns.asked[ticket]:
                self._ask(columns, key, np.array([ticket]))

        columns = AnswerColumns(
            step=STEPS.index(step),
            model=self.model,
            version=self.version_number(version),
            **empty,
            asked=view(demand.room(np.bool_)),
            again=lambda: self.get(step, given, visit, attempt + 1, version),
            need=need,
        )

        def ask() -> None:
            for name in kinds:
                np.asarray(getattr(columns, name))[demand.numbers] = -1
            np.asarray(columns.asked)[demand.numbers] = False
            if self.assistant.columnar:
                tickets = np.arange(len(demand))
            elif self._number == 0 and len(self.versions) == 1:
                tickets = np.flatnonzero(self._needs(step, given))
            else:
                return
            if len(tickets):
                self._ask(columns, key, tickets)

        demand.as_they_come(ask)
        return columns

    def _kinds(self, step: Step) -> dict[str, type[np.generic]]:
        """Columns of answers with their types; recorded ones have their reply's number, too."""
        return _COLUMNS[step] | ({} if self.assistant.columnar else {"reply": np.int32})

    def _needs(self, step: Step, given: int) -> npt.NDArray[np.bool_]:
        """Tickets whose first prompts these are, as far as the rules tell before the run."""
        if step == "categorize":
            return np.ones(len(self._demand), dtype=bool)
        categorized = self.get("categorize")
        known = np.asarray(categorized.outcome) == OK
        named = map(self._rules.categorized, categorized.confidence)
        unsure = np.fromiter((status == ESCALATED for status in named), np.bool_)
        human = given == BY_HUMAN
        category = self._demand.category if human else np.asarray(categorized.category)
        codes = range(len(self._demand.categories))
        asked = np.array([self._rules.routed(code) == IN_PROGRESS for code in codes])
        # What an agent answers for good, it is not asked to answer.
        for_good = np.fromiter(map(self._rules.handled, categorized.confidence), np.bool_)
        needed: npt.NDArray[np.bool_] = known & (unsure == human) & ~for_good & asked[category]
        return needed

    def _ask(self, columns: AnswerColumns, key: Key, tickets: Ints) -> None:
        asked = self._number, *key
        known = None if self._said is None else self._said.get(asked)
        answers, quality = known or self._answered(key, tickets)
        if self._said is not None and known is None:
            self._said[asked] = answers, quality
        found = {name: getattr(answers, name, None) for name in self._kinds(key[0])}
        if key[0] == "respond":
            found |= {"quality": quality, "answer": self._numbered(answers)}
        if answers.reply is not None:
            known_as = np.array(self._names.replies.numbers(answers.replies))
            found["reply"] = np.where(answers.reply >= 0, known_as[answers.reply], -1)
        numbers = self._demand.numbers
        # All of them, as a rule: then without looking each one up.
        rows = slice(None) if len(tickets) == len(self._demand) else tickets
        for name, values in found.items():
            if values is not None:
                _put(getattr(columns, name), numbers, rows, values)
        _put(columns.asked, numbers, rows, True)

    def _answered(self, key: Key, tickets: Ints) -> tuple[Answers, Floats | None]:
        """Answers to tickets, and for respond their quality."""
        step, given, visit, attempt, number = key
        demand = self._demand
        category: Ints | None = None
        if step == "respond":
            category = demand.category[tickets]
            if given != BY_HUMAN:
                known = self._models[given].get("categorize")
                here = np.asarray(known.category)[demand.numbers]
                category = here[tickets].astype(np.int64)
        version = self.versions[number]
        guidance = None
        if version.lessons and category is not None:
            guidance = self._guidance(version, demand.text[tickets], category)
        # A second model has luck of its own: it must not fail just where the first one does.
        use = Use(visit, attempt, self._number)
        luck = Luck(*(demand.uniform(stream, use)[tickets] for stream in _STREAMS[step]))
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
            version=version.template,
            guidance=guidance,
            # A ticket's own at all visits and attempts, and for all models.
            difficulty=demand.uniform(_DIFFICULTY[step])[tickets] if self._kept else None,
        )
        answers = self.assistant.answer(questions)
        quality = answers.quality
        if quality is None and step == "respond":
            quality = self.judge.quality(questions, answers, demand.articles)
        if demand.comes_in_blocks and answers.written is not None and answers.texts:
            self._rank(questions, answers, key)
        return answers, quality

    def _guidance(self, version: Version, text: Ints, category: Ints) -> list[Guidance]:
        """Lessons learned for each ticket, worked out once a distinct text and category."""
        size = len(self._demand.categories)
        pairs, row = distinct(text * size + category)
        texts = [self._demand.texts[k] for k in pairs // size]
        found = version.guidance(texts, (pairs % size).tolist(), self._examples)
        return [found[k] for k in row]

    def _numbered(self, answers: Answers) -> Ints | None:
        """Each answer's number among all that were written in the run."""
        if answers.written is None or not answers.texts:
            return None
        local = np.array(self._names.texts.numbers(answers.texts))
        return np.where(answers.written >= 0, local[answers.written], -1)

    def _rank(self, questions: Questions, answers: Answers, key: Key) -> None:
        """Note which question of all would have been the first with each text."""
        assert answers.written is not None
        assert questions.category is not None
        numbers = [self._names.texts.number(text) for text in answers.texts]
        place, ranks = self._names.keys.number((self._number, key)), self._names.ranks
        there = np.flatnonzero(answers.written >= 0)[::-1]
        first = np.zeros(len(numbers), np.int64)
        first[answers.written[there]] = there
        size = len(questions.categories)
        pairs = questions.text[first] * size + questions.category[first]
        for number, pair in zip(numbers, pairs.tolist(), strict=True):
            rank = place, pair
            ranks[number] = min(ranks.get(number, rank), rank)


def _put(column: memoryview, numbers: Any, tickets: Any, values: Any) -> None:
    """Put values of some of the tickets that are here into a column of the desk."""
    whole = np.asarray(column)
    if isinstance(numbers, slice):
        whole[numbers][tickets] = values
    else:
        whole[numbers[tickets]] = values
