# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: nbs///ipynb,nbs/_text///py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Command line
#
# > `pumap list`, `pumap run`, `pumap report`, `pumap data`: the paper from a terminal.
#
# The command needs a clone: `make figures` installs it into `.venv/bin`, or `pip install -e '.[paper,tensorflow]'` into an environment of your own.
#
# | command | what it does |
# |---|---|
# | `pumap list` | lists all figures and tables, and their state in each profile |
# | `pumap run fig05 table3 --profile laptop` | makes the missing runs, then draws; finished runs are reused |
# | `pumap run all --results DIR` | starts from scratch in DIR |
# | `pumap run ... --stand-ins` | takes other data of the same kind in place of CIFAR10, songs, retina and faces |
# | `pumap run ... --only-there` | draws what is there and makes no run |
# | `pumap run ... --renew` | also repeats runs with earlier settings, which are reused and marked with † otherwise |
# | `pumap run ... --dry-run` | shows the plan |
# | `pumap report --profile laptop` | compares every number and claim with the paper's ([03_scorecard](03_scorecard.ipynb), [state](state.ipynb)) |
# | `pumap data` | lists where each data set comes from; `pumap data NAME` fetches it |
#
# **Profiles** set the size ([02_experiments](02_experiments.ipynb)). `figures/laptop` holds pictures, tables, executed notebooks and a record of each run; a clone reuses those of MNIST, Fashion-MNIST, the bison and the moons.
#
# **Data.** `PUMAP_DATA=DIR` (or `--data DIR`) is searched first; then the user's cache, Debian's package `dataset-fashion-mnist`, and the canonical addresses. Files are checked against their sha256 where there is one (own songs and the faces have none).
# MNIST, Fashion-MNIST, the bison, CIFAR10 and the retina are downloaded. The songs were never published and the faces must be requested: without them these cells are left out, with a warning. `pumap data cassins` shows which file belongs where.
# The stand-ins were packed for this project and are published nowhere in this form. They appear under their own names in each record, picture and table.
#
# **GPU.** `pip install -e '.[paper,tensorflow-gpu]'` installs TensorFlow with CUDA, `'.[paper,jax-gpu]'` JAX. `pumap run all --profile paper` then runs the original sizes. No GPU has run this profile so far ([state](state.ipynb)).
#
# **Cluster.** Arguments after `--` go to Snakemake, which runs the cells. For SLURM, set the partitions in [profiles/slurm](profiles/slurm/config.yaml), then run `pip install -e '.[paper,tensorflow-gpu,slurm]'` and
# `pumap run all --profile paper -- --workflow-profile slurm`. Each cell and each figure is a job with limits on memory and time. Another `--dry-run` at the end shows the jobs and sends none. Snakemake's other executors work the same way.

# %%
#| default_exp paper.cli

# %%
#| hide
import subprocess
import tempfile

# %%
#| export
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pumap import __version__
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc

# %%
#| export
try:
    import typer
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Table
except ImportError as error:
    raise ImportError(f"The `pumap` command needs {error.name}. {ex.CLONE}") from None

# %% [markdown]
# The commands contain nothing about experiments; they call `pumap.paper.experiments`. Results go to standard output, warnings and errors to standard error, one line each.

# %%
#| export
app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)

ProfileOption = Annotated[str, typer.Option("--profile", "-p", help="smoke, quick, laptop or paper.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="Folder with data sets; also the environment variable PUMAP_DATA.")]
ResultsOption = Annotated[Path | None, typer.Option("--results", help="Where records and figures are kept; figures/<profile> if not given.")]


def print_version(asked: bool):
    "Print the version and exit, if asked to."
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")] = False):
    "Parametric UMAP: a paper you can run."


def say(text: str, error: bool = False):
    """Print one line, at once.

    Parameters
    ----------
    text : str
        The line.
    error : bool
        Whether it goes to standard error.
    """
    print(" ".join(str(text).split()) if error else text, file=sys.stderr if error else sys.stdout, flush=True)


def print_json(value):
    "Print a value for programs."
    print(json.dumps(value, indent=1))


def folder_of(profile: str, results: Path | None) -> Path:
    """Return the results folder of a command.

    Parameters
    ----------
    profile : str
        Name of a profile.
    results : Path or None
        What the user gave.

    Returns
    -------
    Path
        Absolute; FileNotFoundError if there is no clone, before anything is fetched or written.
    """
    ex.root()
    return Path(results).expanduser().resolve() if results else ex.figures_dir(profile)


def check_data(folder: Path | None):
    "Raise ValueError if a data folder was given and does not exist."
    if folder is not None and not folder.is_dir():
        raise ValueError(f"The data folder {folder} does not exist; give an existing one with --data.")


# %% [markdown]
# ## list
#
# What there is, and how far each profile has come. A figure needs cells, each of which is done or not, and it is drawn or not. Figures that compute what they show need no cells. A cell is done whether its record is of the original data or of a stand-in:
# the scorecard takes both. Each record is read once.

# %%
#| export
def looks_of(run: ex.Run, cells) -> tuple:
    """Read the records of cells, each once.

    Parameters
    ----------
    run : Run
        Where they are.
    cells : iterable of Cell or SSLCell
        Repeats allowed.

    Returns
    -------
    states : dict
        Cell -> state.
    digests : dict
        Cell id -> checksum of the record.
    """
    kept = {cell: run.look(cell) for cell in dict.fromkeys(cells)}
    return {cell: found.state for cell, found in kept.items()}, {cell.id: found.digest for cell, found in kept.items()}


def states_of(run: ex.Run) -> dict:
    """Return how much of each figure is there.

    Parameters
    ----------
    run : Run
        A profile and its results.

    Returns
    -------
    dict
        Figure id -> done, earlier (records with earlier settings), total, drawn, and all in a word (`state`).
    """
    states, digests = looks_of(run, (cell for f in ex.FIGURES for cell in ex.cells_for(f, run.profile)))
    drawn, found = {f.notebook: ex.is_drawn(f.notebook, run, digests) for f in ex.FIGURES.values()}, {}
    for f in ex.FIGURES.values():
        cells = ex.cells_for(f.id, run.profile)
        done, earlier = (sum(states[cell] == state for cell in cells) for state in ("done", "earlier"))
        shown = drawn[f.notebook]
        word = "drawn" if shown and (done or earlier or not cells) else "begun" if 0 < done < len(cells) else "run" if done else "not run"
        found[f.id] = {"state": word, "done": done, "earlier": earlier, "total": len(cells), "drawn": shown}
    return found


# %%
#| export
@app.command("list")
def list_figures(as_json: JsonOption = False, results: ResultsOption = None) -> int:
    "Every figure and table: its notebook, the cells it needs, its state in each profile."
    states = {name: states_of(ex.Run(p, folder_of(name, results), stand_ins=None)) for name, p in ex.PROFILES.items()}
    rows = []
    for f in ex.FIGURES.values():
        cells = {name: [cell.id for cell in ex.cells_for(f.id, p)] for name, p in ex.PROFILES.items()}
        rows.append({"id": f.id, "title": f.title, "notebook": f"nbs/paper/{f.notebook}.ipynb", "cells": cells, "state": {name: found[f.id] for name, found in states.items()}})
    if as_json:
        print_json(rows)
        return 0
    table = Table("id", "title", *ex.PROFILES, caption="cells done / cells needed; +N = with earlier settings; * = drawn; to draw: pumap run ID --profile NAME")
    for row in rows:
        shown = (f"{s['done']}{'+' + str(s['earlier']) if s['earlier'] else ''}/{s['total']}{' *' if s['drawn'] else ''}" for s in row["state"].values())
        table.add_row(row["id"], row["title"], *shown)
    Console().print(table)
    return 0


# %% [markdown]
# ## data
#
# Where each data set comes from and whether it is here. A name on the command line is fetched.

# %%
#| export
@app.command("data")
def data_sets(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets to fetch if they are not here; none tells about all and fetches nothing.")] = None,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> int:
    "Where each data set comes from, whether it is here, its checksum; fetches those that are named."
    from pumap.paper import datasets

    check_data(data)
    known = datasets.names()
    for name in names or ():
        if name not in known:
            raise ex.unknown("data set", name, known)
    rows = []
    for name in names or known:
        row = datasets.describe(name, data)
        if names and not row["here"] and not row["problem"]:
            datasets.load(name, data)
            row = datasets.describe(name, data)
        rows.append(row)
    if as_json:
        print_json([dict(row, path=str(row["path"]) if row["path"] else None, shape=list(row["shape"])) for row in rows])
    else:
        for row in rows:
            place = row["problem"] or (f"here: {row['path'] or row['source']}" if row["here"] else f"not here; {row['why_not'] or 'from ' + row['url']}")
            count = " + ".join(f"{n:,}" for n in row["rows"].values())
            stands = f" (can stand in for {row['stand_in_for']})" if row["stand_in_for"] else ""
            say(f"{row['name']:12} {row['title']:17} {count:24} sha256 {(row['sha256'] or 'unknown')[:12]:12}  {place}{stands}")
    return 1 if names and any(row["problem"] for row in rows) else 0


# %% [markdown]
# ## report
#
# What has been measured, compared with the paper's numbers: tables on the terminal, and the whole scorecard in three files, for programs, for readers and for a browser.

# %%
#| export
def report_table(card: dict, number: int) -> Table:
    """Return what was measured of one table, for people.

    Parameters
    ----------
    card : dict
        From `scorecard`.
    number : int
        Which table of the paper.

    Returns
    -------
    Table
        It fits 80 columns. A star marks numbers from stand-in data.
    """
    rows = [row for row in card["cells"] if row["table"] == number and row["ours"] is not None]
    place = "labels" if number == 8 else "dim"
    sources = dict.fromkeys(row["source"] for row in rows if row["stand_in_for"])
    title, caption = f"Table {number}: {rows[0]['metric']}, profile {card['profile']}", "\n".join(f"* {source}" for source in sources) or None
    shown = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=0, title_justify="left", caption_justify="left")
    for column in ("data set", place, "method", "paper", "ours", "sd", "rows", "seeds", "within"):
        shown.add_column(column, no_wrap=True)
    for row in rows:
        values = [sc.scorecard_text(row[key], no="NO") for key in ("dataset", place, "method", "paper", "ours", "sd", "n", "seeds", "within")]
        shown.add_row(values[0] + "*" * bool(row["stand_in_for"]), *values[1:])
    return shown


# %%
#| export
@app.command()
def report(profile: ProfileOption = "quick", as_json: JsonOption = False, results: ResultsOption = None) -> int:
    "The scorecard: each number of tables 2 to 8 beside ours, and each claim of the paper. Also written to scorecard.json, scorecard.md and scorecard.html."
    from pumap.core import write_atomic

    ex.profile(profile)
    folder = folder_of(profile, results)
    card = sc.scorecard(sc.scorecard_run(profile, folder))
    write_atomic(folder / "scorecard.json", (json.dumps(card, indent=1) + "\n").encode())
    write_atomic(folder / "scorecard.md", sc.scorecard_markdown(card).encode())
    write_atomic(folder / "scorecard.html", sc.scorecard_html(card, sc.pictures_of(folder)).encode())
    if as_json:
        print_json(card)
        return 0
    console = Console()
    for number in sorted({row["table"] for row in card["cells"] if row["ours"] is not None}):
        console.print(report_table(card, number))
    for claim in card["claims"]:
        if claim["holds"] is not None:
            console.print(f"{claim['id']} {'holds' if claim['holds'] else 'DOES NOT HOLD'}: {claim['text']} ({claim['evidence']})", highlight=False)
    if card["skill"]["overall"]:
        console.print(sc.skill_text(card["skill"]), highlight=False)
    open_claims = sum(claim["holds"] is None for claim in card["claims"])
    measured = sum(row["ours"] is not None for row in card["cells"])
    console.print(f"{measured} of {len(card['cells'])} numbers measured, {open_claims} claims not measured, {len(card['errata'])} errors of the paper known: {ex.portable(folder)}/scorecard.md and .html", highlight=False)
    return 0


# %% [markdown]
# ## run
#
# `run` first makes a plan: the state of each cell, and which figures are up to date. Every later step reads this plan; nothing is decided twice.
# Data sets are fetched, unusable records set aside, and the jobs of the plan handed to Snakemake. It runs cells in parallel, then the notebooks of the figures.

# %%
#| export
@dataclass(frozen=True)
class Plan:
    """What a run has to do.

    Attributes
    ----------
    run : Run
        Profile, results and data.
    figures : tuple of Figure
        The figures asked for.
    states : dict
        Cell -> "done", "missing", "earlier", "stale" or "damaged".
    drawn : tuple of str
        Notebooks whose executed copies are up to date.
    run_missing : bool
        Whether cells are run; otherwise figures are drawn from the records that are there.
    renew : bool
        Whether cells with earlier settings are run again.
    without : dict
        Data set -> why it cannot be had.
    """

    run: ex.Run
    figures: tuple
    states: dict
    drawn: tuple
    run_missing: bool = True
    renew: bool = False
    without: dict = field(default_factory=dict)

    @property
    def todo(self) -> list:
        "Cells to run."
        there = ("done",) if self.renew else ("done", "earlier")
        return [cell for cell, state in self.states.items() if state not in there and cell.dataset not in self.without]

    @property
    def draw(self) -> list:
        "Notebooks to run: they are not drawn, or need a cell that is to be run."
        todo = set(self.todo)
        return [n for n in self.notebooks if n not in self.drawn or todo.intersection(ex.cells_of_notebook(n, self.run.profile))]

    @property
    def notebooks(self) -> list:
        "Notebooks of the figures."
        return list(dict.fromkeys(f.notebook for f in self.figures))

    def jobs(self) -> list:
        "Jobs for the Snakefile, by name: what each makes and needs (paths in the results folder), its notebook with parameters, its limits."
        same = {"profile": self.run.profile.name, "results_dir": ex.portable(self.run.results), "stand_ins": self.run.stand_ins}
        record, todo, limits = "records/{}.json".format, self.todo, {f.notebook: f.limits() for f in self.figures}
        jobs = [
            {"name": cell.id, "makes": record(cell.id), "needs": [], "executed": f"cells/{cell.id}.ipynb", "notebook": cell.notebook, "parameters": same | asdict(cell), "limits": cell.limits()}
            for cell in todo
        ]
        for name in self.draw:
            cells = ex.cells_of_notebook(name, self.run.profile)
            parameters = same | {"save_to": same["results_dir"]} | ({} if self.run_missing or not cells else {"run_missing": False})
            needs = [record(cell.id) for cell in cells if cell in set(todo)]
            jobs.append({"name": name, "makes": f"{name}.ipynb", "needs": needs, "executed": f"{name}.ipynb", "notebook": name, "parameters": parameters, "limits": limits[name]})
        return jobs


# %%
#| export
def figures_named(names: list) -> list:
    """Return the figures of these names.

    Parameters
    ----------
    names : list of str
        As typed; `all` stands for every figure.

    Returns
    -------
    list of Figure
        Each once.
    """
    chosen = ex.FIGURES.values() if "all" in [name.lower() for name in names] else [ex.figure(name) for name in names]
    return list(dict.fromkeys(chosen))


def make_plan(figures: list, run: ex.Run, run_missing: bool = True) -> Plan:
    """Read each record of these figures once, and decide what to do.

    Parameters
    ----------
    figures : list of Figure
        From `figures_named`.
    run : Run
        Profile, results and data.
    run_missing : bool
        As in `Plan`.

    Returns
    -------
    Plan
        Nothing is written.
    """
    notebooks = dict.fromkeys(f.notebook for f in figures)
    states, digests = looks_of(run, (cell for n in notebooks for cell in ex.cells_of_notebook(n, run.profile)))
    return Plan(run, tuple(figures), states, tuple(n for n in notebooks if ex.is_drawn(n, run, digests)), run_missing)


# %%
#| export
def print_plan(plan: Plan):
    """Print what `run` would do, one line per cell; nothing is written.

    Parameters
    ----------
    plan : Plan
        From `make_plan`.
    """
    from pumap.paper.datasets import DATASETS

    run = plan.run
    say(f"profile {run.profile.name}: {run.profile.title}; results in {ex.portable(run.results)}")
    for cell, state in plan.states.items():
        todo = f"run ({state}; the record there is set aside)" if state != "missing" else "run"
        todo = todo if cell in plan.todo else f"reuse{' (earlier settings)' if state == 'earlier' else ''}"
        actual = run.actual(cell.dataset)
        (train, _, test), first = DATASETS[actual].rows, cell.rows(run.profile)
        train, test = min(train, first[0] or train), min(test, first[1] or test)
        used = cell.settings(run.profile) | ex.effort_by_itself(cell, train)
        settings = " ".join(f"{key}={value}" for key, value in used.items())
        data = "" if actual == cell.dataset else f" data={actual}"
        say(f"  {cell.id:32} {todo:6}{data} train={train} test={test} {settings}".rstrip())
    for notebook in plan.notebooks:
        say(f"  {notebook:32} {'draw' if notebook in plan.draw else 'reuse'}")
    say(f"{len(plan.todo)} of {len(plan.states)} cells to run")


# %% [markdown]
# A data set that is not here is fetched before anything runs. If it cannot be had, its cells are left out, with a warning. A file without a checksum is the user's own; it must be read to know whether its cells can run.

# %%
#| export
def absent_data(cells, run: ex.Run) -> dict:
    """Look for each data set, fetch it if needed, and return those that cannot be had.

    Parameters
    ----------
    cells : iterable of Cell or SSLCell
        The cells that are to be run.
    run : Run
        Where the data are.

    Returns
    -------
    dict
        Data set -> why it cannot be had.
    """
    from pumap.paper import datasets

    absent = {}
    for name in dict.fromkeys(cell.dataset for cell in cells):
        actual, folder = run.actual(name), run.data or None
        try:
            state = datasets.describe(actual, folder)
            if state["problem"]:
                absent[name] = state["problem"]
            elif not state["here"]:
                if not state["why_not"]:
                    say(f"fetching {state['title']} from {state['url']}")
                datasets.load(actual, folder)
            elif not all(sha256 for _, sha256 in datasets.DATASETS[actual].files):
                datasets.load(actual, folder)
        except (datasets.DataNotFound, ValueError) as error:  # also what is damaged, or songs that do not fit
            absent[name] = str(error)
    return absent


# %% [markdown]
# ### One run at a time
#
# Two runs in one folder would compute the same cells twice, so a run holds a lock. The operating system releases it when the process
# ends, however it ends, so there are no stale locks.

# %%
#| export
@contextmanager
def only_run_in(folder: Path):
    """Hold a results folder for this run.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.

    Raises
    ------
    RuntimeError
        If another run is at work there.
    OSError
        If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "run.lock", "a")
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}, so nothing can be kept there; choose another folder with --results", str(folder)) from None
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"Another `pumap run` is at work in {folder}; wait for it, or give this one another folder with --results.") from None
        except (ImportError, OSError):
            pass  # no such locks here (Windows, some network disks): records are atomic all the same
        yield


# %% [markdown]
# A run that is killed with `kill -9` cannot clean up. So each process that it has started, directly or through Snakemake, watches it. When the run is gone, the process
# ends itself and its children. The run is identified by host, process and start time, because process numbers
# are reused, and mean nothing on another machine of a cluster.

# %%
#| export
RUN_VARIABLE = "PUMAP_RUN"


def run_name() -> str:
    "Return a name of this process for those it starts."
    import psutil

    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


# %%
#| export
def stop_tree(pid: int, itself: bool = True):
    """End a process with all that it has started.

    Parameters
    ----------
    pid : int
        Process number.
    itself : bool
        Whether to end the process, too.
    """
    import psutil

    try:
        parent = psutil.Process(pid)
        victims = parent.children(recursive=True) + [parent] * itself
    except psutil.NoSuchProcess:
        return
    for victim in victims:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            pass
    psutil.wait_procs(victims, timeout=5)


# %%
#| export
def end_with_run(every: float = 1.0):
    """End this process and its children when the run that started them is gone.

    Parameters
    ----------
    every : float
        Seconds between checks.
    """
    host, _, rest = os.environ.get(RUN_VARIABLE, "").partition(":")
    if host != socket.gethostname() or not rest:
        return
    import psutil

    pid, _, began = rest.partition(":")

    def gone():
        try:
            process = psutil.Process(int(pid))
            return f"{process.create_time():.2f}" != began or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def watch():
        while not gone():
            time.sleep(every)
        stop_tree(os.getpid(), itself=False)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# %% [markdown]
# ### Snakemake
#
# The plan is written to `cells/run.json`. The Snakefile reads it and has one rule, `job`. Snakemake decides nothing about what is out of date: every job of the plan is run (`--forceall`).
# Records are complete or missing, so Snakemake need not lock, nor distrust a file whose job was killed (`--ignore-incomplete`, `--keep-incomplete`).
#
# On this machine each job gets its share of the processors. Where the arguments after `--` choose an executor or a profile of Snakemake's, such as the one for SLURM in `paper/profiles`, the jobs run elsewhere. Then that profile says how many
# threads a job has and how many jobs run at the same time, unless `--jobs` is given.

# %%
#| export
def runs_elsewhere(extra: list) -> bool:
    """Return whether arguments for Snakemake choose an executor or a profile.

    Parameters
    ----------
    extra : list of str
        Arguments from after `--`.

    Returns
    -------
    bool
        Whether jobs run on other machines.
    """
    return any(argument.split("=")[0] in ("--executor", "-e", "--profile", "--workflow-profile") for argument in extra)


def write_plan(plan: Plan, threads: int = 1) -> Path:
    """Write a plan for the Snakefile.

    Parameters
    ----------
    plan : Plan
        From `make_plan`.
    threads : int
        For each job that runs here.

    Returns
    -------
    Path
        cells/run.json in the results folder.
    """
    from pumap.core import write_atomic

    path = Path(plan.run.results) / "cells" / "run.json"
    content = {"results_dir": str(plan.run.results), "data_dir": plan.run.data, "threads": threads, "jobs": plan.jobs()}
    write_atomic(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


# %%
assert runs_elsewhere(["--workflow-profile", "slurm"]) and runs_elsewhere(["--executor=slurm"]) and not runs_elsewhere(["--quiet"])


# %%
#| export
def snakemake_command(plan_file: Path, jobs: int | None, threads: int, extra: list) -> list:
    """Return the command that runs the Snakefile, in this same Python.

    Parameters
    ----------
    plan_file : Path
        From `write_plan`.
    jobs : int or None
        At the same time; None leaves it to a profile of Snakemake's.
    threads : int
        For each of them, if they run here.
    extra : list of str
        More arguments for Snakemake, from after `--`.

    Returns
    -------
    list of str
        For subprocess.
    """
    start = "from pumap.paper.cli import snakemake; snakemake()"
    options = ["--nolock", "--ignore-incomplete", "--keep-incomplete", "--keep-going", "--forceall", "--rerun-triggers", "mtime", "--scheduler", "greedy"]
    where = ["--snakefile", str(ex.notebook_path("x").with_name("Snakefile")), "--directory", str(plan_file.parent), "--configfile", str(plan_file)]
    if not runs_elsewhere(extra):
        options += ["--cores", str(jobs * threads)]
    elif jobs:
        options += ["--jobs", str(jobs)]
    return [sys.executable, "-c", start, *where, *options, *extra]


def snakemake():
    "Run `python -m snakemake` with this process's arguments; end with the run that started it."
    import runpy

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell ignores it, see `stop_snakemake`
    end_with_run(every=0.2)  # sooner than its jobs, or it would see them end and start others
    sys.argv[0] = "snakemake"
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


# %%
#| export
def start_snakemake(plan: Plan, jobs: int | None, extra: list):
    """Start Snakemake in the background; its output goes to cells/snakemake.log.

    Parameters
    ----------
    plan : Plan
        What to run.
    jobs : int or None
        At the same time; None: one per processor, 4 at most, or what a profile of Snakemake's says.
    extra : list of str
        More arguments for Snakemake.

    Returns
    -------
    subprocess.Popen
        The process.
    """
    cores, threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 1
    if not runs_elsewhere(extra):
        jobs = jobs or min(4, cores)
        threads = max(1, cores // jobs)
    command = snakemake_command(write_plan(plan, threads), jobs, threads, extra)
    path = os.pathsep.join(filter(None, [str(ex.root()), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {RUN_VARIABLE: run_name(), "PYTHONPATH": path}
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # cells that run at the same time share a GPU
    with open(plan.run.results / "cells" / "snakemake.log", "w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)


def stop_snakemake(process, extra: list, patience: float = 60):
    """End Snakemake and all that it has started, here or elsewhere.

    Parameters
    ----------
    process : subprocess.Popen
        From `start_snakemake`.
    extra : list of str
        The arguments that it was given.
    patience : float
        Seconds that it has to cancel its jobs on a cluster.
    """
    if runs_elsewhere(extra):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    stop_tree(process.pid)


# %% [markdown]
# ### Progress
#
# Progress is read from the files that jobs make. A job that failed has its error in the last line of its log.

# %%
#| export
def failure(log: Path) -> str | None:
    """Return the error at the end of a job's log.

    Parameters
    ----------
    log : Path
        Of one job.

    Returns
    -------
    str or None
        One line; None if there is no error so far.
    """
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()
    except FileNotFoundError:
        return None
    said = lines and (lines[-1].startswith("error: ") or "Error: " in lines[-1])
    return lines[-1].removeprefix("error: ") if said else None


# %%
#| export
def time_text(seconds: float) -> str:
    "Return a duration for people, in the unit that fits."
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


# %%
assert [time_text(s) for s in (3, 90, 1200, 7200)] == ["3 s", "1.5 min", "20 min", "2.0 h"]


# %%
#| export
def watch(process, jobs: dict, results: Path) -> tuple:
    """Follow the jobs until Snakemake ends: a bar on a terminal, lines elsewhere.

    Parameters
    ----------
    process : subprocess.Popen
        From `start_snakemake`.
    jobs : dict
        Name of each job -> the file that it makes.
    results : Path
        Results folder.

    Returns
    -------
    failed : dict
        Name of each job that failed -> one line.
    unmade : list of str
        Names of all jobs that have made nothing.
    """
    console = Console()
    began, stamp = time.perf_counter(), time.time()
    waiting, failed = dict(jobs), {}

    def made(path):
        return path.exists() and path.stat().st_mtime >= stamp - 2

    def look(tell):
        for name, path in list(waiting.items()):
            problem = None if made(path) else failure(results / "cells" / f"{name}.log")
            if made(path) or problem:
                del waiting[name]
                finished, elapsed = len(jobs) - len(waiting), time.perf_counter() - began
                left = f", about {time_text(elapsed / finished * len(waiting))} left" if waiting else f", all in {time_text(elapsed)}"
                if problem:
                    failed[name] = problem
                tell(name, problem, finished, left)

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=len(jobs), left="")

        def tell(name, problem, finished, left):
            bar.update(task, completed=finished, description=name, left=left.removeprefix(", "))
            if problem or not console.is_terminal:
                bar.console.print(f"[{finished}/{len(jobs)}] {name} {'FAILED' if problem else 'done'}{left}", markup=False, highlight=False, soft_wrap=True)

        while process.poll() is None:
            look(tell)
            time.sleep(0.3)
        look(tell)
    failed = {name: problem for name, problem in failed.items() if not made(jobs[name])}  # a profile may let jobs be tried again
    return failed, [name for name in jobs if name in failed or name in waiting]


# %% [markdown]
# ### When something went wrong
#
# Each job that failed gets one line with its error and its log. Jobs that never began, because something they need had failed, are listed.

# %%
#| export
def tell_failures(unmade: list, failed: dict, results: Path, code: int):
    """Print one line for each job that has made nothing.

    Parameters
    ----------
    unmade, failed : list and dict
        From `watch`.
    results : Path
        Results folder.
    code : int
        Exit code of Snakemake.
    """
    logs = results / "cells"
    if shutil.disk_usage(results).free < 2**20:
        say(f"error: the disk that holds {results} is full; make room and give the same command again (finished cells are kept)", error=True)
        return
    if code < 0:
        say(f"error: Snakemake was ended by signal {-code}; give the same command again (finished cells are kept)", error=True)
        return
    waiting = []
    for name in unmade:
        log = logs / f"{name}.log"
        if name in failed:
            say(f"error: {name}: {failed[name]} (log: {ex.portable(log)})", error=True)
        elif log.exists():
            say(f"error: {name} ended without a word, perhaps killed for want of memory (log: {ex.portable(log)})", error=True)
        else:
            waiting.append(name)
    if waiting and len(waiting) < len(unmade):
        say(f"not begun, because something before it failed: {', '.join(waiting)}", error=True)
    elif waiting or not unmade:
        lines = [line for line in (logs / "snakemake.log").read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-2:] if len(lines) > 1 and lines[-2].rstrip().endswith(":") else lines[-1:] or ["it said nothing"]
        say(f"error: Snakemake stopped: {' '.join(last)} (log: {ex.portable(logs / 'snakemake.log')})", error=True)


# %% [markdown]
# Records that cannot be used are renamed, with a message. Where the data cannot be had they stay as they are, since nothing could replace them.

# %%
#| export
def prepare(plan: Plan):
    """Set aside stale and damaged records whose cells can run again; delete the logs and unfinished files of earlier runs.

    Parameters
    ----------
    plan : Plan
        With the data sets that cannot be had.
    """
    results = plan.run.results
    for cell in plan.todo:
        state = plan.states[cell]
        if state in ("earlier", "stale", "damaged"):
            place = ex.set_aside(plan.run.path(cell), state)
            why = {"earlier": "has earlier settings of the profile", "stale": "was made from other inputs", "damaged": "cannot be read"}[state]
            say(f"{cell.id}: the record {why}; kept as {place.name}, the cell runs again", error=True)
    for name in [*(cell.id for cell, state in plan.states.items() if state != "done"), *plan.draw]:
        (results / "cells" / f"{name}.log").unlink(missing_ok=True)
    for draft in [*results.glob(".*.tmp*"), *results.glob("records/.*.tmp"), *results.glob("cells/.*.tmp*")]:
        draft.unlink(missing_ok=True)


# %%
#| export
def carry_out(plan: Plan, jobs: int | None, extra: list, strict: bool = False) -> int:
    """Run the jobs of a plan.

    Parameters
    ----------
    plan : Plan
        With the data sets that cannot be had.
    jobs : int or None
        As in `start_snakemake`.
    extra : list of str
        More arguments for Snakemake.
    strict : bool
        Whether data that a notebook had to leave out are an error.

    Returns
    -------
    int
        Exit code.
    """
    results, names = plan.run.results, ", ".join(f.id for f in plan.figures)
    todo = {job["name"]: results / job["makes"] for job in plan.jobs()}
    if not todo:
        say(f"{names}: all there already, in {ex.portable(results)}")
        return 0
    process = start_snakemake(plan, jobs, extra)
    try:
        failed, unmade = watch(process, todo, results)
    except KeyboardInterrupt:
        stop_snakemake(process, extra)
        done = sum(path.exists() for path in todo.values())
        say(f"interrupted: {done} of {len(todo)} done and kept; the same command goes on from here", error=True)
        return 130
    if process.returncode or failed or unmade:
        tell_failures(unmade, failed, results, process.returncode)
        return 1
    say(f"{names}: in {ex.portable(results)}")
    lacking = [(name, told) for name in plan.draw if not ex.cells_of_notebook(name, plan.run.profile) for told in ex.left_out(results / f"{name}.ipynb")]
    for notebook, told in lacking:
        say(f"{'error' if strict else 'warning'}: {notebook}: left out: {told}", error=True)
    return 1 if strict and lacking else 0


def preview(plan: Plan, jobs: int | None, extra: list) -> int:
    """Print what Snakemake would do with a plan, such as the limits of each job on a cluster.

    Parameters
    ----------
    plan : Plan
        From `make_plan`.
    jobs : int or None
        As in `start_snakemake`.
    extra : list of str
        Arguments for Snakemake, `--dry-run` among them.

    Returns
    -------
    int
        Exit code of Snakemake.
    """
    code = start_snakemake(plan, jobs, extra).wait()
    say((plan.run.results / "cells" / "snakemake.log").read_text(errors="replace"))
    return code


# %%
#| export
@app.command()
def run(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="FIGURE...", help="Figures and tables, such as fig05 table2, or all.")],
    profile: ProfileOption = "quick",
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Cells at the same time; if not given, as many as there are processors, 4 at most, or what a profile of Snakemake's says.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print what would be run, and touch nothing.")] = False,
    renew: Annotated[bool, typer.Option("--renew", help="Also run the cells again whose records have earlier settings.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A data set that cannot be had is an error.")] = False,
    only_there: Annotated[bool, typer.Option("--only-there", help="Run no cell; draw from the records that are there.")] = False,
    stand_ins: Annotated[bool, typer.Option("--stand-ins", help="Where an original cannot be passed on, use other data of its kind, under their own name.")] = False,
    data: DataOption = None,
    results: ResultsOption = None,
) -> int:
    "Makes figures and tables: runs the cells that are missing, then the notebooks. Arguments after -- go to Snakemake."
    figures, extra, data_dir = figures_named(names), context.obj or [], data or os.environ.get("PUMAP_DATA")
    size, folder = ex.profile(profile), folder_of(profile, results)
    check_data(data)
    plan = make_plan(figures, ex.Run(size, folder, str(Path(data_dir).resolve()) if data_dir else "", stand_ins), not only_there)
    plan = replace(plan, renew=renew and not only_there)
    if earlier := sum(state == "earlier" for state in plan.states.values()):
        say(f"{earlier} of {len(plan.states)} cells have earlier settings of the profile" + (", and run again" if plan.renew else "; --renew runs them again"))
    if only_there:
        say(f"{len(plan.todo)} of {len(plan.states)} cells are not there, and are left out")
        plan = replace(plan, states={cell: "done" for cell, state in plan.states.items() if state in ("done", "earlier")})
    if dry_run:
        print_plan(plan)
        return 0
    with only_run_in(folder):
        if {"-n", "--dry-run", "--dryrun"}.intersection(extra):
            return preview(plan, jobs, extra)
        plan = replace(plan, without=absent_data(plan.todo, plan.run))
        for name, why in plan.without.items():
            say(f"{'error' if strict else 'warning'}: {name} is left out: {why}", error=True)
        if strict and plan.without:
            return 1
        prepare(plan)
        return carry_out(plan, jobs, extra, strict)


# %% [markdown]
# ## One job
#
# Snakemake calls this for each cell and each figure. It is not shown in the help, but works by hand, too.

# %%
#| export
@app.command(hidden=True)
def notebook(
    source: Annotated[Path, typer.Argument(help="The notebook.")],
    output: Annotated[Path, typer.Argument(help="Its executed copy.")],
    parameters: Annotated[str, typer.Option("--parameters", help="A JSON object.")] = "{}",
    data: Annotated[str, typer.Option("--data", help="The data folder.")] = "",
) -> int:
    "Runs one notebook with parameters; its executed copy appears when all of it has run."
    end_with_run()
    try:
        values = json.loads(parameters)
    except json.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"--parameters takes a JSON object such as '{{\"seed\": 1}}', not {parameters!r}.")
    if data:
        os.environ["PUMAP_DATA"] = data
    ex.run_notebook(source, output, values)
    return 0


# %% [markdown]
# ## Errors
#
# Every error that a user can cause ends in one line and a non-zero exit: 2 for a wrong command, 130 for an interruption, 1 for the rest.

# %%
#| export
UsageProblem = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def main(arguments: list | None = None):
    """Run the `pumap` command.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    extra = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, extra = arguments[:at], arguments[at + 1 :]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows ASCII only shows "?" in place of "±"
    try:
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
                signal.signal(getattr(signal, name), signal.default_int_handler)
        code = app(arguments or ["--help"], standalone_mode=False, prog_name="pumap", obj=extra)
    except UsageProblem as error:
        say(f"error: {error.format_message()} (see: pumap --help)", error=True)
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted", error=True)
        code = 130
    except BrokenPipeError:  # `pumap list | head`: without the next line Python's last flush at exit prints a second error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        say(f"error: {reason or type(error).__name__}", error=True)
        code = 1
    sys.exit(code or 0)


# %% [markdown]
# The command as a user would type it. A wrong name gives one line.

# %%
def pumap(*arguments):
    "Exit code, standard output and standard error of the command."
    import pumap

    command = [sys.executable, "-c", "from pumap.paper.cli import main; main()", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(pumap.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout, done.stderr


# %%
code, out, err = pumap("run", "fig4o")
print(err)
assert code == 1 and not out and err.count("\n") == 1 and "fig04" in err

# %%
with tempfile.TemporaryDirectory() as folder:
    code, out, err = pumap("run", "fig04", "--profile", "paper", "--dry-run", "--results", folder)
    assert code == 0 and not any(Path(folder).iterdir())
print(out)
assert "mnist-pumap-2d-seed0" in out and "n_training_epochs=5" in out

# %%
code, out, err = pumap("list", "--json")
assert code == 0 and {row["id"] for row in json.loads(out)} == set(ex.FIGURES)
