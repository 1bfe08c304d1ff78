"""Articles as people write them: Markdown and front matter mean here what they mean elsewhere."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import twin
from twin.assistant.knowledge import articles, parsing
from twin.assistant.knowledge.articles import left_out, load_articles
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.common.files import reason
from twin.experiments.checks import notes

PARSE = parsing.parse_article
THREE = ("One", "Two", "Three")


def read(folder, body, matter="title: T"):
    (folder / "a.md").write_text(f"---\n{matter}\n---\n{body}\n", encoding="utf-8")
    (article,) = load_articles(folder)
    return article


@pytest.mark.parametrize(
    "body",
    [
        "Intro.\n\n## Steps\n1. One\n2. Two\n3. Three",
        "Intro.\n\n## Steps\n\n1. One\n\n2. Two\n\n3. Three",
        "Intro.\n\n## Steps\n\n1. One\n\n\n2. Two\n\n\n\n3. Three",
        "Intro.\n\n## Steps\n+ One\n+ Two\n+ Three",
        "Intro.\n\n## Steps\n* One\n\n* Two\n* Three",
        "Intro.\n\n## Steps\n1) One\n2) Two\n3) Three",
        "Intro.\n\n## Steps\n1. One\n1. Two\n1. Three",
        "Intro.\n\n## Steps:\n1. One\n2. Two\n3. Three",
        "Intro.\n\n### STEPS ###\n1. One\n2. Two\n3. Three",
        "Intro.\n\n## **Steps**\n1. One\n2. Two\n3. Three",
        "Intro.\n\nSteps\n-----\n1. One\n2. Two\n3. Three",
        "Intro.\n- a key\n\n## Steps:\n1. One\n2. Two\n3. Three",
        "Intro.\n\n```yaml\nports:\n  - 8080:80\n```\n\n1. One\n2. Two\n3. Three",
        "Intro.\n\n    - code\n\n1. One\n2. Two\n3. Three",
        "~~~\n1. code\n~~~\nIntro.\n\n1. One\n2. Two\n3. Three",
        "<!--\n- old\n-->\n\n1. One\n2. Two\n3. Three",
        "<!-- - old -->\nIntro.\n\n1. One\n2. Two <!-- was Four -->\n3. Three",
        "Intro.\n\n> 1. quoted\n\n1. One\n2. Two\n3. Three",
        "Intro.\n\n## Steps\n\n- One\n- Two\n\n1. Three",
        "Intro.\n\n## Steps\n1. One\n2. Two\n\n<!-- more -->\n\n3. Three",
        "Intro.\n\n## Steps\n   1. One\n   2. Two\n   3. Three",
    ],
)
def test_the_steps_of_a_list_are_all_there_however_it_is_written(tmp_path, body):
    assert read(tmp_path, body).steps == THREE


@pytest.mark.parametrize(
    ("body", "steps"),
    [
        # Parts of an item stay with it.
        ("1. One\n   - a\n   - b\n2. Two", ("One a b", "Two")),
        ("1. One\n\n   More of it.\n\n2. Two", ("One More of it.", "Two")),
        ("1. Run\n\n   ```sh\n   ls\n   ```\n\n2. Two", ("Run ls", "Two")),
        # Code that is not indented parts a numbered list, whose numbers go on.
        ("1. Run\n\n```sh\nls\n```\n\n2. Two", ("Run ls", "Two")),
        ("## Steps\nOn a phone:\n- a\n\nOn the web:\n- b", ("a", "On the web: b")),
        # Without a list the paragraphs.
        ("First this.\n\nThen that.", ("First this.", "Then that.")),
        ("2026. Not a list of years", ("Not a list of years",)),
    ],
)
def test_nothing_of_a_step_is_lost(tmp_path, body, steps):
    assert read(tmp_path, body).steps == steps


def test_the_judge_knows_what_the_prompt_shows(tmp_path):
    article = read(
        tmp_path,
        "Intro.\n\n## Why\nBecause.\n\n## Steps\n1. One\n\nThat is all.\n\n## Else\n- Call\n- Mail",
    )
    assert article.steps == ("One",)
    assert article.closing == "Because. That is all. - Call - Mail"
    known = " ".join([article.summary, *article.steps, article.closing])
    shown = article.body.replace("1. One", "One").split()
    assert {word for word in shown if word.isalpha()} - {"Why", "Steps", "Else"} <= set(
        known.split()
    )


@pytest.mark.parametrize(
    ("said", "phrases"),
    [
        ("- a b\n- c", ("a b", "c")),
        ("- a b\n\n- c\n\n\n- d", ("a b", "c", "d")),
        ("+ a\n* b\n- c", ("a", "b", "c")),
        ("1. a\n\ntext\n\n- b", ("a", "b")),
        ("### more\n- a", ("a",)),
        ("it broke\n\nit is gone", ("it broke", "it is gone")),
        ("<!-- none -->\n- a", ("a",)),
    ],
)
@pytest.mark.parametrize("heading", ["## Customers say", "# customers say:", "Customers say\n---"])
def test_phrases_are_all_there_and_shown_to_nobody(tmp_path, said, phrases, heading):
    article = read(tmp_path, f"Intro.\n\n1. One\n\n{heading}\n{said}")
    assert article.phrases == phrases
    assert (article.body, article.steps, article.closing) == ("Intro.\n\n1. One", ("One",), "")


def test_a_heading_of_the_same_level_ends_the_phrases(tmp_path):
    article = read(tmp_path, "Hi\n\n## Customers say\n- p\n\n## More\nBye [x].\n\n[x]: http://a.b")
    assert article.phrases == ("p",)
    assert article.body == "Hi\n\n## More\nBye [x].\n\n[x]: http://a.b"


def test_comments_are_shown_to_nobody_and_code_is_not_one(tmp_path):
    article = read(
        tmp_path, "A <!-- hidden --> b.\n\n<!--\nold\n-->\n\n```html\n<!-- code -->\n```"
    )
    assert article.body == "A  b.\n\n```html\n<!-- code -->\n```"


@pytest.mark.parametrize(
    ("matter", "title", "category"),
    [
        ("title: 'I can''t log in'", "I can't log in", ""),
        (
            "title: How is\n  an order\n  changed?\ncategory: Orders",
            "How is an order changed?",
            "Orders",
        ),
        ("title: >-\n  Reset\n  it", "Reset it", ""),
        ("title: |\n  Reset\n  it", "Reset it", ""),
        ("title: Reset\ncategory: [Access]", "Reset", "Access"),
        ("title: Reset\ncategory:\n  - Access", "Reset", "Access"),
        ("title: Reset\ncategory: Access # main", "Reset", "Access"),
        ("title: Reset\nseo:\n  title: Help centre\n  category: x", "Reset", ""),
        ("Title : Reset\nCATEGORY: Access", "Reset", "Access"),
        # YAML would make a truth, a day and numbers of these.
        ("title: no\ncategory: 2026-01-05", "no", "2026-01-05"),
        ("title: 1.0\ncategory: 010", "1.0", "010"),
        ("title: 12:30\ncategory: 1e3", "12:30", "1e3"),
        ("title: Reset\ncategory: ~", "Reset", ""),
        ("title: Reset\ncategory: null", "Reset", ""),
        ('title: "Caf\\u00e9: open"', "Café: open", ""),
        ("# a comment\ntitle: Reset", "Reset", ""),
        ("category: &c Access\ntitle: *c", "Access", "Access"),
        ("{title: Reset, category: Access}", "Reset", "Access"),
    ],
)
def test_front_matter_is_yaml_whose_values_stay_texts(tmp_path, matter, title, category):
    article = read(tmp_path, "Text.", matter)
    assert (article.title, article.category) == (title, category)


@pytest.mark.parametrize(
    ("matter", "fault"),
    [
        ("title: Note: this", "line 2: front matter is no YAML.*quotes"),
        ("category: A\ntitle: 'open", "line 3: front matter is no YAML"),
        ("title: [a, b]", "line 2: title must be one text"),
        ("category: A\ntitle:\n  de: Hallo", "line 3: title must be one text"),
        ("title: A\ntitle: B", "line 3: title is given twice"),
        ("title: @home", "line 2: front matter is no YAML"),
        ("title: *nobody", "line 2: front matter is no YAML, found undefined alias"),
        ("title: A\n\ttab: B", "line 3: front matter is no YAML"),
        ("title: A\nx: \x01", "line 3: front matter is no YAML"),
        ("- title", "line 2: front matter must hold lines"),
        ("title: ~", "no title"),
        ("title: A\nx: " + "[" * 3000, "nested too deeply"),
    ],
)
def test_front_matter_that_is_not_understood_is_a_fault_with_its_line(tmp_path, matter, fault):
    with pytest.raises(ScenarioError, match=rf"a\.md: .*{fault}"):
        read(tmp_path, "Text.", matter)


def test_no_front_matter_makes_an_object(tmp_path):
    mark = tmp_path / "made"
    matter = f"title: A\nx: !!python/object/apply:pathlib.Path.touch [{mark}]"
    assert read(tmp_path, "Text.", matter).title == "A"
    assert not mark.exists()


def test_a_comment_that_is_never_closed_is_a_fault(tmp_path):
    with pytest.raises(ScenarioError, match="never closed"):
        read(tmp_path, "Hello\n\n<!-- never\n\n1. One")


# Bad articles among good ones.


@pytest.fixture
def desk(tmp_path):
    folder = tmp_path / "kb"
    folder.mkdir()
    (folder / "good.md").write_text("---\ntitle: Good\ncategory: A\n---\nText.\n")
    (folder / "bad.md").write_text("---\ntitle: Bad: one\n---\nText.\n")
    rows = "".join(f"text {k},A\n" for k in range(6))
    (tmp_path / "corpus.csv").write_text("text,category\n" + rows)
    path = tmp_path / "desk.toml"
    path.write_text(
        'horizon = "2h"\nreplications = 2\narrivals.rate = "6/h"\n'
        'tickets.corpus = "corpus.csv"\nassistant.knowledge = "kb"\n'
        'agents.a = { heads = 1, handle_time = "5min" }\n'
    )
    return path


@pytest.mark.parametrize("command", [["run", "--workers", "1"], ["check"]])
def test_one_bad_article_is_named_before_a_run_and_left_out_when_asked(desk, command):
    out = ["--out", str(desk.parent / "out")] if command[0] == "run" else []
    refused = CliRunner().invoke(app, [command[0], str(desk), *command[1:], *out])
    assert refused.exit_code == 2
    assert "bad.md: line 2: front matter is no YAML" in refused.stderr
    assert "--skip-bad" in refused.stderr
    assert not (desk.parent / "out").exists()
    done = CliRunner().invoke(app, [command[0], str(desk), *command[1:], *out, "--skip-bad"])
    assert done.exit_code == 0, done.stderr
    assert "1 of 2 articles cannot be read and are left out: bad.md" in done.stdout + done.stderr


def test_what_was_left_out_stays_with_the_results(desk):
    scenario = twin.load(desk, {"assistant.skip_bad_articles": True})
    (run,) = twin.run(scenario).runs
    assert (run.whole, run.failed) == (2, 0)
    assert run.notes[0] == notes(scenario)[0] == left_out(desk.parent / "kb")


def test_a_folder_of_bad_articles_alone_is_refused(desk):
    (desk.parent / "kb" / "good.md").unlink()
    with pytest.raises(ScenarioError, match=r"bad\.md"):
        load_articles(desk.parent / "kb", skip_bad=True)


def test_retrieval_is_measured_without_a_bad_article(desk, tmp_path):
    (tmp_path / "q.csv").write_text("question,article\nwhat,good\n")
    command = ["rag", str(tmp_path / "q.csv"), "--knowledge", str(tmp_path / "kb")]
    assert CliRunner().invoke(app, command).exit_code == 2
    done = CliRunner().invoke(app, [*command, "--skip-bad"])
    assert done.exit_code == 0
    assert "1 of 2 articles" in done.stderr


class TestKept:
    """An article is taken apart once and kept by its content; read again, it is the same."""

    @pytest.fixture(autouse=True)
    def kept(self, tmp_path_factory, monkeypatch):
        base = tmp_path_factory.mktemp("cache")
        monkeypatch.delenv("TWIN_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(base))
        forget()
        yield base / "support-desk-twin"
        forget()

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "good.md").write_text(
            "---\ntitle: Grüße\ncategory: A\nfacts:\n  - fact: One.\n    not: [Two.]\n"
            "    main: yes\n"
            "---\nIntro.\n\n1. One\n2. Two\n\n## Customers say\n\n- where is it\n",
            encoding="utf-8",
        )
        (tmp_path / "bad.md").write_text("no front matter", encoding="utf-8")
        return tmp_path

    def test_it_is_not_parsed_again(self, folder, monkeypatch):
        first, told = load_articles(folder, skip_bad=True), left_out(folder)
        assert "bad.md" in told
        assert first[0].facts[0].main
        forget()
        monkeypatch.setattr(parsing, "parse_article", lambda *_: pytest.fail("parsed again"))
        assert load_articles(folder, skip_bad=True) == first
        assert left_out(folder) == told

    @pytest.mark.parametrize("text", ["[]", "[{}, 1]", '{"a": 1}', "[null, null]", "\x00"])
    def test_what_does_not_fit_is_parsed_anew(self, folder, kept, text):
        first = load_articles(folder, skip_bad=True)
        (stored,) = kept.glob("articles-*.npz")
        np.savez(stored, articles=np.frombuffer(text.encode(), dtype=np.uint8))
        forget()
        assert load_articles(folder, skip_bad=True) == first
        np.savez(stored, other=np.zeros(2))
        forget()
        assert load_articles(folder, skip_bad=True) == first


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=80), st.text(max_size=120))
def test_any_article_is_the_same_from_there(title, body):
    text = f"---\ntitle: {json.dumps(title)}\n---\n{body}"
    try:
        made = parsing.parse_article("one", text)
    except ValueError as error:
        made = reason(error)
    entry = json.loads(json.dumps(articles._entries([("one", text)])))[0]
    assert articles._entry(("one", text), entry) == made


def test_a_pair_of_surrogates_is_one_character(tmp_path):
    made = read(tmp_path, "Text.", 'title: "Smile \\ud83d\\ude00"\nfacts: ["\\ud83d\\ude00"]')
    assert made.title == "Smile 😀"
    assert made.facts[0].says == ("😀",)


@pytest.mark.parametrize("matter", ['title: "a \\ud83d"', 'title: A\nfacts: ["a \\ude00"]'])
def test_half_a_pair_is_told(tmp_path, matter):
    with pytest.raises(ScenarioError, match=r"line \d: .* surrogate .* without its pair"):
        read(tmp_path, "Text.", matter)


def forget():
    articles._taken_apart.cache_clear()
    PARSE.cache_clear()
