"""A file that is sent in one stream, however large, with its progress.

The browser half is `assets/actiscope_upload.js`. The upload of Dash reads whole files into memory
and sends them as text.
"""

from __future__ import annotations

from typing import Any

from dash.development.base_component import Component


class Upload(Component):
    """Takes one file by choice or drop and sends it; needs the script in assets, no build step.

    In:  url (takes the file as the body of a POST, with `?file_name=`), label, hint, maxBytes.
    Out: uploaded {upload_id, file_name, size, n}; n counts up.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "Upload"
    _prop_names = ["id", "url", "label", "hint", "maxBytes", "uploaded"]
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, id: str | dict[str, Any] | None = None, **props: Any) -> None:
        if id is not None:
            props["id"] = id
        super().__init__(**props)
