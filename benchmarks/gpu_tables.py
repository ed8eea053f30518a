"""The tables of visits to a GPU, from their results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median

from gpu_results import Row
from measuring import spread, table

GOALS = {16: 8.0, 64: 4.0}  # times Trainer, by batch size
TRIAL_GOAL_S = 40.0


def tables(rows: Sequence[Row]) -> str:
    """Return all tables that there are results for, in Markdown; what failed stands at the end.

    What was measured again, in a later visit or of more seeds, takes the place of what it was before.
    """
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row)
    for kind, keys in _KEYS.items():
        by_kind[kind] = list({tuple(row[key] for key in keys): row for row in by_kind[kind]}.values())
    parts = []
    for title, make in _TABLES:
        shown = make(by_kind)
        if shown:
            parts.append(f"### {title}\n\n{shown}")
    return "\n\n".join(parts)


def _machine(rows: dict[str, list[Row]]) -> str:
    return "\n".join(
        f"{one['device']}; a copy moves {one['terabytes_s']:.3g} TB/s, a bfloat16 product runs at "
        f"{one['teraflops']:.3g} TFLOP/s; {one['hardware']}."
        for one in rows["machine"]
    )


def _tests(rows: dict[str, list[Row]]) -> str:
    found = [[one["name"], one["outcome"], one["why"]] for one in rows["test"]]
    return table(["test", "outcome", "why"], found) if found else ""


def _checks(rows: dict[str, list[Row]]) -> str:
    verdicts = {True: "yes", False: "NO", None: ""}
    found = [
        [one["what"], _short(one["found"]), one["expected"], verdicts[one["is_right"]]]
        for one in rows["check"]
    ]
    return table(["check", "found", "expected", "right"], found) if found else ""


def _memory(rows: dict[str, list[Row]]) -> str:
    found = [
        [
            one["model"],
            str(one["batch"]),
            str(one["max_length"]),
            f"{one['peak_gb']:.2f}",
            f"{one['estimated_without_process_gb']:.2f}",
            f"{one['estimated_without_process_gb'] / one['peak_gb']:.2f}",
            f"{one['device_gb']:.2f}",
            f"{one['estimated_gb']:.2f}",
        ]
        for one in rows["memory"]
    ]
    header = ["model", "batch", "max. length", "peak, GB", "estimated", "estimated / peak"]
    return table([*header, "in use on the device, GB", "estimated with the process"], found) if found else ""


def _speeds(rows: dict[str, list[Row]]) -> str:
    """Return one line a model, batch size and way; ratios to Trainer are taken within a round."""
    bounds = {(one["model"], one["batch"]): one for one in rows["bound"]}
    measured: dict[tuple[str, int, str], dict[int, float]] = defaultdict(dict)
    for one in rows["speed"]:
        measured[one["model"], one["batch"], one["way"]][one["round"]] = one["samples_s"]
    found = []
    for (model, batch, way), speeds in measured.items():
        step, bound = 1e3 * batch / median(speeds.values()), bounds[model, batch]
        theirs = measured.get((model, batch, "Trainer"), {})
        ratios = [speed / theirs[number] for number, speed in speeds.items() if number in theirs]
        goal = f"{GOALS[batch]:g}" if way.startswith("engine") and batch in GOALS else ""
        share = f"{bound['ms'] / step:.0%} of {bound['by']}"
        ratio = spread(ratios, 2) if ratios and way != "Trainer" else ""
        line = [model, str(batch), way, spread(list(speeds.values()), 0), f"{step:.2f}", f"{bound['ms']:.3f}"]
        found.append([*line, share, ratio, goal])
    header = [
        "model",
        "batch",
        "loop",
        "samples/s",
        "ms a step",
        "bound, ms",
        "of the bound",
        "this / Trainer",
    ]
    return table([*header, "goal"], found) if found else ""


def _trials(rows: dict[str, list[Row]]) -> str:
    found = [
        [
            one["model"],
            f"{one['rows']:,}",
            f"{one['epochs'] * one['progress'] / 100:g} of {one['epochs']}",
            f"{one['seconds']:.1f}",
            f"{one['peak_gb']:.2f}",
            f"{one['estimated_gb']:.2f}",
        ]
        for one in rows["trial"]
    ]
    header = ["model", "rows", "epochs done", f"seconds (goal for xlnet-base: {TRIAL_GOAL_S:g})"]
    return table([*header, "peak of torch, GB", "estimated for the process, GB"], found) if found else ""


def _searches(rows: dict[str, list[Row]]) -> str:
    found = [
        [
            one["way"],
            str(one["trials"]),
            f"{one['wall_s']:.1f}",
            f"{one['at_once']:.1f}",
            f"{one['trial_s']:.1f}",
            f"{one['peak_gb']:.2f}",
            f"{one['share_gb']:.2f}",
        ]
        for one in rows["search"]
    ]
    header = ["trials", "how many", "wall time, s", "at once on average", "s a trial"]
    return table([*header, "most memory of a trial, GB", "of its share"], found) if found else ""


def _quality(rows: dict[str, list[Row]]) -> str:
    found = []
    of_seeds = {(one["model"], one["way"]): one for one in rows["quality"]}
    for one in [*rows["mean"], *rows["difference"]]:
        sign = "+" if one["kind"] == "difference" else ""
        interval = f" [{one['low']:{sign}.4f}, {one['high']:{sign}.4f}]" if one["low"] is not None else ""
        deviation = one.get("deviation")
        found.append(
            [
                one["model"],
                one["way"],
                one["split"],
                str(one["seeds"]),
                f"{one['mean']:{sign}.4f}{interval}",
                "" if deviation is None else f"{deviation:.4f}",
                of_seeds.get((one["model"], one["way"]), {}).get("members", ""),
            ]
        )
    header = ["model", "what", "split", "seeds", "macro-F1, mean and 95 % interval", "s.d. over seeds"]
    return table([*header, "members of the last seed"], found) if found else ""


def _predictions(rows: dict[str, list[Row]]) -> str:
    found = [
        [
            one["model"],
            one["way"],
            one["how"],
            f"{one['texts_s']:,.0f}",
            f"{one['ms']:.3f} ({one['least_ms']:.3f} to {one['most_ms']:.3f})",
        ]
        for one in rows["predict"]
    ]
    return table(["model", "way", "texts", "texts/s", "ms per text"], found) if found else ""


def _failures(rows: dict[str, list[Row]]) -> str:
    found = [[one["unit"], one["what"], one["why"]] for one in rows["failed"]]
    ended = [one for one in rows["ended"] if one["status"] != "done"]
    found += [[one["unit"], one["status"], one["why"]] for one in ended]
    found += [[one["unit"], "note", one["text"]] for one in rows["note"]]
    return table(["unit", "what", "why"], found) if found else ""


def _seconds(rows: dict[str, list[Row]]) -> str:
    return ", ".join(f"{one['unit']} {one['seconds']:.0f}" for one in rows["ended"])


def _short(found: object) -> str:
    return f"{found:.3g}" if isinstance(found, float) else str(found)


_KEYS = {
    "test": ["name"],
    "check": ["what"],
    "memory": ["model", "batch", "max_length"],
    "trial": ["model"],
    "search": ["way"],
    "mean": ["model", "way", "split"],
    "difference": ["model", "way", "split"],
    "predict": ["model", "way", "how"],
    "note": ["text"],
    "ended": ["unit"],
}

_TABLES: list[tuple[str, Callable[[dict[str, list[Row]]], str]]] = [
    ("Machine", _machine),
    ("Tests that need a GPU", _tests),
    ("Checks", _checks),
    ("Memory", _memory),
    ("Steps", _speeds),
    ("A whole trial", _trials),
    ("Trials that share the GPU", _searches),
    ("Quality", _quality),
    ("Predictions", _predictions),
    ("What did not end well", _failures),
    ("Seconds of each unit", _seconds),
]
