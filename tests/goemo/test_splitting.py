"""A model cut before its last trained block: both parts together are the model, gradients too."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
    XLNetConfig,
)

from goemo.fast import faster_on_cpu
from goemo.models import (
    Checkpoint,
    build_model,
    encoder_blocks,
    model_inputs,
    prefix_states,
    split_model,
    suffix_logits,
    train_mode,
)
from goemo.models.pooling import MeanAlone

LABELS = ("joy", "anger", "calm")
SIZES = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
RELATIVE = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]}
CONFIGURATIONS = {
    "albert": AlbertConfig(**SIZES, embedding_size=16, classifier_dropout_prob=0.3),
    "bert": BertConfig(**SIZES),
    "deberta-v2": DebertaV2Config(
        **SIZES, **RELATIVE, pooler_hidden_size=32, share_att_key=True, norm_rel_ebd="layer_norm"
    ),
    "deberta-v2-conv": DebertaV2Config(**SIZES, **RELATIVE, pooler_hidden_size=32, conv_kernel_size=3),
    "distilbert": DistilBertConfig(
        vocab_size=120, dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=64
    ),
    "electra": ElectraConfig(**SIZES, embedding_size=16),
    "electra-wide": ElectraConfig(**SIZES, embedding_size=32),
    "mpnet": MPNetConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "xlm-roberta": XLMRobertaConfig(**SIZES),
    "xlnet": XLNetConfig(vocab_size=120, d_model=32, n_layer=3, n_head=4, d_inner=48, dropout=0.3),
}
WITH_MEAN = ["bert", "distilbert", "electra", "roberta", "xlm-roberta"]
ALL = pytest.mark.parametrize(
    ("kind", "pooling"),
    [*((kind, "first") for kind in CONFIGURATIONS), *((kind, "mean") for kind in WITH_MEAN)],
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Small encoders of every kind whose blocks differ, as pretraining would leave them."""
    root = tmp_path_factory.mktemp("encoders")
    for kind, config in CONFIGURATIONS.items():
        torch.manual_seed(3)
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.base_model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        model.base_model.save_pretrained(root / kind)
    return root


@pytest.fixture
def model(folders, kind, pooling):
    checkpoint = Checkpoint(kind, folders / kind, has_weights=True, digest="")
    return build_model(checkpoint, labels=LABELS, trainable="last_layer", seed=1, pooling=pooling)


def inputs(kind, width=11):
    generator = torch.Generator().manual_seed(0)
    mask = (torch.arange(width) < torch.tensor([11, 2, 5, 7])[:, None]).long()
    ids = torch.randint(5, 120, (4, width), generator=generator)
    types = torch.zeros_like(ids)
    if kind == "xlnet":
        mask = mask.flip(1)
        types[:, -1] = 2
    return ids * mask, mask, types


def without_dropout(model):
    for module in model.modules():
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def logits_and_gradients(model, logits):
    model.zero_grad()
    (logits * torch.tensor([1.0, -2.0, 3.0])).square().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@ALL
@pytest.mark.parametrize("fast", [False, True])
def test_both_parts_together_are_the_model(kind, model, fast):
    """The suffix on the prefix's states gives the model's logits, with padding on either side and none."""
    split = split_model(model)
    prefix = faster_on_cpu(split.prefix) if fast else split.prefix
    ids, mask, types = inputs(kind)
    for batch in ((ids, mask, types), tuple(x[:1] for x in (ids, mask, types))):
        with torch.no_grad():
            expected = model(**model_inputs(model, *batch)).logits
            states = prefix_states(prefix, *batch)
            assert (states.shape, states.dtype) == ((*batch[0].shape, 32), torch.float32)
            torch.testing.assert_close(
                suffix_logits(split.suffix, states, *batch[1:]), expected, atol=1e-5, rtol=1e-5
            )
            states[batch[1] == 0] = 7.0  # whatever stands where padding is
            torch.testing.assert_close(
                suffix_logits(split.suffix, states, *batch[1:]), expected, atol=1e-5, rtol=1e-5
            )


@ALL
def test_gradients_are_those_of_the_whole_model(kind, model):
    """In train mode without dropout, every weight that trains has the same gradient, and no other has one."""
    without_dropout(model)
    split = split_model(model)
    train_mode(model, "last_layer")
    batch = inputs(kind)
    expected = logits_and_gradients(model, model(**model_inputs(model, *batch)).logits)
    logits = suffix_logits(split.suffix, prefix_states(split.prefix, *batch), *batch[1:])
    found = logits_and_gradients(model, logits)
    assert found.keys() == expected.keys()
    assert found.keys() <= {name for name, p in model.named_parameters() if p.requires_grad}
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-4, msg=name)


@ALL
def test_dropout_is_the_models_own(kind, model):
    """With the same random numbers the parts give the model's logits: dropout acts behind the cut alone."""
    split = split_model(model)
    batch = inputs(kind)
    still = suffix_logits(split.suffix, prefix_states(split.prefix, *batch), *batch[1:])
    train_mode(model, "last_layer")
    torch.manual_seed(5)
    expected = model(**model_inputs(model, *batch)).logits
    torch.manual_seed(5)
    found = suffix_logits(split.suffix, prefix_states(split.prefix, *batch), *batch[1:])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, still, atol=1e-4), "no dropout acted"
    model.eval()
    again = suffix_logits(split.suffix, prefix_states(split.prefix, *batch), *batch[1:])
    torch.testing.assert_close(again, still, atol=0, rtol=0)


@ALL
def test_the_model_stays_as_it_was(kind, model, tmp_path):
    """Its weights, names and configuration do not change, and a copy of it can be split."""
    names, blocks = list(model.state_dict()), len(encoder_blocks(model))
    config = model.config.to_dict()
    split = split_model(model)
    batch = inputs(kind)
    suffix_logits(split.suffix, prefix_states(split.prefix, *batch), *batch[1:])
    assert list(model.state_dict()) == names
    assert model.config.to_dict() == config
    assert len(encoder_blocks(model)) == blocks
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
        parts = split_model(other)
        found = suffix_logits(parts.suffix, prefix_states(parts.prefix, *batch), *batch[1:])
        torch.testing.assert_close(found, other(**model_inputs(other, *batch)).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean")])
def test_a_mean_block_behind_the_cut_computes_the_mean_alone(model):
    """A whole block's work is saved in every step; the gradients above are the whole block's all the same."""
    split = split_model(model)
    assert isinstance(encoder_blocks(split.suffix)[-1], MeanAlone)
    assert len(encoder_blocks(split.suffix)) == 2
    assert not isinstance(encoder_blocks(model)[-1], MeanAlone)


def test_what_cannot_be_split_has_no_parts(folders, tmp_path):
    """Nothing frozen, blocks that are shared or numbered, two lists of them: None, and no error."""
    from transformers import BartConfig

    albert = Checkpoint("albert", folders / "albert", has_weights=True, digest="")
    assert split_model(build_model(albert, labels=LABELS, trainable="all", seed=1)) is None
    others = {
        "one-block": BertConfig(**SIZES | {"num_hidden_layers": 1}),
        "decoder": BertConfig(**SIZES, is_decoder=True),
        "encoder with a decoder": BartConfig(vocab_size=90, d_model=32, encoder_layers=2, decoder_layers=2),
    }
    for name, config in others.items():
        config.save_pretrained(tmp_path / name)
        checkpoint = Checkpoint(name, tmp_path / name, has_weights=False, digest="")
        assert split_model(build_model(checkpoint, labels=LABELS, trainable="head", seed=1)) is None
