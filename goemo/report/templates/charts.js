// Draws the charts of the page; a chart that cannot be drawn leaves its place to the picture.
(() => {
  const narrow = matchMedia("(max-width: 40rem)");
  const views = new Map();

  const config = () => narrow.matches
    ? { legend: { columns: 2, labelLimit: 150 }, axis: { labelFontSize: 10, titleFontSize: 11 }, axisY: { labelLimit: 92 } }
    : {};

  async function draw(place) {
    const figure = place.closest("figure");
    try {
      const spec = JSON.parse(place.querySelector("script").textContent);
      views.get(place)?.finalize();
      const panel = spec.usermeta?.panel_width;  // as many panels side by side as there is room for
      if (panel) spec.columns = Math.max(1, Math.min(spec.columns, Math.floor(place.clientWidth / panel)));
      const result = await vegaEmbed(place.querySelector(".chart"), spec, {
        mode: "vega-lite", renderer: "svg", actions: false, config: config(),
        tooltip: { theme: "light" },
      });
      views.set(place, result);
      choose(figure);
    } catch (error) {
      figure.classList.add("failed");
      console.error(error);
    }
  }

  function choose(figure) {
    const list = figure.querySelector("select");
    if (!list) return;
    const facts = figure.querySelector("output");
    const sentences = JSON.parse(figure.querySelector(".facts").textContent);
    facts.textContent = sentences[list.selectedIndex] ?? "";
    for (const place of figure.querySelectorAll("[data-chart]"))
      views.get(place)?.view.signal("label", list.selectedIndex).runAsync();
  }

  const places = [...document.querySelectorAll("[data-chart]")];
  const drawAll = () => places.reduce((before, place) => before.then(() => draw(place)), Promise.resolve());
  for (const list of document.querySelectorAll("figure select"))
    list.addEventListener("change", () => choose(list.closest("figure")));
  drawAll().then(() => document.documentElement.classList.add("drawn"));
  narrow.addEventListener("change", drawAll);
})();
