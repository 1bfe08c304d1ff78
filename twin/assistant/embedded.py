"""Backend `embedded`: a trained classifier categorizes, articles answer in their own words; no key.

It learns from the train rows of the corpus and from the articles, never from what customers send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, NamedTuple

import numpy as np

from twin.assistant import catalogue, prompts
from twin.assistant.careful import learnt
from twin.assistant.classifier import classifier_of
from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.embedding import embed_kept
from twin.assistant.knowledge.knowledge import Hit, Knowledge
from twin.assistant.protocol import (
    OK,
    REFUSED,
    Answers,
    Floats,
    Guidance,
    Ints,
    Questions,
    Written,
)
from twin.assistant.steering import unsteered
from twin.common.distinct import distinct
from twin.demand.corpus import Corpus
from twin.scenario.model import Scenario

# Answers that are kept for further replications; all begin anew beyond.
_MOST_KNOWN = 5_000
# Texts of a corpus that are embedded ahead: of a larger one a run may send few.
_MOST_SAID = 2_000


class _Said(NamedTuple):
    """Answer to a distinct prompt, and its length in tokens and the prompt's."""

    answer: Any
    tokens_in: int
    tokens_out: int


@lru_cache(maxsize=8)
def _memory(*of: object) -> dict[Any, _Said]:
    """Answers that are known already, to prompts of the same classifier, articles and settings.

    What the same text gets is always the same, so replications share it.
    """
    return {}


def write_answer(article: Article, max_tokens: int, brief: bool = False) -> str:
    """An answer in an article's own words: its title and as many whole steps as there is room for.

    Only where not even the title has room it is cut within. A brief one gives the first step only.
    """
    lines = [f"{article.title}:"]
    steps = article.steps[:1] if brief else article.steps
    lines += [f"{k}. {step}" for k, step in enumerate(steps, start=1)]
    if article.closing and not brief:
        lines.append(f"If this does not help: {article.closing}")
    text = lines[0][: max_tokens * prompts.CHARACTERS_A_TOKEN]
    for line in lines[1:]:
        if prompts.count_tokens(f"{text}\n{line}") > max_tokens:
            break
        text = f"{text}\n{line}"
    return text


def write_generic(category: str, max_tokens: int) -> str:
    """An answer without an article: it names the category and leaves the problem unsolved."""
    text = (
        f"This looks like a question about {category}. Please look at the pages about it in our "
        "help centre. If they do not solve it, reply to this message and an agent will help."
    )
    return text[: max_tokens * prompts.CHARACTERS_A_TOKEN]


def _write(hits: list[Hit], answers: dict[str, str], advice: Guidance) -> Written | None:
    """The answer from what was retrieved and what was learned; None without an article."""
    if advice.good:
        slugs = tuple(hit.slug for hit in hits)
        return Written(advice.good[0][1], slugs, tuple(hit.score for hit in hits))
    bad = {answer for _, answer in advice.bad}
    # The quoted one goes first; where all are bad examples the best is as good as any.
    ranked = sorted(hits, key=lambda hit: answers[hit.slug] in bad)
    if not ranked:
        return None
    return Written(
        answers[ranked[0].slug],
        tuple(hit.slug for hit in ranked),
        tuple(hit.score for hit in ranked),
    )


class EmbeddedAssistant:
    """Assistant of backend `embedded`.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
        Categories to choose from.
    corpus : Corpus
        Its train rows are learnt from; rows of other categories are left out.
    knowledge : Knowledge or None
        Articles: they help to categorize, and with `assistant.retrieval` they answer.
    model : Model
        Stands in for latency, tokens and price.
    """

    columnar = True
    prompt_version = prompts.PROMPT_VERSION

    def __init__(
        self,
        scenario: Scenario,
        categories: Sequence[str],
        corpus: Corpus | None,
        knowledge: Knowledge | None,
        model: catalogue.Model,
    ) -> None:
        self.model = model.name
        self._model = model
        self._settings = scenario.assistant
        self._categories = tuple(categories)
        self._knowledge = knowledge
        texts, rows = learnt(corpus, self._categories)
        self.classifier = classifier_of(self._categories, tuple(texts), tuple(rows), knowledge)
        if corpus is not None:
            # Its customers send these.
            embed_kept(list(compress(corpus.texts, ~corpus.train))[:_MOST_SAID])
        used = knowledge.articles if knowledge and self._settings.retrieval else {}
        limit = self._settings.max_tokens.respond
        self._answers = {
            version: {
                slug: write_answer(article, limit, version == prompts.BRIEF)
                for slug, article in used.items()
            }
            for version in prompts.VERSIONS
        }
        settings = self._settings
        of = (settings.retrieval, settings.articles, settings.floor, limit)
        self._known = _memory(self.classifier, knowledge, *of)

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch; computed once a distinct text (and category), then spread out.

        The same text, category, version and guidance always get the same answer. Guidance works
        as a willing model would have it: a good example's answer is given again, and an article
        whose answer is an example of a bad one makes way for the next.
        """
        if tuple(questions.categories) != self._categories:
            raise ValueError("the questions' categories are not those the assistant was built with")
        if questions.step == "categorize":
            return self._categorize(questions)
        return self._respond(questions)

    def _categorize(self, questions: Questions) -> Answers:
        used, row = distinct(questions.text)
        texts = [questions.texts[k] for k in used]
        keys = [(text, questions.version) for text in texts]
        said = self._remembered(keys, lambda new: self._categories_of(
            [texts[k] for k in new], questions.version
        ))  # fmt: skip
        category = np.array([one.answer[0] for one in said], dtype=np.int64)
        confidence = np.array([one.answer[1] for one in said], dtype=np.float64)
        columns = self._columns(questions, row, said)
        return Answers(*columns, category=category[row], confidence=confidence[row])

    def _categories_of(self, texts: list[str], version: str | None) -> Iterator[_Said]:
        plain = [unsteered(text, self._categories) for text in texts]
        for text, code, confidence in zip(texts, *self.classifier.classify(plain), strict=True):
            name = self._categories[code]
            data = {"category": name, "confidence": round(float(confidence), 2)}
            asked = prompts.categorize_messages(text, self._categories, version)
            reply = json.dumps(data, ensure_ascii=False)
            lengths = prompts.count_tokens(asked), prompts.count_tokens(reply)
            yield _Said((code, confidence), *lengths)

    def _respond(self, questions: Questions) -> Answers:
        if questions.category is None:
            raise ValueError("respond needs the category to answer in")
        size = len(self._categories)
        used, row = distinct(questions.text * size + questions.category)
        texts = [questions.texts[k] for k in used // size]
        given = questions.guidance
        guidance = [Guidance()] * len(used)
        if given is not None:
            # That of the first question of each.
            for k in range(len(row) - 1, -1, -1):
                guidance[row[k]] = given[k]
        names = [self._categories[k] for k in used % size]
        keys = [
            (text, name, questions.version, advice)
            for text, name, advice in zip(texts, names, guidance, strict=True)
        ]

        def answers(new: list[int]) -> Iterator[_Said]:
            return self._answers_to(
                [texts[k] for k in new],
                [names[k] for k in new],
                [guidance[k] for k in new],
                questions.version,
            )

        said = self._remembered(keys, answers)
        columns = self._columns(questions, row, said)
        return Answers(*columns, written=row, texts=[one.answer for one in said])

    def _answers_to(
        self, texts: list[str], names: list[str], guidance: list[Guidance], version: str | None
    ) -> Iterator[_Said]:
        settings = self._settings
        if settings.retrieval and self._knowledge is not None:
            found = self._knowledge.retrieve(texts, settings.articles, settings.floor, names)
            articles = self._knowledge.articles
        else:
            found, articles = [[] for _ in texts], {}
        answers = self._answers[version or self.prompt_version]
        for text, name, hits, advice in zip(texts, names, found, guidance, strict=True):
            written = _write(hits, answers, advice) or Written(
                write_generic(name, settings.max_tokens.respond)
            )
            shown = [articles[hit.slug] for hit in hits]
            asked = prompts.respond_messages(text, name, shown, advice, version)
            lengths = prompts.count_tokens(asked), prompts.count_tokens(written.text)
            yield _Said(written, *lengths)

    def _remembered(
        self, keys: Sequence[Hashable], make: Callable[[list[int]], Iterable[_Said]]
    ) -> list[_Said]:
        """Answers by key; of those that are new, `make` gives them by their place."""
        known = {key: self._known[key] for key in keys if key in self._known}
        new = [k for k, key in enumerate(keys) if key not in known]
        made = {keys[k]: said for k, said in zip(new, make(new) if new else (), strict=True)}
        if len(self._known) + len(made) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(made)
        return [known[key] if key in known else made[key] for key in keys]

    def _columns(
        self, questions: Questions, row: Ints, said: Sequence[_Said]
    ) -> tuple[Floats, Ints, Ints, Ints]:
        """Latency, tokens in and out, outcome; by question from what is known by distinct row."""
        limit = getattr(self._settings.max_tokens, questions.step)
        tokens_in = np.array([one.tokens_in for one in said], dtype=np.int64)
        tokens_out = np.array([one.tokens_out for one in said], dtype=np.int64)
        tokens_in, tokens_out = tokens_in[row], np.minimum(tokens_out, limit)[row]
        latency = catalogue.latency_s(self._model, tokens_in, tokens_out, questions.luck.latency)
        # A provider refuses a prompt that leaves no room for the answer in the model's context.
        outcome = np.where(tokens_in + limit > self._model.context, REFUSED, OK)
        return latency, tokens_in, tokens_out, outcome
