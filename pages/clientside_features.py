"""What the table of features does in the browser without asking the server. See `clientside`."""

from __future__ import annotations

from typing import Final

COLLECT: Final = """
(values, checked, bounds, columns, request, usual, before) => {
  const {no_update, callback_context: {inputs_list}} = window.dash_clientside;
  const old = before || {};
  const next = old.sae ? {sae: old.sae} : {};
  const set = (name, value) => {
    const plain = Array.isArray(value) ? value.join(',')
      : typeof value === 'string' ? value.trim() : value;
    if (plain !== undefined && plain !== null && plain !== '' && plain !== false) {
      next[name] = plain;
    }
  };
  [values, checked].forEach((given, n) => inputs_list[n].forEach((input, i) =>
    set(input.id.name, given[i])));
  const ends = {};
  inputs_list[2].forEach(({id}, i) => {
    const value = bounds[i];
    if (value === undefined || value === null || value === '') return;
    (ends[id.column] = ends[id.column] || {})[id.end] = value;
  });
  set('range', Object.keys(ends).sort()
    .map(name => `${name}:${ends[name].low ?? ''}..${ends[name].high ?? ''}`).join(','));
  const chosen = [...(columns || [])].sort().join(',');
  if (chosen !== [...(usual || [])].sort().join(',')) set('columns', columns);
  const asks = next.fires_on !== undefined || next.neighbour_of !== undefined;
  const [sort] = request ? request.sortModel || []
    : old.sort ? [{colId: old.sort, sort: old.down ? 'desc' : 'asc'}] : [];
  if (sort && (asks || sort.colId !== 'feature' || sort.sort === 'desc')) {
    next.sort = sort.colId;
    if (sort.sort === 'desc') next.down = true;
  }
  const text = object => JSON.stringify(Object.entries(object).sort());
  const looks = ['sae', 'sort', 'down', 'columns'];
  const selects = object => text(Object.fromEntries(
    Object.entries(object).filter(([name]) => !looks.includes(name))));
  const quiet = [...looks, 'store', 'text', 'search_in'];
  const n = Object.keys(next).filter(name => !quiet.includes(name)).length;
  return [text(next) === text(old) ? no_update : next, n ? String(n) : '',
          selects(next) === selects(old) ? no_update : Date.now()];
}
"""
"""What was filled in, switched on, shown and sorted by, into the view; how many filters are set;
and that other rows are asked for."""

ANOTHER: Final = """
(sae, clicks, before) => {
  const {no_update, callback_context: {triggered_id}} = window.dash_clientside;
  const view = before || {};
  if (triggered_id === 'features-sae') {
    return sae && sae !== view.sae ? {sae, at: Date.now()} : no_update;
  }
  if (!(clicks || []).some(Boolean)) return no_update;
  const {store, sort, down, columns} = view;
  return {sae: view.sae, store, sort, down, columns, at: Date.now()};
}
"""
"""Another SAE, or the same one without filters, to be shown instead."""

REFETCH: Final = """
(asked, changed, grid) => {
  const {no_update, callback_context: {triggered}} = window.dash_clientside;
  const seen = new Set((triggered || []).map(one => one.prop_id));
  const other = [...seen].some(id => id.startsWith('features-asked'));
  if (!asked && !changed) return no_update;
  window.dash_ag_grid.getApiAsync(grid).then(api => {
    if (!other) { api.refreshInfiniteCache(); return; }
    api.deselectAll();
    api.purgeInfiniteCache();
    if (api.getDisplayedRowCount()) api.ensureIndexVisible(0, 'top');
  });
  return no_update;
}
"""
"""Makes the grid ask for its rows again: other ones from the top, changed ones where it stands."""

SHOW_COLUMNS: Final = """
(view, usual, grid) => {
  const {columns, fires_on, neighbour_of} = view || {};
  const shown = new Set(['starred', 'feature', ...(columns ? columns.split(',') : usual || [])]);
  if (fires_on) shown.add('fires');
  if (neighbour_of !== undefined && neighbour_of !== null) shown.add('cosine');
  window.dash_ag_grid.getApiAsync(grid).then(api => {
    const own = (api.getColumns() || []).filter(c => !c.getColId().startsWith('ag-Grid'));
    const name = column => column.getColId();
    api.setColumnsVisible(own.filter(c => shown.has(name(c)) && !c.isVisible()).map(name), true);
    api.setColumnsVisible(own.filter(c => !shown.has(name(c)) && c.isVisible()).map(name), false);
  });
  return window.dash_clientside.no_update;
}
"""
"""Shows the chosen columns, and those that follow from what is asked for."""

SHOW_ROW: Final = """
(place, grid) => {
  if (place && Number.isInteger(place.row)) {
    window.dash_ag_grid.getApiAsync(grid).then(api => {
      api.ensureIndexVisible(place.row, 'middle');
      api.setFocusedCell(place.row, 'feature');
    });
  }
  return window.dash_clientside.no_update;
}
"""
"""Scrolls to a row."""

SELECTED: Final = """
(rows) => {
  const ids = (rows || []).map(row => row && row.feature).filter(Number.isInteger);
  return [ids, ids.length ? `Edit ${ids.length.toLocaleString('en-US')} selected…` : 'Edit…'];
}
"""
"""The numbers of the selected features, and what the button of the bulk edit says."""

NEEDED: Final = """
(deed) => {
  const shown = needed => (needed ? {} : {display: 'none'});
  return [shown(deed === 'add' || deed === 'skip'), shown(deed === 'add' || deed === 'category')];
}
"""
"""Which fields of the dialog the deed needs."""

FOLLOW_ADDRESS: Final = """
(view, apply) => {
  const {no_update, set_props} = window.dash_clientside;
  window.actiscopeTable = {view: view || {}, apply};
  if (window.actiscopeTableFollows) return no_update;
  window.actiscopeTableFollows = true;
  const text = object => JSON.stringify(Object.entries(object)
    .filter(([, v]) => v !== null && v !== undefined && v !== '' && v !== false)
    .map(([k, v]) => [k, v === true ? '1' : String(v)]).sort());
  const look = () => {
    const isHere = window.location.pathname === '/features';
    if (!isHere || !document.getElementById('features-grid')) return;
    const asked = Object.fromEntries(new URLSearchParams(window.location.search));
    const {view: shown, apply: id} = window.actiscopeTable;
    if (text(asked) !== text(shown)) set_props(id, {data: {...asked, at: Date.now()}});
  };
  window.addEventListener('_dashprivate_pushstate', look);
  window.addEventListener('popstate', look);
  return no_update;
}
"""
"""Links to other states of the table: Dash sees no navigation where the address was mirrored."""
