"""Random valid scenarios: small desks of every kind, 0 to about 400 tickets a run."""

from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from twin.scenario.model import from_data

DATA = Path(__file__).parent / "data"
CATEGORIES = ("Login", "Other", "Payment")
CHANNELS = ("chat", "email")
MAX_TICKETS = 400
# A scenario is a big draw, and a run takes milliseconds to tens of them.
SETTINGS = settings(
    deadline=None,
    max_examples=20,
    # To explain a failure would take minutes of runs; the smallest scenario that fails is enough.
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

shares = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
EITHER = st.booleans()
some_categories = st.lists(st.sampled_from(CATEGORIES), unique=True, max_size=3)


def duration(low_s, high_s):
    """Text of a duration; whole seconds, so that equal moments happen too."""
    return st.integers(low_s, high_s).map(lambda s: f"{s}s")


def times(low_s, high_s):
    """A time distribution with its mean between two bounds."""
    mean = duration(low_s, high_s)
    spread = st.fixed_dictionaries(
        {
            "distribution": st.sampled_from(["lognormal", "gamma", "weibull"]),
            "mean": mean,
            "cv": st.sampled_from([0.2, 1.0, 2.0]),
        }
    )
    memoryless = st.fixed_dictionaries({"distribution": st.just("exponential"), "mean": mean})
    parts = st.lists(
        st.fixed_dictionaries({"weight": st.sampled_from([1, 3]), "of": spread | mean}),
        min_size=1,
        max_size=2,
    )
    mixture = st.fixed_dictionaries({"distribution": st.just("mixture"), "parts": parts})
    return mean | memoryless | spread | mixture


def sections(required, **optional):
    """A section of a scenario: keys that are always there, and keys that may be."""
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def arrivals(draw, horizon_h):
    """Arrivals of every kind, at most some 100 tickets on average."""
    kind = draw(st.sampled_from(["poisson", "hourly", "constant", "trace"]))
    scale = draw(st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0, 2.3]))
    if kind == "trace":
        return {"kind": kind, "trace": str(DATA / "trace.csv"), "scale": scale}
    tickets = draw(st.integers(1, 100))
    section = {"kind": kind, "rate": f"{tickets / horizon_h:.6f}/h", "scale": scale}
    if kind == "hourly":
        hour = st.sampled_from([0.0, 1.0, 2.0, 5.0])
        hours = draw(st.lists(hour, min_size=24, max_size=24))
        section["week"] = {"hours": [1.0, *hours[1:]], "days": [1, 1, 1, 1, 1, 0.5, 0.2]}
    if draw(st.booleans()):
        part = {"part_cv": 0.5, "part": draw(st.sampled_from(["1h", "6h"])), "correlation": 0.7}
        day = {"cv": draw(st.sampled_from([0.1, 0.5]))}
        section["busyness"] = draw(st.sampled_from([day, day, day | part, part]))
    section["growth"] = draw(st.sampled_from([0.0, 0.0, -0.5, 0.5]))
    if draw(st.booleans()):
        bursts = {"factor": 6.0, "mean_quiet": "1h", "mean_burst": "20min"}
        section["bursts"] = bursts
    if draw(st.booleans()):
        factor = draw(st.sampled_from([0.0, 3.0]))
        section["surges"] = [
            {"start": draw(duration(0, 7200)), "length": "30min", "factor": factor}
        ]
    return section


@st.composite
def shifts(draw, heads=(0, 1, 2, 3)):
    """A shift on the hour, over midnight too, with breaks or without."""
    start, length = draw(st.integers(0, 23)), draw(st.integers(1, 23))
    shift = {
        "days": draw(st.sampled_from(["daily", "Mon-Fri", "Mon,Wed"])),
        "start": f"{start:02d}:00",
        "end": f"{(start + length) % 24:02d}:00",
        "heads": draw(st.sampled_from(heads)),
    }
    pauses = draw(st.lists(st.integers(0, length - 1), max_size=2))
    shift["breaks"] = [
        {
            "start": f"{(start + at) % 24:02d}:15",
            "end": f"{(start + at) % 24:02d}:45",
            "heads": draw(st.integers(1, 2)),
        }
        for at in pauses
    ]
    return shift


@st.composite
def own_shifts(draw):
    """A shift of a member: breaks are theirs alone."""
    shift = draw(shifts())
    del shift["heads"]
    for pause in shift["breaks"]:
        del pause["heads"]
    return shift


rates = st.sampled_from(["1/h", "12/h", "2/min"])
aways = sections({"returns": rates}, after_touch=shares, while_idle=rates, returns_per_queued=rates)


@st.composite
def pools(draw):
    """A pool of agents."""
    pool = draw(
        sections(
            {
                "handle_time": times(30, 2400),
                "skills": some_categories,
                "at_shift_end": st.sampled_from(["finish", "hand over", "continue"]),
                "extra_heads": st.sampled_from([-1, 0, 0, 0, 1]),
            },
            handle_times=st.dictionaries(st.sampled_from(CATEGORIES), times(30, 2400), max_size=2),
            handle_scale=st.sampled_from([0.5, 2.0]),
            handle_growth=st.sampled_from([-0.5, 0.5]),
            handle_hours=st.just([0.5, 1.0, 3.0] * 8),
            review_time=times(10, 600),
            triage_time=times(10, 600),
            wrap_up=times(10, 1200),
            time_zone=st.sampled_from(["Europe/London", "Asia/Kolkata"]),
            cost=st.just(30.0),
            away=aways,
            shrinkage=st.sampled_from([0.2, 0.5]),
        )
    )
    if draw(st.booleans()):
        most = draw(st.integers(1, 3))
        slows = st.sampled_from(["shared", "none", [1.0, 0.7, 0.4][:most]])
        weights = st.dictionaries(st.sampled_from(CATEGORIES), st.integers(1, most), max_size=3)
        pool |= {"concurrency": most, "slow_down": draw(slows), "weights": draw(weights)}
        own = sections({"speed": st.sampled_from([0.5, 1.0, 2.0])}, skills=some_categories,
                       shifts=st.lists(own_shifts(), max_size=2))  # fmt: skip
        members = draw(st.lists(own, max_size=3))
        pool |= {"members": [{"name": f"{k}"} | member for k, member in enumerate(members)]}
    kind = draw(st.sampled_from(["heads", "heads", "shifts", "shifts", "roster"]))
    if kind == "roster":
        return pool | {"roster": str(DATA / "roster.csv")}
    if kind == "heads":
        return pool | {"heads": draw(st.integers(0, 4))}
    week = draw(sections({}, holidays=st.just(["2026-01-06"])))
    return (
        pool | week | {"shifts": draw(st.lists(shifts((0, 1, 2, 3, 1.5)), min_size=1, max_size=3))}
    )


@st.composite
def assistants(draw, roles):
    """An assistant of backend `profile`; nothing is read, nothing is sent."""
    failing = draw(st.sampled_from(["escalate", "retry", "fallback"]))
    profile = sections(
        {"accuracy": shares, "error_rate": st.sampled_from([0.0, 0.0, 0.3, 1.0])},
        confusion=st.just({"Login": {"Login": 2, "Other": 1}}),
        categorize_latency=times(1, 90),
        respond_latency=times(1, 90),
        difficulty=sections({}, category=shares, answer=shares),
        prompt_tokens=st.sampled_from(
            [100, 400, {"distribution": "uniform", "low": 1, "high": 900}]
        ),
    )
    section = draw(
        sections(
            {"role": st.sampled_from(roles), "backend": st.just("profile"), "profile": profile},
            confidence_threshold=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
            unsure=st.sampled_from(["triage", "handle"]),
            human_categories=some_categories,
            review_categories=some_categories | st.just(["*"]),
            retry_after=duration(60, 3600),
            learning=st.just({"mode": "bandit", "effect": {"brief": -0.2}, "every": "1h"}),
        )
    )
    if section["role"] == "triage":
        section.pop("unsure", None)
    fallback = {"fallback_model": "openai/gpt-oss-120b"} if failing == "fallback" else {}
    return section | {"on_failure": failing} | fallback


@st.composite
def providers(draw):
    """Limits from none at all to far too tight, and outages."""
    outages = [
        {"start": draw(duration(0, 20_000)), "length": draw(duration(1, 7200))}
        for _ in range(draw(st.integers(0, 2)))
    ]
    down = {"mean_time_between_failures": "3h", "mean_time_to_repair": "30min"}
    section = draw(
        sections(
            {"plan": st.sampled_from(["free", "developer", "unlimited"])},
            concurrency=st.integers(1, 3),
            rpm=st.integers(1, 30),
            rpd=st.integers(5, 500),
            tpm=st.sampled_from([300, 1000, 8000]),
            tpd=st.sampled_from([5000, 100_000]),
            timeout=duration(1, 60),
            retries=st.integers(0, 4),
            backoff=duration(1, 30),
            random_outages=st.just(down),
        )
    )
    return section | {"outages": outages}


customers = sections(
    {},
    patience=times(1, 7200) | st.just("0s"),
    patience_by_category=st.dictionaries(st.sampled_from(CATEGORIES), times(1, 3600), max_size=2),
    patience_by_priority=st.dictionaries(
        st.sampled_from(["urgent", "normal"]), times(1, 3600), max_size=1
    ),
    patience_hours=st.just([2.0, 0.1] * 84),
    retrial=sections({"chance": shares, "delay": times(1, 7200)}, most=st.integers(1, 3)),
    callback=sections({"chance": shares}, queue=st.integers(0, 3)),
    survey_rate=shares,
    solved=sections({}, agent=shares, reviewed=shares, assistant=shares, wrong_category=shares),
    reopen_rate=shares,
    reopen_delay=times(60, 7200) | st.just("0s"),
    max_reopens=st.integers(0, 3),
    close_after=duration(0, 90_000),
)


@st.composite
def touches(draw):
    """Waits for the customer, for a third party, or both."""
    clocks = st.sampled_from(["around the clock", "desk hours"])
    chance = st.sampled_from([0.0, 0.1, 0.5])
    reply = sections(
        {"chance": chance, "delay": times(60, 20_000), "clock": clocks},
        never=st.sampled_from([0.0, 0.3]),
        close_after=times(60, 40_000),
        solved=shares,
    )
    hold = sections({"chance": chance, "delay": times(60, 20_000), "clock": clocks})
    both = sections({"waiting": reply, "on_hold": hold}, most=st.integers(1, 4))
    return draw(sections({"waiting": reply}) | sections({"on_hold": hold}) | both)


@st.composite
def workflows(draw):
    """Statuses of a desk's own: four to rest in, wait in or work in, by the last one or two."""
    names = ["In", "Work", "Wait", "Out"]
    open_ones = ["Open", "In Progress", "Waiting for customer", "On hold", "Escalated"]
    chance = st.sampled_from([0.1, 0.25, 0.4])
    clocks = st.sampled_from(["around the clock", "desk hours", "nights"])
    step = chance | sections({"chance": chance}, delay=times(1, 20_000) | st.just("0s"),
                             clock=clocks)  # fmt: skip
    following = st.dictionaries(st.sampled_from(names), step, max_size=2)
    statuses = {}
    for name in names:
        core = open_ones if name != "Out" else [*open_ones, "Resolved"]
        statuses[name] = draw(
            sections(
                {"counts_as": st.sampled_from(core), "next": following},
                work=st.booleans(),
                delay=times(1, 20_000) | st.just("0s"),
                clock=clocks,
                after=st.dictionaries(st.sampled_from([*names, "start"]), following, max_size=2),
            )
        )
    worked_in = {name for name, status in statuses.items() if status.get("work")}
    for status in statuses.values():
        tables = [status.get("next", {}), *status.get("after", {}).values()]
        if not status.get("work") and worked_in & set().union(*tables):
            status["until_taken"] = draw(st.booleans())
    nights = ([1.0] * 6 + [0.2] * 18) * 7
    start = draw(st.sampled_from([{"In": 1.0}, {"In": 0.5, "Work": 0.5}]))
    return {"start": start, "statuses": statuses, "clocks": {"nights": nights},
            "clock": draw(clocks)}  # fmt: skip


@st.composite
def scenarios(draw, roles=("full", "full", "triage", "off"), traces=True, told_apart=EITHER):
    """A valid scenario.

    Parameters
    ----------
    roles : tuple of str
        What the assistant may do; "off" also stands for a desk without the section.
    traces : bool
        Whether arrivals may be a recorded trace.
    told_apart : strategy of bool
        Whether agents may have several tickets in hand, members, and so on.
    """
    horizon_h = draw(st.sampled_from([1, 4, 10, 30]))
    arriving = arrivals(horizon_h)
    if not traces:
        arriving = arriving.filter(lambda section: section["kind"] != "trace")
    data = {
        "horizon": f"{horizon_h}h",
        "seed": draw(st.integers(0, 1000)),
        "start": draw(st.sampled_from(["2026-01-05", "2026-03-29", "2026-10-25"])),
        "time_zone": draw(st.sampled_from(["UTC", "Europe/London"])),
        "arrivals": draw(arriving),
        "assistant": draw(assistants(roles)),
        "provider": draw(providers()),
        "customers": draw(customers),
        "routing": draw(
            sections(
                {},
                wait_bonus=duration(0, 1800),
                choice=st.sampled_from(["least loaded", "longest idle", "random", "in order"]),
                pool_choice=st.sampled_from(["in order", "longest idle", "random"]),
                same_agent=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
                same_agent_for=duration(0, 7200),
            )
        ),
        "queue": draw(sections({}, capacity=st.integers(0, 5), balking=shares)),
        "targets": {"first_response": {"urgent": "15min", "normal": "2h"}},
    }
    if data["arrivals"]["kind"] == "trace":
        data["start"] = "2026-01-05"
    else:
        mix = st.sampled_from(
            [{"Login": 3, "Other": 1, "Payment": 1}, dict.fromkeys(CATEGORIES, 1)]
        )
        data["tickets"] = {"category_mix": draw(mix)}
        if draw(st.booleans()):
            data["tickets"]["corpus"] = str(DATA / "corpus.csv")
        if draw(st.booleans()):
            hour = st.sampled_from([0.0, 1.0, 3.0])
            hours = st.lists(hour, min_size=24, max_size=24)
            data["tickets"]["category_hours"] = {"Payment": draw(hours)}
        if draw(st.booleans()):
            data["tickets"]["priority_mix"] = {"urgent": 1, "high": 1, "normal": 3}
        if draw(st.booleans()):
            data["backlog"] = {"tickets": draw(st.integers(0, 20)), "age": draw(times(1, 90_000))}
    alone = data["assistant"]["role"] == "full"
    names = st.sampled_from(["front", "back", "night"])
    data["agents"] = draw(st.dictionaries(names, pools(), min_size=0 if alone else 1, max_size=3))
    several = draw(told_apart)
    for pool in data["agents"].values():
        for key in () if several else ("concurrency", "slow_down", "weights", "members"):
            pool.pop(key, None)
    if not several:
        data["routing"] = {k: v for k, v in data["routing"].items() if k == "wait_bonus"}
    for name, pool in data["agents"].items():
        others = [other for other in data["agents"] if other != name]
        if others and draw(st.booleans()):
            to = draw(st.lists(st.sampled_from(others), unique=True, min_size=1))
            when = sections({"overflow_after": duration(0, 1800)}, overflow_at=st.integers(1, 4))
            pool |= {"overflow_to": to} | draw(when | sections({"overflow_at": st.integers(1, 4)}))
        if others and draw(st.booleans()):
            to = draw(st.lists(st.sampled_from(others), unique=True, min_size=1))
            pool |= {"transfers_to": dict.fromkeys(to, draw(st.sampled_from([0.1, 0.5])))}
            data["routing"]["max_transfers"] = draw(st.integers(1, 4))
    if data["arrivals"]["kind"] != "trace" and draw(st.booleans()):
        data["tickets"]["channel_mix"] = {"chat": 1, "email": 2}
        for pool in data["agents"].values():
            some = st.lists(st.sampled_from(CHANNELS), unique=True, max_size=2)
            own = st.dictionaries(st.sampled_from(CHANNELS), times(30, 2400), max_size=1)
            pool |= {"channels": draw(some), "handle_times_by_channel": draw(own)}
            if "concurrency" in pool:
                places = st.integers(1, pool["concurrency"])
                weights = st.dictionaries(st.sampled_from(CHANNELS), places, max_size=1)
                pool["weights_by_channel"] = draw(weights)
        own = st.dictionaries(st.sampled_from(CHANNELS), times(1, 3600), max_size=1)
        data["customers"]["patience_by_channel"] = draw(own)
    first, *rest = data["agents"] or [None]
    if rest and draw(st.booleans()):
        # Somebody must take what comes.
        data["agents"][first] |= {"transfers_only": True, "skills": []}
        for member in data["agents"][first].get("members", []):
            member.pop("skills", None)
    if draw(st.booleans()):
        data["touches"] = draw(touches())
        data["targets"]["resolution"] = {"urgent": "1h", "normal": "3h"}
        waits = st.sampled_from(["Waiting for customer", "On hold"])
        data["targets"]["pauses"] = draw(st.lists(waits, unique=True))
    return from_data(data)
