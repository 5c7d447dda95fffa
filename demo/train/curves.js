/* A chart that grows: zoom by dragging and hover survive every update, as nothing is drawn anew from outside. */
(() => {
  const { h, svg, number } = window.thaw;
  const narrow = window.innerWidth < 620;  // letters keep their size where the picture is small
  const W = narrow ? 340 : 620, H = 230, LEFT = 44, RIGHT = narrow ? 78 : 118, TOP = 10, BOTTOM = 30;
  const inner = W - LEFT - RIGHT, tall = H - TOP - BOTTOM;
  const LABEL = 14;

  function nice(low, high, count) {
    const raw = (high - low || 1) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw * 0.999);
    const found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < 1e-12 ? 0 : v);
    return { found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
  }

  /* Of more points than pixels those that stand out are kept: the lowest and highest of each pixel. */
  function thin(points, from, to) {
    const seen = points.filter(([x], k) => (x >= from && x <= to) || (points[k + 1] && points[k + 1][0] >= from && x < from));
    if (seen.length <= 2 * inner) return seen;
    const size = Math.ceil(seen.length / inner), found = [];
    for (let k = 0; k < seen.length; k += size) {
      const some = seen.slice(k, k + size).sort((a, b) => a[1] - b[1]);
      found.push(...[some[0], some[some.length - 1]].sort((a, b) => a[0] - b[0]));
    }
    return found;
  }

  /* `options`: {title, unit, percent, below}. Returns {node, update(series, marks, end), zoom, reset}. */
  function curves(options) {
    let series = [], marks = [], end = 1, zoom = null, pointer = null, drag = null;
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "curves", role: "img", "aria-label": options.title });
    const out = h("button", { type: "button", class: "link zoom-out", hidden: true, onclick: () => { zoom = null; draw(); } }, "Whole run");
    const readout = h("p", { class: "readout soft" });
    const node = h("figure", { class: "curve" }, h("figcaption", {}, h("b", {}, options.title), out), picture, readout);
    const say = (value) => options.percent ? `${number(100 * value, 1)} %` : number(value, 3);
    const domain = () => zoom || [0, Math.max(end, 1)];
    const toX = (x) => LEFT + inner * (x - domain()[0]) / (domain()[1] - domain()[0]);
    const fromX = (px) => domain()[0] + (px - LEFT) / inner * (domain()[1] - domain()[0]);

    function bounds() {
      const [from, to] = domain();
      const values = series.flatMap((each) => thin(each.points, from, to).map(([, y]) => y)).filter(Number.isFinite);
      if (options.percent) return [0, 1];
      if (!values.length) return [0, 1];
      const high = Math.max(...values), low = Math.min(0, ...values);
      return [low, high === low ? low + 1 : high + 0.04 * (high - low)];
    }

    function labels(toY) {
      const [from, to] = domain();
      const wanted = series.filter((each) => each.label && each.points.length).map((each) => {
        const inside = each.points.filter(([x]) => x >= from && x <= to);
        return inside.length ? { each, y: toY(inside[inside.length - 1][1]) } : null;
      }).filter(Boolean).sort((a, b) => a.y - b.y);
      let last = -Infinity;
      for (const one of wanted) { one.y = Math.max(one.y, last + LABEL); last = one.y; }
      const over = last - (TOP + tall);
      return wanted.map(({ each, y }) => svg("text", { x: LEFT + inner + 8, y: (over > 0 ? y - over : y) + 4, class: `end ${each.look}` }, each.label));
    }

    function draw() {
      const [low, high] = bounds(), [from, to] = domain();
      const toY = (y) => TOP + tall * (1 - (y - low) / (high - low));
      const ys = nice(low, high, 4), xs = nice(from, to, narrow ? 3 : 6);
      const parts = ys.found.map((v) => [
        svg("line", { x1: LEFT, x2: LEFT + inner, y1: toY(v), y2: toY(v), class: "grid" }),
        svg("text", { x: LEFT - 6, y: toY(v) + 4, class: "tick y" }, options.percent ? `${Math.round(100 * v)} %` : v.toFixed(ys.digits))]);
      parts.push(xs.found.filter((v) => v === Math.round(v)).map((v) => svg("text", { x: toX(v), y: H - 12, class: "tick" }, v.toLocaleString("en"))),
        svg("text", { x: LEFT + inner + 8, y: H - 12, class: "tick name" }, options.below || "steps"));
      for (const mark of marks.filter(({ x }) => x >= from && x <= to)) parts.push(
        svg("line", { x1: toX(mark.x), x2: toX(mark.x), y1: TOP, y2: TOP + tall, class: "mark" }),
        svg("text", { x: toX(mark.x) + 4, y: TOP + 9, class: "mark-sign" }, "▲", svg("title", {}, mark.text)));
      for (const each of series) {
        const seen = thin(each.points, from, to).filter(([, y]) => Number.isFinite(y));
        if (seen.length > 1) parts.push(svg("path", { class: `line ${each.look}${each.faint ? " faint" : ""}`,
          d: seen.map(([x, y], k) => `${k ? "L" : "M"}${toX(x).toFixed(1)} ${toY(y).toFixed(1)}`).join("") }));
        if (each.dots || seen.length === 1) parts.push(seen.filter(([x]) => x >= from).map(([x, y]) => svg("circle", { cx: toX(x), cy: toY(y), r: 3.5, class: `dot ${each.look}` })));
      }
      parts.push(labels(toY));
      if (drag) parts.push(svg("rect", { x: Math.min(drag.a, drag.b), y: TOP, width: Math.abs(drag.a - drag.b), height: tall, class: "brush" }));
      else if (pointer !== null) parts.push(svg("line", { x1: pointer, x2: pointer, y1: TOP, y2: TOP + tall, class: "cursor" }));
      const clip = [...parts.flat(Infinity).filter(Boolean)];
      picture.replaceChildren(...clip);
      out.hidden = !zoom;
      tell();
    }

    function tell() {
      const marked = marks.length ? ` ▲ ${marks.map((m) => `step ${m.x}: ${m.text}`).slice(-2).join(" · ")}` : "";
      if (pointer === null) { readout.textContent = `${options.hint || "Drag over a part to look closer."}${marked}`; return; }
      const x = fromX(pointer);
      const near = series.filter((each) => each.name).map((each) => {
        const best = each.points.reduce((b, p) => b === null || Math.abs(p[0] - x) < Math.abs(b[0] - x) ? p : b, null);
        return best && { x: best[0], text: `${each.name} ${say(best[1])}` };
      }).filter(Boolean);
      readout.textContent = near.length ? `Step ${Math.round(x)}: ${near.map((n) => n.text).join(" · ")}` : "";
    }

    const at = (event) => {
      const box = picture.getBoundingClientRect();
      return Math.max(LEFT, Math.min(LEFT + inner, (event.clientX - box.left) / box.width * W));
    };
    picture.addEventListener("pointermove", (e) => { if (drag) drag.b = at(e); pointer = at(e); draw(); });
    picture.addEventListener("pointerleave", () => { pointer = null; drag = null; draw(); });
    picture.addEventListener("pointerdown", (e) => { drag = { a: at(e), b: at(e) }; });
    picture.addEventListener("pointerup", () => {
      if (drag && Math.abs(drag.a - drag.b) > 8) {
        const [a, b] = [fromX(drag.a), fromX(drag.b)].sort((p, q) => p - q);
        zoom = [Math.max(0, Math.floor(a)), Math.max(Math.ceil(b), Math.floor(a) + 2)];
      }
      drag = null;
      draw();
    });
    picture.addEventListener("dblclick", () => { zoom = null; draw(); });

    function update(newSeries, newMarks, newEnd) { series = newSeries; marks = newMarks; end = newEnd; draw(); }
    return { node, picture, update, zoomed: () => zoom, reset: () => { zoom = null; pointer = null; } };
  }

  /* A picture as a file of its own: what the style sheet says is written into it. */
  function pictureOf(charts, title) {
    const styles = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];
    const root = svg("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${W} ${(H + 26) * charts.length}`, width: W, height: (H + 26) * charts.length });
    root.append(svg("title", {}, title), svg("rect", { width: "100%", height: "100%", fill: getComputedStyle(document.body).getPropertyValue("--thaw-surface") }));
    charts.forEach((chart, k) => {
      const copy = chart.picture.cloneNode(true);
      const [from, to] = [chart.picture.querySelectorAll("*"), copy.querySelectorAll("*")];
      from.forEach((node, i) => { for (const name of styles) to[i].setAttribute(name, getComputedStyle(node).getPropertyValue(name)); });
      const group = svg("g", { transform: `translate(0 ${k * (H + 26) + 22})` }, [...copy.childNodes]);
      const ink = getComputedStyle(document.body).getPropertyValue("--thaw-text");
      root.append(svg("text", { x: 8, y: k * (H + 26) + 16, "font-family": "sans-serif", "font-size": 14, "font-weight": 600, fill: ink }, chart.node.querySelector("b").textContent), group);
    });
    return new XMLSerializer().serializeToString(root);
  }

  Object.assign(window.thaw, { curves, pictureOf });
})();
