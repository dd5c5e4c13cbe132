"""The gallery: each example runs, its picture is there, and the page shows the code that ran."""

import ast
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GALLERY = ROOT / "docs" / "gallery"
build = runpy.run_path(str(GALLERY / "build.py"))
LARGEST = 150_000  # bytes of a picture


@pytest.mark.parametrize("name", build["EXAMPLES"])
def test_an_example_runs_and_its_picture_is_there(name, tmp_path):
    from PIL import Image

    build["draw"](name, tmp_path / "drawn.png")
    drawn, kept = Image.open(tmp_path / "drawn.png"), Image.open(GALLERY / f"{name}.png")
    assert drawn.size == kept.size and drawn.format == kept.format == "PNG"
    assert (GALLERY / f"{name}.png").stat().st_size <= LARGEST
    assert len(drawn.convert("RGB").getcolors(1 << 20)) > 10  # something is drawn


def test_every_example_is_in_the_gallery():
    files = {path.stem for path in GALLERY.glob("*.py")} - {"build"}
    assert files == set(build["EXAMPLES"]) == {path.stem for path in GALLERY.glob("*.png")}


def test_the_page_is_what_the_examples_say():
    page = (GALLERY / "README.md").read_text(encoding="utf-8")
    assert page == build["page"](), "run: python docs/gallery/build.py"
    shown = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for name, code in zip(build["EXAMPLES"], shown, strict=True):
        ran = ast.parse((GALLERY / f"{name}.py").read_text(encoding="utf-8"))
        assert ast.dump(ast.Module(ran.body[1:], [])) == ast.dump(ast.parse(code))  # all but the motivation


@pytest.mark.parametrize("name", build["EXAMPLES"])
def test_an_example_can_be_copied(name):
    title, motivation, code = build["told"](name)
    assert 0 < len(title) < 60 and 100 < len(motivation) < 800
    assert len([line for line in code.splitlines() if line.strip()]) <= 32
    assert "shared" not in code and "http" not in code
