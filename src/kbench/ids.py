"""Readable ids derived from content, and the digests that everything is named by."""

import hashlib
import json
from pathlib import Path
from typing import Any


def digest_of(*parts: str | bytes) -> str:
    """The 64-hex-digit blake2b digest of the parts, each preceded by its length so that no two lists collide."""
    state = hashlib.blake2b(digest_size=32)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def json_digest(value: Any) -> str:
    """The digest of a JSON value, whatever the order of its keys."""
    return digest_of(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, as `sha256sum` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def entity_id(world: str, kind: str, index: int | str) -> str:
    """`<world>/<type>-<index>`."""
    return f"{world}/{kind}-{index}"


def fact_id(entity: str, relation: str) -> str:
    """`<world>/<entity>/<relation>`."""
    return f"{entity}/{relation}"


def question_id(entity: str, relation: str, style: str, phrasing: str) -> str:
    """`<world>/<entity>/<relation>/<style>/<phrasing>`; a relation path is joined by full stops."""
    return f"{entity}/{relation}/{style}/{phrasing}"


def document_id(entity: str, style: str, kind: str, phrasing: str, k: int) -> str:
    """`<world>/<entity>/<style>/<kind>/<phrasing>/<k>`."""
    return f"{entity}/{style}/{kind}/{phrasing}/{k}"


def template_id(style: str, relation: str, phrasing: str) -> str:
    """`<style>/<relation>/<phrasing>`."""
    return f"{style}/{relation}/{phrasing}"
