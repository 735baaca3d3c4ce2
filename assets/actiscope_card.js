/* The card that explains a token: one per strip, moved about, never one per token. */
(function () {
  "use strict";
  const GAP = 6;

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function significant(value, digits = 3) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(digits - 1);
    return Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 });
  }

  function percent(logprob) {
    const share = 100 * Math.exp(logprob);
    if (share < 0.01) return "< 0.01 %";
    return (share >= 99.95 ? "100" : share.toPrecision(share < 1 ? 2 : 3)) + " %";
  }

  /* Where the token stands: position, part, probability. */
  function facts(props, i) {
    const parts = ["position " + i, i < props.segments ? "prompt" : "output"];
    if (props.special && props.special[i]) parts.push("special");
    const logprob = props.logprobs && props.logprobs[i];
    if (typeof logprob === "number") parts.push("p = " + percent(logprob));
    return parts.join(" · ");
  }

  /* "#7 capital cities": a link to the feature's page where the card can be clicked. */
  function featureName(props, id, interactive) {
    const name = element(interactive && props.featureBase ? "a" : "span", "as-card-id", "#" + id);
    if (name.tagName === "A") name.href = props.featureBase + id;
    const label = props.labels && props.labels[id];
    if (label) {
      name.append(" ", element("span", "as-card-label", window.actiscope.tokens.named(label)));
      name.title = label;
    }
    return name;
  }

  function featureRow(props, id, value, widest, interactive) {
    const row = element("div", "as-card-row");
    if (id === props.feature) row.classList.add("current");
    const track = element("span", "as-card-track");
    const bar = element("span", "as-card-bar");
    bar.style.width = Math.max(2, 100 * Math.min(1, Math.abs(value) / widest)) + "%";
    track.appendChild(bar);
    const size = element(interactive ? "button" : "span", "as-card-size");
    if (interactive) {
      size.type = "button";
      size.title = "Colour the tokens by this feature";
      size.setAttribute("aria-label", `Pin feature ${id}, activation ${significant(value)}`);
      size.dataset.feature = id;
    }
    size.append(track, element("span", "as-card-value", significant(value)));
    row.append(featureName(props, id, interactive), size);
    return row;
  }

  function featureList(props, i, interactive) {
    const flat = (props.top && props.top[i]) || [];
    const list = element("div", "as-card-list");
    let widest = 0;
    for (let j = 1; j < flat.length; j += 2) widest = Math.max(widest, Math.abs(flat[j]));
    for (let j = 0; j < flat.length; j += 2) {
      list.appendChild(featureRow(props, flat[j], flat[j + 1], widest || 1, interactive));
    }
    return list;
  }

  function note(props, i) {
    const flat = (props.top && props.top[i]) || [];
    if (flat.length) return null;
    if (!props.top || !props.top.length) return null; // features are not known yet
    return element("p", "as-card-note", "No feature fires here.");
  }

  function pinnedValue(props, i, interactive) {
    if (props.feature === null || props.feature === undefined) return null;
    const value = (props.values && props.values[i]) || 0;
    const line = element("p", "as-card-pinned");
    const name = featureName(props, props.feature, interactive);
    name.className = "as-card-feature";
    line.append(name,
      element("strong", "", value !== 0 ? significant(value) : "does not fire"));
    return line;
  }

  function fill(card, props, i, pinned) {
    const head = element("div", "as-card-head");
    head.appendChild(element("code", "as-card-token", window.actiscope.tokens.named(props.tokens[i])));
    if (pinned) {
      const close = element("button", "as-card-close", "✕");
      close.title = "Unpin (Esc)";
      close.type = "button";
      close.setAttribute("aria-label", "Unpin token");
      head.appendChild(close);
    }
    const parts = [head, element("p", "as-card-facts", facts(props, i)), pinnedValue(props, i, pinned),
      featureList(props, i, pinned), note(props, i)];
    card.replaceChildren(...parts.filter(Boolean));
    card.classList.toggle("pinned", pinned);
    card.setAttribute("aria-label", (pinned ? "Pinned token, position " : "Token, position ") + i);
  }

  /* Under the token, inside the host's width; above it where the window ends. */
  function place(card, host, span) {
    const frame = host.getBoundingClientRect();
    const box = span.getClientRects()[0] || span.getBoundingClientRect();
    const width = card.offsetWidth, height = card.offsetHeight;
    const left = Math.max(0, Math.min(box.left - frame.left, frame.width - width));
    const below = box.bottom + GAP + height <= window.innerHeight || box.top - GAP - height < 60;
    const top = below ? box.bottom - frame.top + GAP : box.top - frame.top - GAP - height;
    card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  window.actiscope = window.actiscope || {};
  window.actiscope.card = { fill, place, significant };
})();
