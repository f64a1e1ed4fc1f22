"""The cluster files in examples/cluster/ have what they must have, and their commands have options that exist."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command import run
from support.examples import EXAMPLES

from jaxstyle.jobs import Share, share_from_variables

CLUSTER = EXAMPLES / "cluster"


def parsed(name: str) -> dict[str, Any]:
    return yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))


def check_command(words: list[str], tmp_path: Path) -> None:
    """Run the command with a manifest that does not exist, which is the first thing that stops it."""
    assert words[:2] == ["jaxstyle", "batch"] and Path(words[2]).name == "pairs.csv"
    outcome = run("batch", tmp_path / "pairs.csv", *words[3:])
    assert outcome.code == 2 and outcome.err.startswith(f"jaxstyle: error: {tmp_path}/pairs.csv: cannot be read")


def check_mounts(pod: dict[str, Any], paths: list[str]) -> None:
    """All paths are in a volume that the pod has."""
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    (volume,) = pod["volumes"]
    assert mount["name"] == volume["name"] and volume["persistentVolumeClaim"]["claimName"]
    assert paths and all(path.startswith(f"{mount['mountPath']}/") for path in paths)


def paths_in(words: list[str]) -> list[str]:
    return [word for word in words if word.startswith("/")]


def test_indexed_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    job = parsed("indexed-job.yaml")
    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "which backoffLimitPerIndex and podFailurePolicy need"
    (container,) = pod["containers"]
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["containerName"] == container["name"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    last = job["spec"]["completions"] - 1
    found = share_from_variables(variables | {"JOB_COMPLETION_INDEX": str(last)})
    assert found and found[0] == Share(last, job["spec"]["completions"])
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    check_mounts(pod, [*paths_in(container["command"]), variables["JAX_COMPILATION_CACHE_DIR"]])
    check_command(container["command"], tmp_path)


def test_ray_job(tmp_path: Path):
    job = parsed("ray-job.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    words, cluster = job["spec"]["entrypoint"].split(), job["spec"]["rayClusterSpec"]
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert cluster["enableInTreeAutoscaling"] and 1 <= workers["minReplicas"] < workers["maxReplicas"]
    assert tuple(map(int, cluster["rayVersion"].split("."))) >= (2, 50)
    assert head["rayStartParams"] == {"num-cpus": "0"}
    pods = [group["template"]["spec"] for group in (head, workers)]
    images = {pod["containers"][0]["image"] for pod in pods}
    limits = [pod["containers"][0]["resources"]["limits"] for pod in pods]
    assert len(images) == 1 and [found.get("nvidia.com/gpu", 0) for found in limits] == [0, 1]
    for pod in pods:
        check_mounts(pod, paths_in(words))
    assert words[-2:] == ["--ray", "auto"]
    check_command(words, tmp_path)


def test_slurm_array(tmp_path: Path):
    script = CLUSTER / "slurm-array.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    first, last = map(int, re.search(r"^#SBATCH --array=(\d+)-(\d+)$", text, re.MULTILINE).groups())
    variables = {"ID": last, "COUNT": last - first + 1, "MIN": first, "STEP": 1}
    found = share_from_variables({f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in variables.items()})
    assert found and found[0] == Share(last - first, last - first + 1)
    *_, last_setting = re.finditer(r"^#SBATCH ", text, re.MULTILINE)
    assert "\nexport" not in text[: last_setting.start()], "SLURM stops reading at the first command"
    command = text.splitlines()[-1]
    assert command.startswith("srun ")
    check_command(command.split()[1:], tmp_path)
