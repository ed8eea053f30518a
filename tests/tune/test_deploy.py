"""The files of deploy/ for clusters: what can be checked of them without a cluster."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tune.cli import cli
from tune.spec import load_spec

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"

# Of the custom resource definitions of KubeRay 1.6: ray-operator/apis/ray/v1.
RAY_JOB = {
    *("activeDeadlineSeconds", "backoffLimit", "rayClusterSpec", "submitterPodTemplate", "metadata"),
    *("clusterSelector", "submitterConfig", "managedBy", "deletionStrategy", "entrypoint", "runtimeEnvYAML"),
    *("jobId", "submissionMode", "entrypointResources", "entrypointNumCpus", "entrypointNumGpus"),
    *("ttlSecondsAfterFinished", "shutdownAfterJobFinishes", "suspend"),
}
RAY_CLUSTER = {
    *("headGroupSpec", "workerGroupSpecs", "rayVersion", "enableInTreeAutoscaling", "autoscalerOptions"),
    *("headServiceAnnotations", "suspend", "managedBy", "gcsFaultToleranceOptions", "authOptions"),
}
HEAD = {"serviceType", "headService", "enableIngress", "resources", "labels", "rayStartParams", "template"}
WORKERS = {
    *("groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts", "idleTimeoutSeconds", "suspend"),
    *("resources", "labels", "rayStartParams", "template", "scaleStrategy"),
}
CONTAINER = {"name", "image", "env", "envFrom", "resources", "volumeMounts"}


@pytest.fixture(scope="module")
def launcher():
    return yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifests():
    text = (DEPLOY / "kuberay-rayjob.yaml").read_text(encoding="utf-8")
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(text)}


def test_the_cluster_file_is_one_that_ray_up_takes(launcher):
    """Ray's launcher completes and accepts the file, and sees all its machines in it."""
    config = prepare_config(launcher)
    validate_config(config)
    (machines,) = config["available_node_types"].values()
    assert machines["min_workers"] == machines["max_workers"] == len(launcher["provider"]["worker_ips"])


def test_the_cluster_file_rejects_a_misspelt_key(launcher):
    """The schema looks at the keys: the test above could fail."""
    config = prepare_config({**launcher, "setup_comands": []})
    with pytest.raises(Exception, match="setup_comands"):
        validate_config(config)


def test_the_cluster_file_copies_what_an_installation_needs(launcher):
    """All that is copied is there, and all that the commands use was copied, or is made by them."""
    mounts = launcher["file_mounts"]
    for target, source in mounts.items():
        assert source.startswith("~") or (REPOSITORY / source).exists(), target
    commands = [c for key, value in launcher.items() if key.endswith("_commands") for c in value]
    used = {word for c in commands for word in re.findall(r"\. (~/\S+)", c)}
    assert used
    assert used <= set(mounts)
    environment = (DEPLOY / "ray-environment.sh").read_text(encoding="utf-8")
    assert "$HOME/goemo/.venv/bin" in environment
    for name in ("pyproject.toml", "README.md", "goemo", "tune", "search_spaces"):
        assert mounts[f"~/goemo/{name}"] == name


def test_the_environment_of_the_machines_is_shell():
    """A shell reads it, and the three folders and settings that docs/cluster.md names are set."""
    script = f". {shlex.quote(str(DEPLOY / 'ray-environment.sh'))}; env"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert {"GOEMO_RUNS", "HF_HOME", "RAY_AUTH_MODE"} <= {
        line.partition("=")[0] for line in done.stdout.splitlines()
    }


def test_the_ray_job_has_the_fields_of_its_definition(manifests):
    """Every field is one that KubeRay knows, for one that it does not know would be dropped silently."""
    job = manifests["RayJob"]
    assert job["apiVersion"] == "ray.io/v1"
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    assert set(spec) <= RAY_JOB
    assert set(cluster) <= RAY_CLUSTER
    assert set(cluster["headGroupSpec"]) <= HEAD
    assert all(set(group) <= WORKERS for group in cluster["workerGroupSpecs"])
    assert spec["shutdownAfterJobFinishes"] is True


def pods(manifests):
    cluster = manifests["RayJob"]["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_all_pods_share_one_folder_and_one_image(manifests):
    """Head and workers mount the claim that is defined beside them where GOEMO_RUNS and HF_HOME point."""
    claim = manifests["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    images = set()
    for pod in pods(manifests):
        (volume,) = pod["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        (container,) = pod["containers"]
        assert set(container) <= CONTAINER
        (mount,) = container["volumeMounts"]
        assert mount["name"] == volume["name"]
        values = {entry["name"]: entry["value"] for entry in container["env"]}
        for name in ("GOEMO_RUNS", "HF_HOME"):
            assert Path(values[name]).is_relative_to(mount["mountPath"])
        images.add(container["image"])
    assert len(images) == 1


def test_the_ray_job_searches_a_space_that_there_is(manifests):
    """Its entrypoint names the script of the image, and a search that loads with its overrides."""
    script, name, space, *options = shlex.split(manifests["RayJob"]["spec"]["entrypoint"])
    assert f"/usr/local/bin/{script}" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    parsed = cli.commands["search"].make_context("search", [space, "--name", name, *options]).params
    assert load_spec(space, overrides=parsed["overrides"], name=name).name == name


def test_the_image_has_the_ray_of_the_tests():
    """Image, RayJob and constraints name one version of Ray, and the image copies files that exist."""
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    version = re.search(r"^ray==(\S+)$", constraints, re.MULTILINE)[1]
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"FROM rayproject/ray:{version}-" in dockerfile
    assert f'rayVersion: "{version}"' in (DEPLOY / "kuberay-rayjob.yaml").read_text(encoding="utf-8")
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?:--\S+ )*(.*) \S+$", dockerfile, re.MULTILINE):
        for source in line.split():
            assert (REPOSITORY / source).exists(), source
            assert f"!{source}" in sent, source


@pytest.mark.parametrize(
    ("has_records", "expected"),
    [
        (False, "search minilm_head --name first --address auto --set space.epochs=3"),
        (True, "resume first --address auto"),
    ],
)
def test_a_job_that_starts_again_goes_on(tmp_path, has_records, expected):
    """The script searches where there are no records of that name, and resumes where there are."""
    stand_in = tmp_path / "goemo"
    stand_in.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    if has_records:
        folder = tmp_path / "runs" / "searches" / "first"
        folder.mkdir(parents=True)
        (folder / "search.yaml").touch()
    done = subprocess.run(
        [DEPLOY / "search-or-resume.sh", "first", "minilm_head", "--set", "space.epochs=3"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "GOEMO_RUNS": str(tmp_path / "runs")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected
