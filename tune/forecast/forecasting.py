"""Forecasts a search from a short probe and arithmetic."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

import torch
from rich.console import Console

from goemo.configuration import Configuration
from goemo.data import Splits, load_splits, report_lines
from goemo.files import amount
from goemo.frozen.output import missing_output
from goemo.training import report_progress, report_step
from goemo.training.prepared import prepare as prepare_shared
from tune.durations import duration
from tune.engine.preparation import (
    check_models,
    checked_model,
    found_checkpoints,
    trial_resources,
)
from tune.forecast.disk_need import disk_needed, free_bytes
from tune.forecast.expected import Forecast, Phases
from tune.forecast.measuring import Probed, look_work, measure
from tune.forecast.setting import Setting, drawn
from tune.forecast.simulation import Run, TrialTimeline, simulate
from tune.forecast.stopping import Span, expected_runs
from tune.forecast.work import work_of
from tune.live.consoles import progress_console
from tune.live.progress import progress_bars
from tune.records import runs_folder
from tune.spec import SearchSpec, models, possible_lengths

# What no probe sees, on two cores of an AMD EPYC: the imports of the command and MLflow's store before the
# first trial; the leaderboard, the figures and the page after the last; and what MLflow takes for a trial.
START_S, REPORT_S, LOG_S = 2.5, 2.5, 0.2

# How far off a probe of seconds may be on a machine that does nothing else.
ERROR = 0.2


def forecast(spec: SearchSpec, *, address: str | None = None, console: Console | None = None) -> Forecast:
    """Forecast what a search takes: time, hours, memory and disk, and what early stopping saves.

    It does for some seconds each what the search would do: on the machine or the cluster where the search
    would run, and as many trials at once. Tokens are written to the cache under `mlruns`, where the search
    finds them; nothing else stays.

    Args:
        spec: The search space and how to search it, as `tune.spec.load_spec` gives it.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: Data, checkpoint or resources are wrong; the search would be refused too.
        GoemoError: The work failed.
    """
    from tune.engine.cluster import check_address, connect

    check_address(address)
    console = console or progress_console()

    def tell(line: str) -> None:
        console.print(f"forecast: {line}", soft_wrap=True, highlight=False)

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    started = time.perf_counter()
    checkpoints = found_checkpoints(spec)
    with connect(address, tell) as nodes:
        tell("reading data and model")
        splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed, options=spec.data)
        check = check_models(spec, splits)
        resources = nodes(shared=runs_folder(), needed=checkpoints, note=tell)
        per_trial = trial_resources(spec, check, resources)
        opening_s = time.perf_counter() - started
        chosen = models(spec)
        parts: list[tuple[Setting, Probed]] = []
        notes = []
        for one in chosen:
            with progress_bars(console) as on_progress:
                prepared = prepare_shared(
                    splits,
                    one.checkpoint,
                    trainable="all",  # the tokens alone
                    max_lengths=possible_lengths(spec, one),
                    cache=runs_folder() / "cache",
                    on_progress=on_progress,
                )
            counting = time.perf_counter()
            missing = missing_output(
                prepared.texts_folder,
                prepared.checkpoint,
                prepared.labels,
                prepared.tokens,
                trainable=one.trainable,
                pooling=one.pooling,
                max_lengths=possible_lengths(spec, one),
            )
            opening_s += time.perf_counter() - counting
            obstacle = "" if missing is None else missing.obstacle(spec.resources.prefix_limit_gb)
            if obstacle:
                notes.append(f"frozen encoder output of {one.checkpoint}: {obstacle}")
            setting = Setting(
                spec=spec,
                settings=one,
                splits=splits,
                prepared=prepared,
                missing=None if obstacle else missing,
                model=checked_model(spec, one, splits),
                check=check,
                nodes=resources,
                per_trial=per_trial,
            )
            if setting.trials:  # a few random draws need not have one of each
                tell(f"{one.checkpoint} ({one.trainable})")
                probed = measure(setting, tell, share=1 / len(chosen))
                parts.append((replace(setting, model=None), probed))
        notes = list(dict.fromkeys(notes))
        return assemble(parts, opening_s, notes, probe_s=time.perf_counter() - started)


def assemble(
    parts: Sequence[tuple[Setting, Probed]], opening_s: float, notes: Sequence[str], *, probe_s: float
) -> Forecast:
    """Work out a forecast from what was measured.

    Args:
        parts: For each model of the search, where it would run and what was measured.
        opening_s: Seconds to read data and model, and to start Ray.
        notes: What a reader should know.
        probe_s: What the probe took.
    """
    setting, probed = parts[0]
    spec, at_once = setting.spec, setting.at_once
    of_models = [[timeline(s, p, c) for c in s.configurations] for s, p in parts]
    known = {
        trial_id: one
        for (s, _), timelines in zip(parts, of_models, strict=True)
        for trial_id, one in zip(s.trials, timelines, strict=True)
    }
    by_id = {trial_id: known[trial_id] for trial_id in drawn(spec)}
    timelines = list(by_id.values())
    runs = expected_runs(spec, by_id, at_once)
    walls = [_wall_s(setting, probed, run) for run in runs]
    whole_s = _wall_s(setting, probed, simulate(timelines, at_once))
    steps = sum(sum(one.steps) for one in timelines)
    totals = sorted(one.total_s for one in timelines)
    # The leaders are not known yet: any trial may be one.
    again = [TrialTimeline((100,), (sum(totals) / len(totals),), (0,))] * spec.confirm.most_trials(spec.total)
    confirming_s = simulate(again, at_once).wall_s if again else 0.0
    closing_s = max(p.test_s for _, p in parts) + REPORT_S
    opening_s += START_S + max(p.workers_s for _, p in parts)
    phases = Phases(opening_s, sum(p.encoder_s for _, p in parts), median(walls), confirming_s, closing_s)
    rest_s = phases.total - phases.trials
    kept = Span.of([run.steps / steps for run in runs]) if spec.scheduler.algorithm != "none" else None
    hours = (median([sum(run.trial_s) for run in runs]) + sum(one.total_s for one in again)) / 3600
    return Forecast(
        name=spec.name,
        trials=len(timelines),
        at_once=at_once,
        per_trial=dict(setting.per_trial),
        wall_s=Span.of([rest_s + wall for wall in walls]).widened(ERROR),
        phases=phases,
        trial_s=_ends(timelines),
        steps=steps,
        kept_steps=kept,
        saved_s=max(0.0, whole_s - phases.trials),
        trial_hours=hours,
        memory_bytes=max(p.memory_bytes for _, p in parts),
        memory_there=_memory_there(setting),
        disk=disk_needed(
            spec,
            setting.check,
            labels=len(setting.prepared.labels),
            rows=(len(setting.splits.validation), len(setting.splits.test)),
            at_once=at_once,
            frozen_output=sum(s.missing.bytes_needed for s, _ in parts if s.missing is not None),
            is_checkpointed=totals[-1] > spec.checkpoint_every_s,
        ),
        disk_free=free_bytes(runs_folder()),
        probe_s=probe_s,
        notes=(*notes, *_notes(spec)),
        data=_data_lines(setting.splits),
        models=() if len(parts) == 1 else tuple(map(_share, parts, of_models)),
    )


def _share(part: tuple[Setting, Probed], timelines: Sequence[TrialTimeline]) -> str:
    """Return what one model takes of a search that chooses among several."""
    setting, probed = part
    one, (shortest, middle, longest) = setting.settings, map(duration, _ends(timelines))
    encoder = f", {duration(probed.encoder_s)} for the frozen encoder" if probed.encoder_s >= 0.5 else ""
    return (
        f"{one.checkpoint} ({one.trainable}, {one.pooling}): {len(timelines)} trials, each {shortest} to "
        f"{longest}, the median {middle}; {amount(probed.memory_bytes)} for the largest{encoder}"
    )


def _ends(timelines: Sequence[TrialTimeline]) -> tuple[float, float, float]:
    """Return the seconds of the shortest, the median and the longest trial."""
    totals = sorted(one.total_s for one in timelines)
    return totals[0], median(totals), totals[-1]


def _data_lines(splits: Splits) -> tuple[str, ...]:
    return () if splits.report is None else tuple(report_lines(splits.report.to_dict()))


def timeline(setting: Setting, probed: Probed, configuration: Configuration) -> TrialTimeline:
    """Work out what one configuration takes."""
    c = configuration
    shapes = setting.epoch(c)
    step_s = probed.train.seconds(work_of(shapes)) / len(shapes)
    total = len(shapes) * c.epochs
    reports = min(c.reports, total)
    ends = [0, *(report_step(number, reports, total) for number in range(1, reports + 1))]
    steps = tuple(end - start for start, end in pairwise(ends))
    validation = setting.prepared.tokens["validation"].lengths(c.max_length)
    look = look_work(validation, reads_vectors=setting.reads_vectors(c.max_length))
    seconds = [count * step_s + probed.look.seconds(look) + probed.metrics_s for count in steps]
    seconds[0] += probed.setup_s + probed.shape_s * len(set(shapes))
    progress = tuple(report_progress(number, reports) for number in range(1, reports + 1))
    return TrialTimeline(progress, tuple(seconds), steps)


def _wall_s(setting: Setting, probed: Probed, run: Run) -> float:
    """Return the wall time of a run's trials where they share the cores with the driver.

    The driver writes files and logs, one trial after the other, while others train: where the cores are all
    taken, that makes the trials longer.
    """
    driver_s = (probed.files_s + LOG_S) * len(run.trial_s)
    work_s = setting.per_trial["cpu"] * sum(run.trial_s) + driver_s
    return max(run.wall_s, driver_s, work_s / setting.cpus)


def _memory_there(setting: Setting) -> float:
    """Return the bytes that there are for a trial: its share of a GPU, or of the machine."""
    if setting.per_trial["gpu"] > 0 and torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory * min(1.0, setting.per_trial["gpu"])
    there: float = min(node["memory"] for node in setting.nodes)
    return there / max(1, setting.at_once // len(setting.nodes))


def _notes(spec: SearchSpec) -> list[str]:
    """Return what a reader should know of the figures of this search."""
    notes = []
    if spec.search.algorithm == "tpe":
        notes.append("TPE chooses as it learns; its trials are simulated by random draws")
    if spec.scheduler.algorithm != "none":
        notes.append("early stopping: assumes that trials rank at every report as they would at the end")
    if spec.scheduler.algorithm == "median":
        notes.append("and that their objectives no longer rise: the more they rise, the fewer are stopped")
    return notes
