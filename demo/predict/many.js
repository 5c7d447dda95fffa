/* Many predictions: counts to filter by, and a table that sorts, searches and turns pages. */
(() => {
  const { h, words, count, title, percent, warn } = window.thaw;
  const { about, lookOf, threshold, unsureMark } = window.thaw;
  const MOST_CHIPS = 12;
  const SHOWN = 240;
  const SIZES = [10, 25, 100];
  const NONE = -1, UNSURE = -2;

  const isToken = (task) => task.kind === "token";
  const isUnsure = (task, said) => isToken(task) ? said.some((e) => e[2] < threshold(task)) :
    said[1] < threshold(task);
  const shorten = (text) => text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;

  /* What a prediction is counted and filtered under: its labels, none, and unsure beside them. */
  function kindsOf(task, said) {
    const kinds = isToken(task) ? [...new Set(said.map((entity) => entity[1]))] : [said[0]];
    if (!kinds.length) kinds.push(NONE);
    if (isUnsure(task, said)) kinds.push(UNSURE);
    return kinds;
  }

  function tally(view) {
    return view.tasks.map((task, t) => {
      const counts = new Map();
      for (const row of view.rows)
        for (const kind of kindsOf(task, row.said[t])) counts.set(kind, (counts.get(kind) || 0) +
          1);
      return counts;
    });
  }

  function answer(view, counts) {
    const parts = view.tasks.map((task, t) => {
      const labels = [...counts[t]].filter(([kind]) => kind >= 0).sort((a, b) => b[1] - a[1]);
      const unsure = counts[t].get(UNSURE) || 0;
      const tail = unsure ? [`, unsure of ${count(unsure)}`] : "";
      if (isToken(task)) {
        const some = view.rows.length - (counts[t].get(NONE) || 0);
        return [`${title(task.name)} in ${count(some)}`, tail, ". "];
      }
      return [`${title(task.name)}: most often `, h("b", {}, words(task.labels[labels[0][0]])),
        ` (${about(labels[0][1] / view.rows.length)})`, tail, ". "];
    });
    return h("section", { class: "card answer", "aria-live": "polite" },
      h("p", { class: "big" }, h("b", {}, `${count(view.rows.length)} sentences.`), " ", parts),
      view.notes.map((note) => h("p", { class: "soft" }, note)),
      view.warnings.map((note) => warn(note)));
  }

  /* ---- filters */
  function chips(view, counts, state, redraw) {
    return view.tasks.map((task, t) => {
      const chosen = state.kinds[t];
      const named = [...counts[t]].filter(([kind]) => kind >= 0).sort((a, b) => b[1] - a[1]);
      const shown = named.slice(0, MOST_CHIPS).map(([kind]) => kind);
      for (const kind of chosen) if (kind >= 0 && !shown.includes(kind)) shown.push(kind);
      const most = Math.max(...counts[t].values());
      const chip = (kind, name) => h("button", {
        type: "button", class: `count${kind < 0 ? " other" : ""}`,
          "aria-pressed": String(chosen.has(kind)), "data-kind": kind,
        style: { "--v": ((counts[t].get(kind) || 0) / most).toFixed(3) },
        onclick: () => { chosen.has(kind) ? chosen.delete(kind) : chosen.add(kind); state.page = 0;
          redraw(`[data-task="${t}"] [data-kind="${kind}"]`); },
      }, name, " ", h("span", { class: "n" }, count(counts[t].get(kind) || 0)));
      return h("div", { class: "counts", role: "group",
        "aria-label": `Show only these of ${task.name}`, "data-task": t },
        h("span", { class: "soft" }, title(task.name)),
          shown.map((kind) => chip(kind, words(task.labels[kind]))),
        named.length > shown.length && h("span", { class: "soft" },
          `and ${count(named.length - shown.length)} more`),
        counts[t].has(NONE) && chip(NONE, "none"), counts[t].has(UNSURE) &&
          chip(UNSURE, "? unsure"));
    });
  }

  /* Labels of one task are alternatives; “unsure”, and each task, narrow further. */
  function passes(view, row, state) {
    if (state.text && !row.lower.includes(state.text)) return false;
    return view.tasks.every((task, t) => {
      const chosen = state.kinds[t];
      if (!chosen.size) return true;
      const own = kindsOf(task, row.said[t]);
      if (chosen.has(UNSURE) && !own.includes(UNSURE)) return false;
      const labels = [...chosen].filter((kind) => kind !== UNSURE);
      return !labels.length || labels.some((kind) => own.includes(kind));
    });
  }

  /* ---- sorting: columns are "place", "text", and per task "label" and "sure" (or "found") */
  const KEYS = {
    place: () => (row) => row.place,
    text: () => (row) => row.lower,
    label: (view, t) => (row) => view.tasks[t].labels[row.said[t][0]].toLowerCase(),
    sure: (view, t) => (row) => row.said[t][1],
    found: (view, t) => (row) => row.said[t].length,
  };
  function sorted(view, rows, { column, task, down }) {
    const key = KEYS[column](view, task);
    const keyed = rows.map((row) => [key(row), row]);
    keyed.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1) ||
      x.place - y.place);
    return keyed.map(([, row]) => row);
  }
  const columnsOf = (view) => [
    { column: "place", task: null, name: "Row" }, { column: "text", task: null, name: "Sentence" },
    ...view.tasks.flatMap((task, t) => isToken(task) ?
      [{ column: "found", task: t, name: title(task.name) }]
      : [{ column: "label", task: t, name: title(task.name) },
        { column: "sure", task: t, name: "Sure", of: task.name }])];

  function sortBy(state, { column, task }) {
    const same = state.sort.column === column && state.sort.task === task;
    // The most entities come first, and the least sure: those are what one looks for.
    state.sort = { column, task, down: same ? !state.sort.down : column === "found" };
    state.page = 0;
  }

  function header(view, state, redraw) {
    return h("thead", {}, h("tr", {}, columnsOf(view).map((each) => {
      const here = state.sort.column === each.column && state.sort.task === each.task;
      const name = `${each.column}-${each.task}`;
      return h("th", { scope: "col", "aria-sort": here ?
        (state.sort.down ? "descending" : "ascending") : null, class: each.column },
        h("button", { type: "button", "data-sort": name, "aria-label": each.of ?
          `Sure of ${each.of}` : null,
          onclick: () => { sortBy(state, each); redraw(`[data-sort="${name}"]`); } },
          each.name, h("span", { class: "way", "aria-hidden": "true" },
            here ? (state.sort.down ? " ▼" : " ▲") : "")));
    })));
  }

  /* On a phone rows are stacked and have no header: this sorts there. */
  function sortChoice(view, state, redraw) {
    const columns = columnsOf(view);
    const here = columns.findIndex((c) => c.column === state.sort.column &&
      c.task === state.sort.task);
    return h("label", { class: "sort-choice" }, "Sort by ", h("select", { "data-sort-choice": "",
      onchange: (e) => { sortBy(state, columns[Number(e.target.value)]);
        redraw("[data-sort-choice]"); } },
      columns.map((c, k) => h("option", { value: k, selected: k === here },
        c.of ? `sure of ${c.of}` : c.name.toLowerCase()))));
  }

  /* ---- the table */
  function cells(view, row) {
    return view.tasks.flatMap((task, t) => {
      const said = row.said[t];
      if (isToken(task)) return [h("td", { class: "spans" }, said.map(([text, label, sure]) =>
        h("span", { class: `entity small ${lookOf(task, task.labels[label])}${sure < threshold(task) ? " unsure" : ""}` }, words(shorten(text)),
          h("span", { class: "tag" }, " ", words(task.labels[label]), sure < threshold(task) &&
            " ?"))))];
      const unsure = isUnsure(task, said);
      return [h("td", { class: unsure ? "label unsure" : "label" }, words(task.labels[said[0]]),
        unsure && [" ", unsureMark()]),
        h("td", { class: "sure" }, h("span", {}, percent(said[1])),
          h("i", { class: unsure ? "meter unsure" : "meter", "aria-hidden": "true",
            style: { "--v": said[1].toFixed(3) } }))];
    });
  }

  function tableRow(view, row, state, open) {
    return h("tr", { class: row.place === state.open ? "pick" : "", "data-row": row.place,
      onclick: () => open(row.place) },
      h("td", { class: "place" },
        h("button", { type: "button", "aria-label": `Open sentence ${row.place + 1}`,
        "aria-pressed": String(row.place === state.open), onclick: (e) => { e.stopPropagation();
          open(row.place); } }, count(row.place + 1))),
      h("td", { class: "sentence" }, words(shorten(row.text))), cells(view, row));
  }

  function pager(state, total, redraw) {
    const pages = Math.max(1, Math.ceil(total / state.size));
    const turn = (by, name) => h("button", { type: "button", "data-turn": name,
      disabled: state.page + by < 0 || state.page + by >= pages,
      onclick: () => { state.page += by; redraw(`[data-turn="${name}"]`); } }, name);
    const first = state.page * state.size;
    return h("nav", { class: "pager", "aria-label": "Pages of the table" },
      turn(-1, "Previous"),
        h("span", {}, total ?
        `${count(first + 1)}–${count(Math.min(total, first + state.size))} of ${count(total)}` :
        "none"),
      turn(1, "Next"), h("label", {}, "Rows ", h("select", { "data-size": "",
        onchange: (e) => { state.size = Number(e.target.value); state.page = 0;
          redraw("[data-size]"); } },
        SIZES.map((size) => h("option", { value: size, selected: size === state.size }, size)))));
  }

  function table(host, view, counts, state, onOpen) {
    const filters = h("div", { class: "filters" }), body = h("div", { class: "table-body" });
    const open = (place) => { state.open = place; draw();
      host.querySelector(`tr[data-row="${place}"] button`)?.focus({ preventScroll: true });
      onOpen({ row: place }); };
    const chosen = () => state.text || state.kinds.some((kinds) => kinds.size);
    const clear = () => { state.kinds.forEach((kinds) => kinds.clear());
      state.text = search.value = ""; state.page = 0; draw("[type=search]"); };
    const search = h("input", { type: "search", placeholder: "text contains…",
      "aria-label": "Show only sentences that contain", maxlength: 200,
      oninput: () => { state.text = search.value.toLowerCase(); state.page = 0; draw(); } });
    search.value = state.typed || "";
    function draw(focus) {
      state.typed = search.value;
      const rows = sorted(view, view.rows.filter((row) => passes(view, row, state)), state.sort);
      const first = state.page * state.size;
      filters.replaceChildren(...chips(view, counts, state, draw));
      body.replaceChildren(
        h("p", { class: "soft shown", role: "status" }, chosen() ?
          `${count(rows.length)} of ${count(view.rows.length)} shown. ` : "",
          chosen() && h("button", { type: "button", class: "link", onclick: clear }, "Show all")),
        h("table", { class: "predictions" }, h("caption", { class: "hidden-text" },
          "Predictions; pick a row for all of it"),
          header(view, state, draw),
            h("tbody", {}, rows.slice(first, first + state.size).map((row) => tableRow(view, row,
            state, open)))),
        pager(state, rows.length, draw));
      if (focus) host.querySelector(focus)?.focus();
    }
    host.replaceChildren(answer(view, counts), h("section", { class: "card many" },
      h("div", { class: "bar" }, h("h3", {}, "Predictions"), h("span", { class: "finding" }, search,
        sortChoice(view, state, (f) => draw(f)))),
      filters, body));
    draw();
  }

  window.thaw.predictions = (element, props, watch, onOpen) =>
    window.thaw.keepUnsure(element, props, watch, (host, view) => {
      host.parentElement.classList.toggle("nothing", !view.rows.length);
      if (!view.rows.length) {
        host.replaceChildren();
        return () => {};
      }
      view.rows.forEach((row, place) => Object.assign(row,
        { place, lower: row.text.toLowerCase() }));
      const state = { kinds: view.tasks.map(() => new Set()), text: "", page: 0, size: SIZES[0],
        open: 0,
                      sort: { column: "place", task: null, down: false } };
      const draw = () => table(host, view, tally(view), state, onOpen);
      draw();
      if (view.share) window.thaw.share(view.share);
      return draw;
    });
})();
