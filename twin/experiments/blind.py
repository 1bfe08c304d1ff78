"""Blind rating of two recordings: pairs in random order, votes of people, and a sign test.

The page that people see holds no name, and does not say on which side a model stands: a second file
does, which only the reading of votes takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

from twin.assistant.recorded.attempts import Attempts
from twin.common.errors import Fault, ScenarioError, TwinError
from twin.common.files import read_text, write_json
from twin.stats.agreement import alpha

SIDES = ("left", "equal", "right")
_MAX_BYTES = 20_000_000


class NothingToRate(TwinError, ValueError):
    """Two models without tickets at which their answers differ."""


@dataclass(frozen=True)
class Pair:
    """Two answers to a ticket; `first_left` says whether the first model's stands left."""

    ticket: str
    left: str
    right: str
    first_left: bool


@dataclass(frozen=True)
class Blind:
    """Pairs to rate.

    Attributes
    ----------
    ident : str
        Of exactly these pairs.
    first, second : str
        The models.
    pairs : tuple of Pair
        In random order, a ticket each.
    alike : int
        Tickets that are left out, as both wrote the same words.
    """

    ident: str
    first: str
    second: str
    pairs: tuple[Pair, ...]
    alike: int


@dataclass(frozen=True)
class Verdict:
    """Votes counted, by a sign test over tickets; ties are left out of it.

    Attributes
    ----------
    first_wins, second_wins, ties : int
        Tickets, each by the majority of those who rated it.
    share, low, high : float
        Of tickets with a winner, those that the second model won, with bounds of 95 % by Clopper
        and Pearson (1934).
    p : float
        Two-sided, exact, of models that win alike often.
    strength, strength_low, strength_high : float
        The same as log odds: how much stronger the second is by Bradley and Terry (1952).
    agreement : float
        Krippendorff's alpha of raters; NaN for one.
    """

    first_wins: int
    second_wins: int
    ties: int
    share: float
    low: float
    high: float
    p: float
    strength: float
    strength_low: float
    strength_high: float
    agreement: float

    @property
    def differs(self) -> bool:
        """True if the test finds a difference at 5 %."""
        return self.p < 0.05


def pairs_of(first: Attempts, second: Attempts, most: int = 50, seed: int = 1) -> Blind:
    """Pairs of answers of two models to the same tickets, in random order and on random sides.

    Parameters
    ----------
    first, second : Attempts
    most : int
        Pairs at most; which tickets is drawn, too.
    seed : int

    Raises
    ------
    NothingToRate
        If no ticket has two different answers.
    """
    answers = [_answers(one) for one in (first, second)]
    shared = sorted(set(answers[0]) & set(answers[1]))
    differ = [t for t in shared if answers[0][t].strip() != answers[1][t].strip()]
    if not differ:
        raise NothingToRate(
            f"{first.name} and {second.name} have no ticket with two different answers"
        )
    rng = np.random.default_rng(seed)
    drawn = [differ[k] for k in rng.permutation(len(differ))[:most]]
    pairs = []
    for ticket, first_left in zip(drawn, rng.random(len(drawn)) < 0.5, strict=True):
        left, right = (0, 1) if first_left else (1, 0)
        pairs.append(Pair(ticket, answers[left][ticket], answers[right][ticket], bool(first_left)))
    told = json.dumps([asdict(pair) for pair in pairs], sort_keys=True)
    ident = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]
    return Blind(ident, first.name, second.name, tuple(pairs), len(shared) - len(differ))


def _answers(attempts: Attempts) -> dict[str, str]:
    """The first answer to each ticket."""
    table = attempts.table[attempts.table["answer"] != ""].sort_values("sample")
    first = table.drop_duplicates("ticket")
    return dict(zip(first["ticket"], first["answer"], strict=True))


def write_key(blind: Blind, path: str | Path) -> Path:
    """Write which side is whose: what the page does not say."""
    path = Path(path)
    left = ["first" if pair.first_left else "second" for pair in blind.pairs]
    write_json(
        path,
        {"pairs": blind.ident, "first": blind.first, "second": blind.second, "left": left},
    )
    return path


def read_key(path: str | Path) -> dict[str, Any]:
    """Read a file of `write_key`."""
    found = _read(path)
    sides = found.get("left")
    names = all(isinstance(found.get(name), str) for name in ("pairs", "first", "second"))
    listed = isinstance(sides, list) and all(side in ("first", "second") for side in sides)
    if not names or not listed or not sides:
        raise ScenarioError(str(path), [Fault("", "not a file of sides, as twin blind writes it")])
    return found


def count(key: dict[str, Any], votes: Sequence[str | Path]) -> Verdict:
    """Count the votes of people.

    Parameters
    ----------
    key : dict
        As of `read_key`.
    votes : sequence of str or Path
        A file a rater, as the page saves it.

    Raises
    ------
    ScenarioError
        If a file is no such file, is of other pairs, is not finished, or is given twice.
    """
    paths = [Path(path).resolve() for path in votes]
    for path in paths:
        if paths.count(path) > 1:
            raise ScenarioError(str(path), [Fault("", "given twice: a rater counts once")])
    sides = key["left"]
    given = np.array([_rater(key["pairs"], len(sides), path) for path in votes], dtype=float)
    # For the second model: a vote for the left is one for it where it stands left.
    turned = np.array([1.0 if side == "first" else -1.0 for side in sides])
    scores = given * turned
    net = np.sign(scores.sum(axis=0))
    won, lost, ties = (int((net == value).sum()) for value in (1, -1, 0))
    # As they saw them: sides are drawn, so that a model that always wins hides no agreement.
    agreement = alpha(given) if len(votes) > 1 else np.nan
    return verdict(lost, won, ties, agreement)


def verdict(first_wins: int, second_wins: int, ties: int = 0, agreement: float = np.nan) -> Verdict:
    """A sign test of so many wins of each.

    Examples
    --------
    >>> found = verdict(10, 25, 5)
    >>> round(found.share, 3), round(found.low, 3), round(found.high, 3), round(found.p, 4)
    (0.714, 0.537, 0.854, 0.0167)
    """
    n = first_wins + second_wins
    if not n:
        whole = (np.nan, 0.0, 1.0, 1.0, np.nan, -np.inf, np.inf)
        return Verdict(0, 0, ties, *whole, agreement)
    found = stats.binomtest(second_wins, n)
    bounds = found.proportion_ci(0.95, "exact")
    share, low, high = second_wins / n, float(bounds.low), float(bounds.high)
    strength, weakest, strongest = (float(special.logit(value)) for value in (share, low, high))
    return Verdict(
        first_wins,
        second_wins,
        ties,
        share,
        low,
        high,
        float(found.pvalue),
        strength,
        weakest,
        strongest,
        agreement,
    )


def _rater(ident: str, pairs: int, path: str | Path) -> list[int]:
    """Votes of a rater: -1 for left, 0, 1 for right."""
    found = _read(path)
    if found.get("pairs") != ident:
        raise ScenarioError(str(path), [Fault("pairs", "votes on other pairs than these")])
    votes = found.get("votes")
    if not isinstance(votes, list) or len(votes) != pairs:
        raise ScenarioError(str(path), [Fault("votes", f"must be {pairs}, one a pair")])
    for number, vote in enumerate(votes, 1):
        if vote not in SIDES:
            hint = f"allowed: {', '.join(SIDES)}"
            raise ScenarioError(str(path), [Fault(f"votes.{number}", "not rated", vote, hint)])
    return [SIDES.index(vote) - 1 for vote in votes]


def _read(path: str | Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(Path(path), _MAX_BYTES, "votes"))
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ScenarioError(str(path), [Fault("", reason)]) from None
    except (ValueError, RecursionError):
        raise ScenarioError(str(path), [Fault("", "not JSON")]) from None
    if not isinstance(found, dict):
        raise ScenarioError(str(path), [Fault("", "not an object of JSON")])
    return found
