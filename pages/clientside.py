"""What happens in the browser without asking the server: clicks into state, state into the URL.

Each constant is one JavaScript function for Dash's clientside callbacks. Values that come from
components are compared before they are written, so that rendering never looks like a click.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

RUN_OF_VIEW: Final = """
(view, run) => {
  const wanted = (view && view.run) || null;
  return wanted === run ? window.dash_clientside.no_update : wanted;
}
"""
"""The view's run, when it is another one than before."""

MIRROR: Final = """
(view, path) => {
  if (window.location.pathname !== path) return window.dash_clientside.no_update;
  const query = new URLSearchParams();
  for (const [field, value] of Object.entries(view || {})) {
    if (value === null || value === false || value === '') continue;
    if (field === 'run' && path !== '/') continue;
    query.set(field, value === true ? '1' : value);
  }
  const search = query.toString();
  history.replaceState(history.state, '', path + (search ? '?' + search : ''));
  return window.dash_clientside.no_update;
}
"""
"""Writes the view into the address without a navigation."""

REDUCE: Final = """
(clicked, feature, bars, heat, deltas, cleared, special, fields, view, shown) => {
  const {no_update, callback_context: {triggered, inputs_list}} = window.dash_clientside;
  const next = Object.assign({}, view);
  const set = (field, value) => {
    if (value === null || value === undefined || value === '' || value === false) {
      delete next[field];
    } else {
      next[field] = value;
    }
  };
  const pointOf = data => (data && data.points && data.points[0]) || null;
  const custom = point => {
    const data = point && point.customdata;
    return Array.isArray(data) ? data : data === null || data === undefined ? [] : [data];
  };
  const seen = new Set((triggered || []).map(t => t.prop_id));
  const hit = suffix => [...seen].some(id => id.endsWith(suffix));
  if (hit('strip.clicked') && clicked) set('token', clicked.position);
  if (hit('strip.hoverFeatureClicked') && feature) set('feature', feature.feature);
  if (hit('top-features.clickData')) {
    const id = custom(pointOf(bars))[0];
    if (Number.isInteger(id)) set('feature', id === (view || {}).feature ? null : id);
  }
  if (hit('heatmap.clickData')) {
    const [id, position] = custom(pointOf(heat));
    if (Number.isInteger(id)) set('feature', id);
    if (Number.isInteger(position)) set('token', position);
  }
  if (hit('deltas.clickData')) {
    const [position] = custom(pointOf(deltas));
    if (Number.isInteger(position)) set('token', position);
  }
  if (hit('clear.n_clicks') && cleared) set('feature', null);
  if (hit('special.checked')) set('special', Boolean(special));
  inputs_list[7].forEach((input, i) => {
    if (!seen.has(JSON.stringify(input.id, Object.keys(input.id).sort()) + '.value')) return;
    const field = input.id.field;
    const value = fields[i] === '' || fields[i] === 'all' || fields[i] === undefined
      ? null : fields[i];
    const before = next[field] === undefined
      ? (field === 'sae' && shown ? shown.sae : null) : next[field];
    if (before === value) return;
    set(field, value);
    if (field === 'sae') { set('feature', null); set('row_feature', null); }
  });
  const same = JSON.stringify(Object.entries(next).sort()) ===
    JSON.stringify(Object.entries(view || {}).sort());
  return same ? no_update : next;
}
"""
"""What was clicked or chosen, into the view."""

SELECT: Final = """
(view) => [view && Number.isInteger(view.token) ? view.token : null,
           Boolean(view && view.special)]
"""
"""The pinned token and the special tokens, into the strip that is already there."""

REFETCH: Final = """
(shown, view, grid) => {
  const {no_update} = window.dash_clientside;
  if (!shown || !shown.final) return no_update;
  const {run, sae, segment, special, row_feature, row_from, row_to, row_rank} = view || {};
  const key = JSON.stringify(
    [shown, run, sae, segment, special, row_feature, row_from, row_to, row_rank]);
  const host = document.getElementById(grid);
  if (!host || host.dataset.rows === key) return no_update;
  host.dataset.rows = key;
  window.dash_ag_grid.getApiAsync(grid).then(api => api.purgeInfiniteCache());
  return no_update;
}
"""
"""Makes the grid ask for its rows again when what they depend on has changed."""

COLLECT: Final = """
(clicks, prompt, system, template, model, saes, temperature, topP, topK, maxTokens, seed,
 perToken, last) => {
  const {no_update} = window.dash_clientside;
  if (!clicks) return no_update;
  const request = {
    prompt: prompt || '', system_prompt: system || null, chat_template: template,
    model_id: model || null, sae_ids: saes || [], temperature, top_p: topP, top_k: topK,
    max_tokens: maxTokens, seed, sae_top_k: perToken,
  };
  for (const [key, value] of Object.entries(request)) {
    if (value === null || value === undefined || value === '') delete request[key];
  }
  const body = JSON.stringify(request);
  const now = Date.now();
  const again = last && last.body === body && now - last.at < 800;
  if (again) return no_update;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  request.request_id = [...bytes].map(b => b.toString(16).padStart(2, '0')).join('');
  request.prompt = prompt || '';
  return {request, body, at: now};
}
"""
"""The form as a request with an id of its own; a double click is one request."""

BUSY: Final = """
(shown, view) => Boolean(view && view.run && (!shown || shown.run !== view.run ? false
  : !shown.final))
"""
"""Whether the run on the screen is still under way."""

KEYS: Final = """
(form, button) => {
  const host = document.getElementById(form);
  if (host && !host.dataset.keys) {
    host.dataset.keys = 'on';
    host.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      const submit = document.getElementById(button);
      if (!submit || submit.disabled) return;
      event.preventDefault();
      setTimeout(() => submit.click(), 80);
    });
  }
  return window.dash_clientside.no_update;
}
"""
"""Ctrl+Enter (or ⌘ Enter) anywhere in the form presses its button.

A moment later: the key may come before the field has told its last letters.
"""

FOLLOW_LINKS: Final = """
(view, store) => {
  const {no_update, set_props} = window.dash_clientside;
  window.actiscopeView = {view: view || {}, store};
  if (window.actiscopeLinks) return no_update;
  window.actiscopeLinks = true;
  window.addEventListener('_dashprivate_pushstate', () => {
    const {view: shown, store: id} = window.actiscopeView;
    if (window.location.pathname === '/' && !window.location.search && shown.run &&
        document.getElementById('play-form')) {
      set_props(id, {data: {}});
    }
  });
  return no_update;
}
"""
"""A link to the empty playground empties it: Dash sees no navigation where only `MIRROR` wrote."""

FILL_IN: Final = """
(clicks, examples) => {
  const {no_update, callback_context: {triggered_id}} = window.dash_clientside;
  if (!triggered_id || !clicks.some(Boolean)) return [no_update, no_update];
  const chosen = examples[triggered_id.index];
  return [chosen.prompt, chosen.chat_template];
}
"""
"""An example into the form."""

FILTERS: Final = """
(...given) => {
  const {no_update, callback_context: {inputs_list}} = window.dash_clientside;
  const before = given[given.length - 1];
  const next = {};
  inputs_list.forEach((inputs, n) => inputs.forEach((input, i) => {
    const value = given[n][i];
    if (value || value === 0) next[input.id.name] = value;
  }));
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  return text(next) === text(before) ? no_update : next;
}
"""
"""What was chosen or switched on, into the filters."""


def mirror_fields(path: str, names: Iterable[str]) -> str:
    """Writes the fields of these names into the address of the page, without a navigation.

    What else the address carries stays as it is.
    """
    return _MIRROR_FIELDS.replace("PATH", json.dumps(path)).replace("NAMES", json.dumps([*names]))


_MIRROR_FIELDS: Final = """
(fields) => {
  const url = new URL(window.location.href);
  if (url.pathname !== PATH) return window.dash_clientside.no_update;
  for (const name of NAMES) {
    const value = (fields || {})[name];
    if (value === undefined || value === null || value === '' || value === false) {
      url.searchParams.delete(name);
    } else {
      url.searchParams.set(name, value === true ? '1' : value);
    }
  }
  history.replaceState(history.state, '', url.pathname + url.search);
  return window.dash_clientside.no_update;
}
"""

MIRROR_TASK: Final = """
(task, section) => {
  const url = new URL(window.location.href);
  if (task) url.searchParams.set('task', task); else url.searchParams.delete('task');
  history.replaceState(history.state, '', url.pathname + url.search);
  if (task) setTimeout(() => {
    const shown = document.getElementById(section);
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (shown) shown.scrollIntoView({behavior: calm ? 'auto' : 'smooth', block: 'nearest'});
  }, 150);
  return window.dash_clientside.no_update;
}
"""
"""Writes the task into the address, and brings its progress into view."""

ENTERED: Final = """
(...presses) => presses.some(Boolean)
  ? new Promise(done => setTimeout(() => done(Date.now()), 60))
  : window.dash_clientside.no_update
"""
"""That a button or Enter was pressed: Enter may come before the field has told its last letter, so
its value is read a moment later."""
