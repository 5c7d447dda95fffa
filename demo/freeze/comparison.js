/* A comparison of strategies: the advice, how far it is, accuracy against cost, the table, each
   strategy's runs. */
(() => {
  const { h, words, number } = window.thaw, { title, lay, table, columns } = window.thaw.blocks;
  const seconds = (s) => s >= 90 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : s >= 10 ?
    `${Math.round(s)} s` : `${number(s, 1)} s`;
  const section = (view, name, about = "") => view.sections.find((each) => each.name === name &&
    each.about === about) || { title: "", blocks: [] };

  /* ---- the advice */
  function drawAdvice(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    const advised = view.strategies.find((each) => each.name === view.advised),
      code = section(view, "code");
    if (!view.strategies.length) { host.replaceChildren(); return; }
    const told = section(view, "advice").blocks, byTask = told.filter((block) => block.of &&
      !block.lead);
    const blocks = told.map((block) => block === byTask[0] ? h("details", { class: "by-task" },
      h("summary", {}, "Task by task"), byTask.map((each) => lay(each))) : byTask.includes(block) ?
      null : lay(block));
    host.replaceChildren(h("section", { class: "card answer advice", "aria-live": "polite" },
      h("div", {}, blocks,
        code.blocks.length > 0 && h("details", { class: "by-task as-code" },
          h("summary", {}, code.title), code.blocks.map((each) => lay(each))),
        h("p", { class: "soft" }, words(view.made))),
      advised && h("div", { class: "answer-side" },
        view.trained && h("button", { type: "button", class: "thaw-button",
          onclick: () => on.use({ best: true, strategy: view.trained }) },
          "Use the model of all rows"),
        advised.runs.some((run) => run.kept) &&
          h("button", { type: "button", class: "thaw-button",
          title: "The run that did best on its validation rows",
          onclick: () => on.use({ strategy: view.advised }) }, "Use this model"),
        view.trainable && h("button", { type: "button", class: "thaw-button",
          title: "Nothing is held out: the figures expected of it are those of the comparison",
          onclick: () => on.train() }, "Train it on all rows"))));
  }

  /* ---- how far it is */
  const RUN_SAID = { waits: "waits", runs: "is running", done: "is done", failed: "failed",
    left: "was not run" };
  function drawGoing(host, given) {
    const view = JSON.parse(JSON.stringify(given));
    if (!view.said && !view.runs.length) { host.replaceChildren(); return; }
    const all = view.runs.flatMap((row) => row.states),
      done = all.filter((state) => state === "done").length;
    const at = view.progress;
    host.replaceChildren(h("section", { class: "card going" },
      h("p", { role: "status" }, view.state === "failed" ? h("span", { class: "warn" },
        words(view.said)) : words(view.said),
        view.going && view.seconds > 0 &&
          ` The plan: ${all.length} runs, about ${seconds(view.seconds)} on this machine.`,
        view.left !== null && done > 0 && ` About ${seconds(view.left)} left.`),
      all.length > 0 && view.going &&
        h("progress", { max: all.length, value: done + (at && at.steps ? at.step / at.steps : 0),
        "aria-label": "Runs done" }),
      at && h("p", { class: "soft fine" }, at.part && [words(at.part), ": "],
        h("code", {}, words(at.strategy)),
        `, seed ${at.seed}: step ${at.step} of at most ${at.steps}, epoch ${at.epoch}; loss `,
        Object.entries(at.loss).map(([task, loss], k) => [k ? ", " : "", words(task),
          ` ${number(loss, 2)}`])),
      all.length > 0 && h("ul", { class: "run-rows" },
        view.runs.map((row) => h("li", {}, row.part && h("span", { class: "soft" },
        words(row.part)), h("code", {}, words(row.strategy)),
        h("span", { class: "ticks", role: "img",
          "aria-label": row.states.map((state, k) =>
          `run ${k + 1} ${RUN_SAID[state] || state}`).join(", ") },
          row.states.map((state, k) =>
            h("i", { class: state, title: `run ${k + 1} ${RUN_SAID[state] || state}` }))))))));
  }

  /* ---- the result */
  const TRAINS = { heading: "Trains",
    means: "What learns, from the embeddings at the left to the heads at the right: blue is frozen, amber trains, grey is not run." };

  function charts(view, state, redraw) {
    const { title: said, blocks } = section(view, "charts");
    if (!blocks.length) return null;
    const options = { picked: state.picked, pick: (name) => { state.picked = name; redraw(); } };
    const ways = h("div", { class: "ways", role: "group", "aria-label": "Which score" },
      ["", ...view.tasks].map((name) =>
      h("button", { type: "button", "data-task": name, "aria-pressed": String(name === state.task),
        onclick: () => { state.task = name; redraw(`[data-task="${CSS.escape(name)}"]`); } },
        name ? words(name) : "mean")));
    return h("section", { class: "card charts" },
      h("div", { class: "bar" }, h("h3", {}, said), view.tasks.length > 1 && ways),
      h("div", { class: "chart-pair" },
        blocks.filter((block) => (block.of || "") === state.task).map((block, k) =>
        state.chart(`charts ${k}`, block.figure, options))),
      h("p", { class: "readout soft" },
        "Point at a mark to read it; a click opens the strategy below. Ringed: the advised one."));
  }

  function strategies(view, state, redraw) {
    const { title: said, blocks: [block, ...notes] } = section(view, "strategies");
    if (!block) return null;
    const known = (row) => view.strategies.find((each) => each.name === row.about);
    const pick = (name) => { state.picked = name;
      redraw(`tr[data-strategy="${CSS.escape(name)}"] button`); };
    const name = (row, it) => known(row) ?
      [h("button", { type: "button", "aria-pressed": String(row.about === state.picked),
      onclick: (e) => { e.stopPropagation(); pick(row.about); } }, h("code", {}, words(it.text))),
      row.about === view.advised && h("span", { class: "advised" }, "advised")] : it.text;
    const row = (each) => known(each) ? { class: each.about === state.picked ? "pick" : "",
      "data-strategy": each.about, onclick: () => pick(each.about) } : {};
    return h("section", { class: "card" }, h("h3", {}, said),
      table(block, { label: said, name, row, first: { ...TRAINS, of: (each) => known(each) &&
        window.thaw.dots(known(each).parts) } }),
      notes.map((each) => lay(each)), columns(block, [TRAINS]));
  }

  function detail(view, state, on) {
    const each = view.strategies.find((one) => one.name === state.picked);
    if (!each) return null;
    const { blocks } = section(view, "strategy", each.name),
      tables = blocks.filter((block) => block.kind === "Table");
    const beside = ["retention", "notes"].flatMap((name) => section(view,
      name).blocks.filter((block) => block.about === each.name).map((block) =>
      h("div", { class: name }, lay({ ...block, of: "" }))));
    const drawn = blocks.filter((block) => block.kind === "Chart").map((block, k) =>
      state.chart(`${k} of ${each.name}`, block.figure));
    const use = { heading: "Use", of: (row, k) => each.runs[k].kept ?
      h("button", { type: "button", class: "link",
      "aria-label": `Use ${each.name}, seed ${each.runs[k].seed}, as the working model`,
      onclick: () => on.use({ strategy: each.name, seed: each.runs[k].seed }) }, "use this model") :
      h("span", { class: "soft" }, "weights put away for room") };
    const bar = (it) => h("i", { class: "length", "aria-hidden": "true",
      style: { "--v": (Number.parseFloat(it.text) / 100 || 0).toFixed(3) } });
    const laid = tables.map((block, k) => k === tables.length - 1 ?
      table(block, { last: view.usable && use })
      : h("details", { class: "as-table", open: block.rows.length <= 8 },
        h("summary", {}, words(title(block.title))), table(block, { kind: "per-class", bar })));
    return h("section", { class: "card strategy-detail" },
      h("div", { class: "bar" }, h("h3", {}, words(each.title), " ",
        h("code", {}, words(each.name))), window.thaw.dots(each.parts)),
      blocks.filter((block) => block.kind === "Sentence").slice(0, 1).map((block) => lay(block)),
        beside,
      blocks.filter((block) => block.kind === "Sentence").slice(1).map((block) => lay(block)),
        drawn.length > 0 && h("div", { class: "chart-pair" }, drawn), laid,
      h("p", { class: "saves" }, h("span", { class: "soft" }, "As code"),
        ["transformers", "sentence-transformers"].map((library) =>
        h("button", { type: "button", class: "link",
          "aria-label": `${each.name} as a script of plain ${library}`,
          onclick: () => on.save({ kind: "code", strategy: each.name, library }) },
          `plain ${library}`))));
  }

  /* The other sections, in a card each; those in FOLDED are laid out when they are opened. */
  const FOLDED = ["learning", "tasks", "made"];
  function rest(view, state, name) {
    const { title: said, blocks } = section(view, name);
    if (!blocks.length) return null;
    const laid = () => blocks.map((block, k) => block.kind === "Table" && FOLDED.includes(name) ?
      [block.title && h("h4", {}, words(title(block.title))), table(block, { label: said })]
      : lay(block, (figure) => state.chart(`${name} ${k}`, figure))).flat().filter(Boolean);
    if (!FOLDED.includes(name)) return h("section", { class: "card", "data-section": name },
      h("h3", {}, said), laid());
    const open = state.open.has(name);
    const node = h("details", { class: "card as-table", open, "data-section": name },
      h("summary", {}, said), open && laid());
    node.addEventListener("toggle", () => {
      state.open[node.open ? "add" : "delete"](name);
      if (node.open && node.children.length === 1) node.append(...laid());
    });
    return node;
  }

  function closing(view, on) {
    return h("section", { class: "card" },
      h("p", { class: "saves" }, h("span", { class: "soft" }, "Report"),
        h("button", { type: "button", class: "link", onclick: () => on.save({ kind: "html" }) },
        "HTML, to send"), h("button",
        { type: "button", class: "link", onclick: () => on.save({ kind: "json" }) },
        "JSON, all figures"),
        view.predictions && h("button",
          { type: "button", class: "link", onclick: () => on.save({ kind: "predictions" }) },
          "held-out predictions, CSV")),
      view.command && h("p", { class: "soft fine" }, "The same on the command line: ",
        h("code", { class: "command" }, words(view.command))));
  }

  const states = {};
  function drawResult(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    if (!view.strategies.length) { host.replaceChildren(); return; }
    const state = states[view.name] ||= { task: "", open: new Set(), picked: view.advised ||
      view.strategies[0].name };
    if (!view.strategies.some((each) => each.name === state.picked)) state.picked =
      view.strategies[0].name;
    if (view.tasks.length === 1) [state.task] = view.tasks;
    const kept = host.charts ||= window.thaw.charts();
    state.chart = (key, figure, options) => figure && kept.of(`${view.name}, ${key}`, figure,
      options);
    const redraw = (focus) => {
      const left = [...host.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
      const others = ["learning", "tasks", "further", "notes", "second-look", "made"].map((name) =>
        rest(view, state, name));
      host.replaceChildren(...[charts(view, state, redraw), strategies(view, state, redraw),
        detail(view, state, on), ...others, closing(view, on)].filter(Boolean));
      kept.end();
      [...host.querySelectorAll(".scroll")].forEach((each, k) => { each.scrollLeft = left[k] || 0;
        });
      if (focus) host.querySelector(focus)?.focus({ preventScroll: true });
    };
    redraw();
  }

  /* ---- the comparisons there are */
  function drawList(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    const asked = new Set();
    const row = (each) => h("li", { class: each.shown ? "shown-now" : "" },
      h("button", { type: "button", class: "link", disabled: each.shown,
        onclick: () => on.open({ name: each.name }) }, words(each.title)),
        h("span", { class: "soft" }, words(each.about)),
      each.deletable && h("button", { type: "button", class: "link delete",
        "aria-label": `Delete ${each.title}`, onclick: (e) => {
        if (asked.has(each.name)) on.remove({ name: each.name });
        else { asked.add(each.name); e.target.textContent = "Really delete it?"; }
      } }, "Delete"));
    host.replaceChildren(h("section", { class: "card comparisons" }, h("h3", {}, "Comparisons"),
      h("ul", { class: "plain" }, view.rows.map(row)), view.kept && h("p", { class: "soft fine" },
      view.kept)));
  }

  /* The browser keeps the ids of its comparisons, so that a reload finds them. */
  const KEY = "thaw:comparisons";
  const kept = () => { try { return JSON.parse(localStorage.getItem(KEY) || "[]").filter((id) =>
    typeof id === "string").slice(0, 20); } catch { return []; } };
  function keepIds(ids) {
    try { localStorage.setItem(KEY, JSON.stringify(ids.slice(0, 20)));
      } catch { /* a private window: nothing is kept */ }
  }

  const drawn = (draw) => (element, props, watch, on) => window.thaw.keep(element, props, watch,
    (host, view) => draw(host, view, on || {}));
  Object.assign(window.thaw, {
    comparisonAdvice: drawn(drawAdvice), comparisonGoing: drawn(drawGoing),
      comparisonResult: drawn(drawResult),
    comparisons: (element, props, watch, on) => {
      window.thaw.keep(element, props, watch, (host, view) => {
        if (view.ids) keepIds(view.ids);
        drawList(host, view, on);
      });
      const ids = kept();
      if (ids.length) on.resume({ ids });
    },
  });
})();
