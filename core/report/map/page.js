/* The page that `python -m core map` writes: a map with search, groups, lasso and a list. */
(() => {
  const doc = JSON.parse(document.getElementById("document").textContent);
  const MOST_ROWS = 100, MOST_GROUPS = 24;
  const $ = (id) => document.getElementById(id);
  const count = (n) => n.toLocaleString("en");
  const theme = window.matchMedia("(prefers-color-scheme: dark)");
  const dress = () => { document.documentElement.dataset.theme = theme.matches ? "dark" : "light"; };
  theme.addEventListener("change", dress);
  dress();

  const points = doc.points, deep = doc.dimensions === 3;
  const sizes = new Map();
  for (const { label } of points) if (label !== null) sizes.set(label, (sizes.get(label) || 0) + 1);
  const ranked = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || (a < b ? -1 : 1));
  const names = ranked.slice(0, MOST_GROUPS), order = new Map(names.map((name, k) => [name, k]));
  const groups = Int32Array.from(points, (p) => order.get(p.label) ?? -1);
  const triples = (some) => {
    const flat = new Float32Array(3 * some.length);
    some.forEach((p, i) => flat.set([p.x, p.y, deep ? p.z : 0], 3 * i));
    return flat;
  };
  const places = triples(points), later = doc.after && triples(doc.after.points);
  const first = points.length - (doc.placed || 0);
  const lower = points.map((p) => p.text.toLowerCase());
  let listed = points.map((_, i) => i), hidden = new Set();

  const chart = window.thawScatter.chart($("map"), "Map of sentences. Arrow keys move it, plus and minus zoom, Enter picks the point in the middle.", {
    say: (i) => [points[i].text.slice(0, 300), points[i].label === null ? "" : `${doc.colour}: ${points[i].label}`, i < first ? "" : "placed on the map"].filter(Boolean),
    pick: (i) => { chart.mark({ picked: i }); if (i !== null) list([i], "Picked"); },
    select: (some) => { chart.mark({ chosen: some.length ? new Set(some) : null }); list(some.length ? some : points.map((_, i) => i), some.length ? "In the lasso" : "All"); },
  });
  chart.show({ from: places, to: later || places, deep });
  chart.at(0);
  chart.colour(groups, names);
  chart.mark({ fresh: points.flatMap((_, i) => (i < first ? [] : [i])) });  // a ring tells those placed
  $("map").chart = chart;  // for whoever measures how fast it draws
  $("map").dataset.drawn = String(points.length);

  function list(some, what) {
    listed = some;
    $("listed").textContent = `${what}: ${count(some.length)} of ${count(points.length)}`;
    $("rows").replaceChildren(...some.slice(0, MOST_ROWS).map((i) => {
      const row = document.createElement("tr"), go = document.createElement("button");
      go.type = "button";
      go.textContent = points[i].text;
      go.dir = "auto";
      go.onclick = () => chart.mark({ picked: i });
      const [first, second] = [row.insertCell(), row.insertCell()];
      first.append(go);
      second.textContent = points[i].label ?? "";
      return row;
    }));
    $("more").textContent = some.length > MOST_ROWS ? `and ${count(some.length - MOST_ROWS)} more; the download has all` : "";
  }

  names.forEach((name, k) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "group" });
    button.setAttribute("aria-pressed", "true");
    button.append(window.thawScatter.sign(k), document.createTextNode(`${name} ${count(sizes.get(name))}`));
    button.onclick = () => {
      hidden.has(k) ? hidden.delete(k) : hidden.add(k);
      button.setAttribute("aria-pressed", String(!hidden.has(k)));
      chart.mark({ hidden: new Set(hidden) });
    };
    $("groups").append(button);
  });

  $("search").oninput = () => {
    const text = $("search").value.toLowerCase();
    const found = text ? lower.flatMap((t, i) => (t.includes(text) ? [i] : [])) : null;
    chart.mark({ found: found && new Set(found), chosen: null });
    list(found || points.map((_, i) => i), found ? "Found" : "All");
  };
  for (const mode of ["pan", "lasso"]) $(mode).onclick = () => {
    chart.mode(mode);
    for (const each of ["pan", "lasso"]) $(each).setAttribute("aria-pressed", String(each === mode));
  };
  $("in").onclick = () => chart.zoom(1.4);
  $("out").onclick = () => chart.zoom(1 / 1.4);
  $("whole").onclick = () => { chart.reset(); chart.mark({ chosen: null, picked: null }); };
  function tell_time() {
    const share = Number($("when").value);
    $("when").setAttribute("aria-valuetext", share < 5 ? "before" : share > 95 ? "after" : `${share} % of the way`);
  }
  if (later) {
    $("time").hidden = $("moved").hidden = false;
    $("when").oninput = () => { chart.at($("when").value / 100); tell_time(); };
    $("play").onclick = () => chart.travel($("when").value > 50 ? 0 : 1, (t) => { $("when").value = Math.round(100 * t); tell_time(); });
    tell_time();
    moved();
  }

  function moved() {
    const make = (tag, text) => { const node = document.createElement(tag); node.textContent = text; return node; };
    const said = (i) => { const node = make("bdi", points[i].text); node.dir = "auto"; return node; };
    const part = (name, some) => {
      const box = document.createElement("div"), ol = document.createElement("ol");
      for (const p of some.slice(0, 8)) {
        const row = document.createElement("li");
        row.append(said(p.a), " and ", said(p.b), " ", make("b", `${p.before.toFixed(2)} → ${p.after.toFixed(2)}`));
        ol.append(row);
      }
      box.append(make("h3", name), some.length ? ol : make("p", "None."));
      return box;
    };
    const { kept, neighbours, together, apart, placed } = doc.changes;
    $("kept").textContent = `Of its ${neighbours} nearest, a sentence keeps ${Math.round(100 * kept)} % on average` +
      `${placed ? `, one placed later ${Math.round(100 * placed.kept)} %` : ""}. A short way on the map says nothing of how much changed.`;
    $("pairs").append(part("Came together", together), part("Went apart", apart),
      ...(placed ? [part("Came together with one placed", placed.together), part("Went apart from one placed", placed.apart)] : []));
  }

  $("save").onclick = () => {
    const harmless = (text) => (/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text);
    const cell = (value) => (typeof value === "number" ? String(value) : `"${harmless(value ?? "").replaceAll('"', '""')}"`);
    const axes = deep ? ["x", "y", "z"] : ["x", "y"];
    const beyond = later ? axes.map((a) => `${a}_after`) : [];
    const lines = [["row", "text", "label", ...axes, ...beyond].map(cell), ...listed.map((i) =>
      [i + 1, points[i].text, points[i].label, ...axes.map((a) => points[i][a]), ...(later ? axes.map((a) => doc.after.points[i][a]) : [])].map(cell))];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", lines.map((l) => l.join(",")).join("\r\n"), "\r\n"], { type: "text/csv" }));
    link.download = "map.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const both = later ? "; before and after fine-tuning" : "", placed = doc.placed ? `, ${count(doc.placed)} of them placed on it, ringed` : "";
  const how = doc.method === "umap" ? `UMAP, ${doc.neighbours} neighbours, spread ${doc.spread}, seed ${doc.seed}` : "PCA";
  $("made").textContent = `${count(points.length)} sentences${placed}; ${doc.model}, ${doc.pooling} pooling, ${doc.metric}; ${how}${both}`;
  $("quality").textContent = doc.told;
  $("what").textContent = doc.colour ?? "Label";
  list(listed, "All");
})();
