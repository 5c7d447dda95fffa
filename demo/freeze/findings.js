/* What a comparison found, as tables: figures with their intervals, task by task, and further tables. */
(() => {
  const { h, words, number } = window.thaw;
  const percent = (x) => number(100 * x, 1);
  const points = (x) => number(100 * x, 1, true);

  const figure = (it) => it ? [h("span", {}, percent(it.mean)), " ", h("span", { class: "soft" }, `${percent(it.low)}–${percent(it.high)}`)] : "–";
  function change(it) {
    if (!it) return "–";
    const sure = it.low > 0 ? "up" : it.high < 0 ? "down" : "";
    return h("span", { class: `score ${sure}`, title: `95 % interval ${points(it.low)} to ${points(it.high)} points` }, points(it.mean), h("span", { class: "soft" }, ` ${points(it.low)} to ${points(it.high)}`));
  }

  function table(label, heads, rows) {
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, h("table", { class: "compared" }, h("caption", { class: "hidden-text" }, label),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), cells.map((cell) => h("td", { class: "n" }, cell)))))));
  }

  /* A strategy on each task: every score, and how far it is from heads alone, from the best, from no network. */
  function byTask(view, each) {
    const other = view.best !== "heads";  // else it would be there twice
    const heads = ["Task", "Accuracy", "Macro-F1", "Strict F1", "vs heads", other && `vs ${view.best}, the best`, "Counting words", "Commonest label"].filter(Boolean);
    return h("details", { class: "as-table by-task-scores" }, h("summary", {}, "Task by task, every score"), table(`Scores of ${each.name}`, heads, view.tasks.map((task) => {
      const own = each.tasks[task.name] || {}, floor = task.floor;
      return [words(task.name), figure(own.accuracy), figure(own.macroF1), figure(own.f1), change(own.versusHeads), ...(other ? [change(own.versusBest)] : []), figure(floor?.lexical),
        floor && floor.majority !== null ? percent(floor.majority) : "–"];
    })));
  }

  /* Single tasks, other balances, fewer rows: where the command line was asked for them. */
  function further(view) {
    if (!view.further.length) return null;
    return h("section", { class: "card further" }, h("h3", {}, "With one thing changed"), view.further.map((each) =>
      h("details", { class: "as-table" }, h("summary", {}, "With ", words(each.title)), h("p", { class: "soft" }, words(each.meaning)),
        table(`With ${each.title}`, ["Strategy", "Mean, 95 %", `Against ${each.against}, points`], each.lines.map((line) => [h("code", {}, words(line.name)), figure(line.mean), change(line.versus)])))));
  }

  /* What the columns of the strategies' table say, for who meets the words for the first time. */
  const COLUMNS = {
    "Trains": "What learns, from the embeddings at the left to the heads at the right: blue is frozen, amber trains, grey is not run.",
    "Mean, 95 %": "The score averaged over the tasks, on rows that the run never saw; 19 times in 20 the truth lies between the two numbers beside it.",
    "vs heads": "Points gained over training the heads alone on the last layer, compared row by row. Coloured where the gain, or the loss, is more than luck explains.",
    "vs best": "The same against the strategy with the highest mean.",
    "Seconds": "What one run takes to train, as if it ran alone.",
    "Memory": "The most memory that its process held.",
    "Weights": "How many numbers training changes.",
    "Similarity lost": "Forgetting: how much worse the trained encoder agrees with people on which sentences are alike (Spearman, on the shipped probe). 0 is nothing lost.",
    "Sentences/s": "How many sentences a second the trained model predicts here. Reading a lower layer makes it faster.",
    "Floor": "What takes no network at all: counting words, or always saying the commonest label. A strategy that is not above it buys nothing.",
  };
  const columns = () => h("details", { class: "by-task" }, h("summary", {}, "What the columns say"), h("dl", { class: "column-words" }, Object.entries(COLUMNS).map(([name, told]) => [h("dt", {}, name), h("dd", {}, told)])));

  window.thaw.findings = { figure, change, byTask, further, columns, columnMeans: (name) => COLUMNS[name] || null };
})();
