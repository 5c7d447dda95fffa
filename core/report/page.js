/* Draws every figure of the page, in the theme of who reads it; one in what is folded when it is opened. */
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const themed = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
  themed();
  dark.addEventListener("change", themed);
  const seen = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => {
    if (!isIntersecting) return;
    seen.unobserve(target);
    window.thawFigures.draw(target, figures[target.dataset.figure]);
  }), { rootMargin: "400px" });
  document.querySelectorAll("[data-figure]").forEach((host) => seen.observe(host));
})();
