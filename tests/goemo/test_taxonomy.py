"""The 28 labels and their groups."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from goemo.data import load_splits
from goemo.data.taxonomy import GOEMOTIONS, GROUPINGS, TAXONOMIES, group_targets
from goemo.errors import InputError

ONE_OF_EACH = np.eye(len(GOEMOTIONS), dtype=bool)


@pytest.mark.data
def test_names_and_groups_are_the_published_ones(goemotions):
    """Names, their order, the groups, their order and their members equal the published files."""
    published = json.loads((goemotions / "taxonomies.json").read_text())
    assert tuple((goemotions / "labels.txt").read_text().split()) == GOEMOTIONS
    assert [(name, list(groups)) for name, groups in GROUPINGS.items()] == [
        (name, list(groups)) for name, groups in published.items()
    ]
    for name, groups in published.items():
        assert {group: set(members) for group, members in groups.items()} == {
            group: set(members) for group, members in GROUPINGS[name].items()
        }


@pytest.mark.data
@pytest.mark.parametrize("taxonomy", ["ekman", "sentiment"])
def test_counts_by_group_on_the_real_test_split(goemotions, taxonomy):
    """Each group has as many test rows as a count over the raw lines and the published JSON gives."""
    names = (goemotions / "labels.txt").read_text().split()
    published = json.loads((goemotions / "taxonomies.json").read_text())[taxonomy]
    group_of = {label: group for group, members in published.items() for label in members}
    counts: Counter[str] = Counter()
    for line in (goemotions / "test.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        counts.update({group_of[names[int(index)]] for index in line.split("\t")[1].split(",")})

    splits = load_splits(f"dir:{goemotions}", taxonomy)

    assert splits.labels == tuple(published)
    assert dict(zip(splits.labels, splits.test.targets.sum(axis=0).tolist(), strict=True)) == counts


@pytest.mark.parametrize("taxonomy", GROUPINGS)
def test_every_fine_label_is_in_exactly_one_group(taxonomy):
    """Grouping 28 rows with one label each leaves each row with one group, and no group empty."""
    grouped, groups = group_targets(ONE_OF_EACH, GOEMOTIONS, taxonomy)
    assert grouped.sum(axis=1).tolist() == [1] * len(GOEMOTIONS)
    assert grouped.sum(axis=0).tolist() == [len(GROUPINGS[taxonomy][group]) for group in groups]


def test_two_labels_of_one_group_count_once():
    """Anger with annoyance is anger; anger with joy is both; a row without labels stays without."""
    targets = np.zeros((3, len(GOEMOTIONS)), dtype=bool)
    for row, labels in enumerate([("anger", "annoyance"), ("anger", "joy"), ()]):
        targets[row, [GOEMOTIONS.index(label) for label in labels]] = True
    grouped, groups = group_targets(targets, GOEMOTIONS, "ekman")
    found = [{groups[column] for column in np.flatnonzero(row)} for row in grouped]
    assert found == [{"anger"}, {"anger", "joy"}, set()]


@pytest.mark.parametrize("taxonomy", GROUPINGS)
def test_label_order_does_not_matter(taxonomy):
    """Shuffling the label columns with their names leaves the grouped targets alone."""
    rng = np.random.default_rng(0)
    targets = rng.random((50, len(GOEMOTIONS))) < 0.1
    order = rng.permutation(len(GOEMOTIONS))
    expected, _ = group_targets(targets, GOEMOTIONS, taxonomy)
    shuffled, _ = group_targets(targets[:, order], [GOEMOTIONS[column] for column in order], taxonomy)
    np.testing.assert_array_equal(shuffled, expected)


def test_fine_is_the_identity_for_any_labels():
    """``fine`` hands back targets and labels, whatever the labels are called."""
    targets = np.array([[True, False]])
    grouped, labels = group_targets(targets, ["good", "bad"], "fine")
    np.testing.assert_array_equal(grouped, targets)
    assert labels == ("good", "bad")


@pytest.mark.parametrize("labels", [["joy", "sadness"], [*GOEMOTIONS[:-1], "calm"]])
def test_grouping_other_labels_is_refused(labels):
    """Ekman groups exist for the 28 labels only; others are an input error that says use fine."""
    with pytest.raises(InputError, match=r"ekman groups the 28 GoEmotions labels.*use fine"):
        group_targets(np.zeros((1, len(labels)), dtype=bool), labels, "ekman")


def test_unknown_taxonomy_is_refused_before_anything_is_read(tmp_path):
    """The error lists the taxonomies, even where the source does not exist either."""
    with pytest.raises(InputError, match=f"one of {', '.join(TAXONOMIES)}, got 'coarse'"):
        load_splits(f"dir:{tmp_path / 'nowhere'}", "coarse")


def test_targets_and_labels_must_agree():
    """A missing column is a programming error, not silently ignored."""
    with pytest.raises(ValueError, match=r"shape \(n, 28\), got \(3, 27\)"):
        group_targets(np.zeros((3, 27), dtype=bool), GOEMOTIONS, "ekman")
