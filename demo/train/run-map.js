/* The map of a run: the same sentences at each moment of it. */
(() => {
  const { h, words } = window.thaw;
  const REST = 850, MOVE = 650;
  const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const clip = (text, most) => [...text].length > most ?
    `${[...text].slice(0, most - 1).join("")}…` : text;
  const WHY = {
    said: "Each label has a corner. A sentence stands in the corner of the label that the head is sure of, and in the middle where it cannot tell: before the first step all stand there.",
    read: "At each moment the two directions along which these sentences vary most, turned as a whole onto the moment before: look at who is near whom. ",
    still: "Nothing below the heads has trained, so that what they read stays as it was: only what they make of it changes.",
  };

  function corners(count) {
    const first = count === 2 ? -Math.PI / 2 : 0;
    return Array.from({ length: count }, (_, k) => [Math.sin(2 * Math.PI * k / count + first),
      Math.cos(2 * Math.PI * k / count + first)]);
  }

  /* Returns {node, update(frames, tasks, kept), picture(fine), title()}; frames are what the run
     told. */
  function runMap() {
    let frames = [], tasks = [], kept = 0, task = 0, what = "said", at = 0, playing = 0,
      picked = null;
    const canvas = h("div", { class: "run-map" });
    const chart = window.thawScatter.chart(canvas, "Map", { pick: read, ground: drawCorners });
    chart.mode("still");
    canvas.chart = chart;
    const slider = h("input", { type: "range", min: 0, max: 0, value: 0, step: 1,
      "aria-label": "Moment of the run", oninput: () => { stop(); go(Number(slider.value)); } });
    const play = h("button", { type: "button", class: "tool", onclick: () => playing ?
      stop() : start() }, "▶ Play");
    const when = h("b", { class: "run-map-when" }),
      says = h("p", { class: "soft", role: "status" }), point = h("p", { class: "run-map-point" }),
      why = h("p", { class: "soft" });
    const choices = h("div", { class: "tools" }), legend = h("div", { class: "groups" }),
      table = h("div", { class: "scroll" });
    const details = h("details", { class: "as-table", ontoggle: () => list() },
      h("summary", {}, "These sentences as a table"), table);
    const node = h("section", { class: "card run-map-card", hidden: true },
      h("h3", {}, "The map of these sentences"), choices,
      h("div", { class: "map-time" }, play, slider, when), says, canvas, point, legend, why,
        details);

    const first = () => frames[0], all = () => first().texts.map((_, i) => i);
    const name = () => tasks[task].name;
    const truth = (i) => first().is[name()][i];
    const said = (k, i) => frames[k].tasks[name()].says[i];
    const right = (k, i) => { const own = frames[k].tasks[name()].right;
      return own ? own[i] : truth(i) === null ? null : truth(i) === said(k, i); };
    const states = (k) => { while (!frames[k].states) k -= 1; return frames[k]; };
    const still = () => frames.slice(1).every((frame) => !frame.states);
    const view = () => what === "said" && frames[0].tasks[name()].at ? "said" : "read";
    const groups = () => tasks[task].kind === "token" ?
      [...new Set(first().is[name()])].filter((l) => l !== null).sort() : tasks[task].labels;

    function places(k) {
      const own = frames[k].tasks[name()].at, flat = view() === "read" ? states(k).states : own;
      // Two labels make a line: a row each, so that the sentences do not hide each other.
      const rows = view() === "said" && tasks[task].labels.length < 3;
      return Float32Array.from({ length: 3 * flat.length / 2 }, (_, j) => {
        const i = Math.floor(j / 3), axis = j % 3;
        return axis === 2 ? 0 : axis && rows ?
          Math.round(1400 * (i + 0.5) / (flat.length / 2) - 700) : flat[2 * i + axis];
      });
    }
    function fixed(width, height) {  // one scale at all moments
      if (view() === "said") return Math.min(width / 2 - Math.min(96, width / 5),
        height / 2 - 30) / 1000;
      return (Math.min(width, height) / 2 - 18) /
        Math.max(1, ...frames.flatMap((frame) => frame.states || []).map(Math.abs));
    }

    /* ---- moments */
    const moment = (k) => frames[k].step === 0 ? "Before the first step" :
      `After epoch ${frames[k].epoch}, step ${frames[k].step}${frames[k].epoch === kept ? " (kept)" : ""}`;
    function stop() { clearTimeout(playing); playing = 0; play.textContent = "▶ Play"; }
    function start() {
      if (frames.length < 2) return;
      play.textContent = "❚❚ Stop";
      const next = () => { if (at + 1 >= frames.length) { stop(); return; } go(at + 1);
        playing = setTimeout(next, REST); };
      if (at === frames.length - 1) { go(0); playing = setTimeout(next, REST); } else { playing = 1;
        next(); }
    }
    function go(k) {
      at = k;
      slider.value = String(k);
      slider.setAttribute("aria-valuetext", moment(k));
      node.dataset.frame = String(k);
      when.textContent = moment(k);
      tell();
      list();
      chart.mark({ wrong: new Set(all().filter((i) => right(k, i) === false)) });
      chart.move(places(k), { fixed, deep: false }, MOVE);
    }

    /* ---- words */
    function tell() {
      const held = first().held_out;
      const count = (some) => { const judged = some.filter((i) => right(at, i) !== null);
        return [judged.filter((i) => right(at, i)).length, judged.length]; };
      const [good, of] = count(all().filter((i) => i < held)),
        [also, learned] = count(all().filter((i) => i >= held));
      says.textContent = `${name()}: right ${[of && `of ${good} of ${of} held-out sentences`, learned && `of ${also} of ${learned} that it learns from`].filter(Boolean).join(", ")}.`;
      chart.named(
        `Map of ${first().texts.length} sentences by ${view() === "said" ? `what the head of ${name()} says` : "what the heads read"}. ${moment(at)}. Arrow keys go from sentence to sentence; the table below has them all.`);
      const share = states(at).share;
      why.textContent = view() === "said" ? WHY.said : still() && frames.length > 1 ?
        WHY.still : `${WHY.read}${Math.round(100 * share)} % of how they vary is seen here.`;
      if (picked !== null) read(picked);
    }
    function read(i) {
      picked = i;
      chart.mark({ picked });
      if (i === null) { point.textContent = "Point at a sentence to read it."; return; }
      const own = frames[at].tasks[name()], verdict = right(at, i);
      point.replaceChildren(words(`“${first().texts[i]}”`),
        h("span", { class: "soft" }, ` ${i < first().held_out ? "held out" : "learned from"}, is `,
        words(truth(i) ?? "not labelled")),
        h("b", { class: verdict === false ? "wrong" : "right" }, verdict === false ?
          " ✗ " : verdict ? " ✓ " : " ", "model: ", words(own.says[i])), own.sure ?
          h("span", { class: "soft" }, ` ${own.sure[i]}\u00a0%`) : "");
    }
    function list() {
      if (!details.open || !frames.length) return;
      const own = frames[at].tasks[name()];
      table.replaceChildren(h("table", {},
        h("caption", { class: "soft" }, `${moment(at)}: ${name()}`),
        h("thead", {}, h("tr", {}, ["Sentence", "Is", "Model", "Sure",
        ""].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, first().texts.map((text, i) => h("tr", {}, h("td", {}, words(text)),
          h("td", {}, words(truth(i) ?? "–")), h("td", {}, words(own.says[i])),
          h("td", {}, own.sure ? `${own.sure[i]} %` : "–"),
            h("td", {}, right(at, i) === null ? "" : right(at, i) ? "✓" : "✗"))))));
    }

    /* ---- choosing */
    function choose() {
      const segment = (text, pressed, act) =>
        h("button", { type: "button", class: "tool", "aria-pressed": String(pressed),
        onclick: act }, text);
      const redo = () => { read(null); choose(); go(at); };
      const some = view();
      choices.replaceChildren(
        tasks.length > 1 && h("span", { class: "ways-group", role: "group", "aria-label": "Task" },
          tasks.map((each, k) => segment(each.name, k === task, () => { task = k; redo(); }))) ||
          "",
        h("span", { class: "ways-group", role: "group", "aria-label": "What is shown" },
          frames[0].tasks[name()].at ? segment("What its head says", some === "said",
            () => { what = "said"; redo(); }) : "", segment(`What it reads, layer ${first().layer}`,
            some === "read", () => { what = "read"; redo(); })));
      const signs = groups(), place = new Map(signs.map((label, k) => [label, k]));
      chart.colour(Int32Array.from(first().is[name()], (label) => place.get(label) ?? -1), []);
      legend.replaceChildren(...signs.map((label, k) => h("span", { class: "group" },
        window.thawScatter.sign(k), words(label))),
        h("span", { class: "group plain" }, h("span", { class: "ring", "aria-hidden": "true" }),
          "wrong now"), h("span", { class: "group plain" }, "small and hollow: learned from"));
    }

    /* Each label's corner, and its name there, beneath the points. */
    function drawCorners(pen, { at: spot, width, height, ink }) {
      if (view() !== "said") return;
      const names = groups(), ends = corners(names.length).map(([a, b]) => spot(1000 * a, 1000 * b));
      pen.strokeStyle = css("--thaw-line"); pen.lineWidth = 1.5; pen.beginPath();
      ends.forEach(([a, b], k) => k ? pen.lineTo(a, b) : pen.moveTo(a, b));
      pen.closePath(); pen.stroke();
      pen.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
      ends.forEach(([a, b], k) => {
        const side = Math.abs(a - width / 2) < 4 ? 0 : a < width / 2 ? -1 : 1,
          up = side ? 0 : b < height / 2 ? -1 : 1;
        pen.textAlign = ["right", "center", "left"][side + 1];
        pen.textBaseline = ["bottom", "middle", "top"][up + 1];
        pen.fillStyle = ink(k);
        pen.fillText(clip(names[k], width < 500 ? 11 : 16), a + 11 * side, b + 10 * up,
          side ? Math.min(a, width - a) - 14 : width);
      });
    }

    function update(newFrames, newTasks, newKept) {
      node.hidden = !newFrames.length;
      if (!newFrames.length || (newFrames.length === frames.length && newKept === kept &&
        newFrames[0] === frames[0])) return;
      const begun = frames.length && newFrames[0].texts === frames[0].texts, last = !begun ||
        at === frames.length - 1;
      frames = newFrames.slice(); tasks = newTasks; kept = newKept;
      slider.max = String(frames.length - 1);
      node.dataset.frames = String(frames.length);
      play.disabled = frames.length < 2;
      if (!begun) {
        task = 0;
        const to = places(0);
        chart.show({ from: to, to, deep: false, fixed });
        chart.mark({ hollow: new Set(all().filter((i) => i >= first().held_out)) });
        choose();
        read(null);
      }
      go(last && !playing ? frames.length - 1 : Math.min(at, frames.length - 1));
    }
    const title = () => `${name()}, ${view() === "said" ? "what its head says" : "what it reads"}: ${moment(at)}`;
    return { node, update, title, picture: (fine) => frames.length ? chart.picture(fine) : null };
  }

  /* Curves and map in one PNG, twice as fine as on the screen, on the theme's own ground. */
  async function pngOf(curves, map) {
    const drawing = new Image(), source = new DOMParser().parseFromString(curves,
      "image/svg+xml").documentElement;
    const [width, tall] = [Number(source.getAttribute("width")),
      Number(source.getAttribute("height"))];
    drawing.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(curves)}`;
    await drawing.decode();
    const drawn = map.picture(2), [w, t] = drawn ? [drawn.width / 2, drawn.height / 2] : [0, 0],
      whole = Math.max(width, w),
      canvas = h("canvas", { width: 2 * whole, height: 2 * (tall + (w ? t + 34 : 0)) });
    const pen = canvas.getContext("2d");
    pen.scale(2, 2);
    pen.fillStyle = css("--thaw-surface");
    pen.fillRect(0, 0, whole, tall + t + 34);
    pen.drawImage(drawing, (whole - width) / 2, 0, width, tall);
    if (w) {
      pen.fillStyle = css("--thaw-text");
      pen.font = "600 14px sans-serif";
      pen.fillText(map.title(), 8, tall + 20);
      pen.drawImage(drawn, (whole - w) / 2, tall + 30, w, t);
    }
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  }

  Object.assign(window.thaw, { runMap, pngOf });
})();
