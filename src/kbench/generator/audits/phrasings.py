"""Checks of phrasings: held-out ones stand apart from those of training, and everything is asked in some."""

from collections import defaultdict
from collections.abc import Iterator

from kbench.generator.asking import label_of
from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import HELD_OUT, TRAINING, Reading
from kbench.generator.audits.search import plain
from kbench.generator.documents import frames_of
from kbench.generator.lint import GENERIC, MOST_SHARED_WORDS
from kbench.generator.packs import load_pack
from kbench.generator.questions import phrasings_of, question_names
from kbench.generator.sections import sections
from kbench.generator.spec import WorldSpec
from kbench.generator.wording import MASK, shared_words
from kbench.generator.world import World
from kbench.ids import template_id
from kbench.schema import DOCUMENT_STYLES

_NO_SPEC = "the facts are {}, and no spec says what is asked of them"


def templates_apart(reading: Reading) -> Check:
    """The template ids of training and of the tests are disjoint."""
    tally = Tally("templates_apart", "No template of train or pretrain stands in validation, test or control.")
    trained: dict[str, str] = {}
    for part in reading.parts:
        if part.split in TRAINING:
            trained |= dict(zip(part.texts("template_id"), part.texts("id"), strict=True))
    held_out: dict[str, str] = {}
    for part in reading.questions(*HELD_OUT):
        held_out |= dict(zip(part.texts("template_id"), part.texts("id"), strict=True))
    for template, row in held_out.items():
        tally.expect(template not in trained, f"{template} stands in {row} and in {trained.get(template, '')}")
    return tally.check()


def phrasings_unlike(reading: Reading) -> Check:
    """Held-out phrasings share few words with those of training, names, values and topics masked."""
    tally = Tally(
        "phrasings_unlike",
        f"No held-out phrasing shares over {MOST_SHARED_WORDS:.0%} of its words with a train phrasing of its relation.",
    )
    trained, held_out = _samples(reading, TRAINING), _samples(reading, HELD_OUT)
    for key, mine in held_out.items():
        for template, masked in mine.items():
            shares = {other: shared_words(masked, text) for other, text in trained.get(key, {}).items()}
            near = max(shares, key=lambda other: shares[other], default="")
            share = shares.get(near, 0.0)
            texts = f"{masked!r} / {trained.get(key, {}).get(near)!r}"
            tally.expect(share <= MOST_SHARED_WORDS, f"{template} shares {share:.0%} of its words with {near}: {texts}")
    if reading.of_dataset and tally.counted:
        return tally.note("the facts are a published dataset's: its wordings are the same for all subjects")
    return tally.check()


def _samples(reading: Reading, splits: tuple[str, ...]) -> dict[tuple[str, str], dict[str, str]]:
    """By style and relation: a masked question of each template. Small talk, which says nothing, is left out."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for part in reading.questions(*splits):
        if part.style == "tone":
            continue
        columns = (part.texts("relation"), part.texts("template_id"), part.bare_questions(), part.texts("answer"))
        for relation, template, question, answer, facts in zip(*columns, part.lists("fact_ids"), strict=True):
            if template not in found[part.style, relation]:
                hidden = [answer, reading.topic_of(relation)]
                if part.style == "reverse":
                    hidden += [reading.facts[fact].value for fact in facts if fact in reading.facts]
                if template.split("/")[1] == GENERIC:
                    hidden.append(label_of(None, relation))
                masked = f" {reading.names.masked(question)} "
                for text in sorted(filter(str.strip, map(plain, hidden)), key=len, reverse=True):
                    masked = masked.replace(text, f" {MASK} ")
                found[part.style, relation][template] = masked.strip()
    return found


def relations_covered(reading: Reading) -> Check:
    """Every relation has rows in every style that asks for it or states it."""
    tally = Tally("relations_covered", "Every relation and path has rows in every style of the release that has it.")
    if reading.spec is None:
        return tally.skipped(_NO_SPEC.format(reading.whose))
    stated = _relations_with_rows(reading)
    for style in dict.fromkeys(part.style for part in reading.parts):
        for name in _names_in(reading.spec, style):
            tally.expect(name in stated[style], f"no row of {style} has {name}")
    return tally.check()


def _names_in(spec: WorldSpec, style: str) -> list[str]:
    return list(spec.relations) if style in DOCUMENT_STYLES else question_names(World(spec, ""), style)


def _relations_with_rows(reading: Reading) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for part in reading.parts:
        if part.is_document:
            facts = {fact for row in part.lists("fact_ids") for fact in row}
            found[part.style] |= {reading.facts[fact].relation for fact in facts if fact in reading.facts}
        else:
            found[part.style] |= set(part.texts("relation"))
    return found


def phrasings_used(reading: Reading) -> Check:
    """How many of the pack's phrasings the release shows."""
    tally = Tally("phrasings_used", "Phrasings of the pack that the release could use, and those that it does not.")
    if reading.spec is None:
        return tally.skipped(_NO_SPEC.format(reading.whose))
    pack = load_pack()
    if pack.digest != reading.release.manifest["recipe"]["templates"]["digest"]:
        return tally.skipped("the release is not of the built-in pack of this version")
    used = {template for part in reading.parts for template in part.texts("template_id")}
    for template in dict.fromkeys(_usable(reading, reading.spec)):
        tally.expect(template in used, template)
    return tally.note("rows take as many phrasings as the spec asks for, so that a small release uses only some")


def _usable(reading: Reading, spec: WorldSpec) -> Iterator[str]:
    pack, world = load_pack(), World(spec, "")
    for part in reading.parts:
        style = part.style
        if style in ("article", "dialogue"):
            kinds = [kind for kind in spec.types if spec.relations_of(kind)]
            yield from (template_id(style, kind, p.id) for kind in kinds for p in frames_of(world, pack, style, kind))
        elif style == "statement":
            for name in spec.relations:
                found = pack.of(style, spec.template_of(name), "train")
                yield from (template_id(style, p.relation, p.id) for p in found if p.kind != "reversal")
        else:
            for section in sections(world, style, part.split):  # type: ignore[arg-type]
                for name in question_names(world, style):
                    phrasings = phrasings_of(world, pack, style, name, section)
                    yield from (template_id(style, p.relation, p.id) for p in phrasings)
