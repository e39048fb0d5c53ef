"""Biographies that a model writes of a release's subjects: whom, by which prompt, and what of the text is so."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kbench.benchmarks.biography import Checked, FactChecker
from kbench.benchmarks.models.protocol import Decoding, Model
from kbench.benchmarks.models.tokens import prompt_tokens
from kbench.benchmarks.tasks import Item
from kbench.errors import ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.schema import Role, Split
from kbench.store import Release

Way = Literal["opening", "instruction", "chat"]
"""How a biography is asked for: begun, as a text to go on with; by an instruction; by that in the model's own chat."""

WAYS: tuple[Way, ...] = ("opening", "instruction", "chat")

INSTRUCTION = "Write a short biography of {name}."
TOKENS = 160
"""The longest biography, in tokens, where the model's context has room for it."""

_NAME = "{name}"
_SENTENCES = re.compile(r".*[.!?](?=\s|$)|.*\n", re.DOTALL)


@dataclass(frozen=True)
class Subject:
    """Somebody of whom a biography is asked."""

    entity_id: str
    name: str


@dataclass(frozen=True)
class Biography:
    """What a model wrote of a subject, the prompt that it was given, and what the text claims.

    `text` is what is checked: where the prompt began the text, with that beginning.
    """

    subject: Subject
    prompt: str
    text: str
    checked: Checked


def held_out(
    release: Release, most: int = 30, *, kind: str = "person", role: Role = "background", split: Split = "test"
) -> list[Subject]:
    """Entities of a type and role whom questions of a split ask about: the first so many by the digest of their id.

    Where the release has no questions in the split, all of that type and role may be chosen.

    Raises:
        SpecError: `most` is below 1.
        ReleaseError: there is no such entity; the message lists the types and roles that there are.
    """
    if most < 1:
        raise SpecError(f"subjects must be at least 1 (got {most})")
    entities = release.table("entities", "train").to_pylist()
    found = [Subject(e["entity_id"], e["name"]) for e in entities if (e["type"], e["role"]) == (kind, role)]
    if "qa" in release.configs() and split in release.splits("qa"):
        asked = set(release.table("qa", split).column("entity_id").to_pylist())
        found = [subject for subject in found if subject.entity_id in asked]
    if not found:
        have = ", ".join(sorted({f"{e['role']} {e['type']}" for e in entities}))
        raise ReleaseError(
            f"the release {release.path} asks in {split} about no {role} entity of the type {kind!r}: its entities "
            f"are {have}"
        )
    return sorted(found, key=lambda subject: digest_of("biography", subject.entity_id))[:most]


def opening_of(release: Release, kind: str = "person") -> str:
    """The title that stands most often over the release's articles about a type: `{name}` is the subject's name in it.

    A title is a first line of more words than the name: by these a text is known for an article. Just the name where
    articles have none.
    """
    names = {e["entity_id"]: e["name"] for e in release.table("entities", "train").to_pylist() if e["type"] == kind}
    titles = Counter[str]()
    for split in ("pretrain", "train"):
        if "article" in release.configs() and split in release.splits("article"):
            for row in release.table("article", split).select(["entity_id", "text", "repeat"]).to_pylist():
                line, more, _ = row["text"].partition("\n")
                name = names.get(row["entity_id"])
                if name and more and name in line and line != name:
                    titles[line.replace(name, _NAME)] += row["repeat"]
    return min(titles, key=lambda title: (-titles[title], title), default=_NAME)


def write_biographies(
    model: Model,
    checker: FactChecker,
    subjects: Sequence[Subject],
    way: Way = "opening",
    *,
    opening: str = _NAME,
    max_tokens: int = TOKENS,
) -> list[Biography]:
    """Ask a model, greedily, for a biography of each subject, and check it against the release's facts.

    Of a text that ended because its tokens were spent, what follows its last whole sentence is left out.

    Args:
        model: of any engine.
        checker: of the release that the subjects are from.
        subjects: whom the texts are to be about.
        way: how the model is asked.
        opening: how a text begins in the way `opening`, `{name}` standing for the subject's name.
        max_tokens: the longest text; less where the model's context has less room.

    Raises:
        SpecError: no such way, an opening without the name, or fewer than 1 token.
        ModelError: the engine fails, or has no chat template for the way `chat`.
    """
    if way not in WAYS:
        raise SpecError(f"no way {way!r} to ask for a biography: have {', '.join(WAYS)}")
    if _NAME not in opening:
        raise SpecError(f"an opening must hold {_NAME}, where the subject's name goes (got {opening!r})")
    if max_tokens < 1:
        raise SpecError(f"tokens must be at least 1 (got {max_tokens})")
    items = [_item(model, subject, way, opening) for subject in subjects]
    room = _room(model, items, max_tokens)
    written: dict[int, Biography] = {}
    for place, reply in model.ask(items, Decoding(max_tokens=room)) if items else ():
        said = reply.texts[0] if reply.texts else ""
        text = items[place].prompt + _spaced(said) if way == "opening" else said
        if reply.tokens >= room:
            text = match[0] if (match := _SENTENCES.match(text)) else text
        checked = checker.check(text, subjects[place].entity_id)
        written[place] = Biography(subjects[place], items[place].prompt, text, checked)
    return [written[place] for place in sorted(written)]


def _item(model: Model, subject: Subject, way: Way, opening: str) -> Item:
    row: dict[str, Any] = {"id": f"{subject.entity_id}/biography", "style": "article", "entity_id": subject.entity_id}
    if way == "opening":
        return Item(row, "", opening.replace(_NAME, subject.name))
    asked = INSTRUCTION.format(name=subject.name)
    if way == "instruction":
        return Item(row, "", f"{asked}\n\n")
    messages = ({"role": "user", "content": asked},)
    return Item(row, "", model.chat(messages), messages)


def _spaced(said: str) -> str:
    """A continuation with the space that engines may take off its front, but before a mark."""
    return said if not said or said[0].isspace() or not said[0].isalnum() else f" {said}"


def _room(model: Model, items: Sequence[Item], wanted: int) -> int:
    """How many tokens there is room for behind the longest prompt, at most those wanted."""
    context = getattr(model, "context", None) or model.about().get("context")
    tokenizer = getattr(model, "tokenizer", None)
    if not (isinstance(context, int) and tokenizer is not None and items):
        return wanted
    return max(1, min(wanted, context - max(len(tokens) for tokens in prompt_tokens(tokenizer, items))))
