"""The grid on a cluster: what SLURM would be asked for, by a dry run that sends nothing, and what comes of it, with a stand-in for SLURM that runs jobs here."""

import importlib.util
import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import ROOT
from test_cli import ALL, House

from pumap.paper import cli
from pumap.paper import experiments as ex

PLUGIN = importlib.util.find_spec("snakemake_executor_plugin_slurm") is not None
NEEDS_PLUGIN = pytest.mark.skipif(not PLUGIN, reason="needs snakemake-executor-plugin-slurm: pip install 'pumap[slurm]'")
PROFILE = ROOT / "nbs/paper/profiles/slurm/config.yaml"


def jobs_of(output):
    "What a dry run tells of each job: its rule and wildcards, threads and resources, all as text."
    found = []
    for block in re.split(r"^\[.*\]$", output, flags=re.M):  # the time
        rule = re.search(r"^(?:local)?rule (\w+):", block, re.M)
        if rule:
            told = {"rule": rule[1], "threads": "1"} | dict(re.findall(r"^    (threads): (\d+)", block, re.M))
            for line in re.findall(r"^    (?:wildcards|resources): (.*)$", block, re.M):
                told |= dict(item.split("=", 1) for item in line.split(", "))
            found.append(told)
    return found


@pytest.fixture
def dry_run(tmp_path):
    "A dry run of the paper's grid with the profile, and a `sbatch` that leaves a trace if it is called."
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "srun"):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/sent\n")
        (tmp_path / "bin" / name).chmod(0o755)

    def call(*extra, figures=("all",)):
        plan = cli.make_plan(cli.figures_named(figures), ex.Run(ex.profile("paper"), tmp_path))
        command = cli.snakemake_command(cli.write_plan(plan), None, 1, ["--workflow-profile", "slurm", *extra, "--dry-run", "--cores", "8"])  # a dry run would give each job one thread otherwise
        places = {"PATH": (tmp_path / "bin", os.environ["PATH"]), "PYTHONPATH": (ROOT, os.environ.get("PYTHONPATH", ""))}
        environment = os.environ | {name: os.pathsep.join(map(str, filter(None, paths))) for name, paths in places.items()}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "sent").exists() and not (tmp_path / "records").exists() and not list(tmp_path.glob("*.ipynb"))
        return jobs_of(done.stdout + done.stderr)

    return call


def limits_by_file():
    "What each job of the paper's grid makes, with its limits."
    cells = {f"records/{cell.id}.json": cell.limits() for cell in (*ex.profile("paper").cells, *ex.ssl_grid(ex.profile("paper")).cells)}
    return cells | {f"{figure.notebook}.ipynb": figure.limits() for figure in ex.FIGURES.values()}


@pytest.mark.parametrize("executor", [pytest.param("slurm", marks=NEEDS_PLUGIN), "dryrun"])
def test_each_job_is_sent_with_its_limits(dry_run, executor):
    jobs = dry_run(*([] if executor == "slurm" else ["--executor", executor]))
    limits = limits_by_file()
    assert [job["rule"] for job in jobs].count("job") == len(limits) == len(jobs) - 1
    for job in jobs:
        if job["rule"] == "job":
            allowed = limits.pop(job["makes"])
            assert {key: int(job[key]) for key in allowed} == allowed and job["threads"] == "8", job
            assert job["slurm_partition"] == ("gpu" if allowed["gpu"] else "cpu"), job
    assert not limits


def test_what_the_reader_fills_in_is_asked_for(dry_run):
    jobs = dry_run("--executor", "dryrun", "--default-resources", "slurm_account=ours", "--config", "gpu_partition=long", "cpu_partition=short", "most_minutes=1440", figures=["table8"])
    cells = [job for job in jobs if "labels" in job.get("makes", "")]
    assert len(cells) == 108 and {(job["slurm_partition"], job["slurm_account"]) for job in cells} == {("long", "ours")}
    assert {job["runtime"] for job in cells} == {"900", "1440"}


def test_a_second_attempt_gets_twice_the_memory():
    "As Snakemake asks for it: by the function in the Snakefile."
    source, made = (ROOT / "nbs/paper/Snakefile").read_text(), "records/mnist-aug-labels4-seed0.json"
    (asked,) = re.findall(r"mem_mb=(lambda w, attempt: .*),  #", source)
    limits = limits_by_file()[made]
    once, twice = (eval(asked, {"job": lambda w: {"limits": limits}})(None, attempt) for attempt in (1, 2))
    assert twice == 2 * once == 2 * limits["mem_mb"]


@pytest.mark.parametrize("extra", [["--workflow-profile", "slurm"], ["--executor=slurm"], ["-e", "slurm"], ["--profile", "ours"]])
def test_a_profile_settles_how_much_runs_at_once(tmp_path, extra):
    "The processors of the login node do not limit a cluster; `--jobs` does, if it is given."
    command = cli.snakemake_command(tmp_path / "run.json", None, 1, extra)
    assert "--cores" not in command and "--jobs" not in command and command[-len(extra) :] == extra
    command = cli.snakemake_command(tmp_path / "run.json", 7, 1, extra)
    assert "--cores" not in command and command[command.index("--jobs") + 1] == "7"


def test_the_command_hands_the_profile_on(tmp_path, monkeypatch):
    "`pumap run ... -- --workflow-profile slurm`: no --cores of ours, and jobs of one thread unless the profile says more."
    started = []
    monkeypatch.setattr(cli.subprocess, "Popen", lambda command, **_: started.append(command))
    plan = cli.Plan(ex.Run(ex.profile("paper"), tmp_path), (), {}, ())
    cli.start_snakemake(plan, None, ["--workflow-profile", "slurm"])
    assert started[0][-2:] == ["--workflow-profile", "slurm"] and "--cores" not in started[0]
    assert '"threads": 1' in (tmp_path / "cells" / "run.json").read_text()
    cli.start_snakemake(plan, 1, [])
    assert "--cores" in started[1]


def test_nothing_in_the_profile_needs_the_plugin_to_be_read():
    "Its options of SLURM's own are resources, which Snakemake takes without the plugin, too."
    import yaml

    profile = yaml.safe_load(PROFILE.read_text())
    assert profile["executor"] == "slurm" and profile["retries"] == 1 and set(profile["set-threads"]) == {"job"}
    assert not [key for key in profile if key.startswith("slurm")]


# jobs that are sent

SLURM = """#!/usr/bin/env python3
import itertools, os, pathlib, signal, subprocess, sys
name, arguments, home = pathlib.Path(sys.argv[0]).name, sys.argv[1:], pathlib.Path("HOME")
jobs = sorted(home.glob("job*"))
if name == "srun":
    command = list(itertools.dropwhile(lambda argument: argument.startswith("-"), arguments))
    os.execvp(command[0], command)
elif name == "sbatch":
    (wrapped,) = [argument[7:] for argument in arguments if argument.startswith("--wrap=")]
    job = home / f"job{100 + len(jobs)}"
    script = f"echo RUNNING $$ > {job}; ({wrapped}); [ $? = 0 ] && echo COMPLETED > {job} || echo FAILED > {job}"
    job.write_text("PENDING")
    subprocess.Popen(["sh", "-c", script], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(job.name[3:])
elif name in ("sacct", "squeue") and "-nu" not in arguments:
    for job in jobs:
        print(f"{job.name[3:]}|{job.read_text().split()[0]}")
elif name == "scancel":
    for job in (home / f"job{number}" for number in arguments):
        state, *pid = job.read_text().split()
        job.write_text("CANCELLED")
        if pid:
            os.killpg(int(pid[0]), signal.SIGKILL)
with open(home / "calls", "a") as calls:
    calls.write(" ".join([name, *(argument for argument in arguments if "--wrap" not in argument)]) + "\\n")
"""


@pytest.fixture
def cluster(tmp_path):
    "A house with SLURM's commands beside it: what starts a run, and what gives the calls of one of these commands."
    (tmp_path / "slurm").mkdir()
    for name in ("sbatch", "srun", "sacct", "squeue", "scancel", "sacctmgr", "sshare", "scontrol", "sinfo"):
        (tmp_path / "slurm" / name).write_text(SLURM.replace("HOME", str(tmp_path / "slurm")))
        (tmp_path / "slurm" / name).chmod(0o755)
    house = House(tmp_path / "house")
    path = os.pathsep.join((str(tmp_path / "slurm"), os.environ["PATH"]))
    command = ["run", "fig04", "-p", "smoke", "--", "--workflow-profile", "slurm", "--slurm-init-seconds-before-status-checks", "1"]
    calls = lambda name: [line for line in (tmp_path / "slurm" / "calls").read_text().splitlines() if line.split()[0] == name]
    return house, lambda **environment: house.start(*command, PATH=path, **environment), calls


@pytest.mark.slow
@NEEDS_PLUGIN
def test_jobs_are_sent_taken_back_and_sent_again(cluster):
    house, start, calls = cluster
    process = start(FAKE_SECONDS="600")
    house.wait(lambda: set(house.records()) == ALL - {"digits-pca-2d-seed0"} and len(calls("sbatch")) == 3)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130 and err.startswith("interrupted: 2 of 4 done") and err.count("\n") == 1
    (call,) = [call for call in calls("sbatch") if "digits-pca" in call]
    assert " -p cpu -t 70 --mem 8000 " in call and "--cpus-per-task=8" in call and "--gpus" not in call
    assert len(calls("scancel")) == 1
    house.wait(lambda: not house.processes(), 60)
    process = start()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and not err and "[2/2]" in out, err
    assert len(calls("sbatch")) == 5 and set(house.records()) == ALL and (house.results / "fig04.txt").read_text() == "3 []"
