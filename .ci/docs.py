"""Hooks of `make docs`: figures and executed notebooks, which stand outside nbs/, find their way into the site."""

import re
import shutil
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
OUTWARD = re.compile(r'((?:src|href)=")((?:\.\./)+)([^"#?]+)')  # ../figures/x.png
NOTEBOOK = re.compile(r'(href="(?![a-z]+:|/)[^"]*?)\.ipynb((?:#[^"]*)?")')


@event_priority(100)  # before mkdocs-jupyter looks at the files
def on_files(files, config):
    "Of the paper's notebooks the executed copies are shown."
    for file in list(files):
        executed = ROOT / "figures/laptop" / Path(file.src_uri).name
        if file.src_uri.startswith("paper/") and file.src_uri.endswith(".ipynb") and executed.exists():
            files.remove(file)
            files.append(File.generated(config, file.src_uri, abs_src_path=str(executed)))
    return files


def on_post_page(output, page, config):
    "Links to other notebooks, and out of nbs/ to figures and files of the repository, as they must be in the site."
    depth = page.file.src_uri.count("/")

    def outward(match):
        attribute, up, name = match.groups()
        source, target = ROOT / name, Path(config.site_dir) / name
        if up.count("../") != depth + 1 or not source.exists():
            return match[0]
        if not name.startswith("figures/") or source.is_dir():
            return f"{attribute}{config.repo_url}/blob/main/{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        return f"{attribute}{'../' * depth}{name}"

    return NOTEBOOK.sub(r"\1.html\2", OUTWARD.sub(outward, output))
