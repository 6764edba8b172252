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
# `pumap run all --profile paper -- --workflow-profile slurm`. Each cell and each figure is a job with limits on memory and time. Snakemake's other executors work the same way.

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
# The commands know nothing about experiments beyond what `pumap.paper.experiments` tells them. Results go to standard output, warnings and errors to standard error, one line each.

# %%
#| export
app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)

ProfileOption = Annotated[str, typer.Option("--profile", "-p", help="smoke, quick, laptop or paper.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="Folder with data sets; also the environment variable PUMAP_DATA.")]
ResultsOption = Annotated[Path | None, typer.Option("--results", help="Where records and figures are kept; figures/<profile> if not given.")]


def print_version(
    asked: bool,  # was --version given?
):
    "Prints the version and ends."
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")] = False):
    "Parametric UMAP: a paper you can run."


def say(
    text: str,  # one line
    error: bool = False,  # to standard error?
):
    "Prints one line, at once."
    print(" ".join(str(text).split()) if error else text, file=sys.stderr if error else sys.stdout, flush=True)


def print_json(
    value,  # anything JSON can hold
):
    "Prints a value for programs."
    print(json.dumps(value, indent=1))


def folder_of(
    profile: str,  # which profile
    results: Path | None,  # what the user gave
) -> Path:  # absolute
    "The results folder of a command; FileNotFoundError if there is no clone, before anything is fetched or written."
    ex.root()
    return Path(results).expanduser().resolve() if results else ex.figures_dir(profile)


def check_data(
    folder: Path | None,  # what the user gave
):
    "ValueError if a data folder was given and does not exist."
    if folder is not None and not folder.is_dir():
        raise ValueError(f"The data folder {folder} does not exist; give an existing one with --data.")


# %% [markdown]
# ## list
#
# What there is, and how far each profile has come: a figure needs cells, each of which is done or not, and is drawn or not. Figures that compute what they show need no cells. A cell is done whether its record is of the original data or of a stand-in:
# the scorecard takes both.

# %%
#| export
def state_of(
    figure: ex.Figure,  # which figure
    profile: str,  # which profile
    results: Path,  # where its records are
) -> dict:  # done, total, drawn, and all three in a word
    "How much of a figure is there."
    def is_done(cell):
        return any(ex.cell_state(cell, profile, results, stand_ins) == "done" for stand_ins in {False, cell.dataset in ex.STAND_INS})

    cells = ex.cells_for(figure.id, profile)
    done = sum(map(is_done, cells))
    drawn = ex.is_drawn(figure.notebook, profile, results)
    word = "drawn" if drawn and (done or not cells) else "begun" if 0 < done < len(cells) else "run" if done else "not run"
    return {"state": word, "done": done, "total": len(cells), "drawn": drawn}


# %%
#| export
@app.command("list")
def list_figures(as_json: JsonOption = False, results: ResultsOption = None) -> int:
    "Every figure and table: its notebook, the cells it needs, its state in each profile."
    rows = []
    for f in ex.FIGURES.values():
        cells = {p: [cell.id for cell in ex.cells_for(f.id, p)] for p in ex.PROFILES}
        state = {p: state_of(f, p, folder_of(p, results)) for p in ex.PROFILES}
        rows.append({"id": f.id, "title": f.title, "notebook": f"nbs/paper/{f.notebook}.ipynb", "cells": cells, "state": state})
    if as_json:
        print_json(rows)
        return 0
    table = Table("id", "title", *ex.PROFILES, caption="cells there / cells needed, * = drawn; to draw: pumap run ID --profile NAME")
    for row in rows:
        table.add_row(row["id"], row["title"], *(f"{s['done']}/{s['total']}{' *' if s['drawn'] else ''}" for s in row["state"].values()))
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
# What has been measured, beside the paper's numbers: tables on the terminal, and the whole scorecard in three files, for programs, for readers and for a browser.

# %%
#| export
def report_table(
    card: dict,  # from `sc.scorecard`
    number: int,  # which table of the paper
) -> Table:
    "What was measured of one table, for people: it fits 80 columns. A star marks numbers from stand-in data."
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
    card = sc.scorecard(profile, folder)
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
# `run` first makes a plan: the state of each cell. Then it sets aside what cannot be used, fetches data, and hands the rest to Snakemake, which runs cells
# in parallel and then the notebooks of the figures.

# %%
#| export
def figures_named(
    names: list,  # as typed
) -> list:  # of Figure, each once
    "The figures asked for; `all` stands for every one."
    chosen = ex.FIGURES.values() if "all" in [name.lower() for name in names] else [ex.figure(name) for name in names]
    return list(dict.fromkeys(chosen))


def plan_of(
    figures: list,  # from `figures_named`
    profile: str,  # which profile
    results: Path,  # where records are kept
    stand_ins: bool,  # may stand-in data be used?
) -> dict:  # Cell -> "done", "missing", "stale" or "damaged"
    "The cells that the notebooks of these figures need, each with its state."
    cells = [cell for f in figures for cell in ex.cells_of_notebook(f.notebook, profile)]
    return {cell: ex.cell_state(cell, profile, results, stand_ins) for cell in dict.fromkeys(cells)}


def to_draw(
    figures: list,  # from `figures_named`
    todo,  # the cells that are to be run
    profile: str,  # which profile
    results: Path,  # where records are kept
) -> list:  # of file stems in nbs/paper
    "The notebooks that are to be run: they need one of these cells, or are not drawn yet."
    needs = {f.notebook: any(cell in todo for cell in ex.cells_of_notebook(f.notebook, profile)) for f in figures}
    return [notebook for notebook, waits in needs.items() if waits or not ex.is_drawn(notebook, profile, results)]


# %%
#| export
def print_plan(
    plan: dict,  # from `plan_of`
    figures: list,  # the figures asked for
    profile: str,  # which profile
    results: Path,  # where records are kept
    stand_ins: bool,  # may stand-in data be used?
):
    "What `run` would do, one line per cell; touches nothing."
    from pumap.paper.datasets import DATASETS

    size = ex.profile(profile)
    say(f"profile {profile}: {size.title}; results in {ex.portable(results)}")
    for cell, state in plan.items():
        todo = {"done": "reuse", "missing": "run"}.get(state, f"run ({state}; the record there is set aside)")
        actual = ex.STAND_INS.get(cell.dataset, cell.dataset) if stand_ins else cell.dataset
        (train, _, test), first = DATASETS[actual].rows, ex.rows_of(cell, profile)
        train, test = min(train, first[0] or train), min(test, first[1] or test)
        used = ex.settings_for(cell, profile) | ex.effort_by_itself(cell, train)
        settings = " ".join(f"{key}={value}" for key, value in used.items())
        data = "" if actual == cell.dataset else f" data={actual}"
        say(f"  {cell.id:32} {todo:6}{data} train={train} test={test} {settings}".rstrip())
    todo = {cell for cell, state in plan.items() if state != "done"}
    draw = to_draw(figures, todo, profile, results)
    for notebook in dict.fromkeys(f.notebook for f in figures):
        say(f"  {notebook:32} {'draw' if notebook in draw else 'reuse'}")
    say(f"{len(todo)} of {len(plan)} cells to run")


# %% [markdown]
# A data set that is not here is fetched before anything runs. If it cannot be had, its cells are left out, and a warning says so. A file without a checksum is the user's own; only reading it tells whether its cells can run.

# %%
#| export
def absent_data(
    cells,  # the cells that are to be run
    data: Path | None,  # folder that the user gave
    stand_ins: bool,  # may stand-in data be used?
) -> dict:  # data set -> why it cannot be had
    "Looks for each data set, fetches it if needed, and returns those that cannot be had."
    from pumap.paper import datasets

    absent = {}
    for name in dict.fromkeys(cell.dataset for cell in cells):
        actual = ex.STAND_INS.get(name, name) if stand_ins else name
        try:
            state = datasets.describe(actual, data)
            if state["problem"]:
                absent[name] = state["problem"]
            elif not state["here"]:
                if not state["why_not"]:
                    say(f"fetching {state['title']} from {state['url']}")
                datasets.load(actual, data)
            elif not all(sha256 for _, sha256 in datasets.DATASETS[actual].files):
                datasets.load(actual, data)
        except (datasets.DataNotFound, ValueError) as error:  # also what is damaged, or songs that do not fit
            absent[name] = str(error)
    return absent


# %% [markdown]
# ### One run at a time, and no survivors
#
# Two runs in one folder would do the same cells twice, so a run holds a lock. The operating system gives it back when the process
# ends, however it ends: there are no stale locks.

# %%
#| export
@contextmanager
def only_run_in(
    folder: Path,  # results folder
):
    "Holds the folder for this run; RuntimeError if another run is at work there."
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
# A run that is killed with `kill -9` cannot clean up. So each process that it has started, directly or through Snakemake, watches it, and
# ends itself and its own children as soon as it is gone. The run is named by host, process and the time the process began, because numbers of processes
# are used again, and mean nothing on another machine of a cluster.

# %%
#| export
RUN_VARIABLE = "PUMAP_RUN"


def run_name() -> str:
    "Names this process to those it starts."
    import psutil

    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


# %%
#| export
def stop_tree(
    pid: int,  # a process
    itself: bool = True,  # also the process, or only what it has started?
):
    "Ends a process with all that it has started."
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
def end_with_run(
    every: float = 1.0,  # seconds between looks
):
    "From now on this process and its children end when the run that started them is gone."
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
# Records are whole or not there, so Snakemake need not lock, nor mistrust a file whose job it saw killed (`--ignore-incomplete`, `--keep-incomplete`).
# Whether a record is up to date is told by its hash, which the plan has looked at. Figures that are out of date are named to it.
#
# On this machine each job gets its share of the processors. Where the arguments after `--` choose an executor or a profile of Snakemake's, such as the one for SLURM in `paper/profiles`, the jobs run elsewhere: then the processors of this machine mean nothing, and that profile says how many
# threads a job has and how many jobs there are at the same time, unless `--jobs` is given.

# %%
#| export
def runs_elsewhere(
    extra: list,  # arguments for Snakemake, from after `--`
) -> bool:
    "Whether they choose an executor or a profile."
    return any(argument.split("=")[0] in ("--executor", "-e", "--profile", "--workflow-profile") for argument in extra)


# %%
assert runs_elsewhere(["--workflow-profile", "slurm"]) and runs_elsewhere(["--executor=slurm"]) and not runs_elsewhere(["--quiet"])


# %%
#| export
def snakemake_command(
    results: Path,  # results folder
    jobs: int | None,  # cells at the same time; None leaves it to a profile of Snakemake's
    threads: int,  # for each of them, if they run here
    redraw: list,  # files that are out of date
    extra: list,  # more arguments for Snakemake, from after `--`
) -> list:  # of str
    "The command that runs the Snakefile, in this same Python."
    snakefile = ex.root() / "nbs" / "paper" / "Snakefile"
    start = "from pumap.paper.cli import snakemake; snakemake()"
    options = ["--nolock", "--ignore-incomplete", "--keep-incomplete", "--keep-going", "--rerun-triggers", "mtime", "--scheduler", "greedy"]
    options += ["--forcerun", *map(str, redraw)] if redraw else []
    where = ["--snakefile", str(snakefile), "--directory", str(results / "cells"), "--configfile", str(results / "cells" / "run.json")]
    if not runs_elsewhere(extra):
        options += ["--cores", str(jobs * threads)]
    elif jobs:
        options += ["--jobs", str(jobs)]
    return [sys.executable, "-c", start, *where, *options, *extra]


def snakemake():
    "Runs `python -m snakemake` with this process's arguments, ending with the run that started it."
    import runpy

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell ignores it, see `stop_snakemake`
    end_with_run(every=0.2)  # sooner than its jobs, or it would see them end and start others
    sys.argv[0] = "snakemake"
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


# %%
#| export
def start_snakemake(
    results: Path,  # results folder
    config: dict,  # for the Snakefile
    jobs: int | None,  # cells at the same time; None: as many as there are processors, 4 at most, or what a profile of Snakemake's says
    redraw: list,  # figures' executed notebooks that are out of date
    extra: list,  # more arguments for Snakemake
):  # subprocess.Popen
    "Starts Snakemake in the background; what it says goes to cells/snakemake.log."
    from pumap.core import write_atomic

    cores, threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 1
    if not runs_elsewhere(extra):
        jobs = jobs or min(4, cores)
        threads = max(1, cores // jobs)
    write_atomic(results / "cells" / "run.json", json.dumps(config | {"threads": threads}, indent=1).encode())
    path = os.pathsep.join(filter(None, [str(ex.root()), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {RUN_VARIABLE: run_name(), "PYTHONPATH": path}
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # cells that run at the same time share a GPU
    with open(results / "cells" / "snakemake.log", "w") as log:
        command = snakemake_command(results, jobs, threads, redraw, extra)
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)


def stop_snakemake(
    process,  # from `start_snakemake`
    extra: list,  # the arguments that it was given
    patience: float = 60,  # seconds that it has to take its jobs back from a cluster
):
    "Ends Snakemake and all that it has started, here or elsewhere."
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
# The records tell how far it is; nothing else needs to be asked. A job that failed has said why in the last line of its log.

# %%
#| export
def failure(
    log: Path,  # of one job
) -> str | None:  # what went wrong, in one line; None if nothing did so far
    "The error at the end of a job's log."
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()
    except FileNotFoundError:
        return None
    said = lines and (lines[-1].startswith("error: ") or "Error: " in lines[-1])
    return lines[-1].removeprefix("error: ") if said else None


# %%
#| export
def time_text(
    seconds: float,  # a duration
) -> str:  # for people
    "A duration in the unit that fits."
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


# %%
assert [time_text(s) for s in (3, 90, 1200, 7200)] == ["3 s", "1.5 min", "20 min", "2.0 h"]


# %%
#| export
def watch(
    process,  # from `start_snakemake`
    jobs: dict,  # name of each job -> the file that it makes
    results: Path,  # results folder
) -> tuple:  # (name of each job that failed -> one line, names of all that are not made)
    "Follows the jobs until Snakemake ends: a bar on a terminal, lines elsewhere."
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
# Each job that failed gets one line with its error and its log. What never began, because something it needs had failed, is said too.

# %%
#| export
def tell_failures(
    unmade: list,  # names of jobs that have nothing to show
    failed: dict,  # those of them with an error, from `watch`
    results: Path,  # results folder
    code: int,  # Snakemake's exit code
):
    "Prints one line for each job that has nothing to show."
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
# Records that cannot be used are renamed, with a line that says so. Where the data cannot be had they stay as they are, since nothing could take their place.

# %%
#| export
def prepare(
    plan: dict,  # from `plan_of`
    without: dict,  # from `absent_data`
    profile: str,  # which profile
    results: Path,  # results folder
):
    "Sets aside stale and damaged records whose cells can run again; clears the logs and half-written files of earlier runs."
    for cell, state in plan.items():
        if state in ("stale", "damaged") and cell.dataset not in without:
            place = ex.set_aside(ex.record_path(cell, profile, results), state)
            why = {"stale": "was made from other inputs", "damaged": "cannot be read"}[state]
            say(f"{cell.id}: the record {why}; kept as {place.name}, the cell runs again", error=True)
        if state != "done":
            (results / "cells" / f"{cell.id}.log").unlink(missing_ok=True)
    for draft in [*results.glob(".*.tmp*"), *results.glob("records/.*.tmp"), *results.glob("cells/.*.tmp*")]:
        draft.unlink(missing_ok=True)


# %%
#| export
def carry_out(
    figures: list,  # from `figures_named`
    plan: dict,  # from `plan_of`
    without: dict,  # from `absent_data`
    profile: str,  # which profile
    results: Path,  # results folder
    config: dict,  # the rest of the Snakefile's configuration
    jobs: int | None,  # cells at the same time, as in `start_snakemake`
    extra: list,  # more arguments for Snakemake
    strict: bool = False,  # is data that a notebook had to leave out an error?
) -> int:  # exit code
    "Runs what is missing and draws what is out of date."
    cells = {cell for cell, state in plan.items() if state != "done" and cell.dataset not in without}
    todo = {cell.id: ex.record_path(cell, profile, results) for cell in plan if cell in cells}
    for notebook in to_draw(figures, cells, profile, results):
        todo[notebook] = results / f"{notebook}.ipynb"
        (results / "cells" / f"{notebook}.log").unlink(missing_ok=True)
    names = ", ".join(f.id for f in figures)
    if not todo:
        say(f"{names}: all there already, in {ex.portable(results)}")
        return 0
    config = config | {"without": list(without), "figures": [f.id for f in figures]}
    redraw = [path for path in todo.values() if path.suffix == ".ipynb"]
    for figure in figures:
        copy = results / f"{figure.notebook}.ipynb"
        if copy not in redraw:
            copy.touch()  # Snakemake goes by time, and would draw it again
    process = start_snakemake(results, config, jobs, redraw, extra)
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
    lacking = [(path.stem, told) for path in redraw for told in ex.left_out(path) if not ex.cells_of_notebook(path.stem, profile)]
    for notebook, told in lacking:
        say(f"{'error' if strict else 'warning'}: {notebook}: left out: {told}", error=True)
    return 1 if strict and lacking else 0


# %%
#| export
@app.command()
def run(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="FIGURE...", help="Figures and tables, such as fig05 table2, or all.")],
    profile: ProfileOption = "quick",
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Cells at the same time; if not given, as many as there are processors, 4 at most, or what a profile of Snakemake's says.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print what would be run, and touch nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A data set that cannot be had is an error.")] = False,
    only_there: Annotated[bool, typer.Option("--only-there", help="Run no cell; draw from the records that are there.")] = False,
    stand_ins: Annotated[bool, typer.Option("--stand-ins", help="Where an original cannot be passed on, use other data of its kind, under their own name.")] = False,
    data: DataOption = None,
    results: ResultsOption = None,
) -> int:
    "Makes figures and tables: runs the cells that are missing, then the notebooks. Arguments after -- go to Snakemake."
    figures = figures_named(names)
    ex.profile(profile)
    folder = folder_of(profile, results)
    check_data(data)
    plan = plan_of(figures, profile, folder, stand_ins)
    if only_there:
        say(f"{sum(state != 'done' for state in plan.values())} of {len(plan)} cells are not there, and are left out")
        plan = {cell: state for cell, state in plan.items() if state == "done"}
    if dry_run:
        print_plan(plan, figures, profile, folder, stand_ins)
        return 0
    with only_run_in(folder):
        without = absent_data([cell for cell, state in plan.items() if state != "done"], data, stand_ins)
        for name, why in without.items():
            say(f"{'error' if strict else 'warning'}: {name} is left out: {why}", error=True)
        if strict and without:
            return 1
        prepare(plan, without, profile, folder)
        data_dir = data or os.environ.get("PUMAP_DATA")
        config = {"profile": profile, "results_dir": str(folder), "data_dir": str(Path(data_dir).resolve()) if data_dir else "", "stand_ins": stand_ins, "run_missing": not only_there}
        return carry_out(figures, plan, without, profile, folder, config, jobs, context.obj or [], strict)


# %% [markdown]
# ## One job
#
# What Snakemake calls for each cell and each figure. It is not shown in the help, but works by hand too.

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


def main(
    arguments: list | None = None,  # None takes the command line's
):
    "The `pumap` command."
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
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        say(f"error: {reason or type(error).__name__}", error=True)
        code = 1
    sys.exit(code or 0)


# %% [markdown]
# The command as a user would type it. A wrong name costs one line.

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
