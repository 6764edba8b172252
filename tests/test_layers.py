"""Imports run one way, in the order of the notebooks; heavy packages come in only when they are used."""

import ast
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, name_of

MODULES = {p.relative_to(ROOT / "pumap").with_suffix("").as_posix(): p for p in sorted((ROOT / "pumap").rglob("*.py")) if p.name not in ("__init__.py", "_modidx.py")}
LIBRARY = [m for m in MODULES if "/" not in m]
FRAMEWORKS = {"tensorflow", "jax", "torch"}
HEAVY = {*FRAMEWORKS, "keras", "umap", "pynndescent", "openTSNE", "numba"}
LIGHT = ("core", "metrics", "plots", *(m for m in MODULES if m.startswith("paper/")))  # none of HEAVY at their top level
TRAINING = ("backend", "training", "fast_solver", "semisupervised", "baselines")  # the only ones that make optimizers or steps
OPTIONAL = {"typer", "rich"}  # of the `paper` extra, for the command line
LATE = {("parametric_umap", "interactive_map")}  # what a method imports when it is called, and which takes any estimator
MOST_PARAMETERS = 8


def notebook(module):
    "The notebook that a module was made from, such as `paper/03_scorecard`; library notebooks come before the paper's."
    made_from = re.search(r"File to edit: \S*?nbs/((?:paper/)?\d\d_\w+)\.ipynb", MODULES[module].read_text(encoding="utf-8"))
    assert made_from, f"{module} was not made by a numbered notebook"
    return made_from[1]


def place(module):
    "Sorts in the order of imports."
    return "/" in notebook(module), notebook(module)


def imports(module, top_level=False):
    "Full names of what a module imports; ours as `pumap.x` or `pumap.paper.x`. top_level: only what importing it imports."
    found, todo = set(), [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    package = ["pumap", *module.split("/")[:-1]]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [".".join(package[: len(package) + 1 - node.level]) if node.level else "", node.module or ""]))
            found |= {f"{base}.{a.name}" for a in node.names} if base in ("pumap", "pumap.paper") else {base}
        if not (top_level and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            todo.extend(ast.iter_child_nodes(node))
    return found


def ours(module, top_level=False):
    return {name.removeprefix("pumap.").replace(".", "/") for name in imports(module, top_level) if name.startswith("pumap.")} & set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_come_from_notebooks_before(module):
    allowed = {name for name in ours(module) - ours(module, top_level=True) if (module, name) in LATE}
    wrong = {name for name in ours(module) - allowed if place(name) >= place(module)}
    assert not wrong, f"{notebook(module)} imports {sorted(wrong)}: only notebooks before it are allowed"


@pytest.mark.parametrize("module, allowed", [("core", set()), ("metrics", {"core"})])
def test_the_ground_floor_imports_nothing_of_ours(module, allowed):
    assert ours(module) <= allowed


@pytest.mark.parametrize("module", LIBRARY)
def test_the_library_does_not_know_the_paper(module):
    assert not {name for name in ours(module) if name.startswith("paper/")}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "backend"])
def test_only_the_backend_imports_a_framework(module):
    assert not {name.split(".")[0] for name in imports(module)} & FRAMEWORKS


@pytest.mark.parametrize("module", [m for m in LIGHT if m in MODULES])
def test_light_modules_are_light(module):
    heavy = {name for name in imports(module, top_level=True) if name.split(".")[0] in HEAVY}
    assert not heavy, f"{module} imports {sorted(heavy)} at its top level; import them in the function that needs them"


@pytest.mark.parametrize("module", ["paper/experiments", "paper/scorecard", "paper/cli"])
def test_the_command_line_stands_on_the_standard_library(module):
    allowed = set(sys.stdlib_module_names) | {"pumap"} | (OPTIONAL if module == "paper/cli" else set())
    assert {name.split(".")[0] for name in imports(module, top_level=True)} <= allowed


FETCHING = {"pooch", "requests", "sklearn"}  # what only a data set that is made or fetched needs


@pytest.mark.parametrize("start, more", [("import pumap", ()), ("import pumap.metrics", ()), ("import pumap.plots", ()), ("import pumap.paper.datasets as d; d.names()", FETCHING)])
def test_importing_brings_nothing_heavy(start, more):
    code = f"{start}; import sys; print(*sorted({HEAVY | {*more}!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [], f"`{start}` imports {run.stdout}"


@pytest.mark.parametrize("module", MODULES)
def test_no_nbdev_no_fastcore(module):
    "They are tools of ours, not needs of the library."
    assert not {name.split(".")[0] for name in imports(module)} & {"nbdev", "fastcore", "execnb"}


@pytest.mark.parametrize("module", [m for m in MODULES if m not in TRAINING])
def test_only_training_trains(module):
    "No gradient, optimizer, compiled step or Keras `compile` but in the modules that train; `fit` only where an estimator is called."
    names = {"GradientTape", "apply_gradients", "train_on_batch", "make_train_function", "optimizers"}
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        where = f"{name_of(MODULES[module])}:{node.lineno}"
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        assert node.attr not in names, f"{where} uses {node.attr}"
        assert node.attr != "compile" or owner in ("re", "regex"), f"{where} compiles"
        assert node.attr not in ("fit", "fit_transform") or module in ("metrics", "parametric_umap", "umap_compat", "paper/experiments"), f"{where} fits"


@pytest.mark.parametrize("module", MODULES)
def test_no_global_seed(module):
    "Each function that draws takes `random_state`; who must seed a process-wide generator puts it back."
    source = MODULES[module].read_text(encoding="utf-8")
    wrong = re.search(r"(np|numpy)\.random\.seed|set_random_seed|tf\.random\.set_seed|torch\.manual_seed", source)
    assert not wrong, f"{module}: {wrong[0] if wrong else ''}"
    if re.search(r"(?<![\w.])random\.seed\(", source):
        assert "random.setstate(" in source, f"{module} seeds Python's generator and does not put it back"


@pytest.mark.parametrize("module", MODULES)
def test_few_parameters(module):
    "Settings travel as objects. Constructors of estimators are the exception, and the paper's half is rebuilt later."
    most = MOST_PARAMETERS if module in LIBRARY else 12
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
    count = lambda f: len([a for a in f.args.posonlyargs + f.args.args + f.args.kwonlyargs if a.arg not in ("self", "cls")]) + bool(f.args.vararg) + bool(f.args.kwarg)
    long = {f.name: count(f) for f in functions if count(f) > most}
    assert not long, f"more than {most} parameters: {long}"


def test_importing_the_estimator_prints_nothing():
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", "from pumap import ParametricUMAP"], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
