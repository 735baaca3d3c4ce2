/* The list of catalogue entries: plain React, because it is painted at each keystroke. What it
   shows comes as text and stays text. */
(function () {
  "use strict";
  const h = (...args) => window.React.createElement(...args);

  function entry(item, choose) {
    const label = `Add ${item.sae} of ${item.release}`;
    return h("li", { key: `${item.release}\n${item.sae}` },
      h("div", null,
        h("div", { className: "as-offer-name" },
          h("strong", { className: "as-break" }, item.sae),
          h("span", { className: "as-muted as-break" }, item.release)),
        h("div", { className: "as-offer-facts" },
          item.facts.map((fact, i) => h("span", { key: i }, fact)), neuronpedia(item)),
        item.problem && h("div", { className: "as-small as-warn as-break" }, item.problem)),
      !item.problem && h("button",
        { type: "button", className: "as-button as-button-quiet as-button-small",
          "aria-label": label, onClick: () => choose(item) }, "Add"));
  }

  function neuronpedia(item) {
    if (!/^https:/.test(item.neuronpedia || "")) return null;
    return h("a", { href: item.neuronpedia, target: "_blank", rel: "noopener noreferrer",
      "aria-label": `${item.sae} of ${item.release} on Neuronpedia` }, "on Neuronpedia");
  }

  function suggestion(text) {
    return text && h("a", { href: `/saes/add?${new URLSearchParams({ q: text })}` },
      `Search for “${text}”`);
  }

  function CatalogueList(props) {
    const n = ((props.chosen || {}).n || 0) + 1;
    const choose = (item) =>
      props.setProps({ chosen: { release: item.release, sae: item.sae, n } });
    const items = props.items || [];
    return h("div", { id: props.id, className: "as-results" },
      h("div", { className: "as-muted as-small", role: "status" }, props.note),
      suggestion(props.suggestion),
      items.length > 0 && h("ul", { className: "as-offers", "aria-label": props.label },
        items.map((item) => entry(item, choose))));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.CatalogueList = CatalogueList;
})();
