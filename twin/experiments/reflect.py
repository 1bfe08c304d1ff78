"""A change of the prompt: proposed from badly rated answers, tested on tickets held back from it.

Tickets are parted by the hash of their text, once and for all: a proposal is made from one half and
tested on the other, and whatever asks the same in other words as a ticket it was made from is left
out, too. Each held-back ticket is answered with and without the change; the judge marks both. The
change is better if `twin.stats.gain` says so at the scenario's `assistant.learning.error_rate`,
divided by the number of looks: so many proposals may be tested on the same tickets, as the log
counts them, and no more. So anything that does not help passes in at most that share of desks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from twin.assistant import catalogue, prompts
from twin.assistant.asking import Ask, Asking
from twin.assistant.judging import english
from twin.assistant.judging.judge import Rater, judge_of
from twin.assistant.judging.model_judge import Fetch, ModelJudge
from twin.assistant.knowledge.embedding import embed, similarity
from twin.assistant.knowledge.knowledge import Knowledge, knowledge_of
from twin.assistant.learning import proposing
from twin.assistant.learning.change import BETTER, NONE, NOT_SHOWN, Change, guidelines_of
from twin.assistant.learning.feedback import Entry
from twin.assistant.learning.guidelines import Filter, words_of
from twin.assistant.learning.learning import SAME_QUESTION
from twin.assistant.protocol import BAD_ANSWER, REFUSED, Floats, Ints, Luck, Questions
from twin.assistant.recorded.recording import Reply, request_key
from twin.common.errors import TwinError
from twin.demand.corpus import Corpus, load_corpus
from twin.demand.tickets import category_names
from twin.experiments import reflections
from twin.experiments.reflections import Ratings
from twin.scenario.model import Scenario
from twin.stats.gain import chance_by_luck
from twin.stats.pass_plan import difference

# Stars that call for a change.
LOW_RATING = 2
# Proposals that may be tested on the same tickets.
LOOKS = 4
# Held-back tickets of a test: fewer show nothing but huge gains; each is answered and paid twice.
FEWEST, MOST = 30, 100


class ReflectionError(TwinError, ValueError):
    """Ratings or tickets that no change of a prompt can be made from or tested on."""


class Untested(TwinError, RuntimeError):
    """A test that did not end, as calls failed; what came is recorded, and is not asked again."""


def is_held_back(text: str) -> bool:
    """True for the half of all tickets that proposals are tested on, never made from.

    By the text's words alone, so that capitals and signs make no other ticket of it.
    """
    return hashlib.sha256(" ".join(words_of(text)).encode()).digest()[0] % 2 == 1


@dataclass(frozen=True)
class HeldBack:
    """Tickets to test a change on, as columns."""

    texts: tuple[str, ...]
    category: Ints
    articles: tuple[str, ...]

    @property
    def marks(self) -> list[str]:
        """Each ticket as a short hash, for the log."""
        return sorted(hashlib.sha256(text.encode()).hexdigest()[:10] for text in self.texts)


def reflect(
    scenario: Scenario,
    ratings: Ratings,
    fetch_of: Callable[[catalogue.Model], Fetch],
    log: Path,
    tickets: int = MOST,
    proposed: Sequence[str] = (),
) -> Change:
    """Propose a change of a scenario's prompt, test it, and log what came of it.

    Nothing is taken: that is for whoever names the change in a scenario.

    Parameters
    ----------
    scenario : Scenario
        Its assistant answers with a model: backend groq or replay.
    ratings : Ratings
        What customers said about answers.
    fetch_of : callable
        Gives what gets replies of a model; see `twin.assistant.judging.model_judge.Fetch`.
    log : Path
        Every change that was ever tested on this desk; grows by one.
    tickets : int
        Most held-back tickets.
    proposed : sequence of str
        Guidelines that a person proposes, instead of the model.

    Raises
    ------
    ReflectionError
        If there are too few low ratings or held-back tickets, or all looks were taken.
    Untested
        If calls failed.
    DamagedFile
        If the log was edited.
    ScenarioError, AssistantError
        If the scenario or its model cannot be used.
    """
    settings = scenario.assistant
    before = guidelines_of(settings)
    categories = category_names(scenario)
    corpus = load_corpus(scenario.tickets.corpus) if scenario.tickets.corpus else None
    knowledge = knowledge_of(settings)
    numbers = low_ratings(ratings.entries, categories)
    shown = [ratings.entries[k - 1] for k in numbers]
    if not shown and not proposed:
        raise ReflectionError(
            f"{ratings.name}: none of {len(ratings.entries):,} entries is a low rating (at most "
            f"{LOW_RATING} stars) of an answer of this assistant, known with its category, on a "
            "ticket of the half that proposals are made from"
        )
    held = held_back(corpus, categories, [entry.description for entry in shown], tickets)
    tried = reflections.tried(reflections.read_log(log))
    model = catalogue.model(settings.model, scenario.models)
    fetch = fetch_of(model)
    if proposed:
        by, texts = "a person", list(proposed)
    else:
        by, texts = (
            f"{settings.backend} {model.name}",
            _proposal(model, proposing.propose_messages(shown, before, tried), fetch),
        )
    customers = tuple(text for e in shown for text in (e.description, e.feedback) if text)
    own = _own_words(knowledge)
    vain = () if proposed else tried
    new, refused = Filter(categories, own, customers).admit(texts, before, vain)
    proposal = {
        "by": by,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "ratings": {"file": ratings.name, "sha256": ratings.digest, "numbers": numbers},
        "refused": refused,
    }
    change = Change(before, (*before, *new), NONE, proposal)
    evidence: dict[str, Any] = {}
    if new:
        _look(log, change, held)
        judge = _judge(scenario, knowledge, fetch_of)
        evidence = _test(scenario, categories, held, change, model, fetch, judge)
    with reflections.taking_turns(log) as file:
        if new:
            # Again, as others may have tested meanwhile.
            evidence |= {"look": _look(log, change, held, evidence), "looks": LOOKS}
            passed = evidence["chance_by_luck"] <= evidence["at_most"]
            verdict = BETTER if passed else NOT_SHOWN
            change = Change(before, change.after, verdict, proposal, evidence)
        reflections.add_to_log(file, change, held.marks if new else [])
    return change


def _look(log: Path, change: Change, held: HeldBack, evidence: dict[str, Any] | None = None) -> int:
    """Number of the look that a test of a change is."""
    look = reflections.look(reflections.read_log(log), change.name, held.marks, evidence)
    if look > LOOKS:
        raise ReflectionError(
            f"{log}: {LOOKS} changes were tested on these held-back tickets, as many as the error "
            "rate allows; add other tickets to the corpus"
        )
    return look


def low_ratings(entries: Sequence[Entry], categories: Sequence[str]) -> list[int]:
    """Numbers of the entries (1 first) to make a proposal from, the worst of each category first.

    Parameters
    ----------
    entries : sequence of Entry
        Of this assistant's answers; a rating of another's is no reason to change its prompt.
    categories : sequence of str
    """
    found: dict[str, list[int]] = {}
    seen = set()
    for number, entry in enumerate(entries, start=1):
        same = (entry.description, entry.answer)
        usable = entry.answer and entry.category in categories and same not in seen
        if usable and entry.rating <= LOW_RATING and not is_held_back(entry.description):
            seen.add(same)
            found.setdefault(entry.category, []).append(number)
    for numbers in found.values():
        numbers.sort(key=lambda number: entries[number - 1].rating)
    # In turn, so that no category speaks for all.
    turns = max(map(len, found.values()), default=0)
    mixed = [numbers[k] for k in range(turns) for numbers in found.values() if k < len(numbers)]
    return mixed[: proposing.MOST_SHOWN]


def held_back(
    corpus: Corpus | None, categories: Sequence[str], seen: Sequence[str], most: int = MOST
) -> HeldBack:
    """Tickets to test on: of the other half, unlike those seen, with an article that solves them.

    Only rows that no customer of a run sends (`split` train), spread evenly.

    Raises
    ------
    ReflectionError
        If there are fewer than `FEWEST`.
    """
    rows: list[int] = []
    if corpus is not None:
        rows = [
            k for k in np.flatnonzero(corpus.train).tolist()
            if corpus.article[k] and corpus.categories[corpus.category[k]] in categories
            and is_held_back(corpus.texts[k])
        ]  # fmt: skip
        if rows and seen:
            alike = similarity(embed([corpus.texts[k] for k in rows]), embed(list(seen)))
            near = alike.max(axis=1) >= SAME_QUESTION
            rows = [k for k, same in zip(rows, near.tolist(), strict=True) if not same]
    if corpus is None or len(rows) < FEWEST:
        raise ReflectionError(
            f"a change is tested on at least {FEWEST} held-back tickets, and there are "
            f'{len(rows)}: texts of the corpus with split "train" and a known article, of the half '
            "that no proposal is made from, unlike the tickets that this one was made from"
        )
    spread = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)
    rows = [rows[k] for k in spread.tolist()]
    names = [corpus.categories[corpus.category[k]] for k in rows]
    return HeldBack(
        tuple(corpus.texts[k] for k in rows),
        np.array([categories.index(name) for name in names], dtype=np.int64),
        tuple(corpus.article[k] for k in rows),
    )


def _own_words(knowledge: Knowledge | None) -> frozenset[str]:
    articles = knowledge.articles.values() if knowledge is not None else ()
    texts = [text for article in articles for text in (article.title, article.body)]
    return frozenset(words_of(" ".join([*prompts.own_texts(), *english.STOP, *texts])))


def _proposal(model: catalogue.Model, messages: list[prompts.Message], fetch: Fetch) -> list[str]:
    request: dict[str, Any] = {
        "model": model.name,
        "messages": messages,
        "temperature": 0.0,
        "max_completion_tokens": proposing.MAX_TOKENS + model.reasoning_tokens,
        "seed": 0,
        "response_format": {"type": "json_object"},
    }
    if model.reasoning_effort is not None:
        request["reasoning_effort"] = model.reasoning_effort
    if model.strict_schema:
        form = {"name": "proposal", "strict": True, "schema": proposing.propose_schema()}
        request["response_format"] = {"type": "json_schema", "json_schema": form}
    key = request_key(request, 0, proposing.VERSION)
    ask = Ask(key, proposing.STEP, 0, proposing.VERSION, request, (), (), 0)
    end = fetch([ask])[key]
    if isinstance(end, Reply):
        return proposing.parse_proposal(end.answer)
    if end.outcome in (BAD_ANSWER, REFUSED):
        # A model that finds no words in the form asked for has proposed nothing.
        return []
    raise Untested(f"the model proposed nothing, as the call failed: {end}")


def _judge(
    scenario: Scenario, knowledge: Knowledge | None, fetch_of: Callable[[catalogue.Model], Fetch]
) -> Rater:
    settings = scenario.assistant
    if settings.judge == "evidence" or settings.judge_model is None:
        return judge_of(knowledge)
    model = catalogue.model(settings.judge_model, scenario.models)
    return ModelJudge(model, fetch_of(model), knowledge)


def _test(
    scenario: Scenario,
    categories: Sequence[str],
    held: HeldBack,
    change: Change,
    model: catalogue.Model,
    fetch: Fetch,
    judge: Rater,
) -> dict[str, Any]:
    """Evidence of a change on held-back tickets, each answered without and with it."""
    sides = [
        _quality(Asking(scenario, categories, model, lines), categories, held, fetch, judge)
        for lines in (change.before, change.after)
    ]
    (without, tokens_without), (with_it, tokens_with) = sides
    found = difference(without, with_it)
    rate = scenario.assistant.learning.error_rate
    return {
        "rule": "mean gain of judged quality, paired, by betting (twin.stats.gain)",
        "judge": judge.rater,
        "tickets": len(held.texts),
        "quality_before": round(float(without.mean()), 4),
        "quality_after": round(float(with_it.mean()), 4),
        "gain": round(found.value, 4),
        "gain_low": round(found.low, 4),
        "gain_high": round(found.high, 4),
        "better_tickets": int((with_it > without).sum()),
        "worse_tickets": int((with_it < without).sum()),
        "tokens_before": round(tokens_without, 1),
        "tokens_after": round(tokens_with, 1),
        "chance_by_luck": chance_by_luck(with_it - without),
        "error_rate": rate,
        "at_most": rate / LOOKS,
    }


def _quality(
    asking: Asking, categories: Sequence[str], held: HeldBack, fetch: Fetch, judge: Rater
) -> tuple[Floats, float]:
    """Judged quality of each ticket's answer, and tokens of a call on average."""
    n = len(held.texts)
    questions = Questions(
        step="respond",
        categories=categories,
        texts=held.texts,
        text=np.arange(n),
        category=held.category,
        truth=held.category,
        ticket=np.arange(n),
        luck=Luck.neutral(n),
    )
    asks, row = asking.asks(questions)
    ends = fetch(asks)
    # The model's own failures are answers of no use; the network's say nothing of the prompt, and
    # leaving out tickets that failed might leave out those on which the change fails.
    replies: dict[str, Reply | int] = {}
    failed = []
    for key, end in ends.items():
        if isinstance(end, Reply):
            replies[key] = end
        elif end.outcome in (BAD_ANSWER, REFUSED):
            replies[key] = int(end.outcome)
        else:
            failed.append(end)
    if failed:
        raise Untested(
            f"{len(failed)} of {len(asks)} calls failed, last with: {failed[-1]}; what came is "
            "recorded: run the same command again"
        )
    answers = asking.answers(questions, asks, row, replies)
    quality = np.nan_to_num(judge.quality(questions, answers, held.articles), nan=0.0)
    tokens = answers.prompt_tokens + answers.completion_tokens
    return quality, float(tokens.mean())
