/* The strip as one makes a strategy on it: blocks to click, and where the heads read beside them. */
(() => {
  const { h, words } = window.thaw;
  const EXTRA = [["auto", "each task's best"], ["mix", "a mix of all layers"]];

  /* ---- the column that says where the heads read */
  function readers(view, onRead) {
    const read = Object.values(view.readOf);
    const chosen = view.read === null ? view.layers : view.read;
    const host = h("div", { class: "readers strip-layers", role: "radiogroup", "aria-label": "The layer that the heads read" });
    for (let k = view.layers; k >= 0; k--) {
      const tasks = Object.keys(view.readOf).filter((task) => view.readOf[task] === k);
      const here = view.read === "mix" || tasks.length > 0;
      const name = k ? `layer ${k}` : "the embeddings";
      const said = tasks.length && tasks.length < read.length ? `${name}, read by ${tasks.join(", ")}` : name;
      host.append(h("button", { type: "button", role: "radio", class: here ? "reader here" : "reader", "data-k": k, tabindex: k === (Number.isInteger(chosen) ? chosen : view.layers) ? "0" : "-1",
        "aria-checked": String(chosen === k), "aria-label": said, title: `Heads read ${said}`, onclick: () => onRead(k) }, h("span", { "aria-hidden": "true" }, here ? "◀" : "")));
    }
    window.thaw.roving(host, ".reader");
    return host;
  }

  /* ---- the strip and the readers, aligned row by row; `beside` is a node that has such rows too */
  function along(strip, on, beside) {
    const parts = window.thaw.stripParts(strip, (part) => on.draw({ part }));
    const host = h("div", { class: `along${strip.layers > 12 ? " deep" : ""}` },
      h("div", { class: "layer-strip", role: "group", "aria-label": `Layer strip: ${strip.title}` }, parts.heads, parts.pooling, parts.layers),
      h("div", { class: "read-column" }, h("span", { class: "soft", "aria-hidden": "true" }, "read"), readers(strip, (read) => on.draw({ read }))),
      beside);
    window.thaw.startWalking(host);
    host.addEventListener("mouseover", (e) => light(host, e.target.closest("[data-k]")));
    host.addEventListener("mouseleave", () => light(host, null));
    return host;
  }

  function light(host, at) {
    for (const each of host.querySelectorAll("[data-k].lit")) each.classList.remove("lit");
    if (at) for (const each of host.querySelectorAll(`[data-k="${at.dataset.k}"]`)) each.classList.add("lit");
  }

  /* ---- under it: what the colours are, how to click, and the places to read that are no layer */
  function stripFoot(strip, on) {
    const extra = h("div", { class: "ways", role: "group", "aria-label": "Or have the heads read" }, EXTRA.map(([read, label]) =>
      h("button", { type: "button", "data-read": read, "aria-pressed": String(strip.read === read), onclick: () => on.draw({ read: strip.read === read ? strip.layers : read }) }, label)));
    return h("div", { class: "strip-foot" },
      h("div", {}, window.thaw.stripLegend(), h("p", { class: "soft" }, "Click a block to freeze or thaw it, and a place under “read” to have the heads read there. Arrow keys walk, space changes.")),
      h("div", { class: "reads" }, h("span", { class: "soft" }, "Or read"), extra));
  }

  /* What the strategy does and how much trains; or why a click changed nothing. */
  const refusal = (strip) => h("span", { class: "warn" }, h("span", { "aria-hidden": "true" }, "⚠ "), words(strip.said));

  /* Draws anew; who was on a block, a place to read or a button stays there. */
  function refocused(host, draw) {
    const focused = document.activeElement && host.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && ["part", "read", "add"].find((name) => focused.dataset[name] !== undefined);
    const selector = !focused ? null : key ? `[data-${key}="${CSS.escape(focused.dataset[key])}"]` : focused.matches(".reader") ? `.reader[data-k="${focused.dataset.k}"]` : null;
    draw();
    if (selector) host.querySelector(selector)?.focus({ preventScroll: true });
  }

  /* What a strategy does, what speaks for and against it, and when. */
  const strategyWords = (offer) => [h("p", {}, offer.does),
    h("dl", {}, ["good", "bad", "when"].map((what) => [h("dt", {}, { good: "For", bad: "Against", when: "When" }[what]), h("dd", {}, offer[what])]))];

  Object.assign(window.thaw, { along, stripFoot, refusal, refocused, strategyWords });
})();
