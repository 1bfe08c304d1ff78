"""Head start, in seconds, with which some customers are taken ahead of others.

It is found from pairs of customers of different priority who waited in the same queue when one of
them was taken. Where priority does not count, the later one of a pair seldom goes first, whichever
of the two has the higher priority. With a head start, the higher one goes first if it came later by
less than the head start. So the chance has a step there, and its place and height are estimated.
Days that are held back decide whether there is a step at all.

A customer of lower priority who comes later never goes first, and of two of the same priority never
the later one, unless agents also take by chance. Where some do, the step is blurred: an interval
for its place held the truth in 55 % of planted queues. Then the head start is called assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt
from scipy import special

from twin.history.fit.estimate import Estimate
from twin.history.fit.pairs import Pairs

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Head starts that are tried, and classes of lags for the chance without one.
_TRIED, _CLASSES = 1000, 12
_FOLDS = 5
# With fewer customers who could have been taken ahead, nothing is said.
FEWEST_AHEAD = 30
# Rise of the held-back log-likelihood (in all, and in standard errors over days) that is needed.
_WORTH, _CERTAIN = 3.0, 2.0
# That of a day from which on it is another share: well beyond chance for the best of many days.
_OTHER_SHARE = 8.0
# Twice the fall of the log-likelihood at the ends of a 95 % interval of a step's place: Hansen
# (2000), Sample splitting and threshold estimation, Econometrica 68(3), table 1.
_FALL = 7.35 / 2
# From this share on all of them have the head start.
_ALL = 0.9
# Blurred where so many of those of lower priority, who came later by less than the head start, went
# first all the same, or so many of the lowest priority before the one who came just before them:
# none do in an order without chance.
_BLURRED, _BLURRED_ALIKE = 0.01, 0.002


@dataclass(frozen=True)
class HeadStart:
    """Head start of customers of higher priority.

    Attributes
    ----------
    bonus_s : float
        By which a customer goes before one of the next lower priority; 0: first come, first served;
        infinite: the higher priority always goes first.
    low_s, high_s : float
        95 % interval.
    share : float
        Of the higher ones who have it.
    since : int or None
        First day on which they do, if not on all.
    n : int
        Customers of higher priority who came later than another one who waited.
    gain : float
        Of the log-likelihood of days that were held back, over first come, first served.
    turned : bool
        Whether the lower priority is taken ahead instead, which is not used.
    blur : float
        Share of those of lower priority, who came later by less than the head start, who went first
        all the same.
    blur_alike : float
        Share of those of the lowest priority who went before the one who came just before them.
    blur_s : float
        Median time by which all these came later.
    """

    bonus_s: float
    low_s: float
    high_s: float
    share: float
    since: int | None
    n: int
    gain: float
    turned: bool = False
    blur: float = 0.0
    blur_alike: float = 0.0
    blur_s: float = 0.0

    @property
    def blurred(self) -> bool:
        """True if agents also take by chance, so that the interval does not hold."""
        odd = self.blur >= _BLURRED or self.blur_alike >= _BLURRED_ALIKE
        return self.bonus_s > 0 and odd

    @property
    def blur_in_words(self) -> str:
        """Words for a blurred order."""
        return (
            f"{100 * self.blur:.1f} % of those of lower priority who came later within it went "
            f"first all the same, and {100 * self.blur_alike:.1f} % of those of the lowest before "
            f"the one ahead of them; half of these came later by less than {self.blur_s:.0f} s"
        )

    @property
    def used_s(self) -> float:
        """As it goes into a scenario, where all of a priority have the same head start: the mean.

        Infinite where all always go first.
        """
        if self.share >= _ALL or not self.bonus_s:
            return self.bonus_s
        # Who always goes first has no mean head start; the longest that was seen stands for it.
        return self.share * (self.bonus_s if self.bonus_s < inf else self.low_s)

    def estimate(self, key: str = "routing.wait_bonus") -> Estimate:
        """It as an estimate."""
        if not self.bonus_s:
            method = f"n {self.n:,} who came after one of lower priority: not taken ahead"
            return Estimate(key, 0.0, "s", 0.0, 0.0, self.n, method, assumed=self.n < FEWEST_AHEAD)
        way = "pairs who waited together; Hansen's interval of a step"
        if self.bonus_s == inf:
            way += f"; always first, beyond {self.low_s:.0f} s as far as was seen"
        if self.share < _ALL:
            way += f"; {100 * self.share:.0f} % of them have it, used is their mean"
        value = self.bonus_s if self.bonus_s < inf else self.low_s
        if self.blurred:
            way = f"about {value:.0f} s, from {self.n:,} pairs; the order is blurred"
            method = f"{way}: {self.blur_in_words}"
            return Estimate(key, value, "s", n=self.n, method=method, assumed=True)
        return Estimate(key, value, "s", self.low_s, self.high_s, self.n, way)


def fit_head_start(pairs: Pairs) -> HeadStart:
    """Find out whether customers of higher priority have a head start, and which."""
    found = _fitted(pairs)
    if found.bonus_s or not len(pairs):
        return found
    other = _fitted(pairs.turned)
    if other.bonus_s:
        return HeadStart(0.0, 0.0, 0.0, 0.0, None, found.n, found.gain, turned=True)
    return found


def _fitted(pairs: Pairs) -> HeadStart:
    higher = pairs.ahead > 0
    n = round(float(pairs.weight[higher].sum()))
    nothing = HeadStart(0.0, 0.0, 0.0, 0.0, None, n, 0.0)
    days = np.unique(pairs.day)
    if n < FEWEST_AHEAD or len(days) < _FOLDS:
        return nothing
    step = _Step.of(pairs)
    gains = np.zeros(len(days))
    for k in range(_FOLDS):
        out = np.isin(pairs.day, days[k::_FOLDS])
        if out.any() and not out.all():
            # From which day on it holds cannot be known without that day.
            other = _Step.of(pairs.some(~out), step.since)
            gains[k::_FOLDS] = other.gains(pairs.some(out), days[k::_FOLDS])
    gain, error = float(gains.sum()), float(gains.std(ddof=1) * np.sqrt(len(gains)))
    share = step.share
    if gain < max(_WORTH, _CERTAIN * error) or share <= 0:
        return HeadStart(0.0, 0.0, 0.0, 0.0, None, n, gain)
    low, high = _Profile.of(pairs, step.since, step.edges_s).interval
    bonus = inf if high == inf else step.bonus_s
    return HeadStart(
        bonus, low, high, min(share, 1.0), step.since, n, gain, False, *_blur(pairs, bonus)
    )


def _blur(pairs: Pairs, bonus_s: float) -> tuple[float, float, float]:
    """Shares of an odd order: within a head start, and of neighbours; the median lag of those."""
    lower = pairs.some((pairs.ahead < 0) & (pairs.lag_s < bonus_s))
    odd = lower.some(lower.later_first)
    lags = np.concatenate([odd.lag_s, pairs.alike_s[pairs.alike_turned]])
    if not len(lags):
        return 0.0, 0.0, 0.0
    within = float(odd.weight.sum() / max(lower.weight.sum(), 1.0))
    alike = float(pairs.alike_turned.mean()) if len(pairs.alike_turned) else 0.0
    return within, alike, float(np.median(lags))


def _odds(hits: Floats, all_: Floats) -> Floats:
    """Chance by counts, kept off 0 and 1."""
    return np.asarray((hits + 0.5) / (all_ + 1.0))


def _sums(place: npt.NDArray[np.intp], values: Floats, size: int) -> Floats:
    """Sum of the values of each place."""
    return np.asarray(np.bincount(place, values, minlength=size), dtype=np.float64)


def _binomial(hits: Floats, all_: Floats) -> Floats:
    """Highest log-likelihood of counts."""
    return np.asarray(
        special.xlogy(hits, np.where(all_ > 0, hits / np.maximum(all_, 1e-300), 1.0))
        + special.xlogy(all_ - hits, np.where(all_ > 0, 1 - hits / np.maximum(all_, 1e-300), 1.0))
    )


@dataclass(frozen=True)
class _Profile:
    """Log-likelihood by head start.

    Attributes
    ----------
    places_s : array of float, shape (k + 1,)
        Lags that were seen, with 0 before them; a head start lies between two neighbours, or beyond
        the last.
    found : array of float, shape (k + 1,)
        Of a head start just above each place.
    """

    places_s: Floats
    found: Floats

    @classmethod
    def of(cls, pairs: Pairs, since: int | None, edges_s: Floats) -> _Profile:
        """Likelihood of some pairs, if the chance within the head start changes on some day.

        The chances within, and those of all others in each class of lags, are the best ones.
        """
        higher = pairs.ahead > 0
        reach = pairs.lag_s[higher] / pairs.ahead[higher]
        order = np.argsort(reach, kind="stable")
        reach, weight = reach[order], pairs.weight[higher][order]
        hits = weight * pairs.later_first[higher][order]
        late = _late(pairs.day[higher][order], since)
        place = np.searchsorted(edges_s, pairs.lag_s)
        size = len(edges_s) + 1
        # Within a head start above so many lags: sums up to each of them.
        places = np.unique(reach)
        if len(places) > _TRIED:
            places = np.unique(np.quantile(places, np.linspace(0, 1, _TRIED), method="nearest"))
        count = np.concatenate([[0], np.searchsorted(reach, places, side="right")])

        def up_to(values: Floats) -> Floats:
            sums: Floats = np.concatenate([[0.0], np.cumsum(values)])[count]
            return sums

        total = np.zeros(len(count))
        for rows in (late, ~late):
            total += _binomial(up_to(hits * rows), up_to(weight * rows))
        own = place[higher][order]
        for k in range(size):
            here = place == k
            all_ = pairs.weight[here].sum() - up_to(weight * (own == k))
            first = (pairs.weight * pairs.later_first)[here].sum() - up_to(hits * (own == k))
            total += _binomial(np.clip(first, 0.0, all_), np.maximum(all_, 0.0))
        return cls(np.concatenate([[0.0], places]), total)

    @property
    def best_s(self) -> float:
        """Head start that fits best; infinite beyond the last lag that was seen."""
        k = int(np.argmax(self.found))
        return float(self.places_s[k : k + 2].mean()) if k + 1 < len(self.places_s) else inf

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the head start."""
        inside = np.flatnonzero(self.found >= self.found.max() - _FALL)
        last = int(inside[-1]) + 1
        high = float(self.places_s[last]) if last < len(self.places_s) else inf
        return float(self.places_s[inside[0]]), high


@dataclass(frozen=True)
class _Step:
    """A step in the chance that the later one goes first.

    Attributes
    ----------
    bonus_s : float
    since : int or None
        Day from which on the chance within the head start is another one.
    inside, before : float
        Chance of those within their head start, from that day on and before it.
    edges_s, others, plain : array of float
        Classes of lags; in each the chance of all others, and that of all without a step.
    usual : float
        Chance of all others at lags within the head start.
    """

    bonus_s: float
    since: int | None
    inside: float
    before: float
    edges_s: Floats
    others: Floats
    plain: Floats
    usual: float

    @property
    def share(self) -> float:
        """Share of the higher ones who have the head start."""
        return (self.inside - self.usual) / max(1.0 - self.usual, 1e-9)

    @classmethod
    def of(cls, pairs: Pairs, since: int | None = None) -> _Step:
        """The step that fits pairs best; the day from which on it holds is looked for, or given."""
        edges = np.unique(np.quantile(pairs.lag_s, np.linspace(0, 1, _CLASSES + 1)[1:-1]))
        bonus = _Profile.of(pairs, since, edges).best_s
        if since is None:
            since = _other_share(pairs.some(_within(pairs, bonus)))
        if since is not None:
            bonus = _Profile.of(pairs, since, edges).best_s
        within, late = _within(pairs, bonus), _late(pairs.day, since)
        place, size = np.searchsorted(edges, pairs.lag_s), len(edges) + 1

        def chance(rows: Mask) -> float:
            weight = pairs.weight[rows]
            return float(_odds(weight @ pairs.later_first[rows], weight.sum()))

        def by_class(rows: Mask) -> Floats:
            weight = np.where(rows, pairs.weight, 0.0)
            return _odds(_sums(place, weight * pairs.later_first, size), _sums(place, weight, size))

        return cls(
            bonus, since, chance(within & late), chance(within & ~late), edges,
            by_class(~within), by_class(np.ones(len(pairs), dtype=np.bool_)),
            chance(~within & (pairs.lag_s < bonus * np.abs(pairs.ahead))),
        )  # fmt: skip

    def gains(self, held: Pairs, days: Ints) -> Floats:
        """Rise of the log-likelihood of each day that was held back, over that without a step."""
        place = np.searchsorted(self.edges_s, held.lag_s)
        usual = self.plain[place]
        inside = np.where(_late(held.day, self.since), self.inside, self.before)
        found = np.where(_within(held, self.bonus_s), inside, self.others[place])
        logs = np.where(
            held.later_first, np.log(found / usual), np.log((1 - found) / (1 - usual))
        )  # fmt: skip
        number = np.searchsorted(days, held.day)
        return _sums(number, held.weight * logs, len(days))


def _within(pairs: Pairs, bonus_s: float) -> Mask:
    """True where the later one is of higher priority, and later by less than its head start."""
    mask: Mask = (pairs.ahead > 0) & (pairs.lag_s < bonus_s * np.abs(pairs.ahead))
    return mask


def _late(day: Ints, since: int | None) -> Mask:
    return np.ones(len(day), dtype=np.bool_) if since is None else day >= since


def _other_share(pairs: Pairs) -> int | None:
    """Day from which on another share of pairs is turned round; None where it is the same."""
    days = np.unique(pairs.day)
    number = np.searchsorted(days, pairs.day)
    all_ = _sums(number, pairs.weight, len(days)).cumsum()
    hits = _sums(number, pairs.weight * pairs.later_first, len(days)).cumsum()
    if len(days) < 2:
        return None
    apart = _binomial(hits[:-1], all_[:-1]) + _binomial(hits[-1] - hits[:-1], all_[-1] - all_[:-1])
    rise = apart - _binomial(hits[-1:], all_[-1:])
    k = int(np.argmax(rise))
    return int(days[k + 1]) if rise[k] > _OTHER_SHARE else None
