"""Small frames for figures, in which every number is known."""

import numpy as np
import pandas as pd

HOUR, DAY = 3600.0, 86400.0


def over_time(names, column, days=3, banded=True):
    """A wave of 3-hour intervals for each name, each higher than the last."""
    at = np.arange(0.0, days * DAY + 1, 3 * HOUR)
    wave = 1 + np.sin(at[:-1] / DAY * 2 * np.pi - 2)
    parts = []
    for k, name in enumerate(names, start=1):
        frame = pd.DataFrame({"start_s": at[:-1], "end_s": at[1:], column: name})
        frame["mean"] = k * 10 * wave + k
        frame["low"] = frame["mean"] * 0.8 if banded else np.nan
        frame["high"] = frame["mean"] * 1.3 if banded else np.nan
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def flows():
    return over_time(["arrivals", "resolved"], "flow")


def levels():
    return over_time(["busy", "staffed", "backlog"], "level")


def overlaid():
    frame = over_time(["backlog"], "level")
    other = frame.assign(mean=2 * frame["mean"], scenario="busy")
    return pd.concat([frame.assign(scenario="calm"), other], ignore_index=True)


def responses_overlaid():
    """Curves of two scenarios; where customers left, a curve ends below 1."""
    curve = pd.DataFrame({"priority": "no priority", "seconds": [0.0, 60.0, 3600.0],
                          "share": [0.2, 0.6, 1.0], "target_s": np.nan})  # fmt: skip
    other = curve.assign(seconds=[30.0, 600.0, 7200.0], share=[0.1, 0.4, 0.8], scenario="busy")
    return pd.concat([curve.assign(scenario="calm"), other], ignore_index=True)


def decision():
    rows = [
        ("calm", "service_level", "share", 0.97, 0.96, 0.98, 0.9, "met"),
        ("busy", "service_level", "share", 0.71, 0.66, 0.76, 0.9, "missed"),
        ("calm", "cost_week", "USD/week", 12262.0, 12250.0, 12274.0, np.nan, "open"),
        ("busy", "cost_week", "USD/week", 14730.0, 14705.0, 14755.0, np.nan, "open"),
    ]
    columns = ["scenario", "kpi", "unit", "value", "low", "high", "limit", "verdict"]
    return pd.DataFrame(rows, columns=columns).assign(group="")


def statuses():
    return over_time(["Escalated", "In Progress", "Reopened"], "status").drop(
        columns=["low", "high"]
    )


def lives():
    rows = [
        (7, "answered by the assistant", "Open", 0.0, 0.3),
        (7, "answered by the assistant", "In Progress", 0.3, 0.9),
        (7, "answered by the assistant", "Resolved", 0.9, DAY),
        (7, "answered by the assistant", "Closed", DAY, DAY),
        (9, "abandoned", "Open", 0.0, 1.0),
        (9, "abandoned", "Escalated", 1.0, 4 * HOUR),
        (9, "abandoned", "Abandoned", 4 * HOUR, 4 * HOUR),
    ]
    return pd.DataFrame(rows, columns=["ticket_id", "story", "status", "start_s", "end_s"])


def times():
    parts = []
    for name, scale, target in (("urgent", 1.0, 900.0), ("normal", 4.0, np.nan)):
        seconds = scale * np.geomspace(0.5, 20000, 30)
        share = np.linspace(0.1, 0.97, 30)
        parts.append(
            pd.DataFrame({"priority": name, "seconds": seconds, "share": share, "target_s": target})
        )
    return pd.concat(parts, ignore_index=True)


def service():
    week = np.arange(168)
    share = 0.7 + 0.3 * np.cos(week / 168 * 6.0) ** 2
    share[3] = np.nan
    return pd.DataFrame({"day": week // 24, "hour": week % 24, "tickets": 5, "share": share})


def arrivals_week():
    frame = service().rename(columns={"share": "mean", "tickets": "hours"})
    return frame.assign(mean=frame["mean"] * 20)


def stars():
    share = np.array([0.15, 0.02, 0.03, 0.1, 0.7])
    return pd.DataFrame(
        {"rating": [1, 2, 3, 4, 5], "share": share, "low": share * 0.9, "high": share * 1.1}
    )


def by_category():
    return pd.DataFrame(
        {
            "category": ["Login", "Payment Issues", "Costs $5 or $6"],
            "ratings": [10, 20, 30],
            "mean": [4.5, 4.2, 3.9],
            "low": [4.4, 4.0, 3.8],
            "high": [4.6, 4.4, 4.0],
        }
    )


def ratings_over_time():
    at = np.arange(0.0, 3 * DAY + 1, 6 * HOUR)
    frame = pd.DataFrame({"start_s": at[:-1], "end_s": at[1:], "ratings": 9.0})
    frame["mean"] = np.linspace(3.8, 4.4, len(frame))
    frame["low"], frame["high"] = frame["mean"] - 0.1, frame["mean"] + 0.1
    frame["version"] = ["1"] * 5 + [None] + ["1+2"] * 6
    return frame


def confusion():
    names = ["Login", "Other", "Payment"]
    share = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.004, 0.996]])
    return pd.DataFrame(
        {
            "true": np.repeat(names, 3),
            "given": np.tile(names, 3),
            "tickets": (share * 1000).ravel().astype(int),
            "share": share.ravel(),
        }
    )


def calls():
    tokens = np.array([12, 15, 14, 100, 130, 160])
    return pd.DataFrame(
        {
            "step": ["categorize"] * 3 + ["respond"] * 3,
            "model": "openai/gpt-oss-20b",
            "tokens": tokens,
            "latency_s": tokens / 200 + 0.1,
        }
    )


def quota():
    at = np.arange(0.0, DAY + 1, HOUR)
    k = np.arange(24)
    return pd.DataFrame(
        {
            "start_s": at[:-1],
            "end_s": at[1:],
            "calls": 10.0,
            "quota_wait_s": np.where(k > 20, np.nan, k / 3),
            "rate_limited": np.where(k > 8, k, 0).astype(float),
            "failed": 0.0,
        }
    )


def differences():
    rows = [
        ("first_response_mean", "", "s", 780.0, -120.0, -180.0, -60.0, "better"),
        ("service_level", "urgent", "share", 0.91, 0.03, 0.01, 0.05, "better"),
        ("backlog", "", "tickets", 33.7, 4.0, 1.0, 7.0, "worse"),
        ("csat", "", "share", 0.81, 0.002, -0.004, 0.008, "no difference shown"),
        ("quota_wait_mean", "", "s", 0.0, 3.0, 2.0, 4.0, "worse"),
        ("agent_wait_mean", "", "s", 60.0, 600.0, 500.0, 700.0, "worse"),
    ]
    columns = ["kpi", "group", "unit", "baseline", "difference", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def load():
    rows = [
        (scale, model, "first_response_p95", "s", base * scale**2)
        for model, base in (("small", 30.0), ("large", 80.0))
        for scale in (2.0, 1.0, 3.0)
    ]
    frame = pd.DataFrame(
        rows, columns=["arrivals.scale", "assistant.model", "kpi", "unit", "value"]
    )
    return frame.assign(low=frame["value"] * 0.9, high=frame["value"] * 1.1)


def front():
    return pd.DataFrame(
        {
            "scenario": ["none", "some", "all", "lost"],
            "cost": [0.1, 1.9, 4.2, 4.8],
            "cost_low": [0.1, 1.8, 4.1, 4.7],
            "cost_high": [0.1, 2.0, 4.3, 4.9],
            "good": [0.7, 0.81, 0.84, 0.8],
            "good_low": [0.69, 0.8, 0.83, 0.79],
            "good_high": [0.71, 0.82, 0.85, 0.81],
            "front": [True, True, True, False],
        }
    )


def warm_up():
    time_s = np.arange(0.0, 6 * DAY, HOUR)
    mean = 30 * (1 - np.exp(-time_s / DAY)) + np.sin(time_s / 5000)
    smoothed = pd.Series(mean).rolling(13, center=True).mean()
    return pd.DataFrame(
        {"time_s": time_s, "mean": mean, "smoothed": smoothed, "suggestion": 2 * DAY}
    )


def fidelity_rungs():
    columns = ["rung", "value", "low", "high", "limit", "replay"]
    rows = [("in sample", 3.0, 2.0, 4.0, 6.0, np.nan), ("V", 5.0, 4.0, 6.0, 6.0, 9.0),
            ("F", 12.0, 10.0, 15.0, 6.0, 9.0)]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def fidelity_hours():
    hour = np.arange(8, 18)
    real = 30 + 10 * np.sin(hour / 2)
    frame = pd.DataFrame({"hour": hour, "tickets": 100, "real": real, "twin": real + 3})
    return frame.assign(low=frame["twin"] - 8, high=frame["twin"] + 8, inside=True)
