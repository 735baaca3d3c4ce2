"""Line icons drawn here: a masked box in the text's colour, so nothing is fetched and no HTML is
injected. They are decoration: whatever they stand beside carries the name.
"""

from __future__ import annotations

from urllib.parse import quote

from dash import html

_PATHS = {
    "playground": "M4 17l6-5-6-5M12 18h8",
    "runs": "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
    "features": "M12 3l2.3 6.7L21 12l-6.7 2.3L12 21l-2.3-6.7L3 12l6.7-2.3z",
    "extractions": "M4 4h16v16H4zM4 9.300h16M4 14.600h16M9.300 4v16M14.600 4v16",
    "corpora": "M5 4h11l3 3v13H5zM9 10h6M9 14h6",
    "saes": "M4 7h4M4 17h4M16 12h4M8 5h4v4H8zM8 15h4v4H8zM12 7l4 5-4 5",
    "models": "M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12L4 7.5",
    "jobs": "M3 4.500h9v4H3zM8 10h9v4H8zM13 15.500h8v4h-8z",
    "upload": "M12 15V3M7 8l5-5 5 5M4 20h16",
    "health": "M3 12h4l2-6 4 12 2-6h6",
    "sun": "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2"
    "M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
    "moon": "M20 14.5A8.5 8.5 0 119.5 4a7 7 0 0010.500 10.500z",
    "check": "M5 12.500l4.500 4.500L19 7.500",
    "cross": "M6 6l12 12M18 6L6 18",
    "warning": "M12 4l9 16H3zM12 10v4M12 17h.01",
    "info": "M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5M12 8h.01",
    "clock": "M12 7v5l3 2M12 3a9 9 0 100 18 9 9 0 000-18z",
    "play": "M7 5l12 7-12 7z",
    "stop": "M6 6h12v12H6z",
    "pause": "M8 5v14M16 5v14",
    "half": "M12 3a9 9 0 100 18 9 9 0 000-18zM12 3v18M12 8h8M12 12h9M12 16h8",
    "copy": "M9 9h11v11H9zM5 15H4V4h11v1",
    "download": "M12 3v12M7 10l5 5 5-5M4 20h16",
    "trash": "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
    "rerun": "M20 11a8 8 0 10-2.300 6.300M20 5v6h-6",
    "search": "M11 4a7 7 0 100 14 7 7 0 000-14zM16 16l5 5",
    "pin": "M9 3h6l-1 6 4 4H6l4-4zM12 13v8",
    "code": "M8 7l-5 5 5 5M16 7l5 5-5 5",
    "link": "M10 14a4 4 0 005.700 0l3-3a4 4 0 00-5.700-5.700l-1 1M14 10a4 4 0 00-5.700 0l-3 3a4 4 0"
    " 005.700 5.700l1-1",
    "external": "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
    "memory": "M6 8h12v9H6zM9 8V4M15 8V4M12 8V4M9 21v-4M15 21v-4M12 21v-4",
    "plus": "M12 5v14M5 12h14",
    "gauge": "M4 17a8 8 0 1116 0M12 17l4-6",
    "pen": "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
    "star": "M12 4l2.400 5.200 5.600.600-4.200 3.800 1.200 5.600-5-2.900-5 2.900 1.200-5.600"
    "L4 9.800l5.600-.600z",
    "folder": "M3 6h6l2 2h10v11H3z",
    "empty": "M4 13l3-8h10l3 8v6H4zM4 13h5l1.500 3h3L15 13h5",
    "logo": "M5 18V9M10 18V4M15 18v-6M20 18v-3",
}
NAMES = tuple(_PATHS)


def icon(name: str, size: int = 18) -> html.Span:
    """The icon `name`, `size` pixels square, hidden from assistive technology; KeyError if none."""
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='black' "
        "stroke-width='1.75' stroke-linecap='round' stroke-linejoin='round'>"
        f"<path d='{_PATHS[name]}'/></svg>"
    )
    image = f'url("data:image/svg+xml,{quote(svg)}")'
    return html.Span(
        className="as-icon",
        style={"maskImage": image, "WebkitMaskImage": image, "width": size, "height": size},
        **{"aria-hidden": "true"},
    )
