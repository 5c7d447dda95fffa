/* A comparison of strategies: the advice, how far it is, accuracy against cost, the table, each strategy's runs. */
(() => {
  const { h, svg, words, number, ticksOf, lines } = window.thaw, { figure, change } = window.thaw.findings;
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

  /* ---- charts */
  function logTicks(low, high) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const m of [1, 3]) if (m * 10 ** power >= low && m * 10 ** power <= high) found.push(m * 10 ** power);
    return found;
  }

  /* Points with intervals: {name, x, y, low, high, xlow?, xhigh?, told}. The advised one has a ring. */
  function scatter(host, spec) {
    const width = Math.max(280, host.clientWidth || 560), height = Math.min(400, Math.max(300, width * 0.62));
    const box = { left: 52, right: 16, top: 16, bottom: 48 };
    const xs = spec.points.flatMap((p) => [p.x, p.xlow ?? p.x, p.xhigh ?? p.x]), ys = spec.points.flatMap((p) => [p.low, p.high]).concat(spec.lines.map((l) => l.y));
    const scale = spec.log ? Math.log10 : (v) => v;
    let [x0, x1] = [Math.min(...xs), Math.max(...xs)], [y0, y1] = [Math.min(...ys), Math.max(...ys)];
    if (spec.log) { x0 /= 1.5; x1 *= 2.4; } else { const pad = Math.max((x1 - x0) * 0.25, spec.least || 0.01); x0 -= pad / 2; x1 += pad; }
    y0 = Math.max(0, y0 - 0.03); y1 = Math.min(1, y1 + 0.03);
    const X = (v) => box.left + (width - box.left - box.right) * (scale(v) - scale(x0)) / (scale(x1) - scale(x0));
    const Y = (v) => box.top + (height - box.top - box.bottom) * (y1 - v) / (y1 - y0);
    const nodes = [];
    for (const t of ticksOf(y0, y1)) nodes.push(svg("line", { class: "ax", x1: box.left, x2: width - box.right, y1: Y(t), y2: Y(t) }), svg("text", { class: "tick", x: box.left - 8, y: Y(t) + 4, "text-anchor": "end" }, `${number(100 * t, 0)} %`));
    for (const t of spec.log ? logTicks(x0, x1) : ticksOf(x0, x1, 5)) nodes.push(svg("text", { class: "tick", x: X(t), y: height - box.bottom + 18, "text-anchor": "middle" }, spec.xtick(t)));
    nodes.push(svg("text", { class: "tick", x: (box.left + width - box.right) / 2, y: height - 8, "text-anchor": "middle" }, spec.xlabel));
    for (const line of spec.lines) nodes.push(svg("line", { class: "floor-line", x1: box.left, x2: width - box.right, y1: Y(line.y), y2: Y(line.y) }), svg("text", { class: "tick halo", x: box.left + 4, y: Y(line.y) + 15 }, line.label));
    const on = spec.frontier.map((name) => spec.points.find((p) => p.name === name)).filter(Boolean);
    if (on.length > 1) nodes.push(svg("polyline", { class: "frontier", points: on.map((p) => `${X(p.x)},${Y(p.y)}`).join(" ") }));
    const names = placed(spec.points.map((p) => ({ x: X(p.x), y: Y(p.y), wide: (p.name === spec.picked ? 8 : 7.2) * p.name.length,
      whiskers: [[X(p.x), Y(p.high), X(p.x), Y(p.low)], ...(p.xlow === undefined ? [] : [[X(p.xlow), Y(p.y), X(p.xhigh), Y(p.y)]])] })), { left: box.left, right: width, bottom: height - box.bottom });
    const marks = spec.points.map((p) => {
      const picked = p.name === spec.picked;
      return svg("g", { class: `mark ${p.look}${picked ? " picked" : ""}`, role: "button", tabindex: "0", "data-strategy": p.name, "aria-pressed": String(picked), "aria-label": p.told,
        onclick: () => spec.onPick(p.name), onkeydown: (e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), spec.onPick(p.name)),
        onmouseenter: () => spec.tell(p.told), onfocus: () => spec.tell(p.told) },
        svg("circle", { class: "hit", cx: X(p.x), cy: Y(p.y), r: 16 }),
        svg("line", { class: "whisker", x1: X(p.x), x2: X(p.x), y1: Y(p.low), y2: Y(p.high) }),
        p.xlow !== undefined && svg("line", { class: "whisker", x1: X(p.xlow), x2: X(p.xhigh), y1: Y(p.y), y2: Y(p.y) }),
        p.look === "heads-only" ? svg("circle", { class: "dot", cx: X(p.x), cy: Y(p.y), r: 6 }) : svg("rect", { class: "dot", x: X(p.x) - 6, y: Y(p.y) - 6, width: 12, height: 12, rx: 2 }),
        p.name === spec.advised && svg("circle", { class: "ring", cx: X(p.x), cy: Y(p.y), r: 11 }));
    });
    const labels = spec.points.map((p, k) => svg("text", { class: `name halo${p.name === spec.picked ? " picked" : ""}`, "aria-hidden": "true", x: names[k].x, y: names[k].y, "text-anchor": names[k].anchor }, p.name));
    host.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": spec.label }, nodes, marks, labels));
  }

  /* Where names stand beside their points {x, y, wide, whiskers: [[x1, y1, x2, y2]]}: of the places around a point the one that covers least. */
  function placed(points, room) {
    const high = 12, taken = [];
    const meets = (a, b) => a.from < b.to && b.from < a.to && a.top < b.bottom && b.top < a.bottom;
    const dots = points.map((p) => ({ from: p.x - 9, to: p.x + 9, top: p.y - 9, bottom: p.y + 9 }));
    const whiskers = points.flatMap((p) => p.whiskers.map(([x1, y1, x2, y2]) => ({ from: x1 - 1, to: x2 + 1, top: y1 - 1, bottom: y2 + 1 })));
    return points.map((p) => {
      let best = null;
      for (const dy of [4, -9, 17, -20, 28]) for (const side of [1, -1]) {
        const from = side > 0 ? p.x + 12 : p.x - 12 - p.wide, y = p.y + dy;
        const own = { from, to: from + p.wide, top: y - high, bottom: y + 3 };
        const outside = own.from < room.left || own.to > room.right || own.top < 0 || own.bottom > room.bottom;
        const cost = 100 * outside + 20 * taken.filter((each) => meets(own, each)).length + 10 * dots.filter((each) => meets(own, each)).length
          + 3 * whiskers.filter((each) => meets(own, each)).length + Math.abs(dy - 4) / 20 + (side < 0 ? 0.5 : 0);
        if (best === null || cost < best.cost) best = { cost, own, x: side > 0 ? p.x + 12 : p.x - 12, y, anchor: side > 0 ? "start" : "end" };
      }
      taken.push(best.own);
      return best;
    });
  }

  /* ---- the result */
  const headsOnly = (each) => /^f+[tp]$/.test(each.parts.replaceAll("n", "f"));
  const scoreOf = (each, task) => task === null ? each.mean : each.tasks[task]?.score ?? null;

  function charts(view, state, redraw) {
    const task = state.task, about = view.tasks.find((each) => each.name === task);
    const known = view.strategies.filter((each) => scoreOf(each, task));
    const what = task === null ? "mean over the tasks" : `${task}, ${about.metric}`;
    const floor = task === null ? view.floor : about.floor?.lexical?.mean ?? null;
    const told = h("p", { class: "readout", role: "status" });
    const rest = () => told.replaceChildren(h("span", { class: "soft" }, "Point at a mark, or walk with Tab; a click opens the strategy below. Ringed: the advised one. Dashed: none is both cheaper and better."));
    rest();
    const point = (each) => {
      const it = scoreOf(each, task);
      const lost = each.forgetting ? `, ${number(each.forgetting.mean, 3)} of similarity forgotten` : "";
      return { name: each.name, y: it.mean, low: it.low, high: it.high, look: headsOnly(each) ? "heads-only" : "tunes",
        told: `${each.name}: ${percent(it.mean)} % (${between(it)}), ${seconds(each.seconds)} a run${lost}${each.name === view.advice?.strategy ? "; advised" : ""}` };
    };
    const common = { picked: state.picked, advised: view.advice?.strategy, onPick: (name) => { state.picked = name; redraw(`.mark[data-strategy="${CSS.escape(name)}"]`); },
      tell: (text) => told.replaceChildren(words(text)) };
    const cost = h("div", { class: "chart" }), lost = h("div", { class: "chart" });
    const frontier = task === null ? view.frontier : frontierOf(known, task);
    const draw = () => {
      if (known.length) scatter(cost, { ...common, points: known.map((each) => ({ ...point(each), x: Math.max(0.01, each.seconds) })), log: true, xtick: (t) => t >= 60 ? `${number(t / 60, t % 60 ? 1 : 0)} min` : `${t < 1 ? number(t, 1) : t} s`,
        xlabel: "seconds for one run, on its own (log scale)", lines: floor === null ? [] : [{ y: floor, label: "floor: counting words" }], frontier, label: `Score, ${what}, against seconds` });
      const measured = known.filter((each) => each.forgetting);
      if (measured.length) scatter(lost, { ...common, points: measured.map((each) => ({ ...point(each), x: each.forgetting.mean, xlow: each.forgetting.low, xhigh: each.forgetting.high })), log: false, xtick: (t) => number(t, 3),
        xlabel: "forgetting (Spearman lost on the probe)", lines: [], frontier: [], label: `Score, ${what}, against forgetting` });
    };
    const forgotten = known.some((each) => each.forgetting);
    const ways = h("div", { class: "ways", role: "group", "aria-label": "Which score" }, [null, ...view.tasks.map((each) => each.name)].map((name) =>
      h("button", { type: "button", "data-task": name === null ? "" : name, "aria-pressed": String(name === task), onclick: () => { state.task = name; redraw(`[data-task="${CSS.escape(name === null ? "" : name)}"]`); } }, name === null ? "mean" : words(name))));
    return { draw, node: h("section", { class: "card charts" },
      h("div", { class: "bar" }, h("h3", {}, "What each buys and costs"), view.tasks.length > 1 && ways),
      h("div", { class: forgotten ? "chart-pair" : "" },
        h("figure", {}, h("figcaption", {}, `Score against time, ${what}`), cost),
        forgotten && h("figure", {}, h("figcaption", {}, `Score against forgetting, ${what}`), lost)), told) };
  }

  function frontierOf(known, task) {
    let highest = -1;
    return [...known].sort((a, b) => a.seconds - b.seconds).filter((each) => scoreOf(each, task).mean > highest && ((highest = scoreOf(each, task).mean), true)).map((each) => each.name);
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
      curves && curves.loss.length > 1 && h("div", { class: "curve-pair" },
        lines({ title: `Loss while learning, seed ${curves.seed}`, label: `Training loss of ${each.name} by step`, unit: "step", zero: true, tick: (t) => number(t, 1), say: (t) => number(t, 3), rest: "Point at the lines to read them, or use the arrow keys.", lines: tasks.map((task) => ({ name: task, values: curves.loss.filter((p) => p.loss[task] !== undefined).map((p) => [p.step, p.loss[task]]) })).filter((l) => l.values.length) }),
        curves.epochs.length > 1 && lines({ title: "Score on its validation rows", label: `Validation score of ${each.name} by epoch`, unit: "epoch", zero: false, tick: (t) => `${number(100 * t, 0)} %`, say: (t) => `${number(100 * t, 1)} %`, rest: "The weights of the best epoch are kept.", lines: tasks.map((task) => ({ name: task, values: curves.epochs.filter((p) => p.scores[task] !== undefined).map((p) => [p.epoch, p.scores[task]]) })).filter((l) => l.values.length) })),
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
    const redraw = (focus) => {
      const left = [...host.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
      const made = charts(view, state, redraw);
      host.replaceChildren(...[made.node, table(view, state, redraw), detail(view, state, on), window.thaw.findings.further(view), looks(view), closing(view, on)].filter(Boolean));
      made.draw();
      host._draw = made.draw;
      [...host.querySelectorAll(".scroll")].forEach((each, k) => { each.scrollLeft = left[k] || 0; });
      if (focus) host.querySelector(focus)?.focus({ preventScroll: true });
    };
    redraw();
    if (!host._watched) {
      let width = host.clientWidth;
      host._watched = new ResizeObserver(() => { if (host.clientWidth && host.clientWidth !== width) { width = host.clientWidth; host._draw?.(); } });
      host._watched.observe(host);
    }
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
