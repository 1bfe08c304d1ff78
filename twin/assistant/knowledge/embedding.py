"""Sentence embeddings by a small model whose weights come with a package; no network, no key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from twin.assistant.errors import NoWeights
from twin.common import cache

Vectors = npt.NDArray[np.float32]

# Part of the key of stored indexes: vectors of another model do not compare.
EMBEDDING_VERSION = "wordllama l2_supercat 256"
DIMENSIONS = 256
# A longer text is cut: what it is about stands well before, and memory grows with the length.
_MAX_CHARACTERS = 8_000
_MAX_CACHED = 20_000
_PACKAGE = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"

_cached: OrderedDict[str, Vectors] = OrderedDict()
_lock = threading.Lock()


@lru_cache(maxsize=1)
def _model() -> tuple[Tokenizer, npt.NDArray[np.float16]]:
    """Tokenizer, and a vector a token.

    The package is not imported, only its files are read: they are the same in all its versions,
    whose later ones are compiled, for few platforms.
    """
    found = find_spec(_PACKAGE)
    folders = (found.submodule_search_locations if found else None) or []
    for file in (_TOKENIZER, _WEIGHTS):
        if not folders or not Path(folders[0], file).is_file():
            raise NoWeights(_PACKAGE, file)
    folder = Path(folders[0])
    try:
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    except Exception as error:  # Its errors have no class of their own.
        raise NoWeights(_PACKAGE, _TOKENIZER) from error
    try:
        vectors = load_file(folder / _WEIGHTS)["embedding.weight"]
    except (OSError, KeyError, SafetensorError) as error:
        raise NoWeights(_PACKAGE, _WEIGHTS) from error
    return tokenizer, vectors


def _compute(texts: list[str]) -> Vectors:
    tokenizer, tokens = _model()
    vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for k, text in enumerate(texts):
        # Lone surrogates cannot be tokenized.
        clean = text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        if clean.strip():
            ids = tokenizer.encode(clean, add_special_tokens=False).ids
            vectors[k] = tokens[ids].astype(np.float32).sum(axis=0) / np.float32(len(ids))
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
    return _embedded(texts, _compute)


def embed_kept(texts: Sequence[str]) -> Vectors:
    """As `embed`, of texts that come again in other processes: kept in the user's cache folder.

    With them the model need not be read, which takes longer than to embed a hundred texts.
    """
    return _embedded(texts, _from_cache)


def _from_cache(texts: list[str]) -> Vectors:
    key = cache.key_of([Path(__file__)], (), EMBEDDING_VERSION, texts)
    return stored_vectors("vectors", key, texts, _compute)


def stored_vectors(
    kind: str, key: str, texts: list[str], compute: Callable[[list[str]], Vectors]
) -> Vectors:
    """Vectors of texts from the user's cache folder; computed where it has none that fit.

    Parameters
    ----------
    kind, key : str
        As of `twin.common.cache.arrays`.
    texts : list of str
    compute : callable
        `embed`, or what it calls.

    Returns
    -------
    array of float32, shape (n, 256)
    """

    def make() -> cache.Arrays:
        return {"vectors": compute(texts)}

    found = cache.arrays(kind, key, make).get("vectors", np.zeros(0))
    fits = found.shape == (len(texts), DIMENSIONS) and found.dtype == np.float32
    return found if fits and np.isfinite(found).all() else compute(texts)


def _embedded(texts: Sequence[str], compute: Callable[[list[str]], Vectors]) -> Vectors:
    with _lock:
        known = {text: _cached[text] for text in dict.fromkeys(texts) if text in _cached}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, compute(missing), strict=True))
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
