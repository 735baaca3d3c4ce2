/* The FeatureCanvas component of components/feature_map.py: up to 131,072 points on a 2D canvas.
   Plotly's WebGL traces compile code at run time, which this server's content policy refuses; a
   canvas draws as many points within a frame. What is chosen here stands in a table below, and can
   be chosen without a pointer there. */
(function () {
  "use strict";
  const { createElement: h, useEffect, useLayoutEffect, useRef, useState } = React;
  const NEAR_PX = 9, CLICK_PX = 4, PALEST = 0.3; // the palest colours vanish on a light page

  const bytes = (text) => Uint8Array.from(atob(text || ""), (c) => c.charCodeAt(0)).buffer;

  function decoded(points) {
    return {
      features: new Int32Array(bytes(points.features)),
      x: new Float32Array(bytes(points.x)),
      y: new Float32Array(bytes(points.y)),
      colour: new Uint8Array(bytes(points.colour)),
      value: new Float32Array(bytes(points.value)),
    };
  }

  function members(text) {
    const found = new Set();
    for (const span of (text || "").split(",")) {
      const [first, last] = span.split("-").map(Number);
      if (span) for (let id = first; id <= (last === undefined ? first : last); id++) found.add(id);
    }
    return found;
  }

  function spans(ids) {
    const found = [];
    for (const id of ids.sort((a, b) => a - b)) {
      const last = found[found.length - 1];
      if (last && id === last[1] + 1) last[1] = id; else found.push([id, id]);
    }
    return found.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(",");
  }

  function inside(path, x, y) {
    let is = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
      const [xi, yi] = path[i], [xj, yj] = path[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) is = !is;
    }
    return is;
  }

  const SHAPES = {
    circle: (c, x, y, r) => c.arc(x, y, r, 0, 6.3),
    square: (c, x, y, r) => c.rect(x - r, y - r, 2 * r, 2 * r),
    diamond: (c, x, y, r) => { c.moveTo(x, y - r - 1); c.lineTo(x + r + 1, y); c.lineTo(x, y + r + 1); c.lineTo(x - r - 1, y); },
    up: (c, x, y, r) => { c.moveTo(x, y - r - 1); c.lineTo(x + r + 1, y + r); c.lineTo(x - r - 1, y + r); },
    down: (c, x, y, r) => { c.moveTo(x, y + r + 1); c.lineTo(x + r + 1, y - r); c.lineTo(x - r - 1, y - r); },
  };

  class Plot {
    constructor(canvas, tip) {
      this.canvas = canvas; this.tip = tip; this.chosen = new Set(); this.path = null;
      this.points = decoded({}); this.view = null;
    }

    load(props) {
      const other = this.map !== props.points.map;
      this.points = decoded(props.points); this.legend = props.legend; this.labels = props.labels || {};
      this.map = props.points.map;
      this.order = new Map(); // points by colour: a colour is set once
      this.points.colour.forEach((c, i) => {
        if (!this.order.has(c)) this.order.set(c, []);
        this.order.get(c).push(i);
      });
      if (other || !this.view) this.fit();
    }

    fit() {
      const { x, y } = this.points;
      let [a, b, c, d] = [Infinity, -Infinity, Infinity, -Infinity];
      for (let i = 0; i < x.length; i++) {
        a = Math.min(a, x[i]); b = Math.max(b, x[i]); c = Math.min(c, y[i]); d = Math.max(d, y[i]);
      }
      const box = this.canvas.getBoundingClientRect();
      const scale = 0.92 * Math.min(box.width / (b - a || 1), box.height / (d - c || 1));
      this.start = Number.isFinite(scale) && scale > 0 ? scale : 1;
      this.view = { x: (a + b) / 2, y: (c + d) / 2, scale: this.start };
    }

    place(i) {
      const { x, y, scale } = this.view;
      return [(this.points.x[i] - x) * scale + this.width / 2, this.height / 2 - (this.points.y[i] - y) * scale];
    }

    zoom(factor, at) {
      const [px, py] = at || [this.width / 2, this.height / 2], v = this.view;
      const dx = (px - this.width / 2) / v.scale, dy = (this.height / 2 - py) / v.scale;
      v.x += dx - dx / factor; v.y += dy - dy / factor; v.scale *= factor;
      this.draw();
    }

    move(dx, dy) { this.view.x -= dx / this.view.scale; this.view.y += dy / this.view.scale; this.draw(); }

    colourOf(code, style) {
      const { kind, colours, levels } = this.legend;
      if (kind === "group") return colours[code];
      if (!code) return colours[0];
      const level = Math.round((PALEST + (1 - PALEST) * (code - 1) / 254) * levels);
      return style.getPropertyValue(`--as-l${Math.max(1, level)}`).trim();
    }

    draw() {
      const box = this.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
      if (!box.width || !this.view) return;
      this.width = box.width; this.height = box.height;
      if (this.canvas.width !== Math.round(box.width * ratio)) this.canvas.width = Math.round(box.width * ratio);
      if (this.canvas.height !== Math.round(box.height * ratio)) this.canvas.height = Math.round(box.height * ratio);
      const c = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.clearRect(0, 0, box.width, box.height);
      const n = this.points.x.length, zoomed = Math.sqrt(Math.max(1, this.view.scale / this.start));
      this.radius = Math.min(7, Math.max(1.2, 5.2 - Math.log10(Math.max(n, 10))) * zoomed + 0.4);
      for (const code of [...this.order.keys()].sort((a, b) => a - b)) this.drawColour(c, code, style);
      this.drawChosen(c, style);
      this.drawPath(c, style);
    }

    drawColour(c, code, style) {
      const faint = this.legend.kind === "group" && code === 0;
      c.fillStyle = this.colourOf(code, style);
      c.globalAlpha = this.chosen.size ? 0.25 : faint ? 0.45 : 0.9;
      const shape = SHAPES[(this.legend.shapes || [])[code]] || SHAPES.circle;
      const r = this.radius, plain = this.order.get(code).length > 20000 || r < 1.8;
      for (const i of this.order.get(code)) {
        const [x, y] = this.place(i);
        if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
        if (plain) { c.fillRect(x - r, y - r, 2 * r, 2 * r); continue; }
        c.beginPath(); shape(c, x, y, r); c.fill();
      }
      c.globalAlpha = 1;
    }

    drawChosen(c, style) {
      if (!this.chosen.size) return;
      c.strokeStyle = style.getPropertyValue("--as-accent"); c.lineWidth = 1.5;
      this.points.features.forEach((id, i) => {
        if (!this.chosen.has(id)) return;
        const [x, y] = this.place(i);
        c.fillStyle = this.colourOf(this.points.colour[i], style);
        c.beginPath(); c.arc(x, y, this.radius + 1, 0, 6.3); c.fill(); c.stroke();
      });
    }

    drawPath(c, style) {
      if (!this.path || this.path.length < 2) return;
      c.strokeStyle = style.getPropertyValue("--as-accent"); c.lineWidth = 1.5;
      c.fillStyle = style.getPropertyValue("--as-accent"); c.beginPath();
      this.path.forEach(([x, y], k) => (k ? c.lineTo(x, y) : c.moveTo(x, y)));
      c.closePath(); c.stroke(); c.globalAlpha = 0.08; c.fill(); c.globalAlpha = 1;
    }

    nearest(px, py) {
      let best = -1, least = NEAR_PX * NEAR_PX;
      for (let i = 0; i < this.points.x.length; i++) {
        const [x, y] = this.place(i), far = (x - px) ** 2 + (y - py) ** 2;
        if (far < least) { least = far; best = i; }
      }
      return best;
    }

    within(path) {
      const found = [];
      for (let i = 0; i < this.points.x.length; i++) {
        const [x, y] = this.place(i);
        if (inside(path, x, y)) found.push(this.points.features[i]);
      }
      return found;
    }

    hover(i) {
      this.canvas.style.cursor = i < 0 ? "" : "pointer";
      this.tip.hidden = i < 0;
      if (i < 0) return;
      const [x, y] = this.place(i), id = this.points.features[i], value = this.points.value[i];
      const { kind, title, names } = this.legend;
      const said = kind === "group" ? names[this.points.colour[i]]
        : Number.isFinite(value) ? `${title} ${Number(value.toPrecision(3))}` : `${title} not known`;
      this.tip.textContent = [`#${id}`, this.labels[id], said].filter(Boolean).join(" · ");
      this.tip.style.left = `${Math.min(x + 12, this.width - 180)}px`;
      this.tip.style.top = `${Math.max(0, y - 34)}px`;
    }
  }

  function pointer(event, canvas) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function follow(plot, current) {
    const canvas = plot.canvas;
    let from = null, last = null, moved = false;
    const down = (event) => {
      if (event.button) return;
      from = last = pointer(event, canvas); moved = false;
      if (current().mode === "loop") plot.path = [from];
      if (current().mode) canvas.setPointerCapture(event.pointerId);
    };
    const move = (event) => {
      const at = pointer(event, canvas);
      if (!from) return plot.hover(plot.nearest(...at));
      if (Math.hypot(at[0] - from[0], at[1] - from[1]) > CLICK_PX) moved = true;
      if (!moved) return;
      plot.hover(-1);
      if (current().mode === "loop") { plot.path.push(at); plot.draw(); }
      if (current().mode === "move") plot.move(at[0] - last[0], at[1] - last[1]);
      last = at;
    };
    const up = (event) => {
      if (!from) return;
      const at = pointer(event, canvas), path = plot.path;
      from = null; plot.path = null;
      if (!moved) {
        const i = plot.nearest(...at);
        if (i >= 0) current().open(plot.points.features[i]);
      } else if (path) {
        current().select(plot.within(path));
        plot.draw();
      }
    };
    const leave = () => plot.hover(-1);
    const wheel = (event) => {
      if (current().mode !== "move" && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      plot.zoom(Math.exp(-event.deltaY / 300), pointer(event, canvas));
    };
    const key = (event) => {
      const steps = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
      if (steps[event.key]) plot.move(...steps[event.key]);
      else if (event.key === "+") plot.zoom(1.4);
      else if (event.key === "-") plot.zoom(1 / 1.4);
      else if (event.key === "0") { plot.fit(); plot.draw(); } else return;
      event.preventDefault();
    };
    const on = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, pointerleave: leave, keydown: key };
    for (const [name, act] of Object.entries(on)) canvas.addEventListener(name, act);
    canvas.addEventListener("wheel", wheel, { passive: false });
    return () => {
      for (const [name, act] of Object.entries(on)) canvas.removeEventListener(name, act);
      canvas.removeEventListener("wheel", wheel);
    };
  }

  function FeatureCanvas(props) {
    const canvas = useRef(null), tip = useRef(null), plot = useRef(null), now = useRef({});
    const coarse = window.matchMedia("(pointer: coarse)").matches;
    const [mode, setMode] = useState(coarse ? null : "loop");
    now.current = {
      mode,
      open: (feature) => props.setProps({ opened: { feature, n: Date.now() } }),
      select: (ids) => props.setProps({ selected: { ids: spans(ids), n: Date.now() } }),
    };
    useLayoutEffect(() => {
      plot.current = new Plot(canvas.current, tip.current);
      const stop = follow(plot.current, () => now.current);
      const redraw = () => plot.current.order && plot.current.draw();
      const sized = new ResizeObserver(redraw), themed = new MutationObserver(redraw);
      sized.observe(canvas.current);
      themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
      return () => { stop(); sized.disconnect(); themed.disconnect(); };
    }, []);
    useLayoutEffect(() => {
      if (!props.points) return;
      plot.current.load(props);
      plot.current.draw();
    }, [props.points, props.legend, props.labels]);
    useEffect(() => {
      plot.current.chosen = members(props.chosen);
      if (plot.current.order) plot.current.draw();
    }, [props.chosen, props.points]);
    const press = (name) => ({
      type: "button", className: "as-map-tool", "aria-pressed": mode === name,
      onClick: () => setMode(mode === name ? null : name),
    });
    const act = (label, text, run) => h("button", { type: "button", className: "as-map-tool", "aria-label": label, title: label, onClick: run }, text);
    const tools = h("div", { className: "as-map-tools", role: "group", "aria-label": "Map" },
      h("button", press("loop"), "Loop"), h("button", press("move"), "Move"),
      act("Larger", "+", () => plot.current.zoom(1.4)), act("Smaller", "−", () => plot.current.zoom(1 / 1.4)),
      act("Whole map", "Fit", () => { plot.current.fit(); plot.current.draw(); }));
    const drawn = h("canvas", { ref: canvas, tabIndex: 0, role: "img", "aria-label": props.label,
      style: { touchAction: mode ? "none" : "auto" } });
    return h("div", { id: props.id, className: "as-map-box" }, tools, drawn,
      h("div", { ref: tip, className: "as-map-tip", hidden: true }));
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.FeatureCanvas = FeatureCanvas;
})();
