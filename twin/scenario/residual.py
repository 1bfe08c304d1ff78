"""Times of which some has passed: how likely they are to last on, and what is left of them."""

from __future__ import annotations

import numpy as np

from twin.scenario.distributions import Distribution, Mixture
from twin.scenario.families import Exponential, Floats

# Halvings to the precision of a float.
_HALVINGS = 54
# The last float before 1: uniforms are below 1.
_LAST = float(np.nextafter(1.0, 0.0))


def longer(distribution: Distribution, passed: Floats) -> Floats:
    """Chance that a time lasts longer than what has passed of it, any shape.

    Examples
    --------
    >>> from twin.scenario.families import Uniform
    >>> hour = Uniform(distribution="uniform", low="0s", high="1h")
    >>> longer(hour, np.array([0.0, 900.0, 3600.0])).round(9).tolist()
    [1.0, 0.75, 0.0]
    """
    passed = np.asarray(passed, dtype=np.float64)
    if isinstance(distribution, Mixture):
        weights = np.array([part.weight for part in distribution.parts])
        each = np.array([longer(part.of, passed) for part in distribution.parts])
        chance: Floats = np.tensordot(weights / weights.sum(), each, axes=1)
        return chance
    if isinstance(distribution, Exponential):
        return np.exp(-passed / distribution.mean_value())
    # All families but mixtures rise with the uniform: the last one that is not above is searched.
    low, high = np.zeros(passed.shape), np.full(passed.shape, _LAST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        over = distribution.quantile(middle) <= passed
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.where(distribution.quantile(np.full(passed.shape, _LAST)) <= passed, 0.0, 1.0 - high)


def rest(distribution: Distribution, passed: Floats, u: Floats) -> Floats:
    """Rest of times that have lasted for a while, at the probabilities `u`; same shapes.

    The distribution of what is left given that they last longer: of an exponential time it is the
    same as at first, of a constant what remains. Where a time never lasts so long, nothing is left.

    Examples
    --------
    >>> from twin.scenario.families import Constant
    >>> hour = Constant(distribution="constant", value="1h")
    >>> rest(hour, np.array([0.0, 900.0, 7200.0]), np.full(3, 0.5)).tolist()
    [3600.0, 2700.0, 0.0]
    """
    passed, u = np.asarray(passed, dtype=np.float64), np.asarray(u, dtype=np.float64)
    if isinstance(distribution, Mixture):
        # The longer it has lasted, the likelier it is of a part of long times.
        weights = [part.weight * longer(part.of, passed) for part in distribution.parts]
        edges = np.cumsum(weights, axis=0)
        total = np.where(edges[-1] > 0, edges[-1], 1.0)
        edges = np.concatenate([np.zeros((1, *passed.shape)), edges]) / total
        which = np.clip((u >= edges[1:]).sum(axis=0), 0, len(weights) - 1)
        left = np.zeros(passed.shape)
        for k, part in enumerate(distribution.parts):
            here = (which == k) & (edges[-1] > 0)
            width = edges[k + 1][here] - edges[k][here]
            inside = np.clip((u[here] - edges[k][here]) / width, 0.0, _LAST)
            left[here] = rest(part.of, passed[here], inside)
        return left
    if isinstance(distribution, Exponential):
        return distribution.quantile(u)
    at = 1.0 - longer(distribution, passed) * (1.0 - u)
    return np.maximum(distribution.quantile(np.minimum(at, _LAST)) - passed, 0.0)
