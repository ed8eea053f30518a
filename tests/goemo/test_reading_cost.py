"""What a trained model costs in use."""

from __future__ import annotations

import pytest

from goemo import bundle
from goemo.configuration import Configuration
from goemo.thresholds import fit_thresholds
from goemo.training import TrainingRun, prepare, reading_cost


@pytest.fixture
def measured(small_splits, tiny_bert, cache, monkeypatch):
    """Return a function that trains to the first report and measures."""
    monkeypatch.setattr(reading_cost, "_known", {})

    def measured(trainable):
        data = prepare(small_splits, tiny_bert, trainable=trainable, max_lengths=[16], cache=cache)
        c = Configuration(
            checkpoint=tiny_bert, trainable=trainable, max_length=16, epochs=1, reports=1, learning_rate=1e-3
        )
        run = TrainingRun(c, data, device="cpu", threads=1)
        run.advance()
        return run, reading_cost.reading_cost(run)

    return measured


def test_megabytes_are_those_of_the_saved_weights(measured, tmp_path):
    """Of the whole model, with the part of the vocabulary that was left out while it trained."""
    run, cost = measured("all")
    thresholds = fit_thresholds(run.best.scores.astype("float32"), run.prepared.targets["validation"])
    bundle.save(run, tmp_path / "model", thresholds=thresholds, provenance={})
    file = (tmp_path / "model" / "model.safetensors").stat().st_size
    assert cost.megabytes == pytest.approx(file / 1e6, rel=0.05)


def test_a_frozen_encoder_is_read_too_and_once_for_each_kind(measured, monkeypatch):
    """A head that trains on cached output is timed with its whole encoder; the next trial is not timed."""
    read = []
    predict = reading_cost.predict_logits

    def counted(model, store, max_length):
        read.append((len(store), model.num_parameters()))
        return predict(model, store, max_length)

    monkeypatch.setattr(reading_cost, "predict_logits", counted)
    run, cost = measured("head")
    whole = sum(p.numel() for p in run._model.parameters())
    assert [texts for texts, _ in read] == [
        4,
        min(reading_cost.TEXTS, len(run.prepared.tokens["validation"])),
    ]
    assert {parameters for _, parameters in read} == {whole}
    assert cost.ms_per_text > 0
    assert measured("head")[1] == cost
    assert len(read) == 2
