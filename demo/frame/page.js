/* On a phone the working set would cover the page: it starts closed there. */
(() => {
  if (window.innerWidth >= 768) return;
  const started = Date.now();
  const timer = setInterval(() => {
    const sidebar = document.querySelector("#working-set");
    const closed = sidebar && !sidebar.classList.contains("open");
    if (sidebar && !closed) sidebar.querySelector(".toggle-button").click();
    if (closed || Date.now() - started > 10000) clearInterval(timer);
  }, 60);
})();
