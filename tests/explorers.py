"""Studies whose figures are known functions of their factors, with luck; nothing is played.

`python tests/explorers.py NUMBER` prints over so many of them how often intervals hold the truth
and how often "surely" is wrong, as quoted in `tests/benchmarks/README.md`.
"""

import sys
from itertools import product

import numpy as np
import pandas as pd

import twin
from twin.experiments.studies.explorer import explorer
from twin.experiments.studies.file import Target, read_study
from twin.experiments.studies.results import StudyResults, as_run

DESK = {
    "name": "made", "horizon": "1d", "arrivals": {"rate": "12/h"},
    "agents": {"all": {"heads": 3, "handle_time": "9min", "cost": 20.0}},
    "targets": {"first_response": {"normal": "1h"}},
}  # fmt: skip
FACTORS = {
    "arrivals.scale": [0.6, 0.8, 1.0, 1.2, 1.4],
    "agents.all.heads": [2, 3, 4, 5],
    "crew": {"usual": {"agents.all.cost": 20.0}, "dear": {"agents.all.cost": 26.0}},
}
TICKETS = 400.0


def late(scale, heads, crew):
    """Share of tickets that are late."""
    return 1 / (1 + np.exp(-4 * (scale * (3.2 if crew == "usual" else 2.8) / heads - 0.9)))


def wait(scale, heads, crew):
    """Mean wait in seconds."""
    return 60 * np.exp(2.2 * scale * 3 / heads - (crew == "dear") * 0.2)


def price(scale, heads, crew):
    """Cost of a week, without luck."""
    return heads * 168 * (20.0 if crew == "usual" else 26.0)


TRUE = {
    "service_level": lambda *x: 1 - late(*x),
    "agent_wait_mean": wait,
    "cost_week": price,
}
UNITS = {"service_level": "share", "agent_wait_mean": "s", "cost_week": "USD/week"}
TARGETS = {"service_level": {"at_least": 0.8}}


def made(seed=1, replications=5, factors=None, luck=0.1, **plan):
    """A study as if it had been played: common luck of a replication, and each point's own."""
    factors = FACTORS if factors is None else factors
    data = {"name": "made", "question": "How many?", "factors": factors, "targets": TARGETS,
            "kpis": ["service_level", "agent_wait_mean"]} | plan  # fmt: skip
    read = read_study(data | {"scenario": twin.from_data(DESK)})
    levels = [list(one) for one in factors.values()]
    draw = np.random.default_rng(seed)
    common = draw.normal(0, luck, replications)
    points, rows = [], []
    for number, setting in enumerate(product(*levels)):
        named = dict(zip(factors, setting, strict=True))
        label = {"point": number, "scenario": f"p{number}"}
        points.append(label | named | {"asked": replications, "whole": replications})
        for k in range(replications):
            shift = common[k] + draw.normal(0, luck / 4)
            for kpi, function in TRUE.items():
                value, under = function(*setting), 1.0
                if kpi == "service_level":
                    odds = np.log(value / (1 - value)) - shift
                    value, under = float(draw.binomial(400, 1 / (1 + np.exp(-odds)))), TICKETS
                elif kpi == "agent_wait_mean":
                    value *= np.exp(shift)
                rows.append(label | named | {
                    "replication": k, "kpi": kpi, "group": "", "unit": UNITS[kpi],
                    "numerator": value, "denominator": under, "value": value / under,
                })  # fmt: skip
    return StudyResults(
        name=read.file.name, question=read.file.question, factors=tuple(factors),
        frame=pd.DataFrame(rows), failures=pd.DataFrame(), points=pd.DataFrame(points),
        shown=tuple(read.file.kpis), crossings=(), notes=(), manifest=as_run(read),
    )  # fmt: skip


def rates(seeds):
    """Lists of: intervals that hold, a best "surely" that is wrong, a sure one that just misses."""
    held, wrong, close = [], [], []
    level, truth = "service_level", TRUE["service_level"]
    for seed in seeds:
        found = explorer(made(seed), list(TRUE))
        luck = np.random.default_rng([seed, 1])
        for _ in range(8):
            texts = {f.axis.key: str(luck.choice(f.texts)) for f in found.factors}
            setting = _typed(texts)
            held += [
                row["low"] - 1e-6 <= TRUE[row["figure"]](*setting) <= row["high"] + 1e-6
                for row in found.at(texts).to_dict("records")
            ]
            positions = [
                f.position(text) for f, text in zip(found.factors, texts.values(), strict=True)
            ]
            target = {level: Target(at_least=truth(*setting) + 1e-5)}
            close.append(bool(found.verdicts(target, np.array([positions]))[0] == 0))
        for limit in luck.uniform(0.3, 0.9, 6):
            stop = int(luck.integers(len(found.factors[0].stops)))
            target = {level: Target(at_least=float(limit))}
            best = found.best(target, "cost_week", {"arrivals.scale": stop})
            if best.surely is not None:
                wrong.append(bool(truth(*_typed(best.surely)) < limit))
    return held, wrong, close


def _typed(texts):
    scale, heads, crew = texts.values()
    return float(scale), int(heads), crew


if __name__ == "__main__":
    for name, found in zip(("hold", "wrong", "close"), rates(range(int(sys.argv[1]))), strict=True):
        print(f"{name}: {sum(found)} of {len(found)}")
