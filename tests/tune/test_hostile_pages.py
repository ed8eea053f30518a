"""Labels, texts, names, values and errors that mean harm, on every page in a real browser: they are text."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from in_a_browser import BROWSER, heard_from
from markdown_it import MarkdownIt

from goemo import evaluation
from goemo.bundle.model_card import model_card
from goemo.configuration import Configuration
from goemo.data import load_splits
from goemo.looking import look
from goemo.report.data_page import data_page
from goemo.thresholds import fit_thresholds
from tune.records import Outcome, SearchFolder
from tune.reporting.artifacts import TrialArtifacts
from tune.reporting.report import write_report
from tune.spec import load_spec
from tune.tracking import content

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")]

HOSTILE = [
    "</script><script>harm('script')</script>",
    "<img src=http://127.0.0.1:9/i onerror=harm('image')>",
    "\" onmouseover=harm('attribute') x=\"",
    "[a](javascript:harm('link')) ![b](http://127.0.0.1:9/m)",
    "--><style>@import 'http://127.0.0.1:9/s'</style><!--",
    "{{ 7 * 6 }} {% raw %} ${harm('template')} `harm`",
    "| a | b | # x <svg/onload=harm('svg')>",
]
LABELS = [f"{number} {text}" for number, text in enumerate(HOSTILE)]

# Stands first on the page. What a page runs, asks for or fails in is told in its last element.
PROBE = """<script>
const wrong = [];
window.harm = (what) => wrong.push("ran: " + what);
console.error = (...said) => wrong.push(said.join(" "));
addEventListener("error", (event) => wrong.push("error: " + (event.message || event.target.outerHTML)), true);
addEventListener("load", async () => {
  const has = document.querySelector(".chart");
  for (let i = 0; i < 500 && has && !document.documentElement.classList.contains("drawn"); i++)
    await new Promise((done) => setTimeout(done, 20));
  for (const node of document.querySelectorAll("*")) node.dispatchEvent(new Event("mouseover"));
  await new Promise((done) => setTimeout(done, 200));
  const node = document.createElement("pre");
  node.id = "heard";
  node.textContent = JSON.stringify({
    wrong,
    asked: performance.getEntriesByType("resource").map((entry) => entry.name),
    charts: document.querySelectorAll(".chart svg").length,
    places: document.querySelectorAll(".chart").length,
    links: [...document.querySelectorAll("[href], [src]")].map((node) => node.href || node.src).filter(
      (there) => !there.startsWith("data:")),
    text: document.body.textContent,
  });
  document.body.append(node);
});
</script>"""


def seen(folder, html):
    """Return what a browser runs, asks for and shows of a page."""
    folder.mkdir(exist_ok=True)
    (folder / "page.html").write_text(html.replace("<head>", f"<head>{PROBE}", 1), encoding="utf-8")
    return heard_from(folder / "page.html")


def check(found, *, shows=()):
    """Nothing ran, nothing was asked for, all charts are drawn, and the hostile words are there as text."""
    assert found["wrong"] == []
    assert [name for name in found["asked"] if not name.startswith("data:")] == []
    assert found["charts"] == found["places"]
    assert not [there for there in found["links"] if "127.0.0.1" in there or there.startswith("javascript")]
    shown = re.sub(r"\s+", " ", found["text"])
    for words in shows:
        assert re.sub(r"\s+", " ", words) in shown


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Data whose every label and text means harm."""
    folder = tmp_path_factory.mktemp("hostile") / "data"
    folder.mkdir()
    random = np.random.default_rng(0)
    for split, rows in (("train", 200), ("validation", 90), ("test", 60)):
        lines = [
            {
                "text": f"{row} {HOSTILE[row % len(HOSTILE)]}",
                "labels": [LABELS[place] for place in np.flatnonzero(random.random(len(LABELS)) < 0.4)],
            }
            for row in range(rows)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return load_splits(f"dir:{folder}")


@pytest.fixture
def search(tmp_path, monkeypatch, splits):
    """A search whose values, errors and environment mean harm too."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
    spec = load_spec("quickstart", data=splits.source).to_dict()
    spec["model"]["checkpoint"] = HOSTILE[1]
    made = SearchFolder.create("s", spec, text="# " + HOSTILE[0])
    made.write_validation(splits.validation.targets, splits.labels)
    data = {"source": HOSTILE[0], "taxonomy": HOSTILE[5], "splitting": HOSTILE[1], "digest": splits.digest}
    data |= {"notes": HOSTILE, "report": splits.report.to_dict(), "seed": 42}
    environment = {"versions": {"torch": HOSTILE[1]}, "platform": HOSTILE[0], "gpus": HOSTILE, "cpus": 2}
    made.add_facts(data=data, environment=environment, status="complete")
    random = np.random.default_rng(1)
    for number in range(6):
        varied = {"learning_rate": 10.0**-number, "loss": HOSTILE[number]}
        config = {"metric": "macro_f1", "thresholds": "exact", "checkpoint": HOSTILE[1], **varied}
        trial = made.trial(f"t{number + 1:03d}")
        trial.write_config(config, varied)
        targets = splits.validation.targets
        scores = np.clip(0.3 * targets + 0.7 * random.random(targets.shape), 0, 1)
        found = evaluation.validation_metrics(scores.astype(np.float32), targets)
        for progress in (20, 100):
            trial.write_report({"progress": progress, "time": 1.0, "seconds": 1.0, **found}, scores)
        reason = ("failed", HOSTILE[number], HOSTILE[0]) if number == 5 else ("completed",)
        trial.write_outcome(Outcome(*reason))
    return made


def test_the_report_of_a_search(search, tmp_path):
    """Labels, texts, values of hyperparameters, the error of a trial and the environment."""
    page, _ = write_report(search, tmp_path / "report.html")
    found = seen(tmp_path / "browser", page.read_text(encoding="utf-8"))
    check(found, shows=[LABELS[0], LABELS[1], HOSTILE[4], HOSTILE[5]])
    assert found["charts"] >= 8


def test_the_page_of_a_trial(search, splits, tmp_path):
    """The page that stands among a trial's artifacts, of one that ended and of one that failed."""
    TrialArtifacts(search, splits).write("t001")
    TrialArtifacts(search, splits).write("t006")
    for name in ("t001", "t006"):
        page = search.trial(name).path / "artifacts" / "report.html"
        check(seen(tmp_path / name, page.read_text(encoding="utf-8")), shows=[LABELS[0], LABELS[3]])


def test_the_page_of_data(splits, tmp_path):
    """Labels and texts as `goemo data` shows them."""
    found = seen(tmp_path / "browser", data_page(look(splits), cache=tmp_path / "cache"))
    check(found, shows=[LABELS[0], LABELS[6]])
    assert found["charts"] >= 1


def test_markdown_of_cards_and_of_mlflow(search, splits, tmp_path):
    """Rendered with HTML allowed, as the most careless reader does."""
    thresholds = fit_thresholds(search.trial("t001").read().scores(), splits.validation.targets)
    provenance = {"data": search.facts["data"], "report": {"progress": 100, "metrics": {"val/macro_f1": 0.5}}}
    provenance |= {"training": HOSTILE[0], "versions": {"torch": HOSTILE[1]}}
    card = model_card(Configuration(checkpoint=HOSTILE[1]), splits.labels, provenance, thresholds)
    card = card.split("---\n", 2)[2]  # the block in YAML is no Markdown
    failed = search.trial("t006").read()
    texts = [card, content.description(search.snapshot()), content.trial_description(failed)]
    render = MarkdownIt("commonmark", {"html": True}).enable("table").render
    for number, text in enumerate(texts):
        page = f"<!doctype html><html><head></head><body>{render(text)}</body></html>"
        found = seen(tmp_path / str(number), page)
        check(found)
        assert "harm('" in found["text"]
