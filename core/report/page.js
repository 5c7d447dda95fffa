/* Draws every figure of the page: one in what is folded when it is first opened. */
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendDataToCloud", "lasso2d", "select2d"] };
  const draw = (host) => {
    if (host.dataset.drawn || !host.clientWidth) return;
    host.dataset.drawn = "1";
    const { data, layout } = figures[host.dataset.figure];
    window.Plotly.newPlot(host, data, layout, options);
  };
  const all = [...document.querySelectorAll("[data-figure]")];
  all.forEach(draw);
  document.addEventListener("toggle", () => all.forEach(draw), true);
})();
