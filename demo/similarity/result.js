/* The answer of Compare: one sentence, the matrix (or two and their difference), ranked pairs,
   hits. */
(() => {
  const { h, words, number, count, warn, keep } = window.thaw;
  const PAIRS_AT_FIRST = 8;
  const PAIRS_MORE = 100;

  function answer(view) {
    return h("section", { class: "card answer", "aria-live": "polite" },
      h("p", { class: "big" }, h("b", {}, view.answer.lead), " ", view.answer.rest),
      view.answer.notes.map((note) => h("p", { class: "soft" }, note)),
      view.answer.warnings.map((note) => warn(note)));
  }

  function pairsOf(view) {
    const pairs = [];
    view.matrix.forEach((row, i) => row.forEach((score, j) => i < j &&
      pairs.push({ i, j, score })));
    return pairs.sort((a, b) => b.score - a.score);
  }

  function meter(view, score) {
    if (view.metric !== "cosine") return null;
    return h("i", { class: score < 0 ? "meter negative" : "meter", "aria-hidden": "true",
                    style: { "--v": Math.min(1, Math.abs(score)).toFixed(3) } });
  }

  function pairRow(view, pair, rank, onPick) {
    const { i, j, score } = pair;
    const change = view.second ? view.second.matrix[i][j] - score : 0;
    return h("tr", { "data-pair": `${i}-${j}`, onclick: () => onPick(i, j) },
      h("td", { class: "rank" }, rank),
      h("td", { class: "score" }, h("span", {}, number(score, 2)), meter(view, score)),
      view.second && h("td", { class: "score" }, number(view.second.matrix[i][j], 2)),
      view.second && h("td", { class: change < 0 ? "score down" : "score up" },
        change < 0 ? "▼ " : "▲ ", number(change, 2, true)),
      h("td", { class: "who" }, h("button", {
        type: "button", "aria-label": `Words of ${i + 1} and ${j + 1}`,
        onclick: (e) => { e.stopPropagation(); onPick(i, j); },
      }, `${i + 1} – ${j + 1}`)),
      h("td", { class: "texts" }, words(view.sentences[i], "clip"),
        words(view.sentences[j], "clip")));
  }

  function pairList(view, onPick) {
    const pairs = pairsOf(view);
    let order = "most", listed = PAIRS_AT_FIRST;
    const body = h("tbody", {});
    const more = h("button", { type: "button", class: "link", onclick: () => { listed += PAIRS_MORE;
      draw(); } });
    const ways = ["most", "least", ...(view.second ? ["changed"] : [])].map((way) =>
      h("button", { type: "button", "data-way": way, onclick: () => { order = way; draw(); } },
        way === "changed" ? "Most changed" : `${way === "most" ? "Most" : "Least"} alike`));
    const change = (p) => view.second ? Math.abs(view.second.matrix[p.i][p.j] - p.score) : 0;
    function draw() {
      const rank = new Map(pairs.map((pair, k) => [pair, k + 1]));
      const sorted = order === "least" ? [...pairs].reverse()
        : order === "changed" ? [...pairs].sort((a, b) => change(b) - change(a)) : pairs;
      body.replaceChildren(...sorted.slice(0, listed).map((p) => pairRow(view, p, rank.get(p),
        onPick)));
      const left = pairs.length - listed;
      more.hidden = left <= 0;
      more.textContent = `Show ${count(Math.min(left, PAIRS_MORE))} more of ${count(pairs.length)}`;
      for (const way of ways) way.setAttribute("aria-pressed", String(way.dataset.way === order));
    }
    draw();
    const head = ["Rank", "Score", ...(view.second ? ["Second", "Change"] : []), "Pair",
      "Sentences"];
    return h("div", { class: "pairs" },
      h("div", { class: "bar" }, h("h3", {}, "Pairs, ranked"),
        pairs.length > 2 && h("div",
          { class: "ways", role: "group", "aria-label": "Order of the pairs" }, ways)),
      h("table", { class: "ranked" }, h("caption", { class: "hidden-text" },
        "Pairs of sentences, ranked"),
        h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), body),
      more);
  }

  function sentenceList(view) {
    return h("ol", { class: "sentences" }, view.sentences.map((text, i) =>
      h("li", {}, words(text), view.truncated[i] && h("span", { class: "cut" },
        " cut at the end"))));
  }

  function matrices(view, onPick) {
    const host = h("div", { class: "matrices" });
    const common = { sentences: view.sentences, scale: view.scale };
    const grids = [];
    const add = (picture, side) =>
      grids.push([side, window.thaw.figure(host, { ...common, ...picture },
        (i, j) => onPick(i, j, side))]);
    if (!view.second) {
      add({ matrix: view.matrix, name: `Similarity of ${view.sentences.length} sentences`,
            numbersOnly: window.innerWidth < 620 }, "first");
    } else {
      host.classList.add("three");
      host.style.setProperty("--figure", `${Math.max(230, 32 * view.sentences.length + 40)}px`);
      add({ matrix: view.matrix, title: view.label, name: view.label, numbersOnly: true }, "first");
      add({ matrix: view.second.matrix, title: view.second.label, name: view.second.label,
            numbersOnly: true }, "second");
      add({ matrix: view.second.difference, scale: "difference", numbersOnly: true,
            title: "Second minus first", name: "Difference, second minus first",
            hint: "Hatched: less alike in the second." }, "second");
    }
    return { host, grids };
  }

  function draw(host, view, pick) {
    const n = view.sentences.length;
    let grids = [];
    const choose = (i, j, side) => {
      for (const [, grid] of grids) grid.pick(i, j);
      for (const row of host.querySelectorAll("tr[data-pair]"))
        row.classList.toggle("pick", row.dataset.pair === `${Math.min(i, j)}-${Math.max(i, j)}`);
      if (side) pick({ a: i, b: j, side });
    };
    const onPick = (i, j, side) => choose(i, j, side || "first");
    const made = matrices(view, onPick);
    grids = made.grids;
    const alone = view.second || n > 6;
    const listed = view.second || window.innerWidth < 620 || n > 24;
    host.replaceChildren(answer(view),
      h("section", { class: alone ? "card result" : "card result beside" },
      h("div", {}, listed && n <= 40 && sentenceList(view), made.host), pairList(view, onPick)));
    choose(...view.pick);
    if (view.share) window.thaw.share(view.share);
  }

  /* ---- the hits of a search, as bars */
  /* A cosine has a scale of its own; any other measure is drawn between its own ends. */
  function lengths(view) {
    if (view.metric === "cosine") return (score) => Math.min(1, Math.abs(score));
    const scores = view.hits.map((hit) => hit.score);
    const low = Math.min(...scores), width = Math.max(...scores) - low || 1;
    return (score) => 0.05 + 0.95 * (score - low) / width;
  }

  function drawHits(host, view) {
    if (!view.hits) {
      host.replaceChildren(h("p", { class: "empty" }, view.empty));
      return;
    }
    const length = lengths(view);
    host.replaceChildren(
      h("p", { class: "found", "aria-live": "polite" }, h("b", {}, view.lead), " ", view.rest),
      h("ol", { class: "hits" }, view.hits.map((hit) => h("li", {},
        h("span", { class: "score" }, number(hit.score, 2)),
        h("span", { class: "text" }, words(hit.text),
          h("span", { class: "soft" }, ` ${hit.index + 1}`),
          h("i", { class: view.metric === "cosine" && hit.score < 0 ? "meter negative" : "meter",
                   "aria-hidden": "true", style: { "--v": length(hit.score).toFixed(3) } }))))));
  }
  Object.assign(window.thaw, {
    result: (element, props, watch, pick) => keep(element, props, watch,
      (host, view) => draw(host, view, pick)),
    hits: (element, props, watch) => keep(element, props, watch, drawHits),
  });
})();
