/* Charts of the page: Plotly comes when the first of them is seen, and each has its numbers as a
   table. */
(() => {
  const { h } = window.thaw;
  const ADDRESS = "thaw/plotly.min.js";  // beside the page, wherever that is mounted

  let plotly = null;
  function load() {
    return plotly ||= new Promise((done, failed) => {
      document.head.append(h("script",
        { src: ADDRESS, onload: done, onerror: () => failed(new Error("no plotly.js")) }));
    });
  }

  const table = (figure) => h("div", { class: "scroll", tabindex: "0", role: "region",
    "aria-label": `${figure.title}, as a table` },
    h("table", {}, h("thead", {},
      h("tr", {}, figure.head.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, figure.rows.map(([first, ...cells]) =>
        h("tr", {}, h("th", { scope: "row" }, h("bdi", {}, first)),
        cells.map((cell) => h("td", {}, h("bdi", {}, cell))))))));

  /* `figure` is what core.report tells; `pick` is called with the name of a mark that is clicked,
     `picked` is drawn larger; `bare` leaves the table out, where there is one already. */
  function chart(figure, options = {}) {
    const host = h("div", { class: "plot", role: "figure", tabindex: "0",
      style: { height: `${figure.plotly.layout.height}px` } });
    const caption = h("figcaption", {}), numbers = h("details", { class: "as-table" },
      h("summary", {}, "As a table"));
    const node = h("figure", { class: "chart" }, caption, host, !options.bare && numbers);
    let stale = true, seen = false, turn = Promise.resolve();

    async function drawNow() {
      const first = !host.drawings;
      await window.thawFigures.draw(host, figure.plotly);
      if (first) host.on("plotly_click", ({ points: [{ customdata: name }] }) =>
        { if (options.pick && name !== undefined) options.pick(name); });
    }
    function draw() {
      if (!seen || !stale) return;
      stale = false;
      turn = turn.then(load).then(drawNow).catch((error) => {
        console.warn(error);
        host.textContent = "This chart could not be drawn here; its numbers are in the table.";
        numbers.open = true;
      });
    }
    const fill = () => numbers.replaceChildren(numbers.firstChild, table(figure));
    numbers.addEventListener("toggle", () => numbers.open && fill());

    function update(next, changed) {
      figure = next;
      Object.assign(options, changed);
      for (const trace of figure.plotly.data)
        if (trace.customdata) trace.selectedpoints = trace.customdata.flatMap((name, k) =>
          name === options.picked ? [k] : []);
      if (caption.textContent !== figure.title) caption.textContent = figure.title;
      host.setAttribute("aria-label", `${figure.told} Arrow keys tell the values.`);
      if (numbers.open) fill();
      stale = true;
      draw();
    }
    const sight = new IntersectionObserver((entries) =>
      { seen = entries[entries.length - 1].isIntersecting; draw(); });
    sight.observe(host);
    update(figure);

    /* The picture as SVG, of what nobody has looked at too. */
    async function image() {
      await load();
      await turn;
      if (!host.drawings) await drawNow();
      const address = await window.Plotly.toImage(host, { format: "svg", width: host.clientWidth,
        height: host.clientHeight });
      return decodeURIComponent(address.slice(address.indexOf(",") + 1));
    }
    const end = () => { sight.disconnect(); window.thawFigures.end(host); };
    return { node, host, update, image, end };
  }

  /* Charts that stay while all around them is drawn anew: `of` for each that is still there, then
     `end`. */
  function charts() {
    const kept = new Map();
    let asked = new Set();
    return {
      of: (key, figure, options) => {
        asked.add(key);
        if (kept.has(key)) kept.get(key).update(figure, options);
          else kept.set(key, chart(figure, options));
        return kept.get(key).node;
      },
      end: () => {
        for (const [key, each] of kept) if (!asked.has(key)) { each.end(); kept.delete(key); }
        asked = new Set();
      },
    };
  }

  Object.assign(window.thaw, { chart, charts });
})();
