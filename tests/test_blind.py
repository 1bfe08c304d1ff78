"""Blind rating: pairs without names, votes, the sign test and how often it is wrong."""

import json

import numpy as np
import pytest
from recorded_models import Skill, replies, write
from typer.testing import CliRunner

from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.experiments.blind import NothingToRate, count, pairs_of, read_key, verdict, write_key
from twin.experiments.model_table import read_models
from twin.report import blind as page_of


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blind")
    evil = ("<script>alert(1)</script>",)
    return [
        write(folder / "a.jsonl", replies("secret-one", Skill(0.9), 20, 1, extra=evil)),
        write(folder / "b.jsonl", replies("secret-two", Skill(0.2), 20, 1, seed=5)),
    ]


@pytest.fixture(scope="module")
def made(recordings):
    return pairs_of(*read_models(recordings), most=12, seed=3)


def test_pairs_are_of_different_answers_and_sides_are_drawn(made, recordings):
    first, second = (
        dict(zip(one.table["ticket"], one.table["answer"], strict=True))
        for one in read_models(recordings)
    )
    assert len({pair.ticket for pair in made.pairs}) == len(made.pairs) <= 12
    for pair in made.pairs:
        sides = (first, second) if pair.first_left else (second, first)
        assert (pair.left, pair.right) == tuple(side[pair.ticket] for side in sides)
        assert pair.left != pair.right
    assert {pair.first_left for pair in made.pairs} == {True, False}
    models = read_models(recordings)
    assert pairs_of(*models, most=12, seed=3) == made
    assert pairs_of(*models, most=12, seed=4) != made
    with pytest.raises(NothingToRate):
        pairs_of(models[0], models[0])


def test_the_page_holds_no_name_and_no_side(made):
    html = page_of.page(made)
    for word in ("secret-one", "secret-two", "first", "second"):
        assert word not in html.split("<body")[1].split("<script>")[0]
    assert html.count("<fieldset>") == len(made.pairs)
    assert html.count('type="radio"') == 3 * len(made.pairs)
    assert html.count("<script>") == 1


def votes(path, made, prefer, spoil=None):
    """A file of votes that always prefers a model, "first" or "second", or "equal"."""
    sides = ["left" if pair.first_left == (prefer == "first") else "right" for pair in made.pairs]
    given = ["equal"] * len(sides) if prefer == "equal" else sides
    data = {"pairs": made.ident, "votes": given} | (spoil or {})
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("prefer", ["first", "second"])
def test_votes_count_for_the_model_that_wrote_the_answer(made, tmp_path, prefer):
    key = read_key(write_key(made, tmp_path / "sides.json"))
    found = count(key, [votes(tmp_path / "v.json", made, prefer)])
    n = len(made.pairs)
    wins = {"first": found.first_wins, "second": found.second_wins}
    assert wins[prefer] == n
    assert found.ties == 0
    assert found.p == pytest.approx(2 * 0.5**n)
    assert found.share == float(prefer == "second")


def test_the_majority_of_raters_decides_a_ticket(made, tmp_path):
    key = read_key(write_key(made, tmp_path / "sides.json"))
    files = [
        votes(tmp_path / f"{k}.json", made, prefer)
        for k, prefer in enumerate(("first", "second", "second", "equal"))
    ]
    assert count(key, files).second_wins == len(made.pairs)
    assert count(key, files[:2]).ties == len(made.pairs)
    assert np.isnan(count(key, files[:1]).agreement)
    assert count(key, files[1:3]).agreement == 1.0


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"pairs": "0"}, "other pairs"),
        ({"votes": ["left"]}, "one a pair"),
        ({"votes": None}, "one a pair"),
        ({"votes": [None] * 12}, "not rated"),
    ],
)
def test_votes_that_are_not_whole_are_refused(made, tmp_path, spoil, reason):
    if "votes" in spoil and isinstance(spoil["votes"], list) and len(spoil["votes"]) > 1:
        spoil = {"votes": [None] * len(made.pairs)}
    key = read_key(write_key(made, tmp_path / "sides.json"))
    with pytest.raises(ScenarioError, match=reason):
        count(key, [votes(tmp_path / "v.json", made, "first", spoil)])
    (tmp_path / "x.json").write_text("[")
    for broken in (tmp_path / "x.json", tmp_path / "none.json"):
        with pytest.raises(ScenarioError):
            read_key(broken)


@pytest.mark.parametrize("left", [[], [["first"]], [{}], ["third"], "first", None])
def test_a_file_of_sides_that_was_tampered_with_is_refused(made, tmp_path, left):
    path = write_key(made, tmp_path / "sides.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"left": left}))
    with pytest.raises(ScenarioError, match="not a file of sides"):
        read_key(path)


def test_a_rater_counts_once(made, tmp_path):
    key = read_key(write_key(made, tmp_path / "sides.json"))
    mine = votes(tmp_path / "v.json", made, "first")
    with pytest.raises(ScenarioError, match="given twice"):
        count(key, [mine, tmp_path / "." / "v.json"])


def test_the_sign_test_is_wrong_at_most_one_time_in_twenty_and_its_interval_holds():
    rng = np.random.default_rng(1)
    for n in (12, 40):
        wins = rng.binomial(n, 0.5, 1500)
        wrong = {w: verdict(n - int(w), int(w)).differs for w in set(wins.tolist())}
        assert np.mean([wrong[w] for w in wins.tolist()]) <= 0.05
    for chance in (0.5, 0.75, 0.95):
        held = {}
        for w in range(31):
            found = verdict(30 - w, w)
            held[w] = found.low <= chance <= found.high
        assert np.mean([held[w] for w in rng.binomial(30, chance, 1500).tolist()]) >= 0.94
    assert verdict(0, 0, 3).p == 1.0


def test_the_commands(recordings, tmp_path, made):
    call = CliRunner().invoke
    page = tmp_path / "rate.html"
    options = ["--out", str(page), "--pairs", "12", "--seed", "3"]
    shown = call(app, ["blind", *map(str, recordings), *options])
    assert shown.exit_code == 0, shown.output
    sides = tmp_path / "rate.sides.json"
    mine = votes(tmp_path / "v.json", made, "first")
    told = call(app, ["votes", str(sides), str(mine)])
    assert told.exit_code == 0, told.output
    assert f"secret-one won {len(made.pairs)}, secret-two 0, 0 ties" in told.stdout
    assert "they differ" in told.stdout
    as_data = json.loads(call(app, ["votes", str(sides), str(mine), "--json"]).stdout)
    assert (as_data["first"], as_data["second_wins"]) == ("secret-one", 0)
    equal = [votes(tmp_path / f"{k}.json", made, "equal") for k in "ab"]
    told = call(app, ["votes", str(sides), *map(str, equal)]).stdout
    assert "2 raters gave one vote to all pairs" in told
    assert "nan" not in told
    assert call(app, ["blind", str(recordings[0]), "--out", str(page)]).exit_code == 2
