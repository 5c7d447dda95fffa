/* Train: the strategy that is chosen, as a strip one can click, and its card. */
(() => {
  const { h, words } = window.thaw;

  function drawStrip(host, strip, on) {
    window.thaw.refocused(host, () => host.replaceChildren(
      h("section", { class: "choosing" }, h("h3", {}, "Ice is frozen, amber trains"),
        window.thaw.along(strip, on, null), window.thaw.stripFoot(strip, on),
        h("p", { class: "told", role: "status" }, strip.said ? window.thaw.refusal(strip) :
          h("span", { class: "soft" }, strip.told)))));
  }

  function drawCard(host, card) {
    host.replaceChildren(h("section", { class: "strategy chosen-strategy" },
      h("div", { class: "bar" }, h("h4", {}, words(card.title)), window.thaw.dots(card.parts)),
      window.thaw.strategyWords(card),
      h("p", { class: "soft fine" }, card.source)));
  }

  Object.assign(window.thaw, {
    choosingStrip: (element, props, watch, on) => window.thaw.keep(element, props, watch,
      (host, view) => drawStrip(host, view, on)),
    choosingCard: (element, props, watch) => window.thaw.keep(element, props, watch,
      (host, view) => drawCard(host, view)),
  });
})();
