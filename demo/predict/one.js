/* What a model says of one sentence: the answer in words, entities in place, bars, which words. */
(() => {
  const { h, words, number, percent, title, look, calm, warn, keep } = window.thaw;
  const MOST_BARS = 8;
  const NUMBERED = 5;

  /* Below which confidence all is unsure; null leaves it to each task's own threshold. */
  let below = null;
  const threshold = (task) => below === null ? task.threshold : below;
  function unsureBelow(value) {
    below = value;
    document.dispatchEvent(new Event("thaw:threshold"));
  }
  /* `start` draws a new value and returns what draws it again when the threshold moves. */
  function keepUnsure(element, props, watch, start) {
    let again = () => {};
    keep(element, props, watch, (host, view) => { again = start(host, view); });
    document.addEventListener("thaw:threshold", () => again());
  }

  const about = (value) => value >= 0.995 ? "over 99 %" : value < 0.005 ?
    "under 1 %" : `${Math.round(100 * value)} %`;
  const lookOf = (task, label) => look(task.labels.indexOf(label));
  const unsureMark = () => h("span", { class: "unsure-mark" }, h("span", { "aria-hidden": "true" },
    "? "), "unsure");
  const ranked = (task) => task.scores.map((score, k) => ({ label: task.labels[k], k, score }))
    .sort((a, b) => b.score - a.score);

  function sentenceAnswer(task) {
    const [best, next] = ranked(task);
    if (best.score >= threshold(task))
      return h("span", { class: "said" }, `${title(task.name)}: `, h("b", {}, words(best.label)),
        ` (${about(best.score)}). `);
    return h("span", { class: "said" }, `${title(task.name)}: `, unsureMark(), ", ",
      h("b", {}, words(best.label)),
      ` (${about(best.score)})`, next && [" or ", words(next.label), ` (${about(next.score)})`],
        ". ");
  }

  function tokenAnswer(task) {
    const found = task.pieces.filter((piece) => piece.label);
    if (!found.length) return h("span", { class: "said" }, `${title(task.name)}: none.`);
    return h("span", { class: "said" }, `${title(task.name)}: `, found.map((piece, k) => [
      k ? ", " : "", h("b", {}, words(piece.text)), ` (`, words(piece.label),
      piece.confidence < threshold(task) ? [", ", unsureMark()] : "", ")"]), ".");
  }

  function answer(view) {
    const some = view.title && h("p", { class: "which" }, h("b", {}, view.title), " ",
      words(view.text));
    return h("section", { class: view.title ? "card answer picked" : "card answer",
      "aria-live": "polite" }, some,
      h("p", { class: "big" }, view.tasks.map((task) =>
        task.kind === "token" ? tokenAnswer(task) : sentenceAnswer(task))),
      view.notes.map((note) => h("p", { class: "soft" }, note)),
      view.warnings.map((note) => warn(note)));
  }

  const heading = (task) => h("div", { class: "bar" }, h("h3", {}, title(task.name)),
    h("span", { class: "soft" }, task.read));

  function entities(task) {
    const found = task.pieces.some((piece) => piece.label);
    return h("section", { class: "card entities" }, heading(task),
      h("p", { class: "marked" }, task.pieces.map((piece) => {
        if (!piece.label) return words(piece.text);
        const unsure = piece.confidence < threshold(task);
        return h("span", { class: `entity ${lookOf(task, piece.label)}${unsure ? " unsure" : ""}` },
          words(piece.text),
          h("span", { class: "tag" }, " ", words(piece.label),
            ` ${unsure ? "? " : ""}${about(piece.confidence)}`,
            unsure && h("span", { class: "hidden-text" }, " unsure")));
      })),
      h("p", { class: "soft" },
        found ? "The number is the probability of an entity's least certain piece. "
        : `Nothing is marked: no ${task.labels.join(", ")} was found. `,
        task.pieces.some((piece) => piece.label && piece.confidence < threshold(task))
          && "Dashed and with a question mark: unsure."));
  }

  function barRow(task, { label, k, score }, top, chosen, choose) {
    const unsure = top && score < threshold(task);
    return h("li", {}, h("button", {
      type: "button", class: `prob${top ? " top" : ""}${unsure ? " unsure" : ""}`,
        "data-label": label,
      "aria-pressed": task.words.length ? String(k === chosen) : null, disabled: !task.words.length,
      onclick: () => choose(k),
    }, h("span", { class: "name" }, words(label), unsure && [" ", unsureMark()]),
      h("span", { class: "track", "aria-hidden": "true", style: { "--v": score.toFixed(4),
        "--t": threshold(task).toFixed(4) } },
        h("i", { class: "filled" }), top && threshold(task) > 0 && h("i", { class: "line" })),
      h("span", { class: "share" }, percent(score))));
  }

  function bars(task, chosen, choose, all, showAll) {
    const rows = ranked(task);
    const shown = all ? rows : rows.slice(0, MOST_BARS);
    const own = below === null ? "this task's own line" : "the line set above";
    return [
      h("ul", { class: "probs", "aria-label": `Probabilities of ${task.name}` },
        shown.map((row) => barRow(task, row, row === rows[0], chosen, choose))),
      rows.length > shown.length && h("button", { type: "button", class: "link", onclick: showAll },
        `Show ${rows.length - shown.length} more labels`),
      threshold(task) > 0 && h("p", { class: "soft fine" },
        `Unsure below ${about(threshold(task))}, ${own}.`)];
  }

  /* The sentence tinted by what each word adds to one label's score; arrow keys walk the words. */
  function pushed(task, chosen) {
    const values = task.words.map((word) => word.adds[chosen]);
    const most = Math.max(...values.map(Math.abs), 1e-9);
    const strong = new Set(values.map((v, k) => [Math.abs(v), k]).sort((a, b) => b[0] - a[0])
      .slice(0, NUMBERED).map(([, k]) => k));
    const readout = h("p", { class: "readout", "aria-hidden": "true" });
    const tell = (k) => readout.replaceChildren(words(task.words[k].text), " adds ",
      h("b", {}, number(values[k], 2, true)), ` to the score of `, words(task.labels[chosen]));
    const rest = () => readout.replaceChildren(h("span", { class: "soft" },
      "Point at a word, or walk with the arrow keys."));
    const list = h("ol", { class: "pushed",
      "aria-label": `Words and what each adds to ${task.labels[chosen]}` },
      task.words.map((word, k) => h("li", {}, h("span", {
        class: `push${values[k] < 0 ? " negative" : ""}${strong.has(k) ? " strong" : ""}`,
          role: "img", "data-k": k, tabindex: k ? "-1" : "0",
        "aria-label": `${word.text}: ${number(values[k], 2, true)}`,
          style: { "--v": (Math.abs(values[k]) / most).toFixed(3) },
      }, words(word.text), strong.has(k) && h("small", {}, number(values[k], 2, true))),
        word.after)));
    const at = (event) => event.target.closest("[data-k]");
    list.addEventListener("mouseover", (e) => at(e) && tell(Number(at(e).dataset.k)));
    list.addEventListener("mouseleave", rest);
    list.addEventListener("focusin", (e) => at(e) && tell(Number(at(e).dataset.k)));
    list.addEventListener("focusout", rest);
    list.addEventListener("keydown", (e) => walk(e, list, at(e)));
    rest();
    return [list, readout, meaning(task, chosen), asTable(task, values)];
  }

  const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity,
    End: Infinity };
  function walk(event, list, from) {
    if (!from || STEPS[event.key] === undefined) return;
    event.preventDefault();
    const all = list.querySelectorAll("[data-k]");
    const to = all[Math.max(0, Math.min(all.length - 1, Number(from.dataset.k) +
      STEPS[event.key]))];
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  function meaning(task, chosen) {
    const [sum, special, bias] = [task.sums[chosen], task.special[chosen], task.bias[chosen]];
    return h("p", { class: "soft fine" },
      `The words add ${number(sum, 2, true)}, the start and end marks ${number(special, 2, true)} and the head `
      + `itself ${number(bias, 2, true)}: together exactly the score ${number(sum + special + bias, 2, true)}, from which the probability is made. `
      + "What is read at a word has taken in its neighbours, so a number is not what would change without the word.");
  }

  const asTable = (task, values) => h("details", { class: "as-table" },
    h("summary", {}, "As a table"),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Word"),
      h("th", { scope: "col" }, "Adds"))),
      h("tbody", {}, task.words.map((word, k) =>
        h("tr", {}, h("th", { scope: "row" }, words(word.text)),
        h("td", {}, number(values[k], 3, true)))))));

  function sentenceTask(task, state) {
    const host = h("section", { class: "card task", "data-task": task.name });
    const chosen = () => state.chosen[task.name] ?? ranked(task)[0].k;
    function draw(focus) {
      const open = host.querySelector("details")?.open;
      const choose = (k) => { state.chosen[task.name] = k; draw(task.labels[k]); };
      host.replaceChildren(heading(task),
        ...bars(task, chosen(), choose, state.all[task.name], () => { state.all[task.name] = true;
          draw(); }).flat().filter(Boolean),
        h("h4", {}, task.words.length ? ["Which words speak for ",
          h("b", {}, words(task.labels[chosen()]))] : "Which words"),
        ...(task.words.length ? pushed(task, chosen())
          : [h("p", { class: "soft" },
            `Cannot be told here: ${task.reason || "there is no word in it"}.`)]));
      if (open) host.querySelector("details").open = true;
      if (focus !== undefined) [...host.querySelectorAll(".prob")].find((b) =>
        b.dataset.label === focus)?.focus();
    }
    draw();
    return host;
  }

  function prediction(element, props, watch) {
    keepUnsure(element, props, watch, (host, view) => {
      const state = { chosen: {}, all: {} };
      const draw = () => host.replaceChildren(answer(view),
        ...view.tasks.filter((task) => task.kind === "token").map(entities),
        h("div", { class: "task-cards" },
          view.tasks.filter((task) => task.kind !== "token").map((task) => sentenceTask(task,
            state))));
      draw();
      if (view.share) window.thaw.share(view.share);
      if (view.opened) bringUp(host);
      return draw;
    });
  }

  function bringUp(host) {
    if (host.getBoundingClientRect().top < window.innerHeight - 160) return;
    host.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "start" });
  }

  Object.assign(window.thaw, { prediction, unsureBelow, keepUnsure, threshold, about, lookOf,
    unsureMark });
})();
