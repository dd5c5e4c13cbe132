"""The shape of the code: imports point downwards, importing stays light, and no kernel may forget what NaN is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sigconv as sc

ROOT = Path(__file__).resolve().parent.parent
FILES = [*(ROOT / "sigconv").rglob("*.py"), *(ROOT / "cli" / "sigconv_cli").rglob("*.py")]

# from the top down; a module belongs to the longest name that fits it
LAYERS = [
    ["sigconv_cli"],
    ["sigconv.stream", "sigconv.io"],
    [f"sigconv.{name}" for name in ("smoothing", "linear", "layers", "transposes", "pooling", "grad", "images")]
    + [f"sigconv.{part}" for part in ("causal", "_layout", "_diagnostics", "_fft", "_layer", "_pools", "_weighted")]
    + [f"sigconv.{name}" for name in ("running", "toeplitz", "templates")],
    ["sigconv.plan", "sigconv.engines", "sigconv.config"],
    [f"sigconv.engines.cpu.{name}" for name in ("kernels", "tiles", "sizes", "compile", "target", "waiting")]
    + ["sigconv.engines.cpu.causal.taps"],
    [f"sigconv.{name}" for name in ("windows", "borders", "geometry", "checks", "times", "errors")]
    + [f"sigconv.{part}" for part in ("_window", "_durations", "_kinds", "sliding")],
]
HEIGHT = {name: height for height, names in enumerate(reversed(LAYERS)) for name in names}


def module_of(path):
    parts = path.relative_to(ROOT / "cli" if "sigconv_cli" in path.parts else ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def layer_of(module):
    fits = [name for name in HEIGHT if module == name or module.startswith((name + ".", name + "_"))]
    assert fits, f"{module} belongs to no layer: give it one"
    return max(fits, key=len)


def imports_of(path, at_import_time=False):
    """Modules of the package that a file imports, anywhere in it or only while it is being imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    deferred = set()
    for node in ast.walk(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            deferred.update(map(id, ast.walk(node)))
    found = set()
    for node in ast.walk(tree):
        if at_import_time and id(node) in deferred:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            submodules = {f"{base}.{alias.name}" for alias in node.names} & MODULES.keys()
            found.update(submodules or {base})
    return {name for name in found if name.split(".")[0] in ("sigconv", "sigconv_cli")}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "sigconv"])
def test_imports_point_downwards(module):
    own = layer_of(module)
    for other in imports_of(MODULES[module]) - {"sigconv"}:
        assert HEIGHT[layer_of(other)] <= HEIGHT[own], f"{module} imports {other}, which stands above it"


def test_only_the_command_line_imports_the_package_whole():
    for module, path in MODULES.items():
        if module.startswith("sigconv_cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "sigconv":
                names = {alias.name for alias in node.names}
                assert all(f"sigconv.{name}" in MODULES for name in names - {"__version__"}), f"{module}: {names}"


def test_files_and_streams_know_nothing_of_each_other_and_files_nothing_of_operations():
    for module, path in MODULES.items():
        layer = layer_of(module) if module != "sigconv" else ""
        for other in imports_of(path) - {"sigconv"}:
            if layer == "sigconv.io":
                assert layer_of(other) == "sigconv.io" or HEIGHT[layer_of(other)] < HEIGHT["sigconv.smoothing"], other
            if layer == "sigconv.stream":
                assert layer_of(other) != "sigconv.io"


def test_no_module_imports_itself_in_a_circle():
    edges = {module: imports_of(path, at_import_time=True) for module, path in MODULES.items() if module != "sigconv"}
    done, open_ = set(), []

    def visit(module):
        assert module not in open_, f"circle: {' > '.join([*open_[open_.index(module) :], module])}"
        if module in done or module not in edges:
            return
        open_.append(module)
        for other in sorted(edges[module]):
            visit(other)
        done.add(open_.pop())

    for module in sorted(edges):
        visit(module)


@pytest.mark.parametrize(
    "statement",
    ["import sigconv", "import sigconv.io.images", "import sigconv as sc; str(sc.windows.parse('uniform:3'))"],
)
def test_importing_loads_nothing_heavy(statement):
    heavy = ("scipy", "numba", "llvmlite", "matplotlib", "pandas", "PIL", "tifffile", "imagecodecs")
    script = f"{statement}\nimport sys; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


def test_every_public_name_is_there():
    for name in sc.__all__:
        assert getattr(sc, name) is not None and name in dir(sc)
    with pytest.raises(AttributeError, match="smoth"):
        sc.smoth  # noqa: B018


def test_no_kernel_assumes_that_there_is_no_nan():
    for path in FILES:
        text = path.read_text(encoding="utf-8").replace(" ", "")
        assert "fastmath=True" not in text and "prange" not in text, path
