"""Costs as the records of an earlier search on this machine tell them, in place of a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from goemo.configuration import Configuration
from goemo.errors import GoemoError
from tune.environment import describe
from tune.forecast.costs import DriverCosts, Timing
from tune.forecast.driver import fits_words
from tune.forecast.setting import Setting
from tune.forecast.work import work_of
from tune.records import BASELINE, SearchFolder, Snapshot, TrialRecord, search_names
from tune.spec import SearchSpec

# What makes a machine, and the software on it, another one.
_MACHINE = ("versions", "platform", "processor", "cpus", "gpus")
_TOLD = ("train/samples_per_second", "train/peak_memory_gb")


@dataclass(frozen=True)
class Learned:
    """What an earlier search tells of one to come.

    Attributes:
        name: The earlier search.
        driver: What it cost beside its trials; the files of trials are in each trial's setup.
        timings: For each setting those of its trials.
    """

    name: str
    driver: DriverCosts
    timings: Sequence[Sequence[Timing]]


def learn(settings: Sequence[Setting], *, address: str | None) -> Learned | None:
    """Return what the newest search tells that knows all the models; None where none does.

    It ran from start to end in one command, on this machine, with these versions, on the same data, and with
    as much for a trial. It knows a model if it trained it with each batch size and maximum length to come.

    Args:
        settings: The models of the search to come, with trials.
        address: The cluster that it would run on; None for this machine.
    """
    environment = describe()
    for name in reversed(search_names()):
        with suppress(GoemoError):  # `goemo list` tells of damaged records
            now = SearchFolder.open(name).snapshot()
            if _is_alike(now, settings[0], environment, address):
                earlier = _Earlier(now, settings[0])
                timings = [earlier.timings(setting) for setting in settings]
                if all(timings):
                    return Learned(name, earlier.driver, timings)
    return None


def _is_alike(now: Snapshot, setting: Setting, environment: Mapping[str, Any], address: str | None) -> bool:
    """Say whether a search tells what another would take on this machine."""
    facts = now.facts
    ran_on, data = facts.get("environment", {}), facts.get("data", {})
    return (
        "started" in facts
        and facts.get("seconds", {}).get("trials", 0.0) > 0
        and data.get("digest") == setting.splits.digest
        and facts.get("address") == address
        and SearchSpec.from_dict(dict(now.spec)).resources == setting.spec.resources
        and all(ran_on.get(part) == environment.get(part) for part in _MACHINE)
    )


class _Earlier:
    """An earlier search, as far as its records tell what the next one takes."""

    def __init__(self, now: Snapshot, setting: Setting) -> None:
        self._seconds, started = now.facts["seconds"], float(now.facts["started"])
        self._trials = [record for record in now.everyone if _is_told(record)]
        starts = (record.history[0]["time"] - record.history[0]["seconds"] for record in self._trials)
        self._start_s = max(0.0, min(starts, default=started) - started)
        self._words_s, self._share = 0.0, 1.0
        words = now.answers.get(BASELINE)
        if words is not None and words.history:
            self._words_s = words.seconds if fits_words(setting.spec, setting.splits) else 0.0
            if words.history[-1]["time"] - started > words.seconds:  # else it was in the cache
                # What it took of the cores, the next search has for its trials.
                self._share = max(0.5, 1 - words.seconds / (setting.cpus * self._seconds["trials"]))
        places = min(setting.at_once, len(self._trials))
        held_s = places * (self._seconds["trials"] - self._start_s)
        # Beyond what trials report: their setup, waiting for the driver, changing from one to the next.
        beside_s = max(0.0, held_s - sum(record.seconds for record in self._trials))
        self._setup_s = self._share * beside_s / max(1, len(self._trials))

    @property
    def driver(self) -> DriverCosts:
        """What it cost beside its trials."""
        closing_s = sum(self._seconds.get(phase, 0.0) for phase in ("report", "the store"))
        return DriverCosts(
            self._share * self._start_s, files_s=0.0, baseline_s=self._words_s, closing_s=closing_s
        )

    def timings(self, setting: Setting) -> list[Timing]:
        """Return the timings of the trials of a model; none unless each size to come is among them."""
        own = asdict(setting.settings).items()
        known = [(Configuration.from_dict(record.config), record) for record in self._trials]
        pairs = [(c, record) for c, record in known if own <= asdict(c).items()]
        if not {*map(_size, setting.configurations)} <= {_size(c) for c, _ in pairs}:
            return []
        return [self._timing(record, c, setting) for c, record in pairs]

    def _timing(self, record: TrialRecord, c: Configuration, setting: Setting) -> Timing:
        """Return what a trial took: its training by the speed that it reports, its reports by the rest."""
        rows, texts = record.history, len(setting.prepared.tokens["train"])
        epochs_s = [texts / row["train/samples_per_second"] for row in rows]
        before = [0.0, *(row["progress"] for row in rows)]
        trained_s = sum(
            (row["progress"] - begun) / 100 * c.epochs * epoch_s
            for row, begun, epoch_s in zip(rows, before, epochs_s, strict=False)
        )
        return Timing(
            configuration=c,
            steps=work_of(setting.epoch(c)),
            steps_s=self._share * sum(epochs_s) / len(rows),
            look=setting.look(c.max_length),
            look_s=self._share * max(1e-3, (record.seconds - trained_s) / len(rows)),
            setup_s=self._setup_s,
            peak_bytes=1e9 * max(row["train/peak_memory_gb"] for row in rows),
        )


def _is_told(record: TrialRecord) -> bool:
    return record.is_ranked and all(row.get(name, 0.0) > 0 for row in record.history for name in _TOLD)


def _size(c: Configuration) -> tuple[int, int, int]:
    return c.batch_size, c.accumulation_steps, c.max_length
