"""The feedback store: its shape, its round trip, and files that are broken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.assistant.learning.feedback import Entry, load_feedback, save_feedback
from twin.common.errors import ScenarioError

words = st.text(st.characters(codec="utf-8"), max_size=20)
entries = st.builds(
    Entry,
    description=words.filter(str.strip),
    model=words,
    rating=st.integers(1, 5),
    feedback=words,
    category=words,
    answer=words,
    prompt_version=words,
    backend=words,
)
GOOD = {"description": "I cannot log in.", "model": "m", "rating": 5, "feedback": "Thanks!"}


def test_the_shape_of_the_design_and_nothing_unknown():
    entry = Entry("I cannot log in.", "m", 5, "Thanks!")
    assert entry.as_dictionary() == GOOD
    assert Entry("a", "m", 1, "", answer="b").as_dictionary()["answer"] == "b"


@pytest.mark.parametrize(
    ("said", "asks", "own"),
    [
        (("embedded", ""), ("embedded", "a"), True),
        (("embedded", "a"), ("groq", "a"), False),
        (("groq", "a"), ("embedded", "a"), False),
        (("groq", "a"), ("replay", "a"), True),
        (("groq", "a"), ("groq", "b"), False),
        (("", "a"), ("groq", "b"), True),
    ],
)
def test_an_assistant_learns_from_what_it_said_itself(said, asks, own):
    """A file that does not tell what answered is taken as it is."""
    assert Entry("t", said[1], 1, "", backend=said[0]).is_by(*asks) == own


@given(st.lists(entries, max_size=5))
def test_what_was_saved_is_loaded(tmp_path_factory, given_entries):
    path = tmp_path_factory.mktemp("feedback") / "feedback.json"
    save_feedback(path, given_entries)
    assert load_feedback(path) == given_entries
    assert [p.name for p in path.parent.iterdir()] == ["feedback.json"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "feedback.json"
    save_feedback(path, [Entry(**GOOD)])
    with pytest.raises(TypeError):
        save_feedback(path, [Entry({1, 2}, "m", 5, "")])
    assert load_feedback(path) == [Entry(**GOOD)]


def test_keys_of_other_programs_are_left_alone(tmp_path):
    path = tmp_path / "feedback.json"
    path.write_text(json.dumps([GOOD | {"colour": "red"}]))
    assert load_feedback(path) == [Entry(**GOOD)]


def test_null_is_a_blank(tmp_path):
    path = tmp_path / "feedback.json"
    path.write_text(json.dumps([GOOD | {"model": None, "feedback": None, "category": None}]))
    assert load_feedback(path) == [Entry(**(GOOD | {"model": "", "feedback": "", "category": ""}))]


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


SECRET = "my card 4242"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[\n{"description": ', "not valid JSON at line 2, column"),
        (f'["{SECRET}"', "line 1, column"),
        (b"\xff\xfe[]", "not UTF-8 text (byte 0)"),
        ("[" * 100_000, "nested too deeply"),
        ('{"description": 1}', "must hold a list"),
        ([GOOD, "text"], "entry 2: must be an object"),
        ([GOOD, GOOD | {"rating": 6}], "entry 2: rating must be a whole number from 1 to 5"),
        ([GOOD | {"rating": 0}], "entry 1: rating"),
        ([GOOD | {"rating": True}], "entry 1: rating"),
        ([GOOD | {"rating": "5"}], "entry 1: rating"),
        ([GOOD | {"rating": 4.5}], "entry 1: rating"),
        ([without("rating")], "entry 1: rating"),
        ([GOOD | {"description": SECRET, "feedback": 7}], "entry 1: feedback must be text"),
        ([GOOD | {"description": "  "}], "entry 1: description must not be empty"),
        ([without("description")], "entry 1: description must not be empty"),
        ([GOOD | {"answer": ["x"]}], "entry 1: answer must be text"),
        ([GOOD | {"model": 7}], "entry 1: model must be text"),
        ([GOOD | {"description": None}], "entry 1: description must not be empty"),
        ([GOOD | {"rating": None}], "entry 1: rating"),
    ],
)
def test_a_broken_file_is_named_with_the_place_of_the_damage(tmp_path, content, said):
    path = tmp_path / "feedback.json"
    if isinstance(content, list):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ScenarioError) as caught:
        load_feedback(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(ScenarioError, match="No such file"):
        load_feedback(tmp_path / "gone.json")
    with pytest.raises(ScenarioError, match=r"feedback|directory"):
        load_feedback(tmp_path)
