/* A scatter plot of sentences in two or three dimensions: WebGL, or a plain canvas without it.
   Text from people only ever becomes textContent or is drawn on a canvas: none of it is HTML. */
window.thawScatter = (() => {
  const SHAPES = ["M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "M-4.1 -4.1h8.2v8.2h-8.2z",
    "M0 -4.5L4.75 3.75H-4.75z", "M0 -5L5 0L0 5L-5 0z", "M0 4.5L4.75 -3.75H-4.75z",
    "M-1.85 -5h3.7v3.15h3.15v3.7h-3.15v3.15h-3.7v-3.15h-3.15v-3.7h3.15z"];  // of a radius of 5
  const HOLLOW = 8;  // added to a shape
  const SMALLER = 0.68;
  const HUES = {  // light, dark; a shape beside each hue, so that nobody depends on colour
    light: ["#2a7ab0", "#b3541e", "#1c7a4b", "#7a4fb5", "#b0457a", "#0f7680", "#7a6a12", "#4a5a6a"],
    dark: ["#6bbcf0", "#f2a06a", "#63d39c", "#bda2f5", "#f29cc4", "#66ccd6", "#d6c963", "#aebdca"],
  };
  const GREY = { light: "#8696a5", dark: "#73879a" };
  const SMALL = 2.6, LARGE = 4.6;
  const REACH = 14;
  const CURSORS = { pan: "grab", lasso: "crosshair", still: "default" };
  const VERTEX = `attribute vec3 from, to; attribute vec4 colour; attribute vec2 look;
    uniform float t, pixels; uniform mat3 turn; uniform vec3 middle; uniform vec2 scale, shift;
    varying vec4 ink; varying float shape, size;
    void main() {
      vec3 p = turn * (mix(from, to, t) - middle);
      gl_Position = vec4(p.xy * scale + shift, 0.0, 1.0);
      float deep = 1.0 + 0.25 * clamp(p.z, -1.0, 1.0);
      size = 2.0 * look.x * pixels * deep + 2.0;
      gl_PointSize = size; shape = look.y; ink = colour;
    }`;
  const FRAGMENT = `precision mediump float; varying vec4 ink; varying float shape, size;
    void main() {
      bool hollow = shape > 7.5; float s = hollow ? shape - 8.0 : shape;
      vec2 p = (gl_PointCoord - 0.5) * 2.0; p.y = -p.y; vec2 a = abs(p); float d;
      if (s < 0.5) d = length(p) * 1.08;
      else if (s < 1.5) d = max(a.x, a.y) * 1.22;
      else if (s < 2.5) d = max(a.x * 0.95 + p.y * 0.5, -p.y) * 1.28 + 0.12;
      else if (s < 3.5) d = (a.x + a.y) * 0.98;
      else if (s < 4.5) d = max(a.x * 0.95 - p.y * 0.5, p.y) * 1.28 + 0.12;
      else d = max(min(a.x, a.y) * 2.7, max(a.x, a.y) * 1.02);
      float edge = 2.0 / size;
      float cover = 1.0 - smoothstep(1.0 - edge, 1.0, d);
      float rim = s > 4.5 ? 0.4 : 0.6;  // of a plus the middle alone, or its arms come apart
      if (hollow) cover *= smoothstep(rim - edge, rim, d);
      if (cover <= 0.0) discard;
      gl_FragColor = vec4(ink.rgb, 1.0) * ink.a * cover;
    }`;

  const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const make = (tag, kind, parent) => {
    const node = document.createElement(tag);
    node.className = kind;
    parent?.append(node);
    return node;
  };

  /* ---- two ways to draw the same points */
  function webgl(canvas) {
    // Where WebGL would be computed by the processor, a plain canvas is several times as fast.
    const gl = canvas.getContext("webgl", { premultipliedAlpha: true, failIfMajorPerformanceCaveat: true });
    if (!gl) return null;
    const about = gl.getExtension("WEBGL_debug_renderer_info");
    if (about && /swiftshader|llvmpipe|software|basic render/i.test(gl.getParameter(about.UNMASKED_RENDERER_WEBGL))) return null;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const at = (name) => gl.getUniformLocation(program, name);
    const uniforms = Object.fromEntries(["t", "pixels", "turn", "middle", "scale", "shift"].map((n) => [n, at(n)]));
    const buffers = {};
    const send = (name, data, size, type) => {
      buffers[name] ??= gl.createBuffer();
      const place = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, type, type === gl.UNSIGNED_BYTE, 0, 0);
    };
    return {
      kind: "webgl",
      places(from, to) { send("from", from, 3, gl.FLOAT); send("to", to, 3, gl.FLOAT); },
      looks(colours, looks) { send("colour", colours, 4, gl.UNSIGNED_BYTE); send("look", looks, 2, gl.FLOAT); },
      draw(count, view) {
        gl.viewport(0, 0, canvas.width, canvas.height);
        gl.clearColor(0, 0, 0, 0);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.uniform1f(uniforms.t, view.t);
        gl.uniform1f(uniforms.pixels, view.pixels);
        gl.uniformMatrix3fv(uniforms.turn, false, view.turn);
        gl.uniform3fv(uniforms.middle, view.middle);
        const zoom = [2 * view.zoom / view.width, 2 * view.zoom / view.height];
        gl.uniform2f(uniforms.scale, zoom[0], zoom[1]);
        gl.uniform2f(uniforms.shift, 2 * view.x / view.width, -2 * view.y / view.height);
        gl.drawArrays(gl.POINTS, 0, count);
      },
    };
  }

  /* Each look is painted once, and then copied to where its points are. */
  function plain(canvas, screen) {
    const ctx = canvas.getContext("2d");
    let sprites = [], scale = 0, colours = null, looks = null;
    function sprite(r, g, b, alpha, radius, shape) {
      const half = Math.ceil(radius * 1.3 * scale) + 1, small = document.createElement("canvas");
      small.width = small.height = 2 * half;
      const pen = small.getContext("2d");
      pen.setTransform(scale * radius / 5, 0, 0, scale * radius / 5, half, half);
      pen.globalAlpha = alpha / 255;
      pen.fillStyle = pen.strokeStyle = `rgb(${r},${g},${b})`;
      pen.lineWidth = 1.8;
      pen[shape < HOLLOW ? "fill" : "stroke"](new Path2D(SHAPES[shape % HOLLOW]));
      return { small, half };
    }
    function prepare(count) {
      const made = new Map();
      sprites = Array.from({ length: count }, (_, i) => {
        const alpha = colours[4 * i + 3];
        if (!alpha) return null;
        const look = [colours[4 * i], colours[4 * i + 1], colours[4 * i + 2], alpha, looks[2 * i], looks[2 * i + 1]];
        const key = look.join();
        if (!made.has(key)) made.set(key, sprite(...look));
        return made.get(key);
      });
    }
    return {
      kind: "canvas",
      places() {},
      looks(c, l) { [colours, looks, scale] = [c, l, 0]; },
      draw(count, view) {
        if (scale !== view.pixels) { scale = view.pixels; prepare(count); }
        ctx.clearRect(0, 0, canvas.width, canvas.height);
        const spots = screen();
        for (let i = 0; i < count; i += 1) {
          const found = sprites[i];
          if (found) ctx.drawImage(found.small, Math.round(spots[2 * i] * scale) - found.half, Math.round(spots[2 * i + 1] * scale) - found.half);
        }
      },
    };
  }

  const inside = (x, y, path) => {
    let found = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i, i += 1) {
      const [[ax, ay], [bx, by]] = [path[i], path[j]];
      if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) found = !found;
    }
    return found;
  };

  /* A chart in `host`. on.pick(i | null), on.select([i, …]), on.say(i) → lines of text for the
     hover; on.ground(pen, {at, width, height, ink}) draws beneath the points. */
  function chart(host, label, on) {
    host.classList.add("scatter");
    const ground = on.ground && make("canvas", "scatter-ground", host);
    let base = make("canvas", "scatter-points", host);
    const over = make("canvas", "scatter-over", host);
    const tip = make("div", "scatter-tip", host);
    tip.hidden = true;
    over.tabIndex = 0;
    over.setAttribute("role", "application");
    const named = (text) => over.setAttribute("aria-label", text);
    named(label);
    const view = { t: 1, zoom: 1, x: 0, y: 0, width: 1, height: 1, pixels: 1, middle: [0, 0, 0], turn: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
    const data = { count: 0, deep: false, from: null, to: null, groups: null, names: [], looks: null };
    const marks = { picked: null, near: [], found: null, chosen: null, hidden: new Set(), fresh: [],
      hollow: new Set(), wrong: new Set() };
    let fit = 1, yaw = 0.6, pitch = 0.35, mode = "pan", lasso = null, due = false, timer = 0, spots = new Float32Array(0), stale = true;
    const painter = webgl(base) || plain(anew(), screen);
    const pen = over.getContext("2d"), layers = () => host.querySelectorAll("canvas");
    function anew() {  // a canvas that was asked for WebGL draws in no other way
      const other = base.cloneNode();
      base.replaceWith(other);
      base = other;
      return other;
    }
    const dark = () => host.closest(".dark") !== null || document.documentElement.dataset.theme === "dark";
    const shade = () => dark() ? "dark" : "light";
    const probe = make("span", "scatter-probe", host);
    const css = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };

    function screen() {
      if (!stale) return spots;
      if (spots.length !== 2 * data.count) spots = new Float32Array(2 * data.count);
      const { t, middle: [mx, my, mz], turn: r, zoom } = view;
      const ox = view.width / 2 + view.x, oy = view.height / 2 + view.y;
      for (let i = 0, k = 0; i < data.count; i += 1, k += 3) {
        const x = data.from[k] + t * (data.to[k] - data.from[k]) - mx;
        const y = data.from[k + 1] + t * (data.to[k + 1] - data.from[k + 1]) - my;
        const z = data.from[k + 2] + t * (data.to[k + 2] - data.from[k + 2]) - mz;
        spots[2 * i] = ox + zoom * (r[0] * x + r[3] * y + r[6] * z);
        spots[2 * i + 1] = oy - zoom * (r[1] * x + r[4] * y + r[7] * z);
      }
      stale = false;
      return spots;
    }

    const redraw = () => { stale = true; if (!due) { due = true; requestAnimationFrame(paint); } };

    function wiped(pen) {
      pen.setTransform(view.pixels, 0, 0, view.pixels, 0, 0);
      pen.clearRect(0, 0, view.width, view.height);
      return pen;
    }

    function paint() {
      due = false;
      if (!data.count || !view.width) return;
      painter.draw(data.count, view);
      if (ground) on.ground(wiped(ground.getContext("2d")), { width: view.width,
        height: view.height, at: spot, ink: (g) => HUES[shade()][g % HUES.light.length] });
      wiped(pen);
      const at = screen();
      const ring = (i, r, colour, width) => {
        pen.beginPath();
        pen.arc(at[2 * i], at[2 * i + 1], r, 0, 7);
        pen.lineWidth = width;
        pen.strokeStyle = colour;
        pen.stroke();
      };
      const [ink, amber, paper, bad] = ["--thaw-text", "--thaw-amber", "--thaw-surface",
        "--thaw-bad"].map(css);
      if (marks.found && marks.found.size <= 400) for (const i of marks.found) ring(i, 6, ink, 1.3);
      if (marks.picked !== null) {
        pen.setLineDash([2, 3]);
        pen.globalAlpha = 0.6;
        for (const i of marks.near) {
          pen.beginPath();
          pen.moveTo(at[2 * marks.picked], at[2 * marks.picked + 1]);
          pen.lineTo(at[2 * i], at[2 * i + 1]);
          pen.lineWidth = 1;
          pen.strokeStyle = amber;
          pen.stroke();
        }
        pen.setLineDash([]);
        pen.globalAlpha = 1;
        for (const i of marks.near) ring(i, 6.5, amber, 1.6);
      }
      for (const i of marks.wrong) ring(i, marks.hollow.has(i) ? 6.5 : 9, bad, 1.8);
      for (const i of marks.fresh) { ring(i, 8, paper, 4); ring(i, 8, amber, 2.2); }
      if (marks.picked !== null) {
        const r = marks.wrong.has(marks.picked) ? 13 : 9;
        ring(marks.picked, r, paper, 5);
        ring(marks.picked, r, amber, 3);
      }
      if (!data.deep && !data.looks) names(ink, paper);
      if (lasso) {
        pen.beginPath();
        lasso.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](x, y));
        pen.closePath();
        pen.fillStyle = amber;
        pen.globalAlpha = 0.12;
        pen.fill();
        pen.globalAlpha = 1;
        pen.lineWidth = 1.5;
        pen.strokeStyle = amber;
        pen.stroke();
      }
    }

    /* A group's name stands at the middle of its points; where two would meet, the larger stays. */
    let middles = { of: null, t: 0, points: [] };  // sorting thousands of numbers a frame would be felt
    function middle_points() {
      if (middles.of === data.groups && middles.to === data.to && middles.t === view.t) return middles.points;
      const axes = data.names.map(() => [[], []]);
      for (let i = 0; i < data.count; i += 1) {
        const g = data.groups[i];
        if (g < 0 || g >= axes.length) continue;
        for (const axis of [0, 1]) axes[g][axis].push(data.from[3 * i + axis] + view.t * (data.to[3 * i + axis] - data.from[3 * i + axis]));
      }
      const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
      const points = axes.map(([x, y]) => ({ size: x.length, x: middle(x), y: middle(y) }));
      middles = { of: data.groups, to: data.to, t: view.t, points };
      return points;
    }

    const spot = (x, y) => [view.width / 2 + view.x + view.zoom * (x - view.middle[0]),
      view.height / 2 + view.y - view.zoom * (y - view.middle[1])];

    function names(ink, paper) {
      const groups = middle_points();
      pen.font = "600 12.5px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      const taken = [];
      const order = groups.map((g, k) => k).filter((k) => groups[k].size && !marks.hidden.has(k)).sort((a, b) => groups[b].size - groups[a].size);
      for (const k of order) {
        const name = data.names[k].length > 28 ? `${data.names[k].slice(0, 27)}…` : data.names[k];
        const [x, y] = spot(groups[k].x, groups[k].y), half = pen.measureText(name).width / 2 + 5;
        if (x < half || x > view.width - half || y < 10 || y > view.height - 10) continue;
        if (taken.some(([tx, ty, th]) => Math.abs(tx - x) < th + half && Math.abs(ty - y) < 19)) continue;
        taken.push([x, y, half]);
        pen.lineWidth = 4;
        pen.lineJoin = "round";
        pen.strokeStyle = paper;
        pen.strokeText(name, x, y);
        pen.fillStyle = ink;
        pen.fillText(name, x, y);
      }
    }

    /* ---- what is shown */
    function frame() {
      if (data.fixed) {
        view.middle = [0, 0, 0];
        fit = data.fixed(view.width, view.height);
        return;
      }
      let [low, high] = [[1e30, 1e30, 1e30], [-1e30, -1e30, -1e30]];
      for (const places of [data.from, data.to]) {
        for (let k = 0; k < places.length; k += 1) {
          const axis = k % 3;
          if (places[k] < low[axis]) low[axis] = places[k];
          if (places[k] > high[axis]) high[axis] = places[k];
        }
      }
      view.middle = low.map((v, k) => (v + high[k]) / 2);
      const size = low.map((v, k) => Math.max(high[k] - v, 1e-6));
      const room = [Math.max(40, view.width - 44), Math.max(40, view.height - 44)];
      const across = data.deep ? Math.hypot(...size) * 0.82 : null;
      fit = data.deep ? Math.min(...room) / across : Math.min(room[0] / size[0], room[1] / size[1]);
    }

    function reset() {
      frame();
      Object.assign(view, { zoom: fit, x: 0, y: 0 });
      [yaw, pitch] = [0.6, 0.35];
      turn();
    }

    function turn() {
      const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
      view.turn = data.deep ? [cy, sy * sp, -sy * cp, 0, cp, sp, sy, -cy * sp, cy * cp] : [1, 0, 0, 0, 1, 0, 0, 0, 1];
      redraw();
    }

    function paintLooks() {
      const shades = HUES[shade()].map(rgb), grey = rgb(GREY[shade()]);
      const bad = rgb(dark() ? "#ff8e84" : "#b3372f"), ice = rgb(dark() ? "#5fb4e8" : "#2a7ab0");
      const colours = new Uint8Array(4 * data.count), looks = new Float32Array(2 * data.count);
      const size = Math.max(SMALL, LARGE - 0.9 * Math.log10(Math.max(1, data.count / 60)));
      const dense = data.count > 3000 ? 190 : 225;
      for (let i = 0; i < data.count; i += 1) {
        const g = data.groups[i], look = data.looks?.[g];
        const ink = look === "bad" ? bad : look === "good" ? ice :
          g < 0 || look === "rest" ? grey : shades[g % shades.length];
        const hollow = marks.hollow.has(i), dim =
          [marks.found, marks.chosen].some((some) => some && !some.has(i));
        colours.set(ink, 4 * i);
        colours[4 * i + 3] = marks.hidden.has(g) ? 0 : dim ? 40 : look === "good" ? 120 : dense;
        looks[2 * i] = size * (look === "bad" ? 1.5 : hollow ? SMALLER : 1);
        looks[2 * i + 1] = (hollow ? HOLLOW : 0) + (look === "bad" ? 2 :
          look === "good" || g < 0 || look === "rest" ? 0 : g % SHAPES.length);
      }
      painter.looks(colours, looks);
      redraw();
    }

    /* fixed(width, height) → pixels for 1, about the middle of 0; without it all points fit. */
    function show({ from, to, deep, fixed }) {
      Object.assign(data, { count: to.length / 3, from, to, deep, fixed });
      if (!data.groups || data.groups.length !== data.count) { data.groups = new Int32Array(data.count).fill(-1); data.names = []; }
      painter.places(from, to);
      paintLooks();
      reset();
    }

    /* The same points go on from where they stand now. */
    function move(to, how, time) {
      const { from: old, to: last } = data, { t } = view;
      show({ ...how, from: last.map((v, k) => old[k] + t * (v - old[k])), to });
      view.t = 0;
      travel(1, (share) => share === 1 && show({ ...how, from: to, to }), time);
    }

    function colour(groups, names, looks) {
      Object.assign(data, { groups, names, looks: looks || null });
      marks.hidden = new Set();
      paintLooks();
    }

    function travel(goal, done, whole = 1100) {
      cancelAnimationFrame(timer);
      const start = view.t, began = performance.now(),
        time = calm() ? 0 : whole * Math.abs(goal - start);
      const step = (now) => {
        const share = time ? Math.min(1, (now - began) / time) : 1, eased = share * share * (3 - 2 * share);
        view.t = start + (goal - start) * eased;
        redraw();
        done?.(view.t);
        if (share < 1) timer = requestAnimationFrame(step);
      };
      timer = requestAnimationFrame(step);
    }

    /* ---- hands */
    function nearest(x, y, reach = REACH) {
      const at = screen();
      let best = null, least = reach * reach;
      for (let i = 0; i < data.count; i += 1) {
        if (marks.hidden.has(data.groups[i])) continue;
        const d = (at[2 * i] - x) ** 2 + (at[2 * i + 1] - y) ** 2;
        if (d < least) [best, least] = [i, d];
      }
      return best;
    }
    const here = (event) => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

    function hover(i) {
      tip.hidden = i === null;
      over.style.cursor = i !== null ? "pointer" : CURSORS[mode];
      if (i === null) return;
      tip.replaceChildren(...on.say(i).map((line, k) => {
        const node = make("div", k ? "soft" : "text");
        node.textContent = line;
        node.dir = "auto";
        return node;
      }));
      const [x, y] = [screen()[2 * i], screen()[2 * i + 1]];
      const width = Math.min(300, view.width - 16);
      tip.style.maxWidth = `${width}px`;
      tip.style.left = `${Math.max(8, Math.min(x + 14, view.width - tip.offsetWidth - 8))}px`;
      tip.style.top = `${y + 16 + tip.offsetHeight > view.height ? Math.max(4, y - tip.offsetHeight - 14) : y + 16}px`;
    }

    function zoomAt(factor, x = view.width / 2, y = view.height / 2) {
      const next = Math.max(fit * 0.4, Math.min(fit * 60, view.zoom * factor)), real = next / view.zoom;
      view.x = (x - view.width / 2) * (1 - real) + view.x * real;
      view.y = (y - view.height / 2) * (1 - real) + view.y * real;
      view.zoom = next;
      hover(null);
      redraw();
    }

    /* Where the map stands still, pointing picks, and arrow keys go from point to point. */
    function point(i) {
      over.style.cursor = i === null ? CURSORS.still : "pointer";
      if (i !== null && i !== marks.picked) on.pick(i);
    }
    function walk(by) {
      on.pick(((marks.picked ?? (by < 0 ? 0 : -1)) + by + data.count) % data.count);
    }

    const held = new Map();
    let moved = 0;
    over.addEventListener("pointerdown", (event) => {
      if (mode === "still") { point(nearest(...here(event))); return; }
      if (event.button) return;
      over.setPointerCapture(event.pointerId);
      held.set(event.pointerId, here(event));
      moved = 0;
      lasso = mode === "lasso" && held.size === 1 ? [here(event)] : null;
    });
    over.addEventListener("pointermove", (event) => {
      const [x, y] = here(event), last = held.get(event.pointerId);
      if (mode === "still") return point(nearest(x, y));
      if (!last) return hover(event.pointerType === "touch" ? null : nearest(x, y));
      const [dx, dy] = [x - last[0], y - last[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      if (held.size === 2) {
        const other = [...held].find(([id]) => id !== event.pointerId)[1];
        const before = Math.hypot(last[0] - other[0], last[1] - other[1]), now = Math.hypot(x - other[0], y - other[1]);
        zoomAt(now / Math.max(1, before), (x + other[0]) / 2, (y + other[1]) / 2);
      } else if (lasso) lasso.push([x, y]);
      else if (data.deep && !event.shiftKey) { yaw += dx / 160; pitch = Math.max(-1.5, Math.min(1.5, pitch + dy / 160)); turn(); }
      else { view.x += dx; view.y += dy; }
      held.set(event.pointerId, [x, y]);
      hover(null);
      return redraw();
    });
    const drop = (event) => {
      if (!held.delete(event.pointerId)) return;
      const path = lasso;
      lasso = null;
      redraw();
      if (moved < 6) { const i = nearest(...here(event), event.pointerType === "touch" ? 22 : REACH); if (event.type === "pointerup") on.pick(i); return; }
      if (!path || path.length < 3) return;
      const at = screen(), found = [];
      for (let i = 0; i < data.count; i += 1)
        if (!marks.hidden.has(data.groups[i]) && inside(at[2 * i], at[2 * i + 1], path)) found.push(i);
      on.select(found);
    };
    over.addEventListener("pointerup", drop);
    over.addEventListener("pointercancel", drop);
    over.addEventListener("pointerleave", () => hover(null));
    over.addEventListener("wheel", (event) => {
      if (mode === "still" || (!event.ctrlKey && !event.metaKey &&
        document.activeElement !== over)) return;  // the page scrolls past it
      event.preventDefault();
      zoomAt(Math.exp(-event.deltaY / 400), ...here(event));
    }, { passive: false });
    over.addEventListener("dblclick", (event) => mode !== "still" && zoomAt(2, ...here(event)));
    const STEPS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    over.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (mode === "still" && (!step || !data.count)) return;
      if (mode === "still") walk(-step[0] - step[1]);
      else if (step && data.deep) { yaw -= 0.12 * step[0]; pitch -= 0.12 * step[1]; turn(); }
      else if (step) { view.x += 40 * step[0]; view.y += 40 * step[1]; redraw(); }
      else if (event.key === "+" || event.key === "=") zoomAt(1.25);
      else if (event.key === "-") zoomAt(0.8);
      else if (event.key === "0") reset();
      else if (event.key === "Enter") on.pick(nearest(view.width / 2, view.height / 2, 1e4));
      else if (event.key === "Escape") on.pick(null);
      else return;
      event.preventDefault();
    });

    function resize(ratio = Math.min(2, window.devicePixelRatio || 1)) {
      const { clientWidth: width, clientHeight: height } = host, whole = view.zoom === fit;
      if (!width || !height) return;
      for (const canvas of layers()) Object.assign(canvas, { width: Math.round(width * ratio),
        height: Math.round(height * ratio) });
      Object.assign(view, { width, height, pixels: ratio });
      if (!data.count) return;
      if (whole) reset(); else redraw();
    }

    /* All of it on a canvas of its own, so many times as fine as on the page. */
    function picture(fine) {
      resize(fine);
      paint();
      const whole = make("canvas", "");
      Object.assign(whole, { width: base.width, height: base.height });
      for (const layer of layers()) whole.getContext("2d").drawImage(layer, 0, 0);
      resize();
      return whole;
    }
    new ResizeObserver(() => resize()).observe(host);
    new MutationObserver(() => data.count && paintLooks()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new MutationObserver(() => data.count && paintLooks()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    resize();

    return {
      show, move, colour, travel, reset, picture, named, zoom: zoomAt,
      kind: painter.kind, screen: () => Array.from(screen()),
      at: (t) => { cancelAnimationFrame(timer); view.t = t; redraw(); },
      mode: (wanted) => { mode = wanted; hover(null); },
      mark: (some) => {
        const { picked, near, fresh, wrong, ...looks } = some;
        Object.assign(marks, some);
        Object.keys(looks).length ? paintLooks() : redraw();
      },
      frames: (count) => new Promise((done) => {  // how fast it draws, for whoever measures
        const times = [];
        const step = (now) => { times.push(now); view.x += 1; stale = true; paint(); times.length > count ? done(times) : requestAnimationFrame(step); };
        requestAnimationFrame(step);
      }),
    };
  }

  /* The sign of a group in a legend: its hue and its shape. */
  function sign(g, look) {
    const NS = "http://www.w3.org/2000/svg", box = document.createElementNS(NS, "svg");
    box.setAttribute("viewBox", "-6 -6 12 12");
    box.setAttribute("class", `scatter-sign hue-${look || (g < 0 ? "rest" : g % HUES.light.length)}`);
    box.setAttribute("aria-hidden", "true");
    const shape = look === "bad" ? 2 : look || g < 0 ? 0 : g % SHAPES.length,
      path = document.createElementNS(NS, "path");
    path.setAttribute("d", SHAPES[shape]);
    box.append(path);
    return box;
  }

  return { chart, sign };
})();
