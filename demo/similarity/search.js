/* The hits of a search, as bars. */
(() => {
  const { h, words, number } = window.thaw;

  /* A cosine has a scale of its own; any other measure is drawn between its own ends. */
  function lengths(view) {
    if (view.metric === "cosine") return (score) => Math.min(1, Math.abs(score));
    const scores = view.hits.map((hit) => hit.score);
    const low = Math.min(...scores), width = Math.max(...scores) - low || 1;
    return (score) => 0.05 + 0.95 * (score - low) / width;
  }

  function draw(host, view) {
    if (!view.hits) {
      host.replaceChildren(h("p", { class: "empty" }, view.empty));
      return;
    }
    const length = lengths(view);
    host.replaceChildren(
      h("p", { class: "found", "aria-live": "polite" }, h("b", {}, view.lead), " ", view.rest),
      h("ol", { class: "hits" }, view.hits.map((hit) => h("li", {},
        h("span", { class: "score" }, number(hit.score, 2)),
        h("span", { class: "text" }, words(hit.text), h("span", { class: "soft" }, ` ${hit.index + 1}`),
          h("i", { class: view.metric === "cosine" && hit.score < 0 ? "meter negative" : "meter",
                   "aria-hidden": "true", style: { "--v": length(hit.score).toFixed(3) } }))))));
  }

  window.thaw.hits = (element, props, watch) => window.thaw.keep(element, props, watch, draw);
})();
