"""The first page of a study: what it says follows from its verdicts; the load is no choice."""

import re
from dataclasses import replace

import pytest
from test_report import Reader
from test_report_study import DESK

import twin
from twin.experiments.targets import judged
from twin.report import studied
from twin.report.page import page
from twin.scenario.model import Target

EASY, HARD = Target(at_most=0.9), Target(at_most=0.01)
PLAN = {
    "name": "staff", "question": "How many <agents>?", "set": {"arrivals.scale": 6},
    "factors": {"agents.all.heads": [2, 4, 12],
                "model": {"good": {"assistant.profile.quality": 0.9},
                          "bad": {"assistant.profile.quality": 0.3}}},
    "targets": {"occupancy:all": {"at_most": 0.5}},
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return twin.study(PLAN | {"scenario": twin.from_data(DESK)}, replications=5)


@pytest.fixture(scope="module")
def loads():
    """Agents by load."""
    plan = PLAN | {"scenario": twin.from_data(DESK), "set": {},
                   "factors": {"agents.all.heads": [1, 12], "arrivals.scale": [1, 12]}}  # fmt: skip
    return twin.study(plan, replications=4)


def text_of(study, targets=None):
    return Reader(page(study, brief=True, targets=targets)).text


def test_points_are_counted_by_their_verdicts(found):
    points = studied.Points(found, {})
    names = found.points["scenario"].tolist()
    table = judged(found.frame, dict.fromkeys(names, points.targets))
    assert dict(zip(table["scenario"], table["verdict"], strict=True)) == points.verdicts
    met, missed = points.of("met"), points.of("missed")
    assert met
    assert missed
    text = text_of(found)
    assert re.search(r"Yes\s?\. Asked: occupancy, all at most 50 %. Of 6 points", text)
    assert f"{len(met)} meet{'s' * (len(met) == 1)} every target" in text
    assert f"{len(missed)} miss{'es' * (len(missed) == 1)} one" in text
    assert "With a chance of at least 95 %, every yes and no here is right." in text
    # The cheapest of those that meet the target, by the interval of the difference.
    best = min(met, key=points.price)
    assert points.cheapest()[0] == best
    assert f"Choose {points.where(best)}: of the {len(met)} points" in text
    # The rows of those that meet it come first.
    table = text.partition("The figures that matter")[2]
    assert table.index(" yes ") < table.index(" no ")
    assert "How many <agents>?" in text
    assert "&lt;agents&gt;" in page(found, brief=True)


def test_what_cannot_be_told_apart_by_cost_is_left_open(found):
    # Agents who cost nothing: two models at the same price.
    points = studied.Points(found, {})
    same = found.frame.copy()
    here = same["kpi"] == "cost_week"
    shift = same.loc[here].groupby("scenario")["numerator"].transform("mean")
    same.loc[here, "numerator"] -= shift - 100.0 * same.loc[here, "replication"]
    same.loc[here, "value"] = same.loc[here, "numerator"] / same.loc[here, "denominator"]
    told = text_of(replace(found, frame=same))
    met = points.of("met")
    assert "Choose one of these:" in told
    assert "that one of them is lower in cost of a week is not shown" in told
    assert all(points.where(name) in told for name in met[:3])


def test_targets_may_be_given_and_none_is_said(found):
    assert re.search(r"No\s?\. Asked: occupancy, all at most 1 %", text_of(found, {
        "occupancy:all": HARD}))  # fmt: skip
    assert "Choose none of these: no point meets every target." in text_of(
        found, {"occupancy:all": HARD}
    )
    plan = dict(found.manifest["study_as_run"]) | {"targets": {}}
    none = replace(found, manifest=dict(found.manifest) | {"study_as_run": plan})
    text = text_of(none)
    assert "No target is set, so this page gives no yes or no." in text
    assert "With a chance of at least" not in text
    assert "--target FIGURE=VALUE" in text
    # Its scenario's own stand in.
    (base,) = found.manifest["base_as_run"]
    own = base | {"targets": base["targets"] | {"figures": {"occupancy:all": {"at_most": 0.01}}}}
    manifest = dict(none.manifest) | {"base_as_run": [own]}
    assert "Choose none of these" in text_of(replace(none, manifest=manifest))
    with pytest.raises(ValueError, match="did you mean"):
        page(found, brief=True, targets={"occupncy": EASY})


def test_the_load_is_no_choice(loads):
    points = studied.Points(loads, {"occupancy:all": EASY})
    # One point a number of agents, under the largest load.
    assert points.loads == ["arrivals.scale"]
    assert [points.where(name) for name in points.names] == ["all.heads 1", "all.heads 12"]
    assert all(points.under(name) == " at arrivals.scale 12" for name in points.names)
    # One agent does it under the small load, and not under the large one.
    assert points.verdicts == dict(zip(points.names, ("missed", "met"), strict=True))
    text = text_of(loads, {"occupancy:all": EASY})
    assert "at most 90 %, under each arrivals.scale. Of 2 settings 1 meets every target" in text
    assert "Choose all.heads 12: it is the only" in text
    only = twin.study({"scenario": twin.from_data(DESK), "factors": {"arrivals.scale": [1, 2]},
                       "targets": {"occupancy:all": {"at_most": 0.9}}}, replications=3)  # fmt: skip
    text = text_of(only)
    assert "Only the load varies here, so this is a test of the desk and no choice." in text
    assert "Choose" not in text


def test_what_is_open_and_cheaper_is_named_with_what_would_settle_it(found):
    points = studied.Points(found, {})
    cheap = min(points.names, key=points.price)
    # On its target no number of replications tells.
    own = float(points.row(cheap, ("occupancy", "all"))["value"])
    limit = {"occupancy:all": Target(at_most=own)}
    assert studied.Points(found, limit).verdicts[cheap] == "open"
    text = text_of(found, limit)
    assert "1 that is lower in cost of a week may meet the targets, too." in text
    assert "More replications would not tell." in text
    near = {"occupancy:all": Target(at_most=own * 1.005)}
    assert studied.Points(found, near).verdicts[cheap] == "open"
    assert re.search(r"About [\d,]+ replications of each point would tell", text_of(found, near))
    # Where no other meets it, that is all that may.
    values = [float(points.row(one, ("occupancy", "all"))["value"]) for one in points.names]
    text = text_of(found, {"occupancy:all": Target(at_most=min(values))})
    assert "Decide nothing yet: one of them may meet every target." in text
    assert "The cheapest that does so in what was played: all.heads 12, model good." in text
