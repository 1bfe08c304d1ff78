"""Sentence embeddings by a small model whose weights come with a package; no network, no key."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

# Part of the key of stored indexes: vectors of another model do not compare.
EMBEDDING_VERSION = "wordllama l2_supercat 256"
DIMENSIONS = 256
# A longer text is cut: what it is about stands well before, and memory grows with the length.
_MAX_CHARACTERS = 8_000
_MAX_CACHED = 20_000
_BATCH = 32

_cached: OrderedDict[str, Vectors] = OrderedDict()
_lock = threading.Lock()


@cache
def _model() -> Any:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    import wordllama

    # Importing it configures the root logger, which is the application's to do: undone here.
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    # With both arguments only the files of the package itself are looked for.
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)


def _compute(texts: list[str]) -> Vectors:
    # Lone surrogates cannot be tokenized. Batches of like length waste little on padding.
    clean = [t[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8") for t in texts]
    order = sorted(range(len(clean)), key=lambda k: len(clean[k]))
    vectors = np.zeros((len(clean), DIMENSIONS), dtype=np.float32)
    filled = [k for k in order if clean[k].strip()]
    if filled:
        vectors[filled] = _model().embed([clean[k] for k in filled], batch_size=_BATCH)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return units


def embed(texts: Sequence[str]) -> Vectors:
    """Unit vectors of texts; the more alike two texts, the larger the product of their vectors.

    Parameters
    ----------
    texts : sequence of str
        A text longer than 8,000 characters counts by its first 8,000.

    Returns
    -------
    array of float32, shape (n, 256)
        Each row depends on its own text only. Rows of blank texts are 0.

    Notes
    -----
    The last 20,000 distinct texts are kept, about 25 MB.
    """
    with _lock:
        known = {text: _cached[text] for text in dict.fromkeys(texts) if text in _cached}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, _compute(missing), strict=True))
        for text, vector in known.items():
            # Copies, as a view would keep the whole batch alive; very long keys are not kept.
            if len(text) <= _MAX_CHARACTERS:
                _cached[text] = vector if vector.base is None else vector.copy()
                _cached.move_to_end(text)
        while len(_cached) > _MAX_CACHED:
            _cached.popitem(last=False)
    if not len(texts):
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    return np.stack([known[text] for text in texts])


def similarity(a: Vectors, b: Vectors) -> Vectors:
    """Cosine similarity of every row of `a` with every row of `b`, shape (len(a), len(b)).

    Computed row by row, so that a row does not depend in its last bits on what else is in the
    batch: answers must not change with the size of a batch.
    """
    product: Vectors = np.matmul(a[:, None, :], b.T)[:, 0, :]
    return product
