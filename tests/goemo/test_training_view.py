"""What trains faster against the plain model: the same logits, the same gradients, nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.activations import FastGELUActivation, NewGELUActivation

from goemo.fast import one_dnn, reduce_vocabulary, training_view
from goemo.fast.first_token import FirstTokenBlock, FirstTokenGroup, FirstTokenOfDistilbert
from goemo.models import train_mode
from goemo.models.pooling import MEAN_BLOCKS, POOLING_KEY, make_mean_block
from goemo.training.optimization import AdamW
from goemo.training.precision import autocast

_SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}
_DISENTANGLED = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]}
_DISTILBERT = {
    "vocab_size": 90,
    "dim": 32,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}
KINDS = {
    "albert": {**_SIZES, "embedding_size": 16},
    "bert": _SIZES,
    "deberta-v2": {**_SIZES, **_DISENTANGLED},
    "distilbert": _DISTILBERT,
    "electra": {**_SIZES, "embedding_size": 16},
    "mpnet": _SIZES,
    "roberta": _SIZES,
    "xlm-roberta": _SIZES,
    "xlnet": {"vocab_size": 90, "d_model": 32, "n_layer": 3, "n_head": 4, "d_inner": 48, "pad_token_id": 1},
}
SHORTENED = ("albert", "bert", "distilbert", "electra", "roberta", "xlm-roberta")
SHORT = (FirstTokenBlock, FirstTokenGroup, FirstTokenOfDistilbert)


@pytest.fixture
def in_one_dnn(monkeypatch):
    """Let linear maps of any size run in oneDNN, on any processor."""
    monkeypatch.setattr(one_dnn, "_FEW_PRODUCTS", 0)
    monkeypatch.setattr(one_dnn, "_has_avx512", lambda: True)


def _model(kind, **changes):
    config = AutoConfig.for_model(kind, **KINDS[kind], num_labels=3, **changes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def _inputs(kind, *, padded=True):
    generator = torch.Generator().manual_seed(1)
    mask = (
        (torch.arange(9) < torch.tensor([9, 4, 6, 2])[:, None]).long() if padded else torch.ones(4, 9).long()
    )
    mask = mask.flip(1) if kind == "xlnet" else mask
    ids = torch.randint(5, 90, (4, 9), generator=generator)
    return {"input_ids": torch.where(mask.bool(), ids, 1), "attention_mask": mask}


def _gradients(model, inputs):
    model.zero_grad()
    logits = model(**inputs).logits
    logits.sin().sum().backward()
    found = {n: p.grad.to_dense() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return logits.detach(), found


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(
    ("kind", "attention"),
    [*((kind, "eager") for kind in KINDS), *((k, "sdpa") for k in SHORTENED)],
)
def test_logits_and_all_gradients_are_those_of_the_model(kind, padded, attention, in_one_dnn):
    """To 1e-5, of every parameter, with and without padding; rows of unread tokens have none."""
    model = _model(kind, attn_implementation=attention)
    _assert_same(model, training_view(model), _inputs(kind, padded=padded))


def _assert_same(model, view, inputs):
    logits, gradients = _gradients(model, inputs)
    seen, found = _gradients(view, inputs)
    assert torch.allclose(seen, logits, atol=1e-5)
    parameters = dict(view.named_parameters())
    of_view = {id(parameters[name]): gradient for name, gradient in found.items()}
    for name, parameter in model.named_parameters():
        if name in gradients:
            assert torch.allclose(of_view[id(parameter)], gradients[name], atol=1e-5), name


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_changes_gradients_by_its_rounding(kind, in_one_dnn):
    """Gradients of all weights, in float32, within 5 per cent of the model's."""
    model, inputs, cpu = _model(kind), _inputs(kind), torch.device("cpu")
    view = training_view(model)
    logits, gradients = _gradients(model, inputs)
    with autocast(cpu, in_bfloat16=True):
        seen, found = _gradients(view, inputs)
    assert 0 < (seen - logits).norm() / logits.norm() < 0.05
    parameters = dict(view.named_parameters())
    of_view = {id(parameters[name]): gradient for name, gradient in found.items()}
    pairs = [(of_view[id(p)], gradients[n]) for n, p in model.named_parameters() if n in gradients]
    assert len(pairs) == len(found)
    assert all(ours.dtype == torch.float32 for ours, _ in pairs)
    ours, theirs = (torch.cat([gradient.flatten() for gradient in part]) for part in zip(*pairs, strict=True))
    assert 0 < (ours - theirs).norm() / theirs.norm() < 0.05


@pytest.mark.skipif(not torch.cpu._is_avx2_supported(), reason="oneDNN's loops are all there is")
@pytest.mark.parametrize("kind", SHORTENED)
def test_no_map_is_computed_in_one_dnns_plain_loops(kind, in_one_dnn, capfd):
    """Whatever its inputs look like in memory, as at the first tokens; the loops take 50 times as long."""
    view = training_view(_model(kind))
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
        _gradients(view, _inputs(kind))
    ran = [line.split(",") for line in capfd.readouterr().out.splitlines() if ",primitive,exec," in line]
    maps = [fields for fields in ran if "inner_product" in fields]
    assert len(maps) > 3 * 4
    assert not [",".join(fields) for fields in maps if any(field.startswith("ref") for field in fields)]


@pytest.mark.parametrize("kind", ["albert", "bert"])
def test_small_maps_run_in_torch_to_the_same_end(kind, monkeypatch):
    """What is too small for oneDNN: to 1e-5, and oneDNN is not called."""
    monkeypatch.setattr(one_dnn, "one_dnn_map", lambda: lambda *_: pytest.fail("oneDNN was called"))
    model = _model(kind)
    _assert_same(model, training_view(model), _inputs(kind))


@pytest.mark.parametrize(("groups", "inner"), [(1, 2), (2, 1), (3, 1), (2, 2)])
def test_an_albert_of_several_groups_keeps_its_sharing(groups, inner, in_one_dnn):
    """Layers share what they shared, and the gradient of a shared weight is the sum over its layers."""
    model = _model("albert", num_hidden_groups=groups, inner_group_num=inner)
    view = training_view(model)
    assert {id(p) for p in view.parameters()} == {id(p) for p in model.parameters()}
    assert model.config.num_hidden_groups == groups
    _assert_same(model, view, _inputs("albert"))


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_fast"])
def test_the_gelu_with_a_tanh_is_fused(activation):
    """In the view alone: the same to 1e-5 in logits and gradients."""
    model = _model("bert", hidden_act=activation)
    view = training_view(model)
    kinds = (NewGELUActivation, FastGELUActivation)
    assert not any(isinstance(module, kinds) for module in view.modules())
    assert sum(isinstance(module, kinds) for module in model.modules()) == 3
    _assert_same(model, view, _inputs("bert"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_holds_the_models_own_weights_and_leaves_the_model_plain(kind):
    """No weight is copied, and the model keeps its modules, its outputs and its names."""
    model = _model(kind)
    before = {name: type(module) for name, module in model.named_modules()}
    names = list(model.state_dict())
    view = training_view(model)
    assert {id(p) for p in view.parameters()} == {id(p) for p in model.parameters()}
    assert {name: type(module) for name, module in model.named_modules()} == before
    assert list(model.state_dict()) == names
    assert not model.get_input_embeddings().sparse
    short = any(isinstance(module, SHORT) for module in view.modules())
    assert short == (kind in SHORTENED)


@pytest.mark.parametrize("trainable", ["all", "last_layer", "head"])
def test_dropout_acts_in_what_trains_alone(trainable):
    """In train mode two passes differ, also through the short last block; frozen parts draw nothing."""
    model = _model("bert", hidden_dropout_prob=0.4, attention_probs_dropout_prob=0.4)
    view = training_view(model)
    train_mode(view, trainable)
    assert not any(module.training for module in model.modules())
    assert view.bert.encoder.layer[0].training == (trainable == "all")
    assert view.bert.encoder.layer[-1].attention.self.training == (trainable != "head")
    inputs = _inputs("bert")
    assert not torch.equal(view(**inputs).logits, view(**inputs).logits)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reduced_vocabulary_changes_nothing_but_its_rows(kind):
    """Logits and all gradients are those of the whole model; made whole, it is plain and has learned."""
    model, cut = _model(kind), _model(kind)
    inputs, name = _inputs(kind), _name_of_words(model)
    vocabulary = reduce_vocabulary(cut, inputs["input_ids"].unique().numpy())
    read = (cut.get_input_embeddings().places >= 0).nonzero()[:, 0]
    assert set(inputs["input_ids"].unique().tolist()) <= set(read.tolist())
    assert len(read) < 45
    assert [n for n, _ in cut.named_parameters()] == [n for n, _ in model.named_parameters()]
    logits, gradients = _gradients(model, inputs)
    seen, found = _gradients(training_view(cut), inputs)
    assert torch.allclose(seen, logits, atol=1e-5)
    assert found.keys() == gradients.keys()
    for parameter, gradient in found.items():
        wanted = gradients[parameter][read] if parameter == name else gradients[parameter]
        assert torch.allclose(gradient, wanted, atol=1e-5), parameter

    with torch.no_grad():
        cut.get_input_embeddings().weight += 1
    with vocabulary.made_whole():
        assert {n: type(m) for n, m in cut.named_modules()} == {n: type(m) for n, m in model.named_modules()}
        wanted = model.get_input_embeddings().weight.detach().clone()
        wanted[read] += 1
        assert torch.equal(cut.get_input_embeddings().weight, wanted)
    assert len(cut.get_input_embeddings().weight) == len(read)


def _name_of_words(model):
    words = model.get_input_embeddings().weight
    return next(name for name, parameter in model.named_parameters() if parameter is words)


def test_a_token_that_was_left_out_is_refused():
    """It fails, and reads no other token's row."""
    model = _model("bert")
    reduce_vocabulary(model, np.array([1, 5, 6, 80]))
    assert model(input_ids=torch.tensor([[5, 80]])).logits.isfinite().all()
    with pytest.raises(IndexError):
        model(input_ids=torch.tensor([[5, 79]]))


def test_a_vocabulary_is_cut_where_that_leaves_something_out():
    """Not where all is read, and not where the words stay as they are."""
    assert reduce_vocabulary(_model("bert"), np.arange(90)) is None
    model = _model("bert")
    model.get_input_embeddings().weight.requires_grad_(False)
    assert reduce_vocabulary(model, np.arange(9)) is None


def test_a_kind_without_a_word_embedding_is_left_whole():
    """CANINE hashes characters into several embeddings."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
    config = AutoConfig.for_model("canine", **sizes)
    assert reduce_vocabulary(AutoModelForSequenceClassification.from_config(config), np.arange(9)) is None


def test_tokens_that_a_model_adds_itself_are_kept():
    """Those that its configuration names; what it names beyond its vocabulary is none of them."""
    model = _model("bert", bos_token_id=88, eos_token_id=None, sep_token_id=500)
    reduce_vocabulary(model, np.array([5, 6]))
    assert model(input_ids=torch.tensor([[88, 5, 1]])).logits.isfinite().all()
    assert len(model.get_input_embeddings().weight) == 4


def test_a_mean_block_needs_all_tokens():
    """Where the head reads the mean over tokens, the block before is whole."""
    model = _model("bert")
    make_mean_block(model.bert.encoder.layer[-1], MEAN_BLOCKS["bert"])
    setattr(model.config, POOLING_KEY, "mean")
    view = training_view(model)
    assert not any(isinstance(module, SHORT) for module in view.modules())
    assert torch.allclose(view(**_inputs("bert")).logits, model(**_inputs("bert")).logits, atol=1e-5)


def test_a_sparse_gradient_steps_as_a_dense_one():
    """Ten clipped steps whose rows come, go and come twice: weights and moments as with dense gradients."""
    ours, theirs = (torch.nn.Embedding(12, 4) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    ours.sparse = True
    mine, oracle = (
        AdamW(dict(module.named_parameters()), weight_decay=0.1, max_norm=0.7) for module in (ours, theirs)
    )
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        rows = torch.randint(0, 12, (2, 3), generator=generator)
        for module, optimizer in ((ours, mine), (theirs, oracle)):
            for piece in rows:
                module(piece).pow(3).sum().backward()
            assert module.weight.grad.is_sparse == module.sparse
            optimizer.step(0.05)
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
    for name, tensor in oracle.state().items():
        assert torch.allclose(mine.state()[name], tensor, atol=1e-6)
