/* What pages call in the browser: colour scheme, URL, navigation rail, copying, grid formatters. */
(function () {
  "use strict";
  const noUpdate = () => window.dash_clientside.no_update;
  let templates = null;

  /* --- colour scheme ------------------------------------------------------------------------ */

  function scheme() {
    return document.documentElement.getAttribute("data-mantine-color-scheme") === "dark"
      ? "dark" : "light";
  }

  /* A figure says in template.layout.meta which scheme it was drawn for. */
  function adjust(graph) {
    const template = templates && templates[scheme()];
    if (!template || !graph.layout || !graph.layout.template) return;
    const drawn = (graph.layout.template.layout || {}).meta;
    if (drawn && drawn.actiscope && drawn.actiscope !== scheme()) {
      window.Plotly.relayout(graph, { template });
    }
  }

  function watch(graph) {
    if (graph._actiscope || !graph.on) return;
    graph._actiscope = true;
    graph.on("plotly_afterplot", () => adjust(graph));
    adjust(graph);
  }

  function watchAll() {
    document.querySelectorAll(".js-plotly-plot").forEach(watch);
  }

  function syncScheme(computed, given) {
    templates = given || templates;
    document.documentElement.setAttribute("data-ag-theme-mode", scheme());
    watchAll();
    document.querySelectorAll(".js-plotly-plot").forEach(adjust);
    return noUpdate();
  }

  /* Mantine's modal has a <header>, which in a dialog counts as a second banner of the page. */
  function calmModals() {
    document.querySelectorAll("header.mantine-Modal-header:not([role])")
      .forEach((header) => header.setAttribute("role", "presentation"));
  }

  new MutationObserver(() => { watchAll(); calmModals(); })
    .observe(document.documentElement, { childList: true, subtree: true });

  /* --- the rail on narrow screens --------------------------------------------------------------- */

  function toggleRail(opened, navbar) {
    return { ...navbar, collapsed: { ...(navbar || {}).collapsed, mobile: !opened } };
  }

  const closeRail = () => false;

  /* The entry of the page, of the page above it, or of one that belongs to it. */
  function lightRail(pathname) {
    const isHere = (path) => pathname === path || (path !== "/" && pathname.startsWith(path + "/"));
    return window.dash_clientside.callback_context.outputs_list
      .map(({ id }) => id.paths.split(" ").some(isHere));
  }

  /* --- copying ------------------------------------------------------------------------------------ */

  async function copyText(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // plain http on another machine
    area.value = text;
    area.className = "as-offscreen";
    document.body.appendChild(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest && event.target.closest("button[data-copy]");
    if (!button) return;
    const source = button.parentElement.querySelector(button.dataset.copy);
    await copyText(source ? source.textContent : "");
    const label = button.querySelector(".as-copy-label");
    button.classList.add("copied");
    if (label) label.textContent = "Copied";
    setTimeout(() => {
      button.classList.remove("copied");
      if (label) label.textContent = "Copy";
    }, 1500);
  });

  /* --- AG Grid: functions that column definitions name --------------------------------------------- */

  const grid = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  grid.significant = (value) => window.actiscope.card.significant(value, 4);
  grid.visibleToken = (text) => (typeof text === "string" ? window.actiscope.tokens.named(text) : "");

  /* The cell of a feature: its number, leading to its page (the row's `href`). */
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  cells.FeatureLink = ({ value, data }) => data && data.href
    ? React.createElement("a", { href: data.href }, String(value)) : String(value ?? "");

  /* --- links that are no components of Dash: in the strip, figures, grids, tables ------------------------ */

  const INSIDE = ".as-strip, .as-figure, .as-grid, .as-still";

  /* Follows them as Dash follows its own: without loading the application again. */
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a");
    if (!link || event.defaultPrevented || event.button || !link.closest(INSIDE)) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const href = link.getAttribute("href") || link.getAttribute("xlink:href") || "";
    if (!/^\/(?!\/)/.test(href)) return;
    event.preventDefault();
    window.history.pushState({}, "", href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  });

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.actiscope = {
    ...window.dash_clientside.actiscope, syncScheme, toggleRail, closeRail, lightRail,
  };
})();
