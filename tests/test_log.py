"""The log of a run: its tables are frames for who looks at them, and columns for figures."""

import pickle
from dataclasses import replace

import pandas as pd
import pytest

import twin
from twin.measures.levels import levels
from twin.measures.sanity import sanity
from twin.records.columns import RUN_TABLES, TABLES
from twin.records.storage import as_arrow
from twin.records.tables import Columns, RunLog

LOGGED = tuple(name for name in RUN_TABLES if name not in ("levels", "sanity", "kpis"))


@pytest.fixture(scope="module")
def desk():
    return twin.load("scenarios/baseline.toml").vary({"horizon": "2d", "warm_up": "1d"})


@pytest.fixture
def log(desk):
    return twin.simulate(desk, twin.draw(desk))


def test_figures_levels_and_checks_need_no_frame(desk, log):
    twin.measure(log, desk)
    sanity(log, desk)
    levels(log, desk)
    made = [name for name in LOGGED if not isinstance(log.given(name), Columns)]
    assert made == []


def test_a_frame_is_made_once_and_has_the_columns_of_its_table(log):
    for name in LOGGED:
        frame = getattr(log, name)
        assert list(frame) == [column.name for column in TABLES[name]]
        assert getattr(log, name) is frame is log.given(name)


def test_figures_of_frames_are_those_of_columns(desk, log):
    frames = replace(log)
    assert all(isinstance(frames.given(name), pd.DataFrame) for name in LOGGED)
    again = twin.simulate(desk, twin.draw(desk))
    pd.testing.assert_frame_equal(twin.measure(again, desk), twin.measure(frames, desk))
    pd.testing.assert_frame_equal(sanity(again, desk), sanity(frames, desk))


def test_it_goes_to_another_process(log):
    other = pickle.loads(pickle.dumps(log))
    for name in LOGGED:
        pd.testing.assert_frame_equal(getattr(other, name), getattr(log, name))


def test_a_table_may_not_be_left_out_but_for_staffing(log):
    given = {name: getattr(log, name) for name in LOGGED if name not in ("staffing", "visits")}
    with pytest.raises(TypeError, match="visits"):
        RunLog(1.0, **given)
    assert RunLog(1.0, **given, visits=log.visits).staffing.empty


@pytest.mark.parametrize("table", RUN_TABLES)
def test_columns_are_written_as_the_frame_of_them_is(desk, table):
    played = twin.play(desk, 1)
    given = played.given(table)
    frame = given.frame() if isinstance(given, Columns) else given
    assert isinstance(given, Columns) == (table != "levels")
    assert as_arrow(table, 1, given).equals(as_arrow(table, 1, frame))
    assert as_arrow(table, 1, given).schema == as_arrow(table, 1, frame).schema


def test_a_log_goes_to_another_process_as_it_is(log, desk):
    sent = pickle.loads(pickle.dumps(log))
    assert isinstance(sent.given("tickets"), Columns)
    pd.testing.assert_frame_equal(sent.tickets, log.tickets)
    pd.testing.assert_frame_equal(twin.measure(sent, desk), twin.measure(log, desk))
