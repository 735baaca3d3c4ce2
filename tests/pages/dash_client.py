"""A client that speaks to a Dash app over HTTP the way its renderer does."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from dash import Dash


class Client:
    """Speaks to a Dash app over HTTP the way its renderer does."""

    def __init__(self, app: Dash) -> None:
        self.app = app
        self.http = app.server.test_client()
        page = self.http.get("/", base_url="http://localhost").text
        config = re.search(r'id="_dash-config" type="application/json">(.*?)</script>', page, re.S)
        assert config, "the page carries no configuration"
        self.end_id = json.loads(config.group(1))["end_id"]
        self.specs = self.http.get("/_dash-dependencies", base_url="http://localhost").get_json()

    def spec(self, part_of_output: str) -> dict[str, Any]:
        """The one callback whose output contains the text."""
        found = [s for s in self.specs if part_of_output in s["output"]]
        assert len(found) == 1, [s["output"] for s in found]
        return found[0]

    def post(
        self,
        spec: dict[str, Any],
        inputs: list[Any],
        state: list[Any] | None = None,
        **query: str,
    ) -> Any:
        """The answer to a callback with these values."""
        body = {
            "output": spec["output"],
            "outputs": self._outputs(spec["output"]),
            "inputs": self._items(spec["inputs"], inputs),
            "state": self._items(spec["state"], state or []),
            "changedPropIds": [f"{i['id']}.{i['property']}" for i in spec["inputs"][:1]],
        }
        return self.http.post(
            "/_dash-update-component",
            query_string={"endId": self.end_id, **query},
            json=body,
            base_url="http://localhost",
        )

    def follow(self, spec: dict[str, Any], inputs: list[Any], within_s: float = 10) -> list[Any]:
        """All answers of a background callback, from the first poll to the last."""
        started = self.post(spec, inputs).get_json()
        handles = {"cacheKey": started["cacheKey"], "job": started["job"]}
        return self.poll(spec, inputs, handles, within_s)

    def poll(
        self, spec: dict[str, Any], inputs: list[Any], handles: dict[str, str], within_s: float = 10
    ) -> list[Any]:
        """The answers from now on."""
        answers = []
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            answers.append(self.post(spec, inputs, **handles))
            if answers[-1].status_code != 200 or "response" in answers[-1].get_json():
                return answers
            time.sleep(0.02)
        raise TimeoutError("the background callback did not end")

    @staticmethod
    def _items(specs: list[dict[str, Any]], values: list[Any]) -> list[Any]:
        given = [*values, *[None] * (len(specs) - len(values))]
        return [
            _pattern_item(spec, value) if spec["id"].startswith("{") else {**spec, "value": value}
            for spec, value in zip(specs, given, strict=True)
        ]

    @staticmethod
    def _outputs(output: str) -> Any:
        if "." not in output:  # a callback without outputs has a name of its own
            return []
        parts = output[2:-2].split("...") if output.startswith("..") else [output]
        split = [part.rsplit(".", 1) for part in parts]
        found = [{"id": _id(i), "property": p} for i, p in split]
        return found if output.startswith("..") else found[0]


def _id(text: str) -> Any:
    return {k: _concrete(v) for k, v in json.loads(text).items()} if text[0] == "{" else text


def _concrete(value: Any) -> Any:
    return "x" if isinstance(value, list) else value


def _pattern_item(spec: dict[str, Any], value: Any) -> Any:
    item = {"id": _id(spec["id"]), "property": spec["property"], "value": value}
    return [item] if '["ALL"]' in spec["id"] else item
