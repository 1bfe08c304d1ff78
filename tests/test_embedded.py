import importlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from tests.live_desk import desk_data
from twin.assistant import backends, catalogue, embedded, prompts
from twin.assistant.classifier import Classifier
from twin.assistant.embedded import write_answer, write_generic
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.protocol import OK, REFUSED, Luck, Questions
from twin.demand.corpus import Corpus, load_corpus
from twin.scenario.model import Scenario

SCENARIOS = Path(__file__).parents[1] / "scenarios"
CATEGORIES = ("Login", "Payment", "Shipping")
TRAIN = {
    "Login": ["I forgot my password", "cannot log in to my account", "sign-in says wrong password"],
    "Payment": ["my card was declined", "the bank refused my payment", "charged twice on my card"],
    "Shipping": ["where is my parcel", "the delivery is late", "tracking shows no parcel"],
}
DESK = {
    "Login": ["the password is not accepted when I sign in"],
    "Payment": ["payment by card does not go through at my bank"],
    "Shipping": ["my parcel has not been delivered"],
}
ARTICLE = """---
title: {title}
category: {category}
---
{summary}

## Steps
{steps}
"""


@pytest.fixture(autouse=True, scope="module")
def _cache_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("articles")
    for slug, category, title, steps in (
        ("reset", "Login", "Reset your password", ["Press Forgot password.", "Follow the link."]),
        ("card", "Payment", "Card is declined", ["Check the card number.", "Ask your bank."]),
        ("parcel", "Shipping", "Track a parcel", ["Open your orders.", "Press Track parcel."]),
    ):
        listed = "\n".join(f"{k}. {step}" for k, step in enumerate(steps, 1))
        text = ARTICLE.format(title=title, category=category, summary=title, steps=listed)
        (path / f"{slug}.md").write_text(text, encoding="utf-8")
    return path


def corpus():
    rows = [(text, name, True) for name, texts in TRAIN.items() for text in texts]
    rows += [(text, name, False) for name, texts in DESK.items() for text in texts]
    texts, names, train = zip(*rows, strict=True)
    index = np.array([CATEGORIES.index(name) for name in names])
    articles = tuple({"Login": "reset", "Payment": "card", "Shipping": "parcel"}[n] for n in names)
    zeros = np.zeros(len(rows), int)
    return Corpus(texts, CATEGORIES, index, zeros, articles, np.array(train))


def scenario(folder=None, **settings):
    data = {"role": "full", "backend": "embedded", "floor": -1.0, **settings}
    if folder is not None:
        data["knowledge"] = str(folder)
    return Scenario.model_validate({"arrivals": {"rate": "6/h"}, "assistant": data})


def questions(step, texts, category=None, categories=CATEGORIES, seed=0, rows=None):
    rows = np.arange(len(texts)) if rows is None else np.asarray(rows, int)
    luck = Luck.drawn(len(rows), np.random.default_rng(seed))
    zeros = np.zeros(len(rows), int)
    if step == "respond" and category is None:
        category = zeros
    return Questions(step, categories, texts, rows, category, zeros, np.arange(len(rows)), luck)


@pytest.mark.parametrize("with_articles", [True, False])
def test_held_back_tickets_are_categorized(folder, with_articles):
    assistant = backends.build(scenario(folder if with_articles else None), CATEGORIES, corpus())
    texts = [text for texts in DESK.values() for text in texts]
    given_answers = assistant.answer(questions("categorize", texts))
    assert given_answers.category.tolist() == [0, 1, 2]
    assert (given_answers.confidence > 1 / 3).all()
    assert (given_answers.confidence <= 1).all()
    assert (given_answers.outcome == OK).all()


def test_only_train_rows_are_learnt(folder):
    known = corpus()
    other = Corpus(
        tuple(t if on else "parcel " * 9 for t, on in zip(known.texts, known.train, strict=True)),
        *(getattr(known, name) for name in ("categories", "category", "priority", "article")),
        known.train,
    )
    asked = questions("categorize", ["how do I pay?"])
    one = backends.build(scenario(folder), CATEGORIES, known).answer(asked)
    two = backends.build(scenario(folder), CATEGORIES, other).answer(asked)
    np.testing.assert_array_equal(one.confidence, two.confidence)


def test_a_category_never_seen_is_matched_by_its_name():
    categories = (*CATEGORIES, "Gift vouchers")
    assistant = backends.build(scenario(), categories, corpus())
    asked = questions("categorize", ["question on gift vouchers"], categories=categories)
    assert assistant.answer(asked).category.tolist() == [3]
    # And with nothing to learn from at all.
    blank = backends.build(scenario(), categories)
    assert blank.answer(asked).category.tolist() == [3]


def test_one_category_is_always_chosen():
    classifier = Classifier(("Only",), ["some text"], np.array([0]))
    category, confidence = classifier.classify(["anything", ""])
    assert category.tolist() == [0, 0]
    assert confidence.tolist() == [1, 1]


def test_confidence_is_about_the_chance_of_being_right():
    # Two topics, a third of the labels wrong: nobody agrees with more than 2 in 3 of them.
    rng = np.random.default_rng(1)
    topics = (["password", "login", "account"], ["parcel", "delivery", "courier"])
    truth = rng.integers(0, 2, 400)
    texts = [
        f"{rng.choice(topics[t])} {rng.choice(topics[t])} number {k}" for k, t in enumerate(truth)
    ]
    labels = np.where(rng.random(400) < 1 / 3, 1 - truth, truth)
    classifier = Classifier(("One", "Two"), texts[:300], labels[:300])
    category, confidence = classifier.classify(texts[300:])
    assert (category == truth[300:]).mean() > 0.8
    right = (category == labels[300:]).mean()
    # Four standard errors of a share of 100.
    assert confidence.mean() == pytest.approx(right, abs=0.19)
    assert confidence.mean() < 0.8
    assert classifier.accuracy == pytest.approx(right, abs=0.19)


def test_the_answer_quotes_the_best_article(folder):
    assistant = backends.build(scenario(folder), CATEGORIES, corpus())
    texts = [text for texts in DESK.values() for text in texts]
    asked = questions("respond", texts, np.array([0, 1, 2]))
    given_answers = assistant.answer(asked)
    written = [given_answers.texts[k] for k in given_answers.written]
    assert [w.articles[0] for w in written] == ["reset", "card", "parcel"]
    assert written[0].text == (
        "Reset your password:\n1. Press Forgot password.\n2. Follow the link."
    )
    assert all(len(w.articles) == len(w.scores) == 3 for w in written)
    # The tokens are those of the real prompt and answer.
    index = load_knowledge(folder)
    articles = [index.articles[slug] for slug in written[0].articles]
    messages = prompts.respond_messages(texts[0], "Login", articles)
    assert given_answers.prompt_tokens[0] == prompts.count_tokens(messages)
    assert given_answers.completion_tokens[0] == prompts.count_tokens(written[0].text)
    model = catalogue.model("openai/gpt-oss-20b")
    expected = catalogue.latency_s(
        model, given_answers.prompt_tokens, given_answers.completion_tokens, asked.luck.latency
    )
    np.testing.assert_array_equal(given_answers.latency_s, expected)


def test_without_retrieval_the_answer_is_generic(folder):
    assistant = backends.build(scenario(folder, retrieval=False), CATEGORIES, corpus())
    (written,) = assistant.answer(questions("respond", ["my card"], np.array([1]))).texts
    assert written.articles == ()
    assert "Payment" in written.text
    assert "number" not in written.text


@given(st.integers(1, 60))
def test_answers_end_at_a_step_and_keep_to_their_length(max_tokens):
    steps = [f"Step {k}: do this and that." for k in range(1, 8)]
    article = _article("A title", steps, "Call us.")
    text = write_answer(article, max_tokens)
    assert prompts.count_tokens(text) <= max_tokens
    whole = write_answer(article, 10_000)
    assert whole.endswith("If this does not help: Call us.")
    assert whole.startswith(text)
    if max_tokens >= 2:
        assert text in whole
        assert whole[len(text) :][:1] in ("", "\n")
    assert prompts.count_tokens(write_generic("Payment", max_tokens)) <= max_tokens


def _article(title, steps, closing):
    from twin.assistant.knowledge.article import Article

    return Article("slug", title, "Login", "body", "", tuple(steps), closing)


_built = []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(st.characters(codec=None), max_size=40), min_size=1, max_size=6), st.data())
def test_any_text_gets_an_answer_that_the_batch_does_not_change(folder, texts, data):
    if not _built:
        _built.append(backends.build(scenario(folder), CATEGORIES, corpus()))
    assistant = _built[0]
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=8))
    for step in ("categorize", "respond"):
        category = np.array(rows) % 3
        together = assistant.answer(questions(step, texts, category, rows=rows))
        for k, row in enumerate(rows):
            alone = assistant.answer(questions(step, texts, category[k : k + 1], rows=[row]))
            assert alone.prompt_tokens[0] == together.prompt_tokens[k]
            assert alone.completion_tokens[0] == together.completion_tokens[k]
            if step == "categorize":
                assert alone.category[0] == together.category[k]
                assert alone.confidence[0] == together.confidence[k]
            else:
                assert alone.texts[0] == together.texts[together.written[k]]


def test_a_prompt_beyond_the_models_context_is_refused(folder):
    assistant = backends.build(scenario(folder), CATEGORIES, corpus(), model="gemma-7b-it")
    texts = ["my card", "my card " * 5_000]
    for step in ("categorize", "respond"):
        assert assistant.answer(questions(step, texts)).outcome.tolist() == [OK, REFUSED]


def test_no_questions_no_answers(folder):
    assistant = backends.build(scenario(folder), CATEGORIES, corpus())
    for step in ("categorize", "respond"):
        assert len(assistant.answer(questions(step, [])).outcome) == 0


def test_questions_of_other_categories_are_refused(folder):
    assistant = backends.build(scenario(folder), CATEGORIES, corpus())
    with pytest.raises(ValueError, match="categories"):
        assistant.answer(questions("categorize", ["x"], categories=("A", "B", "C")))


def test_an_assistant_goes_to_a_worker_and_answers_the_same(folder):
    assistant = backends.build(scenario(folder), CATEGORIES, corpus())
    sent = pickle.loads(pickle.dumps(assistant))
    asked = questions("categorize", ["my card"])
    assert sent.answer(asked).confidence == assistant.answer(asked).confidence


@pytest.mark.parametrize("backend", ["groq", "replay"])
def test_a_backend_that_is_not_there_is_named(backend, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(backends, "import_module", missing)
    assert importlib.import_module is not missing
    with pytest.raises(ValueError, match=rf"cannot run here.*{backend}"):
        backends.build(scenario(backend=backend), CATEGORIES)


def test_an_unknown_model_is_named():
    with pytest.raises(ValueError, match="unknown model"):
        backends.build(scenario(), CATEGORIES, corpus(), model="gpt-oss-21b")


def test_a_text_of_two_words_is_matched_by_the_name_of_its_category():
    corpus = load_corpus(SCENARIOS / "corpus" / "tickets.csv")
    texts = [text for text, train in zip(corpus.texts, corpus.train, strict=True) if train]
    knowledge = load_knowledge(SCENARIOS / "knowledge")
    known = Classifier(corpus.categories, texts, corpus.category[corpus.train], knowledge)
    found = known.classify(["login issue", "payment issue", "delivery problem"])[0]
    assert [corpus.categories[k] for k in found] == [
        "Authentication/Login Issues",
        "Payment Issues",
        "Shipping and Delivery",
    ]


def test_answers_are_shared_only_where_all_that_makes_them_is_the_same(tmp_path):
    (tmp_path / "other").mkdir()
    base, other = desk_data(tmp_path), desk_data(tmp_path / "other")
    card = Path(other["assistant"]["knowledge"]) / "card.md"
    card.write_text(card.read_text().replace("Try another card.", "Call your bank now."))
    corpus = Path(other["tickets"]["corpus"])
    corpus.write_text(corpus.read_text().replace("please,Other", "please,Payment"))
    asked = [{}, {"knowledge": other["assistant"]["knowledge"]}, {"floor": 0.99}, {"articles": 2},
             {"max_tokens": {"respond": 20}}, {"max_tokens": {"categorize": 5}},
             {"retrieval": False}, {"model": "openai/gpt-oss-120b"}]  # fmt: skip
    base["horizon"] = "8h"
    desks = [base | {"assistant": base["assistant"] | keys} for keys in asked]
    desks.append(base | {"tickets": other["tickets"]})

    def played(desk):
        log = twin.play(twin.from_data(desk)).log
        return log.tickets, log.answers, log.calls

    def forget():
        embedded._memory.cache_clear()
        embedded.classifier_of.cache_clear()

    fresh = []
    for desk in desks:
        forget()
        fresh.append(played(desk))
    forget()
    # The desks played before must not change what this one gets.
    for k, desk in enumerate(desks):
        assert all(a.equals(b) for a, b in zip(played(desk), fresh[k], strict=True)), k
    assert sum(not told[1].equals(fresh[0][1]) for told in fresh) >= 3
