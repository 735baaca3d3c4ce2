"""What the pages of jobs and corpora do in the browser, as in `pages.clientside`."""

from __future__ import annotations

from typing import Final

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
