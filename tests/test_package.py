"""The sdist and the wheel: what is in them, what they say of themselves, and that they work without a clone."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes

import pytest
import yaml
from conftest import ROOT
from test_house import kept_files, settings

SETTINGS = settings()
DIGITS = ROOT / ".ci" / "digits.py"
PYTHONS = SETTINGS["pythons"].split()


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    "A folder with the sdist, built from a copy of what git keeps, and the wheel, built from the sdist."
    folder = tmp_path_factory.mktemp("package")
    for path in kept_files():
        copy = folder / "clone" / path.relative_to(ROOT)
        if path.stat().st_size < 2**20 and "records" not in copy.parts:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "clone")
    return folder


@pytest.fixture(scope="session")
def installed(dist):
    "The environment of a process that finds the wheel's pumap first, and no clone."
    target = dist / "installed"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, *dist.glob("*.whl"), cwd=dist)
    (dist / "elsewhere").mkdir()
    return os.environ | {"PYTHONPATH": str(target)}


def wheel_of(dist):
    (path,) = dist.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata_of(dist):
    with wheel_of(dist) as wheel:
        return message_from_bytes(wheel.read(next(name for name in wheel.namelist() if name.endswith("METADATA"))))


def test_the_wheel_holds_the_package_and_nothing_else(dist):
    with wheel_of(dist) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
        points = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("entry_points.txt"))
    kept = {p.relative_to(ROOT).as_posix() for p in kept_files()}
    assert inside == {name for name in kept if name.startswith("pumap/")} - {"pumap/_modidx.py"}
    assert points.split("\n\n")[0].split() == ["[console_scripts]", "pumap", "=", "pumap:main"]


def test_the_sdist_holds_what_builds_it(dist):
    with tarfile.open(*dist.glob("*.tar.gz")) as sdist:
        inside = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    others = {name for name in inside if not name.startswith(("pumap/", "pumap.egg-info/"))}
    made = {"PKG-INFO", "setup.cfg"}
    assert others == made | {"settings.ini", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"}
    with wheel_of(dist) as wheel:
        assert {name for name in inside if name.startswith("pumap/")} == {name for name in wheel.namelist() if name.startswith("pumap/")}


def test_metadata(dist):
    said = metadata_of(dist)
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("pumap", SETTINGS["version"], "BSD-3-Clause")
    assert said["Requires-Python"] == ">=" + PYTHONS[0] and said["Keywords"].split(",") == SETTINGS["keywords"].split()
    classifiers = said.get_all("Classifier")
    assert [c.rpartition(" ")[2] for c in classifiers if re.search(r"Python :: 3\.", c)] == PYTHONS
    assert not [c for c in classifiers if c.startswith("License ::")]  # PyPI refuses them next to a license expression
    urls = dict(line.split(", ", 1) for line in said.get_all("Project-URL"))
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= set(urls) and urls["Repository"] == SETTINGS["git_url"]
    extras = {key.removesuffix("_requirements") for key in SETTINGS if key.endswith("_requirements")}
    assert set(said.get_all("Provides-Extra")) == extras
    needed = {re.match(r"[\w-]+", line)[0] for line in said.get_all("Requires-Dist") if "extra ==" not in line}
    assert needed == {re.match(r"[\w-]+", line)[0] for line in SETTINGS["requirements"].split()}
    assert said.get_payload().lstrip().startswith("<!-- Made from nbs/index.ipynb") and "# pumap" in said.get_payload()


def test_twine_accepts_both(dist):
    told = run(sys.executable, "-m", "twine", "check", "--strict", *dist.glob("pumap-*"))
    assert told.count("PASSED") == 2


def test_digits_with_the_wheel(dist, installed):
    "In another folder, and from the wheel: fit, embed new rows, save, load."
    told = run(sys.executable, DIGITS, "--epochs", "1", cwd=dist / "elsewhere", env=installed)
    assert f"pumap {SETTINGS['version']} in {dist / 'installed' / 'pumap'}," in told


def test_the_command_without_a_clone(dist, installed):
    "It tells its version and about data; the paper needs a clone, which is one line, before anything is written."
    command, elsewhere = dist / "installed" / "bin" / "pumap", dist / "elsewhere"
    call = lambda *arguments: subprocess.run([sys.executable, command, *arguments], capture_output=True, text=True, cwd=elsewhere, env=installed)
    assert call("--version").stdout == SETTINGS["version"] + "\n"
    assert call("data", "digits").returncode == 0
    for arguments in (["run", "fig05"], ["run", "fig05", "--results", "r"], ["list"], ["report", "--results", "r"]):
        done = call(*arguments)
        assert done.returncode == 1 and not done.stdout and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("error: ") and f"in a clone of {SETTINGS['git_url']}." in done.stderr
    assert not list(elsewhere.glob("r*"))


def test_the_version_needs_no_extra():
    code = "import sys; sys.modules['typer'] = sys.modules['rich'] = sys.modules['keras'] = None; import pumap; pumap.main()"
    assert run(sys.executable, "-c", code, "--version", cwd=ROOT) == SETTINGS["version"] + "\n"
    assert run(sys.executable, "-c", "from pumap.paper.cli import main; main()", "--version", cwd=ROOT) == SETTINGS["version"] + "\n"


# what is around the packages


YAML = [p for p in kept_files() if p.suffix in (".yml", ".yaml", ".cff")]


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_yaml_is_valid(path):
    text = path.read_text(encoding="utf-8")
    value = yaml.load(text.replace("!!python", "python"), Loader=yaml.BaseLoader)
    assert isinstance(value, dict) and value
    if path.parent.name == "workflows":
        assert {"name", "on", "permissions", "jobs"} <= set(value)
        for job in value["jobs"].values():
            assert {"runs-on", "steps", "timeout-minutes"} <= set(job) and set(job.get("needs", "").split()) <= set(value["jobs"])
            assert all(re.search(r"@[\w./]+$", step["uses"]) for step in job["steps"] if "uses" in step)
    if path.parent.name == "ISSUE_TEMPLATE" and path.stem != "config":
        assert {"name", "description", "body"} <= set(value)
        assert all({"type", "attributes"} <= set(field) and "label" in field["attributes"] for field in value["body"])


def test_each_python_is_tested_on_linux_and_macos():
    workflow = lambda name: yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))["jobs"]
    for matrix in (workflow("test")["test"]["strategy"]["matrix"], workflow("release")["try"]["strategy"]["matrix"]):
        assert matrix["python"] == PYTHONS and matrix["os"] == ["ubuntu-latest", "macos-latest"]
    publish = workflow("release")["publish"]
    assert publish["permissions"] == {"id-token": "write"} and publish["environment"]["name"] == "pypi"


def test_make_accepts_these_pythons_and_no_others():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^FITS := (.*?[^\\])\n", makefile, re.M | re.S)[1].replace("\\\n\t", "")
    fits = lambda version: subprocess.run([sys.executable, "-c", f"import sys; sys.version_info = {version}; {check}"]).returncode == 0
    first, last = ([int(number) for number in PYTHONS[at].split(".")] for at in (0, -1))
    assert [fits((3, minor)) for minor in range(first[1] - 1, last[1] + 2)] == [False] + [True] * len(PYTHONS) + [False]
    assert set(PYTHONS) == set(re.findall(r"python(3\.\d+)", re.search(r"else set -- (.*?);", makefile)[1]))


def test_environments_name_extras_that_exist():
    extras = {key.removesuffix("_requirements") for key in SETTINGS if key.endswith("_requirements")}
    for name in ("environment.yml", ".binder/requirements.txt"):
        named = re.findall(r"\.\[([\w,-]+)\]", (ROOT / name).read_text(encoding="utf-8"))
        assert named and set(",".join(named).split(",")) <= extras
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"].startswith("make .venv/.dev ")
    assert "labpath=nbs%2Ftutorials%2Fquickstart.ipynb" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "nbs/tutorials/quickstart.ipynb").exists()
