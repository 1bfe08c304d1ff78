"""The explorer's page in a real browser: it evaluates as Python does, and anyone can use it."""

import json
from dataclasses import replace

import browser
import explorers
import numpy as np
import pytest
from explorers import made
from test_explorer import EVIL
from test_report_browser import CONTRAST, HIDDEN

from twin.common.text import amount, scaled
from twin.experiments.studies.explorer import VERDICTS, explorer
from twin.measures.figures import FIGURES, GUARDS
from twin.report import explore
from twin.report.page import write
from twin.scenario.model import Target

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")


def hostile():
    """A study whose factor, levels and figure are named as attacks, with a point missing."""
    crew = explorers.FACTORS["crew"]
    own = {"arrivals.scale": [0.25, 0.5, 1.0, 2.0], "agents.all.heads": [2, 4, 6, 8]}
    study = made(factors=own | {"crew": crew}, luck=0.2)
    names = dict(
        zip(crew, ("<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>'), strict=True)
    )
    evil = {names[key]: changes for key, changes in crew.items()}
    frame, points = (
        one.assign(crew=one["crew"].map(names)).rename(columns={"crew": EVIL})
        for one in (study.frame, study.points)
    )
    gone = (frame["point"] == 7) & (frame["kpi"] == "agent_wait_mean")
    frame = frame[~gone].assign(group=lambda t: np.where(t["kpi"] == "agent_wait_mean", EVIL, ""))
    plan = dict(study.manifest["study_as_run"]) | {"factors": own | {EVIL: evil}}
    found = replace(
        study, name=EVIL, question=EVIL, frame=frame, points=points, factors=(*own, EVIL),
        shown=("service_level", f"agent_wait_mean:{EVIL}"),
        manifest=dict(study.manifest) | {"study_as_run": plan},
    )  # fmt: skip
    return explorer(found)


@pytest.fixture(scope="module", params=["plain", "hostile"])
def opened(request, chromium, tmp_path_factory):
    found = explorer(made()) if request.param == "plain" else hostile()
    path = write(found, tmp_path_factory.mktemp(request.param) / "explore.html")
    chromium.open(path)
    return found, path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def test_it_evaluates_as_python_does(chromium, opened):
    found, path = opened
    chromium.open(path)
    luck = np.random.default_rng(5)
    stops = np.stack([luck.integers(len(f.stops), size=300) for f in found.factors], axis=1)
    # Corners and last levels, too.
    stops[0], stops[1] = 0, [len(f.stops) - 1 for f in found.factors]
    script = (
        f"JSON.stringify({json.dumps(stops.tolist())}.map(stops => figures.map(figure => "
        "{ const one = evaluate(figure, stops);"
        " return [one.value, one.low, one.high, one.error]; })))"
    )
    told = np.array(json.loads(chromium.run(script)), dtype=float)
    places = np.stack([f.stops[stops[:, k]] for k, f in enumerate(found.factors)], axis=1)
    for k, one in enumerate(found.figures):
        mine = np.stack(one.surrogate.at(places), axis=1)
        np.testing.assert_allclose(told[:, k], mine, rtol=1e-9, atol=1e-12, equal_nan=True)
    known = ~np.isnan(told)
    assert known.any(axis=(0, 2)).all()
    assert (~known).any() == ("<" in found.study.name)


def test_it_finds_the_best_that_python_finds(chromium, opened):
    found, path = opened
    chromium.open(path)
    luck = np.random.default_rng(6)
    names = [one.name for one in found.figures]
    sure = 0
    for _ in range(25):
        targets, given = {}, []
        for k in luck.choice(len(names), size=int(luck.integers(0, 3)), replace=False):
            values = found.figures[k].surrogate.values
            limit = float(luck.uniform(np.nanmin(values), np.nanmax(values)))
            most = bool(luck.integers(2))
            targets[names[k]] = Target(**{"at_most" if most else "at_least": limit})
            given.append({"figure": int(k), "most": most, "limit": limit})
        goal, highest = int(luck.integers(len(names))), bool(luck.integers(2))
        held = [int(luck.integers(len(f.stops))) if f.axis.met else None for f in found.factors]
        best = found.best(
            targets, names[goal],
            {f.axis.key: k for f, k in zip(found.factors, held, strict=True) if k is not None},
            highest=highest,
        )  # fmt: skip
        given, flag, stay = json.dumps(given), json.dumps(highest), json.dumps(held)
        told = json.loads(chromium.run(f"JSON.stringify(best({given}, {goal}, {flag}, {stay}))"))
        assert told["counts"] == [best.counts[name] for name in VERDICTS]
        assert told["rivals"] == best.rivals
        for name, mine in (("surely", best.surely), ("perhaps", best.perhaps)):
            stops = told[name]
            texts = stops and {f.axis.key: f.texts[k]
                               for f, k in zip(found.factors, stops, strict=True)}  # fmt: skip
            assert texts == mine
        sure += best.surely is not None
    assert sure > 5


def test_it_writes_numbers_as_the_reports_do(chromium, opened):
    chromium.open(opened[1])
    for unit, value in [("s", 205.3), ("s", 12_345.0), ("share", 0.8126), ("share", 0.0),
                        ("USD/ticket", 0.000093), ("USD/week", 1_234_567.0), ("tickets/h", 3.4),
                        ("tickets", -12.34)]:  # fmt: skip
        per, before, after = scaled(unit, value)
        figure = json.dumps({"unit": unit, "per": per, "before": before, "after": after})
        assert chromium.run(f"amount({figure}, {value!r})") == amount(value, unit)


def test_sliders_and_targets_answer_at_once(chromium, opened):
    found, path = opened
    chromium.open(path)
    first = found.factors[0]
    chromium.run("field('factor-0').focus()")
    before = chromium.run("field('figure-0').textContent")
    for kind in ("keyDown", "keyUp"):
        chromium.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight",
                      windowsVirtualKeyCode=39)  # fmt: skip
    settle(chromium)
    assert chromium.run("field('shown-0').textContent") == first.texts[first.start + 1]
    assert chromium.run("field('factor-0').getAttribute('aria-valuetext')") == (
        first.texts[first.start + 1])  # fmt: skip
    now, origin = (chromium.run(f"field('{one}-0').textContent") for one in ("figure", "from"))
    if found.figures[0].surrogate.errors[0] is not None:
        assert now != before
        assert "interpolated" in origin
    else:
        assert now == before
        assert origin.startswith(f"at the nearest point, {first.axis.name} = ")
    assert "Between points" in chromium.run("field('where').textContent")
    # A target that nothing meets, one that all meet, none at all.
    for limit, said in (("100.5", "misses it"), ("0", "meets it surely")):
        chromium.run(f"field('side-0').value = 'least'; field('limit-0').value = '{limit}'; soon()")
        settle(chromium)
        known = found.figures[0].surrogate.errors[0] is not None
        assert chromium.run("field('said-0').textContent") == (said if known else "not known")
    chromium.run("field('side-0').value = ''; soon()")
    settle(chromium)
    assert chromium.run("field('said-0').textContent") == ""
    assert "No target is set" in chromium.run("field('counts').textContent")
    # To the best setting, and back.
    chromium.run("field('surely-set').click()")
    settle(chromium)
    best = json.loads(chromium.run("field('surely-set').dataset.stops"))
    assert chromium.run("JSON.stringify(stopsNow())") == json.dumps(best, separators=(",", ":"))
    chromium.run("field('start').click()")
    settle(chromium)
    assert json.loads(chromium.run("JSON.stringify(stopsNow())")) == [
        f.start for f in found.factors
    ]


def test_a_target_that_leaves_out_who_gave_up_says_so(chromium, opened):
    found, path = opened
    chromium.open(path)

    def counts(**limits):
        for k, one in enumerate(found.figures):
            side = "least" if one.name in limits else ""
            limit = limits.get(one.name, "")
            chromium.run(
                f"field('side-{k}').value = '{side}'; field('limit-{k}').value = '{limit}'"
            )
        chromium.run("soon()")
        settle(chromium)
        return str(chromium.run("field('counts').textContent"))

    names = {one.name for one in found.figures}
    left = next(name for name in names if FIGURES[name.split(":")[0]].guarded)
    assert "Who gave up is not in" in counts(**{left: 0.1})
    for guard in names.intersection(GUARDS):
        assert "Who gave up" not in counts(**{left: 0.1, guard: 0.1})
    assert "Who gave up" not in counts()


def settle(chromium):
    drawn = "new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)))"
    chromium.call("Runtime.evaluate", awaitPromise=True, expression=drawn)


@pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_is_to_be_seen(chromium, opened, width, phone, dark):
    _, path = opened
    chromium.open(path, width, phone=phone, dark=dark)
    assert chromium.complaints() == []
    assert chromium.requests() == [path.as_uri()] or all(
        one.startswith("data:") for one in chromium.requests()[1:]
    )
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run(HIDDEN) == []
    assert chromium.run(CONTRAST) >= 4.5
    assert chromium.run("document.querySelectorAll('#chart circle').length") >= 4
    sizes = "[...document.querySelectorAll('input, select, button, summary')].map(one => \
        one.getBoundingClientRect()).filter(one => one.width && one.height < 12).length"
    assert chromium.run(sizes) == 0
    # Attacks are texts: no element of theirs is there, and nothing asked or spoke.
    assert chromium.run("document.images.length + document.querySelectorAll('svg').length") == 1
    assert not [name for name, _ in chromium.events if name == "Page.javascriptDialogOpening"]


@pytest.mark.skipif(
    browser.axe_path() is None, reason="takes: pip install --no-deps axe-playwright-python"
)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_nothing_bars_the_way_for_anyone(chromium, opened, width, dark):
    chromium.open(opened[1], width, phone=width == 390, dark=dark)
    chromium.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert chromium.barriers() == []


def test_its_chart_is_drawn_for_every_figure_and_factor(chromium, opened):
    found, path = opened
    chromium.open(path, 390, phone=True)
    for k, one in enumerate(found.figures):
        for axis in range(len(found.factors)):
            chromium.run(
                f"field('drawn').value = {k}; field('along-factor').value = {axis}; show()"
            )
            values = chromium.run(
                "[...document.querySelectorAll('#chart *')].flatMap(one => [...one.attributes])"
                ".filter(one => /NaN|Infinity|undefined/.test(one.value)).length"
            )
            assert values == 0
            words = chromium.run("field('chart-words').textContent")
            assert words.startswith(("Of ", explore.label(one.kpi, one.group)))
    assert chromium.complaints() == []


def test_it_prints(chromium, opened):
    chromium.open(opened[1], dark=True)
    chromium.scheme("dark", media="print")
    ground = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert chromium.run("getComputedStyle(field('start')).display") == "none"
    assert chromium.pdf().startswith(b"%PDF")
    chromium.scheme("light")


def test_nothing_moves_by_itself(chromium, opened):
    chromium.open(opened[1])
    moving = "document.getAnimations().length + [...document.querySelectorAll('*')].filter(one => \
        parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
    assert chromium.run(moving) == 0
