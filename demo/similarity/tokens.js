/* Which words made a similarity: two columns of words linked by what they share, beside the table.
   */
(() => {
  const { h, svg, words, number, short } = window.thaw;
  const ROW = 32;
  const MOST_LINKS = 14;
  const MOST_WORDS = 40;

  function linksOf(view, count = MOST_LINKS) {
    const all = [];
    view.table.forEach((row, i) => row.forEach((value, j) => all.push({ i, j, value })));
    const most = Math.max(...all.map((link) => Math.abs(link.value)), 1e-9);
    const strong = all.filter((link) => count > MOST_LINKS || Math.abs(link.value) > 0.25 * most);
    strong.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    return { most, strong: strong.slice(0, count) };
  }

  function links(view, most, strong) {
    const height = ROW * Math.max(view.a.length, view.b.length);
    const y = (k, n) => (k + 0.5) * height / n;
    const lines = strong.slice().reverse().map(({ i, j, value }) => {
      const soft = view.a[i].special || view.b[j].special;
      const [from, to] = [y(i, view.a.length), y(j, view.b.length)];
      return svg("path", {
        d: `M0 ${from} C 50 ${from}, 50 ${to}, 100 ${to}`, "data-i": i, "data-j": j,
        class: `link${soft ? " soft" : ""}${value < 0 ? " negative" : ""}`,
        style: { "--v": (Math.abs(value) / most).toFixed(3) },
          "vector-effect": "non-scaling-stroke",
      });
    });
    return svg("svg", { viewBox: `0 0 100 ${height}`, height, preserveAspectRatio: "none",
                        "aria-hidden": "true", class: "links" }, lines);
  }

  const chip = (word, side, k) =>
    h("li", { class: word.special ? "word special" : "word", [`data-${side}`]: k },
      words(word.text));

  function aligned(view, most, strong) {
    return h("div", { class: "aligned", style: { "--row": `${ROW}px` } },
      h("ul", { "aria-label": `Words of sentence ${view.first + 1}` },
        view.a.map((w, k) => chip(w, "i", k))),
      links(view, most, strong),
      h("ul", { "aria-label": `Words of sentence ${view.second + 1}` },
        view.b.map((w, k) => chip(w, "j", k))));
  }

  const heading = (word, side, k, scope) => h("th", { scope, class: word.special ? "special" : "",
    [`data-${side}`]: k },
    words(word.text));

  function wordTable(view, most) {
    const digits = view.exact ? 3 : 2;
    return h("div", { class: "scroll", tabindex: "0", role: "region",
      "aria-label": "Word by word table" },
      h("table", { class: "heat words" },
        h("caption", { class: "hidden-text" }, view.title),
        h("thead", {}, h("tr", {}, h("td", {}), view.b.map((w, j) => heading(w, "j", j, "col")))),
        h("tbody", {}, view.table.map((row, i) => h("tr", {}, heading(view.a[i], "i", i, "row"),
          row.map((value, j) => h("td", {
            "data-i": i, "data-j": j, class: value < -0.0005 ? "negative" : "",
            style: { "--v": (Math.abs(value) / most).toFixed(3) },
          }, short(number(value, digits)))))))));
  }

  function strongest(view, strong) {
    const between = strong.filter(({ i, j }) => !view.a[i].special && !view.b[j].special);
    return h("ol", { class: "strongest" }, between.slice(0, 12).map(({ i, j, value }) => h("li", {},
      words(view.a[i].text), " and ", words(view.b[j].text), " ", h("b", {}, number(value, 3)))));
  }

  /* Pointing at a word or a cell lights up everything it is part of. */
  function light(host) {
    host.onmouseover = (event) => {
      const seen = event.target.closest("[data-i],[data-j]");
      const { i, j } = seen ? seen.dataset : {};
      for (const node of host.querySelectorAll("[data-i],[data-j]")) {
        const mine = seen && (node.dataset.i === undefined || i === undefined ||
          node.dataset.i === i)
          && (node.dataset.j === undefined || j === undefined || node.dataset.j === j);
        const same = mine && !(node.dataset.i !== undefined && i === undefined &&
          node.dataset.j === undefined)
          && !(node.dataset.j !== undefined && j === undefined && node.dataset.i === undefined);
        node.classList.toggle("lit", Boolean(same));
      }
      host.classList.toggle("lighting", Boolean(seen));
    };
    host.onmouseleave = () => host.onmouseover({ target: host });
  }

  function draw(host, view) {
    const { most, strong } = linksOf(view);
    const all = linksOf(view, 400).strong;
    const small = view.a.length <= MOST_WORDS && view.b.length <= MOST_WORDS;
    host.replaceChildren(h("section", { class: "card tokens" },
      h("h3", {}, view.title), h("p", { class: "pair" },
        h("span", {}, h("b", {}, view.first + 1), " ", words(view.texts[0], "clip")),
        h("span", {}, h("b", {}, view.second + 1), " ", words(view.texts[1], "clip"))),
      small ? h("div", { class: view.b.length > 10 ? "two wide" : "two" },
        aligned(view, most, strong), wordTable(view, most))
            : [h("p", { class: "soft" },
              `Too many words for the picture (${view.a.length} and ${view.b.length}): the strongest pairs of words.`),
               strongest(view, all)],
      h("p", { class: "sum" }, view.sum),
        view.notes.map((note) => h("p", { class: "soft" }, note))));
    light(host);
  }

  window.thaw.tokens = (element, props, watch) => window.thaw.keep(element, props, watch, draw);
})();
