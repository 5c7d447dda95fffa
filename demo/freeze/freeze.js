/* Freeze: the strip with the layer profile along it, and the strategies to choose from. */
(() => {
  const { h, words, number } = window.thaw;

  /* ---- the profile, one panel a task, each layer beside its block */
  function panel(task, view, onRead) {
    const [low, high] = task.range;
    const at = (score) => 100 * (score - low) / (high - low);
    const layers = task.scores.length, step = high - low > 0.55 ? 0.2 : 0.1;
    const ticks = [];
    for (let tick = Math.ceil(low / step - 1e-6) * step; tick <= high + 1e-6;
      tick += step) ticks.push(tick);
    const rows = task.scores.map(([mean, from, to], k) =>
      h("div", { class: `scored${k === task.best ? " best" : ""}${view.readOf[task.name] === k ? " read" : ""}`, "data-k": k,
      title: `${k ? `layer ${k}` : "embeddings"}: ${number(mean, 3)} (${number(from, 3)} to ${number(to, 3)})`, onclick: () => onRead(k) },
      h("span", { class: "plot" },
        ticks.map((tick) => h("s", { style: { left: `${at(tick)}%` } })),
        k + 1 < layers && joint(at(mean), at(task.scores[k + 1][0])),
        h("i", { class: "whisker",
          style: { left: `${at(from)}%`, width: `${at(to) - at(from)}%` } }),
        h("i", { class: "dot", style: { left: `${at(mean)}%` } })),
      h("span", { class: "mean" }, window.thaw.short(number(mean, 2))))).reverse();
    return {
      title: h("div", { class: "panel-title" }, h("b", {}, words(task.name, "clip")),
        h("span", { class: "soft" }, task.metric)),
      body: h("div", { class: "panel strip-layers", "aria-hidden": "true" }, rows),
      axis: h("div", { class: "panel-axis soft", "aria-hidden": "true" },
        h("span", { class: "plot" },
        ticks.map((tick) => h("span", { style: { left: `${at(tick)}%` } },
          window.thaw.short(number(tick, 1)))))),
    };
  }

  /* The line from a layer's dot to that of the layer above. */
  const joint = (from, to) => window.thaw.svg("svg", { class: "joint", viewBox: "0 0 100 1",
    preserveAspectRatio: "none" },
    window.thaw.svg("line", { x1: from, y1: 1, x2: to, y2: 0,
      "vector-effect": "non-scaling-stroke" }));

  function panelsOf(profile, strip, on) {
    const panels = profile.tasks.map((task) => panel(task, strip, (read) => on.draw({ read })));
    return panels.length > 0 && h("div", { class: "panels-scroll", tabindex: "0", role: "group",
      "aria-label": `Layer profile. ${profile.lead}` },
      panels.map((each) => h("div", { class: "panel-column" }, each.title, each.body, each.axis)));
  }

  function profileTable(profile, layers) {
    const names = Array.from({ length: layers + 1 }, (_, k) => k ? `layer ${k}` : "embeddings");
    return h("details", { class: "as-table" }, h("summary", {}, "As a table"),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores by layer" },
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Layer"),
        profile.tasks.map((task) => h("th", { scope: "col" }, words(task.name),
        `, ${task.metric}`)))),
        h("tbody", {}, names.map((name, k) => h("tr", {}, h("th", { scope: "row" }, name),
          profile.tasks.map((task) => {
          const [mean, low, high] = task.scores[k];
          return h("td", {}, k === task.best ? h("b", {}, number(mean, 3)) : number(mean, 3),
            ` (${number(low, 3)}–${number(high, 3)})`);
        })))))));
  }

  function typed(strip, on) {
    const field = h("input", { type: "text", maxlength: 200, spellcheck: "false",
      autocapitalize: "off", "aria-label": "Name of the strategy, as the command line takes it" });
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
    return h("section", { class: "card strip-card" },
      h("div", { class: "bar" },
        h("h3", {}, "Strategy: ",
        words(strip.title.charAt(0).toLowerCase() + strip.title.slice(1))), typed(strip, on)),
      window.thaw.along(strip, on, profile && panelsOf(profile, strip, on)),
      window.thaw.stripFoot(strip, on),
      h("p", { class: "told", role: "status" }, strip.said ? window.thaw.refusal(strip) :
        [h("span", {}, strip.does), " ", h("span", { class: "soft" }, strip.told)]),
      h("div", { class: "apply" },
        h("button", { type: "button", class: "thaw-button", "data-add": "", disabled: added,
        onclick: () => on.choose({ add: strip.name }) },
        added ? "✓ in the comparison" : "Add to the comparison")));
  }

  function profileAnswer(profile) {
    return h("section", { class: "card known", "aria-live": "polite" },
      h("p", { class: "big" }, h("b", {}, "Where is what you need known? "), words(profile.lead)),
      h("ul", { class: "soft plain" }, profile.tasks.map((task) => h("li", {}, words(task.told)))),
      h("p", { class: "soft fine" }, profile.notes.map((note) => [words(note), " "]),
        profile.more > 0 && `${profile.more} more tasks are not drawn.`));
  }

  function drawStrip(host, view, on) {
    const open = host.querySelector("details")?.open,
      left = host.querySelector(".panels-scroll")?.scrollLeft;
    window.thaw.refocused(host, () => {
      host.replaceChildren(...[view.profile && profileAnswer(view.profile),
        stripCard(view, on)].filter(Boolean));
      if (view.profile) host.querySelector(".strip-card").append(profileTable(view.profile,
        view.strip.layers));
      if (open) host.querySelector("details").open = true;
      if (left) host.querySelector(".panels-scroll").scrollLeft = left;
    });
  }

  /* ---- the cards */
  function card(offer, chosen, on) {
    const added = chosen.includes(offer.name);
    return h("li", { class: "strategy" },
      h("div", { class: "bar" }, h("h4", {}, words(offer.title)), window.thaw.dots(offer.parts)),
      window.thaw.strategyWords(offer),
      h("p", { class: "soft fine" }, h("code", {}, words(offer.pattern)), " · ", offer.source),
      h("div", { class: "apply" },
        h("button", { type: "button", class: "thaw-button",
          "aria-label": `Draw ${offer.name} on the strip`,
          onclick: () => on.draw({ name: offer.name }) }, "Draw it"),
        h("button", { type: "button", class: "thaw-button", "aria-pressed": String(added),
          "aria-label": `${added ? "Leave out" : "Compare"} ${offer.name}`,
          onclick: () => on.choose(added ? { remove: offer.name } : { add: offer.name }) },
            added ? "✓ Compared" : "Compare it")));
  }

  function chosenList(view, on) {
    return h("ul", { class: "chosen-list" }, view.chosen.map((each) => h("li", {},
      h("button", { type: "button", class: "see-strategy",
        "aria-label": `Draw ${each.name} on the strip`, title: each.title,
        onclick: () => on.draw({ name: each.name }) },
        window.thaw.dots(each.parts), h("code", {}, words(each.name))),
      h("button", { type: "button", class: "leave-out", "aria-label": `Leave out ${each.name}`,
        onclick: () => on.choose({ remove: each.name }) }, h("span", { "aria-hidden": "true" },
        "×")))));
  }

  function drawCards(host, view, on) {
    const label = host.contains(document.activeElement) ?
      document.activeElement.getAttribute("aria-label") : null;
    const names = view.chosen.map((each) => each.name);
    const open = host.querySelector("details")?.open;
    host.replaceChildren(h("section", { class: "card strategies" },
      h("div", { class: "bar" },
        h("h3", {}, `To compare: ${names.length} strateg${names.length === 1 ? "y" : "ies"}`),
        h("button", { type: "button", class: "link", onclick: () => on.choose({ reset: true }) },
          "The default set")),
      names.length ? chosenList(view, on) : h("p", { class: "soft" },
        "None yet: add one drawn on the strip, or one of these."),
      h("details", { class: "every-strategy", open },
        h("summary", {}, `All ${view.offers.length} kinds of strategy, what speaks for each and when to use it`),
        h("ul", { class: "strategy-cards" }, view.offers.map((offer) => card(offer, names, on))))));
    if (label) {
      const twin = label.startsWith("Leave out ") ? label.replace("Leave out", "Compare") :
        label.replace("Compare", "Leave out");
      const all = [...host.querySelectorAll("[aria-label]")];
      (all.find((e) => e.getAttribute("aria-label") === label) ||
        all.find((e) => e.getAttribute("aria-label") === twin))?.focus({ preventScroll: true });
    }
  }

  Object.assign(window.thaw, {
    freezeStrip: (element, props, watch, on) => window.thaw.keep(element, props, watch,
      (host, view) => drawStrip(host, view, on)),
    strategies: (element, props, watch, on) => window.thaw.keep(element, props, watch,
      (host, view) => drawCards(host, view, on)),
  });
})();
