/* Lays out what is told of a comparison: sentences, notes, tables, charts and scripts, in the words
   that came with them. */
(() => {
  const { h, words } = window.thaw;
  const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);
  const GLYPH = { better: "✓", good_enough: "✓", cannot_tell: "?" };
  const SURE = { better: "score up", worse: "score down" };

  function cell(it) {
    const text = it.sure ? h("span", { class: SURE[it.sure] }, it.text) : words(it.text || "");
    return [text, it.interval && h("span", { class: "soft" }, ` ${it.interval}`), it.aside &&
      h("span", { class: "below" }, ` ${it.aside}`)];
  }
  const heading = (column) => [words(title(column.heading)), column.unit && `, ${column.unit}`];

  /* `options`: label, kind (a class), first(row) and last(row, k) cells of the page's own, row(row)
     attributes. */
  function table(block, options = {}) {
    const label = block.title || options.label || "";
    const columns = block.columns, { first, last } = options;
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title(label) },
      h("table", { class: options.kind || "compared" }, h("caption", { class: "hidden-text" },
      title(label)),
      h("thead", {}, h("tr", {},
        columns.map((column, k) => [h("th", { scope: "col", title: column.means }, heading(column)),
        !k && first && h("th", { scope: "col", title: first.means }, first.heading)]),
        last && h("th", { scope: "col" }, h("span", { class: "hidden-text" }, last.heading)))),
      h("tbody", {}, (block.rows || []).map((row, n) =>
        h("tr", { class: row.look || "", ...(options.row ? options.row(row) : {}) },
        row.cells.map((it, k) => k ? h("td", { class: columns[k].words ? "text" : "n" }, k === 1 &&
          options.bar ? options.bar(it) : null, cell(it))
          : [h("th", { scope: "row" }, options.name ? options.name(row, it) : cell(it)), first &&
            h("td", {}, first.of(row))]),
        last && h("td", {}, last.of(row, n)))))));
  }

  /* A script to take home: shown as text, copied, downloaded. */
  function script(each) {
    if (!each.text) return h("p", {}, h("b", {}, `Plain ${each.library}: `), words(each.note));
    const code = h("code", {}, each.text), told = h("span", { class: "soft", role: "status" });
    const shown = h("pre", { tabindex: "0", role: "region", "aria-label": each.file, dir: "ltr" },
      code);
    const select = () => { const range = document.createRange(); range.selectNodeContents(code);
      const now = getSelection(); now.removeAllRanges(); now.addRange(range); };
    const copy = async () => {
      try { await navigator.clipboard.writeText(each.text); told.textContent = "Copied."; }
      catch { shown.parentElement.open = true; select();
        told.textContent = "Selected: copy it with the keyboard.";
        } // a page without https has no clipboard
    };
    return h("div", { class: "script" },
      h("p", { class: "saves" }, h("b", {}, `Plain ${each.library}`),
      h("button", { type: "button", class: "link", "aria-label": `Copy ${each.file}`,
        onclick: copy }, "Copy"),
      h("button", { type: "button", class: "link", "aria-label": `Download ${each.file}`,
        onclick: () => window.thaw.save(each.file, "text/x-python", each.text) }, "Download .py"),
        told),
      each.note && h("p", { class: "soft" }, words(each.note)),
        h("details", {}, h("summary", {}, "Read it"), shown));
  }

  function sentence(block) {
    const verdict = block.status &&
      h("span", { class: `verdict ${block.status}`, "aria-hidden": "true" }, GLYPH[block.status] ||
      "·");
    return h("p", { class: block.lead ? "big" : "" }, verdict, verdict && " ", block.of &&
      h("b", {}, words(title(block.of)), ": "), words(block.text));
  }
  const note = (block) => h("p", { class: block.warning ? "warn" : "soft fine means" },
    block.warning && h("span", { "aria-hidden": "true" }, "⚠ "), words(block.text));

  /* Any block; a table that has a title of its own is folded under it. `chart(figure)` draws. */
  function lay(block, chart) {
    if (block.kind === "Sentence") return sentence(block);
    if (block.kind === "Note") return note(block);
    if (block.kind === "Code") return script(block);
    if (block.kind === "Chart") return chart(block.figure);
    return block.title ? h("details", { class: "as-table" },
      h("summary", {}, words(title(block.title))), table(block)) : table(block);
  }

  /* What the columns of a table say, for who meets the words for the first time. */
  const columns = (block, more) => h("details", { class: "by-task" },
    h("summary", {}, "What the columns say"), h("dl", { class: "column-words" },
    [...more, ...block.columns].filter((column) => column.means).map((column) =>
      [h("dt", {}, title(column.heading)), h("dd", {}, column.means)])));

  window.thaw.blocks = { title, lay, table, columns };
})();
