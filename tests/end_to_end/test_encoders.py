"""One search over several encoders: killed and resumed, ranked, and the best of each taken further."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ENCODERS = ("scratch:albert-tiny", "scratch:xlnet-tiny", "scratch:./tiny-bert")
SPACE = f"""\
name: encoders
model:
  checkpoint: {{choice: {json.dumps(ENCODERS)}}}
  trainable:  {{choice: [head, all]}}
data: {{source: "sample:400"}}
space:
  learning_rate:
    - {{grid: [1.0e-3, 1.0e-2], only_if: {{trainable: [head]}}}}
    - {{grid: [3.0e-3]}}
  max_length: 16
  epochs: 1
objective: {{reports: 2}}
scheduler: none
baseline: none
"""


@pytest.fixture(scope="module")
def encoders(tmp_path_factory, shell):
    """A folder of its own with the search space in it, and a small BERT beside it."""
    from transformers import BertConfig, BertTokenizer

    folder = tmp_path_factory.mktemp("encoders")
    (folder / "encoders.yaml").write_text(SPACE, encoding="utf-8")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [
        *special,
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    ]
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder / "tiny-bert")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertConfig(vocab_size=len(words), **sizes).save_pretrained(folder / "tiny-bert")
    return type(shell)(folder)


@pytest.fixture(scope="module")
def calm(encoders):
    """The search, undisturbed."""
    encoders.run("search", "encoders.yaml", timeout=900)
    return board(encoders, "encoders")


def board(shell, name):
    return json.loads(shell.run("leaderboard", name, "--format", "json").stdout)


def ranking(board):
    left_out = ("seconds", "search", "ms_per_text", "is_on_front")
    return [{key: value for key, value in row.items() if key not in left_out} for row in board["trials"]]


@pytest.mark.timeout(1800)
def test_a_search_over_encoders_is_the_same_when_it_was_killed(encoders, calm):
    """Three encoders, head with two rates and all of it with one: nine trials, to the last digit."""
    assert len(calm["trials"]) == 9
    outcomes = encoders.folder / "mlruns/searches/killed/trials"
    driver = encoders.drive("search", "encoders.yaml", "--name", "killed")
    assert driver.wait_for(lambda: len(list(outcomes.glob("*/outcome.json"))) >= 3)
    driver.kill(all_of_it=True)
    encoders.run("resume", "killed", timeout=900)
    assert ranking(board(encoders, "killed")) == ranking(calm)


@pytest.mark.timeout(1800)
def test_the_best_of_each_encoder_is_ranked_exported_retrained_and_predicts(encoders, calm):
    """One row an encoder, and each is a model: of its own checkpoint, with the trial's very score."""
    told = encoders.run("leaderboard", "encoders", "--by", "checkpoint", "--format", "json").stdout
    best = json.loads(told)["best_of_each"]
    assert {row["group"] for row in best} == set(ENCODERS)
    trials = {trial["trial_id"]: trial for trial in calm["trials"]}
    for row in best:
        of_encoder = [t for t in calm["trials"] if t["config"]["checkpoint"] == row["group"]]
        assert row["trial_id"] == of_encoder[0]["trial_id"]
        assert row["ms_per_text"] > 0
        name = row["trial_id"]
        encoders.run("export", "encoders", "--trial", name, "-o", f"{name}.yaml")
        encoders.run("retrain", f"{name}.yaml", "-o", name, timeout=600)
        facts = json.loads((encoders.folder / name / "provenance.json").read_text(encoding="utf-8"))
        assert facts["configuration"]["checkpoint"] == row["group"]
        metrics = facts["report"]["metrics"]
        assert metrics["val/macro_f1"] == trials[name]["val_macro_f1"]
        predicted = json.loads(encoders.run("predict", name, "thank you so much", "--format", "json").stdout)
        assert len(predicted[0]["scores"]) == 28
