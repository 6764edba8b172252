"""Everything here comes from settings.ini, which holds the only dependency lists."""

from configparser import ConfigParser

from setuptools import find_packages, setup

parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read("settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]
lib = cfg["lib_path"]

extras = {key.removesuffix("_requirements"): value.split() for key, value in cfg.items() if key.endswith("_requirements")}
extras["paper"] += extras["tensorflow"]
extras["dev"] += extras["paper"] + extras["slurm"] + extras["onnx"]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    license="BSD-3-Clause",
    packages=find_packages(include=[lib, lib + ".*"]),
    package_data={lib: ["py.typed"]},
    python_requires=">=" + cfg["min_python"],
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={
        "nbdev": [f"{lib}={lib}._modidx:d"],
        "console_scripts": cfg["console_scripts"].split(),
    },
)
