/* The heat map of N sentences against themselves: a table one can walk with the arrow keys,
   or from MOST_CELLS on a canvas that answers to the same keys. */
(() => {
  const { h, words, number, short } = window.thaw;
  const MOST_ROWS = 24;

  /* From a score to a strength between 0 and 1, and whether it is on the negative side. */
  function scaleOf(picture) {
    if (picture.scale === "difference") {
      const most = Math.max(0.05, ...picture.matrix.flat().map(Math.abs));
      return { of: (v) => Math.min(1, Math.abs(v) / most), negative: (v) => v < 0,
               low: number(-most, 2), high: number(most, 2, true), zero: "0" };
    }
    if (picture.scale === "cosine") {
      const others = picture.matrix.flatMap((row, i) => row.filter((_, j) => j > i));
      // Large maps use the whole ramp, as no number stands beside a colour there.
      const top = picture.matrix.length <= MOST_ROWS ? 1 : Math.max(0.1, ...others);
      return { of: (v) => Math.min(1, Math.abs(v) / top), negative: (v) => v < -0.005, low: "0",
               high: top === 1 ? "1" : number(top, 2), below: others.some((v) => v < -0.005) };
    }
    const others = picture.matrix.flatMap((row, i) => row.filter((_, j) => j !== i));
    const low = Math.min(...others), high = Math.max(...others);
    const width = high - low || 1;
    return { of: (v) => Math.max(0, Math.min(1, (v - low) / width)), negative: () => false,
             low: number(low, 2), high: number(high, 2) };
  }

  function legend(scale) {
    return h("div", { class: "legend", "aria-hidden": "true" },
      h("span", {}, h("span", { class: "say" }, "less alike "), scale.low),
      h("i", { class: scale.zero ? "ramp two" : "ramp" }),
      h("span", {}, scale.high, h("span", { class: "say" }, " more alike")),
      scale.below && [h("i", { class: "swatch" }), h("span", {}, "below 0")]);
  }

  function figure(host, picture, onPick) {
    const n = picture.matrix.length;
    const scale = scaleOf(picture);
    const readout = h("p", { class: "readout", "aria-hidden": "true" });
    const tell = (i, j) => {
      readout.replaceChildren(
        h("b", {}, number(picture.matrix[i][j], 3, picture.scale === "difference")), " ",
        h("span", {}, `${i + 1} `, words(picture.sentences[i])),
          h("span", { class: "soft" }, " and "),
        h("span", {}, `${j + 1} `, words(picture.sentences[j])));
    };
    const grid = n <= MOST_ROWS ? table(picture, scale, tell, onPick)
                                : canvas(picture, scale, tell, onPick);
    const hint = "Pick a cell to see which words made it: click, tap, or arrow keys and Enter.";
    readout.append(h("span", { class: "soft" }, picture.scale === "difference" ?
      picture.hint : hint));
    host.append(h("figure", { class: "matrix" },
      picture.title && h("figcaption", {}, picture.title), grid.node, legend(scale), readout));
    return grid;
  }

  function table(picture, scale, tell, onPick) {
    const n = picture.matrix.length;
    const digits = n <= 10 ? (t) => t : short;
    const signed = picture.scale === "difference";
    const cells = [];
    const body = picture.matrix.map((row, i) => h("tr", {},
      h("th", { scope: "row", title: picture.sentences[i] }, h("b", {}, i + 1),
        picture.numbersOnly ? null : words(picture.sentences[i], "clip")),
      row.map((value, j) => {
        const self = i === j;
        const cell = h("td", {
          role: "gridcell", tabindex: "-1", "data-i": i, "data-j": j,
          "aria-label": self ? `${i + 1} with itself: ${number(value, 2)}`
                             : `${i + 1} and ${j + 1}: ${number(value, 2, signed)}`,
          "aria-selected": "false",
          class: self ? "self" : scale.negative(value) ? "negative" : "",
          style: { "--v": self ? 0 : scale.of(value).toFixed(3) },
        }, self && signed ? "·" : digits(number(value, 2, signed)));
        cells.push(cell);
        return cell;
      })));
    const node = h("div", { class: "scroll" }, h("table", {
      class: `heat${n > 12 ? " close" : ""}${picture.numbersOnly ? " bare" : ""}`, role: "grid",
        "aria-label": picture.name, "aria-readonly": "true",
      "data-n": n, style: { "--n": n },
    }, h("thead", {}, h("tr", {}, h("td", {}),
        picture.sentences.map((text, j) => h("th", { scope: "col", title: text }, j + 1)))),
      h("tbody", {}, body)));
    const at = (i, j) => cells[i * n + j];
    walk(node, n, at, tell, onPick);
    return { node, pick: (i, j) => {
      for (const cell of cells) cell.setAttribute("aria-selected", "false");
      for (const cell of [at(i, j), at(j, i)]) cell.setAttribute("aria-selected", "true");
      for (const cell of cells) cell.tabIndex = -1;
      at(i, j).tabIndex = 0;
    } };
  }

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function walk(node, n, at, tell, onPick) {
    const place = (cell) => [Number(cell.dataset.i), Number(cell.dataset.j)];
    const found = (event) => event.target.closest("td[data-i]");
    at(0, Math.min(1, n - 1)).tabIndex = 0;
    node.addEventListener("mouseover", (e) => found(e) && tell(...place(found(e))));
    node.addEventListener("focusin", (e) => found(e) && tell(...place(found(e))));
    node.addEventListener("click", (e) => {
      const cell = found(e);
      if (cell && !cell.classList.contains("self")) onPick(...place(cell));
    });
    node.addEventListener("keydown", (e) => {
      const cell = found(e);
      if (!cell) return;
      const [i, j] = place(cell);
      if (e.key === "Enter" || e.key === " ") {
        e.preventDefault();
        if (i !== j) onPick(i, j);
      } else if (STEPS[e.key] || e.key === "Home" || e.key === "End") {
        e.preventDefault();
        const [di, dj] = STEPS[e.key] || [0, e.key === "Home" ? -n : n];
        const bound = (k) => Math.max(0, Math.min(n - 1, k));
        const next = at(bound(i + di), bound(j + dj));
        cell.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      }
    });
  }

  /* One square a pair, drawn at the screen's own resolution. */
  function canvas(picture, scale, tell, onPick) {
    const n = picture.matrix.length;
    const face = h("canvas", {});
    const mark = h("i", { class: "mark" });
    const node = h("div", {
      class: "map", tabindex: "0", role: "application", "aria-roledescription": "heat map",
      "aria-label": `${picture.name}. Arrow keys move, Enter shows the words of a pair.`,
    }, face, mark, h("span", { class: "hidden-text", "aria-live": "polite" }));
    let at = [0, 1];
    const go = (i, j, say) => {
      at = [Math.max(0, Math.min(n - 1, i)), Math.max(0, Math.min(n - 1, j))];
      const size = face.clientWidth / n;
      Object.assign(mark.style, { left: `${at[1] * size}px`, top: `${at[0] * size}px`,
                                  width: `${size}px`, height: `${size}px` });
      tell(...at);
      if (say) node.lastChild.textContent =
        `${at[0] + 1} and ${at[1] + 1}: ${number(picture.matrix[at[0]][at[1]], 2)}`;
    };
    const under = (e) => {
      const box = face.getBoundingClientRect();
      return [Math.floor((e.clientY - box.top) / box.height * n),
              Math.floor((e.clientX - box.left) / box.width * n)];
    };
    node.addEventListener("mousemove", (e) => go(...under(e)));
    node.addEventListener("click", (e) => { go(...under(e)); at[0] !== at[1] && onPick(...at); });
    node.addEventListener("keydown", (e) => {
      if (STEPS[e.key]) go(at[0] + STEPS[e.key][0], at[1] + STEPS[e.key][1], true);
      else if (e.key === "Enter" && at[0] !== at[1]) onPick(...at);
      else return;
      e.preventDefault();
    });
    const paint = () => paintMap(face, picture.matrix, scale);
    new ResizeObserver(paint).observe(node);
    const themes = new MutationObserver(() => face.isConnected ? paint() : themes.disconnect());
    themes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    return { node, pick: (i, j) => go(i, j) };
  }

  function paintMap(face, matrix, scale) {
    const n = matrix.length;
    const style = getComputedStyle(face);
    const colour = (name) => {
      const hex = style.getPropertyValue(name).trim().slice(1);
      return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
    };
    const low = colour("--heat-low"), high = colour("--heat-high"),
      negative = colour("--heat-negative");
    const pixels = new ImageData(n, n);
    matrix.forEach((row, i) => row.forEach((value, j) => {
      const top = scale.negative(value) ? negative : high;
      const v = i === j ? 0 : scale.of(value);
      const k = 4 * (i * n + j);
      for (const c of [0, 1, 2]) pixels.data[k + c] = low[c] + (top[c] - low[c]) * v;
      pixels.data[k + 3] = 255;
    }));
    face.width = face.height = n;
    face.getContext("2d").putImageData(pixels, 0, 0);
  }

  window.thaw.figure = figure;
})();
