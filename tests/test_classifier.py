"""The logistic classifier: as its library says, a function of the text alone, and safely kept."""

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from twin.assistant.classifier import Classifier
from twin.assistant.features import ANALYZERS
from twin.assistant.training import Material

NAMES = ("Card", "Parcel", "Login")
TEXTS = [
    "my card was declined", "the bank refused the card", "card payment fails",
    "where is my parcel", "the parcel is late", "parcel not delivered",
    "forgot my password", "cannot log in", "the login page refuses my password",
]  # fmt: skip
LABELS = np.repeat(np.arange(3), 3)
ASKED = [
    "card refused!",
    "",
    "is the parcel late? parcel parcel",
    "ünïcode login 密码",
    "?" * 5_000,
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TWIN_CACHE", raising=False)
    return tmp_path / "support-desk-twin"


def trained():
    return Classifier(NAMES, TEXTS, LABELS)


def said(model):
    return [column.tolist() for column in model.classify(ASKED)]


def test_scores_are_those_of_the_library(folder):
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from twin.assistant.knowledge.embedding import embed

    texts, labels = [*TEXTS, *NAMES], np.r_[LABELS, np.arange(3)]
    makers = [TfidfVectorizer(analyzer=a, sublinear_tf=True).fit(texts) for a in ANALYZERS]

    def features(of):
        return sparse.hstack([*(m.transform(of) for m in makers), embed(of)]).tocsr()

    learnt = trained()._learnt
    for penalty in (0.1, 1.0, 10.0):
        model = LogisticRegression(C=penalty, max_iter=25).fit(features(texts), labels)
        theirs = model.decision_function(features(ASKED))
        if np.allclose(learnt.scores(ASKED), theirs, rtol=0, atol=1e-9):
            break
    else:
        pytest.fail("scores of no penalty")


def test_two_categories_have_the_chances_of_the_library():
    material = Material(TEXTS[:6], LABELS[:6], 2)
    fitted = material.fit(np.ones(6, dtype=bool), 1.0)
    scores = material.scores(fitted, np.arange(6))
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1], atol=1e-12)
    assert (scores.argmax(axis=1) == LABELS[:6]).all()


def test_an_answer_depends_on_its_text_only_to_the_bit(folder):
    model = trained()
    category, confidence = model.classify(ASKED)
    learnt = model._learnt.scores(ASKED)
    for threads in (1, 2):
        with threadpool_limits(threads):
            assert said(model) == [category.tolist(), confidence.tolist()]
            again = np.concatenate([model._learnt.scores([text]) for text in ASKED])
            assert again.tobytes() == learnt.tobytes()
            turned = model._learnt.scores(ASKED[::-1])[::-1]
            assert np.ascontiguousarray(turned).tobytes() == learnt.tobytes()


def test_training_is_the_same_to_the_bit_with_one_thread_and_two(monkeypatch):
    monkeypatch.setenv("TWIN_CACHE", "off")
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(trained()._learnt._weights.tobytes())
    assert found[0] == found[1]


def test_what_was_trained_is_kept_for_its_owner_and_read_without_the_library(folder):
    first = said(trained())
    (kept,) = folder.glob("classifier-*.npz")
    assert kept.stat().st_mode & 0o077 == 0
    given = f"{NAMES!r}, {TEXTS!r}, np.array({LABELS.tolist()})"
    code = (
        "import sys, numpy as np; from twin.assistant.classifier import Classifier;"
        f"print([column.tolist() for column in Classifier({given}).classify({ASKED!r})]);"
        "assert 'sklearn' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout.strip() == str(first)


@pytest.mark.parametrize("harm", ["cut", "empty", "other", "writable", "nan"])
def test_a_file_that_cannot_be_trusted_is_made_anew(folder, harm):
    first = said(trained())
    (kept,) = folder.glob("classifier-*.npz")
    whole = kept.read_bytes()
    if harm == "cut":
        kept.write_bytes(whole[: len(whole) // 2])
    elif harm == "empty":
        kept.write_bytes(b"")
    elif harm == "other":
        np.savez(kept, weights=np.zeros(3))
    else:
        with np.load(kept) as stored:
            arrays = dict(stored)
        arrays["weights"][:] = np.nan if harm == "nan" else 0.0
        np.savez(kept, **arrays)
        if harm == "writable":
            kept.chmod(0o666)
    assert said(trained()) == first


def test_other_texts_are_another_file_and_off_keeps_none(folder, monkeypatch):
    trained()
    Classifier(NAMES, [*TEXTS[:-1], "sign in"], LABELS)
    assert len(list(folder.glob("classifier-*.npz"))) == 2
    for path in folder.glob("*"):
        path.unlink()
    monkeypatch.setenv("TWIN_CACHE", "off")
    trained()
    assert not list(folder.glob("*"))


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert said(trained())[0][0] == 0


def test_the_cache_is_bounded_and_the_oldest_go(folder, monkeypatch):
    from twin.common import cache

    monkeypatch.setattr(cache, "MOST_BYTES", 20_000)
    for k in range(4):
        cache.arrays("classifier", f"{k}" * 32, lambda: {"a": np.zeros(1_000)})
        os.utime(folder / f"classifier-{str(k) * 32}.npz", (k, k))
    assert sorted(p.stem[-1] for p in folder.glob("*.npz")) == ["2", "3"]
