/* Painting tokens: one span per token, kept for as long as its token stays the same.

   Token text is hostile. It reaches the document as textContent only, and signs stand for the
   characters that would hide or reorder text: controls, bidirectional marks, zero width. */
(function () {
  "use strict";
  const LEVELS = 32; // as components/theme.py
  const SIGNS = { "\n": "⏎", "\r": "␍", "\t": "⇥" };
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const MAX_BREAKS = 2;

  function sign(character) {
    if (SIGNS[character]) return SIGNS[character];
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? "\\u" + code.padStart(4, "0") : "\\x" + code.padStart(2, "0");
  }

  /* The token as shown in its span: spaces stay spaces (dots are drawn over leading ones). */
  function shown(text) {
    return text === "" ? "∅" : text.replace(HIDDEN, sign);
  }

  /* The token as shown on its own, in a card: leading and trailing spaces become dots. */
  function named(text) {
    return shown(text).replace(/^ +| +$/g, (spaces) => "·".repeat(spaces.length));
  }

  /* The same rule as level_of in components/theme.py: 0 does not fire, 1..LEVELS. */
  function levelOf(value, top) {
    const size = Math.abs(value);
    if (!(size > 0) || !(top > 0)) return 0;
    return Math.min(LEVELS, 1 + Math.floor(Math.min(1, size / top) * (LEVELS - 1) + 0.5));
  }

  const model = document.createElement("span");
  model.className = "as-tok";
  model.setAttribute("role", "option");
  model.setAttribute("aria-selected", "false");

  function makeToken(text, special, position) {
    const span = model.cloneNode(false);
    span.textContent = shown(text);
    const spaces = text[0] === " " ? /^ +/.exec(text)[0].length : 0;
    if (spaces === text.length && spaces) span.setAttribute("aria-label", "space");
    if (spaces) span.dataset.ws = "·".repeat(Math.min(spaces, 80));
    span._position = position;
    span._level = 0;
    span._special = special;
    if (special) span.classList.add("sp");
    return span;
  }

  function breaksAfter(text, special) {
    const nodes = [];
    const count = Math.min(MAX_BREAKS, text.split("\n").length - 1);
    for (let i = 0; i < count; i++) {
      const line = document.createElement("br");
      if (special) line.className = "sp";
      nodes.push(line);
    }
    return nodes;
  }

  /* How many leading tokens of `next` are on the page already. */
  function keptPrefix(state, next) {
    const before = state.tokens;
    const limit = Math.min(before.length, next.tokens.length);
    let i = 0;
    while (
      i < limit && before[i] === next.tokens[i]
      && !!state.special[i] === !!next.special[i]
      && (i < state.split) === (i < next.split)
    ) i++;
    return i;
  }

  function truncate(state, kept) {
    for (const span of state.spans.splice(kept)) {
      while (span.nextSibling && span.nextSibling.nodeName === "BR") span.nextSibling.remove();
      span.remove();
    }
  }

  function append(state, bodies, next, from) {
    const parts = [document.createDocumentFragment(), document.createDocumentFragment()];
    for (let i = from; i < next.tokens.length; i++) {
      const special = !!next.special[i];
      const span = makeToken(next.tokens[i], special, i);
      state.spans.push(span);
      const part = parts[i < next.split ? 0 : 1];
      part.appendChild(span);
      for (const line of breaksAfter(next.tokens[i], special)) part.appendChild(line);
    }
    bodies[0].appendChild(parts[0]);
    bodies[1].appendChild(parts[1]);
  }

  /* Gives each span the level of its value; returns how many changed. */
  function colour(state, values, top) {
    let changed = 0;
    state.spans.forEach((span, i) => {
      const level = levelOf(values[i], top);
      if (level === span._level) return;
      if (span._level) span.classList.remove("l" + span._level);
      if (level) span.classList.add("l" + level);
      span._level = level;
      changed += 1;
    });
    return changed;
  }

  /* Brings the two bodies (prompt, output) to `next`; says how many tokens came and how many
     changed colour. */
  function paint(state, bodies, next) {
    const kept = keptPrefix(state, next);
    truncate(state, kept);
    append(state, bodies, next, kept);
    const coloured = colour(state, next.values, next.max);
    Object.assign(state, { tokens: next.tokens, special: next.special, split: next.split });
    return { added: next.tokens.length - kept, coloured };
  }

  function emptyState() {
    return { tokens: [], special: [], split: 0, spans: [] };
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.tokens = { paint, emptyState, shown, named, levelOf };
})();
