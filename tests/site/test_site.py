"""The built site (`make test-docs`): no dead link, no missing output, nothing from another host; and each page in a browser."""

import functools
import json
import re
import sys
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
from browser import chromium, needs_chromium
from conftest import ROOT, name_of, source_notebooks

sys.path.append(str(ROOT / "docs"))
import pages  # noqa: E402

SITE = ROOT / "_docs"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts)
NOTEBOOKS = [path for path in source_notebooks() if path.name != "index.ipynb"]
SECTIONS = ["Get started", "Tutorials", "How it works", "The paper", "Reference", "Benchmarks"]
NO_OUTPUT = ("nbs/00_core.ipynb", "nbs/paper/00_songs.ipynb")  # they hold functions and assertions only
FIRST_HITS = {  # what people search for -> the page and section they should find
    "install": "start/install.html",
    "GPU": "start/install.html#gpu",
    "min_dist": "start/parameters.html#min-dist",
    "n_neighbors": "start/parameters.html#n-neighbors",
    "save": "start/faq.html#save-and-load-a-model",
    "new data": "start/faq.html#new-data-embed-new-rows",
}


class Parsed(HTMLParser):
    "The ids, links and sources of a page."

    def __init__(self, name):
        super().__init__()
        self.ids, self.links, self.sources = set(), set(), set()
        self.text = (SITE / name).read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag in ("a", "area") and attributes.get("href"):
            self.links.add(attributes["href"])
        elif tag != "a":
            self.sources |= {attributes[key] for key in ("src", "href", "data", "poster") if attributes.get(key) and attributes.get("rel") != "canonical"}


@pytest.fixture(scope="session")
def parsed():
    assert "index.html" in PAGES, "There is no site in _docs: run make docs first."
    return {name: Parsed(name) for name in PAGES}


def is_outside(link):
    return urlsplit(link).scheme not in ("", "data", "file") or link.startswith("//")


def broken(name, link, parsed):
    "Why a link of a page does not lead anywhere, or None."
    parts = urlsplit(link)
    target = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
    if not target.is_file():
        return f"{name}: no file {link}"
    found = parsed.get(target.resolve().relative_to(SITE.resolve()).as_posix())
    if parts.fragment and found and unquote(parts.fragment) not in found.ids:
        return f"{name}: no such place {link}"
    return None


def test_links_lead_somewhere(parsed):
    links = [(name, link) for name, page in parsed.items() for link in page.links | page.sources if not is_outside(link) and link != "#" and not link.startswith("data:")]
    assert len(links) > 1000
    assert not [why for name, link in links if (why := broken(name, link, parsed))]


def test_nothing_comes_from_another_host(parsed):
    assert not [(name, source) for name, page in parsed.items() for source in page.sources if is_outside(source)]
    assert not [name for name, page in parsed.items() if re.search(r"@import|url\(['\"]?https?:", page.text)]


def test_links_out_are_addresses(parsed):
    links = {link for page in parsed.values() for link in page.links if is_outside(link)}
    assert not [link for link in links if not re.match(r"(https?://\w[\w.-]+\.\w+|mailto:\w)", link)]


def test_links_to_the_repository_name_files_that_are_there(parsed):
    links = {link for page in parsed.values() for link in page.links if link.startswith(pages.REPOSITORY)}
    names = [match[1] for link in links if (match := re.match(rf"{pages.REPOSITORY}/(?:blob|tree)/main/([^#?]+)", link))]
    assert names and not [name for name in names if not (ROOT / unquote(name)).exists()]


def test_directives_are_hidden(parsed):
    assert not [name for name, page in parsed.items() if re.search(r"(?m)^#\| ?\w", re.sub(r"<[^>]*>", "", page.text))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_each_notebook_is_a_page_with_outputs(path, parsed):
    page = parsed[f"{pages.name_of(path)}.html"]
    assert 'class="cell_output' in page.text or name_of(path) in NO_OUTPUT
    assert "<h1>" in page.text and f"{pages.REPOSITORY}/blob/main/{name_of(path)}" in page.links
    assert "Traceback (most recent call last)" not in page.text


def test_figures_show_their_picture_first(parsed):
    for path in (ROOT / "figures" / "laptop").glob("fig*.ipynb"):
        text = parsed[f"paper/{path.stem}.html"].text
        assert f"_images/{path.stem}" in text and text.index(f"_images/{path.stem}") < text.index('class="cell_input'), path.stem
        assert f'href="{path.stem}.html"><img src="../_static/{path.stem}' in parsed["paper/index.html"].text


def test_navigation(parsed):
    bar = re.search(r'<ul class="[^"]*bd-navbar-elements.*?</ul>', parsed["index.html"].text, re.S)[0]
    assert [" ".join(re.sub(r"<[^>]*>", "", item).split()) for item in re.findall(r"<li.*?</li>", bar, re.S)] == SECTIONS


def test_the_reference_has_the_parameters_and_methods_of_the_estimator(parsed):
    import inspect

    from pumap import ParametricUMAP

    page = parsed["reference/pumap.ParametricUMAP.html"]
    assert not [name for name in inspect.signature(ParametricUMAP).parameters if f"<strong>{name}</strong>" not in page.text]
    assert {f"pumap.ParametricUMAP.{name}" for name in ("fit", "transform", "save", "load", "update", "inverse_transform")} <= page.ids
    assert not [link for name in PAGES for link in parsed[name].ids if re.match(r"pumap\.(\w+\.)*_[a-z]", link)]


def test_the_index_of_the_search_has_what_people_search_for():
    entries = json.loads((SITE / "searchindex.js").read_text(encoding="utf-8").removeprefix("Search.setIndex(").removesuffix(")"))["indexentries"]
    assert not [word for word in FIRST_HITS if word.lower() not in entries]


# In a browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def tab():
    with chromium() as tab:
        yield tab


MISSING = "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode().then(() => null, () => i.src)))).then(all => all.filter(Boolean))"
WIDE = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(e => e.outerHTML.slice(0, 80))"
CLIPPED = """[...document.querySelectorAll('.bd-article :is(p, li, dt, dd, h1, h2, h3, td, img)')].filter(e => {
    if (e.getBoundingClientRect().right <= innerWidth + 1) return false
    for (let up = e.parentElement; !up.matches('.bd-article'); up = up.parentElement) if (/auto|scroll/.test(getComputedStyle(up).overflowX)) return false
    return true
}).slice(0, 3).map(e => e.outerHTML.slice(0, 80))"""  # text beyond the window that cannot be scrolled to


@needs_chromium
@pytest.mark.parametrize("name", PAGES)
def test_page_in_a_browser(name, tab, address):
    "At two widths, light and dark: no error, no missing picture, nothing wider than the window, no other host."
    for width, dark in ((1400, False), (390, True)):
        tab.open(f"{address}/{name}", width=width, dark=dark)
        assert tab.run("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        assert not tab.run(MISSING)
        for scheme in ("light", "dark"):
            tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            tab.settle()
            assert tab.run("document.documentElement.scrollWidth") <= width, tab.run(WIDE)
            assert not tab.run(CLIPPED)
        assert not tab.errors
        assert not [request for request in tab.requests if not request.startswith((address, "data:", "blob:"))]


@needs_chromium
@pytest.mark.parametrize("words", FIRST_HITS)
def test_search_finds_first(words, tab, address):
    tab.open(f"{address}/search.html?q={words.replace(' ', '+')}")
    tab.wait("document.querySelector('#search-results li a')")
    tab.settle()
    first = urlsplit(tab.run("document.querySelector('#search-results li a').href"))
    page, _, section = FIRST_HITS[words].partition("#")
    assert first.path == f"/{page}"
    tab.open(first.geturl())
    anchor = tab.run("location.hash.slice(1)")
    assert not section or tab.run(f"document.getElementById({json.dumps(anchor)}).closest('section').id") == section
