"""Run the gallery's examples and write their pictures and the page that shows them.

python docs/gallery/build.py [NAME...]
"""

import ast
import os
import runpy
import sys
import warnings
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES = ("denoise", "responses", "edges", "pyramid", "template")
DPI, COLOURS = 90, 96
HEAD = """\
# Gallery

Each example is a file of its own that can be run as it stands, from the folder above `docs`:
`python docs/gallery/denoise.py`. `docs/gallery/build.py` writes this page and the pictures.
"""


def main(names: list[str]) -> None:
    """Draw the examples named, or all of them, and write the page."""
    for name in names or EXAMPLES:
        draw(name, HERE / f"{name}.png")
    (HERE / "README.md").write_text(page(), encoding="utf-8")


def draw(name: str, path: Path) -> None:
    """Run an example where its paths hold, and save the figure that it leaves."""
    import matplotlib
    from PIL import Image

    matplotlib.use("Agg")
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
            found = runpy.run_path(str(HERE / f"{name}.py"))
    finally:
        os.chdir(before)
    drawn = BytesIO()
    found["figure"].savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)  # a third of the bytes
    found["plt"].close(found["figure"])


def page() -> str:
    """The page with all examples: title, motivation, picture and code of each."""
    parts = [HEAD]
    for name in EXAMPLES:
        title, motivation, code = told(name)
        parts.append(f"## {title}\n\n{motivation}\n\n![{title}]({name}.png)\n\n```python\n{code}\n```\n")
    return "\n".join(parts)


def told(name: str) -> tuple[str, str, str]:
    """An example's title, its motivation and its code."""
    text = (HERE / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    title, _, motivation = (ast.get_docstring(tree) or "").partition("\n")
    code = "\n".join(text.splitlines()[tree.body[0].end_lineno :])
    return title, motivation.strip(), code.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
