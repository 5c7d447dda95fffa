/* The layer strip: a network as blocks, bottom up; frozen, training, partly, not run. */
(() => {
  const { h } = window.thaw;
  const STATES = {
    frozen: ["f", "❄", "frozen"],
    trains: ["t", "▲", "trains"],
    partly: ["t p", "△", "trains in part"],
    unused: ["n", "·", "not run"],
  };
  const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -Infinity, End: Infinity };

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
    const said = [`${head ? `head of ${each.name}` : each.name}: ${state}`, later(each), `${each.size} parameters`,
      each.read && `reads ${each.read}`, each.moved !== undefined && each.moved !== null && `moved by ${(100 * each.moved).toFixed(2)} %`]
      .filter(Boolean).join(", ");
    return h("button", {
      type: "button", class: `slab ${look}${head ? " head" : ""}`, "data-part": each.part, "data-k": head ? null : each.layer, tabindex: "-1",
      "aria-pressed": onPick ? String(each.state === "trains" || each.state === "partly") : null, "aria-label": said, title: said,
      disabled: !onPick, onclick: onPick && (() => onPick(each.part)),
      style: each.gradient ? { "--gradient": each.gradient.toFixed(3) } : {},
    }, h("span", { class: "glyph", "aria-hidden": "true" }, glyph), h("bdi", { class: "clip" }, each.name),
      h("small", {}, later(each) || each.size), glow !== null && h("i", { "aria-hidden": "true", style: { width: `${(100 * glow).toFixed(1)}%` } }));
  }

  /* Returns {heads, pooling, layers}: three nodes, for a caller that lays something beside the layers. */
  function stripParts(view, onPick) {
    const heads = view.blocks.filter((each) => each.layer === null);
    const layers = view.blocks.filter((each) => each.layer !== null).reverse();
    return {
      heads: h("div", { class: heads.length > 1 ? "strip-heads two-wide" : "strip-heads" }, heads.map((each) => block(each, onPick))),
      pooling: h("div", { class: "slab n pooling" }, h("span", { class: "glyph", "aria-hidden": "true" }, "·"),
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
    const host = h("div", { class: "layer-strip", role: "group", "aria-label": `Layer strip: ${view.title}`, style: { "--layers": String(view.layers + 1) } },
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
      if (last && last.letter === letter) last.to = layer; else runs.push({ letter, from: layer, to: layer });
    });
    const name = (k) => k ? `layer ${k}` : "embeddings";
    const told = runs.map((run) => `${name(run.from)}${run.to > run.from ? ` to ${run.to}` : ""} ${DOTS[run.letter]}`);
    const heads = { t: "heads train", f: "heads frozen", p: "one head frozen" }[parts.at(-1)];
    return h("span", { class: "dots", role: "img", "aria-label": [...told, heads].join(", "), title: [...told, heads].join(", ") },
      [...parts].map((letter, k) => h("b", { class: `${letter}${k === parts.length - 1 ? " h" : ""}` })));
  }

  const legend = () => h("p", { class: "soft strip-legend" }, "❄ frozen · ▲ trains · △ in part, such as biases · dashed: not run");

  Object.assign(window.thaw, { layerStrip, stripParts, startWalking, roving, dots, stripLegend: legend });
})();
