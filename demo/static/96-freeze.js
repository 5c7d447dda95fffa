/* Freeze: the strip with the layer profile along it, and the strategies to choose from. */
(() => {
  const { h, words, number } = window.thaw;
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

  /* ---- the profile, one panel a task, each layer beside its block */
  function panel(task, view, onRead) {
    const [low, high] = task.range;
    const at = (score) => 100 * (score - low) / (high - low);
    const layers = task.scores.length, step = high - low > 0.55 ? 0.2 : 0.1;
    const ticks = [];
    for (let tick = Math.ceil(low / step - 1e-6) * step; tick <= high + 1e-6; tick += step) ticks.push(tick);
    const rows = task.scores.map(([mean, from, to], k) => h("div", { class: `scored${k === task.best ? " best" : ""}${view.readOf[task.name] === k ? " read" : ""}`, "data-k": k,
      title: `${k ? `layer ${k}` : "embeddings"}: ${number(mean, 3)} (${number(from, 3)} to ${number(to, 3)})`, onclick: () => onRead(k) },
      h("span", { class: "plot" },
        ticks.map((tick) => h("s", { style: { left: `${at(tick)}%` } })),
        k + 1 < layers && joint(at(mean), at(task.scores[k + 1][0])),
        h("i", { class: "whisker", style: { left: `${at(from)}%`, width: `${at(to) - at(from)}%` } }),
        h("i", { class: "dot", style: { left: `${at(mean)}%` } })),
      h("span", { class: "mean" }, window.thaw.short(number(mean, 2))))).reverse();
    return {
      title: h("div", { class: "panel-title" }, h("b", {}, words(task.name, "clip")), h("span", { class: "soft" }, task.metric)),
      body: h("div", { class: "panel strip-layers", "aria-hidden": "true" }, rows),
      axis: h("div", { class: "panel-axis soft", "aria-hidden": "true" }, h("span", { class: "plot" },
        ticks.map((tick) => h("span", { style: { left: `${at(tick)}%` } }, window.thaw.short(number(tick, 1)))))),
    };
  }

  /* The line from a layer's dot to that of the layer above. */
  const joint = (from, to) => window.thaw.svg("svg", { class: "joint", viewBox: "0 0 100 1", preserveAspectRatio: "none" },
    window.thaw.svg("line", { x1: from, y1: 1, x2: to, y2: 0, "vector-effect": "non-scaling-stroke" }));

  function profileTable(profile, layers) {
    const names = Array.from({ length: layers + 1 }, (_, k) => k ? `layer ${k}` : "embeddings");
    return h("details", { class: "as-table" }, h("summary", {}, "As a table"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores by layer" },
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Layer"), profile.tasks.map((task) => h("th", { scope: "col" }, words(task.name), `, ${task.metric}`)))),
        h("tbody", {}, names.map((name, k) => h("tr", {}, h("th", { scope: "row" }, name), profile.tasks.map((task) => {
          const [mean, low, high] = task.scores[k];
          return h("td", {}, k === task.best ? h("b", {}, number(mean, 3)) : number(mean, 3), ` (${number(low, 3)}–${number(high, 3)})`);
        })))))));
  }

  /* ---- the strip, the readers and the panels, aligned row by row */
  function along(strip, profile, on) {
    const parts = window.thaw.stripParts(strip, (part) => on.draw({ part }));
    const onRead = (read) => on.draw({ read });
    const panels = profile ? profile.tasks.map((task) => panel(task, strip, onRead)) : [];
    const host = h("div", { class: `along${strip.layers > 12 ? " deep" : ""}`, style: { "--panels": String(Math.max(1, panels.length)) } },
      h("div", { class: "layer-strip", role: "group", "aria-label": `Layer strip: ${strip.title}` }, parts.heads, parts.pooling, parts.layers),
      h("div", { class: "read-column" }, h("span", { class: "soft", "aria-hidden": "true" }, "read"), readers(strip, onRead)),
      panels.length > 0 && h("div", { class: "panels-scroll", tabindex: "0", role: "group", "aria-label": `Layer profile. ${profile.lead}` },
        panels.map((each) => h("div", { class: "panel-column" }, each.title, each.body, each.axis))));
    window.thaw.startWalking(host);
    host.addEventListener("mouseover", (e) => light(host, e.target.closest("[data-k]")));
    host.addEventListener("mouseleave", () => light(host, null));
    return host;
  }

  function light(host, at) {
    for (const each of host.querySelectorAll("[data-k].lit")) each.classList.remove("lit");
    if (at) for (const each of host.querySelectorAll(`[data-k="${at.dataset.k}"]`)) each.classList.add("lit");
  }

  function typed(strip, on) {
    const field = h("input", { type: "text", maxlength: 200, spellcheck: "false", autocapitalize: "off", "aria-label": "Name of the strategy, as the command line takes it" });
    field.value = strip.name;
    let sent = strip.name;  // Enter is a change too: it is asked once
    const go = () => {
      const name = field.value.trim();
      if (!name || name === sent) return;
      sent = name;
      on.draw({ name });
    };
    field.addEventListener("keydown", (e) => e.key === "Enter" && go());
    field.addEventListener("change", go);
    return h("label", { class: "strategy-name" }, h("span", { class: "soft" }, "Name"), field);
  }

  function stripCard(view, on) {
    const { strip, profile } = view;
    const added = view.chosen.includes(strip.name);
    const extra = h("div", { class: "ways", role: "group", "aria-label": "Or have the heads read" }, EXTRA.map(([read, label]) =>
      h("button", { type: "button", "data-read": read, "aria-pressed": String(strip.read === read), onclick: () => on.draw({ read: strip.read === read ? strip.layers : read }) }, label)));
    return h("section", { class: "card strip-card" },
      h("div", { class: "bar" }, h("h3", {}, "Strategy: ", words(strip.title.charAt(0).toLowerCase() + strip.title.slice(1))), typed(strip, on)),
      along(strip, profile, on),
      h("div", { class: "strip-foot" },
        h("div", {}, window.thaw.stripLegend(), h("p", { class: "soft" }, "Click a block to freeze or thaw it, and a place under “read” to have the heads read there. Arrow keys walk, space changes.")),
        h("div", { class: "reads" }, h("span", { class: "soft" }, "Or read"), extra)),
      h("p", { class: "told", role: "status" }, strip.said ? h("span", { class: "warn" }, h("span", { "aria-hidden": "true" }, "⚠ "), words(strip.said)) : [h("span", {}, strip.does), " ", h("span", { class: "soft" }, strip.told)]),
      h("div", { class: "apply" }, h("button", { type: "button", class: "thaw-button", "data-add": "", disabled: added, onclick: () => on.choose({ add: strip.name }) },
        added ? "✓ in the comparison" : "Add to the comparison")));
  }

  function profileAnswer(profile) {
    return h("section", { class: "card known", "aria-live": "polite" },
      h("p", { class: "big" }, h("b", {}, "Where is what you need known? "), words(profile.lead)),
      h("ul", { class: "soft plain" }, profile.tasks.map((task) => h("li", {}, words(task.told)))),
      h("p", { class: "soft fine" }, profile.notes.map((note) => [words(note), " "]), profile.more > 0 && `${profile.more} more tasks are not drawn.`));
  }

  function drawStrip(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    const focused = document.activeElement && host.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && ["part", "read", "add"].find((name) => focused.dataset[name] !== undefined);
    const selector = !focused ? null : key ? `[data-${key}="${CSS.escape(focused.dataset[key])}"]` : focused.matches(".reader") ? `.reader[data-k="${focused.dataset.k}"]` : null;
    const open = host.querySelector("details")?.open, left = host.querySelector(".panels-scroll")?.scrollLeft;
    host.replaceChildren(...[view.profile && profileAnswer(view.profile), stripCard(view, on)].filter(Boolean));
    if (view.profile) host.querySelector(".strip-card").append(profileTable(view.profile, view.strip.layers));
    if (open) host.querySelector("details").open = true;
    if (left) host.querySelector(".panels-scroll").scrollLeft = left;
    if (selector) host.querySelector(selector)?.focus({ preventScroll: true });
  }

  /* ---- the cards */
  function card(offer, chosen, on) {
    const added = chosen.includes(offer.name);
    return h("li", { class: "strategy" },
      h("div", { class: "bar" }, h("h4", {}, words(offer.title)), window.thaw.dots(offer.parts)),
      h("p", {}, offer.does),
      h("dl", {}, ["good", "bad", "when"].map((what) => [h("dt", {}, { good: "For", bad: "Against", when: "When" }[what]), h("dd", {}, offer[what])])),
      h("p", { class: "soft fine" }, h("code", {}, words(offer.pattern)), " · ", offer.source),
      h("div", { class: "apply" },
        h("button", { type: "button", class: "thaw-button", "aria-label": `Draw ${offer.name} on the strip`, onclick: () => on.draw({ name: offer.name }) }, "Draw it"),
        h("button", { type: "button", class: "thaw-button", "aria-pressed": String(added), "aria-label": `${added ? "Leave out" : "Compare"} ${offer.name}`,
          onclick: () => on.choose(added ? { remove: offer.name } : { add: offer.name }) }, added ? "✓ Compared" : "Compare it")));
  }

  function chosenList(view, on) {
    return h("ul", { class: "chosen-list" }, view.chosen.map((each) => h("li", {},
      h("button", { type: "button", class: "see-strategy", "aria-label": `Draw ${each.name} on the strip`, title: each.title, onclick: () => on.draw({ name: each.name }) },
        window.thaw.dots(each.parts), h("code", {}, words(each.name))),
      h("button", { type: "button", class: "leave-out", "aria-label": `Leave out ${each.name}`, onclick: () => on.choose({ remove: each.name }) }, h("span", { "aria-hidden": "true" }, "×")))));
  }

  function drawCards(host, given, on) {
    const view = JSON.parse(JSON.stringify(given));
    const label = host.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    const names = view.chosen.map((each) => each.name);
    const open = host.querySelector("details")?.open;
    host.replaceChildren(h("section", { class: "card strategies" },
      h("div", { class: "bar" }, h("h3", {}, `To compare: ${names.length} strateg${names.length === 1 ? "y" : "ies"}`),
        h("button", { type: "button", class: "link", onclick: () => on.choose({ reset: true }) }, "The default set")),
      names.length ? chosenList(view, on) : h("p", { class: "soft" }, "None yet: add one drawn on the strip, or one of these."),
      h("details", { class: "every-strategy", open }, h("summary", {}, `All ${view.offers.length} kinds of strategy, what speaks for each and when to use it`),
        h("ul", { class: "strategy-cards" }, view.offers.map((offer) => card(offer, names, on))))));
    if (label) {
      const twin = label.startsWith("Leave out ") ? label.replace("Leave out", "Compare") : label.replace("Compare", "Leave out");
      const all = [...host.querySelectorAll("[aria-label]")];
      (all.find((e) => e.getAttribute("aria-label") === label) || all.find((e) => e.getAttribute("aria-label") === twin))?.focus({ preventScroll: true });
    }
  }

  Object.assign(window.thaw, {
    freezeStrip: (element, props, watch, on) => window.thaw.keep(element, props, watch, (host, view) => drawStrip(host, view, on)),
    strategies: (element, props, watch, on) => window.thaw.keep(element, props, watch, (host, view) => drawCards(host, view, on)),
  });
})();
