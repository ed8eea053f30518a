"""The model that reads fast on the CPU gives the scores of the plain one, for every architecture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from goemo.fast import faster_on_cpu
from goemo.fast.one_dnn import PackedLinear
from goemo.inference import predict_logits
from goemo.models import build_model, resolve_checkpoint
from goemo.models.pooling import MeanAlone
from goemo.tokens import TokenStore


def configurations():
    import transformers as t

    sizes = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 64, "num_labels": 3}
    relative = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]}
    return {
        "bert": t.BertConfig(**sizes),
        "albert": t.AlbertConfig(**sizes, embedding_size=16),
        "roberta": t.RobertaConfig(**sizes, pad_token_id=1),
        "electra": t.ElectraConfig(**sizes, embedding_size=16),
        "mpnet": t.MPNetConfig(**sizes),
        "deberta-v2": t.DebertaV2Config(**sizes, **relative),
        "distilbert": t.DistilBertConfig(
            vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=64, num_labels=3
        ),
        "xlnet": t.XLNetConfig(vocab_size=60, d_model=32, n_layer=2, n_head=4, d_inner=64, num_labels=3),
    }


def model_of(name):
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(configurations()[name]).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(5 if weights.ndim > 1 else 1)  # else every text scores the same
    return model


@pytest.fixture
def threads():
    """Let a test set the threads of torch, and set them back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", list(configurations()))
def test_every_architecture_scores_as_before(name):
    """Logits of padded and whole texts agree; all linear maps are packed, and the model itself stays."""
    model = model_of(name)
    plain = {key: weights.clone() for key, weights in model.state_dict().items()}
    fast = faster_on_cpu(model)
    ids = torch.randint(5, 60, (4, 11), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(11) < torch.tensor([[11], [3], [1], [7]])).long()
    with torch.inference_mode():
        for inputs in ({"input_ids": ids, "attention_mask": mask}, {"input_ids": ids[:1, :4]}):
            expected = model(**inputs).logits
            assert torch.allclose(fast(**inputs).logits, expected, atol=1e-5)
    assert np.ptp(expected.numpy()) > 1e-3
    assert any(isinstance(module, PackedLinear) for module in fast.modules())
    assert not any(type(module) is torch.nn.Linear for module in fast.modules())
    assert all(torch.equal(plain[key], weights) for key, weights in model.state_dict().items())
    assert not any(isinstance(module, PackedLinear) for module in model.modules())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_mean_block_computes_the_mean_alone(tiny_bert, cache, attention):
    """With the block in place, scores stay, whether the mask says true and false or 0 and minus infinity."""
    model = mean_model(tiny_bert, cache)
    model.set_attn_implementation(attention)
    fast = faster_on_cpu(model)
    assert isinstance(fast.bert.encoder.layer[-1], MeanAlone)
    ids = torch.randint(5, 40, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(9) < torch.tensor([[9], [2], [5]])).long()
    with torch.inference_mode():
        for chosen in (mask, torch.ones_like(mask)):
            expected = model(input_ids=ids, attention_mask=chosen).logits.sigmoid()
            found = fast(input_ids=ids, attention_mask=chosen).logits.sigmoid()
            assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(model(ids).logits, model(ids, attention_mask=mask).logits, atol=1e-3)


@pytest.mark.parametrize("part", ["query.weight", "value.bias"])
def test_a_mean_block_that_was_trained_is_left_alone(tiny_bert, cache, part):
    """Whoever fine-tunes the folder with other tools changes the block; then it is computed as it stands."""
    model = mean_model(tiny_bert, cache)
    with torch.no_grad():
        model.bert.encoder.layer[-1].attention.self.get_parameter(part).add_(0.01)
    assert not any(isinstance(module, MeanAlone) for module in faster_on_cpu(model).modules())


def mean_model(name, cache):
    checkpoint = resolve_checkpoint(name, texts=None, cache=cache)
    return build_model(checkpoint, labels=("a", "b"), trainable="head", seed=0, pooling="mean")


@pytest.mark.parametrize("name", ["bert", "deberta-v2", "xlnet"])
def test_the_number_of_threads_changes_no_score(name, threads, tiny_bert):
    """One thread and three give the same bits, and torch has the threads afterwards that it had before."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    model = model_of(name)
    texts = [" ".join(["happy", "day", "so"] * (number % 9)) for number in range(400)]
    store = TokenStore.build(texts, tokenizer)
    found = []
    for number in (1, 3):
        threads(number)
        found.append(predict_logits(model, store, 16))
        assert torch.get_num_threads() == number
    assert np.array_equal(found[0], found[1])
    assert np.ptp(found[0][:, 0]) > 1e-3
