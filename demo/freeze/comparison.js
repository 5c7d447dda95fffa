/* A comparison of strategies: the advice, how far it is, accuracy against cost, the table, each strategy's runs. */
(() => {
  const { h, words, number } = window.thaw, { figure, change } = window.thaw.findings;
  const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);
  const GLYPH = { better: "✓", good_enough: "✓", cannot_tell: "?" };
  const percent = (x) => number(100 * x, 1);
  const points = (x) => number(100 * x, 1, true);
  const seconds = (s) => s >= 90 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : s >= 10 ? `${Math.round(s)} s` : `${number(s, 1)} s`;
  const megabytes = (b) => b === null ? "–" : b >= 1e9 ? `${number(b / 1e9, 1)} GB` : `${Math.round(b / 1e6)} MB`;
  const between = (it, write = percent) => `${write(it.low)} to ${write(it.high)}`;

  /* ---- the advice */
  function drawAdvice(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    const advice = view.advice, advised = advice && view.strategies.find((each) => each.name === advice.strategy);
    if (!view.strategies.length) { host.replaceChildren(); return; }
    host.replaceChildren(h("section", { class: "card answer advice", "aria-live": "polite" },
      h("div", {},
        advice ? [h("p", { class: "big" }, h("b", {}, "What to freeze: "), h("code", {}, words(advice.strategy)), " ", h("span", { class: `verdict ${advice.status}` },
          h("span", { "aria-hidden": "true" }, `${GLYPH[advice.status] || "·"} `), advice.statusText)),
        h("p", {}, words(advice.text)), advice.statusMeans && h("p", { class: "soft fine means" }, advice.statusMeans),
        advice.tasks.length > 1 && h("details", { class: "by-task" }, h("summary", {}, "Task by task"), h("ul", { class: "plain" }, advice.tasks.map((task) =>
          h("li", {}, h("b", {}, words(title(task.name))), ", ", h("code", {}, words(task.strategy)), " ", h("span", { class: `verdict ${task.status}` }, task.statusText), ": ", words(task.text)))))]
          : h("p", { class: "big" }, "No advice yet: it takes two strategies that have finished a run."),
        advice && (view.code || []).length > 0 && h("details", { class: "by-task as-code" }, h("summary", {}, "Take it home as code"),
          h("p", { class: "soft" }, "The same freezing, rates and epochs, on all rows, without Thaw."), view.code.map(script)),
        h("p", { class: "soft" }, words(view.facts), ". ", words(view.made))),
      advice && advised && h("div", { class: "answer-side" },
        view.trained && h("button", { type: "button", class: "thaw-button", onclick: () => on.use({ best: true, strategy: view.trained }) }, "Use the model of all rows"),
        advised.runs.some((run) => run.kept) && h("button", { type: "button", class: "thaw-button", title: "The run that did best on its validation rows", onclick: () => on.use({ strategy: advice.strategy, seed: view.seed }) }, "Use this model"),
        view.trainable && h("button", { type: "button", class: "thaw-button", title: "Nothing is held out: the figures expected of it are those of the comparison", onclick: () => on.train() }, "Train it on all rows"))));
  }

  /* A script to take home: shown as text, copied, downloaded. */
  function script(each) {
    if (!each.text) return h("p", {}, h("b", {}, `Plain ${each.library}: `), words(each.note));
    const code = h("code", {}, each.text), told = h("span", { class: "soft", role: "status" });
    const shown = h("pre", { tabindex: "0", role: "region", "aria-label": each.file, dir: "ltr" }, code);
    const select = () => { const range = document.createRange(); range.selectNodeContents(code); const now = getSelection(); now.removeAllRanges(); now.addRange(range); };
    const copy = async () => {
      try { await navigator.clipboard.writeText(each.text); told.textContent = "Copied."; }
      catch { shown.parentElement.open = true; select(); told.textContent = "Selected: copy it with the keyboard."; } // a page without https has no clipboard
    };
    return h("div", { class: "script" }, h("p", { class: "saves" }, h("b", {}, `Plain ${each.library}`),
      h("button", { type: "button", class: "link", "aria-label": `Copy ${each.file}`, onclick: copy }, "Copy"),
      h("button", { type: "button", class: "link", "aria-label": `Download ${each.file}`, onclick: () => window.thaw.save(each.file, "text/x-python", each.text) }, "Download .py"), told),
      each.note && h("p", { class: "soft" }, words(each.note)), h("details", {}, h("summary", {}, "Read it"), shown));
  }

  /* ---- how far it is */
  const RUN_SAID = { waits: "waits", runs: "is running", done: "is done", failed: "failed", left: "was not run" };
  function drawGoing(host, given) {
    const view = JSON.parse(JSON.stringify(given));
    if (!view.said && !view.runs.length) { host.replaceChildren(); return; }
    const all = view.runs.flatMap((row) => row.states), done = all.filter((state) => state === "done").length;
    const at = view.progress;
    host.replaceChildren(h("section", { class: "card going" },
      h("p", { role: "status" }, view.state === "failed" ? h("span", { class: "warn" }, words(view.said)) : words(view.said),
        view.going && view.seconds > 0 && ` The plan: ${all.length} runs, about ${seconds(view.seconds)} on this machine.`,
        view.left !== null && done > 0 && ` About ${seconds(view.left)} left.`),
      all.length > 0 && view.going && h("progress", { max: all.length, value: done + (at && at.steps ? at.step / at.steps : 0), "aria-label": "Runs done" }),
      at && h("p", { class: "soft fine" }, at.part && [words(at.part), ": "], h("code", {}, words(at.strategy)), `, seed ${at.seed}: step ${at.step} of at most ${at.steps}, epoch ${at.epoch}; loss `,
        Object.entries(at.loss).map(([task, loss], k) => [k ? ", " : "", words(task), ` ${number(loss, 2)}`])),
      all.length > 0 && h("ul", { class: "run-rows" }, view.runs.map((row) => h("li", {}, row.part && h("span", { class: "soft" }, words(row.part)), h("code", {}, words(row.strategy)),
        h("span", { class: "ticks", role: "img", "aria-label": row.states.map((state, k) => `run ${k + 1} ${RUN_SAID[state] || state}`).join(", ") },
          row.states.map((state, k) => h("i", { class: state, title: `run ${k + 1} ${RUN_SAID[state] || state}` }))))))));
  }

  /* ---- the result */
  function charts(view, state, redraw) {
    const task = state.task, figures = view.figures[task ?? ""];
    const ways = h("div", { class: "ways", role: "group", "aria-label": "Which score" }, [null, ...view.tasks.map((each) => each.name)].map((name) =>
      h("button", { type: "button", "data-task": name === null ? "" : name, "aria-pressed": String(name === task), onclick: () => { state.task = name; redraw(`[data-task="${CSS.escape(name === null ? "" : name)}"]`); } }, name === null ? "mean" : words(name))));
    const options = { picked: state.picked, pick: (name) => { state.picked = name; redraw(); } };
    return h("section", { class: "card charts" },
      h("div", { class: "bar" }, h("h3", {}, "What each buys and costs"), view.tasks.length > 1 && ways),
      h("div", { class: "chart-pair" }, ["cost", "forgetting"].map((key) => state.chart(key, figures[key], options))),
      h("p", { class: "readout soft" }, "Point at a mark to read it; a click opens the strategy below. Ringed: the advised one."));
  }

  function table(view, state, redraw) {
    const several = view.tasks.length > 1;
    const lost = view.strategies.some((each) => each.forgetting);
    const heads = ["Strategy", "Trains", several && "Mean, 95 %", ...view.tasks.map((task) => [words(title(task.name)), `, ${task.metric}`]), "vs heads", "vs best", "Seconds", "Memory", "Weights", lost && "Similarity lost", "Sentences/s"].filter(Boolean);
    const pick = (name) => { state.picked = name; redraw(`tr[data-strategy="${CSS.escape(name)}"] button`); };
    const floor = view.tasks.map((task) => task.floor?.lexical ? figure(task.floor.lexical) : "–");
    return h("section", { class: "card" }, h("h3", {}, "Strategies"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Strategies, all figures" },
      h("table", { class: "compared" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", title: typeof head === "string" ? window.thaw.findings.columnMeans(head) : null }, head)))),
        h("tbody", {}, view.strategies.map((each) => h("tr", { class: each.name === state.picked ? "pick" : "", "data-strategy": each.name, onclick: () => pick(each.name) },
          h("th", { scope: "row" }, h("button", { type: "button", "aria-pressed": String(each.name === state.picked), onclick: (e) => { e.stopPropagation(); pick(each.name); } }, h("code", {}, words(each.name))), each.name === view.advice?.strategy && h("span", { class: "advised" }, "advised")),
          h("td", {}, window.thaw.dots(each.parts)),
          several && h("td", { class: "n" }, figure(each.mean)),
          view.tasks.map((task) => h("td", { class: "n" }, figure(each.tasks[task.name]?.score), each.tasks[task.name]?.clearsFloor === false && h("span", { class: "below", title: "Does not clear the floor" }, " below the floor"))),
          h("td", { class: "n" }, change(each.versusHeads)), h("td", { class: "n" }, change(each.versusBest)), h("td", { class: "n" }, number(each.seconds, 1)), h("td", { class: "n" }, megabytes(each.memory)), h("td", { class: "n" }, each.weights),
          lost && h("td", { class: "n" }, each.forgetting ? h("span", { title: between(each.forgetting, (x) => number(x, 3)) }, number(each.forgetting.mean, 3)) : "–"),
          h("td", { class: "n" }, each.speed === null ? "–" : Math.round(each.speed)))),
        h("tr", { class: "floor", title: window.thaw.findings.columnMeans("Floor") }, h("th", { scope: "row" }, "floor: counting words"), h("td", {}), several && h("td", { class: "n" }, view.floor === null ? "–" : percent(view.floor)), floor.map((it) => h("td", { class: "n" }, it)), h("td", { colspan: lost ? 7 : 6 })),
        h("tr", { class: "floor", title: window.thaw.findings.columnMeans("Floor") }, h("th", { scope: "row" }, "floor: commonest label"), h("td", {}), several && h("td", {}), view.tasks.map((task) => h("td", { class: "n" }, task.floor && task.floor.majority !== null ? percent(task.floor.majority) : "–")), h("td", { colspan: lost ? 7 : 6 }))))),
      window.thaw.findings.columns());
  }

  function detail(view, state, on) {
    const each = view.strategies.find((one) => one.name === state.picked);
    if (!each) return null;
    const curves = each.curves, tasks = view.tasks.map((task) => task.name);
    const others = view.strategies.filter((one) => one !== each);
    const baseline = others.find((one) => one.name === "heads") || [...others].sort((a, b) => a.seconds - b.seconds)[0];
    return h("section", { class: "card strategy-detail" },
      h("div", { class: "bar" }, h("h3", {}, words(each.title), " ", h("code", {}, words(each.name))), window.thaw.dots(each.parts)),
      h("p", { class: "soft" }, "Heads read ", words(each.read), `. ${each.seeds.length} runs, ${seconds(each.secondsPerStep)} a step.`),
      each.retention && h("p", { class: "soft retention" }, words(each.retention)),
      each.notes.map((note) => h("p", { class: "warn" }, h("span", { "aria-hidden": "true" }, "⚠ "), words(note))),
      curves && (curves.loss || curves.scores) && [h("p", { class: "soft" }, `How it learned, with seed ${curves.seed}:`),
        h("div", { class: "chart-pair" }, ["loss", "scores"].map((key) => state.chart(`${key} of ${each.name}`, curves[key])))],
      window.thaw.findings.byTask(view, each),
      Object.entries(each.classes).map(([task, rows]) => classes(task, rows, baseline?.classes[task], baseline?.name)),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" }, h("table", { class: "compared" }, h("caption", { class: "hidden-text" }, `Runs of ${each.name}`),
        h("thead", {}, h("tr", {}, ["Run", ...tasks.map((task) => words(title(task))), "Best epoch", "Steps", "Seconds", view.usable ? "" : null].filter((x) => x !== null).map((head) => h("th", { scope: "col" }, head || h("span", { class: "hidden-text" }, "Use"))))),
        h("tbody", {}, each.runs.map((run) => h("tr", {}, h("th", { scope: "row" }, `seed ${run.seed}`), tasks.map((task) => h("td", { class: "n" }, run.scores[task] === null || run.scores[task] === undefined ? "–" : percent(run.scores[task]))),
          h("td", { class: "n" }, `${run.epoch} of ${run.epochs}`), h("td", { class: "n" }, run.steps), h("td", { class: "n" }, number(run.seconds, 1)),
          view.usable && h("td", {}, run.kept ? h("button", { type: "button", class: "link", "aria-label": `Use ${each.name}, seed ${run.seed}, as the working model`, onclick: () => on.use({ strategy: each.name, seed: run.seed }) }, "use this model") : h("span", { class: "soft" }, "weights put away for room"))))))),
      h("p", { class: "saves" }, h("span", { class: "soft" }, "As code"), ["transformers", "sentence-transformers"].map((library) =>
        h("button", { type: "button", class: "link", "aria-label": `${each.name} as a script of plain ${library}`, onclick: () => on.save({ kind: "code", strategy: each.name, library }) }, `plain ${library}`))));
  }

  function classes(task, rows, before, other) {
    const most = 1;
    return h("details", { class: "as-table", open: rows.length <= 8 }, h("summary", {}, `${title(task)}, label by label`),
      h("table", { class: "per-class" }, h("thead", {}, h("tr", {}, ["Label", "F1", before ? `vs ${other}` : null, "Rows"].filter(Boolean).map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, rows.map((row, k) => {
          const was = before?.[k]?.f1, delta = was !== undefined && was !== null && row.f1 !== null ? row.f1 - was : null;
          return h("tr", {}, h("th", { scope: "row" }, words(row.label)), h("td", {}, row.f1 === null ? "–" : [h("i", { class: "length", "aria-hidden": "true", style: { "--v": (row.f1 / most).toFixed(3) } }), percent(row.f1)]),
            before && h("td", { class: delta === null ? "" : delta < 0 ? "score down" : "score up" }, delta === null ? "–" : `${delta < 0 ? "▼" : "▲"} ${points(delta)}`), h("td", {}, row.rows));
        }))));
  }

  function looks(view) {
    if (!view.secondLook.length) return null;
    return h("section", { class: "card" }, h("h3", {}, "Worth a second look"), h("p", { class: "soft" }, "Rows that every strategy gets wrong: their labels may be."),
      view.secondLook.map((each) => h("details", { class: "as-table" }, h("summary", {}, `${title(each.task)}: ${each.count} row${each.count === 1 ? "" : "s"}${each.count > each.rows.length ? `, the first ${each.rows.length} shown` : ""}`),
        h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Rows of ${each.task}` }, h("table", { class: "looked" }, h("thead", {}, h("tr", {}, [title(each.unit), "Label", "Predicted", "Text"].map((head) => h("th", { scope: "col" }, head)))),
          h("tbody", {}, each.rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.place), h("td", {}, words(row.actual)), h("td", {}, row.predicted.map(([label, n], k) => [k ? ", " : "", words(label), ` (${n})`])), h("td", { class: "text" }, words(row.text))))))))));
  }

  function closing(view, on) {
    return h("section", { class: "card" }, view.notes.length > 0 && [h("h3", {}, "To know"), h("ul", { class: "plain soft" }, view.notes.map((note) => h("li", {}, words(note))))],
      h("p", { class: "saves" }, h("span", { class: "soft" }, "Report"), h("button", { type: "button", class: "link", onclick: () => on.save({ kind: "html" }) }, "HTML, to send"), h("button", { type: "button", class: "link", onclick: () => on.save({ kind: "json" }) }, "JSON, all figures"),
        view.predictions && h("button", { type: "button", class: "link", onclick: () => on.save({ kind: "predictions" }) }, "held-out predictions, CSV")),
      view.command && h("p", { class: "soft fine" }, "The same on the command line: ", h("code", { class: "command" }, words(view.command))));
  }

  const states = {};
  function drawResult(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    if (!view.strategies.length) { host.replaceChildren(); return; }
    const state = states[view.name] ||= { task: null, picked: view.advice?.strategy || view.strategies[0].name };
    if (!view.strategies.some((each) => each.name === state.picked)) state.picked = view.strategies[0].name;
    if (view.tasks.length === 1) state.task = view.tasks[0].name;
    const kept = host.charts ||= window.thaw.charts();
    state.chart = (key, figure, options) => figure && kept.of(`${view.name}, ${key}`, figure, options);
    const redraw = (focus) => {
      const left = [...host.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
      host.replaceChildren(...[charts(view, state, redraw), table(view, state, redraw), detail(view, state, on), window.thaw.findings.further(view), looks(view), closing(view, on)].filter(Boolean));
      kept.end();
      [...host.querySelectorAll(".scroll")].forEach((each, k) => { each.scrollLeft = left[k] || 0; });
      if (focus) host.querySelector(focus)?.focus({ preventScroll: true });
    };
    redraw();
  }

  /* ---- the comparisons there are */
  function drawList(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    const asked = new Set();
    const row = (each) => h("li", { class: each.shown ? "shown-now" : "" },
      h("button", { type: "button", class: "link", disabled: each.shown, onclick: () => on.open({ name: each.name }) }, words(each.title)), h("span", { class: "soft" }, words(each.about)),
      each.deletable && h("button", { type: "button", class: "link delete", "aria-label": `Delete ${each.title}`, onclick: (e) => {
        if (asked.has(each.name)) on.remove({ name: each.name });
        else { asked.add(each.name); e.target.textContent = "Really delete it?"; }
      } }, "Delete"));
    host.replaceChildren(h("section", { class: "card comparisons" }, h("h3", {}, "Comparisons"), h("ul", { class: "plain" }, view.rows.map(row)), view.kept && h("p", { class: "soft fine" }, view.kept)));
  }

  /* The browser keeps the ids of its comparisons, so that a reload finds them. */
  const KEY = "thaw:comparisons";
  const kept = () => { try { return JSON.parse(localStorage.getItem(KEY) || "[]").filter((id) => typeof id === "string").slice(0, 20); } catch { return []; } };
  function keepIds(ids) {
    try { localStorage.setItem(KEY, JSON.stringify(ids.slice(0, 20))); } catch { /* a private window: nothing is kept */ }
  }

  const drawn = (draw) => (element, props, watch, on) => window.thaw.keep(element, props, watch, (host, view) => draw(host, view, on || {}));
  Object.assign(window.thaw, {
    comparisonAdvice: drawn(drawAdvice), comparisonGoing: drawn(drawGoing), comparisonResult: drawn(drawResult),
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
