/* Elements that only are to be read, painted by one component: see components/still.py. */
(function () {
  "use strict";

  function painted(node, key) {
    if (node === null || typeof node !== "object") return node;
    if (Array.isArray(node)) return node.map(painted);
    const children = node.children;
    const inside = Array.isArray(children) ? children.map(painted) : [painted(children)];
    return window.React.createElement(node.tag, { ...node.attributes, key }, ...inside);
  }

  function Still(props) {
    return window.React.createElement("div", { id: props.id, className: "as-still" },
      painted(props.tree));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.Still = Still;
})();
