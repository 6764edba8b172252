"""Data sets: the right rows from every source, and one clear sentence for everything that can be wrong with files and networks.

No test needs the internet. Most use a small data set of idx files, made here and entered in the table of data sets, which a
server on this machine hands out; those of real files are skipped where these are not on the machine.
"""

import gzip
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, permissions_count
from numpy.testing import assert_array_equal

from pumap.paper import datasets
from pumap.paper.datasets import DataDamaged, DataNotFound, Entry, describe, fetch, load, names, read_idx, songs, take

FILES = tuple(file for file, _ in datasets.MNIST.files)


def idx(array, code=0x08):
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def tiny_contents():
    rng = np.random.default_rng(0)
    return {
        FILES[0]: idx(rng.integers(0, 256, (8, 5, 4), dtype=np.uint8)),
        FILES[1]: idx(rng.integers(0, 3, 8, dtype=np.uint8)),
        FILES[2]: idx(rng.integers(0, 256, (3, 5, 4), dtype=np.uint8)),
        FILES[3]: idx(rng.integers(0, 3, 3, dtype=np.uint8)),
    }


CONTENTS = tiny_contents()
DIGESTS = {file: hashlib.sha256(content).hexdigest() for file, content in CONTENTS.items()}


class Server:
    "Hands out what `answers` says for a path: the body, or (body, length it promises), or a status."

    def __init__(self):
        self.answers, self.asked = {}, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                answer = server.answers.get(self.path, 404)
                if isinstance(answer, int):
                    return self.send_error(answer)
                body, length = answer if isinstance(answer, tuple) else (answer, len(answer))
                self.send_response(200)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    "No folder is given, the cache is empty, and whatever would go to the internet finds no proxy."
    for variable in ("PUMAP_DATA", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PUMAP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    "A data set of idx files in the table: two addresses (nobody listens there), a system package."
    entry = Entry(
        title="Tiny",
        rows=(6, 2, 3),
        shape=(5, 4, 1),
        label_names=("a", "b", "c"),
        citation="none",
        license="none",
        url="http://127.0.0.1:9/one/",
        files=tuple(DIGESTS.items()),
        sha256=hashlib.sha256(b"".join(CONTENTS.values())).hexdigest(),
        folders=("tiny", "Tiny/raw"),
        mirrors=("http://127.0.0.1:9/one/", "http://127.0.0.1:9/two/"),
        package="dataset-tiny",
        package_folder=str(tmp_path / "system"),
    )
    monkeypatch.setitem(datasets.DATASETS, "tiny", entry)
    return entry


def put(folder, zipped=True, leave_out=()):
    "Write the files of the tiny data set."
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in CONTENTS.items():
        if file not in leave_out:
            (folder / (f"{file}.gz" if zipped else file)).write_bytes(gzip.compress(content) if zipped else content)
    return folder


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 700, text
    return text


def files_below(folder):
    return sorted(path for path in folder.rglob("*")) if folder.exists() else []


# --- what comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits", "moons"])
def test_made_data(name):
    dataset, entry = load(name), datasets.DATASETS[name]
    for part, n in zip(("train", "valid", "test"), entry.rows):
        X, y = getattr(dataset, f"X_{part}"), getattr(dataset, f"y_{part}")
        assert X.shape == (n, *entry.shape) and X.dtype == np.float32 and X.flags.c_contiguous
        assert y.shape == (n,) and y.dtype == np.int64
        assert set(y) == set(range(len(dataset.label_names)))
    assert dataset.shape == entry.shape and dataset.source == "scikit-learn" and len(dataset.sha256) == 64
    again = load(name)
    assert_array_equal(dataset.X_valid, again.X_valid)
    assert dataset.sha256 == again.sha256 == describe(name)["sha256"]


def test_moons_are_the_papers():
    from sklearn.datasets import make_moons

    dataset = load("moons")
    for part, seed in (("train", 0), ("test", 1), ("valid", 2)):
        X, y = make_moons(n_samples=1000, noise=0.1, random_state=seed)
        assert_array_equal(getattr(dataset, f"X_{part}"), X.astype(np.float32))
        assert_array_equal(getattr(dataset, f"y_{part}"), y)


def test_digits_are_dealt_in_equal_shares_and_each_row_once():
    from sklearn.datasets import load_digits

    dataset = load("digits")
    X = np.concatenate([dataset.X_train, dataset.X_valid, dataset.X_test]).reshape(-1, 64) * 16
    assert_array_equal(np.sort(X.view("V256").ravel()), np.sort(load_digits().data.astype("f4").view("V256").ravel()))
    for y in (dataset.y_train, dataset.y_valid, dataset.y_test):
        shares = np.bincount(y, minlength=10) / len(y)
        assert shares.min() > 0.09 and shares.max() < 0.11


def check_mnist_like(dataset, mean, std, first):
    parts = (dataset.X_train, dataset.X_valid, dataset.X_test)
    assert [X.shape for X in parts] == [(50_000, 28, 28, 1), (10_000, 28, 28, 1), (10_000, 28, 28, 1)]
    assert {X.dtype for X in parts} == {np.dtype("f4")} and parts[0].min() == 0 and parts[0].max() == 1
    X = np.concatenate(parts[:2])
    assert abs(X.mean(dtype=float) - mean) < 1e-4 and abs(X.std(dtype=float) - std) < 1e-4
    assert dataset.y_train[:10].tolist() == first and dataset.y_test.dtype == np.int64
    levels = X[:100] * np.float32(255)
    assert_array_equal(X[:100], np.round(levels).astype(np.uint8).astype("float32") / 255)  # as Keras users write it
    return np.bincount(np.concatenate([dataset.y_train, dataset.y_valid]))


@pytest.fixture
def real(request, monkeypatch):
    "The real data set, from where it is on this machine."
    monkeypatch.undo()  # this machine as it is
    try:
        found = datasets.find(request.param)
    except DataNotFound as error:
        pytest.skip(str(error))
    if found is None:
        pytest.skip(f"{request.param} is not on this machine: set PUMAP_DATA to a folder that has it")
    return found


@pytest.mark.parametrize("real", ["mnist"], indirect=True)
def test_mnist(real):
    start = time.process_time()  # a busy machine is no slow reader
    dataset = load("mnist", download=False)
    assert time.process_time() - start < 20
    counts = check_mnist_like(dataset, 0.1307, 0.3081, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.shares_memory(dataset.X_train.base, dataset.X_valid.base)  # one array, converted once
    content = b"".join(datasets._content(path) for path in real[1])
    assert hashlib.sha256(content).hexdigest() == dataset.sha256 == describe("mnist")["sha256"]


@pytest.mark.parametrize("real", ["fmnist"], indirect=True)
def test_fmnist(real):
    dataset = load("fmnist", download=False)
    counts = check_mnist_like(dataset, 0.2860, 0.3530, [9, 0, 0, 3, 0, 2, 7, 2, 5, 5])
    assert set(counts) == {6000} and dataset.label_names[9] == "Ankle boot"
    content = b"".join(datasets._content(path) for path in real[1])
    assert hashlib.sha256(content).hexdigest() == dataset.sha256 == describe("fmnist")["sha256"]


@pytest.mark.parametrize("real", ["mnist"], indirect=True)
def test_one_byte_changed_in_mnist(real, tmp_path):
    folder = tmp_path / "given" / "mnist"
    folder.mkdir(parents=True)
    for path in real[1]:
        (folder / path.name).symlink_to(path)
    labels = next(path for path in real[1] if "t10k-labels" in path.name)
    content = bytearray(datasets._content(labels))
    content[-1] ^= 1
    (folder / labels.name).unlink()
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataDamaged, match=r"given/mnist/t10k-labels-idx1-ubyte.gz is not the published file") as error:
        load("mnist", data_dir=tmp_path / "given")
    one_sentence(error)


def test_names():
    papers = ("digits", "moons", "bison", "mnist", "fmnist", "cifar10", "cassins", "retina", "celeba")
    assert names() == papers + ("cifar10_jpeg", "finches", "worm_neurons", "celeba_small")
    for call in (load, describe):
        for wrong in ("mnits", "", None, 3, ["mnist"]):
            with pytest.raises(ValueError, match="the names are digits, moons, bison, mnist, fmnist, cifar10,"):
                call(wrong)


def test_all_checksums_are_sha256():
    for entry in datasets.DATASETS.values():
        for text in [entry.sha256, *(sha256 for _, sha256 in entry.files)]:
            assert text == "" or (len(text) == 64 and set(text) <= set("0123456789abcdef"))


# --- idx files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, dtype", [(8, "u1"), (9, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_of_every_type(code, dtype, tmp_path):
    array = np.arange(-6, 18).reshape(2, 3, 4).astype(dtype)
    content = idx(array, code)
    (tmp_path / "a.gz").write_bytes(content)  # unpacked on the way, the name left as it was
    (tmp_path / "b").write_bytes(gzip.compress(content))
    for source in (content, gzip.compress(content), tmp_path / "a.gz", str(tmp_path / "b")):
        read = read_idx(source)
        assert_array_equal(read, array)
        assert read.dtype.isnative and read.shape == (2, 3, 4)


GOOD = idx(np.arange(6, dtype=np.uint8))


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", r"not an idx file: it begins with the bytes \(none\)"),
        (b"\0\0", "not an idx file"),
        (b"<!DOCTYPE html>", "not an idx file: it begins with the bytes 3c 21 44 4f"),
        (b"\0\0\x07" + GOOD[3:], "not an idx file"),
        (b"\1" + GOOD[1:], "not an idx file"),
        (b"\0\0\x08\0", "not an idx file"),
        (GOOD[:6], "ends within its header, after 6 of 8 bytes"),
        (GOOD[:-1], r"holds 13 bytes, but its header, shape \(6,\), asks for 14"),
        (GOOD + b"\0", "holds 15 bytes"),
        (b"\0\0\x08\3" + b"\xff" * 12, "asks for"),
        (gzip.compress(GOOD)[:-4], "ends in the middle of its gzip stream"),
        (gzip.compress(GOOD)[:5], "gzip stream"),
        (gzip.compress(GOOD)[:12] + b"\xff\xff" + gzip.compress(GOOD)[14:], "cannot be decompressed"),
        (gzip.compress(GOOD)[:-8] + b"\0" * 8, "cannot be decompressed"),
        (gzip.compress(GOOD) + b"more", "cannot be decompressed"),
        (gzip.compress(GOOD[:-1]), "holds 13 bytes"),
    ],
)
def test_damaged_idx(content, words, tmp_path):
    (tmp_path / "file.gz").write_bytes(content)
    for source in (content, tmp_path / "file.gz"):
        with pytest.raises(DataDamaged, match=words) as error:
            read_idx(source)
        text = one_sentence(error)
    assert str(tmp_path / "file.gz") in text


def test_idx_that_is_not_there(tmp_path):
    for path in (tmp_path / "no", tmp_path):
        with pytest.raises(DataNotFound, match="cannot be read") as error:
            read_idx(path)
        assert str(path) in one_sentence(error)


# --- sources -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("layout", ["tiny", "Tiny/raw"])
def test_folder_given(tiny, tmp_path, monkeypatch, layout, zipped):
    put(tmp_path / "given" / layout, zipped)
    dataset = load("tiny", data_dir=tmp_path / "given")
    assert dataset.source == "folder given" and dataset.sha256 == tiny.sha256
    images = np.frombuffer(CONTENTS[FILES[0]], np.uint8, offset=16).reshape(8, 5, 4, 1)
    assert_array_equal(dataset.X_train, images[:6].astype("f4") / 255)
    assert_array_equal(dataset.X_valid, images[6:].astype("f4") / 255)
    assert_array_equal(dataset.y_valid, np.frombuffer(CONTENTS[FILES[1]], np.uint8, offset=8)[6:])
    assert len(dataset.X_test) == len(dataset.y_test) == 3
    monkeypatch.setenv("PUMAP_DATA", str(tmp_path / "given"))
    assert_array_equal(load("tiny").X_test, dataset.X_test)
    assert load("tiny", data_dir="").source == "folder given"
    assert not (tmp_path / "cache").exists()


def test_order_of_sources(tiny, tmp_path):
    put(tmp_path / "system")
    assert load("tiny").source == "system package dataset-tiny"
    put(tmp_path / "cache" / "tiny")
    assert load("tiny").source == "user cache"
    put(tmp_path / "given" / "tiny", leave_out=FILES[-1:])
    assert load("tiny", data_dir=tmp_path / "given").source == "user cache"
    put(tmp_path / "given" / "tiny")
    assert load("tiny", data_dir=tmp_path / "given").source == "folder given"
    told = describe("tiny", tmp_path / "given")
    assert told["here"] and told["problem"] is None and told["path"] == str(tmp_path / "given" / "tiny")
    assert told["rows"] == {"train": 6, "valid": 2, "test": 3} and told["sha256"] == tiny.sha256


@pytest.mark.parametrize("damage", [b"", b"rubbish", CONTENTS[FILES[0]], gzip.compress(CONTENTS[FILES[1]])[:-6]])
def test_damaged_file_in_the_folder_is_not_passed_over(tiny, tmp_path, damage):
    put(tmp_path / "system")
    bad = put(tmp_path / "given" / "tiny") / f"{FILES[1]}.gz"
    bad.write_bytes(damage)
    with pytest.raises(DataDamaged) as error:
        load("tiny", data_dir=tmp_path / "given")
    assert str(bad) in one_sentence(error)
    told = describe("tiny", tmp_path / "given")
    assert not told["here"] and str(bad) in told["problem"] and told["path"] == str(bad.parent)


def test_folder_that_does_not_exist(tiny, tmp_path, monkeypatch):
    put(tmp_path / "system")
    with pytest.raises(DataNotFound, match="given as data_dir, does not exist") as error:
        load("tiny", data_dir=tmp_path / "typo")
    one_sentence(error)
    assert "does not exist" in describe("tiny", tmp_path / "typo")["problem"]
    monkeypatch.setenv("PUMAP_DATA", str(tmp_path / "typo"))
    with pytest.raises(DataNotFound, match="named by PUMAP_DATA, does not exist"):
        load("tiny")
    assert load("digits").source == "scikit-learn"  # needs no folder


def test_cache_that_cannot_be_written_can_be_read(tiny, tmp_path):
    folder = put(tmp_path / "cache" / "tiny")
    folder.chmod(0o555)
    try:
        with permissions_count():
            assert load("tiny").source == "user cache"
    finally:
        folder.chmod(0o755)


# --- the internet ------------------------------------------------------------------------------------------------------


def hand_out(server, at="/one"):
    "Let the server hand out the tiny data set."
    for file, content in CONTENTS.items():
        server.answers[f"{at}/{file}.gz"] = gzip.compress(content)


@pytest.fixture
def online(tiny, server, monkeypatch):
    "The tiny data set with the server as its two mirrors."
    entry = replace(tiny, mirrors=(f"{server.url}/one/", f"{server.url}/two"))
    monkeypatch.setitem(datasets.DATASETS, "tiny", entry)
    return entry


def test_fetched_once_then_from_the_cache(online, server, tmp_path):
    hand_out(server)
    assert not describe("tiny")["here"] and not server.asked
    with pytest.raises(DataNotFound, match="not on this machine"):
        load("tiny", download=False)
    dataset = load("tiny")
    assert dataset.source == f"{server.url}/one/" and len(dataset.X_train) == 6 and len(server.asked) == 4
    assert sorted(p.name for p in files_below(tmp_path / "cache" / "tiny")) == sorted(f"{file}.gz" for file in FILES)
    assert load("tiny").source == "user cache" and len(server.asked) == 4
    (tmp_path / "cache" / "tiny" / f"{FILES[2]}.gz").unlink()
    load("tiny")
    assert server.asked[4:] == [f"/one/{FILES[2]}.gz"]  # only what is missing


def test_second_mirror(online, server):
    hand_out(server, "/two")
    server.answers[f"/one/{FILES[0]}.gz"] = b"<html>moved</html>"  # the others are 404
    assert load("tiny").source == f"{server.url}/two"


def spoiled(body):
    return {
        "wrong bytes": b"<html>moved</html>",
        "another file": gzip.compress(CONTENTS[FILES[2]]),
        "nothing": b"",
        "cut": (body[: len(body) // 2], len(body)),
        "cut at the start": (b"", len(body)),
        "cut, length untold": (body[: len(body) // 2], None),
        "404": 404,
        "503": 503,
    }


@pytest.mark.parametrize(
    "what, error, words",
    [
        ("wrong bytes", DataDamaged, "what it sent is not the published file"),
        ("another file", DataDamaged, "what it sent is not the published file"),
        ("nothing", DataDamaged, "what it sent is not the published file"),
        ("cut", DataNotFound, "the connection was cut"),
        ("cut at the start", DataNotFound, "the connection was cut"),
        ("cut, length untold", DataDamaged, "what it sent is not the published file"),
        ("404", DataNotFound, "the server answered 404"),
        ("503", DataNotFound, "the server answered 503"),
    ],
)
def test_bad_answers_leave_nothing_behind(online, server, tmp_path, what, error, words):
    hand_out(server)
    path = f"/one/{FILES[1]}.gz"
    server.answers[path] = spoiled(server.answers[path])[what]
    with pytest.raises(error, match=words) as caught:
        load("tiny")
    text = one_sentence(caught)
    assert f"{FILES[1]}.gz could not be fetched" in text and server.url + path in text
    assert "set PUMAP_DATA" in text and "install the system package dataset-tiny" in text
    left = [p.name for p in files_below(tmp_path / "cache" / "tiny")]
    assert left == [f"{FILES[0]}.gz"]  # the one that came well before it
    hand_out(server)
    assert len(load("tiny").X_train) == 6  # the next try heals it


def test_unpacked_by_the_server(online, server):
    "Some servers unpack .gz files on the way."
    for file, content in CONTENTS.items():
        server.answers[f"/one/{file}.gz"] = content
    load("tiny")
    assert load("tiny").source == "user cache"


def test_no_connection(tiny, tmp_path):
    with pytest.raises(DataNotFound) as error:
        load("tiny")
    text = one_sentence(error)
    assert "http://127.0.0.1:9/one/" in text and "http://127.0.0.1:9/two/" in text and "no connection" in text
    assert f"{FILES[0]}.gz could not be fetched" in text and "set PUMAP_DATA" in text
    assert not files_below(tmp_path / "cache" / "tiny")


def test_mnist_without_network(tmp_path):
    with pytest.raises(DataNotFound) as error:
        load("mnist")
    text = one_sentence(error)
    assert "train-images-idx3-ubyte.gz" in text and datasets.MNIST.mirrors[0] in text
    assert "put its 4 files in a folder 'mnist' and set PUMAP_DATA" in text
    told = describe("mnist")
    assert not told["here"] and told["problem"] is None and told["url"].startswith("https://")
    assert not files_below(tmp_path / "cache" / "mnist")


@pytest.mark.parametrize("place", ["a file is there", "a file above", "proc", "no permission"])
def test_cache_that_cannot_be_written(online, server, tmp_path, monkeypatch, place):
    hand_out(server)
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "locked").mkdir()
    cache = {
        "a file is there": tmp_path / "file",
        "a file above": tmp_path / "file" / "below",
        "proc": Path("/proc/pumap"),
        "no permission": tmp_path / "locked",
    }[place]
    if place == "proc" and not Path("/proc/self").exists():
        pytest.skip("there is no /proc, in which nobody can write, on this system")
    cache.chmod(0o555) if place == "no permission" else None
    monkeypatch.setenv("PUMAP_CACHE", str(cache))
    with pytest.raises(DataNotFound, match="set PUMAP_CACHE to a folder that can be written") as error, permissions_count():
        load("tiny")
    text = one_sentence(error)
    assert f"{FILES[0]}.gz cannot be kept in {cache}" in text and not server.asked


def test_fetch_takes_any_mirrors(server, tmp_path):
    server.answers["/here/labels.gz"] = gzip.compress(GOOD)
    path, mirror = fetch("labels", hashlib.sha256(GOOD).hexdigest(), tmp_path / "a" / "b", ["http://127.0.0.1:9", f"{server.url}/here"])
    assert path == tmp_path / "a" / "b" / "labels.gz" and mirror == f"{server.url}/here"
    assert_array_equal(read_idx(path), np.arange(6))
    with pytest.raises(DataNotFound, match="no connection.*answered 404.*; try again later"):
        fetch("labels", "0" * 64, tmp_path / "c", ["http://127.0.0.1:9", f"{server.url}/there"])
    assert not files_below(tmp_path / "c")


def test_two_processes_at_once(online, server, tmp_path):
    "Neither sees half a file of the other."
    hand_out(server)
    errors = []

    def fetch_it():
        try:
            assert len(load("tiny").X_train) == 6
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(p.name for p in files_below(tmp_path / "cache" / "tiny")) == sorted(f"{file}.gz" for file in FILES)


def test_without_pooch(tiny, tmp_path):
    "Files that are here load without it; what must be fetched names the extra."
    put(tmp_path / "given" / "tiny")
    code = f"""
import sys
sys.modules["pooch"] = None
from pumap.paper import datasets
datasets.load("digits")
print(datasets.find("mnist", {str(tmp_path / "given")!r}))
try:
    datasets.load("mnist", {str(tmp_path / "given")!r})
except ImportError as error:
    print(error)
"""
    env = {k: v for k, v in os.environ.items() if k not in ("PUMAP_DATA", "PUMAP_CACHE")}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=env).stdout
    assert out.splitlines() == ["None", "Fetching data sets needs pooch, which is not installed; run `pip install 'pumap[paper]'`."]


# --- bison, CIFAR10 and the retina as they are published -------------------------------------------------------------------


def publish(server, monkeypatch, name, content, rows):
    "Let the server hand out `content` as the file of a data set."
    (file, _), *_ = datasets.DATASETS[name].files
    sha256 = hashlib.sha256(content).hexdigest()
    entry = replace(datasets.DATASETS[name], files=((file, sha256),), sha256=sha256, mirrors=(f"{server.url}/",), rows=rows)
    monkeypatch.setitem(datasets.DATASETS, name, entry)
    server.answers[f"/{file}"] = content
    return entry


def test_bison_of_json(server, monkeypatch, tmp_path):
    points = np.random.default_rng(0).normal(size=(7, 3)).round(4)
    publish(server, monkeypatch, "bison", json.dumps({"2d": [], "3d": points.tolist()}).encode(), (7, 0, 0))
    bison = load("bison")
    assert_array_equal(bison.X_train, points.astype("f4"))
    assert_array_equal(bison.y_train, points[:, 2].astype("f4"))
    assert bison.X_test.shape == bison.X_valid.shape == (0, 3) and len(bison.y_test) == 0
    assert [path.name for path in files_below(tmp_path / "cache" / "bison")] == ["bison.json"]
    assert load("bison").source == "user cache" and describe("bison")["here"]
    few = take(bison, n_train=5, n_valid=3, n_test=3)  # it has no other parts, whatever is asked of them
    assert len(few.X_train) == 5 and len(few.X_test) == 0


def cifar_archive(extra=None):
    rng = np.random.default_rng(0)
    batches = {f"data_batch_{i}": rng.integers(0, 256, (4, 3072), dtype=np.uint8) for i in range(1, 6)}
    batches["test_batch"] = rng.integers(0, 256, (3, 3072), dtype=np.uint8)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in batches.items():
            content = pickle.dumps({b"data": data, b"labels": [len(name) + i for i in range(len(data))]} if extra is None else extra)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return batches, buffer.getvalue()


def test_cifar10_of_the_archive(server, monkeypatch):
    batches, content = cifar_archive()
    entry = publish(server, monkeypatch, "cifar10", content, (15, 5, 3))
    cifar = load("cifar10")
    assert [len(X) for X in (cifar.X_train, cifar.X_valid, cifar.X_test)] == [15, 5, 3] and cifar.shape == (32, 32, 3)
    data = np.concatenate(list(batches.values()))
    for i, image in ((0, cifar.X_train[0]), (15, cifar.X_valid[0]), (22, cifar.X_test[2])):
        for channel in range(3):
            assert_array_equal(image[..., channel].ravel(), data[i, channel * 1024 : (channel + 1) * 1024].astype("f4") / 255)
    assert cifar.y_valid.tolist() == [15, 12, 13, 14, 15] and cifar.y_test.tolist() == [10, 11, 12]
    assert cifar.sha256 == entry.sha256 and cifar.stand_in_for is None


class Trap:
    "Runs something when it is unpickled."

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("name", ["cifar10", "retina"])
@pytest.mark.parametrize("way", ["folder", "internet"])
def test_a_pickle_is_not_opened_before_its_checksum_is_right(server, monkeypatch, tmp_path, name, way):
    trap = Trap(str(tmp_path / "sprung"))
    content = cifar_archive(extra=trap)[1] if name == "cifar10" else gzip.compress(pickle.dumps(trap))
    file, published = datasets.DATASETS[name].files[0]
    if way == "folder":
        (tmp_path / "given" / name).mkdir(parents=True)
        (tmp_path / "given" / name / file).write_bytes(content)
    else:
        entry = publish(server, monkeypatch, name, content, (15, 5, 3))
        monkeypatch.setitem(datasets.DATASETS, name, replace(entry, files=((file, published),)))
        (tmp_path / "given").mkdir()
    with pytest.raises(DataDamaged, match="not the published file") as error:
        load(name, data_dir=tmp_path / "given")
    one_sentence(error)
    assert not describe(name, tmp_path / "given")["here"]
    assert not (tmp_path / "sprung").exists()


def test_retina_of_the_pickle(server, monkeypatch):
    from sklearn.model_selection import train_test_split

    rng = np.random.default_rng(0)
    pca, types = rng.normal(size=(200, 50)), rng.permutation(np.repeat(datasets.CELL_NAMES, 17)[:200])
    content = gzip.compress(pickle.dumps({"pca_50": pca, "CellType1": types, "CellType2": types}))
    publish(server, monkeypatch, "retina", content, (130, 50, 20))
    retina = load("retina")
    X, X_test, y, y_test = train_test_split(pca, types, test_size=0.1, random_state=42)
    assert_array_equal(retina.X_test, X_test.astype("f4"))
    assert_array_equal(retina.X_valid, X[-50:].astype("f4"))
    assert_array_equal(retina.X_train, X[:-50].astype("f4"))
    assert [retina.label_names[i] for i in retina.y_valid] == list(y[-50:])
    assert [retina.label_names[i] for i in retina.y_test] == list(y_test)


def test_the_papers_sizes():
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(np.arange(44_808), test_size=0.1, random_state=42)
    assert datasets.RETINA.rows == (len(rest) - 10_000, 10_000, len(test)) == (30_327, 10_000, 4_481)
    assert datasets.CIFAR10.rows == (40_000, 10_000, 10_000) and datasets.CASSINS.rows == (24_984, 1_000, 1_000)
    assert datasets.BISON.rows == (50_000, 0, 0) and datasets.CELEBA.rows == (28_000, 1_000, 1_000)


# --- what cannot be fetched, and what stands in for it ------------------------------------------------------------------


STAND_INS = {"cifar10_jpeg": "cifar10", "finches": "cassins", "worm_neurons": "retina", "celeba_small": "celeba"}


def test_stand_ins_are_named():
    from pumap.paper.experiments import STAND_INS as used

    assert {name: entry.stand_in_for for name, entry in datasets.DATASETS.items() if entry.stand_in_for} == STAND_INS
    assert used == {original: name for name, original in STAND_INS.items()}
    for name, original in STAND_INS.items():
        told = describe(name)
        assert told["stand_in_for"] == original and told["why_not"] and not told["here"] and told["problem"] is None
        assert describe(original)["stand_in_for"] is None


@pytest.mark.parametrize("name", ["cassins", "celeba", *STAND_INS])
@pytest.mark.parametrize("download", [True, False])
def test_what_cannot_be_fetched_says_why(name, download, tmp_path):
    with pytest.raises(DataNotFound, match="is not on this machine and cannot be fetched: .*set PUMAP_DATA") as error:
        load(name, download=download)
    one_sentence(error)
    assert not (tmp_path / "cache").exists()


def from_data_folder(name, monkeypatch):
    "A data set as it is on this machine, or a skip with its reason."
    monkeypatch.undo()
    try:
        return load(name, download=False)
    except DataNotFound as error:
        pytest.skip(str(error))


def check_parts(dataset):
    entry = datasets.DATASETS[dataset.name]
    for part, n in zip(("train", "valid", "test"), entry.rows):
        X, y = getattr(dataset, f"X_{part}"), getattr(dataset, f"y_{part}")
        assert X.shape == (n, *entry.shape) and X.dtype == np.float32 and len(y) == n
    assert dataset.sha256 and dataset.stand_in_for == entry.stand_in_for


def test_bison_of_the_data_folder(monkeypatch):
    bison = from_data_folder("bison", monkeypatch)
    check_parts(bison)
    assert bison.sha256 == describe("bison")["sha256"]
    assert len(np.unique(bison.X_train, axis=0)) == 26_556
    assert_array_equal(bison.y_train, bison.X_train[:, 2])


def test_cifar10_jpeg(monkeypatch):
    cifar = from_data_folder("cifar10_jpeg", monkeypatch)
    check_parts(cifar)
    y = np.concatenate([cifar.y_train, cifar.y_valid])
    assert set(np.bincount(y)) == {5000} and set(np.bincount(cifar.y_test)) == {1000}
    assert len(set(np.bincount(cifar.y_valid))) > 1  # shuffled: no longer class by class
    mean = (4 * cifar.X_train.mean(axis=(0, 1, 2), dtype=float) + cifar.X_valid.mean(axis=(0, 1, 2), dtype=float)) / 5
    assert np.abs(mean - [0.4914, 0.4822, 0.4465]).max() < 0.001  # the canonical channel means
    assert np.shares_memory(cifar.X_train.base, cifar.X_valid.base)  # decoded once, into one array


def test_finches(monkeypatch):
    finches = from_data_folder("finches", monkeypatch)
    check_parts(finches)
    assert not finches.X_train[:, :, 0].any() and finches.X_train[:, :, 1:].max() == 1
    counts = np.bincount(np.concatenate([finches.y_train, finches.y_valid, finches.y_test]))
    assert len(counts) == len(finches.label_names) == 20 and counts[0] == 1930 and counts[-1] == 177


def test_worm_neurons(monkeypatch):
    from sklearn.neighbors import KNeighborsClassifier

    worm = from_data_folder("worm_neurons", monkeypatch)
    check_parts(worm)
    assert KNeighborsClassifier(5).fit(worm.X_train, worm.y_train).score(worm.X_test, worm.y_test) > 0.95


def test_celeba_small(monkeypatch):
    faces = from_data_folder("celeba_small", monkeypatch)
    check_parts(faces)
    assert faces.y_train.shape == (8000, 40) and set(np.unique(faces.y_train)) == {0, 1}
    share = dict(zip(faces.label_names, faces.y_train.mean(axis=0)))
    assert abs(share["Male"] - 0.42) < 0.02 and abs(share["Smiling"] - 0.48) < 0.02
    mean = faces.X_train[:500].mean(axis=(0, 3))
    assert mean[24:40, 24:40].mean() > mean[:8, :8].mean() + 0.05  # a face is in the middle


@pytest.fixture
def few_faces(monkeypatch, tmp_path):
    "A folder as CelebAMask-HQ is unpacked, with four faces."
    from PIL import Image

    folder = tmp_path / "given" / "CelebAMask-HQ"
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    (folder / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    lines = ["4", " ".join(datasets.ATTRIBUTE_NAMES)]
    for i in range(4):
        Image.new("RGB", (64, 64), (200, 100, 50)).save(folder / "CelebA-HQ-img" / f"{i}.jpg", quality=95)
        for part, columns in (("skin", slice(0, 128)), ("hair", slice(128, 256))):
            mask = np.zeros((512, 512), np.uint8)
            mask[:, columns] = 255
            Image.fromarray(mask).save(folder / "CelebAMask-HQ-mask-anno" / "0" / f"{i:05d}_{part}.png")
        lines.append(f"{i}.jpg  " + " ".join("1" if j == i else "-1" for j in range(40)))
    (folder / "CelebAMask-HQ-attribute-anno.txt").write_text("\n".join(lines))
    monkeypatch.setitem(datasets.DATASETS, "celeba", replace(datasets.CELEBA, rows=(2, 1, 1)))
    return folder


def test_celeba_with_masks(few_faces, tmp_path):
    faces = load("celeba", data_dir=tmp_path / "given")
    assert faces.X_train.shape == (2, 128, 128, 3) and faces.y_train.tolist()[1][:3] == [0, 1, 0] and faces.y_test.sum() == 1
    assert np.abs(faces.X_test[0, :, :60] * 255 - [200, 100, 50]).max() < 4  # skin and hair
    assert faces.X_test[0, :, 68:].max() == 0  # background
    (few_faces / "CelebA-HQ-img" / "3.jpg").unlink()
    with pytest.raises(DataNotFound, match="3.jpg or its masks .* are missing"):
        load("celeba", data_dir=tmp_path / "given")
    table = few_faces / "CelebAMask-HQ-attribute-anno.txt"
    text = table.read_text()
    table.write_text(text.rsplit("\n", 1)[0])
    with pytest.raises(DataDamaged, match="a table of 3 faces"):
        load("celeba", data_dir=tmp_path / "given")
    table.write_text(text.replace("-1", "no", 1))
    with pytest.raises(DataDamaged, match="the value 'no', where each attribute is 1 or -1"):
        load("celeba", data_dir=tmp_path / "given")
    table.write_bytes(bytes(range(256)))
    with pytest.raises(DataDamaged, match="not the 40 attributes"):
        load("celeba", data_dir=tmp_path / "given")


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_size(path):
    from PIL import Image

    Image.new("L", (256, 512)).save(path)


@pytest.mark.parametrize(
    "name, damage, words",
    [
        ("CelebA-HQ-img/1.jpg", cut_in_half, "1.jpg cannot be read as a picture"),
        ("CelebA-HQ-img/2.jpg", lambda path: path.write_bytes(b"<html>"), "2.jpg cannot be read as a picture"),
        ("CelebAMask-HQ-mask-anno/0/00001_hair.png", cut_in_half, "00001_hair.png cannot be read as a picture"),
        ("CelebAMask-HQ-mask-anno/0/00003_skin.png", other_size, "00003_skin.png has 256 x 512 pixels, not 512 x 512"),
        ("CelebAMask-HQ-mask-anno/0/00002_skin.png", lambda path: path.rename(path.with_name("._00002_skin.png")), r"\._00002_skin.png is no mask by its name"),
    ],
    ids=["half an image", "a page in place of an image", "half a mask", "a mask of another size", "a mask of another name"],
)
def test_a_damaged_face_is_named(few_faces, tmp_path, name, damage, words):
    damage(few_faces / name)
    with pytest.raises(DataDamaged, match=words) as error:
        load("celeba", data_dir=tmp_path / "given")
    assert "\n" not in str(error.value)


# --- songs ----------------------------------------------------------------------------------------------------------------


def syllables(n=40):
    moments = np.arange(3200) / 32_000
    return [np.sin(2 * np.pi * 1500 * (1 + i % 4) * moments[: 600 + 600 * (i % 3)]) for i in range(n)], np.array(["dcba"[i % 4] for i in range(n)])


def test_songs_of_audio_and_of_spectrograms_are_the_same(tmp_path):
    audio, labels = syllables()
    np.savez(tmp_path / "audio.npz", audio=np.concatenate(audio), offsets=np.cumsum([0, *map(len, audio)]), rate=32_000, labels=labels)
    pictures = [datasets.spectrogram(a, 32_000) for a in audio]
    block = np.full((40, 32, 100), 0.5, np.float32)  # what lies behind a syllable is not looked at
    for row, picture in zip(block, pictures):
        row[:, : picture.shape[1]] = picture
    np.savez(tmp_path / "pictures.npz", spectrograms=block, n_moments=[p.shape[1] for p in pictures], labels=labels)
    one, two = (songs(tmp_path / f"{name}.npz", n_labels=3, n_valid=4, n_test=5) for name in ("audio", "pictures"))
    assert len(one.X_train) == 30 - 9 and one.shape == (32, 32, 1) and one.X_train.dtype == np.float32
    for part in ("X_train", "y_train", "X_valid", "y_valid", "X_test", "y_test"):
        assert_array_equal(getattr(one, part), getattr(two, part))
    assert one.label_names == ("a", "b", "c") and one.y_valid.tolist() == [2, 1, 0, 2]  # the order of the file
    assert len(one.sha256) == 64 and one.sha256 != two.sha256


def test_songs_of_a_folder(tmp_path):
    from scipy.io import wavfile

    for i, (audio, label) in enumerate(zip(*syllables())):
        (tmp_path / label).mkdir(exist_ok=True)
        wavfile.write(tmp_path / label / f"{i:02d}.wav", 32_000, (30_000 * audio).astype(np.int16))
    dataset = songs(tmp_path, n_valid=10, n_test=10)
    assert len(dataset.X_train) == 20 and dataset.label_names == tuple("abcd")
    assert len(set(dataset.y_valid)) > 1  # shuffled, though the folders are not
    bands = [dataset.X_train[dataset.y_train == i].sum(axis=(0, 2, 3)).argmax() for i in range(4)]
    assert bands == sorted(bands, reverse=True)  # "a" is the highest tone


def test_load_cassins_takes_ones_own_file_and_never_finches(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "given" / "cassins").mkdir(parents=True)
    np.savez(tmp_path / "given" / "cassins" / "cassins.npz", spectrograms=rng.random((3000, 32, 31), dtype=np.float32), labels=rng.integers(0, 25, 3000))
    assert describe("cassins", tmp_path / "given")["here"]
    mine = load("cassins", data_dir=tmp_path / "given")
    assert len(mine.X_valid) == len(mine.X_test) == 1000 and len(mine.label_names) == 20 and mine.stand_in_for is None
    (tmp_path / "given" / "birdsong").mkdir()
    (tmp_path / "given" / "birdsong" / datasets.FINCHES.files[0][0]).write_bytes(b"")
    (tmp_path / "given" / "cassins" / "cassins.npz").unlink()
    with pytest.raises(DataNotFound, match="the stand-in is 'finches'"):
        load("cassins", data_dir=tmp_path / "given")


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"labels": np.arange(3)}, "it needs labels, and spectrograms or audio"),
        ({"labels": np.arange(3), "spectrograms": np.zeros((3, 30, 31))}, r"spectrograms of shape \(3, 30, 31\) for 3 labels"),
        ({"labels": np.arange(3), "spectrograms": np.full((3, 32, 31), 255.0)}, "not from 0 to 1"),
        ({"labels": np.arange(3), "spectrograms": np.full((3, 32, 31), np.nan)}, "not from 0 to 1"),
        ({"labels": np.arange(3), "spectrograms": np.zeros((3, 32, 31)), "n_moments": [31, 0, 5]}, "n_moments outside 1 to 31"),
        ({"labels": np.arange(3), "spectrograms": np.zeros((2, 32, 31))}, "for 3 labels"),
        ({"labels": np.arange(3), "spectrograms": np.zeros((3, 32, 31))}, "has 3 syllables .* more than 2,000"),
        ({"labels": np.arange(2), "audio": np.ones(900), "offsets": np.array([0, 400]), "rate": 32_000}, "2 offsets for 2 labels"),
        ({"labels": np.arange(2), "audio": np.ones(900), "offsets": np.array([0, 100, 900]), "rate": 32_000}, "syllable 0: .* at least 8 ms"),
        ({"labels": np.arange(1), "audio": np.ones(900), "offsets": np.array([0, 900]), "rate": 8_000}, "a rate of at least 20000"),
        ({"labels": np.arange(1), "audio": np.full(900, np.nan), "offsets": np.array([0, 900]), "rate": 32_000}, "syllable 0: .* of finite numbers"),
        ({"labels": np.arange(1), "audio": np.ones(900), "offsets": np.array([0.0, 900.0]), "rate": 32_000}, "offsets of type float64"),
        ({"labels": np.arange(1), "audio": np.ones(900), "offsets": np.array([0, 901]), "rate": 32_000}, "within the 900 samples"),
        ({"labels": np.arange(2), "audio": np.ones(900), "offsets": np.array([0, 900, 500]), "rate": 32_000}, "do not go up"),
        ({"labels": np.arange(3), "spectrograms": np.zeros((3, 32, 31)), "n_moments": [31.0, 2.0, 5.0]}, "n_moments of type float64"),
        ({"labels": np.array(["a", None], dtype=object), "spectrograms": np.zeros((2, 32, 31))}, "mine.npz cannot be read .* not objects"),
    ],
)
def test_songs_that_do_not_fit(arrays, words, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(ValueError, match=words) as error:
        songs(tmp_path / "mine.npz")
    one_sentence(error)


def test_songs_that_are_damaged(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", spectrograms=rng.random((30, 32, 31)), labels=np.arange(30) % 3)
    whole = (tmp_path / "mine.npz").read_bytes()
    for damaged in (whole[:-100], whole[: len(whole) // 2], whole[:40_000] + bytes(1000) + whole[41_000:]):
        (tmp_path / "mine.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match="mine.npz cannot be read") as error:
            songs(tmp_path / "mine.npz", n_valid=5, n_test=5)
        one_sentence(error)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="one.wav cannot be read as a WAV file") as error:
        songs(tmp_path)
    one_sentence(error)


@pytest.mark.parametrize("wrong", [{"n_valid": -1}, {"n_test": 2.5}, {"n_labels": 0}])
def test_numbers_of_songs_are_whole(wrong, tmp_path):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*whole number of at least"):
        songs(tmp_path, **wrong)


def test_pictures_that_cannot_be_resized_or_padded():
    with pytest.raises(ValueError, match="at least one moment"):
        datasets.log_resized(np.zeros((32, 0)))
    with pytest.raises(ValueError, match="40 columns, more than 31"):
        datasets.padded(np.zeros((32, 40)))


def test_songs_that_are_not_there(tmp_path):
    with pytest.raises(DataNotFound, match="cannot be read"):
        songs(tmp_path / "no.npz")
    (tmp_path / "page.npz").write_bytes(b"<html>")
    with pytest.raises(ValueError, match="not a NumPy file"):
        songs(tmp_path / "page.npz")


# --- take --------------------------------------------------------------------------------------------------------------


def test_take():
    digits = load("digits")
    few = take(digits, n_train=10, n_valid=1, n_test=300)
    assert (len(few.X_train), len(few.y_train), len(few.X_valid), len(few.X_test)) == (10, 10, 1, 300)
    assert few.sha256 == digits.sha256 and np.shares_memory(few.X_train, digits.X_train)
    assert len(take(digits).X_train) == 1197
    for wrong in (0, -1, 1198, 2.5, True, "10"):
        with pytest.raises(ValueError, match="n_train is .*whole number from 1 to 1197"):
            take(digits, n_train=wrong)


def test_a_dataset_is_not_changed_by_accident():
    from dataclasses import FrozenInstanceError

    with pytest.raises(FrozenInstanceError):
        load("moons").name = "other"
