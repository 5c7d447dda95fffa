/* The rows of labelled data: Python finds them, a page at a time; this asks and draws. */
(() => {
  const { h, words, count, title, look, calm } = window.thaw;
  const MOST_CHIPS = 12;
  const SIZES = [10, 25, 100];
  const NONE = -1;
  const PAUSE = 220;

  const NOTHING = { search: "", labels: {}, facet: {}, split: "", finding: null, sort: "place",
    down: false, page: 0 };

  function queryOf(view) {
    const { search, labels, facet, split, finding, sort, down, page, size } = view;
    return { search, labels, facets: facet, split, finding, sort, down, page, size };
  }

  /* ---- filters */
  function chip(name, n, most, chosen, id, toggle) {
    return h("button", { type: "button", class: `count${n === null ? " other" : ""}`,
      "aria-pressed": String(chosen), "data-chip": id,
      style: { "--v": n === null ? 0 : (n / Math.max(1, most)).toFixed(3) }, onclick: toggle },
      name, n !== null && [" ", h("span", { class: "n" }, count(n))]);
  }

  function taskFilter(view, task, t, go) {
    const chosen = view.labels[t];
    const pick = (k) => () => {
      const labels = { ...view.labels };
      if (chosen === k) delete labels[t]; else labels[t] = k;
      go({ labels }, `[data-chip="${t}:${k}"]`);
    };
    const ranked = task.labels.map((label, k) => k);
    if (ranked.length > MOST_CHIPS) ranked.sort((a, b) => task.counts[b] - task.counts[a]);
    const shown = ranked.slice(0, MOST_CHIPS);
    if (chosen >= 0 && !shown.includes(chosen)) shown.push(chosen);
    const rest = ranked.filter((k) => !shown.includes(k));
    const most = Math.max(...task.counts);
    return h("div", { class: "counts", role: "group",
      "aria-label": `Show only rows of this ${task.name}` },
      h("span", { class: "soft" }, words(title(task.name))),
      shown.map((k) => chip(words(task.labels[k], "clip"), task.counts[k], most, chosen === k,
        `${t}:${k}`, pick(k))),
      rest.length > 0 && h("select", { "aria-label": `More labels of ${task.name}`,
        onchange: (e) => e.target.value && pick(Number(e.target.value))() },
        h("option", { value: "" }, `${count(rest.length + task.more)} more…`),
        rest.map((k) => h("option", { value: k }, `${task.labels[k]} (${count(task.counts[k])})`))),
      chip("none", null, 1, chosen === NONE, `${t}:none`, pick(NONE)));
  }

  function choice(name, values, chosen, go) {
    return h("label", { class: "pick" }, h("span", { class: "soft" }, title(name)),
      h("select", { "data-pick": name, "aria-label": title(name),
        onchange: (e) => go(e.target.value) }, h("option", { value: "" }, "all"),
        values.map((value) => h("option", { value, selected: value === chosen },
          value.slice(0, 80)))));
  }

  function filters(view, go) {
    const facets = Object.entries(view.facets).map(([name, values]) => choice(name, values,
      view.facet[name],
      (value) => go({ facets: value ? { ...view.facet, [name]: value } : {} },
        `[data-pick="${name}"]`)));
    const split = view.splits.length > 0 && !view.corpus &&
      choice("split", view.splits, view.split,
        (value) => go({ split: value }, '[data-pick="split"]'));
    return [view.tasks.map((task, t) => taskFilter(view, task, t, go)),
      (facets.length > 0 || split) && h("div", { class: "picks" }, facets, split)];
  }

  /* ---- the table */
  function header(view, go) {
    const sortable = (key, name) => {
      const sorted = view.sort === key;
      return h("th", { scope: "col", "aria-sort": sorted ?
        (view.down ? "descending" : "ascending") : null },
        h("button", { type: "button", "data-sort": key,
          onclick: () => go({ sort: key, down: sorted && !view.down }, `[data-sort="${key}"]`) },
          words(name), sorted ? h("span", { "aria-hidden": "true" }, view.down ? " ↓" : " ↑") :
            ""));
    };
    const plain = (name) => h("th", { scope: "col" }, h("span", {}, title(name)));
    return h("thead", {}, h("tr", {}, sortable("place", title(view.unit)),
      sortable("length", "Text"),
      view.tasks.map((task, t) => task.kind === "token" ? null : sortable(t, title(task.name))),
      Object.keys(view.facets).map(plain), view.splits.length > 0 && !view.corpus &&
        plain("split")));
  }

  function tableRow(view, row, before) {
    const apart = before && before.group !== row.group;
    return h("tr", { class: apart ? "apart" : "", "data-place": row.place },
      h("td", { class: "place" }, count(row.place)),
      h("td", { class: "sentence" }, row.pieces.length ? h("bdi", { dir: "auto" },
        row.pieces.map((piece) => piece.label === undefined ? piece.text
        : h("span", { class: `entity small ${look(piece.look)}` }, piece.text,
          h("span", { class: "tag" }, " ", words(piece.label)))))
        : h("span", { class: "soft" }, "no text"),
        row.more > 0 && h("span", { class: "soft" }, ` … ${count(row.more)} more characters`)),
      view.tasks.map((task, t) => task.kind === "token" ? null
        : h("td", { class: "label" }, row.labels[t] === null ? h("span", { class: "soft" },
          "no label") : words(row.labels[t]))),
      row.facets.map((value) => h("td", { class: "facet soft" }, words(value))),
      view.splits.length > 0 && !view.corpus && h("td", { class: "facet soft" }, row.split));
  }

  function pager(view, go) {
    const turn = (by, name) => h("button", { type: "button", "data-turn": name,
      disabled: view.page + by < 0 || view.page + by >= view.pages,
      onclick: () => go({ page: view.page + by }, `[data-turn="${name}"]`) }, name);
    const first = view.page * view.size;
    return h("nav", { class: "pager", "aria-label": "Pages of the rows" }, turn(-1, "Previous"),
      h("span", {}, view.matching ?
        `${count(first + 1)}–${count(Math.min(view.matching, first + view.size))} of ${count(view.matching)}` : "none"),
      turn(1, "Next"), h("label", {}, "Rows ",
        h("select", { "data-size": "", onchange: (e) => go({ size: Number(e.target.value) },
        "[data-size]") },
        SIZES.map((size) => h("option", { value: size, selected: size === view.size }, size)))));
  }

  function said(view, clear) {
    const narrowed = Boolean(view.search || view.finding !== null || view.split ||
      Object.keys(view.labels).length || Object.keys(view.facet).length);
    const what = view.finding !== null ? `The ${view.unit}s of a finding: ` : "";
    return h("p", { class: "soft shown", role: "status" },
      `${what}${count(view.matching)} of ${count(view.total)} ${view.unit}s. `,
      narrowed && h("button", { type: "button", class: "link", onclick: clear }, "Show all"));
  }

  function rows(element, props, watch, onAsk) {
    let view = null, key = null, focus = null, waiting = null, parts = null, goThere = false;
    const host = element.querySelector(".thaw-picture");

    function go(change, where) {
      clearTimeout(waiting);
      focus = where || null;
      const page = "page" in change ? {} : { page: 0 };
      onAsk({ ...queryOf(view), search: parts.search.value, ...change, ...page });
    }

    function frame() {
      const search = h("input", { type: "search", placeholder: "text contains…",
        "aria-label": "Show only rows whose text contains", maxlength: 200,
        oninput: () => { clearTimeout(waiting); waiting = setTimeout(() => go({}), PAUSE); } });
      const heading = h("h3", { tabindex: "-1" }, "Rows");
      parts = { search, heading, filters: h("div", { class: "filters" }),
        body: h("div", { class: "table-body" }) };
      host.replaceChildren(h("section", { class: "card many data-rows" },
        h("div", { class: "bar" }, heading, h("span", { class: "finding" }, search)), parts.filters,
          parts.body));
    }

    function clear() {
      parts.search.value = "";
      go({ ...NOTHING, facets: {} }, "[type=search]");
    }

    function draw() {
      host.parentElement.classList.toggle("nothing", !view.key);
      if (!view.key) { host.replaceChildren(); key = null; return; }
      if (view.key !== key) frame();
      key = view.key;
      parts.filters.replaceChildren(...filters(view, go).flat().filter(Boolean));
      parts.body.replaceChildren(said(view, clear),
        h("table", { class: "predictions labelled" }, h("caption", { class: "hidden-text" },
          "Labelled rows"), header(view, go),
          h("tbody", {}, view.rows.map((row, k) => tableRow(view, row, view.rows[k - 1])))),
            pager(view, go));
      if (focus) host.querySelector(focus)?.focus({ preventScroll: true });
      if (goThere) {
        host.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" });
        parts.heading.focus({ preventScroll: true });
      }
      focus = null;
      goThere = false;
    }

    document.addEventListener("thaw:rows", (event) => {
      if (!view || !view.key || !host.isConnected) return;
      parts.search.value = "";
      goThere = true;
      const { finding = null, labels = {}, facet = {} } = event.detail;
      onAsk({ ...NOTHING, size: view.size, finding, labels, facets: facet });
    });
    window.thaw.keep(element, props, watch, (_, given) => { view = given; draw(); });
  }

  window.thaw.rows = rows;
})();
