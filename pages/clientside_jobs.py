"""What the pages of jobs and corpora do in the browser, as in `pages.clientside`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

IN_VIEW: Final = """
tick => document.hidden || !tick ? window.dash_clientside.no_update : tick
"""
"""The tick, while somebody can see the page."""

MIRROR_JOB: Final = """
(job, parameter, section) => {
  const url = new URL(window.location.href);
  if (job) url.searchParams.set(parameter, job); else url.searchParams.delete(parameter);
  history.replaceState(history.state, '', url.pathname + url.search);
  if (job) setTimeout(() => {
    const shown = document.getElementById(section);
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (shown) shown.scrollIntoView({behavior: calm ? 'auto' : 'smooth', block: 'nearest'});
  }, 150);
  return window.dash_clientside.no_update;
}
"""
"""Writes the job into the address, and brings its progress into view."""

TURN_PAGE: Final = """
(back, next, typed, view) => {
  const {no_update, callback_context: {triggered_id}} = window.dash_clientside;
  const at = (view || {}).document || 1;
  let to = at;
  if (triggered_id === 'corpus-back' && back) to = Math.max(1, at - SHOWN);
  if (triggered_id === 'corpus-next' && next) to = at + SHOWN;
  if (triggered_id === 'corpus-jump' && Number.isInteger(typed)) to = Math.max(1, typed);
  if (to === at) return [no_update, no_update];
  return [to > 1 ? {document: to} : {}, triggered_id === 'corpus-jump' ? no_update : to];
}
"""
"""Back, forward, or to the document whose number was typed."""


def mirror_here(names: Iterable[str]) -> str:
    """Writes the fields of these names into the address of whichever page this is."""
    return _MIRROR_HERE.replace("NAMES", json.dumps([*names]))


_MIRROR_HERE: Final = """
(fields) => {
  const url = new URL(window.location.href);
  for (const name of NAMES) {
    const value = (fields || {})[name];
    if (value === undefined || value === null || value === '') url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  history.replaceState(history.state, '', url.pathname + url.search);
  return window.dash_clientside.no_update;
}
"""

SOURCE: Final = """
(uploaded, path, hub, values, ids) => {
  const {no_update, callback_context: {triggered_id}} = window.dash_clientside;
  const typed = {};
  ids.forEach((id, i) => { if (values[i]) typed[id.name] = values[i]; });
  const of = (source, names) => {
    const made = {source};
    for (const name of names) if (typed[name] !== undefined) made[name] = typed[name];
    return made;
  };
  if (triggered_id === 'add-corpus-upload' && uploaded) {
    return {source: 'upload', upload: uploaded.upload_id};
  }
  if (triggered_id === 'add-corpus-asked-path' && path) {
    return {...of('path', ['path', 'format']), n: path};
  }
  if (triggered_id === 'add-corpus-asked-hub' && hub) {
    return {...of('dataset', ['repo', 'config', 'split', 'revision', 'most']), n: hub};
  }
  return no_update;
}
"""
"""The source whose button was pressed, with what is filled in beside it."""
