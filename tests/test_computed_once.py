"""The cache folder of an assistant that has articles: kept as made, safe, or made anew."""

import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from test_judge import CARD, RESET

from twin.assistant.classifier import Classifier
from twin.assistant.embedded import write_answer
from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.knowledge import Knowledge


def npy(header):
    """Bytes of a file that says so of its array, and has none."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


# Each is another error of the libraries that read it.
CRAFTED = {
    "huge": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000000,)}"),
    "open": npy("((("),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
}
NAMES = ("Login", "Payment")
TEXTS = ["forgot my password", "cannot log in", "my card was declined", "the bank refused it"]
LABELS = np.repeat(np.arange(2), 2)
# Many at a time: few are judged faster than read.
CASES = [
    (slug, write_answer(article, 200), f"{text} {k}")
    for slug, article in (("reset", RESET), ("card", CARD))
    for text in TEXTS
    for k in range(3)
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TWIN_CACHE", raising=False)
    return tmp_path / "support-desk-twin"


def classified(reset=RESET):
    model = Classifier(NAMES, TEXTS, LABELS, Knowledge([reset, CARD]))
    told = model.accuracy, model.log_loss, *(one.tolist() for one in model.left_out)
    return told, [column.tolist() for column in model.classify([*TEXTS, "", "card password"])]


def judged(reset=RESET):
    judge = Judge(Knowledge([reset, CARD]))
    judge._remember(CASES)
    return [judge.judge(*one) for one in CASES]


@pytest.fixture(params=[(classified, "ridge", "weights"), (judged, "verdicts", "verdicts")])
def kept(request):
    return request.param


def test_what_was_kept_is_what_was_made(kept, folder, monkeypatch):
    make, kind, _ = kept
    first = make()
    (path,) = folder.glob(f"{kind}-*.npz")
    assert path.stat().st_mode & 0o077 == 0
    assert make() == first
    monkeypatch.setenv("TWIN_CACHE", "off")
    assert make() == first


def test_it_is_not_made_again(folder, monkeypatch):
    first = classified(), judged()
    monkeypatch.setattr("twin.assistant.ridge._train", None)
    monkeypatch.setattr("twin.assistant.judging.judge.mark", None)
    assert (classified(), judged()) == first


def test_another_article_is_another_file(kept, folder):
    make, kind, _ = kept
    first = make()
    other = make(replace(RESET, steps=("Ask your manager.",)))
    assert len(list(folder.glob(f"{kind}-*.npz"))) == 2
    assert kind == "ridge" or other != first


@pytest.mark.parametrize(
    "harm",
    [
        "cut",
        "empty",
        "other",
        "writable",
        "nan",
        "shape",
        "range",
        "encrypted",
        "method",
        "huge",
        "open",
        "objects",
    ],
)
def test_a_file_that_cannot_be_trusted_is_made_anew(kept, folder, harm):
    make, kind, name = kept
    first = make()
    (path,) = folder.glob(f"{kind}-*.npz")
    whole = path.read_bytes()
    with np.load(path) as stored:
        arrays = dict(stored)
    if harm == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "other":
        np.savez(path, else_=np.zeros(3))
    elif harm in ("encrypted", "method"):
        # In the list of members, at the end of the file: its flags, and how it is compressed.
        at = whole.rindex(b"PK\x01\x02") + {"encrypted": 8, "method": 10}[harm]
        path.write_bytes(whole[:at] + bytes([whole[at] | 0x21]) + whole[at + 1 :])
    elif harm in CRAFTED:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(f"{name}.npy", CRAFTED[harm])
    elif harm == "writable":
        np.savez(path, **{**arrays, name: np.zeros_like(arrays[name])})
        path.chmod(0o666)
    else:
        above = np.inf if kind == "ridge" else 2.0
        wrong = {"nan": np.nan, "shape": arrays[name][:1], "range": above}[harm]
        if harm != "shape":
            wrong = np.full_like(arrays[name], wrong)
        np.savez(path, **{**arrays, name: wrong})
    assert make() == first


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_in_its_place_is_not_waited_for(kept, folder):
    make, kind, _ = kept
    first = make()
    (path,) = folder.glob(f"{kind}-*.npz")
    path.unlink()
    os.mkfifo(path)
    assert make() == first
    assert path.is_file()


def test_what_a_killed_process_left_is_cleared(kept, folder):
    make, kind, _ = kept
    make()
    (path,) = folder.glob(f"{kind}-*.npz")
    path.unlink()
    left = path.with_name(f".{path.name}.part")
    left.write_bytes(b"half")
    make()
    assert list(folder.glob(f"*{kind}*")) == [path]
