/* The map of a run: the same sentences at each moment of it, on a canvas of their own. */
(() => {
  const { h, words, calm } = window.thaw;
  const HEIGHT = 420, REST = 850, MOVE = 650, REACH = 14, SIGN = 5.6;
  const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const smooth = (t) => t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
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

  /* Returns {node, update(frames, tasks, kept), canvas, title()}; frames are what the run told. */
  function runMap() {
    let frames = [], tasks = [], kept = 0, task = 0, what = "said", at = 0, playing = 0, moving = 0,
      shown = null, picked = -1;
    const canvas = h("canvas", { class: "run-map", tabindex: "0", role: "img" });
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

    const first = () => frames[0];
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
      if (view() === "read") return states(k).states;
      const flat = frames[k].tasks[name()].at;
      // Two labels make a line: a row each, so that the sentences do not hide each other.
      return tasks[task].labels.length > 2 ? flat : flat.map((v, j) => j % 2 ?
        Math.round(1400 * ((j >> 1) + 0.5) / (flat.length / 2) - 700) : v);
    }
    const reach = () => view() === "said" ?
      1000 : Math.max(1, ...frames.flatMap((frame) => frame.states || []).map(Math.abs));

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
      travel();
    }
    function travel() {
      cancelAnimationFrame(moving);
      const to = places(at), from = shown, began = performance.now();
      if (!from || from.length !== to.length || calm()) { shown = to; draw(); return; }
      const frame = (now) => {
        const t = Math.min(1, Math.max(0, (now - began) / MOVE)), share = smooth(t);
        shown = t < 1 ? to.map((v, i) => from[i] + share * (v - from[i])) : to;
        draw();
        if (t < 1) moving = requestAnimationFrame(frame);
      };
      moving = requestAnimationFrame(frame);
    }

    /* ---- words */
    function tell() {
      const held = first().held_out, all = first().texts.map((_, i) => i);
      const count = (some) => { const judged = some.filter((i) => right(at, i) !== null);
        return [judged.filter((i) => right(at, i)).length, judged.length]; };
      const [good, of] = count(all.filter((i) => i < held)),
        [also, learned] = count(all.filter((i) => i >= held));
      says.textContent = `${name()}: right ${[of && `of ${good} of ${of} held-out sentences`, learned && `of ${also} of ${learned} that it learns from`].filter(Boolean).join(", ")}.`;
      canvas.setAttribute("aria-label",
        `Map of ${all.length} sentences by ${view() === "said" ? `what the head of ${name()} says` : "what the heads read"}. ${moment(at)}. Arrow keys go from sentence to sentence; the table below has them all.`);
      const share = states(at).share;
      why.textContent = view() === "said" ? WHY.said : still() && frames.length > 1 ?
        WHY.still : `${WHY.read}${Math.round(100 * share)} % of how they vary is seen here.`;
      if (picked >= 0) read(picked);
    }
    function read(i) {
      picked = i;
      if (i < 0) { point.textContent = "Point at a sentence to read it."; return; }
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
      const redo = () => { picked = -1; choose(); read(-1); go(at); };
      const some = view();
      choices.replaceChildren(
        tasks.length > 1 && h("span", { class: "ways-group", role: "group", "aria-label": "Task" },
          tasks.map((each, k) => segment(each.name, k === task, () => { task = k; redo(); }))) ||
          "",
        h("span", { class: "ways-group", role: "group", "aria-label": "What is shown" },
          frames[0].tasks[name()].at ? segment("What its head says", some === "said",
            () => { what = "said"; redo(); }) : "", segment(`What it reads, layer ${first().layer}`,
            some === "read", () => { what = "read"; redo(); })));
      const signs = groups();
      legend.replaceChildren(...signs.map((label, k) => h("span", { class: "group" },
        window.thawScatter.sign(k), words(label))),
        h("span", { class: "group plain" }, h("span", { class: "ring", "aria-hidden": "true" }),
          "wrong now"), h("span", { class: "group plain" }, "small and hollow: learned from"));
    }

    /* ---- the picture */
    function frameOf(width, height) {
      const side = view() === "said" ? 46 : 18,
        half = Math.min(width / 2 - (view() === "said" ? Math.min(96, width / 5) : side),
        height / 2 - (view() === "said" ? 30 : side)), far = reach();
      return { x: (v) => width / 2 + half * v / far, y: (v) => height / 2 - half * v / far };
    }
    function paint(pen, width, height) {
      const { x, y } = frameOf(width, height), names = groups(),
        place = new Map(names.map((label, k) => [label, k]));
      const inks = [...legend.querySelectorAll(".scatter-sign")].map((sign) =>
        ({ path: new Path2D(sign.firstChild.getAttribute("d")),
        ink: getComputedStyle(sign).fill }));
      const [soft, line, bad, text] = ["--thaw-soft", "--thaw-line", "--thaw-bad",
        "--thaw-text"].map(css);
      if (view() === "said") {
        const ends = corners(names.length).map(([a, b]) => [x(1000 * a), y(1000 * b)]);
        pen.strokeStyle = line; pen.lineWidth = 1.5; pen.beginPath();
        ends.forEach(([a, b], k) => k ? pen.lineTo(a, b) : pen.moveTo(a, b));
        pen.closePath(); pen.stroke();
        pen.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
        ends.forEach(([a, b], k) => {
          const side = Math.abs(a - width / 2) < 4 ? "center" : a < width / 2 ? "right" : "left";
          pen.textAlign = side; pen.textBaseline = side === "center" ? b < height / 2 ?
            "bottom" : "top" : "middle"; pen.fillStyle = inks[k] ? inks[k].ink : text;
          pen.fillText(clip(names[k], width < 500 ? 11 : 16),
            a + (side === "center" ? 0 : side === "right" ? -11 : 11),
            b + (side === "center" ? b < height / 2 ? -10 : 10 : 0), side === "center" ?
            width : Math.min(a, width - a) - 14);
        });
      }
      const held = first().held_out;
      for (let i = first().texts.length - 1; i >= 0; i -= 1) {
        const k = place.get(truth(i)), sign = k === undefined ? null : inks[k], learned = i >= held;
        pen.save();
        pen.translate(x(shown[2 * i]), y(shown[2 * i + 1]));
        if (right(at, i) === false) { pen.strokeStyle = bad; pen.lineWidth = 1.8; pen.beginPath();
          pen.arc(0, 0, learned ? 6.5 : 9, 0, 7); pen.stroke(); }
        if (i === picked) { pen.strokeStyle = text; pen.lineWidth = 2;
          pen.strokeRect(-11, -11, 22, 22); }
        pen.scale(learned ? 0.68 : 1, learned ? 0.68 : 1);
        pen.fillStyle = pen.strokeStyle = sign ? sign.ink : soft; pen.lineWidth = 1.8;
        const path = sign ? sign.path : new Path2D("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0");
        pen.globalAlpha = 0.85;
        if (learned) pen.stroke(path); else pen.fill(path);
        pen.restore();
      }
    }
    function draw() {
      const width = canvas.clientWidth, height = canvas.clientHeight,
        dense = window.devicePixelRatio || 1;
      if (!width || !frames.length || !shown) return;
      if (canvas.width !== Math.round(width * dense)) { canvas.width = Math.round(width * dense);
        canvas.height = Math.round(height * dense); }
      const pen = canvas.getContext("2d");
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.clearRect(0, 0, width, height);
      paint(pen, width, height);
    }
    function nearest(event) {
      const box = canvas.getBoundingClientRect(), { x, y } = frameOf(box.width, box.height);
      let best = -1, least = REACH ** 2;
      for (let i = 0; i < first().texts.length; i += 1) {
        const far = (x(shown[2 * i]) - event.clientX + box.left) ** 2 +
          (y(shown[2 * i + 1]) - event.clientY + box.top) ** 2;
        if (far < least) [best, least] = [i, far];
      }
      return best;
    }
    for (const kind of ["pointermove", "pointerdown"]) canvas.addEventListener(kind, (event) => {
      const found = frames.length && shown ? nearest(event) : -1;
      if (found >= 0 && found !== picked) { read(found); draw(); }
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by || !frames.length) return;
      event.preventDefault();
      const count = first().texts.length;
      read(((picked < 0 && by < 0 ? 0 : picked) + by + count) % count);
      draw();
    });
    new ResizeObserver(draw).observe(canvas);
    new MutationObserver(draw).observe(document.body,
      { attributes: true, attributeFilter: ["class"] });

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
      if (!begun) { shown = null; task = 0; choose(); read(-1); }
      go(last && !playing ? frames.length - 1 : Math.min(at, frames.length - 1));
    }
    const size = () => [Math.max(320, canvas.clientWidth), canvas.clientHeight || HEIGHT];
    const title = () => `${name()}, ${view() === "said" ? "what its head says" : "what it reads"}: ${moment(at)}`;
    return { node, update, paint, size, title, drawn: () => frames.length > 0 && shown !== null };
  }

  /* Curves and map in one PNG, twice as fine as on the screen, on the theme's own ground. */
  async function pngOf(curves, map) {
    const drawing = new Image(), source = new DOMParser().parseFromString(curves,
      "image/svg+xml").documentElement;
    const [width, tall] = [Number(source.getAttribute("width")),
      Number(source.getAttribute("height"))];
    drawing.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(curves)}`;
    await drawing.decode();
    const [w, t] = map.drawn() ? map.size() : [0, 0], whole = Math.max(width, w),
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
      pen.translate((whole - w) / 2, tall + 30);
      map.paint(pen, w, t);
    }
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  }

  Object.assign(window.thaw, { runMap, pngOf });
})();
