"""What a trial takes from the machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goemo.errors import InputError
from tune.resources import per_trial
from tune.spec import ResourcesSpec, load_spec


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
