/* Windows of tokens as the model reads them: plain React, because there are thousands. Token text
   is hostile: it becomes text, with signs for what would hide or reorder it. */
(function () {
  "use strict";
  const SPECIAL = 1, CONTEXT = 2; // as components/token_windows.py
  const h = (...args) => window.React.createElement(...args);

  function token(text, kind, id, i) {
    const { shown } = window.actiscope.tokens;
    let className = "as-win-tok";
    if (kind & SPECIAL) className += " sp";
    if (kind & CONTEXT) className += " ctx";
    const breaks = kind & SPECIAL ? 0 : Math.min(2, text.split("\n").length - 1);
    const span = h("span", { key: i, className, title: `${i}: token ${id}` }, shown(text));
    return breaks ? [span, ...Array.from({ length: breaks }, (_, n) => h("br", { key: `${i}.${n}` }))]
      : span;
  }

  function strip(one, n) {
    const title = `Window ${n + 1}, ${one.title}`;
    return h("li", { key: n, className: "as-win" },
      h("div", { className: "as-strip-head" },
        h("span", null, title), h("span", { className: "as-num" }, one.note)),
      h("div", { className: "as-win-body", tabIndex: 0, role: "region", "aria-label": `${title}, ${one.note}` },
        one.tokens.map((text, i) => token(text, one.kinds[i], one.ids[i], i))));
  }

  function TokenWindows(props) {
    return h("ol", { id: props.id, className: "as-wins", "aria-label": props.label },
      (props.windows || []).map(strip));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.TokenWindows = TokenWindows;
})();
