"""The page in a real browser: nothing to complain of, nothing fetched, everything to be seen."""

import re
from dataclasses import replace

import browser
import pandas as pd
import pytest
from test_report import EVIL, desk

import twin
from twin.report.page import write
from twin.scenario.model import Target, from_data

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")

# Figures, tables and texts that stick out of the page or have no size.
HIDDEN = """
(() => {
  const page = document.documentElement.clientWidth;
  const bad = [];
  for (const one of document.querySelectorAll('figure svg, .wide, pre, h1, h2, h3, h4, p, li')) {
    if (one.closest('details:not([open]) > :not(summary)')) continue;
    const box = one.getBoundingClientRect();
    if (box.width < 20 || box.height < 8 || box.left < -1 || box.right > page + 1)
      bad.push([one.tagName, one.textContent.slice(0, 30), box.left, box.right, box.height]);
  }
  return bad;
})()
"""
# Headings of columns and sentences in cells that stand as towers of single words or letters.
TOWERS = """
[...document.querySelectorAll('thead th, td.words')]
  .filter(one => one.getBoundingClientRect().height > 8 * parseFloat(getComputedStyle(one).fontSize)
    && one.getBoundingClientRect().width < 200)
  .map(one => one.textContent)
"""
OPEN_ALL = "document.querySelectorAll('details.part').forEach(one => one.open = true)"
# Letters of figures, in CSS pixels: the smallest, and texts cut off by their figure.
LETTERS = """
(() => {
  let smallest = 1e9; const cut = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    const frame = svg.getBoundingClientRect();
    const scale = frame.width / svg.viewBox.baseVal.width;
    for (const text of svg.querySelectorAll('text')) {
      smallest = Math.min(smallest, parseFloat(getComputedStyle(text).fontSize) * scale);
      const box = text.getBoundingClientRect();
      if (box.left < frame.left - 1 || box.right > frame.right + 1 ||
          box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        cut.push(text.textContent);
    }
  }
  return [smallest, cut];
})()
"""
# WCAG contrast of each colour of text against the page.
CONTRAST = """
(() => {
  const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
      .map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  let least = 21;
  for (const one of document.querySelectorAll(
    'p, td, th, a, h1, figcaption, .ok, .bad, dd, summary')) {
    const ink = light(getComputedStyle(one).color);
    least = Math.min(least, (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05));
  }
  return least;
})()
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    base = from_data(desk(folder, provider={"rpm": 20, "plan": "unlimited"}))
    busy = base.vary({"arrivals.scale": 3}, name="busy")
    results = twin.run([base, busy], replications=3, out=folder / "results")
    one = twin.open_results(results.runs[0].path)
    factors = {"arrivals.scale": [1, 2, 3], "agents.all.heads": [1, 2, 3, 4]}
    study = twin.study({"scenario": base, "factors": factors}, replications=3, out=folder)
    return [
        write(one, folder / "one.html"),
        write(results, folder / "two.html"),
        write(study, folder / "study.html"),
        write(searched(folder), folder / "search.html"),
    ]


def searched(folder):
    """A search with a near miss, which takes a sentence beside three long names of shifts."""
    shifts = [{"start": f"{8 * k:02}:00", "end": f"{8 * k + 8:02}:00", "heads": 2, "days": days}
              for k, days in enumerate(("Mon-Fri", "Mon-Sun", "Mon,Tue,Wed"))]  # fmt: skip
    agents = {"frontline": {"shifts": shifts, "handle_time": "9min", "cost": 20.0}}
    base = from_data(desk(folder, agents=agents, start="2026-03-02"))
    factors = {f"agents.frontline.shifts.{k}.heads": [1, 2] for k in range(3)}
    plan = {"scenario": base, "factors": factors, "minimise": "human_cost",
            "targets": {"service_level": {"at_least": 0.2}}}  # fmt: skip
    found = twin.search(plan, replications=2, checks=4, budget=64)
    row = [1, 2, 1, 1.0588, 0.0008, 40, "abandonment rate 5.13 % misses the target by 0.135 "
           "points, which may be luck: about 27 more replications; costs $0.000842 more, which "
           "may be luck"]  # fmt: skip
    near = pd.DataFrame([row], columns=found.near_misses.columns)
    return replace(found, near_misses=near)


@pytest.fixture(scope="module")
def briefs(pages):
    runs = twin.open_results(*sorted((pages[0].parent / "results").iterdir()))
    target = {"service_level": Target(at_least=0.9)}
    one = twin.open_results(runs.runs[0].path)
    study = twin.open_study(pages[0].parent / "studies" / "study")
    return [
        write(one, pages[0].parent / "brief.html", brief=True, targets=target),
        write(runs, pages[0].parent / "briefs.html", brief=True, targets=target),
        write(study, pages[0].parent / "brief-study.html", brief=True, targets=target),
    ]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("which", range(4), ids=["one", "two", "study", "search"])
@pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_is_to_be_seen(chromium, pages, which, width, phone, dark):
    chromium.open(pages[which], width, phone=phone, dark=dark)
    chromium.run(OPEN_ALL)
    assert chromium.complaints() == []
    addresses = chromium.requests()
    assert addresses[0] == pages[which].as_uri()
    assert all(address.startswith("data:") for address in addresses[1:])
    drawn = chromium.run("document.querySelectorAll('figure svg').length")
    assert drawn >= (10, 10, 5, 1)[which]
    assert chromium.run(HIDDEN) == []
    assert chromium.run(TOWERS) == []
    assert chromium.run("document.documentElement.scrollWidth") <= width
    smallest, cut = chromium.run(LETTERS)
    assert cut == []
    assert smallest >= 9.5
    assert chromium.run(CONTRAST) >= 4.5


@pytest.mark.skipif(
    browser.axe_path() is None, reason="takes: pip install --no-deps axe-playwright-python"
)
@pytest.mark.parametrize("which", [0, 1, 2], ids=["one", "two", "study"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_nothing_bars_the_way_for_anyone(chromium, pages, which, width, dark):
    chromium.open(pages[which], width, phone=width == 390, dark=dark)
    assert chromium.barriers() == []
    chromium.run(OPEN_ALL)
    assert chromium.barriers() == []
    chromium.run("document.body.append(document.createElement('img'))")
    assert [line.split(":")[0] for line in chromium.barriers()] == ["image-alt"]


# Cells that are seen only after scrolling sideways, and verdicts that do not stand right under the
# name of their figure.
BESIDE = """
(() => {
  const page = document.documentElement.clientWidth;
  const seen = one => one.getClientRects().length && !one.closest('details:not([open])');
  const out = [...document.querySelectorAll('.cards :is(th, td)')].filter(seen)
      .filter(one => one.getBoundingClientRect().right > page + 1).map(one => one.textContent);
  const far = [...document.querySelectorAll('td.verdict')].filter(seen).filter(one => {
      const name = one.parentElement.querySelector('th').getBoundingClientRect();
      return Math.abs(one.getBoundingClientRect().top - name.bottom) > 4; });
  return [out, far.length, document.querySelectorAll('td.verdict').length];
})()
"""


def test_a_phone_shows_verdicts_under_their_figures(chromium, pages):
    for path in pages[:2]:
        chromium.open(path, 390, phone=True)
        chromium.run(OPEN_ALL)
        out, far, verdicts = chromium.run(BESIDE)
        assert out == []
        assert far == 0
        smallest, cut = chromium.run(LETTERS)
        assert cut == []
        assert smallest >= 9.5
    assert verdicts > 10
    # Beside each other where there is room, with the headings once.
    chromium.open(pages[1], 1280)
    heads = "getComputedStyle(document.querySelector('.cards thead')).display"
    assert chromium.run(heads) == "table-header-group"


def test_nothing_of_a_ticket_runs(chromium, pages):
    chromium.open(pages[0])
    assert chromium.run("document.scripts.length") == 0
    assert chromium.run("document.images.length") == 0
    assert EVIL in chromium.run("document.body.textContent")
    assert not [name for name, _ in chromium.events if name == "Page.javascriptDialogOpening"]


def test_it_is_read_by_keyboard(chromium, pages):
    chromium.open(pages[0])
    for kind in ("keyDown", "keyUp"):
        chromium.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                      windowsVirtualKeyCode=9)  # fmt: skip
    assert chromium.run("document.activeElement.textContent") == "To the answer"
    assert chromium.run("document.activeElement.getBoundingClientRect().left") >= 0
    chromium.run(OPEN_ALL)
    names = chromium.call("Accessibility.getFullAXTree")["nodes"]
    figures = [n for n in names if n.get("role", {}).get("value") == "image"]
    assert len(figures) >= 10
    assert all(n["name"]["value"] for n in figures)


def test_it_prints_whole(chromium, pages):
    chromium.open(pages[0], dark=True)
    chromium.scheme("dark", media="print")
    ground = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    # Folded parts are not on the paper: the first page stands alone.
    shown = "(x => x.getBoundingClientRect().height)(document.querySelector('#scenario pre'))"
    assert chromium.run(shown) == 0
    assert chromium.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert sheets(chromium) <= 2
    # One that was opened is, and what is folded within it.
    chromium.run("document.querySelector('#scenario details.part').open = true")
    assert chromium.run(shown) > 100
    some = sheets(chromium)
    # All of them are, where that is asked for.
    chromium.run("document.querySelector('#whole').click()")
    assert 2 < some < sheets(chromium) <= 30
    chromium.scheme("light")


def sheets(chromium):
    """Number of A4 sheets of the page as it prints."""
    return len(re.findall(rb"/Type\s*/Page\b", chromium.pdf()))


@pytest.mark.parametrize("which", [0, 1, 2], ids=["one", "two", "study"])
def test_the_brief_page_is_at_most_two_sheets(chromium, briefs, which):
    chromium.open(briefs[which])
    assert chromium.complaints() == []
    assert chromium.barriers() == []
    chromium.scheme("light", media="print")
    assert sheets(chromium) <= 2
    chromium.scheme("light")
    assert chromium.run("document.querySelectorAll('details, nav, figure').length") == 1
    chromium.open(briefs[which], 390, phone=True)
    assert chromium.run(HIDDEN) == []
    assert chromium.run("document.documentElement.scrollWidth") <= 390
    # Each scenario is a card below the one before: nothing is beside the screen.
    assert chromium.run(BESIDE)[0] == []


def test_a_link_opens_the_part_it_leads_to(chromium, pages):
    chromium.open(pages[1])
    opened = "document.querySelectorAll('details.part[open]').length"
    assert chromium.run(opened) == 0
    chromium.run("document.querySelector('nav a[href=\"#comparison-content\"]').click()")
    assert chromium.run("document.querySelector('#comparison details.part').open")
    assert chromium.run(opened) == 1
