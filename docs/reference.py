"""The pages of the reference, from the names in `__all__` of each module."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN_PAGE = {  # classes that most readers look for -> the module to import them from
    "pumap.ParametricUMAP": "pumap.parametric_umap",
    "pumap.SemiSupervisedClassifier": "pumap.semisupervised",
    "pumap.umap_compat.ParametricUMAP": "pumap.umap_compat",
}
FIRST = ("graph", "losses", "networks", "metrics", "plots", "baselines", "fast_solver", "training", "backend", "core")
KERAS = ("build", "call", "get_config", "from_config")  # methods of a Keras layer, which Keras documents


def heading(text, line="="):
    return f"{text}\n{line * len(text)}\n\n"


def parsed(module):
    "The summary of a module, and its public functions and classes."
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
    public = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    defined = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return ast.get_docstring(tree).splitlines()[0], [defined[name] for name in public if name in defined]


def methods_of(node):
    found = [part.name for part in node.body if isinstance(part, ast.FunctionDef) and ast.get_docstring(part)]
    return [name for name in found if not name.startswith("_") and name not in KERAS]


def is_property(node, name):
    part = next(part for part in node.body if getattr(part, "name", "") == name)
    return any(isinstance(mark, ast.Name) and mark.id in ("property", "cached_property") for mark in part.decorator_list)


def documented(node, prefix="", indent=""):
    "The directives of the public methods and properties of a class."
    kinds = {name: "autoproperty" if is_property(node, name) else "automethod" for name in methods_of(node)}
    return "".join(f"{indent}.. {kind}:: {prefix}{name}\n\n" for name, kind in kinds.items())


def table(names):
    return ".. autosummary::\n\n" + "".join(f"   {name}\n" for name in names) + "\n"


def class_page(address, module):
    name = address.rpartition(".")[2]
    node = next(node for node in parsed(module)[1] if node.name == name)
    methods = methods_of(node)
    text = heading(name if address.count(".") == 1 else address.removeprefix("pumap."))
    text += f".. code-block:: python\n\n   from {address.rpartition('.')[0]} import {name}\n\n"
    text += f".. currentmodule:: {address.rpartition('.')[0]}\n\n.. autoclass:: {name}\n\n"
    text += ".. rubric:: Methods\n\n" + table(f"{name}.{method}" for method in methods)
    return text + documented(node, f"{name}.")


def module_page(module):
    summary, nodes = parsed(module)
    nodes = [node for node in nodes if module not in [home for address, home in OWN_PAGE.items() if address.endswith(f".{node.name}")]]
    text = heading(module) + f"{summary}\n\n.. currentmodule:: {module}\n\n" + table(node.name for node in nodes)
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            text += f".. autoclass:: {node.name}\n\n" + documented(node, indent="   ")
        else:
            text += f".. autofunction:: {node.name}\n\n"
    return text


def listed(names):
    "A list of pages with the first line of what they document."
    return "".join(f"* :doc:`{name} <{name}>`: {summary}\n" for name, summary in names) + "\n"


def reference_pages():
    "The files of the reference, as {name: text}."
    pages = {f"reference/{address}.rst": class_page(address, module) for address, module in OWN_PAGE.items()}
    modules = [f"pumap.{name}" for name in FIRST] + ["pumap.parametric_umap", "pumap.semisupervised", "pumap.umap_compat"]
    paper = [f"pumap.paper.{path.stem}" for path in sorted((ROOT / "pumap" / "paper").glob("[!_]*.py"))]
    missing = {path.stem for path in (ROOT / "pumap").glob("[!_]*.py")} - {name.rpartition(".")[2] for name in modules}
    modules += [f"pumap.{name}" for name in sorted(missing)]
    pages |= {f"reference/{module}.rst": module_page(module) for module in modules + paper}
    class_summary = lambda address, module: ast.get_docstring(next(n for n in parsed(module)[1] if n.name == address.rpartition(".")[2])).splitlines()[0]
    groups = {
        "Estimators": [(address, class_summary(address, module)) for address, module in OWN_PAGE.items()],
        "Modules of the library": [(module, parsed(module)[0]) for module in modules],
        "Modules of the paper": [(module, parsed(module)[0]) for module in paper],
    }
    text = heading("Reference") + "All public classes and functions, with their parameters. The notebooks under :doc:`/library/index` explain how they work.\n\n"
    for title, names in groups.items():
        text += heading(title, "-") + listed(names)
        text += f".. toctree::\n   :hidden:\n   :caption: {title}\n\n" + "".join(f"   {name}\n" for name, _ in names) + "\n"
    return pages | {"reference/index.rst": text}
