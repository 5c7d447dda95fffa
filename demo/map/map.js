/* The Map tab: the chart with its legend, search, lasso and list; before and after; one point. */
(() => {
  const { h, words, number, count } = window.thaw;
  const MOST_GROUPS = 24;
  const SIZE = 12;
  const MORE = [["groups", "groups found by k-means and HDBSCAN"],
    ["predictions", "predictions of the model"]];

  /* Groups in the order of their size; those past the most are drawn as the rest. */
  function palette(column, points) {
    const sizes = column.labels.map(() => 0);
    for (const code of column.codes) if (code >= 0) sizes[code] += 1;
    const order = column.labels.map((_, k) => k);
    if (column.kind === "label") order.sort((a, b) => sizes[b] - sizes[a]);
    const shown = order.slice(0, MOST_GROUPS), place = new Map(shown.map((code, k) => [code, k]));
    const groups = Int32Array.from({ length: points }, (_, i) => place.get(column.codes[i]) ?? -1);
    const looks = column.kind === "verdict" ? ["good", "bad"] : null;
    return { groups, names: shown.map((code) => column.labels[code]),
      sizes: shown.map((code) => sizes[code]), looks,
             rest: points - shown.reduce((sum, code) => sum + sizes[code], 0),
               more: order.length - shown.length };
  }

  /* Both pictures in one frame: flat axes become x, y, z triples. */
  function triples(axes) {
    const [x, y, z] = axes, out = new Float32Array(3 * x.length);
    for (let i = 0; i < x.length; i += 1) { out[3 * i] = x[i]; out[3 * i + 1] = y[i];
      out[3 * i + 2] = z ? z[i] : 0; }
    return out;
  }

  function map(element, props, watch, on) {
    let view = null, chart = null, colour = "", lower = [], listed = [], page = 0, what = "All",
      hidden = new Set();
    const parts = {};

    function frame(host) {
      const button = (name, act, more) => h("button", { type: "button", class: "tool", onclick: act,
        ...more }, name);
      parts.search = h("input", { type: "search", placeholder: "text contains…",
        "aria-label": "Mark sentences that contain", maxlength: 200, oninput: search });
      parts.by = h("select", { "aria-label": "Colour by", onchange: () => choose(parts.by.value) });
      parts.pan = button("Move", () => mode("pan"), { "aria-pressed": "true" });
      parts.lasso = button("Lasso", () => mode("lasso"), { "aria-pressed": "false" });
      parts.canvas = h("div", { class: "map-canvas" });
      parts.legend = h("div", { class: "groups", role: "group",
        "aria-label": "Show or hide groups" });
      parts.answer = h("section", { class: "card answer", "aria-live": "polite" });
      parts.told = h("p", { class: "soft" });
      parts.time = h("div", { class: "map-time" });
      parts.rows = h("section", { class: "card map-list" });
      parts.moved = h("section", { class: "card map-moved" });
      parts.slot = h("div", { class: "point-slot" });
      host.replaceChildren(parts.answer, h("section", { class: "card map-card" },
        h("div", { class: "tools" }, parts.search,
          h("label", { class: "by" }, h("span", { class: "soft" }, "Colour by"), parts.by),
          h("span", { class: "ways-group" }, parts.pan, parts.lasso),
            button("+", () => chart.zoom(1.4), { "aria-label": "Zoom in" }),
          button("−", () => chart.zoom(1 / 1.4), { "aria-label": "Zoom out" }),
            button("Whole map", whole)),
        parts.time, parts.canvas, parts.legend, parts.told), parts.slot, parts.moved, parts.rows);
      chart = window.thawScatter.chart(parts.canvas,
        "Map of sentences. Arrow keys move it, plus and minus zoom, 0 shows all, Enter picks the point in the middle.", {
        say: (i) => [view.texts[i], ...view.columns.filter((c) => c.name === colour).map((c) =>
          `${c.name}: ${c.labels[c.codes[i]] ?? "none"}`),
          ...(i >= view.texts.length - view.placed ? ["placed on the map"] : [])],
        pick: (i) => pick(i),
        select: (some) => { chart.mark({ chosen: some.length ? new Set(some) : null });
          list(some.length ? some : all(), some.length ? "In the lasso" : "All"); },
      });
      parts.canvas.dataset.kind = chart.kind;
      parts.canvas.chart = chart;  // for whoever measures how fast it draws
    }

    const all = () => view.texts.map((_, i) => i);
    function mode(wanted) {
      chart.mode(wanted);
      parts.pan.setAttribute("aria-pressed", String(wanted === "pan"));
      parts.lasso.setAttribute("aria-pressed", String(wanted === "lasso"));
    }
    function whole() {
      parts.search.value = "";
      chart.reset();
      chart.mark({ chosen: null, found: null, picked: null, near: [] });
      list(all(), "All");
    }
    function pick(i) {
      chart.mark({ picked: i, near: [] });
      if (i !== null) on.pick(i);
    }
    function search() {
      const text = parts.search.value.toLowerCase();
      const found = text ? lower.flatMap((t, i) => (t.includes(text) ? [i] : [])) : null;
      chart.mark({ found: found && new Set(found), chosen: null });
      list(found || all(), found ? "Found" : "All");
    }

    /* ---- colours */
    function choices() {
      const kinds = [["label", "Labels"], ["verdict", "Right or wrong"], ["group", "Groups"]];
      const options = kinds.flatMap(([kind, name]) => {
        const own = view.columns.filter((column) => column.kind === kind);
        return own.length ? [h("optgroup", { label: name },
          own.map((c) => h("option", { value: c.name, selected: c.name === colour }, c.name)))] :
          [];
      });
      // another model may be the working one by now
      const grouped = view.columns.some((c) => c.kind === "group");
      const more = MORE.filter(([kind]) => kind !== "groups" || !grouped).map(([kind, name]) =>
        h("option", { value: `+${kind}` }, `${name}…`));
      parts.by.replaceChildren(h("option", { value: "", selected: !colour }, "nothing"), ...options,
        ...(more.length ? [h("optgroup", { label: "To be computed" }, more)] : []));
    }
    function choose(name) {
      if (name.startsWith("+")) { parts.by.value = colour; on.colour(name.slice(1)); return; }
      colour = name;
      hidden = new Set();
      const column = view.columns.find((c) => c.name === name);
      const found = column ? palette(column, view.texts.length) :
        { groups: new Int32Array(view.texts.length).fill(-1), names: [], sizes: [], looks: null,
        rest: 0, more: 0 };
      chart.colour(found.groups, found.names, found.looks);
      parts.legend.replaceChildren(...found.names.map((label, k) => {
        const chip = h("button", { type: "button", class: "group", "aria-pressed": "true",
          onclick: () => {
          hidden.has(k) ? hidden.delete(k) : hidden.add(k);
          chip.setAttribute("aria-pressed", String(!hidden.has(k)));
          chart.mark({ hidden: new Set(hidden) });
        } }, window.thawScatter.sign(k, found.looks?.[k]), words(label),
          h("span", { class: "n" }, count(found.sizes[k])));
        return chip;
      }), ...(found.rest ? [h("span", { class: "group plain" }, window.thawScatter.sign(-1),
        found.more ? `${count(found.more)} smaller groups, or none` : "none",
        h("span", { class: "n" }, count(found.rest)))] : []));
      parts.by.value = name;
      draw();
    }

    /* ---- before and after */
    function time() {
      const both = Boolean(view.after);
      parts.time.hidden = !both;
      if (!both) return;
      const slider = h("input", { type: "range", min: 0, max: 100, value: 0,
        "aria-label": "From before to after fine-tuning",
        oninput: () => { chart.at(slider.value / 100); say(); } });
      const say = () => slider.setAttribute("aria-valuetext", slider.value < 5 ?
        "before" : slider.value > 95 ? "after" : `${slider.value} % of the way`);
      const play = h("button",
        { type: "button", class: "tool", onclick: () => chart.travel(slider.value > 50 ? 0 : 1,
        (t) => { slider.value = Math.round(100 * t); say(); }) }, "▶ Play");
      say();
      parts.time.replaceChildren(play, h("b", {}, "before"), slider, h("b", {}, "after"));
    }
    const jump = (i, text) => h("button", { type: "button", class: "row-go",
      onclick: () => pick(i) }, words(text));
    function moved() {
      parts.moved.hidden = !view.moved;
      if (!view.moved) return;
      const pairs = (name, some) => h("div", {}, h("h4", {}, name), some.length ?
        h("ol", {}, some.map((p) => h("li", {}, jump(p.a, view.texts[p.a]),
        h("span", { class: "soft" }, " and "), jump(p.b, view.texts[p.b]),
          h("b", { class: "soft" }, ` ${number(p.before, 2)} → ${number(p.after, 2)}`))))
        : h("p", { class: "soft" }, "None."));
      const lists = ({ least, apart, together }) => h("div", { class: "pairs" },
        pairs("Came together", together), pairs("Went apart", apart),
        h("div", {}, h("h4", {}, "Changed their neighbours"),
          h("ol", {}, least.map(({ i, kept: k }) => h("li", {}, jump(i, view.texts[i]),
          h("b", { class: "soft" }, ` kept ${number(100 * k, 0)} %`))))));
      const { kept, neighbours, placed } = view.moved;
      parts.moved.replaceChildren(h("h3", {}, "What moved most"),
        h("p", { class: "soft" },
          `By cosine among the embeddings, not by the picture. Of its ${neighbours} nearest, a sentence keeps ${number(100 * kept, 0)} % on average. ` +
          "The second map goes on from the first, with a tenth of the steps' size, and is then turned, mirrored and scaled as a whole onto it: a sentence that need not move hardly does, and a short way says nothing of how much changed."),
        lists(view.moved), ...(placed ? [h("h3", {}, "What moved most of those placed"),
          h("p", { class: "soft" },
            `Pairs with a sentence placed later, and of its ${placed.neighbours} nearest how many it keeps: ${number(100 * placed.kept, 0)} % on average. ` +
            "Each stands on both maps where its nearest there draw it; the others stay as they were, and the list above is theirs alone."), lists(placed)] : []));
    }

    /* ---- the list: what a lasso or a search took, by keyboard too */
    function list(some, name) { [listed, what, page] = [some, name, 0]; draw(); }
    function draw(focus) {
      const column = view.columns.find((c) => c.name === colour),
        pages = Math.max(1, Math.ceil(listed.length / SIZE)), first = page * SIZE;
      const turn = (by, name) => h("button", { type: "button", "data-turn": name, disabled: page +
        by < 0 || page + by >= pages, onclick: () => { page += by; draw(`[data-turn="${name}"]`);
        } }, name);
      parts.rows.replaceChildren(h("div", { class: "bar" },
        h("h3", { role: "status" },
        `${what}: ${count(listed.length)} of ${count(view.texts.length)}`),
          h("button", { type: "button", class: "tool", disabled: !listed.length,
            onclick: () => on.save(listed.length === view.texts.length ? null : listed) },
            "Download these, CSV")),
        h("table", { class: "points" }, h("caption", { class: "hidden-text" },
          "Sentences; pick one for all of it"),
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Sentence"), column &&
            h("th", { scope: "col" }, column.name))),
          h("tbody", {}, listed.slice(first, first + SIZE).map((i) => h("tr", { "data-point": i },
            h("td", {}, jump(i, view.texts[i])), column && h("td", { class: "soft" },
            words(column.labels[column.codes[i]] ?? "none")))))),
        h("nav", { class: "pager", "aria-label": "Pages of the list" }, turn(-1, "Previous"),
          h("span", {}, listed.length ?
            `${count(first + 1)}–${count(Math.min(listed.length, first + SIZE))} of ${count(listed.length)}` : "none"), turn(1, "Next")));
      if (focus) parts.rows.querySelector(focus)?.focus({ preventScroll: true });
    }

    /* ---- what Python sends: a whole map, or more columns of the one that is shown */
    function columns(given) {
      const names = new Set(given.columns.map((c) => c.name));
      view.columns = [...view.columns.filter((c) => !names.has(c.name)), ...given.columns];
      const verdict = given.columns.find((c) => c.kind === "verdict") || given.columns[0];
      choices();
      colour = verdict.name;
      choices();
      choose(colour);
    }
    function whole_map(given) {
      const before = view, place = triples(given.places), last = given.after &&
        triples(given.after.places);
      const same = before && before.texts.length === given.texts.length &&
        before.dimensions === given.dimensions &&
        before.texts.every((t, i) => t === given.texts[i]);
      view = given;
      lower = view.texts.map((text) => text.toLowerCase());
      parts.answer.replaceChildren(h("p", { class: "big" }, view.lead),
        h("p", { class: "soft" }, view.title),
        ...view.notes.map((note) => h("p", { class: view.final ? "soft" : "soft waiting" }, note)));
      parts.told.textContent = view.after ? `Before: ${view.told} ${view.after.told}` : view.told;
      const deep = view.dimensions === 3;
      if (same && !last) chart.move(place, { deep });
      else { chart.show({ from: place, to: last || place, deep }); chart.at(last ? 0 : 1); }
      if (!same) parts.slot.replaceChildren();
      const names = view.columns.map((c) => c.name);
      colour = names.includes(colour) ? colour : view.colour || names[0] || "";
      choices();
      choose(colour);
      time();
      moved();
      parts.search.value = "";
      list(view.placed ? all().slice(-view.placed) : all(), view.placed ? "Placed" : "All");
      chart.mark({ picked: null, near: [], found: null, chosen: null,
        fresh: view.placed ? all().slice(-view.placed) : [] });
    }

    document.addEventListener("thaw:near", ({ detail }) => chart && view &&
      detail.near.every((i) => i < view.texts.length) &&
      chart.mark({ picked: detail.point, near: detail.near }));
    document.addEventListener("thaw:pick", ({ detail }) => chart && pick(detail));
    window.thaw.keep(element, props, watch, (host, given) => {
      if (!chart) frame(host);
      if (given.texts) whole_map(given); else if (view) columns(given);
      parts.canvas.dataset.points = String(view.texts.length);
      parts.canvas.dataset.method = view.method;
      host.dataset.final = String(view.final !== false);
    });
  }

  /* One point: its text, what is known and predicted of it, and its nearest. */
  function mapPoint(element, props, watch) {
    window.thaw.keep(element, props, watch, (host, view) => {
      const near = view.near.map(({ i }) => i);
      const go = ({ i, text }) => h("button", { type: "button", class: "row-go",
        onclick: () => document.dispatchEvent(new CustomEvent("thaw:pick", { detail: i })) },
        words(text));
      const nearest = (name, some) => h("div", {}, h("h4", {}, name),
        h("ol", { class: "near" },
        some.map((each) => h("li", {}, h("span", { class: "score" }, number(each.score, 2)),
        go(each)))));
      const verdict = (given) => given.true === null ? "" : given.true === given.label ?
        ", right" : ", wrong";
      // Drawn beside the map, where whoever picked a point looks.
      document.querySelector("#map-picture .point-slot")?.replaceChildren(h("section",
        { class: "card map-point", "aria-live": "polite" },
        h("h3", {}, `Sentence ${count(view.point + 1)}`),
        h("p", { class: "big" }, words(view.text)),
        h("dl", { class: "point-facts" },
          view.facts.map(({ name, value }) => h("div", {}, h("dt", {}, words(name)),
          h("dd", {}, words(value)))),
          view.predictions.map((p) => h("div", {}, h("dt", {}, `${p.name}, the model says`),
            h("dd", {}, words(p.label), ` ${number(100 * p.confidence, 0)} %`, p.unsure &&
            ", unsure", verdict(p))))),
        h("div", { class: "pairs" },
          nearest(view.after ? "Nearest before, by cosine" :
          "Nearest by cosine among the embeddings, not by the picture", view.near),
          view.after && nearest(`Nearest after; ${view.after.kept} of ${view.near.length} kept`,
            view.after.near))));
      document.dispatchEvent(new CustomEvent("thaw:near", { detail: { point: view.point, near } }));
    });
  }

  Object.assign(window.thaw, { map, mapPoint });
})();
