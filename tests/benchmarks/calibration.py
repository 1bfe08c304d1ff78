"""Distance of confidence from the chance of being right, beside that of perfect confidence.

    python -m tests.benchmarks.calibration

prints it for `embedded` on the shipped corpus: for its held-back texts, and for the train texts in
cross-validation. The calibration error is the mean difference of confidence and share right over
tenths of confidence (ECE). It is above 0 for few texts, however right the confidences are; so it
stands beside what answers with just these chances would show, and beside the errors with which the
measured one is among the middle 95 %.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.assistant.classifier import classifier_of
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.demand.corpus import load_corpus

ROOT = Path(__file__).resolve().parents[2]
BINS = 10
# Errors that are tried.
_STEPS = np.arange(0.0, 0.301, 0.005)


def calibration_error(confidence, right):
    """Mean difference of confidence and share right, over tenths; `right` may have more rows."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    differences = np.atleast_2d(right) - confidence
    by_bin = [abs(differences[:, place == k].sum(axis=1)) for k in range(BINS)]
    found = np.sum(by_bin, axis=0) / len(confidence)
    return found if np.ndim(right) == 2 else float(found[0])


def simulated(confidence, error=0.0, draws=2_000, seed=0):
    """Calibration errors of draws in which each tenth is right `error` more or less often."""
    rng = np.random.default_rng(seed)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    signs = rng.choice([-1.0, 1.0], (draws, BINS))
    # Up where there is no room below, and down where there is none above.
    for k in range(BINS):
        if (place == k).any():
            middle = confidence[place == k].mean()
            signs[:, k] = np.where(middle + error > 1, -1.0, signs[:, k])
            signs[:, k] = np.where(middle - error < 0, 1.0, signs[:, k])
    chance = np.clip(confidence + error * signs[:, place], 0.0, 1.0)
    return calibration_error(confidence, rng.random(chance.shape) < chance)


def between(confidence, right, draws=1_000):
    """Errors that a measured one does not rule out at 95 %: least and most."""
    found = calibration_error(confidence, right)
    bounds = np.array(
        [np.quantile(simulated(confidence, e, draws), (0.025, 0.975)) for e in _STEPS]
    )
    least = _STEPS[found <= bounds[:, 1]]
    most = _STEPS[found >= bounds[:, 0]]
    return (
        float(least[0]) if len(least) else float(_STEPS[-1]),
        float(most[-1]) if len(most) else 0.0,
    )


def told(name, confidence, right):
    """One line about the confidences of answers."""
    perfect = simulated(confidence)
    found, (low, high) = calibration_error(confidence, right), between(confidence, right)
    return (
        f"{name}, {len(confidence)} texts: calibration error {found:.3f}; just these chances would "
        f"show {perfect.mean():.3f} (95 %: up to {np.quantile(perfect, 0.95):.3f}); beyond that "
        f"{max(found - perfect.mean(), 0):.3f}, not ruled out {low:.3f} to {high:.3f}; "
        f"Brier score {((confidence - right) ** 2).mean():.4f}"
    )


def shipped():
    """Confidences and whether right: held-back texts, and left-out train texts."""
    corpus = load_corpus(ROOT / "scenarios" / "corpus" / "tickets.csv")
    learnt, asked = np.flatnonzero(corpus.train), np.flatnonzero(~corpus.train)
    model = classifier_of(
        corpus.categories,
        tuple(corpus.texts[k] for k in learnt),
        tuple(corpus.category[learnt].tolist()),
        load_knowledge(ROOT / "scenarios" / "knowledge"),
    )
    given, confidence = model.classify([corpus.texts[k] for k in asked])
    rows, chosen, sure = model.left_out
    return (
        (confidence, given == corpus.category[asked]),
        (sure, chosen == corpus.category[learnt][rows]),
    )


def main():
    for name, (confidence, right) in zip(("held back", "cross-validation"), shipped(), strict=True):
        print(told(name, confidence, right))


if __name__ == "__main__":
    main()
