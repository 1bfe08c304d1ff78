"""Work of a frame of `twin animate` at 10,000 tickets, in a real Chromium without a window.

    python -m tests.benchmarks.animation

plays a week of the shipped baseline with more customers, writes its page, and draws it in turn at
moments of its last hour, when nearly all tickets are there. Prints milliseconds of the script and
with the painting that it asks for, and frames a second of real playing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import twin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import browser

from twin.report.animation import write
from twin.report.animation_data import of_run
from twin.report.source import Source

SCALE = 1.37
FRAMES = 200
# Milliseconds of each frame; reading a pixel waits until all is painted.
WORK = """
(() => {
  const took = [];
  playing = true;
  for (let k = 0; k < %d; k++) {
    const from = performance.now();
    show(data.end - 7200 + 15 * k);
    if (%s) for (const desk of desks) desk.pen.getImageData(0, 0, 1, 1);
    took.push(performance.now() - from);
  }
  playing = false;
  return took;
})()
"""
PLAY = """
new Promise((done) => {
  show(data.end - 6 * 3600);
  $("speed").value = "3600";
  const stamps = [];
  const look = (stamp) => {
    stamps.push(stamp);
    if (stamp - stamps[0] < 4000) requestAnimationFrame(look); else { play(false); done(stamps); }
  };
  play(true);
  requestAnimationFrame(look);
})
"""


def main() -> None:
    """Play, draw and print."""
    root = Path(__file__).resolve().parents[2]
    desk = twin.load(root / "scenarios" / "baseline.toml", {"arrivals.scale": SCALE})
    results = twin.run(desk, replications=1, keep_logs=True)
    played = of_run(Source(results, results.runs[0], results.summary()), 0)
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 2):
            path = write([played] * count, Path(folder) / f"{count}.html")
            with browser.Browser(Path(folder) / f"profile-{count}") as chromium:
                for width, phone in ((1280, False), (390, True)):
                    chromium.open(path, width, phone=phone)
                    dots = chromium.run("show(data.end); desks[0].now.length")
                    print(f"{count} desk(s) of {dots:,} tickets, {width} px, "
                          f"{path.stat().st_size / 1e6:.1f} MB")  # fmt: skip
                    for painted in (False, True):
                        took = chromium.run(WORK % (FRAMES, str(painted).lower()))
                        middle, most = np.percentile(took, [50, 95])
                        what = "script and painting" if painted else "script"
                        print(f"  {what}: {middle:.1f} ms a frame, 95th percentile {most:.1f} ms")
                    answer = chromium.call("Runtime.evaluate", expression=PLAY, awaitPromise=True,
                                           returnByValue=True)  # fmt: skip
                    gaps = np.diff(answer["result"]["value"])
                    print(f"  playing: {1000 / gaps.mean():.0f} frames a second")


if __name__ == "__main__":
    main()
