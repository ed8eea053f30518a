"""A blend as a folder: one plain bundle per member, and one file with their weights.

FOLDER/
    blend.json                  the members' folders and weights in tenths
    1-NAME/ 2-NAME/ ..          a bundle each, of any kind but this one
    labels.json thresholds.json provenance.json README.md    as in every bundle, of the blend itself
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial as bound
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from goemo.blending import Member, blended_scores
from goemo.bundle.card_parts import card, data_line
from goemo.bundle.folder import (
    COMMON_FILES,
    check_files,
    damage_named,
    new_bundle,
    read_common,
    write_common,
    write_json,
)
from goemo.bundle.opened import Bundle, Progress
from goemo.configuration.json_files import read_json
from goemo.errors import InputError
from goemo.escaping import code, prose
from goemo.thresholds import FittedThresholds

BLEND = "blend.json"


class _StoredMember(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # A plain name: a folder of a stranger leads to no other place.
    folder: Annotated[str, Field(pattern=r"^[0-9]+-[A-Za-z0-9_-]{1,100}$")]
    name: Annotated[str, Field(min_length=1, max_length=1_000)]
    tenths: Annotated[int, Field(ge=1, le=10)]


class _StoredBlend(BaseModel):
    """What ``blend.json`` holds."""

    model_config = ConfigDict(extra="forbid")

    members: Annotated[tuple[_StoredMember, ...], Field(min_length=2, max_length=10)]


@dataclass(frozen=True, eq=False)
class BlendBundle(Bundle):
    """Several models as one: the sigmoid of the weighted mean of their logits.

    Attributes:
        members: Names and weights.
        bundles: The members themselves, in the same order.
    """

    members: tuple[Member, ...]
    bundles: tuple[Bundle, ...]

    def _scores(
        self, texts: Sequence[str], batch_size: int | None, on_progress: Progress | None
    ) -> NDArray[np.float32]:
        scores = []
        for number, one in enumerate(self.bundles):
            # Texts done are counted through all members; the callback hears of a share of the texts.
            so_far = bound(_share, on_progress, number, len(self.bundles)) if on_progress else None
            scores.append(one.scores(texts, batch_size, so_far))
        return blended_scores(scores, [member.tenths for member in self.members])


def save_blend(
    members: Sequence[tuple[Member, Path]],
    folder: Path,
    *,
    labels: Sequence[str],
    thresholds: FittedThresholds,
    provenance: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
) -> None:
    """Write a blend as a bundle, whole or not at all; the members' folders are copied.

    Args:
        members: Names and weights, each with the folder of its bundle.
        folder: New or empty, or an earlier bundle, which is replaced.
        labels: Names in the order of the scores' columns.
        thresholds: Of the blend, fitted on the validation split.
        provenance: Has ``data``, ``report`` and ``metric``, the objective.
        results: From ``goemo.evaluation.results``, for the tables of the model card.

    Raises:
        InputError: As in ``goemo.bundle.check_target``.
    """
    with new_bundle(folder) as partial:
        stored = []
        for number, (member, source) in enumerate(members, start=1):
            name = f"{number}-{re.sub('[^A-Za-z0-9_-]', '-', member.name)[:100]}"
            shutil.copytree(source, partial / name)
            stored.append({"folder": name, "name": member.name, "tenths": member.tenths})
        write_json(partial / BLEND, {"members": stored})
        text = _card([member for member, _ in members], labels, provenance, thresholds, results)
        write_common(partial, labels, thresholds, provenance, text)


def load_blend(folder: Path, load_member: Callable[[Path], Bundle]) -> BlendBundle:
    """Load a bundle that ``save_blend`` wrote; no code from the folder runs.

    Args:
        folder: The blend.
        load_member: Loads a plain bundle.

    Raises:
        InputError: It is no such bundle, a file is damaged, or the files do not fit each other.
    """
    check_files(folder, (BLEND, *COMMON_FILES))
    with damage_named(folder):
        labels, thresholds, provenance = read_common(folder)
        stored = read_json(folder / BLEND, _StoredBlend).members
        if sum(one.tenths for one in stored) != 10:
            raise ValueError(f"{BLEND}: the weights of all members must sum to 10 tenths")
    nested = [one.folder for one in stored if (folder / one.folder / BLEND).exists()]
    if nested:
        raise InputError(str(folder), [f"{nested[0]} is a blend itself; a member must be a plain bundle"])
    bundles = tuple(load_member(folder / one.folder) for one in stored)
    for one, opened in zip(stored, bundles, strict=True):
        if opened.labels != labels:
            raise InputError(str(folder), [f"{one.folder} must have the labels of labels.json, in order"])
    members = tuple(Member(one.name, one.tenths) for one in stored)
    return BlendBundle(labels, thresholds, provenance, members, bundles)


def _share(on_progress: Progress, number: int, members: int, done: int, total: int) -> None:
    on_progress((number * total + done) // members, total)


def _card(
    members: Sequence[Member],
    labels: Sequence[str],
    provenance: Mapping[str, Any],
    thresholds: FittedThresholds,
    results: Mapping[str, Any] | None,
) -> str:
    rows = "\n".join(f"- {code(member.name)}: {member.weight:.1f}" for member in members)
    return card(
        "several models as one",
        labels,
        provenance,
        thresholds,
        results,
        metric=provenance["metric"],
        use="Each folder in it is a whole model of its own. ",
        training=f"""## Members

The score is the sigmoid of the weighted mean of the members' logits:

{rows}

## Training

{data_line(provenance["data"])}
- {prose(provenance.get("training", "Thresholds were fitted on validation."))}

`provenance.json` has digests and versions; so has each member's.
""",
    )
