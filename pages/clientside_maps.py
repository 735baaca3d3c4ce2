"""What the map of features does in the browser without asking the server. See `clientside`."""

from __future__ import annotations

from typing import Final

COLLECT: Final = """
(values, sae, view) => {
  const {no_update, callback_context: {inputs_list}} = window.dash_clientside;
  const next = Object.assign({}, view);
  inputs_list[0].forEach((input, i) => {
    const value = values[i];
    if (value === undefined || value === null || value === '') delete next[input.id.name];
    else next[input.id.name] = value;
  });
  if (sae && sae !== (view || {}).sae) {
    next.sae = sae;
    delete next.set;
    delete next.ids;
  }
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  if (text(next) === text(view)) return no_update;
  window.actiscopeMapChange = (window.actiscopeMapChange || 0) + 1;
  const mine = window.actiscopeMapChange;
  return new Promise(done => setTimeout(
    () => done(mine === window.actiscopeMapChange ? next : no_update), 250));
}
"""
"""The controls into the view, once they have come to rest: a slider passes many values."""

PARTS: Final = """
(view, made, drawn, asked) => {
  const {no_update} = window.dash_clientside;
  const some = (names, more) => {
    const found = Object.assign({}, more);
    for (const name of names) if ((view || {})[name] !== undefined) found[name] = view[name];
    return found;
  };
  const families = ['threshold', 'min_size'];
  const umap = ['n_neighbors', 'min_dist', 'seed'];
  const isUmap = (view || {}).method === 'umap';
  const names = ['sae', 'method', 'colour', ...(isUmap ? umap : []),
    ...((view || {}).colour === 'family' ? ['threshold'] : [])];
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  const next = [some(names, made ? {made} : {}), some(['sae', 'set', ...families], {})];
  return [text(next[0]) === text(drawn) ? no_update : next[0],
          text(next[1]) === text(asked) ? no_update : next[1]];
}
"""
"""What the points depend on, and what the families do: each is asked for only when it changes."""

LASSO: Final = """
(selected, cleared, before) => {
  const {no_update, callback_context: {triggered_id}} = window.dash_clientside;
  if (triggered_id === 'map-clear') return before ? null : no_update;
  if (!selected || !selected.ids) return no_update;
  return before && before.ids === selected.ids ? no_update : {ids: selected.ids, by: 'loop'};
}
"""
"""The points inside a loop, as numbers."""

OPEN: Final = """
(opened, view) => {
  const {no_update, set_props} = window.dash_clientside;
  const id = opened && opened.feature;
  if (!Number.isInteger(id) || !view || !view.sae) return no_update;
  const sae = view.sae.split('/').map(encodeURIComponent).join('/');
  set_props('shell-location', {href: `/features/${sae}/${id}`});
  return no_update;
}
"""
"""A click on a point opens the feature's page."""

MIRROR: Final = """
(view, chosen) => {
  const url = new URL(window.location.href);
  if (url.pathname !== '/features/map') return window.dash_clientside.no_update;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(view || {})) {
    if (name !== 'ids' && value !== null && value !== '') query.set(name, value);
  }
  const ids = chosen && chosen.ids;
  if (ids && ids.length <= 2000) query.set('ids', ids);
  const search = query.toString().replaceAll('%2C', ',');
  history.replaceState(history.state, '', url.pathname + (search ? '?' + search : ''));
  return window.dash_clientside.no_update;
}
"""
"""View and choice into the address, without a navigation; a very long choice is left out."""
