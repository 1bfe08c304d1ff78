"""The one protocol that every assistant backend speaks: a batch of questions in, columns out.

A batch, because the desk asks ahead: tickets exist before the clock starts, so their first prompts
are known. Live backends fetch a batch concurrently, the statistical ones compute it as columns.
Nothing here takes simulated time: a call's latency is a number in the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from twin.assistant.answer_text import clean

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Step = Literal["categorize", "respond"]

# Outcomes of a call, as stored in the table of model calls; append only.
OUTCOMES = ("ok", "rate limited", "outage", "timeout", "server error", "refused", "bad answer")
OK, RATE_LIMITED, OUTAGE, TIMEOUT, SERVER_ERROR, REFUSED, BAD_ANSWER = range(len(OUTCOMES))


@dataclass(frozen=True)
class Luck:
    """Uniforms in [0, 1) of each question, drawn before the clock starts; shape (n,) each.

    Only backends that simulate (`profile`, and the latency of `embedded`) use them.
    """

    answer: Floats
    confidence: Floats
    quality: Floats
    latency: Floats
    tokens_in: Floats
    tokens_out: Floats
    error: Floats

    @classmethod
    def neutral(cls, n: int, value: float = 0.5) -> Luck:
        """Luck of n questions that is the same for all."""
        return cls(*np.full((len(fields(cls)), n), value))

    @classmethod
    def drawn(cls, n: int, rng: np.random.Generator) -> Luck:
        """Luck of n questions outside of runs, where no ticket brings it."""
        return cls(*rng.random((len(fields(cls)), n)))


@dataclass(frozen=True)
class Guidance:
    """Past answers to similar tickets, to follow and to avoid, as (ticket text, answer text)."""

    good: tuple[tuple[str, str], ...] = ()
    bad: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Questions:
    """A batch of n questions of one step.

    Attributes
    ----------
    step : {"categorize", "respond"}
    categories : sequence of str
        The categories of the scenario; columns below hold indices into it.
    texts : sequence of str
        Distinct ticket texts; empty on a desk without a corpus.
    text : array of int, shape (n,)
        Index into `texts`.
    category : array of int, shape (n,), or None
        For respond: the category to answer in.
    truth : array of int, shape (n,)
        True category. Only `profile` may look: it stands for the model's errors.
    ticket : array of int, shape (n,)
        Ticket index, for messages.
    luck : Luck
    sample : array of int, shape (n,), or None
        Which of several answers to the same prompt; None: all 0, the first.
    version : str or None
        Version of the prompts to ask with; None: the newest.
    guidance : sequence of Guidance or None
        For respond: what was learned from feedback, by question.
    difficulty : array of float, shape (n,), or None
        Uniforms in [0, 1): the luck of each ticket, the same at every attempt; None: of none.
    """

    step: Step
    categories: Sequence[str]
    texts: Sequence[str]
    text: Ints
    category: Ints | None
    truth: Ints
    ticket: Ints
    luck: Luck
    sample: Ints | None = None
    version: str | None = None
    guidance: Sequence[Guidance] | None = None
    difficulty: Floats | None = None

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class Written:
    """A distinct answer text and the articles it rests on."""

    text: str
    articles: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        # Also what an article or a past answer says must be kept and shown.
        object.__setattr__(self, "text", clean(self.text))

    def __hash__(self) -> int:
        # All of a run's answers are looked up in each replication, and Python keeps a text's hash.
        return hash(self.text)


@dataclass(frozen=True)
class Answers:
    """Answers to n questions, as columns of shape (n,).

    Attributes
    ----------
    category : array of int or None
        For categorize: index into the categories.
    confidence : array of float or None
        For categorize: 0 to 1.
    quality : array of float or None
        For respond, from `profile` only: 0 to 1. Text backends leave it None, and the judge
        looks at the answer itself.
    latency_s : array of float
        Seconds from sending a call to its answer, without waiting for quota.
    prompt_tokens, completion_tokens : array of int
    outcome : array of int
        Index into `OUTCOMES`: OK, or how the call itself ends (quota and outages are the
        provider's).
    written : array of int or None
        Index into `texts` of this object, for backends that write.
    texts : list of Written
        Distinct answers.
    reply : array of int or None
        Index into `replies`, for backends whose answers are recorded; -1 where a call failed.
    replies : sequence of (str, int)
        Keys of recorded replies, and which of several samples each is.
    """

    latency_s: Floats
    prompt_tokens: Ints
    completion_tokens: Ints
    outcome: Ints
    category: Ints | None = None
    confidence: Floats | None = None
    quality: Floats | None = None
    written: Ints | None = None
    texts: list[Written] = field(default_factory=list)
    reply: Ints | None = None
    replies: Sequence[tuple[str, int]] = ()


class Assistant(Protocol):
    """A backend: the language-model step behind one model.

    Attributes
    ----------
    model : str
        Name in the catalogue.
    prompt_version : str
        Version of the prompts it asks with.
    columnar : bool
        True where answering many costs little a question, so that the desk may ask for all
        tickets at once even where few need it.
    """

    model: str
    prompt_version: str
    columnar: bool

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch; row k answers question k, whatever else is in the batch."""
        ...
