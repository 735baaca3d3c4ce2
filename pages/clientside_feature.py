"""What the page of a feature does in the browser without asking the server. See `clientside`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

CHOOSE: Final = """
(fields, bars, ranges, groups, opened, again, reset, isOpen, view) => {
  const {no_update, callback_context: {triggered, inputs_list}} = window.dash_clientside;
  const next = Object.assign({}, view);
  const defaults = {counted: 'nonzero', scale: 'linear', order: 'strongest', width: '12',
    mode: 'lines'};
  const numbers = ['low', 'high', 'width'];
  const set = (name, value) => {
    if (value === null || value === undefined || value === '' || value === defaults[name]) {
      delete next[name];
    } else {
      next[name] = numbers.includes(name) ? Number(value) : value;
    }
  };
  const show = id => {
    const section = document.getElementById(id);
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (section) section.scrollIntoView({behavior: calm ? 'auto' : 'smooth', block: 'start'});
  };
  const seen = new Set((triggered || []).map(t => t.prop_id));
  const name = ({id, property}) => (typeof id === 'string' ? id
    : JSON.stringify(id, Object.keys(id).sort())) + '.' + property;
  const hit = (list, given) => (Array.isArray(list) ? list : [list])
    .map((input, i) => ({id: input.id, value: Array.isArray(list) ? given[i] : given, input}))
    .filter(({input}) => seen.has(name(input)));
  for (const {id, value} of hit(inputs_list[0], fields)) {
    if (!(next[id.name] === undefined && value === undefined)) set(id.name, value);
  }
  for (const {value} of hit(inputs_list[1], bars)) {
    const range = value && value.points && value.points[0] && value.points[0].customdata;
    if (Array.isArray(range)) { set('low', range[0]); set('high', range[1]); show('examples'); }
  }
  for (const {id, value} of hit(inputs_list[2], ranges)) {
    if (value) { set('low', id.low); set('high', id.high); show('examples'); }
  }
  for (const {id, value} of hit(inputs_list[3], groups)) {
    if (value) { set('meta', id.column); set('value', id.value); show('examples'); }
  }
  for (const {value} of hit(inputs_list[4], opened)) if (value) set('at', value.position);
  if (hit(inputs_list[5], again).length && again) {
    set('order', 'random');
    set('seed', Math.floor(Math.random() * 2 ** 31));
  }
  if (hit(inputs_list[6], reset).length && reset) {
    for (const field of ['low', 'high', 'meta', 'value']) set(field, null);
  }
  if (hit(inputs_list[7], isOpen).length && isOpen === false) set('at', null);
  if (next.order !== 'random') delete next.seed;
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  return text(next) === text(view) ? no_update : next;
}
"""
"""What was clicked or chosen, into the view."""


def split(parts: Mapping[str, Sequence[str]]) -> str:
    """Each section's part of the view, where it has changed; and the view into its controls."""
    return _SPLIT.replace("PARTS", json.dumps({k: list(v) for k, v in parts.items()}))


_SPLIT: Final = """
(view, before, ids) => {
  const {no_update, set_props} = window.dash_clientside;
  const parts = PARTS;
  const of = names => Object.fromEntries(
    names.filter(n => view && view[n] !== undefined && view[n] !== null).map(n => [n, view[n]]));
  const text = object => JSON.stringify(Object.entries(object || {}).sort());
  const fields = {low: '', high: '', order: 'strongest'};
  for (const [name, empty] of Object.entries(fields)) {
    const value = view && view[name] !== undefined ? view[name] : empty;
    set_props({type: 'feature-field', name}, {value});
  }
  return ids.map((id, i) => {
    const next = of(parts[id.name]);
    return text(next) === text(before[i]) ? no_update : next;
  });
}
"""

_MIRROR: Final = """
(view) => {
  const {no_update} = window.dash_clientside;
  const url = new URL(window.location.href);
  if (!/^\\/features\\/.+\\/\\d+$/.test(url.pathname)) return no_update;
  for (const field of NAMES) {
    const value = (view || {})[field];
    if (value === undefined || value === null) url.searchParams.delete(field);
    else url.searchParams.set(field, value);
  }
  history.replaceState(history.state, '', url.pathname + url.search);
  return no_update;
}
"""


def mirror(names: Sequence[str]) -> str:
    """Writes the view into the address of the page, without a navigation."""
    return _MIRROR.replace("NAMES", json.dumps(list(names)))
