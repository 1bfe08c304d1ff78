"""A calibrated desk attacked key by key, its versions and tables, and a wrong history beside it."""

import copy
import json
import math
import re
import tomllib

import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import TwinError
from twin.common.files import checksum
from twin.common.toml import dump
from twin.experiments.checks import check
from twin.history.fidelity import words
from twin.history.fidelity.records import Records
from twin.report.fidelity import write

EVIL = '<script>alert("x")</script> "] \n[evil]\nx = 1 $(touch y) \x1b[31m {{7*7}} =1+1'
# As `twin calibrate` writes it, of each kind of key one.
DATA = {
    "question": "How does this desk go on as it is?", "time_zone": "UTC", "start": "2026-03-11",
    "horizon": "2d", "replications": 2,
    "customers": {
        "survey_rate": 0.0, "solved": {"agent": 1.0},
        "patience": {"distribution": "exponential", "mean": "356s"},
        "patience_by_category": {"Short": {"distribution": "exponential", "mean": "352s"}},
    },
    "routing": {"wait_bonus": "0s"},
    "agents": {"agents": {
        "shifts": [{"days": "Mon", "start": "08:00", "end": "18:00", "heads": 3.97},
                   {"days": "Tue-Sun", "start": "08:00", "end": "18:00", "heads": 4.1}],
        "handle_time": {"distribution": "empirical", "file": "handle.csv", "column": "seconds",
                        "unit": "1s"},
        "away": {"after_touch": 0.5879, "while_idle": "8/h", "returns": "12.94/h",
                 "returns_per_queued": "20.61/h"},
    }},
    "arrivals": {"kind": "hourly", "rate": "9.13372/h",
                 "week": {"hours": [0.0] * 8 + [1.0] * 10 + [0.0] * 6}},
    "tickets": {"category_mix": {"Long": 0.25, "Short": 0.75}},
    "evidence": {"volume": "follows from the data: waits follow the load.",
                 "staffing": "RESTS ON AN ASSUMPTION: who was there is not told.",
                 "assumed": ["customers.solved.agent"]},
    "uncertainty": {"file": "versions.json"},
}  # fmt: skip
VERSIONS = {
    "days": ["2026-03-09", "2026-03-10"],
    "numbers": [
        {"key": ["arrivals", "rate"], "calibrated": "0.0025371444444444446/s",
         "versions": ["0.0025/s", "0.0026/s"]},
        {"key": ["agents", "agents", "shifts", "*", "heads"], "calibrated": [3.97, 4.1],
         "versions": [[3.9, 4.0], [4.0, 4.2]]},
        {"key": ["tickets", "category_mix", "Long"], "calibrated": 0.25, "versions": [0.2, 0.3]},
    ],
}  # fmt: skip
BAD = (-1.0, math.nan, math.inf, "nonsense", [], True, [{"x": 1}], {"x": {}})
# Sentences, which are data: any text may stand there.
TEXTS = ("question", "evidence.volume", "evidence.staffing")


def leaves(data, at=()):
    for key, value in data.items() if isinstance(data, dict) else enumerate(data[:1]):
        here = (*at, key)
        if isinstance(value, dict | list):
            yield from leaves(value, here)
        yield here


def desk(folder, data=DATA, versions=VERSIONS):
    """The calibrated desk, its versions and its table, in a folder."""
    (folder / "handle.csv").write_text("seconds\n60.0\n240.0\n500.0\n")
    sealed = (
        {**versions, "checksum": checksum(versions)} if isinstance(versions, dict) else versions
    )
    (folder / "versions.json").write_text(json.dumps(sealed))
    path = folder / "desk.toml"
    path.write_text(dump(data), encoding="utf-8")
    return path


def read(path):
    """All that a run reads before it plays."""
    scenario = twin.load(path)
    check(scenario)
    return scenario


def put(data, at, value):
    changed = copy.deepcopy(data)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


def test_it_is_sound_before_it_is_attacked(tmp_path):
    assert read(desk(tmp_path)).evidence.volume.startswith("follows")


@pytest.mark.parametrize("at", list(leaves(DATA)), ids=lambda at: ".".join(map(str, at)))
def test_a_key_of_a_bad_value_is_named_with_what_is_allowed(at, tmp_path):
    key = ".".join(str(part) for part in at)
    last = next(str(part) for part in reversed(at) if isinstance(part, str))
    for bad in BAD:
        if isinstance(bad, str) and key in TEXTS:
            continue
        if bad == [] and key in ("agents.agents.shifts", "evidence.assumed"):
            # No shift, and nothing assumed, are data.
            continue
        with pytest.raises(TwinError) as told:
            read(desk(tmp_path, put(DATA, at, bad)))
        said = str(told.value)
        assert last in said
        # What was given is shown on its line, or what is allowed is said.
        assert len(said.split("; ")[0]) > len(last) + 10
        assert "Error" not in said
        assert "Traceback" not in said


@pytest.mark.parametrize("at", list(leaves(DATA)), ids=lambda at: ".".join(map(str, at)))
def test_a_key_that_is_unknown_is_named_with_the_nearest(at, tmp_path):
    if not isinstance(at[-1], str) or at[-2:-1] in (("category_mix",), ("patience_by_category",)):
        return
    if at[:-1] == ("agents",):
        return
    changed = put(DATA, (*at[:-1], f"{at[-1]}x"), 1)
    with pytest.raises(TwinError, match=f"{at[-1]}x"):
        read(desk(tmp_path, changed))


def changed_versions(change):
    data = copy.deepcopy(VERSIONS)
    change(data)
    return data


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d.pop("numbers"), "numbers must be a list of at least one"),
    (lambda d: d.update(numbers=[]), "numbers must be a list of at least one"),
    (lambda d: d.update(numbers={"a": 1}), "numbers must be a list"),
    (lambda d: d.update(numbers=["x"]), r"numbers\[0\]: key must be a list of names"),
    (lambda d: d["numbers"][1].pop("key"), r"numbers\[1\]: key must be a list of names"),
    (lambda d: d["numbers"][1].update(key="agents"), r"numbers\[1\]: key must be a list of names"),
    (lambda d: d["numbers"][1].update(key=[]), r"numbers\[1\]: key must be a list of names"),
    (lambda d: d["numbers"][2].pop("calibrated"), "category_mix.Long: calibrated must be a number"),
    (lambda d: d["numbers"][2].update(versions=[]), "Long: versions must be a list of at least"),
    (lambda d: d["numbers"][2].update(versions="x"), "Long: versions must be a list of at least"),
    (lambda d: d["numbers"][0]["versions"].pop(), "not as many values of each number"),
    (lambda d: d["numbers"][0]["versions"].append("1/s"), "not as many values of each number"),
    (lambda d: d["numbers"][0].update(versions=["1/s", None]), "rate: version 2 must be a text"),
    (lambda d: d["numbers"][0].update(versions=["1/s", 2.0]), "rate: version 2 must be a text"),
    (lambda d: d["numbers"][0].update(versions=["1/s", "soon"]), "rate: must be a rate with its"),
    (lambda d: d["numbers"][0].update(versions=["1/s", "-1/s"]), "rate: must be a rate with its"),
    (lambda d: d["numbers"][2].update(versions=[0.2, math.nan]), "Long: version 2 must be a num"),
    (lambda d: d["numbers"][2].update(versions=[0.2, True]), "Long: version 2 must be a number"),
    (lambda d: d["numbers"][2].update(versions=[0.2, -1.0]), "category_mix.Long: must be at least"),
    (lambda d: d["numbers"][1]["versions"][1].pop(), r"heads: version 2 must be a list as long as"),
    (lambda d: d["numbers"][1]["versions"][1].append(1.0), r"heads: version 2 must be a list as"),
    (lambda d: d["numbers"][1].update(versions=[[1, 2], 1.0]), "heads: version 2 must be a list"),
    (lambda d: d["numbers"][1]["versions"][0].__setitem__(1, math.inf), "heads: version 1 must be"),
    (lambda d: [one.update(calibrated=one["versions"][0], key=[
        "line" if part == "agents" and k else part for k, part in enumerate(one["key"])
    ]) for one in d["numbers"]], r"uncertainty\.file: holds versions of another desk"),
])  # fmt: skip
def test_versions_of_another_shape_are_refused_with_their_place(tmp_path, change, said):
    path = desk(tmp_path, versions=changed_versions(change))
    with pytest.raises(TwinError, match=said):
        read(path)


@pytest.mark.parametrize("versions", [[], "text", 3, None])
def test_a_file_that_is_no_versions_is_refused(tmp_path, versions):
    with pytest.raises(TwinError, match=r"versions\.json is damaged: no versions of a desk"):
        read(desk(tmp_path, versions=versions))


def test_versions_that_were_edited_or_are_gone_are_refused(tmp_path):
    path = desk(tmp_path)
    file = tmp_path / "versions.json"
    text = file.read_text()
    file.write_text(text.replace("0.0026/s", "0.0027/s"))
    with pytest.raises(TwinError, match="its checksum differs; if it was changed on purpose"):
        read(path)
    file.unlink()
    with pytest.raises(TwinError, match=r"uncertainty\.file: no such file"):
        read(path)


@pytest.mark.parametrize(("rows", "said"), [
    ("", "it is empty"), ("seconds\n", "holds no values"), ("minutes\n60\n", 'no column "seconds"'),
    ("seconds\n60,1,2\n", "more cells than its first line"), ("seconds\nnan\n", 'line 2 has "nan"'),
    ("seconds\n60\n-3\n", 'line 3 has "-3"'), ("seconds\ninf\n", 'line 2 has "inf"'),
])  # fmt: skip
def test_a_table_that_was_changed_is_refused_with_its_line(tmp_path, rows, said):
    path = desk(tmp_path)
    (tmp_path / "handle.csv").write_text(rows)
    with pytest.raises(TwinError, match=r"handle_time: .*") as told:
        read(path)
    assert said in str(told.value)
    # A column more is not read.
    (tmp_path / "handle.csv").write_text("note,seconds\nx,60\n")
    assert read(path)


def week(name="Short"):
    data = {
        "start": "2026-03-02", "horizon": "14d", "arrivals": {"rate": "4/h"},
        "tickets": {"category_mix": {name: 0.5, "Other": 0.5}},
        "agents": {"all": {"heads": 1, "handle_time": "10min",
                           "handle_times": {name: "5min"}}},
        "evidence": {"volume": EVIL, "staffing": EVIL},
    }  # fmt: skip
    return twin.from_data(data)


@pytest.fixture(scope="module")
def hostile():
    """A twin whose texts and names are hostile, beside records of it."""
    scenario = week(EVIL.replace("\n", " ").replace("\x1b", ""))
    return scenario, Records(twin.simulate(scenario, twin.draw(scenario, 9)), scenario)


def test_names_and_sentences_are_data_on_the_page_and_in_files(hostile, tmp_path):
    scenario, records = hostile
    found = twin.fidelity(scenario, records)
    page = write(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "\x1b" not in page
    # As TOML it is read back as it was.
    text = dump(scenario.as_data())
    assert tomllib.loads(text)["evidence"]["volume"] == EVIL
    assert "evil" not in tomllib.loads(text)
    (tmp_path / "desk.toml").write_text(text, encoding="utf-8")
    again = twin.load(tmp_path / "desk.toml")
    assert again.evidence == scenario.evidence
    for name in ("desk.toml", "missing.toml"):
        told = CliRunner().invoke(app, ["check", str(tmp_path / name)])
        assert "\x1b" not in told.output


def test_the_history_of_another_desk_is_told(hostile):
    scenario, _ = hostile
    other = week("Long").vary({"tickets.category_mix": {"Long": 1.0}, "evidence.volume": ""})
    log = twin.simulate(other, twin.draw(other, 1))
    (note,) = words.other_desk(scenario, log)
    assert note.startswith('None of the categories of this history ("Long") is one of the twin\'s')
    assert note.endswith("is it the history of another desk, or read in another way?")
    assert not words.other_desk(other, log)
    assert not words.other_desk(scenario.vary({"tickets.category_mix": {"Long": 1.0}}), log)


@pytest.mark.parametrize(("test", "said"), [
    ("2027-01-01", "no whole day with data lies in it; the history holds 2026-03-02 to"),
    ("2020-01", "no whole day with data lies in it"),
    ("2026-03-09..2026-03-08", "ends before it begins"),
    ("soon", "is no time .*give a month"), ("", "is no time"), ("2026-13", "is no time"),
    ("2026-03-09..", "is no time"), ("9999-12-31..9999-12-31", "no whole day|is no time"),
    (EVIL, "is no time"),
])  # fmt: skip
def test_days_of_a_test_that_are_not_there_are_refused(hostile, test, said):
    scenario, records = hostile
    with pytest.raises(TwinError) as told:
        twin.fidelity(scenario, records, test)
    assert re.search(said, str(told.value))
    assert "\x1b" not in str(told.value)
