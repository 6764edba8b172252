"""The scorecard as a page: a browser, a parser and a reader in print must all be able to use it."""

import re
from xml.etree import ElementTree

import pytest

from pumap.paper import cli
from pumap.paper import experiments as ex
from pumap.paper import scorecard as sc


def measured(dataset, method, dim, **metrics):
    "A record as a run leaves it, with numbers of our own."
    return dict.fromkeys(ex.RECORD_KEYS) | {
        "cell": {"dataset": dataset, "method": method, "n_components": dim, "seed": 0},
        "settings": {},
        "n_train": 7,
        "n_test": 3,
        "metrics": metrics,
        "seconds": {"fit": 1800.0, "metrics": 0.0},
        "peak_memory_mb": 512.3,
        "data": {"title": dataset.upper(), "source": "a <folder> & more", "sha256": "ab12", "stand_in_for": None},
        "versions": {"numpy": "2.0"},
        "device": "cpu",
    }


@pytest.fixture
def card(monkeypatch):
    "The scorecard of a few made-up records."
    records = [
        measured("mnist", "umap", 2, trustworthiness=0.96, reconstruction_mse=0.04),
        measured("mnist", "pca", 2, trustworthiness=0.5, reconstruction_mse=0.05),
        measured("mnist", "pumap_decoder", 2, reconstruction_mse=0.03),
    ]
    monkeypatch.setattr(sc, "records_of", lambda *_: records)
    return sc.scorecard("laptop")


def tree(page):
    "The page as a parser sees it."
    assert page.startswith("<!DOCTYPE html>")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def test_every_claim_number_and_error_is_on_the_page(card):
    words = " ".join(tree(sc.scorecard_html(card)).itertext())
    for claim in card["claims"]:
        assert claim["id"] in words and claim["text"] in words and claim["evidence"] in words and claim["measured_as"] in words
    assert all(error[key] in words for error in card["errata"] for key in ("id", "source", "printed", "should_be", "why"))
    assert [f"Table {n}:" for n in range(2, 9)] == re.findall(r"Table \d:", words[words.index("Numbers") : words.index("Figures")])
    assert re.search(r"Cells: 3, in 1.50 hours together, each with a peak of [\d,]+ to [\d,]+ MiB, on: cpu\.", words) and "numpy 2.0" in words and "512" in words


def test_text_cannot_become_a_tag(card):
    card["claims"][0]["evidence"] = '<script>alert("1 < 2")</script> $body ${title}'
    page = sc.scorecard_html(card, [("a b&.png", 'Figure 5: "<b>"')])
    root = tree(page)
    assert not list(root.iter("script")) and not list(root.iter("b")) and "a <folder> & more" in " ".join(root.itertext())
    (image,) = root.iter("img")
    assert image.get("src") == "a%20b%26.png" and image.get("alt") == 'Figure 5: "<b>"'
    assert '<script>alert("1 < 2")</script> $body ${title}' in " ".join(root.itertext())


def test_within_is_told_by_a_sign_and_not_by_color_alone(card):
    cells = {cell.text: cell.get("class") for cell in tree(sc.scorecard_html(card)).iter("td") if cell.get("class") in ("yes", "no", "open")}
    assert cells == {"✓ yes": "yes", "✗ no": "no", "–": "open"}


def test_the_difference_is_in_all_forms(card):
    (row,) = [r for r in card["cells"] if (r["table"], r["dataset"], r["dim"], r["method"]) == (2, "mnist", 2, "pca")]
    assert row["difference"] == pytest.approx(0.5 - 0.7434) and row["within"] is False
    assert "| 2 | mnist | 2 | pca | trustworthiness | 0.7434 | 0.5000 |  | 7 | 1 | -0.2434 | no |" in sc.scorecard_markdown(card)
    assert "-0.2434" in [cell.text for cell in tree(sc.scorecard_html(card)).iter("td")]
    assert all((r["difference"] is None) == (None in (r["paper"], r["ours"])) for r in card["cells"])


def test_a_decoder_stands_beside_the_papers_number_of_table_7(card):
    rows = {r["method"]: r for r in card["cells"] if (r["table"], r["dataset"], r["dim"]) == (7, "mnist", 2)}
    assert rows["pumap"]["paper"] == 0.0374 and rows["pumap"]["ours"] == 0.03 and "pumap_decoder" not in rows
    assert rows["pumap"]["measured_on"] == "pumap_decoder" and "| 7 | mnist | 2 | pumap (here pumap_decoder) |" in sc.scorecard_markdown(card)
    claims = {claim["id"]: claim for claim in card["claims"]}
    assert claims["C17"]["holds"] is True and claims["C18"]["holds"] is None


def test_the_page_links_the_pictures_beside_it(card, tmp_path):
    for name in ("fig05_trustworthiness.png", "fig04_projections.png", "other.png"):
        (tmp_path / name).touch()
    pictures = sc.pictures_of(tmp_path)
    assert [name for name, _ in pictures] == ["fig04_projections.png", "fig05_trustworthiness.png"]
    assert pictures[1][1].startswith("Figure 5: ") and "; Table 2: " in pictures[1][1]
    assert [image.get("src") for image in tree(sc.scorecard_html(card, pictures)).iter("img")] == [name for name, _ in pictures]


def test_report_writes_the_page(tmp_path):
    assert cli.report(profile="smoke", results=tmp_path) == 0
    assert "Claims" in " ".join(tree((tmp_path / "scorecard.html").read_text(encoding="utf-8")).itertext())


def test_data_that_stand_in_are_named_and_not_judged(monkeypatch):
    record = measured("retina", "umap", 2, trustworthiness=0.5)
    record["data"] |= {"title": "Worm neurons", "stand_in_for": "retina"}
    monkeypatch.setattr(sc, "records_of", lambda *_: [record])
    card = sc.scorecard("laptop")
    assert {row["within"] for row in card["cells"]} == {None}
    line = next(line for line in sc.scorecard_markdown(card).splitlines() if line.startswith("| 2 | retina | 2 | umap |"))
    assert line.endswith("| Worm neurons, stand-in for retina |")


def test_records_of_the_original_and_of_a_stand_in_are_not_mixed(tmp_path):
    "Seeds of one number must be of one data set: where the original was measured, what stood in for it is not looked at."
    for seed, stand_in in ((0, False), (1, True), (2, True)):
        cell = ex.Cell("retina", "pca", 2, seed)
        record = measured("retina", "pca", 2, trustworthiness=0.5) | {"cell": vars(cell), "inputs": ex.inputs_hash(cell, "laptop", stand_in)}
        record["data"] |= {"stand_in_for": "retina" if stand_in else None}
        ex.write_record(record | {"profile": "laptop", "finished": "now"}, ex.record_path(cell, "laptop", tmp_path))
    assert [record["cell"]["seed"] for record in sc.records_of("laptop", tmp_path)] == [0]
    ex.record_path(ex.Cell("retina", "pca", 2), "laptop", tmp_path).unlink()
    assert [record["cell"]["seed"] for record in sc.records_of("laptop", tmp_path)] == [1, 2]
