"""Overlap of texts: copies are found, reworded ones too, and other texts are not called copies."""

import json

import numpy as np
import pytest
from recorded_models import CORPUS, KNOWLEDGE, SCENARIO
from typer.testing import CliRunner

from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.knowledge.retrieval_eval import read_questions
from twin.cli.app import app
from twin.demand.corpus import load_corpus
from twin.experiments.overlap import NEAR, overlaps, places

QUESTIONS = CORPUS.parent / "questions.csv"


@pytest.fixture(scope="module")
def texts():
    asked = read_questions(QUESTIONS).questions
    return places(load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)).articles, asked)


def test_what_is_shipped_does_not_overlap(texts):
    found = overlaps(texts).set_index(["first", "second"])
    assert len(found) == 6
    assert not found["same"].any()
    assert not found["nearly"].any()
    assert found["likeness"].max() < NEAR
    assert found.loc[("train", "desk"), "texts"] == len(texts["desk"])


def reworded(text, rng):
    """A text of which one word in eight is another, and whose marks and capitals are gone."""
    words = text.lower().replace(",", "").split()
    for place in rng.permutation(len(words))[: len(words) // 8]:
        words[place] = "something"
    return " ".join(words)


def test_copies_and_reworded_ones_are_found(texts):
    rng = np.random.default_rng(1)
    long = [text for text in texts["train"] if len(text.split()) >= 8]
    copies = [text.upper() + "!" for text in long]
    found = overlaps({"train": texts["train"], "desk": copies}).iloc[0]
    assert found["same"] == found["nearly"] == len(long)
    assert found["likeness"] == 1
    changed = [reworded(text, rng) for text in long]
    found = overlaps({"train": texts["train"], "desk": changed}).iloc[0]
    assert found["nearly"] >= 0.95 * len(long)


def test_empty_texts_are_no_overlap_of_others():
    found = overlaps({"train": ["hello there"], "desk": ["", "?"]}).iloc[0]
    assert (found["same"], found["nearly"]) == (0, 0)


def test_the_command_tells_the_most_alike(tmp_path):
    corpus = tmp_path / "c.csv"
    corpus.write_text(
        "text,category,split\nMy parcel is [bold]late,A,train\nmy parcel is bold late!,A,desk\n"
    )
    desk = tmp_path / "d.toml"
    desk.write_text(
        'arrivals.rate = "6/h"\ntickets.corpus = "c.csv"\n'
        'agents.all = { heads = 1, handle_time = "5min" }\n'
    )
    call = CliRunner().invoke
    shown = call(app, ["overlap", str(desk)])
    assert shown.exit_code == 0, shown.output
    assert "My parcel is [bold]late" in shown.stdout
    assert "better than it will be" in shown.stdout
    words = ["overlap", str(SCENARIO), "--questions", str(QUESTIONS), "--json"]
    assert len(json.loads(call(app, words).stdout)) == 6
