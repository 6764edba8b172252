"""Docstrings are where people look: complete, true to the signature, with examples that run, and with types that editors see."""

import doctest
import importlib
import inspect
import subprocess
import sys

import pytest
from conftest import ROOT

KERAS = ("build", "call", "get_config", "from_config")  # methods of a Keras layer, which Keras documents
LIBRARY = sorted(p.stem for p in (ROOT / "pumap").glob("[!_]*.py"))


def public(module):
    "The public functions and classes that a module defines, and the public methods of its classes."
    module = importlib.import_module(f"pumap.{module}")
    found = {}
    for name in module.__all__:
        thing = getattr(module, name)
        if getattr(thing, "__module__", "") != module.__name__ or not callable(thing):
            continue
        found[name] = thing
        if inspect.isclass(thing):
            own = [key for key, value in vars(thing).items() if not key.startswith("_") and inspect.isfunction(value) and key not in KERAS and value.__module__ == module.__name__]
            found |= {f"{name}.{key}": getattr(thing, key) for key in own}  # whose docstring may be that of the base class
    return found


@pytest.mark.parametrize("module", LIBRARY)
def test_all_that_is_public_says_what_it_is(module):
    assert not [name for name, thing in public(module).items() if not inspect.getdoc(thing)]


@pytest.mark.parametrize("module", LIBRARY)
def test_documented_parameters_are_those_of_the_signature(module):
    "In their order; a function with one or two obvious arguments may say all in its first line."
    from numpydoc.docscrape import FunctionDoc, NumpyDocString

    wrong = {}
    for name, thing in public(module).items():
        is_tuple = inspect.isclass(thing) and issubclass(thing, tuple)
        documented = NumpyDocString(inspect.getdoc(thing)) if inspect.isclass(thing) else FunctionDoc(thing)
        section = "Attributes" if is_tuple else "Parameters"
        if inspect.isclass(thing) and not is_tuple and getattr(thing.__init__, "__module__", "") != thing.__module__ and not documented[section]:
            continue  # its constructor is that of a base class of another package
        told = [part.strip().lstrip("*") for entry in documented[section] for part in entry.name.split(",") if part.strip() != "cls"]
        try:
            taken = [p for p in inspect.signature(thing).parameters if p not in ("self", "cls", "args", "kwargs")]
        except ValueError:
            continue
        if told[: len(taken)] != taken and not (not told and len(taken) <= 2):
            wrong[name] = {"documented": told, "taken": taken}
    assert not wrong


@pytest.mark.parametrize("module", LIBRARY)
def test_examples_run(module):
    found = importlib.import_module(f"pumap.{module}")
    assert doctest.testmod(found, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_the_estimators_have_an_example():
    from pumap import ParametricUMAP, SemiSupervisedClassifier

    for estimator in (ParametricUMAP, SemiSupervisedClassifier):
        assert ">>>" in estimator.__doc__ and "References" in estimator.__doc__


def test_the_html_of_an_estimator_shows_what_its_parameters_mean():
    from pumap import ParametricUMAP, SemiSupervisedClassifier

    for estimator in (ParametricUMAP(), SemiSupervisedClassifier()):
        html = estimator._repr_html_()
        for name in estimator.get_params():
            assert f"{name}: " in html, name  # the tooltip begins with the name and the type


def test_an_unknown_parameter_is_answered_with_the_one_that_was_meant():
    from pumap import ParametricUMAP, SemiSupervisedClassifier

    with pytest.raises(TypeError, match=r"^ParametricUMAP has no parameter 'n_neighbours'\. Did you mean 'n_neighbors'\?$"):
        ParametricUMAP(n_neighbours=3)
    with pytest.raises(TypeError, match=r"^SemiSupervisedClassifier has no parameter 'labelled_batch_size'\. Did you mean 'labeled_batch_size'\?$"):
        SemiSupervisedClassifier(labelled_batch_size=3)


TYPED = """
from pumap import ParametricUMAP

reveal_type(ParametricUMAP)
model = ParametricUMAP(n_components=2, n_neighbors=5)
reveal_type(model.fit)
ParametricUMAP(n_neighbours=3)
ParametricUMAP(n_neighbors="many")
"""


@pytest.mark.slow
def test_editors_see_types(tmp_path):
    "mypy finds the class behind the lazy import, and a wrong name or type of a parameter."
    (tmp_path / "user.py").write_text(TYPED)
    # without site packages: types of NumPy and Keras are not asked for, and take ten times as long as pumap
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--ignore-missing-imports", "--no-site-packages", "--cache-dir", str(tmp_path / "cache"), str(tmp_path / "user.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"MYPYPATH": str(ROOT), "PATH": ""}, timeout=600)
    lines = {}
    for line in done.stdout.splitlines():
        if line.startswith(str(tmp_path)):
            lines[line.split(":")[1]] = lines.get(line.split(":")[1], "") + line
    assert "parametric_umap.ParametricUMAP" in lines["4"], done.stdout
    assert 'Revealed type is "def (n_components: int' in lines["4"] and 'Unexpected keyword argument "n_neighbours"' in lines["7"] and "arg-type" in lines["8"], done.stdout
