"""Forecasts a search from records or a short probe, and arithmetic."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise
from statistics import median

import torch
from rich.console import Console

from goemo.configuration import Configuration
from goemo.data import load_splits, report_lines
from goemo.files import amount
from goemo.training import report_progress, report_step
from goemo.training.prepared import Prepared
from tune.durations import duration
from tune.engine.preparation import checked_models, dearest, found_checkpoints, prepare, trial_resources
from tune.forecast.costs import DriverCosts, TrialCosts
from tune.forecast.disk_need import disk_needed, free_bytes
from tune.forecast.expected import Forecast, Phases, Span
from tune.forecast.learning import learn
from tune.forecast.measuring import costs_of
from tune.forecast.setting import Setting, drawn
from tune.forecast.simulation import Run, TrialTimeline, expected_runs, simulate
from tune.forecast.work import work_of
from tune.live.consoles import progress_console
from tune.live.progress import progress_bars
from tune.records import runs_folder
from tune.spec import SearchSpec, models, possible_lengths

# How far off a probe of seconds may be on a machine that does nothing else.
ERROR = 0.2


def forecast(
    spec: SearchSpec,
    *,
    address: str | None = None,
    console: Console | None = None,
    started: float | None = None,
) -> Forecast:
    """Forecast what a search takes: time, hours, memory and disk, and what early stopping saves.

    It prepares what the search would prepare, on the machine or the cluster where the search would run. What
    trials take there is learned from the records of an earlier search, and else measured for some seconds
    each. Tokens are written to the cache under `mlruns`, where the search finds them; nothing else stays.

    Args:
        spec: The search space and how to search it, as `tune.spec.load_spec` gives it.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        console: Where progress is shown; None for stderr.
        started: When the command began, in seconds since the epoch; None for now.

    Raises:
        InputError: Data, checkpoint or resources are wrong; the search would be refused too.
        GoemoError: The work failed.
    """
    from tune.engine.cluster import check_address, connect

    started = time.time() if started is None else started
    check_address(address)
    console = console or progress_console()

    def tell(line: str) -> None:
        console.print(f"forecast: {line}", soft_wrap=True, highlight=False)

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    checkpoints = found_checkpoints(spec)
    only_tokens = replace(spec, resources=replace(spec.resources, prefix_limit_gb=0))
    with connect(address, tell) as nodes:
        tell("reading data and model")
        splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed, options=spec.data)
        checks = checked_models(spec, splits)
        resources = nodes(shared=runs_folder(), needed=checkpoints, note=tell)
        per_trial = trial_resources(spec, dearest(checks), resources)
        with progress_bars(console) as on_progress:
            folders = prepare(only_tokens, splits, on_progress=on_progress)
        # What takes seconds in a search too, before it starts workers.
        import tune.reporting.artifacts
        import tune.tracking  # noqa: F401

        opening_s = time.time() - started
        settings, notes = [], []
        for one, check in zip(models(spec), checks, strict=True):
            prepared = Prepared.open(folders[one.checkpoint])
            missing = prepared.missing_output(one.trainable, one.pooling, possible_lengths(spec, one))
            obstacle = "" if missing is None else missing.obstacle(spec.resources.prefix_limit_gb)
            if obstacle:
                notes.append(f"frozen encoder output of {one.checkpoint}: {obstacle}")
            setting = Setting(
                spec=spec,
                settings=one,
                splits=splits,
                prepared=prepared,
                missing=None if obstacle else missing,
                check=check,
                nodes=resources,
                per_trial=per_trial,
            )
            if setting.trials:  # a few random draws need not have one of each
                settings.append(setting)
        measuring = time.perf_counter()
        learned = learn(settings, address=address)
        costs, driver = costs_of(settings, learned, tell)
        probe_s = time.perf_counter() - measuring
        ending = time.perf_counter()
    driver = replace(driver, closing_s=driver.closing_s + time.perf_counter() - ending)  # Ray has ended
    source = [] if learned is None else [f"the records of {learned.name}"]
    if learned is None or any(one.missing is not None for one in settings):
        source.append(f"a probe of {duration(probe_s)}")
    return assemble(
        list(zip(settings, costs, strict=True)),
        driver,
        opening_s,
        list(dict.fromkeys(notes)),
        source=" and ".join(source),
    )


def assemble(
    parts: Sequence[tuple[Setting, TrialCosts]],
    driver: DriverCosts,
    opening_s: float,
    notes: Sequence[str],
    *,
    source: str,
) -> Forecast:
    """Work out a forecast from costs.

    Args:
        parts: For each model of the search, where it would run and what its trials cost.
        driver: What the search costs beside its trials.
        opening_s: Seconds to read data and model, and to start Ray.
        notes: What a reader should know.
        source: Where the costs are from.
    """
    setting = parts[0][0]
    spec, at_once, report = setting.spec, setting.at_once, setting.splits.report
    of_models = [[timeline(s, p, c) for c in s.configurations] for s, p in parts]
    trial_ids = [trial_id for s, _ in parts for trial_id in s.trials]
    known = dict(zip(trial_ids, chain(*of_models), strict=True))
    by_id = {trial_id: known[trial_id] for trial_id in drawn(spec)}
    timelines = list(by_id.values())
    runs = expected_runs(spec, by_id, at_once)
    walls = [_wall_s(setting, driver, run) for run in runs]
    whole_s = _wall_s(setting, driver, simulate(timelines, at_once))
    steps = sum(sum(one.steps) for one in timelines)
    totals = sorted(one.total_s for one in timelines)
    # The leaders are not known yet: any trial may be one.
    again = [TrialTimeline((100,), (sum(totals) / len(totals),), (0,))] * spec.confirm.most_trials(spec.total)
    confirming_s = simulate(again, at_once).wall_s if again else 0.0
    encoder_s = sum(p.encoder_s for _, p in parts)
    phases = Phases(opening_s + driver.start_s, encoder_s, median(walls), confirming_s, driver.closing_s)
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
            dearest([s.check for s, _ in parts]),
            labels=len(setting.prepared.labels),
            rows=(len(setting.splits.validation), len(setting.splits.test)),
            at_once=at_once,
            frozen_output=sum(s.missing.bytes_needed for s, _ in parts if s.missing is not None),
            is_checkpointed=totals[-1] > spec.checkpoint_every_s,
        ),
        disk_free=free_bytes(runs_folder()),
        source=source,
        notes=(*notes, *_notes(spec)),
        data=() if report is None else tuple(report_lines(report.to_dict())),
        models=() if len(parts) == 1 else tuple(map(_share, parts, of_models)),
    )


def _share(part: tuple[Setting, TrialCosts], timelines: Sequence[TrialTimeline]) -> str:
    """Return what one model takes of a search that chooses among several."""
    setting, costs = part
    one, (shortest, middle, longest) = setting.settings, map(duration, _ends(timelines))
    encoder = f", {duration(costs.encoder_s)} for the frozen encoder" if costs.encoder_s >= 0.5 else ""
    return (
        f"{one.checkpoint} ({one.trainable}, {one.pooling}): {len(timelines)} trials, each {shortest} to "
        f"{longest}, the median {middle}; {amount(costs.memory_bytes)} for the largest{encoder}"
    )


def _ends(timelines: Sequence[TrialTimeline]) -> tuple[float, float, float]:
    """Return the seconds of the shortest, the median and the longest trial."""
    totals = sorted(one.total_s for one in timelines)
    return totals[0], median(totals), totals[-1]


def timeline(setting: Setting, costs: TrialCosts, configuration: Configuration) -> TrialTimeline:
    """Work out what one configuration takes."""
    c = configuration
    shapes = setting.epoch(c)
    step_s = costs.train.seconds(work_of(shapes)) / len(shapes)
    total = len(shapes) * c.epochs
    reports = min(c.reports, total)
    ends = [0, *(report_step(number, reports, total) for number in range(1, reports + 1))]
    steps = tuple(end - start for start, end in pairwise(ends))
    look_s = costs.look.seconds(setting.look(c.max_length))
    seconds = [count * step_s + look_s for count in steps]
    seconds[0] += costs.setup_s
    progress = tuple(report_progress(number, reports) for number in range(1, reports + 1))
    return TrialTimeline(progress, tuple(seconds), steps)


def _wall_s(setting: Setting, driver: DriverCosts, run: Run) -> float:
    """Return the wall time of a run's trials where they share the cores with the driver and the bag of words.

    The driver writes files and logs, one trial after the other, while others train: where the cores are all
    taken, that makes the trials longer. The bag of words begins while the workers start.
    """
    driver_s, words_s = driver.files_s * len(run.trial_s), driver.baseline_s
    work_s = setting.per_trial["cpu"] * sum(run.trial_s) + driver_s
    work_s += max(0.0, words_s - driver.start_s)
    return max(run.wall_s, driver_s, words_s - driver.start_s, work_s / setting.cpus)


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
    if spec.scheduler.spares_ties:
        notes.append("and counts no ties, which let a few per cent more of the steps be taken")
    if spec.scheduler.algorithm == "median":
        notes.append("and that their objectives no longer rise: the more they rise, the fewer are stopped")
    return notes
