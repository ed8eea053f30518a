"""An ONNX file scores as its model does, at any batch size and length, or it is not written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from goemo import bundle, evaluation
from goemo.bundle import onnx_export
from goemo.configuration import Configuration
from goemo.errors import GoemoError, InputError
from goemo.thresholds import fit_thresholds
from goemo.training import train
from goemo.training.prepared import prepare


@pytest.fixture(scope="module")
def runtime():
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name, reason='install the extra: pip install "goemo[onnx]"')
    return pytest.importorskip("onnxruntime", reason='install the extra: pip install "goemo[onnx]"')


def saved(splits, checkpoint, cache, folder, *, fallback="none", **changes):
    """Train a little and save the bundle."""
    c = Configuration(
        checkpoint=checkpoint, epochs=1, reports=1, max_length=16, learning_rate=3e-3, **changes
    )
    prepared = prepare(
        splits, checkpoint, trainable=c.trainable, pooling=c.pooling, max_lengths=[16], cache=cache
    )
    run = train(c, prepared)
    targets = run.prepared.targets["validation"]
    thresholds = fit_thresholds(run.best.scores.astype(np.float32), targets, fallback=fallback)
    bundle.save(run, folder, thresholds=thresholds, provenance={})
    return folder


@pytest.fixture(scope="module")
def minilm_bundle(minilm, small_splits, cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "minilm"
    return saved(small_splits, minilm, cache, folder, fallback="top1", trainable="head", pooling="mean")


def scores_of(runtime, path, model, texts):
    """Score texts with the file and the bundle's tokenizer alone."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = model.tokenizer(texts, truncation=True, padding=True, return_tensors="np")
    names = {item.name for item in session.get_inputs()}
    logits = session.run(["logits"], {name: inputs[name].astype(np.int64) for name in names})[0]
    return 1 / (1 + np.exp(-logits))


@pytest.mark.slow
def test_minilm_with_its_mean_block_scores_the_same(runtime, minilm_bundle, tmp_path):
    """One text, many, short, long and none: within 1e-4; what makes labels of scores stands in the file."""
    done = onnx_export.export_onnx(minilm_bundle, tmp_path / "m.onnx")
    model = bundle.load(minilm_bundle, device="cpu")
    for texts in (["wow"], ["", "so happy today", "i hate this " * 40], ["a b c d"] * 9):
        found = scores_of(runtime, done.path, model, texts)
        assert np.abs(found - model.scores(texts)).max() < 1e-4
    assert done.largest_difference < 1e-4
    assert list(tmp_path.iterdir()) == [tmp_path / "m.onnx"]
    facts = runtime.InferenceSession(str(done.path)).get_modelmeta().custom_metadata_map
    assert tuple(json.loads(facts["goemo.labels"])) == model.labels
    written = json.loads((minilm_bundle / "thresholds.json").read_text())["thresholds"]
    assert json.loads(facts["goemo.thresholds"]) == written
    assert facts["goemo.fallback"] == "top1"
    scores = np.random.default_rng(0).random((9, 4))
    assert (scores.astype(facts["goemo.round_scores_to"]) == evaluation.as_kept(scores)).all()
    assert facts["goemo.max_length"] == "16"
    assert (facts["goemo.one_length"], done.is_one_length) == ("false", False)


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint", ["scratch:albert-tiny", "scratch:xlnet-tiny"])
def test_shared_and_relative_encoders_score_the_same(runtime, small_splits, cache, tmp_path, checkpoint):
    """ALBERT, and XLNet with its padding on the left and its mask of its own."""
    folder = saved(small_splits, checkpoint, cache, tmp_path / "b", trainable="all")
    done = onnx_export.export_onnx(folder, tmp_path / "m.onnx", texts=small_splits.test.texts)
    model = bundle.load(folder, device="cpu")
    texts = ["wow", "so happy " * 5, "", "really sad and lonely"]
    scores = model.scores(texts)
    assert np.abs(scores_of(runtime, done.path, model, texts) - scores).max() < 1e-4
    assert np.ptp(scores[:, 0]) > 1e-4
    assert done.texts == len(small_splits.test.texts)


@pytest.mark.slow
def test_an_encoder_whose_batches_are_of_one_length_says_so(
    runtime, small_splits, tiny_bert, cache, tmp_path
):
    """In the file and to the caller; texts are compared one by one."""
    folder = saved(small_splits, tiny_bert, cache, tmp_path / "b", trainable="head")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"goemo_one_length": True}))
    done = onnx_export.export_onnx(folder, tmp_path / "m.onnx", texts=["wow", "so happy " * 5])
    assert done.is_one_length
    facts = runtime.InferenceSession(str(done.path)).get_modelmeta().custom_metadata_map
    assert facts["goemo.one_length"] == "true"


def test_a_file_that_scores_otherwise_is_not_put_in_place(  # noqa: PLR0917 - fixtures
    runtime, small_splits, tiny_bert, cache, tmp_path, monkeypatch
):
    """The file that was there stays, and the message says by how much they differ."""
    folder = saved(small_splits, tiny_bert, cache, tmp_path / "b", trainable="head")
    (tmp_path / "m.onnx").write_bytes(b"earlier")
    monkeypatch.setattr(onnx_export, "_write", lambda model, example, path: path.write_bytes(b"x"))
    monkeypatch.setattr(onnx_export, "_largest_difference", lambda *_: 0.02)
    with pytest.raises(GoemoError, match=r"differ by 2.0e-02 .* nothing was written"):
        onnx_export.export_onnx(folder, tmp_path / "m.onnx")
    monkeypatch.setattr(onnx_export, "_largest_difference", lambda *_: float("nan"))
    with pytest.raises(GoemoError, match="nothing was written"):
        onnx_export.export_onnx(folder, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "m.onnx"]


def test_a_model_that_cannot_be_exported_says_which(  # noqa: PLR0917 - fixtures
    runtime, small_splits, tiny_bert, cache, tmp_path, monkeypatch
):
    """The kind of model and the exporter's reason, in one line."""
    folder = saved(small_splits, tiny_bert, cache, tmp_path / "b", trainable="head")

    def fail(*_, **__):
        raise RuntimeError("no translation of aten.odd\nand much more")

    monkeypatch.setattr("torch.onnx.export", fail)
    with pytest.raises(
        GoemoError, match=r"of the type bert cannot be exported to ONNX: no translation of aten.odd$"
    ):
        onnx_export.export_onnx(folder, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_missing_packages_and_wrong_paths_are_told_before_anything_is_loaded(tmp_path, monkeypatch):
    """With the command that installs what is missing; a folder in the place of the file is refused."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(
        GoemoError, match="needs onnxscript; install with: pip install onnx onnxruntime onnxscript"
    ):
        onnx_export.export_onnx(tmp_path, tmp_path / "m.onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(InputError, match="must be a file"):
        onnx_export.export_onnx(tmp_path / "none", tmp_path)
