/* The layer strip: a network as blocks, bottom up; frozen, training, partly, not run. */
(() => {
  const { h, words } = window.thaw;
  const STATES = {
    frozen: ["f", "❄", "frozen"],
    trains: ["t", "▲", "trains"],
    partly: ["t p", "△", "trains in part"],
    unused: ["n", "·", "not run"],
  };
  const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -Infinity,
    End: Infinity };

  /* Arrow keys walk a list of which one element is in the tab order. */
  function roving(host, selector) {
    const all = () => [...host.querySelectorAll(selector)];
    host.addEventListener("keydown", (e) => {
      const from = e.target.closest(selector);
      if (!from || STEPS[e.key] === undefined) return;
      e.preventDefault();
      const list = all();
      const to = list[Math.max(0, Math.min(list.length - 1, list.indexOf(from) + STEPS[e.key]))];
      for (const each of list) each.tabIndex = each === to ? 0 : -1;
      to.focus();
    });
    host.addEventListener("focusin", (e) => {
      const to = e.target.closest(selector);
      if (to) for (const each of all()) each.tabIndex = each === to ? 0 : -1;
    });
  }

  function later(block) {
    if (block.from > 1) return `from epoch ${block.from}`;
    return block.state === "partly" ? `${block.trained} of it` : "";
  }

  function block(each, onPick) {
    const [look, glyph, state] = STATES[each.state];
    const head = each.layer === null;
    const glow = each.glow === undefined ? null : each.glow;
    const said = [`${head ? `head of ${each.name}` : each.name}: ${state}`, later(each),
      `${each.size} parameters`,
      each.read && `reads ${each.read}`, each.moved !== undefined && each.moved !== null &&
        `moved by ${(100 * each.moved).toFixed(2)} %`]
      .filter(Boolean).join(", ");
    return h("button", {
      type: "button", class: `slab ${look}${head ? " head" : ""}`, "data-part": each.part,
        "data-k": head ? null : each.layer, tabindex: "-1",
      "aria-pressed": onPick ? String(each.state === "trains" || each.state === "partly") : null,
        "aria-label": said, title: said,
      disabled: !onPick, onclick: onPick && (() => onPick(each.part)),
      style: each.gradient ? { "--gradient": each.gradient.toFixed(3) } : {},
    }, h("span", { class: "glyph", "aria-hidden": "true" }, glyph),
      h("bdi", { class: "clip" }, each.name),
      h("small", {}, later(each) || each.size), glow !== null &&
        h("i", { "aria-hidden": "true", style: { width: `${(100 * glow).toFixed(1)}%` } }));
  }

  /* Returns {heads, pooling, layers}: three nodes, for a caller that lays something beside the
     layers. */
  function stripParts(view, onPick) {
    const heads = view.blocks.filter((each) => each.layer === null);
    const layers = view.blocks.filter((each) => each.layer !== null).reverse();
    return {
      heads: h("div", { class: heads.length > 1 ? "strip-heads two-wide" : "strip-heads" },
        heads.map((each) => block(each, onPick))),
      pooling: h("div", { class: "slab n pooling" },
        h("span", { class: "glyph", "aria-hidden": "true" }, "·"),
        h("span", {}, view.pooling), h("small", {}, "0")),
      layers: h("div", { class: "strip-layers" }, layers.map((each) => block(each, onPick))),
    };
  }

  function startWalking(host) {
    roving(host, ".slab[data-part]");
    const first = host.querySelector(".slab[data-part]");
    if (first) first.tabIndex = 0;
  }

  /* The strip alone. `onPick` is left out where nothing can be clicked. */
  function layerStrip(view, onPick) {
    const { heads, pooling, layers } = stripParts(view, onPick);
    const host = h("div", { class: "layer-strip", role: "group",
      "aria-label": `Layer strip: ${view.title}`, style: { "--layers": String(view.layers + 1) } },
      heads, pooling, layers);
    startWalking(host);
    return host;
  }

  /* A strategy as a row of dots: layers bottom up from the left, the heads last. */
  const DOTS = { f: "frozen", t: "train", l: "train later", p: "train in part", n: "are not run" };
  function dots(parts) {
    const runs = [];
    [...parts.slice(0, -1)].forEach((letter, layer) => {
      const last = runs[runs.length - 1];
      if (last && last.letter === letter) last.to = layer;
        else runs.push({ letter, from: layer, to: layer });
    });
    const name = (k) => k ? `layer ${k}` : "embeddings";
    const told = runs.map((run) =>
      `${name(run.from)}${run.to > run.from ? ` to ${run.to}` : ""} ${DOTS[run.letter]}`);
    const heads = { t: "heads train", f: "heads frozen", p: "one head frozen" }[parts.at(-1)];
    return h("span", { class: "dots", role: "img", "aria-label": [...told, heads].join(", "),
      title: [...told, heads].join(", ") },
      [...parts].map((letter, k) =>
        h("b", { class: `${letter}${k === parts.length - 1 ? " h" : ""}` })));
  }

  const legend = () => h("p", { class: "soft strip-legend" },
    "❄ frozen · ▲ trains · △ in part, such as biases · dashed: not run");

  /* ---- the strip as one makes a strategy on it: blocks to click, and where the heads read */
  const EXTRA = [["auto", "each task's best"], ["mix", "a mix of all layers"]];

  /* ---- the column that says where the heads read */
  function readers(view, onRead) {
    const read = Object.values(view.readOf);
    const chosen = view.read === null ? view.layers : view.read;
    const host = h("div", { class: "readers strip-layers", role: "radiogroup",
      "aria-label": "The layer that the heads read" });
    for (let k = view.layers; k >= 0; k--) {
      const tasks = Object.keys(view.readOf).filter((task) => view.readOf[task] === k);
      const here = view.read === "mix" || tasks.length > 0;
      const name = k ? `layer ${k}` : "the embeddings";
      const said = tasks.length && tasks.length < read.length ?
        `${name}, read by ${tasks.join(", ")}` : name;
      host.append(h("button", { type: "button", role: "radio", class: here ?
        "reader here" : "reader", "data-k": k, tabindex: k === (Number.isInteger(chosen) ?
        chosen : view.layers) ? "0" : "-1",
        "aria-checked": String(chosen === k), "aria-label": said, title: `Heads read ${said}`,
          onclick: () => onRead(k) }, h("span", { "aria-hidden": "true" }, here ? "◀" : "")));
    }
    roving(host, ".reader");
    return host;
  }

  /* ---- the strip and the readers, aligned row by row; `beside` is a node that has such rows too
     */
  function along(strip, on, beside) {
    const parts = stripParts(strip, (part) => on.draw({ part }));
    const host = h("div", { class: `along${strip.layers > 12 ? " deep" : ""}` },
      h("div", { class: "layer-strip", role: "group", "aria-label": `Layer strip: ${strip.title}` },
        parts.heads, parts.pooling, parts.layers),
      h("div", { class: "read-column" }, h("span", { class: "soft", "aria-hidden": "true" },
        "read"), readers(strip, (read) => on.draw({ read }))),
      beside);
    startWalking(host);
    host.addEventListener("mouseover", (e) => light(host, e.target.closest("[data-k]")));
    host.addEventListener("mouseleave", () => light(host, null));
    return host;
  }

  function light(host, at) {
    for (const each of host.querySelectorAll("[data-k].lit")) each.classList.remove("lit");
    if (at) for (const each of host.querySelectorAll(
      `[data-k="${at.dataset.k}"]`)) each.classList.add("lit");
  }

  /* ---- under it: what the colours are, how to click, and the places to read that are no layer */
  function stripFoot(strip, on) {
    const extra = h("div", { class: "ways", role: "group", "aria-label": "Or have the heads read" },
      EXTRA.map(([read, label]) =>
      h("button", { type: "button", "data-read": read, "aria-pressed": String(strip.read === read),
        onclick: () => on.draw({ read: strip.read === read ? strip.layers : read }) }, label)));
    return h("div", { class: "strip-foot" },
      h("div", {}, legend(),
        h("p", { class: "soft" },
        "Click a block to freeze or thaw it, and a place under “read” to have the heads read there. Arrow keys walk, space changes.")),
      h("div", { class: "reads" }, h("span", { class: "soft" }, "Or read"), extra));
  }

  /* What the strategy does and how much trains; or why a click changed nothing. */
  const refusal = (strip) => h("span", { class: "warn" }, h("span", { "aria-hidden": "true" },
    "⚠ "), words(strip.said));

  /* Draws anew; who was on a block, a place to read or a button stays there. */
  function refocused(host, draw) {
    const focused = document.activeElement && host.contains(document.activeElement) ?
      document.activeElement : null;
    const key = focused &&
      ["part", "read", "add"].find((name) => focused.dataset[name] !== undefined);
    const selector = !focused ? null : key ? `[data-${key}="${CSS.escape(focused.dataset[key])}"]` :
      focused.matches(".reader") ? `.reader[data-k="${focused.dataset.k}"]` : null;
    draw();
    if (selector) host.querySelector(selector)?.focus({ preventScroll: true });
  }

  /* What a strategy does, what speaks for and against it, and when. */
  const strategyWords = (offer) => [h("p", {}, offer.does),
    h("dl", {}, ["good", "bad", "when"].map((what) =>
      [h("dt", {}, { good: "For", bad: "Against", when: "When" }[what]),
      h("dd", {}, offer[what])]))];

  Object.assign(window.thaw, { layerStrip, dots, stripLegend: legend, along, stripFoot, refusal,
    refocused, strategyWords });
})();
