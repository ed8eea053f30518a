"""One search over several encoders: killed and resumed, ranked, and the best of each taken further."""

from __future__ import annotations

import json
import os

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ENCODERS = ("scratch:albert-tiny", "scratch:xlnet-tiny", "scratch:./tiny-bert")
SPACE = f"""\
model:
  checkpoint: {{choice: {json.dumps(ENCODERS)}}}
  trainable:  {{choice: [head, all]}}
data: {{source: "sample:400"}}
space:
  learning_rate: RATES
  max_length: 16
  epochs: 1
search: SEARCH
objective: {{reports: 2}}
scheduler: none
baseline: none
"""
LISTED = "[{grid: [1.0e-3, 1.0e-2], only_if: {trainable: [head]}}, {grid: [3.0e-3]}]"
DRAWN = "[{log_uniform: [1.0e-3, 1.0e-2], only_if: {trainable: [head]}}, {log_uniform: [1.0e-3, 4.0e-3]}]"
# TPE learns from what has ended: only one trial after the other is the same again after a crash.
ALONE = ("--set", f"resources.cpus_per_trial={os.cpu_count()}")
# For each algorithm: the learning rates, how they are chosen, the number of trials, and options.
ALGORITHMS = {
    "grid": (LISTED, "grid", 9, ()),
    "random": (DRAWN, "{algorithm: random, trials: 9}", 9, ()),
    "tpe": (DRAWN, "{algorithm: tpe, trials: 9, startup_trials: 4}", 9, ALONE),
}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory, shell):
    """A folder of its own with the search spaces in it, and a small BERT beside them."""
    from transformers import BertConfig, BertTokenizer

    folder = tmp_path_factory.mktemp("encoders")
    for name, (rates, search, _, _) in ALGORITHMS.items():
        space = SPACE.replace("RATES", rates).replace("SEARCH", search)
        (folder / f"{name}.yaml").write_text(space, encoding="utf-8")
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


@pytest.fixture(scope="module", params=ALGORITHMS)
def calm(request, encoders):
    """A search by each algorithm, undisturbed: its name and leaderboard."""
    name = request.param
    encoders.run("search", f"{name}.yaml", *ALGORITHMS[name][3], timeout=900)
    return name, board(encoders, name)


def board(shell, name):
    return json.loads(shell.run("leaderboard", name, "--format", "json").stdout)


def ranking(board):
    left_out = ("seconds", "search", "ms_per_text", "is_on_front")
    return [{key: value for key, value in row.items() if key not in left_out} for row in board["trials"]]


@pytest.mark.timeout(1800)
def test_a_search_over_encoders_is_the_same_when_it_was_killed(encoders, calm):
    """Three encoders, head and all of each, every learning rate its own: the same to the last digit."""
    name, undisturbed = calm
    _, _, trials, options = ALGORITHMS[name]
    assert len(undisturbed["trials"]) == trials
    chosen = {(t["config"]["checkpoint"], t["config"]["trainable"]) for t in undisturbed["trials"]}
    assert {checkpoint for checkpoint, _ in chosen} == set(ENCODERS)
    assert {trainable for _, trainable in chosen} == {"head", "all"}
    killed = f"{name}-killed"
    outcomes = encoders.folder / "mlruns/searches" / killed / "trials"
    driver = encoders.drive("search", f"{name}.yaml", "--name", killed, *options)
    assert driver.wait_for(lambda: len(list(outcomes.glob("*/outcome.json"))) >= 3)
    driver.kill(all_of_it=True)
    assert 3 <= len(list(outcomes.glob("*/outcome.json"))) < trials
    encoders.run("resume", killed, timeout=900)
    assert ranking(board(encoders, killed)) == ranking(undisturbed)


@pytest.mark.timeout(1800)
def test_the_best_of_each_encoder_is_ranked_exported_retrained_and_predicts(encoders, calm):
    """One row an encoder, and each is a model: of its own checkpoint, with the trial's very score."""
    name, undisturbed = calm
    told = encoders.run("leaderboard", name, "--by", "checkpoint", "--format", "json").stdout
    best = json.loads(told)["best_of_each"]
    assert {row["group"] for row in best} == set(ENCODERS)
    for row in best:
        trial = next(t for t in undisturbed["trials"] if t["config"]["checkpoint"] == row["group"])
        assert row["trial_id"] == trial["trial_id"]
        assert row["ms_per_text"] > 0
        model = f"{name}-{row['trial_id']}"
        encoders.run("export", name, "--trial", row["trial_id"], "-o", f"{model}.yaml")
        encoders.run("retrain", f"{model}.yaml", "-o", model, timeout=600)
        facts = json.loads((encoders.folder / model / "provenance.json").read_text(encoding="utf-8"))
        assert facts["configuration"]["checkpoint"] == row["group"]
        assert facts["report"]["metrics"]["val/macro_f1"] == trial["val_macro_f1"]
        predicted = json.loads(encoders.run("predict", model, "thank you so much", "--format", "json").stdout)
        assert len(predicted[0]["scores"]) == 28


@pytest.mark.timeout(3600)
def test_the_published_comparison_runs_whole_on_the_sample(encoders):
    """`paper` with small encoders in place of the two: 2 x 27 trials, and a row for each encoder."""
    twins = ENCODERS[:2]
    small = ("--data", "sample:300", "--set", f"model.checkpoint.choice={json.dumps(twins)}")
    encoders.run("search", "paper", *small, "--set", "space.epochs=1", timeout=3000)
    told = encoders.run("leaderboard", "paper", "--by", "checkpoint", "--format", "json").stdout
    whole = json.loads(told)
    assert {row["group"] for row in whole["best_of_each"]} == set(twins)
    ran = [trial["config"] for trial in board(encoders, "paper")["trials"]]
    assert len(ran) == 54
    for twin in twins:
        of_twin = [config for config in ran if config["checkpoint"] == twin]
        cells = {(c["batch_size"], c["learning_rate"], c["max_length"]) for c in of_twin}
        assert len(of_twin) == len(cells) == 27
