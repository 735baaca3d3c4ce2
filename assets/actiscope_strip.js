/* The TokenStrip component of components/token_strip.py. React renders the frame once; tokens are
   painted outside React, because a thousand React elements cost more than the whole page. */
(function () {
  "use strict";
  const { createElement: h, useLayoutEffect, useRef } = React;
  const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
  const AT_BOTTOM_PX = 32;

  class Strip {
    constructor(host) {
      this.host = host;
      this.scroller = host.querySelector(".as-strip-scroll");
      this.bodies = [...host.querySelectorAll(".as-strip-body")];
      this.card = host.querySelector(".as-card");
      this.state = window.actiscope.tokens.emptyState();
      this.props = {};
      this.focused = null; // the span that Tab reaches
      this.shownAt = null; // the position that the card explains
      this.events = 0;
      this.listen();
    }

    /* --- props in ------------------------------------------------------------------------- */

    update(props, startedAt) {
      this.props = props;
      const wasAtBottom = this.atBottom();
      const { added, coloured } = window.actiscope.tokens.paint(this.state, this.bodies, {
        tokens: props.tokens || [], special: props.special || [], split: props.segments || 0,
        values: props.values || [], max: props.max || 0,
      });
      this.markPinned();
      this.keepReachable();
      if (props.streaming && added && wasAtBottom) {
        this.scroller.scrollTop = this.scroller.scrollHeight;
      }
      this.refreshCard();
      if (added || coloured) this.measure(startedAt);
    }

    /* Writes how long the browser took from the arrival of the data until it had painted. */
    measure(startedAt) {
      this.host.dataset.painted = this.state.spans.length;
      requestAnimationFrame(() => setTimeout(() => {
        this.host.dataset.paintMs = (performance.now() - startedAt).toFixed(1);
      }));
    }

    atBottom() {
      const s = this.scroller;
      return s.scrollHeight - s.scrollTop - s.clientHeight <= AT_BOTTOM_PX;
    }

    get selected() {
      const selected = this.props.selected;
      return Number.isInteger(selected) && selected < this.state.spans.length ? selected : null;
    }

    markPinned() {
      const pinned = this.selected === null ? null : this.state.spans[this.selected];
      for (const old of this.host.querySelectorAll(".as-tok.pinned")) {
        if (old === pinned) continue;
        old.classList.remove("pinned");
        old.setAttribute("aria-selected", "false");
      }
      if (!pinned) return;
      pinned.classList.add("pinned");
      pinned.setAttribute("aria-selected", "true");
    }

    /* --- focus: one token is in the Tab order ------------------------------------------------ */

    visible(span) {
      return !!span && (this.props.showSpecial || !span._special);
    }

    keepReachable() {
      if (this.focused && this.focused.isConnected && this.visible(this.focused)) return;
      const pinned = this.selected === null ? null : this.state.spans[this.selected];
      const first = this.visible(pinned) ? pinned : this.state.spans.find((s) => this.visible(s));
      this.makeReachable(first || null);
    }

    makeReachable(span) {
      if (this.focused && this.focused !== span) this.focused.removeAttribute("tabindex");
      this.focused = span;
      if (span) span.tabIndex = 0;
    }

    focus(span) {
      this.makeReachable(span);
      span.focus({ preventScroll: true });
      span.scrollIntoView({ block: "nearest" });
    }

    step(from, by) {
      const spans = this.state.spans;
      let i = from + by;
      while (i >= 0 && i < spans.length && !this.visible(spans[i])) i += by;
      return spans[i] || null;
    }

    /* The nearest token on the line above (-1) or below (1). */
    line(from, by) {
      const here = this.state.spans[from].getBoundingClientRect();
      let best = null, bestTop = null, bestGap = Infinity;
      for (let span = this.step(from, by); span; span = this.step(span._position, by)) {
        const box = span.getBoundingClientRect();
        const away = by > 0 ? box.top >= here.bottom - 2 : box.bottom <= here.top + 2;
        if (!away) continue;
        if (bestTop === null) bestTop = box.top;
        if (Math.abs(box.top - bestTop) > 4) break;
        const gap = Math.abs(box.left - here.left);
        if (gap < bestGap) [best, bestGap] = [span, gap];
      }
      return best;
    }

    target(key, from) {
      if (STEPS[key]) return this.step(from, STEPS[key]);
      if (key === "ArrowDown") return this.line(from, 1);
      if (key === "ArrowUp") return this.line(from, -1);
      if (key === "Home") return this.step(-1, 1);
      if (key === "End") return this.step(this.state.spans.length, -1);
      return undefined;
    }

    /* --- the card --------------------------------------------------------------------------- */

    show(i) {
      const span = this.state.spans[i];
      if (!this.visible(span)) return this.hide();
      const pinned = i === this.selected;
      this.shownAt = i;
      this.card.hidden = false;
      window.actiscope.card.fill(this.card, this.props, i, pinned);
      window.actiscope.card.place(this.card, this.host, span);
    }

    hide() {
      this.shownAt = null;
      this.card.hidden = true;
    }

    refreshCard() {
      const at = this.selected !== null ? this.selected : this.shownAt;
      const stale = at === null || at >= this.state.spans.length;
      const unpinned = this.selected === null && this.card.classList.contains("pinned");
      if (stale || unpinned) this.hide();
      else this.show(at);
    }

    /* The card follows the pointer or the focus, unless a token is pinned. */
    preview(span) {
      if (this.selected === null) this.show(span._position);
    }

    name(span) {
      const i = span._position, value = this.props.values && this.props.values[i];
      const text = window.actiscope.tokens.named(this.props.tokens[i]);
      const fires = value ? `, activation ${window.actiscope.card.significant(value)}` : "";
      span.setAttribute("aria-label", `${text}, position ${i}${fires}`);
    }

    /* --- events out ------------------------------------------------------------------------- */

    pin(position) {
      this.events += 1;
      this.props.setProps({ selected: position, clicked: { position, n: this.events } });
    }

    pinFeature(feature) {
      this.events += 1;
      this.props.setProps({ hoverFeatureClicked: { feature, n: this.events } });
    }

    toggle(span) {
      const unpin = span._position === this.selected;
      this.focus(span);
      this.pin(unpin ? null : span._position);
    }

    unpin() {
      const span = this.state.spans[this.selected];
      this.pin(null);
      if (this.visible(span)) this.focus(span);
      this.hide();
    }

    onClick(event) {
      const token = event.target.closest(".as-tok");
      const row = event.target.closest("button.as-card-size");
      if (token && !window.getSelection().toString()) this.toggle(token);
      else if (row) this.pinFeature(Number(row.dataset.feature));
      else if (event.target.closest(".as-card-close")) this.unpin();
    }

    onKey(event) {
      if (event.key === "Escape") {
        if (this.selected !== null) this.unpin();
        else this.hide();
        return;
      }
      const token = event.target.closest(".as-tok");
      if (!token || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" || event.key === " ") this.toggle(token);
      else {
        const next = this.target(event.key, token._position);
        if (next === undefined) return; // not a key of ours
        if (next) this.focus(next);
      }
      event.preventDefault();
    }

    listen() {
      const on = (name, act) => this.host.addEventListener(name, act);
      const tokenOf = (event) => event.target.closest && event.target.closest(".as-tok");
      on("click", (event) => this.onClick(event));
      on("keydown", (event) => this.onKey(event));
      on("mouseover", (event) => { const t = tokenOf(event); if (t) this.preview(t); });
      on("mouseleave", () => { if (this.selected === null) this.hide(); });
      on("focusin", (event) => {
        const t = tokenOf(event);
        if (t) { this.name(t); this.preview(t); }
      });
      on("focusout", (event) => {
        if (this.selected === null && !this.host.contains(event.relatedTarget)) this.hide();
      });
      this.scroller.addEventListener("scroll", () => {
        if (this.shownAt !== null) {
          window.actiscope.card.place(this.card, this.host, this.state.spans[this.shownAt]);
        }
      }, { passive: true });
    }
  }

  function segment(name, count, hidden) {
    const tokens = count === 1 ? "1 token" : count.toLocaleString("en") + " tokens";
    return h("div", { className: "as-strip-segment", role: "group", "aria-label": name, hidden },
      h("div", { className: "as-strip-head", "aria-hidden": true },
        h("span", null, name), h("span", { className: "as-num" }, tokens)),
      h("div", { className: "as-strip-body", role: "presentation" }));
  }

  function TokenStrip(props) {
    const startedAt = performance.now();
    const ref = useRef(null), strip = useRef(null);
    const total = (props.tokens || []).length, split = Math.min(props.segments || 0, total);
    useLayoutEffect(() => {
      if (!strip.current) strip.current = new Strip(ref.current);
      strip.current.update(props, startedAt);
    });
    const className = ["as-strip", props.showSpecial ? "show-special" : "",
      props.streaming ? "streaming" : "", props.className || ""].filter(Boolean).join(" ");
    return h("div", { id: props.id, ref, className, "aria-busy": !!props.streaming },
      h("div", { className: "as-strip-scroll", role: "listbox",
        "aria-label": props.label || "Tokens" },
        segment("Prompt", split, false),
        segment("Output", total - split, total === split && !props.streaming)),
      h("div", { className: "as-card", role: "group", hidden: true }));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.TokenStrip = TokenStrip;
})();
