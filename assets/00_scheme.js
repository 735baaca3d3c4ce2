/* Sets the colour scheme before the first paint, so that a dark page never flashes white.
   Mantine keeps the choice under this key and takes over once it is mounted. */
(function () {
  "use strict";
  let chosen = null;
  try {
    chosen = localStorage.getItem("mantine-color-scheme-value");
  } catch {
    chosen = null; // storage is blocked: follow the system
  }
  const dark = chosen === "dark"
    || (chosen !== "light" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  const root = document.documentElement;
  root.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
  root.setAttribute("data-ag-theme-mode", dark ? "dark" : "light");
})();
