"""What a result is the answer to: two folders answer the same question or not."""

from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.benchmarks.asking import Asking
from kbench.benchmarks.results import model_digests, settings_digest, shown_name
from kbench.disk import cache_folder
from kbench.errors import OutputError
from kbench.ids import json_digest
from kbench.store import Release


def question_of(release: Release, model: str, base: str | None, asking: Asking) -> dict[str, Any]:
    """What a result answers: model and base with their digests, the release, the way of asking."""
    return {
        "model": shown_name(model),
        **_digests(model, base),
        "base": {"model": shown_name(base), **_digests(base)} if base else None,
        "release": {"world": release.world, "digest": release.digest},
        "scoring": asking.to_dict(),
    }


def _digests(model: str, base: str | None = None) -> dict[str, str]:
    """The digests of a model's weights, tokenizer, adapter (which stands on `base`) and settings."""
    settings = settings_digest(Path(model))
    return {**model_digests(Path(model), base), **({"settings": settings} if settings else {})}


def base_folder(question: dict[str, Any], asked_by: str) -> Path:
    """Where the cache keeps the result of a base: one for its weights, the release, the way of asking and the engine.

    In 16 bits two engines do not say quite the same, so a base is not taken from another engine than its finetune's.
    """
    base = question["base"]
    named = {**base, "model": None} if base.get("weights") else base
    key = [__version__, named, question["release"], question["scoring"], asked_by]
    return cache_folder() / "bases" / json_digest(key)[:16]


def check_same(held: dict[str, Any], question: dict[str, Any], what: str, out: Path) -> None:
    """Raise OutputError, which says in what they differ, unless a folder holds the answer to this question."""
    asked = _identity(question)
    differ = [key for key, value in _identity({key: held.get(key) for key in question}).items() if value != asked[key]]
    if "release" in differ:
        was = (held.get("release") or {}).get("digest", "")[:12]
        raise OutputError(
            f"{out} holds {what} on release {was}, not on {question['release']['digest'][:12]}: give another --out"
        )
    if differ:
        named = ", ".join(_choices(held.get(key), question[key]) if key == "scoring" else key for key in differ)
        raise OutputError(f"{out} holds {what}, which differs in {named}: give another --out")


def _choices(held: dict[str, Any] | None, asked: dict[str, Any]) -> str:
    """In which choices two ways of asking differ: what is held, and what is asked for."""
    was = held or {}
    differ = [f"{key} ({was.get(key)}, not {value})" for key, value in asked.items() if was.get(key) != value]
    return ", ".join(differ) or "scoring"


def _identity(question: dict[str, Any]) -> dict[str, Any]:
    """What makes two questions the same: weights by digest, and a path only where there is none."""
    base = question["base"]
    return {
        **question,
        "model": None if question.get("weights") or question.get("adapter") else question["model"],
        "base": {**base, "model": None} if base and base.get("weights") else base,
    }
