/* Data at a glance: what it is, what the doctor says, which column is what, counts and splits. */
(() => {
  const { h, words, count, plural, capital, title } = window.thaw;
  const SEVERITIES = { error: ["✕", "Error"], warning: ["!", "Warning"], note: ["i", "Note"] };

  /* Asks the table of rows below for some of them, and goes there. */
  function ask(query) {
    document.dispatchEvent(new CustomEvent("thaw:rows", { detail: query }));
  }

  function verdict(findings) {
    if (!findings) return null;
    const parts = Object.entries(SEVERITIES).map(([severity, [, name]]) => {
      const n = findings.filter((each) => each.severity === severity).length;
      return n ? plural(n, name.toLowerCase()) : null;
    }).filter(Boolean);
    return h("p", {}, h("b", {}, "The doctor"), parts.length ? ` found ${parts.join(", ")}.` :
      " found nothing amiss.");
  }

  function answer(view, on) {
    const unread = !view.findings;
    const use = view.inUse
      ? h("p", { class: "in-use" }, h("span", { "aria-hidden": "true" }, "✓ "),
        "in use in every tab")
      : h("button", { type: "button", class: "thaw-primary", onclick: on.use },
        "Use this data in every tab");
    return h("section", { class: "card answer data-answer", "aria-live": "polite" },
      h("div", {},
        h("p", { class: "big" }, h("b", {}, words(view.answer.lead)), " ", words(view.answer.rest)),
        view.answer.origin && h("p", { class: "soft" }, view.answer.origin),
        verdict(view.findings),
        view.notes.length > 0 && h("p", { class: "soft" },
          view.notes.map((note) => [words(capital(note)), ". "]))),
      h("div", { class: "answer-side" }, !unread && use,
        !view.corpus && h("button", { type: "button", class: "link", onclick: on.back },
          "Back to the corpus")));
  }

  /* ---- what the doctor found */
  function doctor(view, on) {
    if (!view.findings || view.corpus && !view.findings.length) return null;
    const save = (what, kind, name) =>
      h("button", { type: "button", class: "link", onclick: () => on.save({ what, kind }) }, name);
    return h("section", { class: "card doctor" },
      h("div", { class: "bar" }, h("h3", {}, "What the doctor found"),
        h("span", { class: "soft" }, view.encoder ? ["to be read by ", words(view.encoder)] : "")),
      view.findings.length ? h("ul", { class: "diagnoses" }, view.findings.map(diagnosis(view)))
        : h("p", { class: "soft" },
          "Nothing amiss: no repeats, contradictions, leaks, odd encodings or classes too small."),
      h("p", { class: "saves" }, h("span", { class: "soft" }, "Download"),
        !view.corpus && [h("span", {}, "Cleaned copy: ", save("cleaned", "csv", "CSV"),
          save("cleaned", "jsonl", "JSONL"))],
        h("span", {}, "Findings: ", save("findings", "csv", "CSV"),
          save("findings", "json", "JSON"))),
      !view.corpus && h("p", { class: "soft fine" },
        "A cleaned copy leaves out rows without text and exact repeats, and in CSV disarms formulas."));
  }

  const diagnosis = (view) => (found, k) => {
    const [glyph, name] = SEVERITIES[found.severity];
    return h("li", { class: found.severity },
      h("span", { class: "sign", "aria-hidden": "true" }, glyph),
      h("p", {}, h("b", {}, `${name}:`), " ", words(found.message), "."),
      found.count > 0 && h("button",
        { type: "button", class: "see", onclick: () => ask({ finding: k }),
        "aria-label": `Show ${plural(found.count, view.unit)}: ${found.kind.replaceAll("_", " ")}` },
        `Show ${plural(found.count, view.unit)}`));
  };

  /* ---- columns */
  function field(label, control) {
    control.setAttribute("aria-label", label);  // without the words of its options
    return h("label", { class: "field" }, h("span", {}, label), control);
  }

  function choice(names, chosen, none) {
    return h("select", {}, none && h("option", { value: "" }, none),
      names.map((name) => h("option", { value: name, selected: name === chosen },
        name.slice(0, 80))));
  }

  function columns(view, on) {
    const form = view.columns;
    if (!form) return null;
    const text = choice(form.names, form.text, form.text ? null : "choose…");
    const group = choice(form.names, form.group, "guessed, or none");
    const split = choice(form.names, form.split, "none: Thaw makes folds");
    const boxes = form.names.map((column, k) => labelColumn(form, column, k));
    const textIsNoLabel = () =>
      boxes.forEach((box) => { box.node.hidden = box.column === text.value; });
    text.addEventListener("change", textIsNoLabel);
    textIsNoLabel();
    const apply = h("button", { type: "button", class: "thaw-button", onclick: () => on.recolumn({
      text: text.value, group: group.value, split: split.value,
      labels: boxes.filter((box) => box.tick.checked && !box.node.hidden).map((box) =>
        ({ column: box.column, task: box.task.value })),
    }) }, "Read it this way");
    return h("section", { class: "card columns" },
      h("div", { class: "bar" }, h("h3", {}, "Columns"), h("span", { class: "soft" },
        form.more ? `${count(form.more)} more columns are not shown` : plural(form.names.length,
          "column"))),
      view.refused && h("p", { class: "warn", role: "alert" }, h("span", { "aria-hidden": "true" },
        "⚠ "), words(capital(view.refused)), "."),
      h("div", { class: "fields" }, field("Text", text), field("Kept together (group)", group),
        field("Splits", split)),
      h("fieldset", { class: "label-columns" },
        h("legend", {}, "Labels: each ticked column becomes a task"),
        boxes.map((box) => box.node)),
      h("div", { class: "apply" }, apply), renames(form, on));
  }

  function labelColumn(form, column, k) {
    const own = form.tasks[column];
    const plain = [...column].map((c) => /[\p{L}\p{N}_-]/u.test(c) ? c : "_").join("");
    const found = form.labels.find((each) => each.task === own);
    const id = `label-column-${k}`;
    const tick = h("input", { type: "checkbox", id, checked: own !== undefined });
    const task = h("input",
      { type: "text", maxlength: 200, "aria-label": `Name of the task that ${column} gives`,
      class: "task-name" });
    task.value = own || plain;
    const shown = () => { task.hidden = !tick.checked; };
    tick.addEventListener("change", shown);
    shown();
    return { column, tick, task, node: h("div", { class: "label-column" }, tick,
      h("label", { for: id }, words(column, "clip")), task,
      h("span", { class: "soft" },
        found ? `${plural(found.labels.length, "label")}, ${plural(found.rows, "row")}` : "")) };
  }

  function renames(form, on) {
    if (!form.labels.length) return null;
    const task = choice(form.labels.map((each) => each.task), form.labels[0].task);
    const before = h("select", {});
    const fill = () => before.replaceChildren(...form.labels.find((each) =>
      each.task === task.value)
      .labels.map((label) => h("option", { value: label }, label.slice(0, 80))));
    task.addEventListener("change", fill);
    fill();
    const after = h("input", { type: "text", maxlength: 200 });
    const go = () => on.recolumn({ task: task.value, before: before.value, after: after.value });
    after.addEventListener("keydown", (e) => e.key === "Enter" && go());
    return h("details", { class: "renames", open: form.renames.length > 0 },
      h("summary", {}, "Rename labels"),
      h("div", { class: "fields" }, field("Task", task), field("Label", before),
        field("New name", after),
        h("button", { type: "button", class: "thaw-button", onclick: go }, "Rename")),
      form.renames.length > 0 && h("ul", { class: "renamed" },
        form.renames.map((each, k) => h("li", {},
        words(each.task), ": ", words(each.before), " → ", h("b", {}, words(each.after)), " ",
        h("button", { type: "button", class: "link", onclick: () => on.recolumn({ undo: k }),
                      "aria-label": `Take back: ${each.before} to ${each.after}` }, "take back")))),
      h("p", { class: "soft fine" }, "Two labels with one new name become one label."));
  }

  /* ---- counts: tables whose numbers are drawn as bars beside them */
  function bars(rows, most, onPick, caption) {
    return h("table", { class: "bars" }, caption,
      h("tbody", {}, rows.map((row) => h("tr", {},
        h("th", { scope: "row" },
          h("button", { type: "button", onclick: () => onPick(row), title: row.label },
          words(row.label))),
        h("td", {}, h("i", { class: "length", "aria-hidden": "true",
          style: { "--v": (row.count / Math.max(1, most)).toFixed(4) } }),
          h("span", {}, count(row.count)))))));
  }
  const mostOf = (rows) => Math.max(...rows.map((row) => row.count));

  function crossed(cross) {
    if (!cross) return null;
    const most = Math.max(...cross.panels.map((panel) => mostOf(panel.bars)));
    return h("div", {}, h("h4", {},
      `${title(cross.inner.name)} within each ${cross.outer.name.replaceAll("_", " ")}`),
      h("div", { class: "panels" }, cross.panels.map((panel, k) => bars(panel.bars, most,
        (row) => ask({ labels: { [cross.outer.task]: k, [cross.inner.task]: row.index } }),
        h("caption", {}, words(panel.label), h("span", { class: "soft" },
          ` ${count(panel.bars.reduce((sum, row) => sum + row.count, 0))}`))))));
  }

  function counts(view) {
    if (!view.bars.length) return null;
    const covered = view.cross ? [view.cross.outer.task, view.cross.inner.task] : [];
    const rest = view.bars.filter((each) => each.task === undefined ||
      !covered.includes(each.task));
    return h("section", { class: "card data-counts" },
      h("div", { class: "bar" }, h("h3", {}, "How many of what"),
        h("span", { class: "soft" }, "pick a label for its rows")),
      crossed(view.cross),
      h("div", { class: "panels wide" }, rest.map((each) => h("div", {},
        bars(each.bars, mostOf(each.bars),
          (row) => ask(each.facet ? { facet: { [each.facet]: row.label } } :
          { labels: { [each.task]: row.index } }),
          h("caption", {}, words(title(each.title)), each.what && h("span", { class: "soft" },
            ` ${view.unit}s ${each.what}`))),
        each.more.labels > 0 && h("p", { class: "soft fine" },
          `and ${plural(each.more.labels, "more label")} with ${count(each.more.count)} in all`)))));
  }

  /* ---- splits */
  function splits(view) {
    const found = view.splits;
    if (!found) return null;
    const what = found.own ? "The data's own column says which row is for what."
      : "Each fold is tested once by what learned from the other two. Labels are spread evenly; near-duplicates, and what the data groups, stay together.";
    return h("section", { class: "card splits" },
      h("div", { class: "bar" },
        h("h3", {}, found.own ? "Splits of its own" : "Splits: three folds"),
        h("span", { class: "soft" }, found.refused ?
          "" : found.names.map((name, k) => `${name}: ${count(found.rows[k])}`).join(", "))),
      found.refused ? h("p", { class: "warn" }, words(capital(found.refused)), ".")
        : [h("p", { class: "soft" }, what, found.groups ?
          ` There are ${plural(found.groups, "group")} of such rows.` : ""),
          h("details", { class: "as-table" }, h("summary", {}, "Labels in each"),
            splitTables(found))]);
  }

  function splitTables(found) {
    const most = (task) => Math.max(1, ...task.labels.flatMap((row) => row.slice(1)));
    return h("div", { class: "split-tables" },
      found.tasks.map((task) => h("div", { class: "scroll", tabindex: "0", role: "region",
      "aria-label": `Splits of ${task.name}` },
      h("table", { class: "split-table" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, words(title(task.name))),
          found.names.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, task.labels.map(([label, ...counted]) =>
          h("tr", {}, h("th", { scope: "row" }, words(label, "clip")),
          counted.map((n) => h("td",
            { class: n ? "" : "none", style: { "--v": (n / most(task)).toFixed(3) } },
            count(n)))))),
        h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "rows"),
          found.rows.map((n) => h("td", {}, count(n)))))),
      task.more > 0 && h("p", { class: "soft fine" }, `and ${plural(task.more, "more label")}`))));
  }

  function draw(host, view, on) {
    host.replaceChildren(...[answer(view, on), columns(view, on), doctor(view, on), counts(view),
      splits(view)].filter(Boolean));
  }

  function data(element, props, watch, on) {
    window.thaw.keep(element, props, watch, (host, view) => draw(host, view, on));
  }

  window.thaw.data = data;
})();
