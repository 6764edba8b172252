"""Everything here comes from settings.ini, which holds the only dependency lists."""

from configparser import ConfigParser

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read("settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]
lib, url = cfg["lib_path"], cfg["git_url"]

extras = {key.removesuffix("_requirements"): value.split() for key, value in cfg.items() if key.endswith("_requirements")}
extras["paper"] += extras["tensorflow"]
extras["dev"] += extras["paper"] + extras["slurm"] + extras["package"] + extras["onnx"]


class BuildWithoutIndex(build_py):
    "Leave out `_modidx.py`, which only nbdev reads, in a clone."

    def find_package_modules(self, package, package_dir):
        return [found for found in super().find_package_modules(package, package_dir) if found[1] != "_modidx"]


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    license_expression="BSD-3-Clause",
    license_files=["LICENSE"],
    keywords=cfg["keywords"].split(),
    project_urls={
        "Repository": url,
        "Documentation": cfg["doc_url"],
        "Changelog": f"{url}/blob/{cfg['branch']}/CHANGELOG.md",
        "Issues": f"{url}/issues",
        "Paper": "https://arxiv.org/abs/2009.12981",
    },
    classifiers=[
        f"Development Status :: {cfg['status']}",
        f"Intended Audience :: {cfg['audience']}",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: {python}" for python in cfg["pythons"].split()),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Visualization",
        "Typing :: Typed",
    ],
    packages=find_packages(include=[lib, lib + ".*"]),
    package_data={lib: ["py.typed", "*.html"]},
    python_requires=">=" + cfg["min_python"],
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={"console_scripts": cfg["console_scripts"].split()},
    cmdclass={"build_py": BuildWithoutIndex},
)
