/* Draws figures with Plotly: in the colours of the theme, as wide as there is room, and again without losing zoom. */
window.thawFigures = (() => {
  const CONFIG = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"] };
  const WORDS = ["name", "text", "hovertext", "customdata", "ticktext"];
  const NARROW = 480, LEGEND_ROW = 19, LEAST = 120;  // pixels; less is a page in the midst of a change
  let twins = new Map();

  const isDark = () => document.body.classList.contains("dark") || document.documentElement.dataset.theme === "dark";

  /* A figure is written in the light colours; words of people's are no colours. */
  function dressed(value, dark) {
    if (typeof value === "string") return (dark && twins.get(value)) || value;
    if (Array.isArray(value)) return value.every((each) => typeof each === "number") ? value : value.map((each) => dressed(each, dark));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, WORDS.includes(key) ? each : dressed(each, dark)]));
  }

  /* Draws `figure`, {data, layout}, into a node; what a person zoomed to or switched off stays. */
  async function draw(host, figure) {
    host.figure = figure;
    const { data, layout } = dressed(figure, isDark());
    const narrow = host.clientWidth < NARROW;
    delete layout.title;  // it stands above, where it wraps
    layout.margin = { ...layout.margin, t: 30, ...(narrow && { l: 44, r: 8 }) };
    if (narrow) { layout.font.size = 11; layout.height += LEGEND_ROW * Math.max(0, data.length - 2); }
    host.style.height = `${layout.height}px`;
    layout.datarevision = (host.drawings || 0) + 1;
    host.drawings = layout.datarevision;
    host.dark = isDark();
    host.wide = host.clientWidth;
    await window.Plotly.react(host, data, { autosize: true, ...layout }, CONFIG);
    if (!sizes) watch();
    if (layout.datarevision === 1) { sizes.observe(host); keys(host); }
    host.dataset.drawn = String(host.drawings);
  }

  /* Follows the theme and the room there is; what is hidden is drawn anew when it is shown. */
  let sizes = null;
  function watch() {
    const again = (host) => host.clientWidth >= LEAST && (host.wide !== host.clientWidth || host.dark !== isDark()) && draw(host, host.figure);
    sizes = new ResizeObserver((entries) => entries.forEach((entry) => again(entry.target)));
    const theme = new MutationObserver(() => document.querySelectorAll(".js-plotly-plot").forEach((host) => host.figure && again(host)));
    theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  /* The points that can be pointed at, from left to right; those of one place together where they are told together. */
  function stops(host) {
    const points = host.calcdata.flatMap((trace, curveNumber) => trace[0].trace.hoverinfo === "skip" ? []
      : trace.flatMap((point, pointNumber) => typeof point.x === "number" && typeof point.y === "number" ? [{ curveNumber, pointNumber, x: point.x }] : []));
    if (host._fullLayout.hovermode !== "x unified") return points.sort((a, b) => a.x - b.x).map((point) => [point]);
    return [...new Set(points.map((p) => p.x))].sort((a, b) => a - b).map((x) => points.filter((p) => p.x === x));
  }

  /* Arrow keys walk along the points, what is pointed at is said, and Enter clicks it. */
  function keys(host) {
    const said = document.createElement("p");
    said.className = "hidden-text";
    said.setAttribute("role", "status");
    host.after(said);
    let at = -1;
    const plain = (text) => new DOMParser().parseFromString(String(text).replaceAll("<br>", ", "), "text/html").body.textContent;
    host.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity, Enter: 0 }[event.key], all = stops(host);
      if (step === undefined || !all.length || (!step && at < 0)) return;
      event.preventDefault();
      at = Math.max(0, Math.min(all.length - 1, at + step));
      const here = all[at].map((point) => ({ ...point, trace: host.data[point.curveNumber] }));
      if (!step) { host.emit("plotly_click", { points: here.map((point) => ({ customdata: point.trace.customdata?.[point.pointNumber] })) }); return; }
      window.Plotly.Fx.hover(host, all[at].map(({ curveNumber, pointNumber }) => ({ curveNumber, pointNumber })));
      said.textContent = here.map(({ trace, pointNumber }) =>
        plain(trace.hovertext?.[pointNumber] || `${trace.name}: ${trace.x[pointNumber]}, ${trace.y[pointNumber]}`)).join("; ");
    });
    host.addEventListener("blur", () => { at = -1; window.Plotly.Fx.unhover(host); });
  }

  function end(host) {
    sizes?.unobserve(host);
    window.Plotly?.purge(host);
  }

  return { draw, end, colours: (pairs) => { twins = new Map(pairs); } };
})();
