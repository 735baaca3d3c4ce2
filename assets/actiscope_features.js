/* Cells of the table of features. Tokens and labels are hostile text: they become text nodes, with
   signs for what would hide or reorder it. */
(function () {
  "use strict";
  const h = (...args) => window.React.createElement(...args);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const grid = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const RAREST = -6; // log10 of the density at which a bar begins
  const CHIPS = 8;
  const BEFORE = 26; // characters of an example before its token

  /* --- formatters ------------------------------------------------------------------------------ */

  grid.wholeNumber = (value) => (typeof value === "number" ? value.toLocaleString("en-US") : "–");
  grid.measured = (value) =>
    (typeof value === "number" ? window.actiscope.card.significant(value, 3) : "–");

  function share(value) {
    if (typeof value !== "number") return "–";
    const percent = 100 * value;
    return percent === 0 ? "0 %" : `${percent < 0.001 ? percent.toExponential(1)
      : Number(percent.toPrecision(3))} %`;
  }
  grid.shareOfOne = share;

  /* --- cells ----------------------------------------------------------------------------------- */

  /* The star of a row: what is pressed shows at once, the server hears of it through a store. */
  cells.FeatureStar = function FeatureStar(props) {
    const { data, node } = props;
    const [on, setOn] = window.React.useState(Boolean(props.value));
    window.React.useEffect(() => setOn(Boolean(props.value)), [props.value, data]);
    if (!data) return null;
    const toggle = () => {
      const wanted = !on;
      setOn(wanted);
      node.data.starred = wanted;
      const said = { feature: data.feature, on: wanted, at: Date.now() };
      window.dash_clientside.set_props(props.context.stars, { data: said });
    };
    return h("button", {
      type: "button", className: on ? "as-star on" : "as-star", onClick: toggle, tabIndex: -1,
      "aria-pressed": on, "aria-label": `Star feature ${data.feature}`,
    }, on ? "★" : "☆");
  };

  cells.FeatureTokens = function FeatureTokens({ value }) {
    if (!Array.isArray(value) || !value.length) return h("span", { className: "as-muted" }, "–");
    return h("span", { className: "as-chips" }, value.slice(0, CHIPS).map((text, i) =>
      h("code", { key: i, className: "as-chip" }, window.actiscope.tokens.named(text))));
  };

  /* The example, cut so that the token it is about is in sight. */
  cells.FeatureExample = function FeatureExample({ value, data }) {
    if (typeof value !== "string" || !value) return h("span", { className: "as-muted" }, "–");
    const shown = (points) => window.actiscope.tokens.shown(points.join("").replace(/ {2,}/g, " "));
    const points = Array.from(value); // the server counts code points
    if (!data.mark) return h("span", { className: "as-snippet" }, shown(points));
    const [from, to] = data.mark;
    const before = shown(points.slice(0, from));
    const cut = before.length > BEFORE ? "…" + before.slice(-BEFORE) : before;
    return h("span", { className: "as-snippet" }, h("span", null, cut),
      h("mark", null, shown(points.slice(from, to))),
      h("span", { className: "as-snippet-after" }, shown(points.slice(to))));
  };

  /* A share with its place on a logarithmic scale, from one in a million to always. */
  cells.FeatureDensity = function FeatureDensity({ value }) {
    if (typeof value !== "number") return h("span", { className: "as-muted" }, "–");
    const size = value > 0 ? Math.max(2, 100 * Math.min(1, 1 - Math.log10(value) / RAREST)) : 0;
    return h("span", { className: "as-density" },
      h("span", { className: "as-num" }, share(value)),
      h("span", { className: "as-density-bar", "aria-hidden": "true" },
        h("span", { style: { width: `${size}%` } })));
  };

  cells.FeatureLabel = function FeatureLabel({ value, data }) {
    if (!data) return null;
    if (data.skipped && !value) {
      return h("span", { className: "as-muted", title: data.skipped }, "skipped");
    }
    const text = value ? window.actiscope.tokens.shown(value) : "";
    const more = data.n_labels > 1 ? h("span", { className: "as-count" }, data.n_labels) : null;
    return h("span", { title: text, className: "as-cell-label" }, text, more);
  };

  /* --- keys: Enter or Space on a cell presses what is in it -------------------------------------- */

  grid.pressInCell = function (params) {
    const event = params.event;
    if (!event || (event.key !== "Enter" && event.key !== " ")) return;
    const cell = event.target.closest(".ag-cell");
    const inside = cell && cell.querySelector("button, a");
    if (!inside || event.target === inside) return;
    event.preventDefault();
    inside.click();
  };
})();
