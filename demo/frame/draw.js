/* What all pictures share. Text from people only ever becomes textContent or an attribute. */
window.thaw = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === false || value === null || value === undefined) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style")
        for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return node;
  }
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes,
    children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);
  /* Isolated, so that a right-to-left sentence leaves the words around it alone. */
  const words = (text, kind) => h("bdi", { class: kind || "", dir: "auto" }, text);

  const minus = (text) => text.replace("-", "−");
  function number(value, digits, signed) {
    const text = minus(value.toFixed(digits));
    const zero = /^−0\.?0*$/.test(text) ? text.slice(1) : text;
    return signed && !zero.startsWith("−") && Number(value.toFixed(digits)) !== 0 ? "+" +
      zero : zero;
  }
  /* .87 where room is short; a whole part is never dropped. */
  const short = (text) => text.replace(/^([+−]?)0\./, "$1.");

  const count = (n) => n.toLocaleString("en");
  const plural = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
  const percent = (value) => `${number(100 * value, 1)} %`;
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const title = (name) => capital(name).replaceAll("_", " ");
  const look = (k) => `look-${Math.max(0, k) % 6}`;
  const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const warn = (...told) =>
    h("p", { class: "warn" }, h("span", { "aria-hidden": "true" }, "⚠ "), ...told);

  /* Draws now, and again whenever Python sends another value; a failed drawing says so. */
  function keep(element, props, watch, draw) {
    const host = element.querySelector(".thaw-picture");
    const go = () => {
      const value = props.value;
      if (!value) return;
      draw(host, JSON.parse(JSON.stringify(value)));  // reading Gradio's own value is slow
      host.dataset.drawn = String(Number(host.dataset.drawn || 0) + 1);
    };
    watch("value", go);
    go();
    return host;
  }

  function save(name, kind, text) {
    const href = URL.createObjectURL(new Blob([text], { type: kind }));
    const link = h("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const LONGEST_LINK = 2000;
  const SHARED = ["s", "metric", "predict"];
  function share(state) {
    const url = new URL(window.location.href);
    for (const name of SHARED) url.searchParams.delete(name);
    for (const [name, value] of Object.entries(state || {})) url.searchParams.set(name, value);
    if (url.href.length > LONGEST_LINK) for (const name of SHARED) url.searchParams.delete(name);
    window.history.replaceState(null, "", url);
  }

  return { h, svg, words, number, short, count, plural, percent, capital, title, look, calm, warn,
           keep, save, share };
})();
