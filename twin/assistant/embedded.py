"""Backend `embedded`: sentence embeddings categorize, an article's own words answer; no key needed.

It learns from the train rows of the corpus and from the articles, never from what customers send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from twin.assistant import catalogue, prompts
from twin.assistant.knowledge.articles import Article
from twin.assistant.knowledge.embedding import DIMENSIONS, embed, similarity
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
from twin.demand.corpus import Corpus
from twin.scenario.model import Scenario

# Candidates of the cross-validation: ridge penalty, and the weights of ridge and articles.
_PENALTIES = (1.0, 2.0, 4.0, 8.0)
_RIDGE_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
_ARTICLE_WEIGHTS = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0)
_DEFAULT = (2.0, 4.0, 16.0)  # Without train texts; about what the shipped corpus gives.
# Answers that are kept for further replications; all begin anew beyond.
_MOST_KNOWN = 5_000
_CONSTANT = 0.3  # Size of the constant feature: ridge should shrink the level little.


class Classifier:
    """Category of a text with the chance of being right.

    The chances are the softmax of two weighted scores a category: ridge regression of one-hot
    categories on embeddings of the train texts and, where there are articles, the best score of the
    category's articles. A category's own name is one more example of it, and counts as an article,
    so that a category without train texts, or a text of two words, is matched by the name. Penalty
    and weights are those of the least log loss in leave-one-out cross-validation, which ridge
    regression has in closed form; as log loss punishes false certainty, they make the confidence
    the chance of being right, too.

    Parameters
    ----------
    categories : sequence of str
    texts : sequence of str, length n
        Train texts.
    category : array of int, shape (n,)
        Their indices into `categories`.
    knowledge : Knowledge, optional

    Attributes
    ----------
    accuracy, log_loss : float
        Of the cross-validation; NaN without train texts.
    left_out : (array of int, array of float)
        Category and confidence of each train text by a fit without it; empty without train texts.
    """

    def __init__(
        self,
        categories: Sequence[str],
        texts: Sequence[str],
        category: Ints,
        knowledge: Knowledge | None = None,
    ) -> None:
        self._knowledge = knowledge
        self._owner = _owners(categories, knowledge)
        self._names = embed(categories)
        size, n = len(categories), len(texts)
        targets = np.eye(size)[np.concatenate([category, np.arange(size)]).astype(int)]
        features = self._features([*texts, *categories])
        evidence = self._evidence(texts)
        self.accuracy = self.log_loss = float("nan")
        self.left_out: tuple[Ints, Floats] = (np.zeros(0, dtype=np.int64), np.zeros(0))
        best = _DEFAULT
        # Where no article tells anything, its weight changes nothing: the first is taken.
        article_weights = _ARTICLE_WEIGHTS if evidence.any() else _ARTICLE_WEIGHTS[:1]
        for penalty in _PENALTIES if n else ():
            hat, weights = _ridge(features, targets, penalty)
            # The prediction for a row by a fit without it.
            leverage = np.minimum(np.einsum("nd,dn->n", features, hat), 0.999)[:n, None]
            left_out = (features[:n] @ weights - leverage * targets[:n]) / (1 - leverage)
            for own, articles in product(_RIDGE_WEIGHTS, article_weights):
                scores = own * left_out + articles * evidence
                chance = special.log_softmax(scores, axis=1)
                loss = -float(chance[np.arange(n), category].mean())
                if not loss >= self.log_loss:
                    self.log_loss, best = loss, (penalty, own, articles)
                    self.accuracy = float((scores.argmax(axis=1) == category).mean())
                    self.left_out = scores.argmax(axis=1), np.exp(chance.max(axis=1))
        penalty, self._ridge_weight, self._article_weight = best
        self._weights = _ridge(features, targets, penalty)[1]

    @staticmethod
    def _features(texts: Sequence[str]) -> Floats:
        constant = np.full((len(texts), 1), _CONSTANT)
        return np.hstack([embed(texts).astype(float), constant])

    def _evidence(self, texts: Sequence[str]) -> Floats:
        """Best score by category: of its articles, or of its name where that is more like the text.

        Categories without articles get the middle of others.
        """
        if self._knowledge is None or not self._owner.any() or not len(texts):
            return np.zeros((len(texts), len(self._owner)))
        scores = self._knowledge.scores(texts)
        best = np.stack([scores[:, own].max(axis=1, initial=-1) for own in self._owner], axis=1)
        has = self._owner.any(axis=1)
        best[:, ~has] = np.median(best[:, has], axis=1, keepdims=True)
        either: Floats = np.maximum(best, similarity(embed(texts), self._names))
        return either

    def classify(self, texts: Sequence[str]) -> tuple[Ints, Floats]:
        """Category index and confidence (0 to 1) of each text; a row depends on its text only."""
        features = self._features(texts)
        # Row by row (see `embedding.similarity`).
        learnt = np.matmul(features[:, None, :], self._weights)[:, 0, :]
        scores = self._ridge_weight * learnt + self._article_weight * self._evidence(texts)
        chance: Floats = special.softmax(scores, axis=1)
        best = chance.argmax(axis=1).astype(np.int64)
        confidence: Floats = np.round(chance.max(axis=1, initial=0.0), 6)
        return best, confidence


@lru_cache(maxsize=4)
def classifier_of(
    categories: tuple[str, ...],
    texts: tuple[str, ...],
    category: tuple[int, ...],
    knowledge: Knowledge | None = None,
) -> Classifier:
    """A classifier, fitted once for the same texts and articles: replications share it."""
    return Classifier(categories, texts, np.array(category, dtype=np.int64), knowledge)


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


def _owners(categories: Sequence[str], knowledge: Knowledge | None) -> npt.NDArray[np.bool_]:
    """Matrix of categories (rows) and the articles (columns) that belong to them."""
    if knowledge is None:
        return np.zeros((len(categories), 0), dtype=bool)
    return np.array([knowledge.categories == name for name in categories])


def _ridge(features: Floats, targets: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Matrix that makes weights of targets, shape (d, n), and the weights, shape (d, c)."""
    gram = features.T @ features + penalty * np.eye(DIMENSIONS + 1)
    hat = np.asarray(np.linalg.solve(gram, features.T), dtype=np.float64)
    return hat, hat @ targets


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
        index = {name: k for k, name in enumerate(self._categories)}
        texts, rows = [], []
        if corpus is not None:
            for k in np.flatnonzero(corpus.train):
                name = corpus.categories[corpus.category[k]]
                if name in index:
                    texts.append(corpus.texts[k])
                    rows.append(index[name])
        self.classifier = classifier_of(self._categories, tuple(texts), tuple(rows), knowledge)
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
        used, row = np.unique(questions.text, return_inverse=True)
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
        for text, code, confidence in zip(texts, *self.classifier.classify(texts), strict=True):
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
        used, first, row = np.unique(
            questions.text * size + questions.category, return_index=True, return_inverse=True
        )
        texts = [questions.texts[k] for k in used // size]
        given = questions.guidance
        guidance = [Guidance() if given is None else given[k] for k in first]
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
