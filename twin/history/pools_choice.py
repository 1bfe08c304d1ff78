"""One pool of agents or several: which comes nearer to the waits of a history.

Days are predicted from the days before them, with their arrivals and rosters given, and the waits
of each category are compared. Nothing but the history that is calibrated to is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from twin.history.call_pools import Player, used
from twin.history.fit.capacity import PLAYS, Availability, fit_capacity
from twin.history.fit.waits import Waits, gap

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Days that are predicted at once, those before them at least, and parts that are predicted at most.
_AHEAD, _FIRST, _PARTS = 7, 7, 2
# Several pools must come nearer to the waits than one by this share (assumed).
_NEARER = 0.05
# A category with fewer waits is compared together with all others like it.
_FEW = 50
# Replications of each prediction; rounds of the fit before it.
_BACK_TESTS, _ROUGH = 3, 1
# Plays that the choice takes, at most.
PLAYS_TO_CHOOSE = 2 * _PARTS * (PLAYS // 3 + 2 + _BACK_TESTS)
# Distance of waits that cannot be compared.
_FAR = 10.0


def choose(
    ways: tuple[Player, Player], seen: Waits, starts: Floats, known: Mask
) -> tuple[Player, str]:
    """One pool or several, by days that are predicted from those before them.

    Parameters
    ----------
    ways : (Player, Player)
        One pool, and several.
    seen : Waits
    starts : array of float, shape (n + 1,)
        Moments at which days begin.
    known : array of bool, shape (n,)
        Days of which something is known.

    Returns
    -------
    Player
        The better one.
    str
        A sentence with the figures.
    """
    splits, (one, several) = _splits(known), ways
    scores = {
        player: float(np.mean([_score(player, seen, starts, known, *split) for split in splits]))
        for player in (one, several)
    }
    best = several if scores[several] < (1 - _NEARER) * scores[one] else one
    sizes = " and ".join(str(part.worked.agent.max() + 1) for part in several.parts)
    days = sum(int(known[first:last].sum()) for first, last in splits)
    chosen = "several pools" if best is several else "one pool"
    return best, (
        f"Who takes what tells {len(several.parts)} pools apart ({sizes} agents). Waits of {days} "
        f"days by category, predicted from the days before them: distance {scores[several]:.3g} "
        f"with several pools, {scores[one]:.3g} with one; used: {chosen}."
    )


def said_of_apart(several: Player) -> str:
    """A sentence on pools of which no kind is taken by two: there is nothing to choose.

    One pool would have agents who take what they never took. The waits did not always tell that: on
    a planted desk, one pool whose rates were fitted came nearer than two of the same rates.
    """
    sizes = " and ".join(str(part.worked.agent.max() + 1) for part in several.parts)
    return (
        f"Who takes what tells {len(several.parts)} pools apart ({sizes} agents), and no kind is "
        "taken by two of them; used: several pools."
    )


def _splits(known: Mask) -> list[tuple[int, int]]:
    """Stretches of days to be predicted: numbers of the first, and of the first after them."""
    last = len(known)
    found: list[tuple[int, int]] = []
    while len(found) < _PARTS and int(known[: last - _AHEAD].sum()) >= _FIRST:
        found.append((last - _AHEAD, last))
        last -= _AHEAD
    # A history of less than two weeks: its second half.
    return found or [(len(known) // 2, len(known))]


def _score(
    player: Player, seen: Waits, starts: Floats, known: Mask, first: int, last: int
) -> float:
    """Distance of the waits of days that were predicted from those before, by category."""
    names = [part.name for part in player.parts]
    before = seen.on(np.flatnonzero(known[:first]))

    def play(found: Availability | None, replications: Sequence[int]) -> list[Waits]:
        several = player.play(dict.fromkeys(names, found), replications, float(starts[first]))
        return [waits.on(np.flatnonzero(known[:first])) for waits in several]

    found = dict.fromkeys(names, used(fit_capacity(before, play, rounds=_ROUGH)))
    wanted = first + np.flatnonzero(known[first:last])
    after = seen.on(wanted)
    several = player.play(found, range(1, _BACK_TESTS + 1), float(starts[last]))
    return median(by_category(after, waits.on(wanted)) for waits in several)


def by_category(seen: Waits, played: Waits) -> float:
    """Distance of waits within categories (see `gap`), weighted by their customers."""
    assert seen.kind is not None
    assert played.kind is not None
    names, number = np.unique(seen.kind.astype(str), return_counts=True)
    large = names[number >= _FEW]
    groups = [np.array([name]) for name in large]
    if len(large) < len(names):
        groups.append(np.setdiff1d(names, large))
    total = weight = 0.0
    for group in groups:
        mine, theirs = seen.of(tuple(group)), played.of(tuple(group))
        loss = gap(mine, theirs).loss if len(theirs.hour) else _FAR
        total += len(mine.hour) * min(loss, _FAR)
        weight += len(mine.hour)
    return total / max(weight, 1.0)
