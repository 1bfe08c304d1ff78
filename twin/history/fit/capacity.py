"""Availability of a roster's agents for the next customer, fitted by simulation.

Who is on shift is not always free or busy: agents come and go. On a bank's call desk, with the
heads of its roster always there, waits were half of what they were; agents who leave after a touch
and while idle, and return faster the longer the queue, brought them within a tenth. The rates
cannot be told one by one from a log, and neither can the few agents that a roster by sessions has
too many or too few of in an hour: so both are fitted to the waits that were seen, by playing the
history's own arrivals. What is reported is the fit, not the rates as facts.

The search is Nelder and Mead's (1965) on the four rates, in turn with a correction of each hour's
heads, and the luck is the same in all plays (common random numbers). Of a stretch of minutes, whose
heads are known, it has one round of the rates, on the quantiles of all waits. There two plain ways
are tried beside it, with a rate each: agents look for work by themselves, or a queue alone calls
them back. Four rates fit the luck of some minutes, too, so the plainer way is taken where it fits
as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from twin.history.fit.away import AT_ONCE_S, SeenAway
from twin.history.fit.estimate import Estimate
from twin.history.fit.waits import SMALL_S, Gap, Waits, gap, together, unlike

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Rounds of rates and hours in turn, and plays in each: three rounds were as good as six.
_ROUNDS, _RATE_PLAYS, _HOUR_PLAYS = 3, 44, 7
# Replications of which each loss is taken, so that the search follows less of one's luck.
_LUCKS = 2
# Of a stretch of minutes: its waits are few, and agents may leave so much sooner than is seen.
_MORE_LUCKS, AT_ONCE_MORE = 6, 20.0
# Of such a stretch, too: tries of its one round; how much sooner those who are away may return than
# was seen, and parts of that which hang on the queue, with which the search may begin.
_MORE_TRIES, _SOONER, _PARTS = 60, (1.0, 1.3, 1.7, 2.2), (0.0, 0.4, 1.0)
# Tries of a plain way, in a range of such factors of what was seen, and the part of the rate that
# it does without. It is taken where its loss is no more than so much larger; on sixteen planted
# desks it was the same for .01 to .05.
_PLAIN_TRIES, _PLAIN_RANGE, _NEARLY_NONE, _AS_WELL = 18, (0.2, 20.0), 0.01, 0.01
# Rates that were seen directly may be off by so much (of their logarithms): what a desk's agents do
# is not what the model says. A pull of so much loss for each such step.
_ALLOWED, _PULL = 0.15, 0.01
# Rate at which a free agent leaves, an hour, with which the search begins.
_IDLE_START = 8.0
# All of them, that of the plain roster and of the fit's own check included: at most.
PLAYS = _ROUNDS * (_RATE_PLAYS + _HOUR_PLAYS + 2) + 2
# Size of the first step, in logarithms of the rates; smaller in each later round.
_STEP = 0.6
# An hour's heads are corrected where so many customers waited in it.
_FEWEST = 60
_LEAST, _MOST = 0.4, 2.5
# Logarithm of the least rate, an hour: once a month. Without waits to go by a search drifts on.
_LOWEST = np.log(1 / 720)


@dataclass(frozen=True)
class Availability:
    """Agents who come and go, and corrections of a roster's heads.

    Attributes
    ----------
    after_touch : float
        Chance that an agent leaves after a touch.
    while_idle, returns, returns_per_queued : float
        Rates a free agent, an agent away, and an agent away and ticket that waits; an hour.
    hours : array of float, shape (24,)
        Factor of the heads by local hour.
    """

    after_touch: float
    while_idle: float
    returns: float
    returns_per_queued: float
    hours: Floats

    def estimates(self, key: str, n: int) -> list[Estimate]:
        """The rates with what they rest on; they have no intervals of their own, and say why.

        They make waits together: who leaves more often and returns sooner is as much there. An
        interval of each would look like knowledge of it; what is known is how the waits fit, and
        what the versions of the desk vary is how far agents are there (`twin.history.versions`).

        Parameters
        ----------
        key : str
            Of the section in the scenario.
        n : int
            Waits that they were fitted to.
        """
        method = (
            "waits; seen while somebody waited where that was often, the rest by simulation; "
            "fitted together, not identified one by one: no interval of its own"
        )
        rates = ("while_idle", "returns", "returns_per_queued")
        return [
            Estimate(f"{key}.after_touch", self.after_touch, n=n, method=method),
            *(
                Estimate(f"{key}.{name}", getattr(self, name), "/h", n=n, method=method)
                for name in rates
            ),
        ]

    @property
    def always(self) -> bool:
        """True if nobody ever leaves: all agents of the roster are there."""
        return self.after_touch == 0 and self.while_idle == 0

    def away(self) -> dict[str, object]:
        """The section [agents.POOL.away]."""
        return {
            "after_touch": round(self.after_touch, 4),
            "while_idle": _rate(self.while_idle),
            "returns": _rate(self.returns),
            "returns_per_queued": _rate(self.returns_per_queued),
        }


def _rate(hourly: float) -> str:
    # Scenario files take no exponents.
    return f"{np.format_float_positional(float(f'{hourly:.4g}'), trim='-')}/h"


@dataclass(frozen=True)
class CapacityFit:
    """Availability as fitted.

    Attributes
    ----------
    availability : Availability
    gap : Gap
        Of a play that the fit did not see.
    plain : Gap
        With all heads of the roster always there.
    plays : int
    """

    availability: Availability
    gap: Gap
    plain: Gap
    plays: int

    @property
    def helps(self) -> bool:
        """True if the waits are nearer than with all agents of the roster always there."""
        return self.gap.loss < self.plain.loss


# Play the history's arrivals with some availability (None: all heads always there), with the luck
# of several replications.
Play = Callable[[Availability | None, Sequence[int]], list[Waits]]


def plays_of_stretch(idle: Sequence[float]) -> int:
    """Plays of a stretch of minutes, at most."""
    starts = 4 * len(idle) + 1 + len(_SOONER) * len(_PARTS)
    # And the plain roster, comparisons of the ways, and the check.
    return _MORE_LUCKS * (starts + 2 * _PLAIN_TRIES + _MORE_TRIES + 8)


def fit_capacity(
    seen: Waits,
    play: Play,
    progress: Callable[[int, int], None] | None = None,
    rounds: int | None = None,
    direct: SeenAway | None = None,
    idle: Sequence[float] = (),
) -> CapacityFit:
    """Fit availability to waits.

    Parameters
    ----------
    seen : Waits
    play : callable
    progress : callable, optional
        Called with the plays done and all of them, after each.
    rounds : int, optional
        Of the search; fewer for a rough fit. Not of a stretch.
    direct : SeenAway, optional
        What is known of it without any play.
    idle : sequence of float
        Of a stretch of minutes: rates at which a free agent may leave, an hour, at the best of
        which the search begins. What is known without any play does not hold it back then.
    """
    done = 0

    def played(availability: Availability | None, replications: Sequence[int]) -> list[Waits]:
        nonlocal done
        waits = play(availability, replications)
        for _ in waits:
            done += 1
            if progress is not None:
                progress(min(done, PLAYS), PLAYS)
        return waits

    lucks = _MORE_LUCKS if idle else 1
    plain = gap(seen, together(played(None, range(lucks))))
    search = _Search(seen, played, direct)
    if direct is not None and direct.nobody:
        # Rates of what never happens cannot be fitted; heads may still be off in some hours.
        found = search.hours(replace(search.start, after_touch=0.0, while_idle=0.0))
        return CapacityFit(found, gap(seen, *played(found, [_HOUR_PLAYS])), plain, done)
    if idle:
        # All of it is one hour, whose heads are known.
        found = search.of_stretch(idle)
    else:
        # Near what was found for a bank; the search moves on from there.
        found = search.start
        for k in range(_ROUNDS if rounds is None else rounds):
            found = search.rates(found, _STEP / (k + 1))
            found = search.hours(found)
    fresh = range(_HOUR_PLAYS, _HOUR_PLAYS + lucks)
    return CapacityFit(found, gap(seen, together(played(found, fresh))), plain, done)


class _Search:
    """Search for availability, near to what is known of it."""

    def __init__(self, seen: Waits, play: Play, direct: SeenAway | None) -> None:
        self._seen, self._play, self._lucks = seen, play, _LUCKS
        self._unlike: Callable[[Waits, Waits], float] = lambda one, other: gap(one, other).loss
        # An agent who is away for less is not away.
        quick_s = AT_ONCE_S if direct is None else direct.at_once_s
        self._highest = float(np.log(3600 / quick_s))
        chance, returns, queued = 0.85, 30.0, 30.0
        self._near, self._tries = np.zeros(4), _RATE_PLAYS // _LUCKS
        if direct is not None and direct.enough:
            chance = float(np.clip(direct.after_touch, 0.002, 0.998))
            returns, queued = max(direct.returns, 0.01), max(direct.returns_per_queued, 0.01)
            self._near = np.array([1 / _ALLOWED, 0.0, 1 / _ALLOWED, 1 / _ALLOWED])
        self.start = Availability(chance, _IDLE_START, returns, queued, np.ones(24))
        self._middle = _vector(self.start)

    def of_stretch(self, idle: Sequence[float]) -> Availability:
        """The rates of a stretch of minutes; the plainest way that fits as well as any."""
        start = self._freed(idle)
        plain = min(self._plain_ways(), key=self._off)
        found = self.rates(min([start, plain], key=self._off), _STEP)
        return plain if self._off(plain) <= self._off(found) + _AS_WELL else found

    def _plain_ways(self) -> list[Availability]:
        """Agents who look for work by themselves, and such whom only a queue calls back.

        Both leave at once where they find nobody.
        """
        known = self.start.returns + self.start.returns_per_queued
        ends = np.log(known * np.array(_PLAIN_RANGE))
        return [self._plain(*parts, ends) for parts in ((1.0, _NEARLY_NONE), (_NEARLY_NONE, 1.0))]

    def _plain(self, alone: float, queued: float, ends: Floats) -> Availability:
        """The best rate between two logarithms, of which parts are alone and a queued ticket's."""

        def at(x: float) -> Availability:
            rate, idle = float(np.exp(x)), float(np.exp(self._highest))
            return replace(
                self.start, while_idle=idle, returns=alone * rate, returns_per_queued=queued * rate
            )

        options = {"maxiter": _PLAIN_TRIES, "xatol": 0.01}
        found = optimize.minimize_scalar(
            lambda x: self._off(at(x)), bounds=ends, method="bounded", options=options
        )
        return at(float(found.x))

    def _freed(self, idle: Sequence[float]) -> Availability:
        """Let go of what is known; the best of several to begin with."""
        self._near, self._lucks, self._tries = np.zeros(4), _MORE_LUCKS, _MORE_TRIES
        self._unlike = unlike
        self._highest += float(np.log(AT_ONCE_MORE))
        start, alone = self.start, self.start.returns + self.start.returns_per_queued
        ways = (start.returns, start.returns_per_queued), (alone, 0.01 * alone)
        starts = [
            Availability(chance, rate, returns, queued, start.hours)
            for rate in idle for returns, queued in ways
            for chance in (start.after_touch, start.after_touch / 2)
        ]  # fmt: skip
        best = min(starts, key=self._off)
        # Who is away returns the same whether sooner for the queue or by itself: the search alone
        # moves along this edge too slowly.
        starts = [
            replace(
                best,
                returns=start.returns * sooner,
                returns_per_queued=start.returns_per_queued * part + 0.01 * start.returns,
            )
            for sooner in _SOONER for part in _PARTS
        ]  # fmt: skip
        return min([best, *starts], key=self._off)

    def _off(self, here: Availability) -> float:
        return self._unlike(self._seen, together(self._play(here, range(self._lucks))))

    def _loss(self, x: Floats, found: Availability) -> float:
        here = _at(x, found, self._highest)
        off = self._near * (x - self._middle)
        return self._off(here) + _PULL * float(off @ off)

    def rates(self, found: Availability, step: float) -> Availability:
        start = _vector(found)
        # What is known already is moved less.
        steps = np.where(self._near > 0, step * _ALLOWED, step)
        simplex = start + np.vstack([np.zeros(4), np.diag(steps)])
        options = {"maxfev": self._tries, "initial_simplex": simplex, "xatol": 0.01,
                   "fatol": 1e-4}  # fmt: skip
        result = optimize.minimize(
            self._loss, start, args=(found,), method="Nelder-Mead", options=options
        )
        return _at(np.asarray(result.x, dtype=np.float64), found, self._highest)

    def hours(self, found: Availability) -> Availability:
        """More heads where waits are too long, fewer where they are too short.

        Steps become smaller; of what they come to, the part is kept that is no chance.
        """
        wait_s, _ = self._seen.hourly()
        # Those who gave up count as customers of the hour, too.
        known = np.bincount(self._seen.hour, minlength=24) >= _FEWEST
        hours = found.hours.copy()
        for k in range(_HOUR_PLAYS):
            (waits,) = self._play(replace(found, hours=hours), [k % 3])
            theirs, _ = waits.hourly()
            error = np.log((theirs + SMALL_S) / (wait_s + SMALL_S))
            change = 0.35 * np.clip(error, -1, 1) / (1 + k / 3)
            hours = np.where(known, np.clip(hours * np.exp(change), _LEAST, _MOST), hours)
        return replace(found, hours=_steady(hours, known, self._seen))


def _vector(one: Availability) -> Floats:
    return np.array([
        special.logit(one.after_touch),
        *np.log([one.while_idle, one.returns, one.returns_per_queued]),
    ])  # fmt: skip


def _at(x: Floats, found: Availability, highest: float) -> Availability:
    chance = float(special.expit(x[0]))
    idle, returns, queued = np.exp(np.clip(x[1:], _LOWEST, highest)).tolist()
    return replace(
        found, after_touch=chance, while_idle=idle, returns=returns, returns_per_queued=queued
    )


def _steady(hours: Floats, known: Mask, seen: Waits) -> Floats:
    """Factors drawn toward 1 by as much of them as is chance, from one day to the next."""
    if known.sum() < 2:
        return np.ones(24)
    chance = 0.35 * seen.hourly_error() * np.sqrt(1 + 1 / _HOUR_PLAYS)
    logs = np.log(hours)
    real = max(float((logs[known] ** 2 - chance[known] ** 2).mean()), 0.0)
    part = np.where(known, real / np.maximum(real + chance**2, 1e-9), 0.0)
    found: Floats = np.exp(logs * part)
    return found
