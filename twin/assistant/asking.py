"""From questions to requests, and from replies to columns: what `groq` and `replay` share.

The same questions make the same requests to the last byte, so that a replay finds what was
recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.assistant import prompts
from twin.assistant.catalogue import Model
from twin.assistant.errors import BadAnswer
from twin.assistant.guard import Guard
from twin.assistant.judging import rubric
from twin.assistant.knowledge.knowledge import Hit, Knowledge, knowledge_of
from twin.assistant.learning import proposing
from twin.assistant.learning.change import added, guidelines_of
from twin.assistant.links import own_hosts, without_foreign
from twin.assistant.protocol import (
    BAD_ANSWER,
    OK,
    Answers,
    Guidance,
    Ints,
    Questions,
    Step,
    Written,
)
from twin.assistant.recorded.recording import Reply, request_key
from twin.assistant.steering import unsteered
from twin.scenario.model import Scenario

# Why an answer ended before its end, by the names that servers have for it.
_LIMIT = "it was cut at the token limit"
_FILTERED = "it was cut by the provider's filter"
_CUT = dict.fromkeys(("length", "max_tokens", "model_length"), _LIMIT) | dict.fromkeys(
    ("content_filter", "safety"), _FILTERED
)


@dataclass(frozen=True)
class Ask:
    """One distinct request.

    Attributes
    ----------
    key : str
        Under which it is recorded.
    step : str
        categorize, respond, judge or reflect.
    sample : int
        Which of several answers to the same prompt.
    version : str
        Of the prompts.
    request : dict
        What is sent.
    articles : tuple of str
        Slugs of the articles in it, with their `scores`.
    ticket : int
        The first ticket that asks it, for messages.
    """

    key: str
    step: str
    sample: int
    version: str
    request: dict[str, Any]
    articles: tuple[str, ...]
    scores: tuple[float, ...]
    ticket: int

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, estimated."""
        return prompts.count_tokens(self.request["messages"])

    @property
    def room(self) -> int:
        """Most tokens that the model may write."""
        return int(self.request["max_completion_tokens"])


class Asking:
    """Makes requests of questions, and answers of replies.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
    model : Model
    guidelines : sequence of str, optional
        Of a change of the prompt, to try; by default those that the scenario takes.

    Attributes
    ----------
    prompt_version : str
        Newest version of the prompts, with the name of their change.
    guard : Guard or None
        Holds categories that tickets may have forced.

    Raises
    ------
    ScenarioError
        If the scenario's articles or its change of the prompt cannot be used.
    """

    def __init__(
        self,
        scenario: Scenario,
        categories: Sequence[str],
        model: Model,
        guidelines: Sequence[str] | None = None,
    ) -> None:
        self.model = model
        self.guard: Guard | None = None
        self._guidelines = guidelines_of(scenario.assistant) if guidelines is None else guidelines
        self.prompt_version = added(prompts.PROMPT_VERSION, self._guidelines)
        self._settings = scenario.assistant
        self._categories = tuple(categories)
        settings = scenario.assistant
        uses = settings.retrieval and settings.knowledge is not None and settings.role == "full"
        self._knowledge: Knowledge | None = None
        # A desk that only categorizes sends nothing, and reads no articles.
        self._all_articles = knowledge_of(settings) if settings.role == "full" else None
        if uses:
            self._knowledge = self._all_articles

    def asks(self, questions: Questions) -> tuple[list[Ask], Ints]:
        """Distinct requests of a batch, in order of their first question.

        Returns
        -------
        asks : list of Ask
        row : array of int, shape (n,)
            Which of them each question is.
        """
        if tuple(questions.categories) != self._categories:
            raise ValueError("the questions' categories are not those the assistant was built with")
        if questions.step == "respond" and questions.category is None:
            raise ValueError("respond needs the category to answer in")
        if questions.category is not None and (questions.category < 0).any():
            raise ValueError("a ticket whose category is not known cannot be answered")
        n = len(questions)
        text = questions.text.tolist()
        category = [-1] * n if questions.category is None else questions.category.tolist()
        sample = [0] * n if questions.sample is None else questions.sample.tolist()
        none = Guidance()
        guidance = [none] * n if questions.guidance is None else list(questions.guidance)
        number: dict[tuple[int, int, int, Guidance], int] = {}
        row = np.empty(n, dtype=np.int64)
        first: list[int] = []
        for k, what in enumerate(zip(text, category, sample, guidance, strict=True)):
            if what not in number:
                number[what] = len(first)
                first.append(k)
            row[k] = number[what]
        texts = [questions.texts[text[k]] for k in first]
        # A version may come with the name of its change, as it is shown.
        template = (questions.version or prompts.PROMPT_VERSION).partition("+")[0]
        # Of both steps, though only answers are asked for in other words: calls of one version are
        # measured together.
        version = added(template, self._guidelines)
        if questions.step == "categorize":
            found: list[list[Hit]] = [[] for _ in first]
            asked = [
                prompts.categorize_messages(
                    unsteered(words, self._categories), self._categories, template
                )
                for words in texts
            ]
        else:
            names = [self._categories[category[k]] for k in first]
            found = self._retrieve(texts, names)
            asked = [
                prompts.respond_messages(
                    words, name, self._articles(hits), guidance[k], template, self._guidelines
                )
                for words, name, hits, k in zip(texts, names, found, first, strict=True)
            ]
        tickets = questions.ticket.tolist()
        asks = [
            self._ask(questions.step, messages, sample[k], version, hits, tickets[k])
            for messages, hits, k in zip(asked, found, first, strict=True)
        ]
        return asks, row

    def _retrieve(self, texts: list[str], names: list[str]) -> list[list[Hit]]:
        if self._knowledge is None or not texts:
            return [[] for _ in texts]
        settings = self._settings
        return self._knowledge.retrieve(texts, settings.articles, settings.floor, names)

    def _articles(self, hits: list[Hit]) -> list[Any]:
        return [self._knowledge.articles[hit.slug] for hit in hits] if self._knowledge else []

    def _ask(
        self,
        step: Step,
        messages: list[prompts.Message],
        sample: int,
        version: str,
        hits: list[Hit],
        ticket: int,
    ) -> Ask:
        model = self.model
        request: dict[str, Any] = {
            "model": model.name,
            "messages": messages,
            "temperature": self._settings.temperature,
            # Models that think first write their thoughts within the limit, too.
            "max_completion_tokens": getattr(self._settings.max_tokens, step)
            + model.reasoning_tokens,
            # The same seed for the same sample: as repeatable as the provider can.
            "seed": sample,
        }
        if model.reasoning_effort is not None:
            request["reasoning_effort"] = model.reasoning_effort
        if step == "categorize":
            request["response_format"] = {"type": "json_object"}
            if model.strict_schema:
                schema = prompts.categorize_schema(self._categories)
                form = {"name": "category", "strict": True, "schema": schema}
                request["response_format"] = {"type": "json_schema", "json_schema": form}
        return Ask(
            key=request_key(request, sample, version),
            step=step,
            sample=sample,
            version=version,
            request=request,
            articles=tuple(hit.slug for hit in hits),
            scores=tuple(hit.score for hit in hits),
            ticket=ticket,
        )

    def check(self, step: str, answer: str, finish: str) -> None:
        """See that an answer has the form that was asked for.

        Raises
        ------
        BadAnswer
            If it has not.
        """
        # A recording may be damaged, so that it is no text.
        cut = _CUT.get(str(finish).lower(), "")
        if step in ("categorize", "judge", proposing.STEP):
            try:
                if step == "judge":
                    rubric.parse_score(answer)
                elif step == proposing.STEP:
                    proposing.parse_proposal(answer)
                else:
                    self.parse_category(answer)
            except BadAnswer as error:
                raise BadAnswer(cut or error.what) from None
        elif cut or not answer.strip():
            # Half an answer is none: it may end before the step that matters.
            raise BadAnswer(cut or "it is empty")

    def parse_category(self, answer: str) -> tuple[int, float]:
        """Category (index) and confidence of an answer to categorize.

        Raises
        ------
        BadAnswer
            If it is not the JSON object that was asked for.
        """
        name, confidence = prompts.object_said(answer, "category", "confidence")
        if name not in self._categories:
            raise BadAnswer("its category is not in the list")
        number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
        if not number or not 0 <= confidence <= 1 or math.isnan(confidence):
            raise BadAnswer("its confidence is not a number from 0 to 1")
        return self._categories.index(name), float(confidence)

    def _is_whole(self, reply: Reply) -> bool:
        try:
            self.check("respond", reply.answer, reply.finish)
        except BadAnswer:
            return False
        return True

    def repair(self, ask: Ask, answer: str, error: BadAnswer) -> dict[str, Any]:
        """The request that shows the model its answer and what is wrong with it."""
        wanted = "Answer again, with the JSON object only."
        if ask.step == "respond":
            wanted = "Answer again, shorter."
            if error.what == _FILTERED:
                wanted = "Answer again, in other words."
        more = [
            {"role": "assistant", "content": answer or "(nothing)"},
            {"role": "user", "content": f"Your answer cannot be used: {error.what}. {wanted}"},
        ]
        return ask.request | {"messages": [*ask.request["messages"], *more]}

    def answers(
        self, questions: Questions, asks: list[Ask], row: Ints, replies: Mapping[str, Reply | int]
    ) -> Answers:
        """Columns of a batch.

        Parameters
        ----------
        questions : Questions
        asks, row
            From `asks`.
        replies : mapping of str to Reply or int
            By key: the reply, or how the call failed (index into `OUTCOMES`).
        """
        size = len(asks)
        latency = np.zeros(size)
        tokens = np.zeros((2, size), dtype=np.int64)
        outcome = np.full(size, OK, dtype=np.int64)
        category = np.full(size, -1, dtype=np.int64)
        confidence = np.zeros(size)
        written = np.full(size, -1, dtype=np.int64)
        texts: list[Written] = []
        recorded = np.arange(size)
        for k, ask in enumerate(asks):
            reply = replies[ask.key]
            if isinstance(reply, int):
                outcome[k], recorded[k] = reply, -1
                continue
            latency[k] = reply.latency_s
            tokens[:, k] = reply.prompt_tokens, reply.completion_tokens
            if questions.step == "categorize":
                category[k], confidence[k] = self.parse_category(reply.answer)
            elif not self._is_whole(reply):
                # Older recordings hold what no customer may get.
                latency[k], tokens[:, k], outcome[k] = 0.0, 0, BAD_ANSWER
            else:
                written[k] = len(texts)
                # Whatever a ticket talked the model into, it sends no link but ours.
                own = own_hosts(self._all_articles)
                said = without_foreign(reply.answer.strip(), own)
                texts.append(Written(said, ask.articles, ask.scores))
        columns = (latency[row], tokens[0][row], tokens[1][row], outcome[row])
        found: dict[str, Any] = {"written": written[row], "texts": texts}
        if questions.step == "categorize":
            found = {"category": category[row], "confidence": confidence[row]}
        keys = [(ask.key, ask.sample) for ask in asks]
        made = Answers(*columns, **found, reply=recorded[row], replies=keys)
        return made if self.guard is None else self.guard.held(questions, made)
