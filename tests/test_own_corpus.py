"""A desk's own texts: from an imported history to a corpus, its articles, and how good it is."""

import json
import re
import stat

import numpy as np
import pandas as pd
import pytest
from exports import DAY, HOUR, at, write_csv, write_json
from typer.testing import CliRunner

import twin
from twin.assistant.held_back import held_back
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.cli.app import app
from twin.common.errors import ScenarioError, TwinError
from twin.common.markup import as_markdown, is_html, plain
from twin.demand.corpus import load_corpus
from twin.history.corpus_folder import open_corpus, write_corpus
from twin.history.masks import masked
from twin.history.own_articles import read_articles
from twin.history.own_corpus import own_corpus, with_categories

SAID = {
    "Login": ("I cannot sign in", "the password is refused", "my account is locked",
              "the reset mail for my password never comes"),
    "Billing": ("I was charged twice", "the invoice is wrong", "my card was declined",
                "please refund the payment"),
    "Delivery": ("the parcel is late", "the box never arrived", "tracking shows nothing",
                 "the courier left my package with somebody"),
}  # fmt: skip
WHEN = ("today", "since Monday", "after the update", "on my phone", "again", "at the office",
        "for my mother", "with the new app", "in the evening", "before the holidays",
        "from abroad", "for the third time")  # fmt: skip
SECRET = "xylophone"


def rows(count=240, **more):
    """Tickets of known kinds over 60 days, no two with the same words."""
    luck, found = np.random.default_rng(3), []
    for k in range(count):
        kind = tuple(SAID)[k % 3]
        said = SAID[kind][luck.integers(4)]
        words = " ".join(luck.permutation(WHEN)[: 3 + k % 4])
        came = 60 * DAY * k / count + 9 * HOUR
        found.append({
            "id": k + 1, "created": at(came), "solved": at(came + HOUR * (1 + k % 5)), "type": kind,
            "group": "first" if k % 2 else "second", "tags": f"{kind.lower()},web",
            "subject": f"{said} {words}",
            "description": f"Hi Anna,\n{said} {words}, order 4711-0815-{k:04d}\nRegards,\nJo Smith",
            **{key: value(k) for key, value in more.items()},
        })  # fmt: skip
    return found


def history_of(tmp_path, lines, texts=True, **choices):
    path = write_csv(tmp_path / "t.csv", lines)
    return twin.read_history(path, zone="UTC", texts=texts, **choices)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A history with its texts, saved, beside articles."""
    base = tmp_path_factory.mktemp("own")
    history_of(base, rows()).save(base / "history")
    for kind, said in SAID.items():
        (base / "help" / kind.lower()).mkdir(parents=True)
        for k, problem in enumerate(said):
            text = f"# When {problem}\n\nAbout it.\n\n1. Look for {problem}.\n2. Wait.\n"
            (base / "help" / kind.lower() / f"a{k}.md").write_text(text, encoding="utf-8")
    return base


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_earlier_texts_are_learnt_later_ones_held_back_and_none_is_on_both_sides(folder):
    history = twin.read_history(folder / "history")
    found = own_corpus(history, floor=20)
    table = found.tickets
    assert found.by == "category"
    assert set(table["category"]) == set(SAID)
    train, desk = (table[table["split"] == side] for side in ("train", "desk"))
    assert len(desk) + len(train) <= 240
    assert found.split.isoformat() == "2026-04-13"
    assert not set(train["text"]) & set(desk["text"])
    assert "repeat an earlier one" in " ".join(found.notes) or len(train) + len(desk) == 240
    whole = "\n".join(table["text"])
    assert "Anna" not in whole
    assert "Smith" not in whole
    assert "4711" not in whole
    assert list(found.categories["key"]) == [str(k) for k in range(1, 241)]


def test_the_command_says_how_good_it_is_on_later_tickets_and_rag_says_the_same(folder):
    to = folder / "corpus"
    said = run("corpus", folder / "history", "--articles", folder / "help", "--out", to,
               "--floor", 20)  # fmt: skip
    assert said.exit_code == 0, said.output
    assert "held back: what came from 2026-04-13 on" in said.output
    assert "corpus: " in said.output
    told = json.loads(run("rag", to, "--json").output)
    table = pd.DataFrame(told["held_back"]).set_index(["figure", "category"])
    row = table.loc["category right", ""]
    assert row["value"] > 0.9
    assert row["low"] < row["value"] <= row["high"]
    assert row["n"] == (load_corpus(str(to / "tickets.csv")).train == 0).sum()
    commonest = table.loc["category right, always the commonest", ""]["value"]
    assert commonest == pytest.approx(1 / 3, abs=0.1)
    # Articles of inner folders have their category, whatever its capitals.
    assert table.loc["an article of its category among 3", ""]["value"] > 0.9
    assert {a.category for a in load_articles(to / "articles")} == set(SAID)
    shown = run("rag", to).output
    assert re.search(r"category right +\d+ +(0\.9|1\.0)", shown)
    assert "fill in the column article" in " ".join(shown.split())
    assert run("rag", to, "--k", 1, "--k", 2).exit_code == 2


def test_files_that_hold_texts_are_the_owner_s_alone_and_nothing_else_holds_any(folder, tmp_path):
    lines = rows(description=lambda k: f"{SECRET} {SAID['Login'][k % 4]} {k} {WHEN[k % 12]}")
    history_of(tmp_path, lines).save(tmp_path / "history")
    said = run("corpus", tmp_path / "history", "--out", tmp_path / "c", "--floor", 20)
    assert said.exit_code == 0
    assert SECRET not in said.output
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "t.csv"]
    holding = [path for path in kept
               if SECRET.encode() in path.read_bytes() or path.name == "texts.parquet"]  # fmt: skip
    assert sorted(path.name for path in holding) == ["texts.parquet", "tickets.csv"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}


@pytest.mark.parametrize(
    ("by", "kinds"),
    [("tags", {"login", "billing", "delivery"}), ("group", {"first", "second"})],
)
def test_categories_come_from_tags_or_groups_where_there_is_no_type(tmp_path, by, kinds):
    lines = [{key: v for key, v in row.items() if key != "type"} for row in rows()]
    if by == "group":
        lines = [{key: v for key, v in row.items() if key != "tags"} for row in lines]
    found = own_corpus(history_of(tmp_path, lines), floor=20)
    assert found.by == by
    # The tag that all have, "web", tells nothing.
    assert set(found.tickets["category"]) == kinds


def test_small_categories_are_one_and_it_is_never_answered(tmp_path):
    lines = rows(type=lambda k: f"Rare {k % 300}" if k % 4 == 0 else tuple(SAID)[k % 3])
    found = own_corpus(history_of(tmp_path, lines), floor=20)
    assert found.rest == "other"
    assert set(found.tickets["category"]) == {*SAID, "other"}
    folder = write_corpus(found, None, tmp_path / "c")
    own = held_back(folder.corpus(), rest=found.rest)
    value, low, high, n = own.value("sure enough to answer")
    assert 0 <= low <= value <= high < 1
    assert n == len(found.tickets[found.tickets["split"] == "desk"])
    assert own.value("nonsense")[3] == 0


def test_a_category_of_the_desk_s_own_that_is_called_other_is_the_rest(tmp_path):
    lines = rows(type=lambda k: "Other" if k % 4 == 0 else tuple(SAID)[k % 3] if k % 7 else "Tiny")
    found = own_corpus(history_of(tmp_path, lines), floor=20)
    assert found.rest == "Other"
    assert set(found.tickets["category"]) == {*SAID, "Other"}


def test_emoji_html_and_blank_texts_are_read_as_words(tmp_path):
    lines = rows()
    for k, row in enumerate(lines):
        said, row["subject"] = row["subject"], ""
        kinds = (f"<p>{said} <b>please</b></p><script>{SECRET}()</script>",
                 f"😀 {said} &amp; so on 🎉", "😀😀", "<p> </p>")  # fmt: skip
        row["description"] = kinds[k % 4]
    found = own_corpus(history_of(tmp_path, lines), floor=5)
    whole = "\n".join(found.tickets["text"])
    assert SECRET not in whole
    assert "<" not in whole
    assert "😀" in whole
    assert "60 tickets without any words are left out." in found.notes
    # As a run reads it.
    corpus = write_corpus(found, None, tmp_path / "c").corpus()
    assert len(corpus.texts) == len(found.tickets)


@pytest.mark.parametrize(
    ("change", "choices", "said"),
    [
        ({"texts": False}, {}, "import it again with --texts"),
        ({}, {"floor": 500}, "no column tells two kinds of at least 500 earlier texts each"),
        ({}, {"floor": 500, "by": "tags"}, "(tags: none on so many"),
        ({}, {"by": "colour"}, 'no such column: "colour"'),
        ({}, {"since": pd.Timestamp("2030-01-01").date()}, "all of its texts came before"),
        ({}, {"since": pd.Timestamp("2020-01-01").date()}, "none of its texts came before"),
        ({}, {"held_back": 1.5}, "must lie between 0 and 1"),
    ],
)
def test_what_makes_no_corpus_is_a_clear_fault(tmp_path, change, choices, said):
    lines = rows(60)
    with pytest.raises(ScenarioError) as error:
        own_corpus(history_of(tmp_path, lines, **change), **choices)
    assert said in str(error.value)
    assert SECRET not in str(error.value)
    assert not any(words in str(error.value) for kind in SAID.values() for words in kind)


def test_texts_that_only_repeat_leave_nothing_to_measure_on(tmp_path):
    lines = rows(90, subject=lambda _: "help", description=lambda _: "It is broken")
    with pytest.raises(ScenarioError, match="every later text repeats an earlier one"):
        own_corpus(history_of(tmp_path, lines), floor=5)


def test_a_history_takes_the_categories_of_a_corpus_and_not_of_another_desk_s(folder):
    history = twin.read_history(folder / "history")
    table = pd.DataFrame({"key": ["1", "2"], "category": ["A", "B"]})
    tickets = with_categories(history, table).log.tickets
    assert tickets["category_true"].astype(str).tolist()[:3] == ["A", "B", "other"]
    with pytest.raises(ScenarioError, match="is of another desk"):
        with_categories(history, table.assign(key=["x", "y"]))


ARTICLES = {
    "articles": [
        {"id": 1, "title": "Reset <b>it</b>", "section_id": 7, "locale": "en-us", "draft": False,
         "body": "<h2>Steps</h2><ol><li><p>Open <a href='javascript:x'>settings</a></p></li>"
                 "<li>Press reset<ul><li>or hold</li></ul></li></ol><script>steal()</script>"
                 "<p>&lt;img src=x onerror=steal()&gt; # no heading</p><p># none either</p>"},
        {"id": 2, "title": "Secret", "body": "<p>Draft</p>", "draft": True, "locale": "en-us"},
        {"id": 3, "title": "Zurück", "body": "<p>Etwas</p>", "locale": "de", "draft": False},
        {"id": 4, "title": "Empty", "body": "<p> </p>", "locale": "en-us"},
        {"id": 5, "title": "Late parcel", "body": "<p>Wait a day.</p>", "locale": "en-us"},
    ],
    "sections": [{"id": 7, "name": "LOGIN"}],
}  # fmt: skip


def test_a_help_centre_s_export_is_data_and_its_markup_is_gone(tmp_path):
    found = read_articles(write_json(tmp_path / "help.json", ARTICLES), ["Login", "Billing"])
    assert [(a.title, a.category) for a in found.found] == [
        ("Reset <b>it</b>", "Login"), ("Late parcel", "")
    ]  # fmt: skip
    assert len(found.notes) == 3
    (tmp_path / "a").mkdir()
    for article in found.found:
        (tmp_path / "a" / f"{article.slug}.md").write_text(article.text, encoding="utf-8")
    reset = next(a for a in load_articles(tmp_path / "a") if a.category)
    assert reset.steps[:2] == ("Open settings", "Press reset or hold")
    text = found.found[0].text
    assert "steal()</" not in text
    assert "<img" not in text
    assert "javascript" not in text
    assert "\n# " not in text
    assert load_knowledge(tmp_path / "a").retrieve(["my parcel is late"], 1, 0.1)[0]


def test_a_folder_may_hold_markdown_html_and_plain_text(tmp_path):
    folder = tmp_path / "help" / "login"
    folder.mkdir(parents=True)
    files = {
        "one.md": "---\ntitle: One\ncategory: Billing\n---\nFor <b>one</b>.<!-- x -->\n\n- Do.",
        "two.html": "<head><title>Two</title></head><body><p>Do the second.</p></body>",
        "three.txt": "Three\nDo the third.\n\nAnd wait.",
        "four-and-more.md": "Do the fourth.",
        "five.txt": "\n",
        "six.md": b"\xff\xfe",
        ".hidden.md": "No",
        "seven.pdf": "No",
    }
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / name).write_bytes(data)
    found = read_articles(tmp_path / "help", ["Login", "Billing"])
    assert {(a.title, a.category) for a in found.found} == {
        ("One", "Billing"), ("Two", "Login"), ("Three", "Login"), ("Four and more", "Login")
    }  # fmt: skip
    notes = " ".join(found.notes)
    assert "1 files cannot be read" in notes
    assert "1 articles without" in notes
    assert "<b>" not in "".join(a.text for a in found.found)


def test_articles_of_short_or_equal_names_have_files_of_their_own(tmp_path):
    for name in ("faq.md", "faq.html", "vpn.txt", "con.md", "VPN-设置.md", "VPN-重置.md"):
        words = "<title>FAQ</title><p>Ask.</p>" if name.endswith("html") else "Title\n\nDo it."
        (tmp_path / name).write_text(words, encoding="utf-8")
    slugs = [one.slug for one in read_articles(tmp_path, ["Login"]).found]
    assert len(set(slugs)) == len(slugs) == 6
    assert min(map(len, slugs)) > 4


def test_a_corpus_whose_replacement_was_cut_off_is_there_again(folder, tmp_path):
    words = ("corpus", folder / "history", "--floor", "20", "--out", tmp_path / "c")
    assert run(*words).exit_code == 0
    # As a kill between the two renames leaves it.
    (tmp_path / "c").rename(tmp_path / ".c.old")
    (tmp_path / ".c.part").mkdir()
    assert run(*words).exit_code == 0
    assert not [*tmp_path.glob(".c*")]
    assert open_corpus(tmp_path / "c").split


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"tickets": []}, 'holds no list "articles"'),
        ({"articles": []}, "is empty"),
        ({"articles": [{"title": "", "body": "x"}]}, "no article with a title and words"),
        ("[", "not valid JSON"),
        (None, "no articles"),
    ],
)
def test_articles_that_there_are_not_are_a_fault(tmp_path, data, said):
    path = tmp_path / ("help.json" if data is not None else "empty")
    if data is None:
        path.mkdir()
    elif isinstance(data, str):
        path.write_text(data)
    else:
        write_json(path, data)
    with pytest.raises(ScenarioError) as error:
        read_articles(path)
    assert said in str(error.value)


def test_only_a_corpus_is_replaced(folder, tmp_path):
    words = ("corpus", folder / "history", "--floor", "20", "--out")
    (tmp_path / "mine").mkdir()
    assert run(*words, tmp_path / "mine", "--replace").exit_code == 2
    assert run(*words, tmp_path / "c").exit_code == 0
    assert run(*words, tmp_path / "c").exit_code == 2
    assert run(*words, tmp_path / "c", "--replace", "--since", "2026-04-01").exit_code == 0
    assert open_corpus(tmp_path / "c").split == "2026-04-01"
    assert open_corpus(tmp_path / "c").knowledge() is None
    assert run(*words, tmp_path / "d", "--since", "soon").exit_code == 2
    (tmp_path / "c" / "tickets.csv").unlink()
    with pytest.raises(TwinError, match=r"tickets\.csv is missing"):
        open_corpus(tmp_path / "c")
    with pytest.raises(ScenarioError, match="holds no corpus"):
        open_corpus(tmp_path / "mine")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call +44 20 7946 0958 or 0800/123 456.", "Call (number) or (number)."),
        ("IBAN GB29NWBK60161331926819", "IBAN (number)"),
        ("My name is Jo Smith and I wait", "My name is (name) and I wait"),
        ("hello anna,\nhelp", "hello (name),\nhelp"),
        ("Hello I need help with the app", "Hello I need help with the app"),
        ("Thank you\nplease hurry", "Thank you\nplease hurry"),
        ("Cheers\nJo Smith jo@example.org", "Cheers\n(name) (mail address)"),
        ("Error 502 in version 3.11.7 on 4 phones", "Error 502 in version 3.11.7 on 4 phones"),
        ("order_12345678 is late", "order_(number) is late"),
        ("Dear John and Mary Smith,\nhelp", "Dear (name),\nhelp"),
        ("Hi Anna Smith - my order", "Hi (name) - my order"),
    ],
)
def test_masks(text, expected):
    assert masked(text) == expected


@pytest.mark.parametrize("text", ["<p>" * 5000, "<script>" * 50, "&#" * 999, "<!--", "<svg><p>x"])
def test_broken_markup_breaks_nothing(text):
    assert isinstance(plain(text), str)
    assert isinstance(as_markdown(text)[1], str)
    assert not is_html("plain words")
