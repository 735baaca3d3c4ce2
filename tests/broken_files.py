"""Files that are not what their names say."""

from __future__ import annotations

import json
import struct


def header(tensors: object, data: bytes = b"") -> bytes:
    """A safetensors file with this header."""
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(
    dtype: str = "F32", shape: tuple[float, ...] = (2,), offsets: tuple[float, float] = (0, 8)
) -> dict[str, object]:
    """The header of one tensor."""
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


SAFETENSORS = {  # what is wrong: the bytes, a part of what is said about them
    "empty": (b"", "not in safetensors"),
    "three bytes": (b"abc", "not in safetensors"),
    "header of 2^63 bytes": (struct.pack("<Q", 2**63) + b"{" * 20, "impossible header"),
    "header of 101 MB": (struct.pack("<Q", 101_000_000) + b"{" * 20, "impossible header"),
    "header beyond the file": (struct.pack("<Q", 5000) + b"{" * 20, "truncated"),
    "no JSON": (header(b"{nonsense nonsense}"), "malformed header"),
    "deep nesting": (header(b'{"a":' * 50_000), "malformed header"),
    "a list": (header(b"[1, 2, 3, 4, 5]"), "not in safetensors"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
    "web page": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "pickle": (b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00", "not in safetensors"),
    "truncated data": (header(one(), b"1234"), "truncated"),
    "trailing bytes": (header(one(), b"123456789012"), "after its last tensor"),
    "shape against bytes": (header(one(shape=(3,)), b"12345678"), "disagree"),
    "negative shape": (header(one(shape=(-2, -1)), b"12345678"), "disagree"),
    "shape of floats": (header(one(shape=(2.0,)), b"12345678"), "no whole number"),
    "shape of truths": (header(one(shape=(True, 2)), b"12345678"), "no whole number"),
    "offsets of floats": (header(one(offsets=(0.0, 8.0)), b"12345678"), "no whole number"),
    "unknown dtype": (header(one(dtype="F99"), b"12345678"), "unknown dtype"),
    "no offsets": (header({"a": {"dtype": "F32", "shape": [2]}}, b"12345678"), "malformed"),
    "no tensors": (header({"__metadata__": {"a": "b"}}), "no tensors"),
    "a name twice": (header(b'{"a": {}, "a": {}}    '), "twice"),
    "another tensor": (header(one(), b"12345678"), "lacks the tensor"),
}
