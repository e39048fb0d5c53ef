"""The linter of template packs: what a reader or a model would stumble over, each with file and line."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import meta

from kbench.errors import TemplateError
from kbench.generator.packs import Pack, Phrasing, environment
from kbench.generator.pools import load_pool
from kbench.generator.shards import lacking, styles_for
from kbench.generator.spec import WorldSpec
from kbench.generator.wording import frames_of_text, mask, shared_words, words_of

MOST_SHARED_WORDS = 0.6
"""Of its words, how many a held-out phrasing may share with a train phrasing of its relation."""
MOST_SHARED_FRAMES = 0.25
"""Of its phrasings, how many a relation may put in a frame that another relation has too."""

GENERIC = "generic"
"""The file of a style that serves relations which the pack has no file for."""

_MENTION = frozenset({"name", "They", "they", "Their", "their", "them", "topic"})
_QUESTIONS = frozenset({"qa", "cloze", "numeric", "multihop", "reverse", "choice"})
_LEAST: Mapping[str, tuple[int, int, int]] = {
    "qa": (8, 4, 4),
    "multihop": (8, 4, 4),
    "reverse": (8, 4, 4),
    "cloze": (4, 2, 2),
    "numeric": (4, 2, 2),
    "statement": (8, 0, 0),
    "dialogue": (4, 0, 0),
    "tone": (16, 6, 8),
    "voice": (8, 4, 4),
}
_LEAST_FRAMES = 4
_SENTENCES = 24
_STANDS_FOR: Mapping[str, Any] = {
    "name": "Qname",
    "They": "Qname",
    "they": "Qname",
    "Their": "Qname's",
    "their": "Qname's",
    "them": "Qname",
    "topic": "qtopic",
    "relation": "qrelation",
    "value": "Qvalue",
    "place": "hundred",
    "one": "Qone",
    "two": "Qtwo",
    "larger": "Qone",
    "smaller": "Qtwo",
    "content": "Qcontent",
    "turns": "qturns",
    "form": 0,
}
_SUBJECTS = ("Qname", "Qone", "Qtwo")
_HIDDEN = (*_SUBJECTS, "Qvalue")


@dataclass(frozen=True)
class Finding:
    """One thing to mend: where, which rule, and what was found."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path} line {self.line}: {self.rule}: {self.message}"


def lint_pack(pack: Pack) -> list[Finding]:
    """Every finding of a pack, by file and line."""
    shown = _rendered(pack)
    texts = {p: text for p, text in shown.items() if isinstance(text, str)}
    found = [finding for finding in shown.values() if isinstance(finding, Finding)]
    for rule in _RULES:
        found += rule(texts)
    return sorted(set(found), key=lambda f: (f.path, f.line, f.rule, f.message))


def lint_coverage(pack: Pack, spec: WorldSpec) -> list[Finding]:
    """What a spec asks of a pack and does not find, in the styles that the pack has a folder for."""
    folders = {style for style, _ in pack.phrasings}
    styles = tuple(style for style in styles_for(["all"], spec) if style in folders)
    found = [Finding(path, 1, "uncovered relation", message) for path, message in lacking(spec, pack, styles)]
    for relation, values in _values(spec).items():
        for phrasing in pack.phrasings.get(("qa", relation), ()):
            told = set(words_of(phrasing.source))
            leaked = sorted(value for value in values if len(value) > 2 and set(words_of(value)) <= told)
            if leaked:
                found.append(_at(phrasing, "leaked answer", f"{leaked[0]!r} is a value of {relation!r}"))
    return sorted(set(found), key=lambda f: (f.path, f.line))


def _values(spec: WorldSpec) -> dict[str, tuple[str, ...]]:
    """The values of relations that draw from one pool, by the file of their phrasings."""
    single = {name: r.pools[0] for name, r in spec.relations.items() if len(r.pools) == 1}
    return {spec.template_of(name): load_pool(pool) for name, pool in single.items()}


def allowed_variables(phrasing: Phrasing) -> frozenset[str]:
    """The variables that a phrasing may use."""
    style, operator = phrasing.style, phrasing.relation.split(".")[0]
    if style == "article":
        return _MENTION | {"sentences", "form"}
    if style == "voice":
        return frozenset({"content", "name"})
    if operator in ("compare", "both"):
        return frozenset({"one", "two"})
    if operator == "difference":
        return frozenset({"one", "two", "larger", "smaller"})
    if style == "reverse":
        return frozenset({"value", "topic", "relation"})
    extra = {"statement": {"value"}, "dialogue": {"turns"}, "numeric": {"place"}}.get(style, set())
    return _MENTION | extra | ({"relation"} if phrasing.relation == GENERIC else set())


def _at(phrasing: Phrasing, rule: str, message: str) -> Finding:
    return Finding(f"{phrasing.style}/{phrasing.relation}.j2", phrasing.line, rule, f"{phrasing.id}: {message}")


def _rendered(pack: Pack) -> dict[Phrasing, str | Finding]:
    values = {**_STANDS_FOR, "sentences": [f"Sentence q{n}." for n in range(_SENTENCES)]}
    found: dict[Phrasing, str | Finding] = {}
    for (style, relation), group in pack.phrasings.items():
        asked = pack.phrasings.get(("qa", relation), ())
        if style == "choice" and [p.source for p in group] == [p.source for p in asked]:
            continue
        for phrasing in group:
            try:
                found[phrasing] = phrasing.render(values)
            except TemplateError as error:
                found[phrasing] = _at(phrasing, "cannot render", str(error).split(": ", 1)[-1])
    return found


def _variables(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    jinja = environment()
    for phrasing in texts:
        used = meta.find_undeclared_variables(jinja.parse(phrasing.source))
        for name in sorted(used - allowed_variables(phrasing)):
            have = ", ".join(sorted(allowed_variables(phrasing)))
            yield _at(phrasing, "undefined variable", f"{name!r} is not known here: have {have}")


def _what_is_shown(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    for phrasing, text in texts.items():
        for message in _shown(phrasing, text):
            yield _at(phrasing, "what is shown", message)
        if re.search(r"  | [.,?!;:]|\n\n\n|[{}]|\.\.", text):
            yield _at(phrasing, "typography", f"stray space, mark or brace in {text!r}")
        if phrasing.style not in ("voice", "tone", "dialogue") and not (text[0].isupper() or text[0].isdigit()):
            yield _at(phrasing, "typography", f"begins with a small letter: {text!r}")


def _shown(phrasing: Phrasing, text: str) -> Iterator[str]:
    style, operator = phrasing.style, phrasing.relation.split(".")[0]
    subjects = sum(text.count(subject) for subject in _SUBJECTS)
    if style in ("qa", "cloze", "numeric", "multihop", "choice", "statement"):
        wanted = 2 if operator in ("compare", "both", "difference") else 1
        if subjects != wanted:
            yield f"names its subject {subjects} times instead of {wanted}: {text!r}"
    if style in ("statement", "reverse") and text.count("Qvalue") != 1:
        yield f"shows its value {text.count('Qvalue')} times instead of once: {text!r}"
    if style == "statement" and not text.endswith("."):
        yield f"is no sentence that ends in a full stop: {text!r}"
    if style in _QUESTIONS - {"cloze"} and text[-1] not in "?.":
        yield f"ends neither as a question nor as a request: {text!r}"
    if style == "cloze" and text[-1] in "?.!,;:":
        yield f"a cloze ends where its answer begins, without a mark: {text!r}"
    if style == "voice" and "Qcontent" not in text:
        yield "does not show its content"
    if style == "tone" and text.count("\n---\n") != 1:
        yield "expected a prompt, a line ---, and what is said"
    if style == "article":
        lost = [n for n in range(_SENTENCES) if text.count(f"Sentence q{n}.") != 1]
        if lost:
            yield f"claims facts that it does not state once each: sentences {lost[:5]} of {_SENTENCES}"
    if style == "dialogue" and not re.search(r"^qturns$", text, re.MULTILINE):
        yield "has no line of its own with {{ turns }}"


def _fewer_than_needed(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    for (style, relation), group in _by(texts, lambda p: (p.style, p.relation)).items():
        if style == "article":
            for kind, frames in _by(group, lambda p: p.kind).items():
                if len(frames) < _LEAST_FRAMES:
                    yield _at(group[0], "too few", f"{len(frames)} frames of kind {kind}, expected {_LEAST_FRAMES}")
            continue
        least = (4, 0, 0) if style == "statement" and "." in relation else _LEAST.get(style, (0, 0, 0))
        for role, need in zip(("train", "validation", "test"), least, strict=True):
            have = sum(p.role == role and p.kind != "reversal" for p in group)
            if have < need:
                yield _at(group[0], "too few", f"{have} {role} phrasings, expected {need}")


def _masked(phrasing: Phrasing, text: str) -> str:
    return mask(text, [*_HIDDEN, *([] if phrasing.relation == GENERIC else ["qtopic"])])


def _said_twice(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    said: dict[str, Phrasing] = {}
    for phrasing, text in texts.items():
        if phrasing.style in _QUESTIONS | {"statement"} and phrasing.style != "choice":
            plain = " ".join(words_of(_masked(phrasing, text)))
            other = said.setdefault(plain, phrasing)
            if other is not phrasing:
                yield _at(phrasing, "said twice", f"{text!r} is also {other.where}")


def _too_alike(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    """Held-out phrasings of validation and test against the train phrasings of the same style and relation."""
    for (style, _), group in _by(texts, lambda p: (p.style, p.relation)).items():
        if style not in _QUESTIONS - {"choice"}:
            continue
        train = [p for p in group if p.role == "train"]
        for phrasing in (p for p in group if p.role != "train"):
            mine = _masked(phrasing, texts[phrasing])
            near = max(train, key=lambda p: shared_words(mine, _masked(p, texts[p])), default=None)
            share = shared_words(mine, _masked(near, texts[near])) if near else 0
            if near and share > MOST_SHARED_WORDS:
                yield _at(
                    phrasing,
                    "too alike",
                    f"shares {share:.0%} of its words with {near.id}, at most {MOST_SHARED_WORDS:.0%}: "
                    f"{texts[phrasing]!r} / {texts[near]!r}",
                )


def _shared_frames(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    for style, group in _by(texts, lambda p: p.style).items():
        if style not in (_QUESTIONS | {"statement"}) - {"choice"}:
            continue
        users: dict[str, set[str]] = defaultdict(set)
        frames = {p: frames_of_text(_masked(p, texts[p])) for p in group if p.relation != GENERIC}
        for phrasing, keys in frames.items():
            for key in keys:
                users[key].add(phrasing.relation)
        for relation, mine in _by(frames, lambda p: p.relation).items():
            shared = [p for p in mine if any(users[key] != {relation} for key in frames[p])]
            if len(shared) > MOST_SHARED_FRAMES * len(mine):
                for phrasing in shared:
                    key = next(k for k in sorted(frames[phrasing]) if users[k] != {relation})
                    others = ", ".join(sorted(users[key] - {relation})[:3])
                    yield _at(
                        phrasing,
                        "shared frame",
                        f"{len(shared)} of {len(mine)} phrasings use frames of other relations, at most "
                        f"{MOST_SHARED_FRAMES:.0%}: {texts[phrasing]!r} as in {others}",
                    )


def _unseen_words(texts: Mapping[Phrasing, str]) -> Iterator[Finding]:
    """Words of held-out phrasings that stand in no train phrasing: a model finetuned on the pack never read them."""
    trained = {word for p, text in texts.items() if p.role == "train" for word in words_of(_masked(p, text))}
    for phrasing, text in texts.items():
        missing = sorted(set(words_of(_masked(phrasing, text))) - trained)
        if phrasing.role != "train" and missing and phrasing.style in _QUESTIONS:
            yield _at(phrasing, "unseen word", f"{', '.join(missing)} stand in no train phrasing of the pack")


def _by(phrasings: Any, key: Callable[[Phrasing], Any]) -> dict[Any, list[Phrasing]]:
    groups: dict[Any, list[Phrasing]] = {}
    for phrasing in phrasings:
        groups.setdefault(key(phrasing), []).append(phrasing)
    return groups


_RULES: tuple[Callable[[Mapping[Phrasing, str]], Iterator[Finding]], ...] = (
    _variables,
    _what_is_shown,
    _fewer_than_needed,
    _said_twice,
    _too_alike,
    _shared_frames,
    _unseen_words,
)
