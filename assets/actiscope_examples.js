/* The ExampleLines component of components/example_lines.py. React renders the frame once; tokens
   are painted outside React, because hundreds of elements cost more than the whole page. Token text
   is hostile: it becomes textContent, with signs for what would hide or reorder it. */
(function () {
  "use strict";
  const { createElement: h, useLayoutEffect, useRef } = React;
  const PROMPT_CHARS = 1500; // of an address

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function token(line, i, top) {
    const { shown, levelOf } = window.actiscope.tokens;
    const isIt = i === line.at, text = line.tokens[i], value = line.values[i] || 0;
    if (!text && !isIt) return null; // a part of a character that a later token ends
    const level = levelOf(value, top);
    const names = ["as-tok", level ? "l" + level : "", line.special[i] ? "sp" : "", isIt ? "as-it" : ""];
    const span = make(isIt ? "mark" : "span", names.filter(Boolean).join(" "), shown(text));
    span.dataset.token = line.ids[i];
    span.title = line.special[i] ? `special token ${line.ids[i]}`
      : `token ${line.ids[i]}` + (value ? `, activation ${value}` : "");
    return span;
  }

  function run(line, from, to, top, breaks) {
    const part = document.createDocumentFragment();
    for (let i = from; i < to; i++) {
      const span = token(line, i, top);
      if (span) part.appendChild(span);
      if (breaks && !line.special[i] && line.tokens[i].includes("\n")) part.appendChild(make("br"));
    }
    return part;
  }

  function address(line, fields) {
    const text = line.tokens.filter((_, i) => !line.special[i]).join("");
    return "/?" + new URLSearchParams({ prompt: text.slice(0, PROMPT_CHARS), ...fields });
  }

  function acts(line, props) {
    const box = make("span", "as-line-acts");
    const open = make("button", "as-line-act", "Document");
    open.type = "button";
    open.dataset.open = line.position;
    open.setAttribute("aria-label", `Whole document of the example at ${line.shown}`);
    box.appendChild(open);
    if (props.run) {
      const link = make("a", "as-line-act", "Run");
      link.href = address(line, props.run);
      link.setAttribute("aria-label", `Run the example at ${line.shown} in the playground`);
      box.appendChild(link);
    }
    return box;
  }

  function aligned(line, top) {
    const box = make("div", "as-line-text"), before = make("span", "as-line-before");
    const inner = make("span"), after = make("span", "as-line-after");
    inner.appendChild(run(line, 0, line.at, top, false));
    before.appendChild(inner);
    after.appendChild(run(line, line.at, line.tokens.length, top, false));
    box.append(before, after);
    return box;
  }

  function running(line, top) {
    const box = make("div", "as-line-text as-context");
    box.appendChild(run(line, 0, line.tokens.length, top, true));
    return box;
  }

  function item(line, props) {
    const li = make("li", "as-line");
    if (line.shown) li.appendChild(make("span", "as-line-value as-num", line.shown));
    li.appendChild(props.mode === "text" ? running(line, props.max) : aligned(line, props.max));
    if (line.shown) li.appendChild(acts(line, props));
    if (line.note) li.appendChild(make("div", "as-line-note", line.note));
    return li;
  }

  function chip(one) {
    const button = make("button", "as-chip as-chip-act", one.text);
    button.type = "button";
    button.dataset.chip = one.id;
    button.title = one.title;
    button.style.setProperty("--weight", `${Math.round(one.weight * 100)}%`);
    button.setAttribute("aria-pressed", "false");
    return button;
  }

  class Lines {
    constructor(host) {
      this.host = host;
      this.list = host.querySelector("ol");
      this.chips = host.querySelector(".as-line-chips");
      this.kept = null; // the chip that stays marked
      this.events = 0;
      this.drawn = "";
      host.addEventListener("click", (event) => this.onClick(event));
      for (const name of ["mouseover", "focusin"]) {
        host.addEventListener(name, (event) => this.point(event.target.closest("[data-chip]")));
      }
      for (const name of ["mouseout", "focusout"]) host.addEventListener(name, () => this.point(null));
    }

    update(props) {
      this.props = props;
      const drawn = JSON.stringify([props.lines, props.max, props.mode, props.chips, props.run]);
      if (drawn === this.drawn) return;
      this.drawn = drawn;
      this.kept = null;
      this.chips.replaceChildren(...(props.chips || []).map(chip));
      this.list.replaceChildren(...(props.lines || []).map((line) => item(line, props)));
    }

    mark(id) {
      for (const old of this.list.querySelectorAll(".as-hit")) old.classList.remove("as-hit");
      if (id === null) return;
      for (const span of this.list.querySelectorAll(`[data-token="${id}"]`)) {
        span.classList.add("as-hit");
      }
    }

    point(button) {
      this.mark(button ? button.dataset.chip : this.kept);
    }

    onClick(event) {
      const button = event.target.closest("[data-chip]"), open = event.target.closest("[data-open]");
      if (button) {
        this.kept = this.kept === button.dataset.chip ? null : button.dataset.chip;
        for (const one of this.chips.children) {
          one.setAttribute("aria-pressed", String(one.dataset.chip === this.kept));
        }
        this.mark(this.kept);
      } else if (open) {
        this.events += 1;
        this.props.setProps({ opened: { position: Number(open.dataset.open), n: this.events } });
      }
    }
  }

  function ExampleLines(props) {
    const ref = useRef(null), lines = useRef(null);
    useLayoutEffect(() => {
      if (!lines.current) lines.current = new Lines(ref.current);
      lines.current.update(props);
    });
    const { id } = props;
    return h("div", { id: typeof id === "object" ? JSON.stringify(id, Object.keys(id).sort()) : id, ref, className: "as-lines-box" },
      h("div", { className: "as-line-chips", role: "group", "aria-label": `Tokens of ${props.label}`,
        hidden: !(props.chips || []).length }),
      h("ol", { className: "as-lines", "aria-label": props.label }));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.ExampleLines = ExampleLines;
})();
