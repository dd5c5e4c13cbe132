"""Benchmarks: every group has its workloads, and what they reach is summed up as it is meant."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.__main__ import GROUPS  # noqa: E402
from benchmarks.harness import Peer, Result, Summary, Target, largest_difference  # noqa: E402
from benchmarks.report import Group, markdown, summary_lines  # noqa: E402


@pytest.mark.parametrize("name", [name for name in GROUPS if name not in ("csv", "images")])
def test_workloads_have_names_of_their_own(name):
    module = importlib.import_module(GROUPS[name])
    names = [workload.name for workload in module.workloads(module.SIZE, 1)]
    assert names and len(set(names)) == len(names) and all("|" not in name for name in names)
    for summary in module.SUMMARIES:
        assert any(summary.part in name for name in names)


def test_summaries_are_geometric_means_and_least_ratios():
    ratios = {"a, float32": 2.0, "b, float32": 8.0, "c, float64": 0.5}
    results = [
        Result(name, ours=1.0, peers={"torch": Peer(seconds=ratio), "other": Peer(seconds=0.1)}, target=Target(ratio=1))
        for name, ratio in ratios.items()
    ]
    mean = Summary(name="mean", part="float32", against=("torch",), ratio=3)
    least = Summary(name="least", part="", against=("torch",), ratio=1, least=True)
    assert math.isclose(mean.of(results), 4) and least.of(results) == 0.5
    assert mean.of(results[2:]) is None
    group = Group("Title", None, None, results, summaries=(mean, least))
    assert summary_lines(group) == ["mean: 4.00, ≥ 3 ok", "least: 0.50, ≥ 1 MISS"]
    machine = {"cpu": "-", "threads": 1, "date": "2026-01-01", "versions": {"sigconv": "-", "python": "-"}}
    assert "- mean: 4.00, ≥ 3 ok\n- least" in markdown(machine, group)


def test_differences_of_bytes_do_not_wrap_around():
    ours, theirs = np.array([[100, 200]], np.uint8), np.array([[101, 200]], np.uint8)
    assert largest_difference(theirs, ours, 0) == largest_difference(ours, theirs, 0) == 1 / 200


def test_a_group_runs_and_tells_what_it_measured(tmp_path):
    found = tmp_path / "found.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "filter2d",
        "--size",
        "64",
        "--repeat",
        "1",
        "--only",
        "^3x3, float32",
    ]
    done = subprocess.run([*command, "--json", str(found)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(found.read_text())["groups"]["filter2d"]["results"]
    assert result["error"] is None and result["peers"]["ndimage"]["status"] == "agrees"
    refused = subprocess.run(
        [*command[:3], "layers", "--size", "3"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 2 and "--size needs one of the groups smooth, csv, filter2d" in refused.stderr


def test_images_are_measured_beside_other_programs(tmp_path):
    from benchmarks import picture_data, pictures
    from benchmarks.picture_report import Pictures
    from benchmarks.table_report import Contender, Race

    jobs = pictures.jobs(tmp_path)
    assert len({job.name for job in jobs}) == len(jobs) and all(job.source in picture_data.FILES for job in jobs)
    for job in jobs:
        for name, command in pictures._commands(job, tmp_path / "in.tif", tmp_path / "out.tif"):
            assert {str(tmp_path / "in.tif"), str(tmp_path / "out.tif")} <= set(command), name
    contenders = [Contender("sigconv", 1.0, 1.0, 2**20), Contender("vips a", 4.0, 4.0, 2**20, status="related")]
    contenders += [Contender("vips b", 2.0, 2.0, 2**20), Contender("OpenCV", status="missing")]
    found = Pictures("Images", {"vips": ""}, [Race("blur", 1, 1, contenders, {"vips": 3})])
    machine = {"cpu": "-", "threads": 1, "date": "2026-01-01", "versions": {"sigconv": "-"}}
    assert "| blur | 1.00 s | 1.00 MiB | 2.00 s (2.00) | - | - | - |" in found.markdown(machine)
    assert "MISS" in found.foot() and "not installed: OpenCV" in found.foot()


def test_a_picture_is_filtered_alike_by_a_peer(tmp_path):
    pytest.importorskip("cv2")
    from PIL import Image

    from benchmarks import pictures

    source, ours, theirs = (tmp_path / f"{name}.tif" for name in ("in", "ours", "theirs"))
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) // 2).save(source)
    job = next(job for job in pictures.jobs(tmp_path) if job.work == "gaussian")
    for target, name in ((ours, "sigconv"), (theirs, "OpenCV")):
        command = dict(pictures._commands(job, source, target))[name]
        subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    assert pictures._difference(pictures._read(theirs), pictures._read(ours)) < pictures.CLOSE
