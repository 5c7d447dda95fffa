/* Lines over steps or epochs: pointing at them, or the arrow keys, tell their values. */
(() => {
  const { h, svg, words } = window.thaw;

  function ticksOf(low, high, most = 6) {
    const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = [];
    for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + 1e-9; t += step) found.push(Number(t.toFixed(10)));
    return found;
  }

  /* Moves heights apart by a gap at least, none below the lowest. */
  function spread(heights, gap, lowest) {
    const order = heights.map((y, k) => k).sort((a, b) => heights[a] - heights[b]), found = [...heights];
    order.forEach((k, at) => { if (at) found[k] = Math.max(found[k], found[order[at - 1]] + gap); });
    order.reverse().forEach((k, at) => { found[k] = Math.min(found[k], at ? found[order[at - 1]] - gap : lowest); });
    return found;
  }

  const nearest = (values, x) => values.reduce((best, each) => Math.abs(each[0] - x) < Math.abs(best[0] - x) ? each : best);

  /* `spec`: {title, label, unit, zero, tick, say, lines: [{name, values: [[x, y]]}]}. */
  function lines(spec) {
    const width = 460, height = 200, box = { left: 46, right: 90, top: 10, bottom: 30 };
    const all = spec.lines.flatMap((line) => line.values);
    if (!all.length) return null;
    const stops = [...new Set(all.map((v) => v[0]))].sort((a, b) => a - b);
    const x1 = stops[stops.length - 1], y0 = spec.zero ? 0 : Math.min(...all.map((v) => v[1])), y1 = Math.max(...all.map((v) => v[1]), y0 + 1e-6);
    const X = (v) => box.left + (width - box.left - box.right) * v / (x1 || 1), Y = (v) => box.top + (height - box.top - box.bottom) * (y1 - v) / (y1 - y0);
    const ends = spread(spec.lines.map((line) => Y(line.values[line.values.length - 1][1]) + 4), 13, height - box.bottom + 4);
    const cursor = svg("line", { class: "cursor", y1: box.top, y2: height - box.bottom, visibility: "hidden" });
    const told = h("p", { class: "readout soft", role: "status" }, spec.rest);
    let at = null;
    const tell = (stop) => {
      at = stop;
      cursor.setAttribute("visibility", stop === null ? "hidden" : "visible");
      if (stop === null) { told.replaceChildren(spec.rest); return; }
      cursor.setAttribute("x1", X(stop)); cursor.setAttribute("x2", X(stop));
      told.replaceChildren(`${spec.unit} ${Math.round(stop)}: `, ...spec.lines.flatMap((line, k) => [k ? " · " : "", words(line.name), ` ${spec.say(nearest(line.values, stop)[1])}`]));
    };
    const onkeydown = (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[e.key];
      if (step === undefined) return;
      e.preventDefault();
      const from = at === null ? (step > 0 ? -1 : stops.length) : stops.indexOf(at);
      tell(stops[Math.max(0, Math.min(stops.length - 1, from + step))]);
    };
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": `${spec.label}. Arrow keys tell the values.`, onkeydown, onblur: () => tell(null),
      onpointermove: (e) => {
        const place = picture.getBoundingClientRect(), x = (e.clientX - place.left) / place.width * width;
        tell(nearest(stops.map((stop) => [stop]), (x - box.left) / (width - box.left - box.right) * x1)[0]);
      }, onpointerleave: () => tell(null) },
      ticksOf(y0, y1, 4).map((t) => [svg("line", { class: "ax", x1: box.left, x2: width - box.right, y1: Y(t), y2: Y(t) }), svg("text", { class: "tick", x: box.left - 6, y: Y(t) + 4, "text-anchor": "end" }, spec.tick(t))]),
      [0, x1].map((t, k) => svg("text", { class: "tick", x: X(t), y: height - 12, "text-anchor": k ? "end" : "start" }, k ? `${spec.unit} ${Math.round(t)}` : "0")),
      cursor,
      spec.lines.map((line, k) => [svg("polyline", { class: `curve curve-${k % 4}`, points: line.values.map(([a, b]) => `${X(a)},${Y(b)}`).join(" ") }),
        line.values.length < 30 && line.values.map(([a, b]) => svg("circle", { class: `curve-${k % 4}`, cx: X(a), cy: Y(b), r: 2.5 })), svg("text", { class: "name", x: width - box.right + 6, y: ends[k] }, line.name.slice(0, 14))]));
    return h("figure", { class: "lines" }, h("figcaption", {}, spec.title), picture, told);
  }

  Object.assign(window.thaw, { ticksOf, lines });
})();
