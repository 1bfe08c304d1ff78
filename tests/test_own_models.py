"""Models outside the catalogue: in a scenario, in a file, and over what the catalogue says."""

from datetime import date

import numpy as np
import pytest
from typer.testing import CliRunner

from twin.assistant import catalogue
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.experiments.checks import check
from twin.experiments.run import run
from twin.scenario.file import load
from twin.scenario.model import from_data

SHIPPED = catalogue.model("openai/gpt-oss-20b")
# The catalogue's own figures, under another name.
TWIN_OF_IT = {
    "context": SHIPPED.context,
    "tokens_per_s": SHIPPED.tokens_per_s,
    "input_tokens_per_s": SHIPPED.input_tokens_per_s,
    "queue": f"{SHIPPED.queue_s}s",
    "price_in": SHIPPED.price_in,
    "price_out": SHIPPED.price_out,
    "limits": {"rpm": 1000, "tpm": 250_000},
    "reasoning_tokens": SHIPPED.reasoning_tokens,
}


def desk(**more):
    return {
        "horizon": "4h",
        "replications": 1,
        "arrivals": {"rate": "30/h"},
        "agents": {"all": {"heads": 3, "handle_time": "5min"}},
        "assistant": {"role": "full", "backend": "profile"},
        **more,
    }


def test_a_model_with_the_figures_of_a_shipped_one_plays_as_that_one():
    own = desk(models={"mine/a": TWIN_OF_IT})
    own["assistant"] = {**own["assistant"], "model": "mine/a"}
    theirs, mine = (run(from_data(d), keep_logs=True).log("scenario", 0) for d in (desk(), own))
    assert set(mine.calls["model"]) == {"mine/a"}
    columns = [name for name in theirs.calls.columns if name != "model"]
    assert mine.calls[columns].equals(theirs.calls[columns])
    assert mine.calls["cost_usd"].gt(0).all()
    assert mine.tickets.equals(theirs.tickets)
    assert not mine.notes


def test_given_keys_go_over_those_of_the_catalogue():
    own = from_data(desk(models={"openai/gpt-oss-20b": {"price_in": 1.0, "retired": "2026-01-01"}}))
    model = catalogue.model("openai/gpt-oss-20b", own.models)
    assert model.price_in == 1.0
    assert model.price_out == SHIPPED.price_out
    assert model.is_retired(date(2026, 1, 1))
    assert catalogue.model("openai/gpt-oss-20b").price_in == SHIPPED.price_in


def test_prices_that_nobody_gave_are_unknown_and_limits_that_nobody_gave_are_none():
    own = from_data(desk(models={"mine": {"context": 4096, "tokens_per_s": 20.0}})).models
    model = catalogue.model("mine", own)
    catalogue._warn_once.cache_clear()
    with pytest.warns(catalogue.PriceWarning, match='"mine" is not known'):
        assert np.isnan(model.cost_usd(1, 1))
    assert model.limits("developer") == catalogue.Limits()
    # As it writes: 100 tokens in and 100 out at 20 a second, without a queue.
    assert catalogue.latency_s(model, [100], [100], [0.3]).tolist() == [10.0]


@pytest.mark.parametrize(
    ("models", "key", "reason"),
    [
        ({"mine": {"context": 4096}}, "models.mine.tokens_per_s", "must be given"),
        (
            {"mine": {"context": 1, "tokens_per_s": 1.0, "successor": "openai/gpt-oss-20c"}},
            "models.mine.successor",
            "not in the catalogue",
        ),
    ],
)
def test_what_shows_only_beside_the_catalogue_is_a_fault(models, key, reason):
    data = desk(models=models)
    data["assistant"] = {**data["assistant"], "model": "mine"}
    with pytest.raises(ScenarioError) as caught:
        check(from_data(data))
    assert [(f.key, f.reason) for f in caught.value.faults] == [(key, reason)]


@pytest.mark.parametrize(
    "entry",
    [{"context": 0}, {"tokens_per_s": 0.0}, {"price_in": -1.0}, {"limits": {"rpm": 0}}, {"x": 1}],
)
def test_wrong_figures_are_faults_of_their_keys(entry):
    with pytest.raises(ScenarioError) as caught:
        from_data(desk(models={"mine": {"context": 1, "tokens_per_s": 1.0} | entry}))
    assert caught.value.faults[0].key.startswith("models.mine")


def test_names_hold_no_spaces():
    with pytest.raises(ScenarioError, match="models"):
        from_data(desk(models={"my model": {"context": 1, "tokens_per_s": 1.0}}))


@pytest.fixture
def files(tmp_path):
    """A file of models, and a scenario that names it and one of them."""
    (tmp_path / "models.toml").write_text('["mine/a"]\ncontext = 4096\ntokens_per_s = 20\n')
    path = tmp_path / "own.toml"
    path.write_text(
        'models = "models.toml"\narrivals.rate = "6/h"\n'
        'agents.all = { heads = 1, handle_time = "5min" }\n'
        'assistant = { role = "full", backend = "profile", model = "mine/a" }\n'
    )
    return path


def test_a_file_of_models_stands_in_the_scenario_as_its_tables(files):
    read = load(files)
    assert read.models["mine/a"].context == 4096
    assert from_data(read.as_data()).models == read.models
    other = load(files, {"models": str(files.parent / "models.toml")})
    assert other.models == read.models
    (files.parent / "more.toml").write_text(
        'extends = "own.toml"\n[models."mine/a"]\nprice_in = 0.0\n'
    )
    more = load(files.parent / "more.toml").models["mine/a"]
    assert (more.context, more.price_in) == (4096, 0.0)


def test_a_file_of_models_that_is_not_there_is_named(files):
    (files.parent / "models.toml").unlink()
    with pytest.raises(ScenarioError, match="no such file"):
        load(files)


def test_the_command_line_takes_a_model_and_lists_it(files):
    call = CliRunner().invoke
    listed = call(app, ["models", str(files)])
    assert "mine/a" in listed.stdout
    assert "unknown" in listed.stdout
    keys = ["--set", "assistant.model=local-q4", "--set", "models.local-q4.context=2048"]
    good = call(app, ["check", str(files), *keys, "--set", "models.local-q4.tokens_per_s=30"])
    assert good.exit_code == 0, good.output
    bad = call(app, ["check", str(files), *keys])
    assert bad.exit_code == 2
    assert "models.local-q4.tokens_per_s" in bad.output
