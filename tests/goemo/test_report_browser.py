"""The page in a real browser, where there is one: charts appear, nothing overflows, nothing is fetched."""

from __future__ import annotations

import pytest
from in_a_browser import BROWSER, heard_from
from scored_labels import picture, scored, tables_of

from goemo.report import Picture, charts, search_page
from goemo.report.charts import Trial

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")

NASTY = "</script><img src=x onerror=alert(1)> <!-- 悲しみ الفخر"
LABELS = ["joy", NASTY, "Verlegenheitsunbehaglichkeitszustandsbeschreibung" * 2, "a long name " * 10]
WIDTHS = (1280, 390)

# Stands first on the page: keeps what goes wrong, and tells the frame around when all charts are drawn.
PROBE = """<script>
const wrong = [];
console.error = (...said) => wrong.push(said.join(" "));
console.warn = console.error;
addEventListener("error", (event) => wrong.push(String(event.message)));
window.alert = () => wrong.push("alert");
addEventListener("load", async () => {
  const wait = () => new Promise((done) => setTimeout(done, 20));
  for (let i = 0; i < 500 && !document.documentElement.classList.contains("drawn"); i++) await wait();
  const list = document.querySelector("figure select");
  const first = document.querySelector("figure output").textContent;
  list.selectedIndex = 1;
  list.dispatchEvent(new Event("change"));
  for (let i = 0; i < 5; i++) await wait();
  const shown = (node) => node.getClientRects().length > 0;
  parent.postMessage({
    width: innerWidth, content: document.documentElement.scrollWidth, wrong,
    charts: document.querySelectorAll(".chart svg").length,
    widest: Math.max(...[...document.querySelectorAll(".chart svg")].map((svg) => svg.clientWidth)),
    stills: [...document.querySelectorAll(".live .still")].filter(shown).length,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
    facts: [first, document.querySelector("figure output").textContent],
    images: document.querySelectorAll("img:not([src^='data:'])").length,
  }, "*");
});
</script>"""

FRAMES = """<!doctype html><body><script>
const heard = [];
addEventListener("message", (event) => {
  heard.push(event.data);
  if (heard.length === %d) {
    const node = document.createElement("pre");
    node.id = "heard";
    node.textContent = JSON.stringify(heard);
    document.body.append(node);
  }
});
</script>%s"""


def a_page():
    """Return a page with every kind of chart, and names that are long, foreign or mean harm."""
    scores, targets = scored(len(LABELS), rows=120)
    half, tuned, fitted = tables_of(scores, targets, LABELS)
    trials, board = [], []
    for i in range(9):
        varied = {"batch_size": [16, 32][i % 2], "learning_rate": 10.0**-i, "loss": ["bce", NASTY][i // 5]}
        reason, length = ("completed", 3) if i % 3 else ("stopped_early", 1)
        history = [
            {"progress": 33 * (j + 1), "val/macro_f1": 0.5 - 0.02 * i + 0.01 * j} for j in range(length)
        ]
        trials.append(Trial(f"t{i:03d}", varied, history, reason))
        value = history[-1]["val/macro_f1"]
        known = {
            "rank": i + 1,
            "trial_id": f"t{i:03d}",
            "config": {},
            "varied": varied,
            "stop_reason": reason,
        }
        board.append(
            {
                **known,
                "config": {},
                "progress": 99,
                "val_macro_f1": value,
                "low": value - 0.1,
                "high": value + 0.1,
            }
        )
    names = {"objective": "val/macro_f1", "best": "t000"}
    return search_page(
        name="search " * 40,
        leaderboard=board,
        stop_reasons={},
        table_at_half=half,
        table=tuned,
        intervals=Picture("Intervals", chart=charts.leaderboard_intervals(board, objective="macro_f1").spec),
        figures=[
            Picture("Curves", picture(), chart=charts.learning_curves(trials, **names).spec),
            Picture("Lines", picture(), chart=charts.parallel_coordinates(trials, **names).spec),
            Picture("Against", picture(), chart=charts.objective_by_hyperparameter(trials, **names).spec),
        ],
        trial_figures=[
            Picture("Support", picture(), chart=charts.f1_by_support(half, tuned).spec),
            Picture("Heatmap", picture(), chart=charts.per_label_heatmap(half, tuned).spec),
            Picture("Reliability", picture(), chart=charts.reliability(scores, targets, LABELS).spec),
            Picture("Confusions", picture(), chart=charts.confusions(targets, scores > 0.4, LABELS).spec),
            Picture("Gain", picture(), chart=charts.gain_per_label(half, tuned).spec),
            Picture(
                "Explorer",
                picture(),
                chart=charts.threshold_explorer(scores, targets, fitted.values, LABELS).spec,
                choices=LABELS,
                facts=charts.explorer_facts(half, tuned, fitted.values),
            ),
        ],
    )


def browse(folder, html):
    """Show a page in frames of all widths; return what the probe of each found, widest first."""
    (folder / "page.html").write_text(html.replace("<head>", f"<head>{PROBE}", 1), encoding="utf-8")
    frames = "".join(f'<iframe src="page.html" width="{w}" height="800"></iframe>' for w in WIDTHS)
    (folder / "frames.html").write_text(FRAMES % (len(WIDTHS), frames), encoding="utf-8")
    return sorted(heard_from(folder / "frames.html"), key=lambda found: -found["width"])


def test_the_page_in_a_browser(tmp_path):
    """All charts are drawn in place of their pictures, at desktop and at phone width.

    Nothing overflows, fails or is fetched, and choosing a label changes what is said of it.
    """
    for width, found in zip(WIDTHS, browse(tmp_path, a_page()), strict=True):
        assert found["wrong"] == []
        assert found["width"] == width
        assert found["content"] <= width
        assert found["charts"] == 10
        assert found["stills"] == 0
        assert [name for name in found["fetched"] if not name.startswith("data:")] == []
        assert found["images"] == 0
        first, second = found["facts"]
        assert first
        assert second
        assert first != second


def test_pictures_stand_in_for_charts_that_cannot_be_drawn(tmp_path):
    """A chart that fails leaves its place to its PNG, and says why on the console."""
    for found in browse(tmp_path, a_page().replace('"encoding":', '"lost":').replace('"mark":', '"lost":')):
        assert found["charts"] == 0
        assert found["stills"] == 9  # the intervals stand in the table itself
        assert found["wrong"]
