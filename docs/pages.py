"""Prepare the pages of the site in `_pages/source`: notebooks with outputs, hand-written pages, and the reference.

A notebook is shown with the outputs of its executed copy in `figures/laptop`, if there is one. All others are executed here, and kept
in `_pages/executed` until their code or the library changes. `--only NAME ...` executes these and leaves the rest without outputs.
"""

import argparse
import ast
import copy
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / ".ci"), str(ROOT / "docs")]
PAGES = ROOT / "_pages"
SOURCE, STATIC, EXECUTED = PAGES / "source", PAGES / "static", PAGES / "executed"
LAPTOP = ROOT / "figures" / "laptop"
MAP = LAPTOP / "map_mnist.html"
REPOSITORY = "https://github.com/pumap/pumap"
START = ("quickstart", "moving_from_umap_learn")  # tutorials that stand under Get started
PICTURES = (".png", ".svg", ".jpg", ".gif")

LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
OUTPUT_LINK = re.compile(r"(\]\((?![a-z]+:)[^)\s#]+)\.ipynb")  # Sphinx resolves links in text, but not in outputs
CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]*`)", re.M | re.S)  # links are not looked for in it
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)\n```$", re.M | re.S)
LISTING = re.compile(r"^<!-- (list|gallery)(?: ([^:\n]*))?: (.*?) -->$", re.M)
TITLE = re.compile(r"# (.+?)\n\n> (.+?)(?:\n\n|\n?\Z)(.*)", re.S)


@dataclass
class Page:
    "A page: its file in the repository, which links are relative to, its name in the site, and its cells."

    path: Path
    name: str
    notebook: dict
    copy: Path | None = None  # the executed copy in figures/laptop
    picture: Path | None = None
    title: str = ""
    summary: str = ""
    written: set = field(default_factory=set)

    @property
    def file(self):
        "Its file in `_pages/source`."
        return SOURCE / f"{self.name}.ipynb"

    @property
    def section(self):
        return self.name.partition("/")[0]


# Which pages there are


def cell(kind, source):
    return {"cell_type": kind, "metadata": {}, "source": source} | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def from_text(text):
    "A notebook of a Markdown page, whose {code-cell} blocks are its code."
    parts = CELL.split(text)
    cells = [cell("code" if i % 2 else "markdown", part.strip("\n")) for i, part in enumerate(parts) if part.strip()]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def from_file(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for part in notebook["cells"]:
        part["source"] = "".join(part["source"])
    return notebook


def name_of(path):
    "The name of a notebook's page in the site."
    folder = path.parent.name
    if folder == "nbs":
        return f"library/{path.stem}"
    return f"{'start' if path.stem in START else folder}/{path.stem}"


def executed_copy(path):
    "The executed copy of a notebook in figures/laptop, or None."
    copied = LAPTOP / f"{'benchmark_' if path.parent.name == 'benchmarks' else ''}{path.name}"
    return copied if path.parent.name in ("paper", "benchmarks") and copied.exists() else None


def with_outputs(notebook, executed):
    "The cells of a notebook with the outputs of its executed copy, or the copy, if its code has other cells."
    is_code = lambda part: part["cell_type"] == "code"
    injected = lambda part: "injected-parameters" in part["metadata"].get("tags", ())
    done = [part for part in executed["cells"] if is_code(part)]
    if len([part for part in done if not injected(part)]) != len([part for part in notebook["cells"] if is_code(part)]):
        return executed
    cells, done = [], iter(done)
    for part in notebook["cells"]:
        if is_code(part):
            there = next(done)
            if injected(there):
                cells.append(there)
                there = next(done)
            part = part | {"outputs": there["outputs"]}
        cells.append(part)
    return notebook | {"cells": cells}


def notebook_page(path):
    "The page of a notebook, with the outputs of its executed copy, if there is one."
    page = Page(path, name_of(path), from_file(path), executed_copy(path))
    if page.copy:
        page.notebook = with_outputs(page.notebook, from_file(page.copy))
        picture = page.copy.with_suffix(".png")
        page.picture = picture if picture.exists() and path.parent.name == "paper" else None
    found = TITLE.match(page.notebook["cells"][0]["source"])
    page.title, page.summary = found[1], " ".join(found[2].replace("\n> ", " ").split())
    return page


def scorecard_pages():
    "The scorecard, and apart from it the errors in the paper."
    path = LAPTOP / "scorecard.md"
    text = path.read_text(encoding="utf-8")
    errata = re.search(r"^## (Errors in the paper\n.*?)(?=^## |\Z)", text, re.M | re.S)
    card = text.partition("\n")[2].replace(errata[0], "")
    for name, title, summary, body in (
        ("scorecard", "Scorecard", "Every claim and number of the paper next to ours, with the rule that compares them.", card),
        ("errata", "Errata", "Errors in the paper, its tables and its code, with their evidence.", errata[1].partition("\n")[2]),
    ):
        body = re.sub(r"^(?=\| id \|)", "{.wide}\n", body, flags=re.M)
        yield Page(path, f"paper/{name}", from_text(f"# {title} of the paper\n\n> {summary}\n\n{body}"), title=title, summary=summary)


def written_page(path):
    "A hand-written page of docs/."
    text = path.read_text(encoding="utf-8")
    found = re.match(r"# (.+?)\n\n(.+?)\n\n", text, re.S)
    return Page(path, path.relative_to(ROOT / "docs").with_suffix("").as_posix(), from_text(text), title=found[1], summary=" ".join(found[2].split()))


def all_pages():
    notebooks = [p for p in sorted((ROOT / "nbs").rglob("*.ipynb")) if not {"_text", ".ipynb_checkpoints"} & set(p.parts)]
    pages = [notebook_page(path) for path in notebooks if path.name != "index.ipynb"]
    pages += [written_page(path) for path in sorted((ROOT / "docs").rglob("*.md"))]
    return [*pages, *scorecard_pages()]


# Outputs


def library_hash():
    files = [p for p in sorted((ROOT / "pumap").rglob("*.py")) if p.name != "_modidx.py"]
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()


def code_of(notebook):
    return [part["source"] for part in notebook["cells"] if part["cell_type"] == "code"]


def execute(pages, only):
    "Give pages without an executed copy their outputs, from the cache or by running them."
    library, folder = library_hash(), tempfile.mkdtemp()
    for page in pages:
        if page.copy or not code_of(page.notebook):
            continue
        key = hashlib.sha256((library + json.dumps(code_of(page.notebook))).encode()).hexdigest()[:16]
        stem = page.name.replace("/", "-")
        kept = EXECUTED / f"{stem}.{key}.ipynb"
        if not kept.exists():
            if only and page.path.stem not in only:
                continue
            print(f"executing {page.path.relative_to(ROOT).as_posix()}", flush=True)
            EXECUTED.mkdir(parents=True, exist_ok=True)
            for old in EXECUTED.glob(f"{stem}.*.ipynb"):
                old.unlink()
            write(kept, json.dumps(run(page, folder)))
        page.notebook = with_outputs(page.notebook, from_file(kept))
    shutil.rmtree(folder, ignore_errors=True)


def run(page, results):
    from execnb.nbio import dict2nb
    from notebooks import NotebookFailed, run_notebook

    try:
        done = run_notebook(dict2nb(copy.deepcopy(page.notebook)), page.path, results_dir=results)
    except NotebookFailed as error:
        sys.exit(str(error))
    cells = [{key: part[key] for key in ("cell_type", "metadata", "source", "outputs") if key in part} for part in done.cells]
    return page.notebook | {"cells": [part | ({"execution_count": None} if part["cell_type"] == "code" else {}) for part in cells]}


# What is shown of a notebook


def is_import_only(source):
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic
        return False
    return bool(body) and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body)


def shown_code(part, page):
    "A code cell as the site shows it, or None: without directives, warnings, and in the library without imports."
    if re.search(r"^#\|\s*(hide\s*$|default_exp)", part["source"], re.M):
        return None
    source = re.sub(r"^#\|.*\n?", "", part["source"], flags=re.M).strip("\n")
    outputs = [output for output in part["outputs"] if output.get("name") != "stderr"]
    in_library = re.match(r"\d\d_", page.path.stem)
    if not source or (in_library and not outputs and is_import_only(source)):
        return None
    for output in outputs:
        output.pop("execution_count", None)
        if output["output_type"] == "execute_result":
            output["execution_count"] = None
    return cell("code", source) | {"outputs": outputs}


def facts(page):
    "The lines below the title of a notebook: where it is, and how to run it."
    path = page.path.relative_to(ROOT).as_posix()
    if page.path.suffix != ".ipynb":
        return ""
    line = f"Notebook: [{path}]({REPOSITORY}/blob/main/{path})"
    if page.copy:
        line += f". Outputs: [executed copy]({REPOSITORY}/blob/main/{page.copy.relative_to(ROOT).as_posix()})"
    command = re.match(r"(fig\d\d|table\d\d)_", page.path.stem)
    if command and page.copy:
        option = " --stand-ins" if '"stand_ins = True' in page.copy.read_text(encoding="utf-8") else ""
        line += f". Run it: `pumap run {command[1].replace('table0', 'table')} --profile laptop{option}`"
    elif page.path.parent.name == "tutorials":
        line += f". [Run it in the browser](https://mybinder.org/v2/gh/pumap/pumap/main?labpath={path.replace('/', '%2F')})"
    return f"{{.facts}}\n{line}\n\n"


def shown(page):
    "The cells of a page."
    cells = []
    for i, part in enumerate(page.notebook["cells"]):
        source = part["source"]
        if part["cell_type"] == "code":
            part = shown_code(part, page)
        elif i == 0 and (found := TITLE.match(source)):
            picture = f"![{page.title}]({os.path.relpath(page.picture, page.path.parent)})\n\n" if page.picture else ""
            part = cell("markdown", f"# {found[1]}\n\n> {found[2]}\n\n{facts(page)}{picture}{found[3]}")
        if part:
            cells.append(part)
    return cells


# Links and lists


class Links:
    "Links of a page: to other pages, to copied pictures, and else to the repository."

    def __init__(self, pages):
        self.pages = {}
        for page in pages:
            self.pages.setdefault(page.path, page)
            if page.copy:
                self.pages[page.copy] = page
        self.pages[ROOT / "nbs" / "index.ipynb"] = self.pages[ROOT / "README.md"] = self.pages[ROOT / "docs" / "index.md"]
        self.dead = []

    def target(self, link, page):
        if re.match(r"[a-z]+:|/", link):
            return link
        path = Path(os.path.normpath(page.path.parent / link))
        if path.suffix == ".rst":  # a page of the reference
            return os.path.relpath(SOURCE / path.relative_to(ROOT / "docs"), page.file.parent)
        if path in self.pages:
            return os.path.relpath(self.pages[path].file, page.file.parent)
        if not path.exists() or not path.is_relative_to(ROOT):
            self.dead.append(f"{page.path.relative_to(ROOT)}: {link}")
            return link
        inside = path.relative_to(ROOT).as_posix()
        if path.suffix not in PICTURES:
            return f"{REPOSITORY}/{'tree' if path.is_dir() else 'blob'}/main/{inside}"
        copied = SOURCE / inside
        if not copied.exists() or copied.read_bytes() != path.read_bytes():
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
        page.written.add(copied)
        return os.path.relpath(copied, page.file.parent)

    def rewritten(self, text, page):
        parts = CODE.split(text)
        parts[::2] = [LINK.sub(lambda m: m[1] + self.target(m[2], page) + m[3], part) for part in parts[::2]]
        return "".join(parts)


def small(path, width):
    "A copy of a picture for cards, at most `width` pixels wide, among the static files."
    target = STATIC / f"{path.stem}_{width}.png"
    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image = image.convert("RGB")
            image.thumbnail((width, 4 * width))
            image.quantize(128).save(target, optimize=True)
    return target


def up(page):
    "The way from a page to the root of the site."
    return "../" * page.name.count("/")


def plain(text):
    "A summary without Markdown, escaped for HTML."
    return re.sub(r"[`*]|\]\([^)]*\)|\[", "", text).replace("&", "&amp;").replace("<", "&lt;")


def card(page, here):
    picture = f'<img src="{up(here)}_static/{small(page.picture, 480).name}" alt="{plain(page.title)}" loading="lazy">' if page.picture else ""
    address = os.path.relpath(page.name, Path(here.name).parent)
    return f'<a class="pumap-card" href="{address}.html">{picture}<strong>{plain(page.title)}</strong><span>{plain(page.summary)}</span></a>'


def listing(match, here, pages):
    "Lists pages whose names match the patterns, in the order of these, and puts them in the navigation."
    kind, caption, patterns = match.groups()
    found = {page.name: page for pattern in patterns.split() for page in pages if fnmatch(page.name, pattern) and page is not here}
    if not found:
        return ""
    if kind == "gallery":
        body = "```{raw} html\n" + '<div class="pumap-cards">\n' + "\n".join(card(page, here) for page in found.values()) + "\n</div>\n```"
    else:
        link = lambda page: os.path.relpath(page.file, here.file.parent)
        body = "\n".join(f"- [{page.title}]({link(page)}): {page.summary}" for page in found.values())
    mine = [page.name for page in found.values() if page.section == here.section]
    option = f":caption: {caption}\n" if caption else ""
    tree = f"```{{toctree}}\n:hidden:\n{option}\n" + "\n".join(f"/{name}" for name in mine) + "\n```" if mine else ""
    return f"{body}\n\n{tree}"


SECTIONS = ("start", "tutorials", "library", "paper", "benchmarks")


def home_cards(here, pages):
    "A card for each section."
    found = {page.name: page for page in pages}
    reference = Page(here.path, "reference/index", {}, title="Reference", summary="Parameters, attributes and methods of every public class and function.")
    shown = [found[f"{name}/index"] for name in SECTIONS[:-1]] + [reference, found["benchmarks/index"]]
    return "```{raw} html\n" + '<div class="pumap-cards">\n' + "\n".join(card(page, here) for page in shown) + "\n</div>\n```"


def home_picture():
    "The map that can be touched, if it has been made; else Figure 4."
    if MAP.exists():
        STATIC.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MAP, STATIC / MAP.name)
        return f'```{{raw}} html\n<iframe class="pumap-map" src="_static/{MAP.name}" title="A map of MNIST" loading="lazy"></iframe>\n```'
    picture = small(LAPTOP / "fig04_projections.png", 1400)
    return f'```{{raw}} html\n<a href="paper/fig04_projections.html"><img class="pumap-wide" src="_static/{picture.name}" alt="Seven data sets, each embedded by ten methods"></a>\n```'


# Writing


def write(path, text):
    "Write a file if it changes, so that Sphinx reads only what is new."
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_page(page, pages, links):
    cells = shown(page)
    for part in cells:
        if part["cell_type"] == "markdown":
            text = links.rewritten(part["source"], page)
            text = LISTING.sub(lambda match: listing(match, page, pages), text)
            if page.name == "index":
                text = text.replace("<!-- map -->", home_picture()).replace("<!-- cards -->", home_cards(page, pages))
            part["source"] = text
        for output in part.get("outputs", ()):
            if "text/markdown" in output.get("data", {}):
                text = links.rewritten("".join(output["data"]["text/markdown"]), page)
                output["data"]["text/markdown"] = OUTPUT_LINK.sub(r"\1.html", text)
    numbered = [part | {"id": f"cell-{i}"} for i, part in enumerate(cells)]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    write(page.file, json.dumps({"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1))
    page.written.add(page.file)


def main():
    from reference import reference_pages

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=os.environ.get("PUMAP_DOCS_ONLY", "").split(), help="notebooks to execute, by the stem of their file")
    only = parser.parse_args().only
    os.environ.setdefault("MPLBACKEND", "agg")
    pages = all_pages()
    execute(pages, only)
    links = Links(pages)
    for page in pages:
        write_page(page, pages, links)
    if links.dead:
        sys.exit("Links to files that are not there:\n" + "\n".join(links.dead))
    written = {path for page in pages for path in page.written}
    for name, text in reference_pages().items():
        write(SOURCE / name, text)
        written.add(SOURCE / name)
    for path in SOURCE.rglob("*"):
        if path.is_file() and path not in written:
            path.unlink()


if __name__ == "__main__":
    main()
