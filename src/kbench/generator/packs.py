"""Template packs: folders of `<style>/<relation>.j2`, each file holding that relation's phrasings.

A phrasing is opened by a line `{# train t03 #}` (role, id), some by a kind too: `{# train d01 news #}`. Questions of
`choice` are those of `qa` with options below, unless the pack has a folder `choice`. Templates run in Jinja's sandbox,
with undefined names as errors and no clock or chance.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, cast, get_args

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kbench.errors import TemplateError
from kbench.generator.bounds import in_time
from kbench.ids import digest_of
from kbench.schema import STYLES, Kind

PhrasingRole = Literal["train", "validation", "test"]
# Any comment alone on its line is meant as a header, so that a misspelt one is an error and not part of a text.
_HEADER = re.compile(r"^[ \t]*\{#(.*?)#\}[ \t]*$\n?", re.MULTILINE)
_ID = re.compile(r"[A-Za-z0-9_-]+")
# By sound: an hour, an 80; but a user, a union, a European, a one-off.
_VOWEL_SOUND = re.compile(
    r"hour|honest|honou?r|heir|8|1[18](?!\d)|(?!uni[^nm]|eu|ewe|one\b|once\b|u[bcfhjkqrst][aeiou])[aeiou]",
    re.IGNORECASE,
)
_PACK_KEYS = ("name", "version", "language", "description", "licence")
LONGEST = 64 * 1024
"""A row's text has at most so many bytes."""
_MOST = 16 * LONGEST
"""What a template computes on the way has at most so many letters, or bits."""

FOLDERS = (*STYLES, "voice")
"""What a pack may hold: one folder a style, and `voice`, one file for each value of a tone relation."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "article": get_args(Kind),
    "statement": ("reversal",),
    "numeric": ("digits", "words", "rounded", "year", "iso"),
    "multihop": ("more", "less"),
}
"""The kinds that a header of a folder may name after its id; an article must name one."""


@dataclass(frozen=True)
class Phrasing:
    """One template of one style and relation; for documents the relation is the type written about."""

    style: str
    relation: str
    role: PhrasingRole
    id: str
    kind: str
    source: str
    line: int
    plain: bool = False
    """Whether it is always rendered row by row, never compiled."""

    @cached_property
    def template(self) -> Template:
        """The compiled template. Raises what Jinja raises where its syntax is wrong."""
        return environment().from_string(self.source)

    @property
    def mends(self) -> tuple[str, ...]:
        """The variables whose texts decide on more than where they are printed: `render` looks at how they end."""
        return ()

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.style}/{self.relation}.j2 line {self.line} ({self.id})"

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for one row. Raises TemplateError that names template and line."""
        try:
            text = in_time(self.template.render, values).strip()
        except Exception as error:  # whatever a user's template can raise, the user is to read where
            raise TemplateError(f"{self.where}: {_said(error)}") from None
        if len(text.encode()) > LONGEST:
            raise TemplateError(f"{self.where}: the text is longer than {LONGEST // 1024} KiB")
        return text


@dataclass(frozen=True)
class Pack:
    """A template pack: its phrasings by (style, relation), and the digest of all its files."""

    name: str
    version: str
    digest: str
    phrasings: Mapping[tuple[str, str], tuple[Phrasing, ...]]

    def of(self, style: str, relation: str, role: PhrasingRole) -> tuple[Phrasing, ...]:
        """The phrasings of a style and relation in one role, in file order."""
        return self._by_role.get((style, relation, role), ())

    @cached_property
    def _by_role(self) -> Mapping[tuple[str, str, str], tuple[Phrasing, ...]]:
        found: dict[tuple[str, str, str], tuple[Phrasing, ...]] = {}
        for (style, relation), group in self.phrasings.items():
            for phrasing in group:
                key = (style, relation, phrasing.role)
                found[key] = (*found.get(key, ()), phrasing)
        return found

    @cached_property
    def memory(self) -> dict[tuple[Any, ...], Any]:
        """What has been computed from the pack, for those who ask again."""
        return {}

    @cached_property
    def by_id(self) -> Mapping[str, Phrasing]:
        """Every phrasing by its template id."""
        return {f"{p.style}/{p.relation}/{p.id}": p for group in self.phrasings.values() for p in group}


def plainly(pack: Pack) -> Pack:
    """The pack, each of its phrasings rendered row by row: the text that the compiled ones must have."""
    if ("plainly",) not in pack.memory:
        groups = {key: tuple(replace(p, plain=True) for p in group) for key, group in pack.phrasings.items()}
        pack.memory["plainly",] = replace(pack, phrasings=groups)
    found: Pack = pack.memory["plainly",]
    return found


def indefinite(word: str) -> str:
    """The word with its indefinite article: `a baker`, `an architect`."""
    return f"{'an' if _VOWEL_SOUND.match(word) else 'a'} {word}"


def _printed(value: Any) -> Any:
    """What an expression prints: anything but what has its address in memory for a text."""
    if isinstance(value, str | Undefined):
        return value
    if callable(value):
        raise TypeError(f"{getattr(value, '__name__', 'a function')} is a function: call it with ()")
    if isinstance(value, Iterator):
        raise TypeError("what is printed is not a text but gives texts one by one: join them, with | join(' ')")
    return value


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which a product or power too big for any row is an error and not a wait."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The value of `left * right` or `left ** right`."""
        if isinstance(right, Sized) and operator == "*":
            left, right = right, left
        if isinstance(right, int):
            if operator == "**" and isinstance(left, int) and left.bit_length() * right > _MOST:
                raise OverflowError(f"a power of more than {_MOST:,} binary digits is too big a number")
            if operator == "*" and isinstance(left, Sized) and len(left) * right > _MOST:
                raise OverflowError(f"{len(left)} * {right} letters: the text is longer than {LONGEST // 1024} KiB")
        return super().call_binop(context, operator, left, right)


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """The Jinja environment that every pack runs in."""
    jinja = _Sandbox(undefined=StrictUndefined, autoescape=False, finalize=_printed)
    jinja.globals.pop("lipsum", None)
    jinja.filters.pop("random", None)
    jinja.filters["a"] = indefinite
    return jinja


def load_pack(folder: str | Path | None = None) -> Pack:
    """The built-in pack, or a user's. Raises TemplateError that names the file and line of the first defect."""
    root: Traversable
    if folder is None:
        root, shown = files("kbench.templates").joinpath("pack"), "the built-in pack"
    else:
        root, shown = Path(folder), str(folder)
        if not root.is_dir():
            raise TemplateError(f"no template pack at {shown}: give a folder that holds pack.toml")
    about = _about(root, shown)
    digests = [str(about)]
    phrasings: dict[tuple[str, str], tuple[Phrasing, ...]] = {}
    for style in sorted(child.name for child in root.iterdir() if child.is_dir() and child.name[0] != "."):
        if style not in FOLDERS:
            raise TemplateError(f"{shown}: unknown style folder {style!r}: have {', '.join(FOLDERS)}")
        for source in sorted(root.joinpath(style).iterdir(), key=lambda child: child.name):
            if not source.name.endswith(".j2"):
                raise TemplateError(f"{shown}: {style}/{source.name} is no template: expected {style}/<relation>.j2")
            text = _read(source, f"{style}/{source.name}")
            relation = source.name.removesuffix(".j2")
            phrasings[style, relation] = tuple(_parse(style, relation, text, trusted=folder is None))
            digests += [style, relation, text]
    for (style, relation), group in list(phrasings.items()):
        if style == "qa" and ("choice", relation) not in phrasings:
            phrasings["choice", relation] = tuple(replace(p, style="choice") for p in group)
    return Pack(about["name"], about["version"], digest_of(*digests), phrasings)


def _about(root: Traversable, shown: str) -> dict[str, str]:
    source = root.joinpath("pack.toml")
    if not source.is_file():
        raise TemplateError(f"{shown} is no template pack: it has no pack.toml")
    try:
        about = tomllib.loads(_read(source, f"{shown}/pack.toml"))
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{shown}/pack.toml: not valid TOML: {error}") from None
    for key in about:
        if key not in _PACK_KEYS:
            raise TemplateError(f"{shown}/pack.toml: unknown key {key!r}: have {', '.join(_PACK_KEYS)}")
    return {"name": "", "version": "", **about}


def _parse(style: str, relation: str, text: str, *, trusted: bool) -> list[Phrasing]:
    place = f"{style}/{relation}.j2"
    headers = list(_HEADER.finditer(text))
    if not headers or text[: headers[0].start()].strip():
        raise TemplateError(f"{place} line 1: expected a header such as {{# train t01 #}}")
    found: dict[str, Phrasing] = {}
    for header, after in zip(headers, [*headers[1:], None], strict=True):
        line = text.count("\n", 0, header.start()) + 1
        role, name, kind = _header(header.group(1).split(), style, f"{place} line {line}")
        if name in found:
            raise TemplateError(f"{place} line {line}: the id {name!r} stands twice, first in line {found[name].line}")
        raw = text[header.end() : after.start() if after else len(text)]
        body = raw.strip()
        if not body:
            raise TemplateError(f"{place} line {line}: the phrasing {name!r} has no text")
        first = line + 1 + raw[: len(raw) - len(raw.lstrip())].count("\n")
        phrasing = found[name] = Phrasing(style, relation, role, name, kind, body, line)
        if trusted:  # compiled when it is first rendered: the whole built-in pack would take seconds
            continue
        try:
            _ = phrasing.template
        except TemplateSyntaxError as error:
            raise TemplateError(f"{place} line {first + error.lineno - 1}: {error.message}") from None
        except Exception as error:
            raise TemplateError(f"{place} line {first}: {_said(error)}") from None
    return list(found.values())


def _header(words: list[str], style: str, where: str) -> tuple[PhrasingRole, str, str]:
    example = "{# train d01 news #}" if style == "article" else "{# train t01 #}"
    kinds = KINDS.get(style, ())
    if style == "article" and len(words) == 2:
        raise TemplateError(f"{where}: a document template names its kind: {example}")
    if len(words) not in ((2, 3) if kinds else (2,)):
        raise TemplateError(f"{where}: expected a header such as {example}")
    role, name, kind = words[0], words[1], words[2] if len(words) == 3 else ""
    if role not in get_args(PhrasingRole):
        raise TemplateError(f"{where}: unknown role {role!r}: have {', '.join(get_args(PhrasingRole))}")
    if not _ID.fullmatch(name):
        raise TemplateError(f"{where}: the id {name!r} may hold letters, digits, - and _ only")
    if kind and kind not in kinds:
        raise TemplateError(f"{where}: unknown kind {kind!r}: have {', '.join(kinds)}")
    return cast(PhrasingRole, role), name, kind


def _read(source: Traversable, shown: str) -> str:
    try:
        return source.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TemplateError(f"{shown} is not UTF-8: {error.reason} at byte {error.start}") from None


def _said(error: Exception) -> str:
    if isinstance(error, LookupError | AttributeError):
        return f"{type(error).__name__}: {error}"
    return str(error) or type(error).__name__
