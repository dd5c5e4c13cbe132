"""What the README shows is run: its Python, its commands, its files."""

import doctest
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


# Lines that set up an environment are the continuous integration's to run.
COMMANDS = [block.strip() for block in blocks("bash") if "pip install" not in block]


def test_python_blocks(monkeypatch):
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}  # one namespace, read from top to bottom
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    parser = doctest.DocTestParser()
    for number, block in enumerate(blocks("python")):
        test = parser.get_doctest(block, names, f"README block {number}", "README.md", 0)
        assert test.examples, f"block {number} has no example"
        runner.run(test, clear_globs=False)
        names |= test.globs
    assert runner.summarize().failed == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_command_lines(command, tmp_path):
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sigconv").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sigconv_cli "$@"\n')
    (tools / "sigconv").chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, env=environment, capture_output=True, timeout=120
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_commands_that_the_integration_takes_from_the_readme():
    found = re.findall(r"^<!-- (run|test) -->\n```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in found] == ["run", "test"]
    assert all("pip install" in block for _, block in found)


def test_links_lead_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_benchmark_table_has_its_place():
    assert README.count("<!-- benchmarks:start -->") == README.count("<!-- benchmarks:end -->") == 1


def test_sample_data_is_what_its_generator_writes(tmp_path):
    make = runpy.run_path(str(ROOT / "sample_data" / "make.py"))
    make["main"](tmp_path / "probe.csv")
    make["cells"](tmp_path / "cells.pgm", tmp_path / "cell.pgm")
    for name in ("probe.csv", "cells.pgm", "cell.pgm"):
        assert (tmp_path / name).read_bytes() == (ROOT / "sample_data" / name).read_bytes()
