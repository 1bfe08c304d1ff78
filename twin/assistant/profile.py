"""Backend `profile`: answers drawn from measured or assumed distributions, for a million tickets.

It reads no text. Everything comes from the luck of the question, so that two profiles see the same
customers with the same luck: who is accurate at .8 is right wherever one accurate at .7 is.

What the scenario's profile says goes first, then what was measured (`assistant.profile.measured`,
see `twin.assistant.recorded.measured`), then the defaults that the schema tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from twin.assistant import catalogue
from twin.assistant.difficulty import beta_chances
from twin.assistant.prompts import PROMPT_VERSION
from twin.assistant.protocol import OK, SERVER_ERROR, Answers, Floats, Ints, Questions, Step
from twin.common.errors import Fault, ScenarioError
from twin.scenario.distributions import AnyDistribution, Constant, Triangular
from twin.scenario.model import Measured, MeasuredStep, Profile, Scenario

# A profile older than this, or of fewer calls of a step, is used with a note.
OLD_DAYS = 180
FEW_CALLS = 100


def _constant(value: float) -> Constant:
    return Constant(distribution="constant", value=value)


def _triangular(low: float, mode: float, high: float) -> Triangular:
    return Triangular(distribution="triangular", low=low, mode=mode, high=high)


# Defaults; they stand in the schema's descriptions too (twin.scenario.Profile).
_SURE, _UNSURE = _triangular(0.4, 0.95, 1.0), _triangular(0.1, 0.4, 0.95)
_QUALITY = _constant(0.8)
# Evenly spaced luck, for means over distributions.
_ALL_LUCK = (np.arange(4000) + 0.5) / 4000


@dataclass(frozen=True)
class Habits:
    """Average answers of an assistant, for expectations without a run.

    Attributes
    ----------
    chances : array of float, shape (c, c)
        Chances of categories given, by true category.
    unsure_right, unsure_wrong : float
        Shares with a confidence below the scenario's threshold, in the right category and in a
        wrong one.
    quality : float
        Mean quality of an answer in the right category.
    failed : float
        Share of questions that no try answers, so that an agent does.
    doubted_right, doubted_wrong : float
        Shares of the unsure ones, as of all, that an agent answers without triage (see
        `twin.desk.rules.Rules.handled`).
    """

    chances: Floats
    unsure_right: float
    unsure_wrong: float
    quality: float
    failed: float
    doubted_right: float = 0.0
    doubted_wrong: float = 0.0


def habits(scenario: Scenario, categories: Sequence[str]) -> Habits:
    """Habits of a profile, by its own keys, what was measured, and the defaults."""
    settings, profile = scenario.assistant, scenario.assistant.profile
    seen = profile.measured

    def drawn(name: str, default: AnyDistribution) -> Floats:
        measured = getattr(seen, name) if seen is not None else None
        return np.clip(_drawn(getattr(profile, name), measured, default, _ALL_LUCK), 0.0, 1.0)

    handles = settings.role == "full" and settings.unsure == "handle"

    def unsure(name: str, default: AnyDistribution) -> float:
        return float((drawn(name, default) < settings.confidence_threshold).mean())

    escalates = settings.on_failure == "escalate"
    failed = profile.error_rate ** (scenario.provider.retries + 1) if escalates else 0.0
    quality = float(np.clip(_qualities(profile, _ALL_LUCK, _ALL_LUCK), 0.0, 1.0).mean())
    right, wrong = unsure("confidence_right", _SURE), unsure("confidence_wrong", _UNSURE)
    doubted = (right, wrong) if handles else (0.0, 0.0)
    return Habits(_confusion(profile, categories), right, wrong, quality, failed, *doubted)


def passes(scenario: Scenario, categories: Sequence[str], most: int = 4) -> Floats:
    """Expected pass^1 to pass^most: tickets that the assistant solves at each of k attempts.

    An attempt finds the category and writes an answer that solves (`customers.solved`). How hard a
    ticket is to categorize and how hard to answer are independent of each other (assumed).

    Parameters
    ----------
    scenario : Scenario
        Of backend `profile`.
    categories : sequence of str
        All count alike.
    most : int
    """
    profile, solved = scenario.assistant.profile, scenario.customers.solved
    given, luck = profile.difficulty, _ALL_LUCK[::20] + 9.5 / len(_ALL_LUCK)
    quality = np.clip(_qualities(profile, luck, luck), 0.0, 1.0)
    if given is None or not (given.answer or given.tickets):
        quality = quality.mean(keepdims=True)
    found = np.zeros(most)
    usual = np.diagonal(_confusion(profile, categories))
    for chance in usual:
        own = beta_chances(chance, given.category if given else 0.0, luck)
        one = np.outer(own, solved.assistant * quality) + (1 - own)[:, None] * solved.wrong_category
        found += [float((one**k).mean()) for k in range(1, most + 1)]
    return np.asarray(found / len(usual), dtype=np.float64)


def _answer_order(truth: int, size: int) -> Ints:
    """The true category first, then the others: low luck is right under every accuracy."""
    return np.array([truth, *(k for k in range(size) if k != truth)])


def _confusion(profile: Profile, categories: Sequence[str]) -> Floats:
    """Chances of answers by true category, shape (c, c)."""
    size = len(categories)
    wrong = (1 - profile.accuracy) / (size - 1) if size > 1 else 0.0
    chances = np.full((size, size), wrong)
    np.fill_diagonal(chances, profile.accuracy if size > 1 else 1.0)
    index = {name: k for k, name in enumerate(categories)}
    for truth, weights in (profile.confusion or {}).items():
        key = f"assistant.profile.confusion.{truth}"
        for name in (truth, *weights):
            if name not in index:
                known = f"categories: {', '.join(categories)}"
                raise ScenarioError("scenario", [Fault(key, "unknown category", name, known)])
        total = math.fsum(weights.values())
        if total <= 0:
            raise ScenarioError("scenario", [Fault(key, "must have a weight above 0")])
        chances[index[truth]] = 0.0
        for name, weight in weights.items():
            chances[index[truth], index[name]] = weight / total
    return chances


def between(quantiles: Sequence[float], u: Floats) -> Floats:
    """Values at the probabilities `u`, straight lines between evenly spaced quantiles."""
    at = np.linspace(0.0, 1.0, len(quantiles))
    return np.asarray(np.interp(u, at, quantiles), dtype=np.float64)


def measured_latency_s(
    step: MeasuredStep, tokens_in: npt.ArrayLike, tokens_out: npt.ArrayLike, u: Floats, v: Floats
) -> Floats:
    """Latency as measured: time in the queue, then what the tokens take, times its spread.

    Parameters
    ----------
    step : MeasuredStep
    tokens_in, tokens_out : array-like of number, shape (n,)
    u, v : array of float, shape (n,)
        Uniforms in [0, 1): the luck in the queue, and after it. With no queue reported, `u` is the
        luck of all.

    Returns
    -------
    array of float, shape (n,)
        Seconds.
    """
    work = step.overhead + step.prompt_token * np.asarray(tokens_in, dtype=float)
    work = work + step.completion_token * np.asarray(tokens_out, dtype=float)
    if not step.queue:
        return np.asarray(work * between(step.spread, u), dtype=np.float64)
    return between(step.queue, u) + work * between(step.spread, v)


class ProfileAssistant:
    """Assistant of backend `profile`.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
    model : Model
        For latencies that the profile does not give.
    today : date, optional
        To tell the age of a measured profile.

    Attributes
    ----------
    notes : list of str
        Where a measured profile is old, rests on few calls, or is used outside of what was
        measured. Answers may add to it.

    Raises
    ------
    ScenarioError
        If the confusion table names a category that is not there.
    """

    columnar = True
    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        scenario: Scenario,
        categories: Sequence[str],
        model: catalogue.Model,
        today: date | None = None,
    ) -> None:
        self.model = model.name
        self._model = model
        self._profile = scenario.assistant.profile
        self._max_tokens = scenario.assistant.max_tokens
        self._effect = scenario.assistant.learning.effect
        self._categories = tuple(categories)
        self._chances = _confusion(self._profile, categories)
        measured = self._profile.measured
        self._steps: dict[Step, MeasuredStep | None] = {"categorize": None, "respond": None}
        self.notes: list[str] = []
        if measured is not None:
            self.prompt_version = measured.prompt_version
            self._steps = {"categorize": measured.categorize, "respond": measured.respond}
            self.notes = _doubts(measured, scenario, categories, model, today or date.today())

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch from its luck alone."""
        profile, luck, n = self._profile, questions.luck, len(questions)
        categorizing = questions.step == "categorize"
        tokens_in, tokens_out = self._tokens(questions)
        outcome = np.where(luck.error < profile.error_rate, SERVER_ERROR, OK)
        # A call that fails writes nothing.
        tokens_out = np.where(outcome == OK, tokens_out, 0)
        given = profile.categorize_latency if categorizing else profile.respond_latency
        step = self._steps[questions.step]
        if given is not None:
            latency = given.quantile(luck.latency)
        elif step is not None:
            # The error's luck of a call without error is a uniform again when stretched.
            rest = np.maximum(luck.error - profile.error_rate, 0.0)
            rest = rest / max(1.0 - profile.error_rate, 1e-9)
            latency = measured_latency_s(step, tokens_in, tokens_out, luck.latency, rest)
        else:
            latency = catalogue.latency_s(self._model, tokens_in, tokens_out, luck.latency)
        measured = profile.measured
        category = confidence = quality = None
        if categorizing:
            category = self._categorize(questions.truth, self._kept(questions))
            right = category == questions.truth
            confidence = np.empty(n)
            sure, unsure = profile.confidence_right, profile.confidence_wrong
            seen = (
                (measured.confidence_right, measured.confidence_wrong) if measured else (None, None)
            )
            confidence[right] = _drawn(sure, seen[0], _SURE, luck.confidence[right])
            confidence[~right] = _drawn(unsure, seen[1], _UNSURE, luck.confidence[~right])
            confidence = np.clip(confidence, 0.0, 1.0)
        else:
            drawn = _qualities(profile, luck.quality, questions.difficulty)
            # The worth of a prompt version is an assumption of the scenario.
            effect = self._effect.get(questions.version or PROMPT_VERSION, 0.0)
            quality = np.clip(drawn + effect, 0.0, 1.0)
        return Answers(latency, tokens_in, tokens_out, outcome, category, confidence, quality)

    def _kept(self, questions: Questions) -> Floats:
        """Luck of categories, at which tickets that are hard stay hard.

        It is uniform as before over tickets, so that a first attempt is right as often; within a
        ticket, it is below the accuracy as often as the ticket's own chance says.
        """
        u, hard = questions.luck.answer, questions.difficulty
        given = self._profile.difficulty
        if hard is None or given is None or not given.category:
            return u
        usual = np.diagonal(self._chances)[questions.truth]
        own = beta_chances(usual, given.category, hard)
        with np.errstate(divide="ignore", invalid="ignore"):
            right, wrong = u / own * usual, usual + (u - own) / (1 - own) * (1 - usual)
        return np.where(u < own, np.minimum(right, np.nextafter(usual, 0)), wrong)

    def _tokens(self, questions: Questions) -> tuple[Ints, Ints]:
        """Tokens in and out; those out within the limit of the scenario."""
        profile, luck, step = self._profile, questions.luck, self._steps[questions.step]
        categorizing = questions.step == "categorize"
        given = profile.categorize_tokens if categorizing else profile.respond_tokens
        seen_in = step.prompt_tokens if step is not None else None
        seen_out = step.completion_tokens if step is not None else None
        tokens_in = _whole(_drawn(profile.prompt_tokens, seen_in, _constant(350.0), luck.tokens_in))
        default = _constant(15.0 if categorizing else 120.0)
        tokens_out = _whole(_drawn(given, seen_out, default, luck.tokens_out))
        limit = getattr(self._max_tokens, questions.step)
        if step is not None:
            # Counted tokens include the thoughts of models that think first.
            limit += self._model.reasoning_tokens
            for name, tokens, seen in (
                ("prompt", tokens_in, step.prompt_tokens),
                ("answer", tokens_out, step.completion_tokens),
            ):
                outside = (tokens < np.floor(seen[0])) | (tokens > np.ceil(seen[-1]))
                note = (
                    f"the profile is extrapolated: in step {questions.step} some calls have {name} "
                    f"tokens outside of the {seen[0]:.0f} to {seen[-1]:.0f} that were measured"
                )
                if outside.any() and note not in self.notes:
                    self.notes.append(note)
        return tokens_in, np.minimum(tokens_out, limit)

    def _categorize(self, truth: Ints, u: Floats) -> Ints:
        size = len(self._categories)
        category = np.empty(len(truth), dtype=np.int64)
        for k in range(size):
            here = truth == k
            order = _answer_order(k, size)
            edges = np.cumsum(self._chances[k][order])
            # Rounding may leave the last edge below 1; the last possible answer takes the rest.
            edges[np.flatnonzero(self._chances[k][order])[-1] :] = 1.0
            category[here] = order[np.searchsorted(edges, u[here], side="right")]
        return category


def _qualities(profile: Profile, u: Floats, hard: Floats | None) -> Floats:
    """Qualities of answers by the luck of each, and of its ticket where tickets keep theirs."""
    given, seen = profile.difficulty, profile.measured
    if given is not None and given.tickets is not None and hard is not None:
        # The luck of a ticket is how hard it is: low is easy, as with the beta distribution.
        owned = np.sort(given.tickets)[::-1]
        return np.asarray(owned[(hard * len(owned)).astype(np.int64)], dtype=np.float64)
    known = seen.quality if seen is not None else None
    if given is None or not given.answer or hard is None:
        return _drawn(profile.quality, known, _QUALITY, u)
    usual = np.clip(_drawn(profile.quality, known, _QUALITY, _ALL_LUCK), 0.0, 1.0).mean()
    return beta_chances(usual, given.answer, hard)


def _drawn(
    given: AnyDistribution | None,
    measured: Sequence[float] | None,
    default: AnyDistribution,
    u: Floats,
) -> Floats:
    if given is None and measured is not None:
        return between(measured, u)
    return (given or default).quantile(u)


def _whole(values: Floats) -> Ints:
    return np.maximum(np.rint(values), 0).astype(np.int64)


def _doubts(
    measured: Measured,
    scenario: Scenario,
    categories: Sequence[str],
    model: catalogue.Model,
    today: date,
) -> list[str]:
    """Where a profile is used outside of what was measured, is old, or rests on little."""
    settings, notes = scenario.assistant, []
    age = (today - measured.date).days
    if age > OLD_DAYS:
        notes.append(
            f"the profile is old: measured on {measured.date}, {age} days ago; models and "
            "providers change, so record again"
        )
    other = "the profile is extrapolated: measured with"
    if measured.model != model.name:
        notes.append(f'{other} model "{measured.model}", used for "{model.name}"')
    steps: dict[Step, MeasuredStep | None] = {"categorize": measured.categorize}
    if settings.role == "full":
        steps["respond"] = measured.respond
    for name, step in steps.items():
        if step is None:
            notes.append(f"the profile holds no calls of step {name}: its defaults stand in")
            continue
        if step.calls < FEW_CALLS:
            notes.append(f"the profile rests on few calls: {step.calls} of step {name}")
        limit = getattr(settings.max_tokens, name) + model.reasoning_tokens
        if limit > step.max_tokens and step.completion_tokens[-1] >= step.max_tokens:
            notes.append(
                f"{other} at most {step.max_tokens} tokens in step {name}, which cut answers; "
                f"now {limit} are allowed"
            )
    used = settings.articles if settings.retrieval else 0
    known = settings.knowledge is not None or not settings.retrieval
    if settings.role == "full" and known and measured.articles not in (None, used):
        notes.append(f"{other} up to {measured.articles} articles in a prompt, used for {used}")
    rows = settings.profile.confusion
    if rows is not None and (missing := [name for name in categories if name not in rows]):
        which = ", ".join(f'"{name}"' for name in missing)
        lacks = "the profile is extrapolated: no calls measured for tickets of category"
        notes.append(f"{lacks} {which}")
    return notes
