import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.assistant.errors import NoWeights
from twin.assistant.knowledge import articles, embedding, knowledge
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.embedding import embed
from twin.assistant.knowledge.knowledge import Knowledge, load_knowledge, words

RESET = """---
title: Reset your password
category: Login
---
For customers who forgot their password or get "wrong password".

## Steps
1. Open the sign-in page and press "Forgot password".
2. Enter your email address
   and confirm.
3. Follow the link in the mail.

## If this does not help
Look in the spam folder.
"""
CARD = """---
title: "Card is declined"
category: Payment
---
For payments that the bank refuses.

## Steps
1. Check the card number and the expiry date.
2. Try another card.
"""
PARCEL = """---
title: Track a parcel
category: Shipping
---
Where the parcel is, and when it arrives.

- Open your orders.
- Press "Track".
"""


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setattr(knowledge, "_indexes", {})
    articles._taken_apart.cache_clear()
    return folder / "support-desk-twin"


@pytest.fixture
def folder(tmp_path):
    for name, text in {"reset": RESET, "card": CARD, "parcel": PARCEL}.items():
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    return tmp_path


def test_articles_are_taken_apart(folder):
    card, parcel, reset = load_articles(folder)
    assert (reset.slug, reset.title, reset.category) == ("reset", "Reset your password", "Login")
    assert reset.summary.startswith("For customers who forgot")
    assert reset.steps[1] == "Enter your email address and confirm."
    assert len(reset.steps) == 3
    assert reset.closing == "Look in the spam folder."
    assert card.title == "Card is declined"
    assert parcel.steps == ("Open your orders.", 'Press "Track".')


@pytest.mark.parametrize(
    "text",
    [RESET.replace("\n", "\r\n"), "\ufeff" + RESET, "\n\n" + RESET],
)
def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path, text):
    (tmp_path / "reset.md").write_bytes(text.encode())
    (article,) = load_articles(tmp_path)
    assert (article.title, len(article.steps)) == ("Reset your password", 3)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "front matter"),
        (b"no front matter", "front matter"),
        (b"---\ntitle: never closed\n", "front matter"),
        (b"---\ncategory: Login\n---\ntext", "no title"),
        (b"---\ntitle:\n---\ntext", "no title"),
        (b"---\ntitle: empty\n---\n\n", "no text"),
        (b"---\ntitle: caf\xe9\n---\ntext", r"not UTF-8 text \(byte 14\)"),
        (b"---\ntitle: big\n---\n" + b"x" * 200_000, "larger than 200 kB"),
    ],
)
def test_a_bad_article_is_named_with_its_fault(folder, content, fault):
    (folder / "bad.md").write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad\.md: .*{fault}"):
        load_knowledge(folder)


def test_a_folder_without_articles_says_so(tmp_path):
    with pytest.raises(ValueError, match="holds no articles"):
        load_knowledge(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        load_knowledge(tmp_path / "nowhere")


def test_the_fitting_article_comes_first(folder):
    index = load_knowledge(folder)
    texts = ["I forgot my password", "my bank refuses the card", "where is my parcel?"]
    found = index.retrieve(texts, k=3, floor=-1)
    assert [hits[0].slug for hits in found] == ["reset", "card", "parcel"]
    assert all(len(hits) == 3 for hits in found)
    for hits in found:
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert [len(hits) for hits in index.retrieve(texts, k=1, floor=-1)] == [1, 1, 1]


def test_below_the_floor_nothing_is_found(folder):
    index = load_knowledge(folder)
    assert index.retrieve(["I forgot my password", ""], k=3, floor=1.0) == [[], []]
    assert index.retrieve([""], k=3, floor=0.01) == [[]]
    assert index.retrieve([], k=3, floor=0) == []


def test_a_preferred_category_moves_close_articles_up_and_leaves_scores(folder):
    index = load_knowledge(folder)
    text = ["the payment of my parcel"]
    plain = {h.slug: h.score for h in index.retrieve(text, 3, -1)[0]}
    for category, slug in (("Payment", "card"), ("Shipping", "parcel")):
        hits = index.retrieve(text, 3, -1, [category])[0]
        assert {h.slug: h.score for h in hits} == plain
        rank = [h.slug for h in hits].index(slug)
        assert rank <= list(plain).index(slug)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.characters(codec=None), max_size=60), min_size=1, max_size=6))
def test_scores_are_bounded_and_do_not_depend_on_the_batch(texts):
    index = _shared()
    scores = index.scores(texts)
    assert np.isfinite(scores).all()
    assert (scores <= 1 + 1e-6).all()
    assert (scores >= -1 - 1e-6).all()
    alone = np.vstack([index.scores([text]) for text in texts])
    np.testing.assert_array_equal(scores, alone)


_made: list[Knowledge] = []


def _shared():
    if not _made:
        from twin.assistant.knowledge.parsing import parse_article

        texts = {"reset": RESET, "card": CARD, "parcel": PARCEL}
        _made.append(Knowledge([parse_article(slug, text) for slug, text in texts.items()]))
    return _made[0]


def test_articles_without_any_word_do_no_harm(tmp_path):
    (tmp_path / "odd.md").write_text("---\ntitle: '!!!'\n---\n???\n", encoding="utf-8")
    assert load_knowledge(tmp_path).retrieve(["hello ???"], 3, 0.9) == [[]]


def test_index_is_kept_by_content(folder, cache_folder):
    first = load_knowledge(folder)
    assert load_knowledge(folder) is first
    (folder / "card.md").write_text(CARD.replace("another", "a second"), encoding="utf-8")
    second = load_knowledge(folder)
    assert second is not first
    assert len(list(cache_folder.glob("index-*.npz"))) == 2
    assert len(list(cache_folder.glob("articles-*.npz"))) == 2
    assert len(list(cache_folder.iterdir())) == 4


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_stored_index_is_read_and_a_broken_one_built_anew(
    folder, cache_folder, damage, monkeypatch
):
    texts = ["I forgot my password"]
    expected = load_knowledge(folder).scores(texts)
    (stored,) = cache_folder.glob("index-*.npz")
    if damage is None:
        monkeypatch.setattr(np, "savez", lambda *_: pytest.fail("stored again"))
    else:
        stored.write_bytes(damage)
    knowledge._indexes.clear()
    np.testing.assert_array_equal(load_knowledge(folder).scores(texts), expected)


def test_a_cache_folder_that_cannot_be_written_is_no_error(folder, tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert load_knowledge(folder).retrieve(["parcel"], 1, 0)


def test_words_drop_common_endings():
    assert words("Tracking PARCELS, it's late!") == ["track", "parcel", "it", "s", "late"]


def test_embeddings_are_unit_vectors_of_their_own_text():
    texts = ["password", "", "a much longer text about parcels " * 500, "\ud800", "password"]
    vectors = embed(texts)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1, 1, 1], rtol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[4])
    embedding._cached.clear()
    np.testing.assert_array_equal(embed(texts[:1])[0], vectors[0])
    assert embed([]).shape == (0, 256)


def test_embedding_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(embedding, "_MAX_CACHED", 5)
    embed([f"text {k}" for k in range(20)])
    assert len(embedding._cached) == 5


def test_vectors_are_the_mean_of_the_vectors_of_tokens():
    tokenizer, tokens = embedding._model()
    ids = tokenizer.encode("Where is my parcel?", add_special_tokens=False).ids
    mean = tokens[ids].astype(float).mean(axis=0)
    np.testing.assert_allclose(
        embed(["Where is my parcel?"])[0], mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-6
    )


def test_weights_are_read_without_importing_their_package():
    """Its later versions have compiled parts for few platforms; all configure the root logger."""
    code = (
        "import logging, sys, twin.assistant.knowledge.embedding as e; e.embed(['x']);"
        "root = logging.getLogger();"
        "print(root.handlers, root.level == logging.WARNING, 'wordllama' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "True", "False"]
    assert done.stderr == ""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of weights that can be damaged, found in place of the real one."""
    real = Path(embedding.find_spec("wordllama").submodule_search_locations[0])
    copy = tmp_path / "weights_of_a_test"
    for file in (embedding._WEIGHTS, embedding._TOKENIZER):
        (copy / file).parent.mkdir(parents=True)
        (copy / file).write_bytes((real / file).read_bytes())
    (copy / "__init__.py").write_text("raise ImportError('compiled for another machine')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embedding, "_PACKAGE", copy.name)
    monkeypatch.setattr(embedding, "_model", embedding._model.__wrapped__)
    monkeypatch.setattr(embedding, "_cached", OrderedDict())
    return copy


def test_a_package_that_cannot_be_imported_here_still_gives_its_weights(package, monkeypatch):
    found = embed(["Where is my parcel?"])
    embedding._cached.clear()
    monkeypatch.setattr(embedding, "_PACKAGE", "wordllama")
    np.testing.assert_array_equal(found, embed(["Where is my parcel?"]))


@pytest.mark.parametrize(
    "file", ["weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"]
)
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x00" * 4096])
def test_missing_and_damaged_weights_are_named(package, file, content):
    if content is None:
        (package / file).unlink()
    else:
        (package / file).write_bytes(content)
    with pytest.raises(NoWeights, match=f"needs {file} of the package weights_of_a_test"):
        embed(["Where is my parcel?"])


def test_no_package_of_weights_is_named(monkeypatch, package):
    monkeypatch.setattr(embedding, "_PACKAGE", "no_such_package")
    with pytest.raises(NoWeights, match="of the package no_such_package"):
        embed(["Where is my parcel?"])


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_vectors_of_texts_that_come_again_need_no_model(cache_folder, damage, monkeypatch):
    texts = ["a login that fails", "", "a parcel that does not come"]
    monkeypatch.setattr(embedding, "_cached", OrderedDict())
    first = embedding.embed_kept(texts)
    np.testing.assert_array_equal(first, embed(texts))
    (stored,) = cache_folder.glob("vectors-*.npz")
    embedding._cached.clear()
    if damage is None:
        monkeypatch.setattr(embedding, "_model", lambda: pytest.fail("read again"))
    else:
        stored.write_bytes(damage)
    np.testing.assert_array_equal(embedding.embed_kept(texts), first)


def test_vectors_of_another_form_are_made_anew(cache_folder, monkeypatch):
    monkeypatch.setattr(embedding, "_cached", OrderedDict())
    first = embedding.embed_kept(["one"])
    (stored,) = cache_folder.glob("vectors-*.npz")
    for made in (np.zeros((1, 3), np.float32), np.full_like(first, np.nan), first.astype(float)):
        np.savez(stored, vectors=made)
        embedding._cached.clear()
        np.testing.assert_array_equal(embedding.embed_kept(["one"]), first)
