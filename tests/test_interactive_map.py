"""The interactive map: what is in the file, that its network agrees with Keras, and that it works in a browser."""

import base64
import gzip
import json
import re
import shutil
import subprocess
import warnings
from html.parser import HTMLParser

import keras
import numpy as np
import pandas as pd
import pytest
from browser import chromium, needs_chromium
from conftest import ROOT
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from pumap import ParametricUMAP
from pumap.interactive_map import PageNetwork, halve, map_page, network_steps

X, y = load_digits(return_X_y=True)
X = X.astype("float32") / 16
TRAINED = slice(0, 800)
EVIL = '</script><img src="x" onerror="document.title=1">&amp;\u2028'
NODE = shutil.which("node")


def data_of(page):
    return json.loads(re.search('<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def unpacked(text, dtype):
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype)


def run_packed(network, rows):
    "What the template does with a network, from the file alone."
    activations = {"linear": lambda v: v, "relu": lambda v: np.maximum(v, 0), "sigmoid": lambda v: 1 / (1 + np.exp(-v)), "tanh": np.tanh}
    x = rows - unpacked(network["center"], "<f8")
    for step in network["steps"]:
        if "kernel" in step:
            factors, columns = unpacked(step["rows"], "<f4"), unpacked(step["columns"], "<f4")
            kernel = unpacked(step["kernel"], "<f2").astype("float64").reshape(len(factors), len(columns))
            x = x @ (kernel * factors[:, None] * columns) + unpacked(step["bias"], "<f4")
        elif "scale" in step:
            x = x * unpacked(step["scale"], "<f4") + unpacked(step["bias"], "<f4")
        x = activations[step["activation"]](x)
    return x if network["shift"] is None else x + unpacked(network["shift"], "<f8")


def test_the_committed_map_is_of_this_template():
    "But for title and data. The notebook tutorials/interactive_map says how it is made again."
    template = (ROOT / "pumap" / "interactive_map.html").read_text(encoding="utf-8")
    page = (ROOT / "figures" / "laptop" / "map_mnist.html").read_text(encoding="utf-8")
    kept = page.partition('<script type="application/json" id="data">')
    data, _, rest = kept[2].partition("</script>")
    assert data.startswith('{"rows":10000,')
    assert (kept[0] + kept[1] + "__DATA__</script>" + rest).replace("MNIST", "__TITLE__") == template


def adopted(encoder, X, decoder=None, **params):
    return ParametricUMAP.from_encoder(encoder, X, decoder, **params)


def dense(widths, n_inputs, activation="relu"):
    hidden = [keras.layers.Dense(width, activation=activation) for width in widths[:-1]]
    return keras.Sequential([keras.Input((n_inputs,)), *hidden, keras.layers.Dense(widths[-1])])


@pytest.fixture(scope="module")
def digits():
    return ParametricUMAP(decoder="mlp", n_training_epochs=1, n_decoder_epochs=20, batch_size=200, random_state=0).fit(X[TRAINED])


@pytest.fixture(scope="module")
def file(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "new" / "digits.html"
    digits.to_html(path, X[:1000], labels=y[:1000], images=(8, 8), text=[f"digit number {i}" for i in range(1000)], title="Digits & more")
    return path


# the file


def test_the_file_is_whole_and_loads_nothing(file):
    page = file.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!data:)|https?:|//\w+\.|@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", page)
    assert "default-src 'none'" in page and "<title>Digits &amp; more</title>" in page and "__DATA__" not in page
    assert len(page) < 600_000


def test_points_and_pixels_are_those_of_the_rows(digits, file):
    data = data_of(file.read_text(encoding="utf-8"))
    np.testing.assert_array_equal(unpacked(data["points"], "<f4").reshape(-1, 2), digits.transform(X[:1000]))
    np.testing.assert_allclose(unpacked(data["images"]["pixels"], "u1").reshape(-1, 64) / 255, X[:1000], atol=0.002)
    assert data["classes"]["names"] == list("0123456789") and unpacked(data["classes"]["codes"], "<u2").tolist() == y[:1000].tolist()
    assert data["text"][7] == "digit number 7" and data["columns"] is None and "quantity" not in data


def test_float16_weights_agree_with_keras(digits, file):
    "Also on rows that the page does not hold."
    data, spread = data_of(file.read_text(encoding="utf-8")), digits.embedding_.std(axis=0).max()
    assert np.abs(run_packed(data["encoder"], X[1000:]) - digits.transform(X[1000:])).max() < 1e-2 * spread
    points = digits.transform(X[1000:])
    assert np.abs(run_packed(data["decoder"], points) - digits.inverse_transform(points)).max() < 1e-2


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e7])
def test_columns_in_any_unit_and_far_from_zero(unit):
    "float16 reaches from 6e-8 to 65,504; columns and weights go beyond, and an origin far away must not cost digits."
    rows = np.random.default_rng(0).normal(size=(300, 4)) * [unit, 1, 1, 1 / unit] + np.array([1e4 * unit, 0, 3e8, 0])
    model = ParametricUMAP(n_training_epochs=0.2, random_state=0).fit(rows)
    page = map_page(model, rows)
    found = data_of(page)
    spread = model.embedding_.std(axis=0).max()
    assert np.abs(run_packed(found["encoder"], rows) - model.transform(rows)).max() < 1e-2 * spread
    shown = unpacked(found["columns"]["values"], "<f4").reshape(-1, 4) + np.array(found["columns"]["offset"])
    np.testing.assert_allclose(shown, rows, rtol=1e-6, atol=1e-6 * unit)


def test_halves_keep_three_digits():
    kernel = np.random.default_rng(0).normal(size=(6, 4)) * [1e-8, 1, 1, 1e8] * np.array([1, 1e-7, 1, 1e7, 0, 1])[:, None]
    halves, rows, columns = halve(kernel)
    assert halves.dtype == np.float16 and np.abs(halves).max() == 1
    np.testing.assert_allclose(halves.astype("float64") * rows[:, None] * columns, kernel, rtol=2e-3, atol=1e-6 * np.abs(kernel).max(axis=0).min())


# what the page cannot run


def functional(skip):
    inputs = keras.Input((64,))
    hidden = keras.layers.Dense(64, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(hidden + inputs if skip else hidden))


def test_layers_of_every_kind():
    layers = keras.layers
    nested = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), dense([30, 20], 64, "tanh"), layers.Dropout(0.5), layers.BatchNormalization(), layers.ReLU(), layers.Dense(2, use_bias=False)])
    norm = next(layer for layer in nested.layers if isinstance(layer, layers.BatchNormalization))
    norm.set_weights([np.linspace(low, 2, 20) for low in (0.5, -1, 0, 1)])
    for network in (nested, functional(False)):
        rows = X[:50].reshape(-1, *network.input_shape[1:])
        expected = network.predict(rows, verbose=0)
        np.testing.assert_allclose(PageNetwork(network, X[:50].astype("float64"))(X[:50]), expected, atol=5e-3 * np.abs(expected).max())
        np.testing.assert_allclose(run_packed(PageNetwork(network, X[:50]).packed(), X[:50]), expected, atol=5e-3 * np.abs(expected).max())


def odd(*layers, shape=(64,)):
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(2)])


NOT_RUN = {  # encoder, and a word of the warning
    "convolution": (lambda: odd(keras.layers.Reshape((8, 8, 1)), keras.layers.Conv2D(2, 3, name="the_conv"), keras.layers.Flatten()), "'the_conv'"),
    "activation": (lambda: odd(keras.layers.Dense(3, activation="softmax", name="soft")), "'soft'"),
    "not flat": (lambda: odd(keras.layers.Reshape((8, 8)), keras.layers.Dense(3, name="on_lines"), keras.layers.Flatten()), "'on_lines'"),
    "skip connection": (lambda: functional(True), "as a chain of layers, the network differs from Keras"),
    "too large": (lambda: odd(keras.layers.Dense(40_000)), "2,680,002 weights"),
}


@pytest.mark.parametrize("kind", NOT_RUN)
def test_one_warning_names_the_layer(kind):
    make, word = NOT_RUN[kind]
    model = adopted(make(), X[:100])
    with pytest.warns(UserWarning, match=word) as caught:
        data = data_of(map_page(model, X[:100], images=(8, 8)))
    assert len(caught) == 1 and data["encoder"] is None and data["images"]["rows"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        map_page(model, X[:100], images=(8, 8), network=False)


def test_a_decoder_may_run_alone():
    model = adopted(odd(keras.layers.Dense(3, activation="softmax")), X[:100], decoder=dense([10, 64], 2))
    with pytest.warns(UserWarning, match="encoder: layer"):
        data = data_of(map_page(model, X[:100], images=(8, 8)))
    assert data["encoder"] is None and len(data["decoder"]["steps"]) == 2


# rows and labels


def test_rows_of_every_kind():
    "Lists, sparse rows and images give the same page; a frame brings its names."
    model = adopted(dense([10, 2], 64), X[:100])
    page = map_page(model, X[:100], images=(8, 8))
    for same in (X[:100].tolist(), sparse.csr_matrix(X[:100])):
        assert data_of(map_page(model, same, images=(8, 8)))["images"] == data_of(page)["images"]
    images = adopted(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]), X[:100].reshape(-1, 8, 8, 1))
    assert data_of(map_page(images, X[:100].reshape(-1, 8, 8, 1)))["images"] == data_of(page)["images"]
    frame = pd.DataFrame(X[:100, 20:24], columns=["a", "b", EVIL, "d"])
    named = ParametricUMAP(n_training_epochs=0.05, random_state=0).set_output(transform="pandas").fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = data_of(map_page(named, frame))["columns"]
    assert columns["names"] == ["a", "b", EVIL, "d"]
    np.testing.assert_allclose(unpacked(columns["values"], "<f4").reshape(-1, 4), frame.to_numpy())


def test_wide_rows_are_neither_stored_nor_made_dense():
    wide = sparse.random(200, 40_000, density=1e-3, format="csr", random_state=0, dtype="float32")
    model = adopted(dense([5, 2], 40_000), wide)
    with pytest.warns(UserWarning, match="40,000 values can neither be drawn nor edited"):
        data = data_of(map_page(model, wide, text=["a"] * 200))
    assert data["columns"] is None and data["images"] is None


def test_pictures_of_rows_that_are_something_else():
    model = adopted(dense([10, 2], 4), X[:100, 20:24])
    data = data_of(map_page(model, X[:100, 20:24], images=np.zeros((100, 5, 6, 3), "uint8")))
    assert data["images"]["shape"] == [5, 6, 3] and not data["images"]["rows"] and data["columns"] and data["encoder"]


@pytest.mark.parametrize("labels, kind", [(y[:100], "classes"), (X[:100, 20], "quantity"), (y[:100] > 4, "classes"), (y[:100] / 1.0, "classes"), (pd.Series(y[:100]).astype("category"), "classes")])
def test_kinds_of_labels(labels, kind):
    labels = np.where(np.arange(100) == 0, 0.5, labels) if kind == "quantity" else labels
    data = data_of(map_page(adopted(dense([10, 2], 64), X[:100]), X[:100], labels=labels, images=(8, 8)))
    assert kind in data and not {"classes", "quantity"} <= set(data)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append(tag)


def test_everything_is_escaped():
    model = adopted(dense([10, 2], 4), X[:100, 20:24])
    frame = pd.DataFrame(X[:100, 20:24], columns=[EVIL, "b", "<b>", "__DATA__"])
    harmless = map_page(model, frame.to_numpy(), labels=["a"] * 100, text=["a"] * 100)
    page = map_page(model, frame.to_numpy(), labels=[EVIL] * 100, text=[EVIL] * 100, title=EVIL + "__DATA__")
    assert Tags(page).found == Tags(harmless).found
    assert data_of(page)["classes"]["names"] == [EVIL] and page.count("__DATA__") == harmless.count("__DATA__") + 2


WRONG = {
    "3-D": (dict(n=3), {}, "n_components=2"),
    "labels": ({}, dict(labels=y[:99]), r"\(99,\)"),
    "NaN": ({}, dict(labels=np.full(100, np.nan)), "NaN"),
    "classes": ({}, dict(labels=[str(i) for i in range(201)], rows=201), "text instead"),
    "text": ({}, dict(text=["a"]), "text has 1"),
    "shape": ({}, dict(images=(8, 9)), "64 values"),
    "images": ({}, dict(images=X[:99].reshape(-1, 8, 8)), "100"),
    "channels": ({}, dict(images=np.zeros((100, 8, 8, 2))), "1 or 3 channels"),
    "large": ({}, dict(images=np.broadcast_to(np.uint8(0), (100, 1000, 1000))), "100 MB"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_misuse(kind, tmp_path):
    "One short error, and no file."
    made, options, word = WRONG[kind]
    rows = X[: options.pop("rows", 100)]
    with pytest.raises(ValueError, match=word) as error:
        adopted(dense([10, made.get("n", 2)], 64), X[:100]).to_html(tmp_path / "map.html", rows, **options)
    assert len(str(error.value)) < 200 and not list(tmp_path.iterdir())


def test_too_many_rows_and_no_fit():
    with pytest.raises(ValueError, match="200,001 rows; a page holds at most 200,000"):
        map_page(adopted(dense([2], 64), X[:10]), np.broadcast_to(X[0], (200_001, 64)))
    with pytest.raises(NotFittedError):
        ParametricUMAP().to_html("never.html", X)


# the script, in Node


IN_NODE = """
const fs = require("fs"), page = fs.readFileSync(process.argv[1], "utf-8"), scripts = [...page.matchAll(/<script[^>]*>([^]*?)<\\/script>/g)];
const data = JSON.parse(scripts[0][1]), rows = JSON.parse(fs.readFileSync(0, "utf-8"));
const { readNetwork, runNetwork, fromHalf, ACTIVATIONS, nearest } = new Function(scripts[1][1] + "; return { readNetwork, runNetwork, fromHalf, ACTIVATIONS, nearest };")();
(async () => {
  const [encoder, decoder] = [await readNetwork(data.encoder), await readNetwork(data.decoder)];
  const points = rows.map(row => [...runNetwork(encoder, row)]);
  const values = [-30, -2, -0.5, 0, 0.5, 2, 30];
  console.log(JSON.stringify({
    points, decoded: points.map(point => [...runNetwork(decoder, point)]), halves: Array.from({ length: 65536 }, (_, bits) => fromHalf(bits)),
    activations: Object.fromEntries(Object.entries(ACTIVATIONS).map(([name, f]) => [name, values.map(v => f(v))])),
    nearest: nearest(new Float32Array([0, 0, 3, 0, 1, 0, 2, 0]), 0.9, 0, [1, 1, 0, 2], 2).map(({ i }) => i),
  }));
})();
"""


@pytest.mark.skipif(not NODE, reason="needs Node (apt install nodejs)")
def test_the_script_computes_what_keras_computes(digits, file):
    done = subprocess.run([NODE, "-e", IN_NODE, str(file)], input=json.dumps(X[1000:1040].tolist()), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    points = digits.transform(X[1000:1040])
    assert np.abs(np.array(told["points"]) - points).max() < 1e-2 * digits.embedding_.std(axis=0).max()
    assert np.abs(np.array(told["decoded"]) - digits.inverse_transform(points)).max() < 1e-2
    halves = np.arange(65536, dtype="uint16").view("float16").astype("float64")
    finite = np.isfinite(halves)
    np.testing.assert_array_equal(np.array(told["halves"], dtype="float64")[finite], halves[finite])
    for name, values in told["activations"].items():
        expected = keras.activations.get(name)(np.array([-30, -2, -0.5, 0, 0.5, 2, 30], dtype="float32"))
        np.testing.assert_allclose(values, keras.ops.convert_to_numpy(expected), atol=1e-6, err_msg=name)
    assert told["nearest"] == [0, 3]


def test_the_template_has_the_activations_of_the_module():
    template = (ROOT / "pumap" / "interactive_map.html").read_text(encoding="utf-8")
    listed = re.search(r"const ACTIVATIONS = \{(.*?)\n\};", template, re.S)[1]
    from pumap.interactive_map import _ACTIVATIONS

    assert re.findall(r"^  (\w+):", listed, re.M) == [name for name, _ in _ACTIVATIONS.values()]
    assert len(network_steps(dense([3, 2], 4))) == 2


# the page, in a browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as page:
        yield page


def opened(browser, file, **window):
    browser.open(file, **window)
    browser.wait("document.documentElement.dataset.ready")
    browser.settle()
    return browser


def screen_of(page, i):
    "Where a row is on the screen."
    left, top, width, height = page.box("#points")
    x, y = page.run(f"(at => [at.x, at.y])(toScreen(points[{2 * i}], points[{2 * i + 1}]))")
    return left + x, top + y


def darkness(page):
    "How many pixels of the map are not background."
    return page.run("sheet.data.reduce((sum, _, at) => sum + (at % 4 === 0 && sheet.data[at] !== back[0]), 0)")


def strokes(page, *lines):
    "Draw lines, in shares of the drawing's size."
    left, top, width, height = page.box("#pad")
    for line in lines:
        page.drag([(left + width * x, top + height * y) for x, y in line])


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("window", [dict(width=1400, height=900), dict(width=390, height=844), dict(width=1400, height=900, dark=True), dict(width=390, height=844, dark=True)])
def test_opens_in_every_window(browser, file, window):
    page = opened(browser, file, **window)
    assert not page.errors and [address for address in page.requests if not address.startswith(("file:", "data:"))] == []
    assert page.run("document.documentElement.scrollWidth") == window["width"]
    assert page.run("document.title") == "Digits & more" and darkness(page) > 2000
    assert page.run("back[0] < 60") == window.get("dark", False)
    assert page.run("[...document.querySelectorAll('button, input')].every(e => (e.innerText || e.labels?.[0]?.innerText || e.getAttribute('aria-label') || '').trim())")


@needs_chromium
@pytest.mark.slow
def test_a_digit_is_drawn_and_lands(browser, digits, file):
    page = opened(browser, file, width=1400, height=900)
    strokes(page, [(0.5, 0.1 + 0.1 * k) for k in range(9)])
    drawn = np.array(page.run("[...pad]"))
    assert drawn.max() > 0.5 and (drawn > 0).sum() >= 8
    landing, spread = np.array(page.run("[...landing]")), digits.embedding_.std(axis=0).max()
    assert np.abs(landing - digits.transform(drawn[None])[0]).max() < 1e-2 * spread
    nearest = np.argsort(((digits.transform(X[:1000]) - landing) ** 2).sum(axis=1))[:5]
    assert page.run("$('landed').textContent").endswith(f"Nearest: {', '.join(map(str, y[nearest]))}.")
    decoded = np.array(page.run("(c => [...c.getContext('2d').getImageData(0, 0, 8, 8).data].filter((_, at) => at % 4 === 0))($('decoded'))"))
    assert np.abs(decoded / 255 - digits.inverse_transform(landing[None])[0]).max() < 0.02
    page.click("#erase")
    strokes(page, [(0.5, 0.1 + 0.1 * k) for k in range(9)])
    assert page.run("Math.max(...pad)") < drawn.max() / 2
    page.click("#clear")
    assert page.run("landing === null && Math.max(...pad) === 0") and not page.errors


@needs_chromium
@pytest.mark.slow
def test_a_row_is_shown_clicked_and_decoded(browser, digits, file):
    page = opened(browser, file, width=1400, height=900)
    i = 20
    page.mouse("moved", *screen_of(page, i))
    page.settle()
    i = page.run("hovered")  # it, or one on top of it
    assert np.ptp(digits.transform(X[[i, 20]]), axis=0).max() < 0.5
    assert page.run("$('tip').innerText").split("\n")[:3] == [str(y[i]), f"digit number {i}", f"row {i}"]
    place = page.run("(place => [place.x, place.y])(toMap(toScreen(points[40], points[41])))")
    shown = np.array(page.run("(c => [...c.getContext('2d').getImageData(0, 0, 8, 8).data].filter((_, at) => at % 4 === 0))($('decoded'))"))
    assert np.abs(shown / 255 - digits.inverse_transform([place])[0]).max() < 0.1  # the pointer is on a whole pixel
    page.click(screen_of(page, 20))
    assert page.run("selected") == i
    np.testing.assert_allclose(page.run("[...pad]"), X[i], atol=0.002)
    assert np.abs(np.array(page.run("[...landing]")) - digits.transform(X[[i]])[0]).max() < 1e-2 * digits.embedding_.std(axis=0).max()
    assert not page.errors


@needs_chromium
@pytest.mark.slow
def test_legend_and_search(browser, file):
    page = opened(browser, file, width=1400, height=900)
    before = darkness(page)
    page.click("#classes button:nth-child(4)")
    assert page.run("$('found').textContent") == f"{(y[:1000] != 3).sum()} of 1,000 rows" and darkness(page) < before
    assert page.run("[...document.querySelectorAll('#classes button')].map(b => b.getAttribute('aria-pressed'))").count("false") == 1
    page.click("#none")
    assert darkness(page) == 0
    page.click("#every")
    assert darkness(page) == before
    page.click("#search")
    page.write("NUMBER 77")
    assert page.run("$('found').textContent") == f"{sum(f'{i}'.startswith('77') for i in range(1000))} of 1,000 rows"
    page.press("Enter")
    assert page.run("selected") == 77
    page.run("$('search').value = 'Row 12', $('search').dispatchEvent(new Event('input'))")
    assert page.run("$('found').textContent") == "1 of 1,000 rows"
    page.press("Enter")
    assert page.run("selected") == 12 and page.run("Math.abs(view.x - points[24]) < 1e-6")
    assert not page.errors


@needs_chromium
@pytest.mark.slow
def test_mouse_keys_and_fingers_move_the_map(browser, file):
    page = opened(browser, file, width=1400, height=900)
    view = lambda: page.run("[view.x, view.y, view.scale / view.first]")
    x, y_, scale = view()
    page.drag([(500, 400), (520, 410), (600, 450)])
    assert view()[0] < x and view()[1] > y_ and view()[2] == 1
    fixed = page.run("toMap({x: 300, y: 300}).x")
    left, top, *_ = page.box("#points")
    page.mouse("wheel", left + 300, top + 300, deltaX=0, deltaY=-400)
    page.settle()
    assert view()[2] > 1.5 and abs(page.run("toMap({x: 300, y: 300}).x") - fixed) < 1e-6
    page.run("$('points').focus()")
    for key, axis, sign in (("ArrowRight", 0, 1), ("ArrowUp", 1, 1), ("+", 2, 1), ("-", 2, -1)):
        before = view()
        page.press(key)
        assert (view()[axis] - before[axis]) * sign > 0, key
    page.press("0")
    assert view() == [x, y_, 1]
    page.click("#closer")
    assert view()[2] == pytest.approx(1.6)
    page = opened(browser, file, width=390, height=844, touch=True)
    left, top, width, height = page.box("#points")
    middle = left + width / 2, top + height / 2
    page.touch("Start", (middle[0] - 20, middle[1]), (middle[0] + 20, middle[1]))
    for apart in (30, 45, 60):
        page.touch("Move", (middle[0] - apart, middle[1]), (middle[0] + apart, middle[1]))
    page.touch("End")
    page.settle()
    assert view()[2] == pytest.approx(3, rel=0.2)
    page.click("#all")
    page.touch("Start", screen_of(page, 20))
    page.touch("End")
    page.settle()
    assert page.run("selected >= 0 && !$('tip').hidden && $('tip').innerText.includes(`row ${selected}`)")
    assert not page.errors


@needs_chromium
@pytest.mark.slow
def test_columns_are_edited(browser, tmp_path):
    "With hostile names, labels and texts, which stay text."
    names = [EVIL, "b_b", "c", "d"]
    frame = pd.DataFrame(X[:300, [20, 21, 28, 36]], columns=names)
    model = ParametricUMAP(n_training_epochs=0.5, decoder=lambda shape, n: dense([20, 4], n), reconstruction_loss="mse", n_decoder_epochs=5, random_state=0).fit(frame)
    model.to_html(tmp_path / "map.html", frame, labels=[EVIL] * 300, text=[EVIL] * 300, title=EVIL)
    page = opened(browser, tmp_path / "map.html", width=1400, height=900)
    assert page.run("document.images.length") == 0 and page.run("document.title").startswith("</script>")
    page.run("(input => { input.value = 0.7; input.dispatchEvent(new Event('input')); })(document.querySelectorAll('#features input')[3])")
    row = np.array(page.run("[...edited]"))
    np.testing.assert_allclose(row, np.r_[frame.median().iloc[:1], 0.7, frame.median().iloc[2:]], rtol=1e-6)
    spread = model.embedding_.std(axis=0).max()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the rows of the page have no names
        assert np.abs(np.array(page.run("[...landing]")) - model.transform(row[None])[0]).max() < 1e-2 * spread
    page.click(screen_of(page, 5))
    chosen = page.run("selected")
    np.testing.assert_allclose(page.run("[...edited]"), frame.iloc[chosen], rtol=1e-6)
    assert page.run("$('table-title').textContent") == f"Edit row {chosen}" and EVIL.split("\u2028")[0] in page.run("$('tip').innerText")
    assert page.run("document.querySelectorAll('#features output').length") == 4 and page.run("document.images.length") == 0 and not page.errors


@needs_chromium
@pytest.mark.slow
def test_a_quantity_has_a_color_bar(browser, tmp_path):
    heights = X[:300].sum(axis=1) + 0.25
    adopted(dense([10, 2], 64), X[:300]).to_html(tmp_path / "map.html", X[:300], labels=heights, images=(8, 8))
    page = opened(browser, tmp_path / "map.html", width=390, height=844)
    page.run("$('from').value = 500, $('from').dispatchEvent(new Event('input'))")
    low, high = np.percentile(heights, [1, 99])
    assert page.run("order.length") == pytest.approx((heights >= (low + high) / 2).sum(), abs=2)
    assert page.run("getComputedStyle($('bar')).backgroundImage").startswith("linear-gradient") and not page.errors


@needs_chromium
@pytest.mark.slow
def test_a_hundred_thousand_points(browser, tmp_path):
    rows = np.random.default_rng(0).normal(size=(100_000, 4)).astype("float32")
    adopted(dense([10, 2], 4), rows[:100]).to_html(tmp_path / "map.html", rows, labels=rows[:, 0] > 0)
    page = opened(browser, tmp_path / "map.html", width=1400, height=900)
    assert (tmp_path / "map.html").stat().st_size < 5e6
    fastest = page.run("Math.min(...Array.from({ length: 20 }, () => { const start = performance.now(); pan(1, 0); drawPoints(); return performance.now() - start; }))")
    assert fastest < 500  # about 8 ms on an idle machine
