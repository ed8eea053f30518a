"""What a trial takes from the machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from goemo.errors import InputError
from tune.engine.preparation import ModelCheck, told_by, trial_resources
from tune.engine.resources import per_trial, trials_on, trials_per_gpu
from tune.spec import ResourcesSpec, SearchSpec, load_spec, models


@pytest.fixture
def model():
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**SMALL))


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}


def spec(**resources):
    return replace(load_spec("quickstart"), resources=ResourcesSpec(**resources))


@pytest.mark.parametrize(("cluster", "gpus"), [({"CPU": 2.0}, 0.0), ({"CPU": 16.0, "GPU": 4.0}, 1.0)])
def test_auto_takes_a_whole_gpu_where_there_is_one(cluster, gpus):
    """The same file works with and without a GPU."""
    assert per_trial(spec(), [cluster]) == {"cpu": 1.0, "gpu": gpus}


def test_a_share_of_a_gpu_is_taken_as_asked():
    """Four trials may share one GPU."""
    assert per_trial(spec(gpus_per_trial=0.25), [{"CPU": 8.0, "GPU": 1.0}])["gpu"] == 0.25


def test_more_than_a_node_has_is_refused_with_both_figures():
    """Ray would wait for ever for a GPU that nobody has, or for CPUs of two nodes at once."""
    with pytest.raises(InputError, match=r"1 CPUs and 1 GPUs on one node, but there is 2 CPUs and 0 GPUs"):
        per_trial(spec(gpus_per_trial=1), [{"CPU": 2.0}])
    with pytest.raises(InputError, match=r"16 CPUs"):
        per_trial(spec(cpus_per_trial=16), [{"CPU": 8.0}, {"CPU": 8.0}])
    with pytest.raises(InputError, match=r"8 CPUs and 0 GPUs; 2 CPUs and 1 GPUs"):
        per_trial(spec(cpus_per_trial=4, gpus_per_trial=1), [{"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0}])


def test_any_node_that_fits_is_enough():
    """One large node among small ones is where the trials go."""
    nodes = [{"CPU": 2.0}, {"CPU": 16.0, "GPU": 1.0}]
    assert per_trial(spec(cpus_per_trial=8), nodes) == {"cpu": 8.0, "gpu": 1.0}


@pytest.mark.parametrize(("needed", "trials"), [(100e9, 1), (70e9, 1), (60e9, 2), (10e9, 4), (1e9, 4)])
def test_trials_share_a_gpu_as_far_as_its_memory_goes(needed, trials):
    """Nine tenths of 140 GB, by what one needs; never more than four."""
    assert trials_per_gpu(needed, 140e9) == trials


@pytest.mark.parametrize(("cpus", "share"), [(16.0, 0.25), (5.0, 0.5), (1.0, 1.0)])
def test_auto_shares_a_gpu_among_the_trials_that_fit(cpus, share):
    """As many as fit, where each of them has its CPUs on the node."""
    nodes = [{"CPU": cpus, "GPU": 2.0 if cpus == 5.0 else 1.0}, {"CPU": 64.0}]
    assert per_trial(spec(), nodes, sharing=4) == {"cpu": 1.0, "gpu": share}
    assert per_trial(spec(gpus_per_trial=1), nodes, sharing=4)["gpu"] == 1.0


def test_the_largest_trial_decides(model):
    """The estimate is for the largest batch of the longest texts that the space has, wherever they stand."""
    given = load_spec("quickstart_scratch").to_dict()
    given["space"] = {
        "batch_size": {"grid": [64, 8]},
        "max_length": {"choice": [16, 48, 32]},
        "loss": "focal",
    }
    wide = SearchSpec.from_dict(given)
    given["space"] = {"batch_size": 64, "max_length": 48}
    assert memory_needed(wide, model) == memory_needed(SearchSpec.from_dict(given), model)
    given["space"]["batch_size"] = 8
    assert memory_needed(wide, model) > memory_needed(SearchSpec.from_dict(given), model)


def memory_needed(given, model):
    return told_by(given, models(given)[0], model).trial_bytes


def test_what_building_the_model_tells(model):
    """The weights, those that train, and the memory of the largest trial."""
    given = load_spec("quickstart_scratch")
    for parameter in model.base_model.parameters():
        parameter.requires_grad_(requires_grad=False)
    check = told_by(given, models(given)[0], model)
    assert check.weights == sum(p.numel() for p in model.parameters())
    assert check.trained == check.weights - sum(p.numel() for p in model.base_model.parameters())
    assert check.least_bytes == 4 * check.weights + 12 * check.trained
    assert len(check.gpu_bytes) == torch.cuda.device_count()


@pytest.mark.parametrize(
    ("told", "gpu"), [({}, 0.5), ({"gpu_bytes": 80e9}, 0.25), ({"gpu_bytes": 20e9}, 1.0)]
)
def test_trials_share_a_gpu_by_what_the_nodes_tell_of_it(told, gpu):
    """Else by the smallest GPU of this machine."""
    check = ModelCheck(weights=1, trained=1, trial_bytes=15e9, gpu_bytes=(80 * 10**9, 40 * 10**9))
    nodes = [{"CPU": 8.0, "GPU": 1.0, **told}]
    assert trial_resources(spec(), check, nodes) == {"cpu": 1.0, "gpu": gpu}


@pytest.mark.parametrize(
    ("node", "cpu", "gpu", "fit"),
    [
        ({"CPU": 8.0}, 1.0, 0.0, 8),
        ({"CPU": 7.0}, 2.0, 0.0, 3),
        ({"CPU": 8.0}, 1.0, 1.0, 0),
        ({"CPU": 8.0, "GPU": 2.0}, 1.0, 1.0, 2),
        ({"CPU": 8.0, "GPU": 2.0}, 1.0, 1 / 3, 6),
        ({"CPU": 8.0, "GPU": 2.0}, 1.0, 0.4, 4),  # not five: none can have a fifth of each GPU
        ({"CPU": 8.0, "GPU": 2.0}, 4.0, 0.5, 2),
        ({"CPU": 8.0, "GPU": 4.0}, 1.0, 2.0, 2),
        ({}, 1.0, 0.0, 0),
        ({"CPU": 0.3}, 0.1, 0.0, 3),
    ],
)
def test_how_many_trials_fit_on_a_node(node, cpu, gpu, fit):
    """CPUs and GPUs both have to do, and a share of a GPU lies on one of them."""
    assert trials_on(node, {"cpu": cpu, "gpu": gpu}) == fit
