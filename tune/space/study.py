"""A search as an Optuna study in a file, for optuna-dashboard and other tools that read studies."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DatabaseError

from goemo.errors import InputError
from tune.records import Snapshot, TrialRecord
from tune.space.tpe import label, quiet_optuna
from tune.spec import Domain, SearchSpec, case_of

TRIAL_ID = "goemo.trial_id"  # among the attributes of a trial
STATES = {"completed": TrialState.COMPLETE, "stopped_early": TrialState.PRUNED}  # the others: FAIL


@dataclass(frozen=True)
class Study:
    """What a file has of a search.

    Attributes:
        url: Of the storage.
        name: Of the study, which is the search's.
        added: Trials that were added now.
        trials: Trials that it has.
        waiting: Trials of the search that have not ended, which come later: a study's are never changed.
    """

    url: str
    name: str
    added: int
    trials: int
    waiting: int


def write_study(now: Snapshot, path: Path) -> Study:
    """Add to a study the trials that have ended and that it does not have.

    Each has its state, its value, the objective of each report by progress, its hyperparameters with what
    they were chosen from, and the times at which it started and ended. Lists of values are categories. The
    study of an earlier search of that name, or with a trial trained again since, is made anew.

    Args:
        now: The records of the search.
        path: A SQLite file, of this search or of several; made where there is none.

    Raises:
        InputError: The file is no storage of Optuna, or its study of that name is none of a search.
    """
    url = f"sqlite:///{path.absolute()}"
    with quiet_optuna():
        try:
            storage = optuna.storages.RDBStorage(url)
        except (DatabaseError, RuntimeError) as error:
            why = str(error).splitlines()[0]
            raise InputError(str(path), [f"not an SQLite file, or not an Optuna storage: {why}"]) from error
        ended = {record.trial_id: record for record in now.trials if record.outcome is not None}
        study = _open(storage, now.name)
        if not all(_is_of(trial, ended) for trial in study.get_trials(deepcopy=False)):
            optuna.delete_study(study_name=now.name, storage=storage)
            study = _open(storage, now.name)
        with warnings.catch_warnings():  # it is experimental, since Optuna 3.2
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([f"val/{now.spec['objective']['metric']}"])
        known = {trial.user_attrs[TRIAL_ID] for trial in study.get_trials(deepcopy=False)}
        domains = SearchSpec.from_dict(dict(now.spec)).varying
        new = [record for name, record in ended.items() if name not in known]
        for record in sorted(new, key=lambda one: (one.outcome.ended_at if one.outcome else 0, one.trial_id)):
            study.add_trial(_frozen(record, domains))
    return Study(url, now.name, len(new), len(ended), now.asked_for - len(ended))


def _open(storage: optuna.storages.RDBStorage, name: str) -> optuna.Study:
    """Return the study of that name, made where there is none; refuse one that is not of a search."""
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    if any(TRIAL_ID not in trial.user_attrs for trial in study.get_trials(deepcopy=False)):
        raise InputError(name, ["this study has trials that are of no search; name another file with -o"])
    return study


def _is_of(trial: FrozenTrial, ended: Mapping[str, TrialRecord]) -> bool:
    """Return whether a trial of a study is one of these, as it ended last."""
    record = ended.get(trial.user_attrs[TRIAL_ID])
    return record is not None and trial.datetime_complete == _completed(record)


def _frozen(record: TrialRecord, domains: Mapping[str, Domain]) -> FrozenTrial:
    assert record.outcome is not None
    cases = {name: case_of(name, domains, record.varied) for name in record.varied if name in domains}
    asked = {
        label(name, domains[name], case): (record.varied[name], case)
        for name, case in cases.items()
        if case is not None and case.holds(record.varied[name])  # not what the space had before
    }
    state = STATES.get(record.outcome.stop_reason, TrialState.FAIL)
    return FrozenTrial(
        number=-1,  # both are given by the storage
        trial_id=-1,
        state=state,
        value=None if state == TrialState.FAIL else record.objective,
        datetime_start=min(_started(record), _completed(record)),
        datetime_complete=_completed(record),
        params={name: value for name, (value, _) in asked.items()},
        distributions={name: _distribution(case) for name, (_, case) in asked.items()},
        user_attrs={
            TRIAL_ID: record.trial_id,
            "goemo.stop_reason": record.outcome.stop_reason,
            **({"goemo.message": record.outcome.message} if record.outcome.message else {}),
        },
        system_attrs={},
        intermediate_values={int(row["progress"]): row[record.objective_name] for row in record.history},
    )


def _completed(record: TrialRecord) -> datetime:
    """Return when a trial ended, in local time without a zone, as Optuna's."""
    assert record.outcome is not None
    return datetime.fromtimestamp(max(record.outcome.ended_at, 0.0))  # noqa: DTZ006


def _started(record: TrialRecord) -> datetime:
    """Return when a trial began, likewise: its first report tells."""
    if not record.history or "time" not in record.history[0]:
        return _completed(record)
    first = record.history[0]
    return datetime.fromtimestamp(first["time"] - first.get("seconds", 0.0))  # noqa: DTZ006


def _distribution(domain: Domain) -> BaseDistribution:
    if domain.is_listed:
        return CategoricalDistribution(domain.values)
    low, high = domain.values
    if domain.kind == "int":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=domain.kind == "log_uniform")
