"""What the extractions' pages do in the browser without asking the server. See `clientside`."""

from __future__ import annotations

from typing import Final


def pick(most: int) -> str:
    """Boxes into the choice; at most so many SAEs, all of the model of the first one."""
    return _PICK.replace("MOST", str(most))


_PICK: Final = """
(checked, cleared, ids, before) => {
  const {callback_context: {triggered_id}, no_update} = window.dash_clientside;
  const shown = new Map(ids.map((id, i) => [id.sae, {model: id.model, on: Boolean(checked[i])}]));
  const old = (before && before.saes) || [];
  let saes = old.filter(name => !shown.has(name) || shown.get(name).on);
  for (const [name, box] of shown) if (box.on && !saes.includes(name)) saes.push(name);
  saes = triggered_id === 'new-clear' ? [] : saes.slice(0, MOST);
  const seen = saes.map(name => shown.get(name)).find(box => box && box.model);
  const model = !saes.length ? null : (before && before.model) || (seen ? seen.model : null);
  const open = ({model: own}) => own && (!model || own === model) && saes.length < MOST;
  const disabled = ids.map(id => !saes.includes(id.sae) && !open(id));
  const others = model && ids.some(id => id.model && id.model !== model);
  let words = saes.length ? `${saes.length} of at most MOST chosen` : 'None chosen';
  if (saes.length && saes.length <= 3) words += `: ${saes.join(', ')}`;
  words += '.';
  if (others) words += ` The others are of other models than ${model}, and one extraction reads ` +
    'the corpus with one model: they need an extraction of their own.';
  if (saes.length >= MOST) words += ' More than that do not go together.';
  const same = JSON.stringify([saes, model]) ===
    JSON.stringify([old, (before && before.model) || null]);
  return [same ? no_update : {saes, model}, ids.map(id => saes.includes(id.sae)), disabled, words];
}
"""

OPTIONS: Final = """
(values, checked, before) => {
  const {no_update, callback_context: {inputs_list}} = window.dash_clientside;
  const next = {};
  [values, checked].forEach((given, n) => inputs_list[n].forEach((input, i) => {
    const value = given[i];
    if (value === undefined || value === null || value === '' || value === false) return;
    next[input.id.name] = value;
  }));
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  return text(next) === text(before) ? no_update : next;
}
"""
"""All options that are filled in; 0 is a value."""

SUBMIT: Final = """
(clicks, chosen, options, last) => {
  const {no_update} = window.dash_clientside;
  if (!clicks) return no_update;
  const body = JSON.stringify([chosen, options]);
  const now = Date.now();
  if (last && last.body === body && now - last.at < 2000) return no_update;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = [...bytes].map(b => b.toString(16).padStart(2, '0')).join('');
  return {chosen, options, key, body, at: now};
}
"""
"""The form as a request with a key of its own; a double click is one request."""

MIRROR_CHOICE: Final = """
(chosen, options) => {
  const {no_update} = window.dash_clientside;
  const url = new URL(window.location.href);
  if (url.pathname !== '/extractions/new' || !options) return no_update;
  const query = new URLSearchParams();
  for (const name of (chosen && chosen.saes) || []) query.append('sae', name);
  if (options.corpus) query.set('corpus', options.corpus);
  const search = query.toString();
  history.replaceState(history.state, '', url.pathname + (search ? '?' + search : ''));
  return no_update;
}
"""
"""Writes the chosen SAEs and the corpus into the address."""

ASK_AGAIN: Final = """
(tick, asked, heard) => {
  const waits = Number.isInteger(asked) && asked !== heard && tick >= asked && tick - asked < 20;
  return waits ? window.dash_clientside.no_update : tick;
}
"""
"""The tick, unless the server still owes an answer: a later question would make it void."""

CHOOSE_FEATURE: Final = """
(rows, values, back, next, close, ids, view) => {
  const {no_update, callback_context: {triggered_id, inputs_list}} = window.dash_clientside;
  const state = Object.assign({}, view);
  const set = (field, value) => {
    if (value === null || value === undefined || value === '' || value === false) {
      delete state[field];
    } else {
      state[field] = value;
    }
  };
  if (triggered_id && triggered_id.type === 'extraction-row') {
    const at = ids.findIndex(id => id.feature === triggered_id.feature);
    if (at >= 0 && rows[at]) set('feature', triggered_id.feature);
  } else if (triggered_id && triggered_id.type === 'extraction-field') {
    const at = inputs_list[1].findIndex(({id}) => id.name === triggered_id.name);
    set(triggered_id.name, values[at]);
    if (triggered_id.name === 'sort') delete state.page;
  } else if (triggered_id === 'extraction-back' && back) {
    set('page', (state.page || 1) > 2 ? state.page - 1 : null);
  } else if (triggered_id === 'extraction-next' && next) {
    set('page', (state.page || 1) + 1);
  } else if (triggered_id && triggered_id.type === 'extraction-close' && close.some(Boolean)) {
    set('feature', null);
  }
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  return text(state) === text(view) ? no_update : state;
}
"""
"""The chosen feature, and the order and page of the table, into the view."""
