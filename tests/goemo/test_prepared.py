"""What trials share is made once, opens at once, and is never taken for whole when it is not."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from goemo.errors import GoemoError, InputError
from goemo.files import amount
from goemo.frozen import output as frozen_output
from goemo.training import prepared as module
from goemo.training.prepared import Prepared, prepare


def _prepare(splits, checkpoint, cache, **changes):
    return prepare(
        splits, checkpoint, **{"trainable": "head", "max_lengths": [8, 16], "cache": cache} | changes
    )


def test_prepared_data_is_that_of_the_splits(small_splits, tiny_bert, cache):
    """Labels, targets, tokens of the first text and the facts of the data come back from disk."""
    prepared = Prepared.open(_prepare(small_splits, tiny_bert, cache).folder)
    assert prepared.labels == small_splits.labels
    for split in small_splits.splits():
        assert np.array_equal(prepared.targets[split.name], split.targets)
        assert len(prepared.tokens[split.name]) == len(split)
    assert prepared.checkpoint.name == tiny_bert
    assert prepared.data["digest"] == small_splits.digest
    assert prepared.data["source"] == small_splits.source
    assert prepared.data["examples"] == {"train": 203, "validation": 90, "test": 70}


def test_what_exists_is_opened_and_not_made_again(small_splits, tiny_bert, tmp_path, monkeypatch):
    """The second time nothing is tokenized or computed, and opening takes milliseconds."""
    stages = []
    first = _prepare(small_splits, tiny_bert, tmp_path, on_progress=lambda *p: stages.append(p))
    assert {stage for stage, _, _ in stages} == {"tokens", "features"}
    assert ("tokens", 363, 363) in stages

    monkeypatch.setattr(module.TokenStore, "build", None)
    monkeypatch.setattr(frozen_output, "build_model", None)
    again = _prepare(small_splits, tiny_bert, tmp_path)
    assert again.folder == first.folder
    started = time.perf_counter()
    Prepared.open(first.folder)
    assert time.perf_counter() - started < 0.1


def test_features_are_added_for_lengths_that_lack_them(small_splits, tiny_bert, tmp_path):
    """A search with one more length computes that one; the others stay the very same files."""
    first = _prepare(small_splits, tiny_bert, tmp_path)
    kept = first.frozen_features("first", 8)
    more = _prepare(small_splits, tiny_bert, tmp_path, max_lengths=[8, 16, 24])
    assert more.folder == first.folder
    assert more.frozen_features("first", 24).max_lengths == (24,)
    assert more.frozen_features("first", 8).features.filename == kept.features.filename
    assert more.frozen_features("first", 12) is None
    assert more.frozen_features("mean", 8) is None


@pytest.mark.parametrize(
    ("checkpoint", "trainable", "has_features", "has_states"),
    [
        ("tiny", "all", False, False),
        ("tiny", "head", True, False),
        ("tiny", "last_layer", False, True),
        ("scratch:albert-tiny", "head", False, False),
        ("scratch:albert-tiny", "last_layer", False, False),
    ],
)
def test_output_is_kept_of_frozen_encoders_with_weights(
    small_splits, tiny_bert, tmp_path, *, checkpoint, trainable, has_features, has_states
):
    """None where the encoder trains, nor where it starts at random, differently for each seed."""
    name = tiny_bert if checkpoint == "tiny" else checkpoint
    notes = []
    prepared = _prepare(
        small_splits, name, tmp_path, trainable=trainable, max_lengths=[20], on_note=notes.append
    )
    assert (prepared.frozen_features("first", 20) is not None) == has_features
    assert (prepared.frozen_states(20) is not None) == has_states
    assert len(notes) == has_features + has_states


def test_states_are_computed_once_and_for_both_poolings(small_splits, tiny_bert, tmp_path):
    """A mean block lies behind the cut, so the same files serve; a further length adds its own."""
    told, notes = [], []
    options = {
        "trainable": "last_layer",
        "on_progress": lambda *p: told.append(p[0]),
        "on_note": notes.append,
    }
    first = _prepare(small_splits, tiny_bert, tmp_path, **options)
    assert set(told) == {"tokens", "states"}
    states = first.frozen_states(8).states
    assert notes == [f"frozen encoder output: {amount(states.nbytes)} in {len(_distinct(first)):,} sequences"]
    told.clear()
    _prepare(small_splits, tiny_bert, tmp_path, pooling="mean", **options)
    assert told == []
    more = _prepare(small_splits, tiny_bert, tmp_path, max_lengths=[8, 24], **options)
    assert (more.frozen_states(8).states.filename, more.frozen_states(24).max_lengths) == (
        states.filename,
        (24,),
    )
    assert len(notes) == 2


def _distinct(prepared):
    rows = prepared.frozen_states(8).rows
    return np.unique(np.concatenate([numbers.ravel() for numbers in rows.values()]))


@pytest.mark.parametrize("trainable", ["head", "last_layer"])
def test_output_beyond_the_limit_is_not_kept(small_splits, tiny_bert, tmp_path, trainable):
    """What it would need, the key that forbids it, and what follows are told; just below, it is kept."""
    notes = []
    changes = {"trainable": trainable, "max_lengths": [8], "on_note": notes.append}
    prepared = _prepare(small_splits, tiny_bert, tmp_path, prefix_limit_gb=1e-6, **changes)
    assert prepared.frozen_features("first", 8) is prepared.frozen_states(8) is None
    assert not (prepared.texts_folder / "prefix").exists()
    assert "more than resources.prefix_limit_gb = 1e-06: trials compute it in every step" in notes[0]
    assert re.search(r"would need \d+ kB, more", notes[0])
    kept = _prepare(small_splits, tiny_bert, tmp_path, prefix_limit_gb=0.01, **changes)
    assert (kept.frozen_features("first", 8) or kept.frozen_states(8)) is not None


def test_an_encoder_that_cannot_be_split_is_prepared_without(small_splits, tiny_bert, tmp_path, monkeypatch):
    """It trains as it did, and the reason is told."""
    monkeypatch.setattr(frozen_output, "split_model", lambda _: None)
    notes = []
    changes = {"trainable": "last_layer", "on_note": notes.append}
    assert _prepare(small_splits, tiny_bert, tmp_path, **changes).frozen_states(8) is None
    assert notes == ["frozen encoder output: not kept of this encoder: trials compute it in every step"]


def test_other_texts_or_another_checkpoint_are_another_folder(small_splits, tiny_bert, cache):
    """Nothing is shared between texts or encoders."""
    train = small_splits.train
    other_data = replace(small_splits, train=replace(train, texts=(*train.texts[:-1], "another text")))
    folders = {
        _prepare(splits, name, cache, trainable="all").texts_folder
        for splits, name in (
            (small_splits, tiny_bert),
            (other_data, tiny_bert),
            (small_splits, "scratch:albert-tiny"),
        )
    }
    assert len(folders) == 3


def test_other_labels_of_the_same_texts_need_no_encoder(small_splits, tiny_bert, tmp_path, monkeypatch):
    """A taxonomy has targets of its own; tokens and the frozen output are those that are there."""
    fine = _prepare(small_splits, tiny_bert, tmp_path)
    kinds = ("low", "high")
    half = len(small_splits.labels) // 2

    def in_two(split):
        columns = [split.targets[:, :half].any(axis=1), split.targets[:, half:].any(axis=1)]
        return replace(split, targets=np.stack(columns, axis=1), digest=f"two {split.digest}")

    parts = {split.name: in_two(split) for split in small_splits.splits()}
    stages = []
    monkeypatch.setattr(module.TokenStore, "build", None)
    monkeypatch.setattr(frozen_output, "build_model", None)
    coarse = _prepare(
        replace(small_splits, taxonomy="ekman", labels=kinds, **parts),
        tiny_bert,
        tmp_path,
        on_progress=lambda *p: stages.append(p),
    )
    assert stages == []
    assert coarse.texts_folder == fine.texts_folder
    features = [found.frozen_features("first", 8).features.filename for found in (fine, coarse)]
    assert features[0] == features[1]
    opened = [Prepared.open(found.folder) for found in (fine, coarse)]
    assert [found.labels for found in opened] == [small_splits.labels, kinds]
    assert [found.targets["train"].shape[1] for found in opened] == [len(small_splits.labels), 2]


def test_the_same_content_from_another_place_is_the_same_folder(small_splits, tiny_bert, cache):
    """A moved data set is not read by the encoder again, and the facts tell where it was read from last."""
    first = _prepare(small_splits, tiny_bert, cache, trainable="all")
    moved = _prepare(replace(small_splits, source="dir:moved"), tiny_bert, cache, trainable="all")
    assert moved.folder == first.folder
    assert moved.data["source"] == "dir:moved"
    assert first.data["source"] == small_splits.source


def test_an_interrupted_preparation_is_not_mistaken_for_whole(small_splits, tiny_bert, tmp_path):
    """Stopped after two splits, it leaves no folder; the next one starts over and ends well."""

    def stop(stage, done, total):
        if done < total:
            return
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(small_splits, tiny_bert, tmp_path, on_progress=stop)
    assert [path for path in (tmp_path / "prepared").rglob("*") if path.is_file()] == []
    assert len(_prepare(small_splits, tiny_bert, tmp_path).tokens["test"]) == 70


def test_other_software_shares_nothing(small_splits, tiny_bert, tmp_path, monkeypatch):
    """Tokens follow transformers and tokenizers; features follow torch and the mean block as well."""
    first = _prepare(small_splits, tiny_bert, tmp_path, pooling="mean")
    assert first.frozen_features("mean", 8) is not None
    version = module.metadata.version
    for package in ("transformers", "tokenizers"):
        with monkeypatch.context() as patch:
            patch.setattr(
                module.metadata, "version", lambda name, p=package: version(name) + "+" * (name == p)
            )
            again = _prepare(small_splits, tiny_bert, tmp_path, trainable="all")
            assert again.texts_folder != first.texts_folder
    for owner, name in ((module.torch, "__version__"), (frozen_output, "MEAN_BLOCK_VERSION")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, "2.12.99")
            assert first.frozen_features("mean", 8) is None
            again = _prepare(small_splits, tiny_bert, tmp_path, pooling="mean")
            assert again.folder == first.folder
            assert again.frozen_features("mean", 8) is not None
    assert len(list((first.texts_folder / "prefix").iterdir())) == 3


@pytest.mark.parametrize("trainable", ["head", "last_layer"])
def test_a_full_disk_is_known_before(small_splits, tiny_bert, tmp_path, monkeypatch, trainable):
    """One clear line instead of a half-written file, and nothing left behind."""
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(frozen_output.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="make room"):
        _prepare(small_splits, tiny_bert, tmp_path, trainable=trainable)
    assert not list(tmp_path.rglob("prefix"))


def test_very_many_lengths_are_read_as_tokens(small_splits, tiny_bert, tmp_path, monkeypatch):
    """A search over every length up to a few hundred would fill the disk with features read once."""
    monkeypatch.setattr(frozen_output, "_MOST_LENGTHS", 3)
    prepared = _prepare(small_splits, tiny_bert, tmp_path, max_lengths=[8, 9, 10, 11])
    assert prepared.frozen_features("first", 8) is None
    prepared = _prepare(small_splits, tiny_bert, tmp_path, max_lengths=[8, 9, 10])
    assert prepared.frozen_features("first", 8) is not None


@pytest.mark.parametrize("checkpoint", ["tiny", "scratch:albert-tiny"])
def test_a_relative_cache_is_found_from_elsewhere(small_splits, tiny_bert, tmp_path, monkeypatch, checkpoint):
    """Workers have working directories of their own."""
    monkeypatch.chdir(tmp_path)
    name = tiny_bert if checkpoint == "tiny" else checkpoint
    prepared = _prepare(small_splits, name, Path("cache"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Prepared.open(prepared.folder).checkpoint.folder.is_dir()


@pytest.mark.parametrize(
    "damage", ["LABELS/prepared.json", "LABELS/targets-test.npy", "tokens/train/ids.npy"]
)
def test_a_damaged_folder_is_refused_with_its_remedy(small_splits, tiny_bert, cache, tmp_path, damage):
    """A missing or cut file is an error that names the folder and says what to do."""
    prepared = _prepare(small_splits, tiny_bert, cache)
    texts = tmp_path / "copy"
    shutil.copytree(prepared.texts_folder, texts)
    folder = texts / "labels" / prepared.folder.name
    damaged = texts / damage.replace("LABELS", f"labels/{prepared.folder.name}")
    damaged.write_bytes(damaged.read_bytes()[:20])
    with pytest.raises(GoemoError, match=f"{texts}: .* delete the folder and prepare again"):
        Prepared.open(folder)
    damaged.unlink()
    with pytest.raises(GoemoError, match=str(texts)):
        Prepared.open(folder)


def test_a_maximum_length_beyond_the_positions_is_refused(small_splits, tiny_bert, tmp_path):
    """Before anything is made, with every length that is too long."""
    with pytest.raises(InputError) as error:
        _prepare(small_splits, tiny_bert, tmp_path, max_lengths=[64, 65, 128])
    assert len(error.value.problems) == 2
    assert "at most the 64 positions" in error.value.problems[0]
    assert not (tmp_path / "prepared").exists()
