"""Back test: a pinned scenario gives the tables that it gave before.

Every key of tests/data/backtest.toml is given, so that no changed default reaches it. A change of
the desk that is meant to change results rewrites the stored tables, and the difference is there to
be read in the commit:

    python tests/test_backtest.py --rewrite
"""

import argparse
import io
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel

from twin.experiments.replication import play
from twin.records.columns import RUN_TABLES
from twin.scenario.file import load

DATA = Path(__file__).parent / "data"
STORED = DATA / "backtest"
REWRITE = "if this change is meant, run: python tests/test_backtest.py --rewrite"


def tables():
    """All tables of the pinned run as CSV text."""
    played = play(load(DATA / "backtest.toml"))
    found = {}
    for name in RUN_TABLES:
        frame = getattr(played if hasattr(played, name) else played.log, name)
        # The wording of prompts has its own test; a new version of it changes nothing here.
        frame = frame.drop(columns="prompt_version", errors="ignore")
        # Bytes, that `test_texts` looks into.
        frame = frame.drop(columns="by_text", errors="ignore")
        found[name] = frame.to_csv(index=False, lineterminator="\n")
    return found


@pytest.fixture(scope="module")
def found():
    return tables()


@pytest.mark.parametrize("name", RUN_TABLES)
def test_the_pinned_run_gives_the_stored_tables(found, name):
    stored = (STORED / f"{name}.csv").read_text(encoding="utf-8")
    old, new = (pd.read_csv(io.StringIO(text)) for text in (stored, found[name]))
    assert list(new) == list(old), REWRITE
    assert len(new) == len(old), REWRITE
    pd.testing.assert_frame_equal(new, old, rtol=1e-9, atol=1e-9, obj=f"{name} ({REWRITE})")


def test_nothing_is_stored_that_is_no_table():
    assert {path.stem for path in STORED.iterdir()} == set(RUN_TABLES)


def unset(section, where=""):
    """Keys that a section leaves to their defaults. None is left: TOML has no word for it."""
    for name in type(section).model_fields:
        value, key = getattr(section, name), f"{where}{name}"
        if name not in section.model_fields_set and value is not None:
            yield key
        inside = value.values() if isinstance(value, dict) else value
        for part in inside if isinstance(value, dict | list) else [value]:
            if isinstance(part, BaseModel):
                yield from unset(part, f"{key}.")


def test_every_key_is_given_so_that_no_default_reaches_the_run():
    assert list(unset(load(DATA / "backtest.toml"))) == []


def test_the_pinned_run_holds_some_of_everything(found):
    for word in ("Pending Review", "Reopened", "Abandoned", "Closed", "Escalated"):
        assert word in found["timeline"]
    for word in ("triage", "review", "handed over", "abandoned", "open", "done"):
        assert word in found["visits"]
    for word in ("gemma-7b-it", "outage", "ok"):
        assert word in found["calls"]
    for word in ("reviewed draft", "assistant", "agent"):
        assert word in found["tickets"]


def rewrite():
    STORED.mkdir(exist_ok=True)
    for name, text in tables().items():
        (STORED / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rewrite", action="store_true", help="store what the run gives now")
    if parser.parse_args().rewrite:
        rewrite()
    else:
        parser.print_help()
