/* A live run: it is asked about ten times a second, and only what is new of it travels. */
(() => {
  const { h, words, number, count, title } = window.thaw;
  const KEY = "thaw-run";
  const OFTEN = 100, SELDOM = 600, RARELY = 15000;
  const OVER = ["done", "stopped", "failed"];
  const STATES = { waiting: "Waiting", starting: "Getting ready", running: "Training",
    pausing: "Pausing at the end of this step", paused: "Paused" };
  const kept = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const keep = (token) => { try { if (token) localStorage.setItem(KEY, token);
    else localStorage.removeItem(KEY); } catch { /* a browser that keeps nothing */ } };

  const blank = () => ({ plan: null, steps: [], evaluations: [], moments: [], changes: [],
    last: null, doing: "", failed: "", refused: "", saved: null, done: null, drift: {}, most: {},
    curves: null, confusions: [] });

  function take(run, event) {
    if (event.event === "plan") run.plan = event;
    else if (event.event === "steps") {
      run.steps.push(...event.steps);
      run.last = event.steps[event.steps.length - 1];
      run.refused = "";
    } else if (event.event === "evaluation") { run.evaluations.push(event); run.drift = event.drift;
      }
    else if (event.event === "map") run.moments.push(event);
    else if (event.event === "change") { if (event.refused) run.refused = event.text;
      else { run.changes.push(event); run.refused = ""; } }
    else if (event.event === "refused") run.refused = event.text;
    else if (event.event === "doing") run.doing = event.text;
    else if (event.event === "failed") run.failed = event.text;
    else if (event.event === "done") run.done = event;
    else if (event.event === "saved") run.saved = event;
    if (["steps", "paused", "evaluation", "change", "refused"].includes(event.event)) run.doing =
      "";
  }

  const score = (metrics) => metrics.accuracy !== undefined ? metrics.accuracy : metrics.f1;
  const scoreName = (metrics) => metrics.accuracy !== undefined ? "accuracy" : "F1";

  /* ---- what is drawn of it ---- */
  function statusWords(run, seen, example) {
    if (example) return ["A run made earlier.",
      " Start one of your own, or one of the three above."];
    if (seen.state === "failed") return ["The run broke off.", ` ${run.failed}`];
    if (seen.state === "stopped") return ["Stopped.",
      " The curves stay; a model is written only by a run that comes to its end."];
    if (seen.state === "done") return [seen.summary ? seen.summary.lead : "Done.", ""];
    if (seen.state === "waiting") return ["Waiting.",
      ` Another run trains here: yours is number ${seen.place} of ${seen.waiting} in the queue.`];
    const step = run.last && run.plan ?
      ` Step ${run.last.step} of ${run.plan.steps}, epoch ${run.last.epoch} of ${run.plan.epochs}.` : "";
    const left = run.last && seen.state === "running" && !run.done ?
      ` About ${Math.max(1, Math.round(run.last.seconds_left))} s left, ${count(Math.round(run.last.tokens_per_second))} tokens a second.` : "";
    return [`${STATES[seen.state]}.`, `${step}${left}${run.doing ? ` ${run.doing}` : ""}`];
  }

  function stripOf(run) {
    const change = run.changes[run.changes.length - 1];
    const now = change ? new Set(change.training) : null;
    const gradient = run.last ? run.last.gradient || {} : {};
    const most = Math.max(...Object.values(gradient), 1e-9);
    const size = (n) => n >= 1e6 ? `${(n / 1e6).toFixed(1)} M` : n >= 1e3 ?
      `${Math.round(n / 1e3)} k` : String(n);
    const farthest = (head) =>
      Math.max(...Object.entries(run.drift).filter(([part]) =>
      part.startsWith("head ") === head).map(([, far]) => far), 1e-9);
    const scale = { true: farthest(true), false: farthest(false) };
    return {
      title: run.plan.strategy, layers: run.plan.layers, pooling: `${run.plan.pooling} pooling`,
      blocks: run.plan.parts.map((part) => {
        const head = part.part.startsWith("head ");
        const layer = head ? null : part.part === "embeddings" ? 0 : Number(part.part.slice(6));
        const name = head ? part.part.slice(5) : part.part;
        const started = !part.from_epoch || part.from_epoch <= (run.last ? run.last.epoch : 1);
        const state = part.state === "unused" ? "unused" : now ?
          (now.has(part.part) ? "trains" : "frozen") : started ? part.state : "frozen";
        const moved = run.drift[part.part];
        return { part: part.part, layer, name, state, from: now || started ? 1 : part.from_epoch,
          trained: size(part.trainable), size: size(part.parameters),
          read: head ? `layer ${run.plan.read[name]}` : "", moved: moved === undefined ?
            null : moved,
          glow: moved === undefined ? undefined : moved / scale[head],
            gradient: gradient[part.part] === undefined ? 0 : gradient[part.part] / most };
      }),
    };
  }

  /* Fills the figures of the curves, which come empty, with what the run has told. */
  function filled(run) {
    const [loss, scores] = run.curves, tasks = run.plan.tasks.map((task) => task.name);
    const line = (trace, points) => { trace.x = points.map(([x]) => x);
      trace.y = points.map(([, y]) => y); };
    tasks.forEach((name, k) => {
      line(loss.plotly.data[2 * k], run.steps.map((s) => [s.step, s.loss[name]]));
      line(loss.plotly.data[2 * k + 1], run.evaluations.map((e) => [e.step, e.loss[name]]));
      line(scores.plotly.data[k], run.evaluations.filter((e) => e.metrics[name]).map((e) =>
        [e.step, score(e.metrics[name])]));
    });
    for (const { plotly: { data } } of [loss, scores]) {
      const marks = data[data.length - 1];
      line(marks, run.changes.flatMap((c) => [[c.step, 0], [c.step, 1], [null, null]]));
      marks.hovertext = run.changes.flatMap((c) => [c.text, c.text, ""]);
    }
    return [loss, scores];
  }

  const spans = (value) => (value || []).map((s) => Array.isArray(s) ?
    s : [s.start, s.end, s.label]);
  function cell(task, row) {
    const [is, says] = [row.actual[task.name], row.predicted[task.name]];
    if (task.kind === "token") {
      const list = (value, text) => spans(value).map(([a, b, label]) =>
        `${[...text].slice(a, b).join("")} (${label})`).join(", ") || "none";
      const right = JSON.stringify(spans(is)) === JSON.stringify(spans(says));
      return { is: is === undefined || is === null ? null : list(is, row.text),
        says: list(says, row.text), right: is === undefined || is === null ? null : right,
        sure: null };
    }
    return { is: is === undefined ? null : is, says, right: is === undefined || is === null ?
      null : is === says, sure: row.confidence[task.name] };
  }

  function watchList(run) {
    const [now, before] = [run.evaluations[run.evaluations.length - 1],
      run.evaluations[run.evaluations.length - 2]];
    const first = run.evaluations[0];
    if (!now || !now.watched.length) return h("p", { class: "empty" },
      "After each epoch a few validation sentences are shown here: what they are, and what the model says.");
    const tasks = run.plan.tasks;
    let changed = 0, since = 0;
    const rows = now.watched.map((row, k) =>
      h("tr", {}, h("td", { class: "sentence" }, words(row.text)), tasks.map((task) => {
      const said = (moment) => moment && moment.watched[k] ? cell(task, moment.watched[k]).says :
        null;
      const cells = cell(task, row), old = said(before), began = said(first);
      const turned = old !== null && old !== cells.says, learned = began !== null &&
        began !== cells.says;
      if (turned) changed += 1;
      if (learned) since += 1;
      return h("td", { class: `watched${turned ? " turned" : ""}`, "data-label": title(task.name) },
        h("span", { class: cells.right === false ? "wrong" : "right" },
          h("span", { "aria-hidden": "true" }, cells.right === null ? "·\u00a0" : cells.right ?
          "✓\u00a0" : "✗\u00a0"), words(cells.says)),
        cells.sure !== null && h("span", { class: "soft" },
          ` ${Math.round(100 * cells.sure)}\u00a0%`),
        cells.right === false && h("div", { class: "soft" }, "is ", words(cells.is)),
        turned && h("div", { class: "turned-mark" }, "changed, was ", words(old)),
        learned && !(turned && old === began) && h("div", { class: "soft began-mark" },
          `epoch ${first.epoch}: `, words(began)));
    })));
    const told = `${changed || "none"} changed since the epoch before${now !== run.evaluations[1] ? `, ${since || "none"} since the first` : ""}.`;
    return [h("p", { class: "soft" },
      `After epoch ${now.epoch}: ${before ? told : "✓ right, ✗ wrong, and how confident the model is."}`),
      h("div", { class: "scroll", tabindex: "0", role: "region",
        "aria-label": "Watched sentences" },
        h("table", { class: "predictions labelled watch" },
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", {}, "Sentence")),
          tasks.map((t) => h("th", { scope: "col" }, h("span", {}, title(t.name)))))),
          h("tbody", {}, rows)))];
  }

  function numbers(run) {
    const names = run.plan.tasks.map((task) => task.name);
    return h("table", {},
      h("thead", {}, h("tr", {},
      ["Epoch", "Step", ...names.flatMap((n) => [`${n}: loss`, `${n}: score`]),
      "Kept"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, run.evaluations.map((e) => h("tr", {}, h("td", {}, e.epoch),
        h("td", {}, e.step),
        names.flatMap((n) => [h("td", {}, number(e.loss[n], 4)),
          h("td", {}, e.metrics[n] ?
          `${number(100 * score(e.metrics[n]), 1)} % ${scoreName(e.metrics[n])}` : "–")]),
          h("td", {}, e.best ? "best so far" : "")))));
  }

  const safe = (text) => { const t = String(text);
    return `"${(/^[=+\-@\t\r]/.test(t) ? "'" : "") + t.replaceAll('"', '""')}"`; };
  function csv(run) {
    const names = run.plan.tasks.map((task) => task.name);
    const lines = [["step", "what", ...names].map(safe).join(",")];
    for (const s of run.steps) lines.push([s.step, "training loss",
      ...names.map((n) => s.loss[n])].join(","));
    for (const e of run.evaluations) {
      lines.push([e.step, "validation loss", ...names.map((n) => e.loss[n])].join(","));
      lines.push([e.step, "validation score",
        ...names.map((n) => e.metrics[n] ? score(e.metrics[n]) : "")].join(","));
    }
    for (const c of run.changes) lines.push([c.step, safe(`changed: ${c.text}`)].join(","));
    return `\ufeff${lines.join("\r\n")}\r\n`;
  }

  /* ---- the page of one run: built once, then kept up to date ---- */
  function page(host, tell) {
    const big = h("p", { class: "big" }),
      bar = h("progress", { max: 1, value: 0, "aria-label": "Steps done" });
    const rest = h("div", {}), said = h("p", { class: "warn", role: "alert" });
    const button = (name, what, kind) => h("button", { type: "button", class: kind || "thaw-button",
      "data-what": what, onclick: () => tell.act(what) }, name);
    const controls = h("div", { class: "controls" }, button("Pause", "pause"),
      button("Resume", "go", "thaw-primary"), button("One step", "step"), button("Stop", "stop"),
      button("Start over", "forget"));
    const strip = h("div", { class: "train-strip" }), steer = steering(tell);
    const charts = window.thaw.charts(), curves = h("div", {}), drawn = [];
    const told = h("span", { class: "soft", role: "status" });
    const chosen = h("input", { type: "file", accept: ".zip", class: "hidden-text",
      "aria-label": "Zip of a model folder", onchange: async () => {
      if (chosen.files[0]) await tell.open(chosen.files[0], (text) => { told.textContent = text; });
      chosen.value = "";
    } });
    const bring = h("p", { class: "soft bring" }, "A model folder downloaded earlier? ",
      h("button", { type: "button", class: "link", onclick: () => chosen.click() }, "Open its zip"),
      chosen, " ", told);
    const map = window.thaw.runMap();
    const watch = h("div", {}), confused = h("div", { class: "confusions" }),
      table = h("div", { class: "scroll" }), after = h("div", { class: "downloads after" });
    host.replaceChildren(
      h("section", { class: "card answer" }, h("div", { "aria-live": "polite" }, big), bar, rest,
        said, controls, after, bring),
      h("section", { class: "card train-live" }, h("div", {}, h("h3", {}, "The network"), strip,
        window.thaw.stripLegend(),
        h("p", { class: "soft" }, "A block fills as its weights move away from where they began."),
        steer.node), curves),
      map.node,
      h("section", { class: "card" }, h("h3", {}, "Watched sentences"), watch),
      h("section", { class: "card" }, h("h3", {}, "Where it confuses labels"), confused,
        h("details", { class: "as-table" }, h("summary", {}, "All figures as a table"), table)));
    let drawnEvaluations = -1, drawnSteps = "", drawnStrip = "";

    function update(run, seen, example) {
      const [lead, more] = statusWords(run, seen, example);
      big.replaceChildren(h("b", {}, lead), more);
      const over = OVER.includes(seen.state) || example;
      bar.hidden = over;
      const share = run.last && run.plan ? run.last.step / run.plan.steps : null;
      if (share === null) bar.removeAttribute("value"); else bar.value = share;
      rest.replaceChildren(...((seen.summary && seen.summary.rest) || []).map((line) =>
        h("p", { class: "soft" }, line)));
      said.textContent = run.refused;
      said.hidden = !run.refused;
      const shown = { pause: ["running", "starting", "waiting"], go: ["paused"], step: ["paused"],
        stop: ["running", "starting", "waiting", "paused", "pausing"], forget: OVER };
      for (const each of controls.children) each.hidden = Boolean(example) ||
        !shown[each.dataset.what].includes(seen.state);
      host.dataset.state = example ? "example" : seen.state;
      host.dataset.steps = String(run.steps.length);
      if (!run.plan) return;
      const view = stripOf(run), paused = seen.state === "paused" && !example;
      const key = JSON.stringify([view.blocks.map((b) => [b.state, b.glow && b.glow.toFixed(2),
        b.gradient.toFixed(1)]), paused]);
      if (key !== drawnStrip) {
        drawnStrip = key;
        const focus = strip.contains(document.activeElement) ? document.activeElement.dataset.part :
          null;
        strip.replaceChildren(window.thaw.layerStrip(view, paused ? (part) => tell.toggle(part,
          view.blocks.find((b) => b.part === part)) : undefined));
        if (focus) [...strip.querySelectorAll("[data-part]")].find((node) =>
          node.dataset.part === focus)?.focus();
      }
      steer.update(run, paused);
      map.update(run.moments, run.plan.tasks, run.done ? run.done.epoch : 0);
      const steps = [run.steps.length, run.evaluations.length, run.changes.length].join();
      if (drawnSteps !== steps) {
        drawnSteps = steps;
        filled(run).forEach((figure, k) => {
          if (drawn[k]) drawn[k].update(figure);
            else curves.append((drawn[k] = window.thaw.chart(figure, { bare: true })).node);
        });
      }
      if (drawnEvaluations !== run.evaluations.length) {
        drawnEvaluations = run.evaluations.length;
        watch.replaceChildren(...[watchList(run)].flat());
        confused.replaceChildren(...run.confusions.map((figure, k) => charts.of(k, figure)));
        table.replaceChildren(numbers(run));
      }
      if (over && !after.childNodes.length) after.replaceChildren(...saves(run, seen, example));
    }

    /* Both curves as one picture: what Plotly wrote of each, one above the other. */
    async function picture() {
      const found = await Promise.all(drawn.map((chart) => chart.image()));
      const heights = drawn.map((chart) => chart.host.clientHeight + 30),
        width = Math.max(...drawn.map((chart) => chart.host.clientWidth));
      const root = window.thaw.svg("svg", { xmlns: "http://www.w3.org/2000/svg", width,
        height: heights[0] + heights[1], viewBox: `0 0 ${width} ${heights[0] + heights[1]}` });
      const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
      root.append(window.thaw.svg("title", {}, "A training run"),
        window.thaw.svg("rect", { width: "100%", height: "100%", fill: colour("--thaw-surface") }));
      found.forEach((text, k) => {
        const part = document.importNode(new DOMParser().parseFromString(text,
          "image/svg+xml").documentElement, true);
        part.setAttribute("y", k * heights[0] + 30);
        root.append(window.thaw.svg("text",
          { x: 8, y: k * heights[0] + 20, "font-family": "sans-serif", "font-size": 14,
          "font-weight": 600, fill: colour("--thaw-text") }, drawn[k].node.firstChild.textContent),
          part);
      });
      return new XMLSerializer().serializeToString(root);
    }
    function saves(run, seen, example) {
      const link = (name, go) => h("button", { type: "button", class: "thaw-button", onclick: go },
        name);
      return [seen.state === "done" && !example && tell.extra(),
        link("Curves, CSV", () => window.thaw.save("curves.csv", "text/csv;charset=utf-8",
          csv(run))),
        link("Picture, SVG", async () => window.thaw.save("curves.svg", "image/svg+xml",
          await picture())),
        link("Picture, PNG", async () => window.thaw.save("run.png", "image/png",
          await window.thaw.pngOf(await picture(), map)))].flat().filter(Boolean);
    }
    return { update };
  }

  function steering(tell) {
    const rate = (name, label, note) => h("label", { class: "field" }, label,
      h("input", { type: "text", inputmode: "decimal", name, maxlength: "12" }),
      h("span", { class: "soft" }, note));
    const form = h("form", { class: "steer columns", onsubmit: (e) => {
      e.preventDefault();
      const change = {};
      for (const input of form.querySelectorAll("input")) {
        const value = Number(input.value);
        if (input.value.trim() && value !== Number(input.dataset.now)) change[input.name] =
          Number.isNaN(value) ? input.value : value;
      }
      if (Object.keys(change).length) tell.change(change);
    } }, h("p", { class: "soft" },
      "While it is paused: click a block to thaw or freeze it, or change the rates. It is marked on the curves."),
      h("div", { class: "fields" }, rate("encoder_rate", "Layers' rate",
        "ten times higher moves ten times as far"),
        rate("head_rate", "Heads' rate", "heads bear larger steps")),
      h("button", { type: "submit", class: "thaw-button" }, "Change the rates"));
    let shown = false;
    function update(run, paused) {
      form.hidden = !paused;
      if (paused && !shown) {
        const last = run.changes[run.changes.length - 1] || run.plan;
        for (const input of form.querySelectorAll("input")) { input.value =
          String(last[input.name]); input.dataset.now = input.value; }
      }
      shown = paused;
    }
    form.hidden = true;
    return { node: form, update };
  }

  /* ---- following it ---- */
  function training(element, props, watch, server, leave) {
    const host = element.querySelector(".thaw-picture");
    let token = null, run = blank(), seen = { state: "waiting", place: 1, waiting: 1 }, next = 0,
      shown = null, timer = 0, asking = false, example = null;
    const tell = {
      act: async (what) => {
        const answer = await server.act({ token, what });
        if (what === "forget" && !answer.refused) { keep(null); token = null; showExample(); return;
          }
        run.refused = answer.refused;
        again(0);
      },
      change: async (change) =>
        { run.refused = (await server.act({ token, what: "change", change })).refused; again(0); },
      toggle: (part, block) =>
        tell.change({ [block.state === "frozen" ? "thawed" : "frozen"]: [part] }),
      open: bring,
      extra: () => [
        h("button", { type: "button", class: "thaw-primary",
          onclick: () => leave("use", { token }) }, "Use this model in every tab"),
        h("button", { type: "button", class: "thaw-button",
          onclick: () => leave("beside", { token }) }, "Compare with the pretrained one"),
        h("button", { type: "button", class: "thaw-button", onclick: (e) => download(e.target,
          "model") }, "Model folder, ZIP"),
        h("button", { type: "button", class: "thaw-button",
          title: "Whole, for sentence-transformers and others", onclick: (e) => download(e.target,
          "export") }, "For sentence-transformers, ZIP")],
    };

    /* The file comes in pieces, so that no copy of it lies where others could fetch it. */
    async function download(button, kind) {
      const parts = [], name = button.textContent;
      button.disabled = true;
      button.textContent = "Writing…";
      try {
        for (let at = 0, size = 1; at < size;) {
          const found = await server.piece({ token, kind, at });
          if (found.refused) { run.refused = found.refused; draw(); return; }
          const bytes = Uint8Array.from(atob(found.piece), (c) => c.charCodeAt(0));
          parts.push(bytes);
          at += bytes.length;
          size = found.size;
          button.textContent = `${Math.round(100 * at / size)} %`;
        }
        window.thaw.save(`${kind}.zip`, "application/zip", new Blob(parts));
      } finally { button.disabled = false; button.textContent = name; }
    }

    const PIECE = 1500000;
    const base64 = (blob) => new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });
    async function bring(file, say) {
      let upload = "";
      for (let at = 0; at < file.size || !upload; at += PIECE) {
        const found = await server.put({ upload, size: file.size,
          piece: await base64(file.slice(at, at + PIECE)) });
        if (found.refused) { say(found.refused); return; }
        upload = found.upload;
        say(`${Math.min(100, Math.round(100 * (at + PIECE) / file.size))} %`);
        if (found.whole) { say(""); leave("opened", { upload, name: file.name }); return; }
      }
    }

    function draw() {
      if (!shown) shown = page(host, tell);
      shown.update(run, seen, example);
      host.dataset.drawn = String(Number(host.dataset.drawn || 0) + 1);
    }
    function again(after) { clearTimeout(timer); timer = setTimeout(ask, after); }

    async function ask() {
      if (!token || asking) return;
      asking = true;
      const mine = token;
      try {
        const found = await server.look({ token, since: next });
        if (mine === token) hear(found); else again(0); // another run is followed by now
      } catch { again(2000); } finally { asking = false; }
    }

    function hear(found) {
      if (found.state === "gone") { keep(null); token = null; showExample(); return; }
      if (found.from === 0) { run = { ...blank(), refused: run.refused }; }
      for (const event of found.events) take(run, event);
      Object.assign(run, found.figures);
      next = found.next;
      seen = { ...found, summary: found.summary || seen.summary, events: null };
      requestAnimationFrame(draw);
      again(OVER.includes(seen.state) ? RARELY : ["running", "starting",
        "pausing"].includes(seen.state) || seen.place === 1 ? OFTEN : SELDOM);
    }

    function follow(wanted) {
      token = wanted; next = 0; run = blank(); shown = null; example = null;
      seen = { state: "waiting", place: 1, waiting: 1 };
      again(0);
    }

    function showExample() {
      if (!firstExample) return;
      example = firstExample; run = blank(); shown = null;
      for (const event of example.events) take(run, event);
      Object.assign(run, example.figures);
      seen = { state: "done",
        summary: { lead: "", rest: [example.summary.lead, ...example.summary.rest] } };
      draw();
    }

    let firstExample = null;
    function news() {
      const value = props.value;
      if (!value) return;
      if (value.token) { keep(value.token); follow(value.token); }
      else if (value.example) { firstExample = JSON.parse(JSON.stringify(value.example));
        if (kept()) follow(kept()); else showExample(); }
    }
    watch("value", news);
    news();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) again(0); });
  }

  window.thaw.training = training;
})();
