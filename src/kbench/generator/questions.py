"""Question rows: every answer derived from the facts of the graph, never from text."""

import numpy as np
import pyarrow as pa

from kbench.generator.asking import Asked, ask_path, can_be_asked, in_number_form, place_of
from kbench.generator.choices import LISTED, OPTIONS, can_choose, with_options
from kbench.generator.coherence import OPERATORS
from kbench.generator.columns import Ints
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import Uses, times_of, uses
from kbench.generator.reasoning import ask_reasoning, ask_reverse
from kbench.generator.scene import Scene
from kbench.generator.sections import Section, is_taught, probe_of
from kbench.generator.setting import Setting
from kbench.generator.sheets import Sheet
from kbench.generator.tones import ask_tone, tone_relations
from kbench.generator.world import World
from kbench.ids import question_id, template_id
from kbench.schema import Split


def question_names(world: World, style: str) -> list[str]:
    """The relations, paths and kinds of reasoning that a question style asks about."""
    relations, paths = world.spec.relations, world.spec.paths
    if style == "multihop":
        return [
            *(".".join(chain) for chain in paths.chains),
            *(f"compare.{name}" for name in paths.compares),
            *(f"count.{name}" for name in paths.counts),
            *(f"list.{name}" for name in paths.lists),
            *(f"most.{'.'.join(pair)}" for pair in paths.extremes),
            *(f"both.{'.'.join(pair)}" for pair in paths.intersections),
        ]
    if style == "numeric":
        numbers = [name for name, relation in relations.items() if relation.value_type in ("numeric", "date")]
        return [*numbers, *(f"difference.{name}" for name in paths.differences)]
    if style == "reverse":
        return list(paths.reverse)
    if style == "tone":
        return tone_relations(world)
    return [name for name in relations if style != "choice" or can_choose(world, name)]


def builds_on_qa(world: World, style: str) -> bool:
    """Whether rows of a style build on rows of `qa`, which must then be in the release."""
    return style in ("multihop", "reverse") or (style == "numeric" and bool(world.spec.paths.differences))


def is_reasoning(style: str, name: str) -> bool:
    """Whether the subjects of a question in `train` and in `validation` and `test` are disjoint."""
    return style in ("multihop", "reverse") or name.split(".")[0] in OPERATORS


def phrasings_of(world: World, pack: Pack, style: str, name: str, section: Section) -> tuple[Phrasing, ...]:
    """The phrasings that a question is asked in; of numbers, in the forms that the spec asks for.

    No number is to be rounded that rounding would make nothing of.
    """
    found = pack.of(style, world.spec.template_of(name), section.phrasing)
    if style != "numeric" or name.split(".")[0] in OPERATORS:
        return found
    source, forms = world.source_of(name), world.spec.exposure.number_forms
    fitting = ("digits", "year", "iso") if source.value_type == "date" else ("digits", "words", "rounded")
    asked = (p for p in found if (p.kind or "digits") in forms and (p.kind or "digits") in fitting)
    return tuple(p for p in asked if p.kind != "rounded" or place_of(source)[0])


def question_rows(scene: Scene, style: str, split: Split) -> pa.Table:
    """The rows of a question style for the blocks of a section, in entity order."""
    world, section = scene.world, scene.section
    sheet = Sheet(style, "question")
    for place, name in enumerate(question_names(world, style)):
        phrasings = phrasings_of(world, scene.pack, style, name, section)
        if not phrasings or not world.subjects(_first_step(name), section.blocks).size:
            continue
        variants = _variants(scene, style, name, phrasings)
        every = variants[0].index
        for variant in variants[1:]:
            if variant.index is not every:
                every = np.intersect1d(every, variant.index)
        kind = variants[0].kind
        if is_reasoning(style, name) and section.role in ("new", "known") and split != "pretrain":
            every = every[is_taught(world, kind, every) == (split == "train")]
        times = times_of(world, scene.pack, section, style, base_of(name), kind, every, len(phrasings))
        used = uses(world, section, name, phrasings, every, times)
        if used.subject.size:
            kinds = list(world.spec.types).index(kind)
            order = (world.block_of(kind, every), np.full_like(every, kinds), every, np.full_like(every, place))
            wording, subject = _worded(sheet, section, style, phrasings, variants, every, used)
            sheet.add([*(key[used.subject] for key in order), used.phrasing], wording, subject, used.repeat)
    return sheet.question_table()


def _worded(
    sheet: Sheet,
    section: Section,
    style: str,
    phrasings: tuple[Phrasing, ...],
    variants: list[Asked],
    every: Ints,
    used: Uses,
) -> tuple[Ints, Ints]:
    """For each use the sheet's phrasing, and the position of the subject in what it is asked."""
    wording, subject = np.empty_like(used.subject), np.empty_like(used.subject)
    settings: dict[int, Setting] = {}
    for number, (phrasing, asked) in enumerate(zip(phrasings, variants, strict=True)):
        rows = used.of(number)
        if rows.size:
            if id(asked) not in settings:
                settings[id(asked)] = _laid_in(sheet, asked)
            setting, at = settings[id(asked)], used.subject[rows]
            if asked.index.size != every.size:
                at = np.searchsorted(asked.index, every[at])
            pieces = list[str | int]()
            pieces += [setting.handle("said")] if style == "tone" else setting.pieces(phrasing, at)
            pieces += ["\n", setting.handle(LISTED)] if style == "choice" else []
            said = {
                "probe": probe_of(section, style, asked.name),
                "relation": asked.name,
                "template_id": template_id(style, phrasing.relation, phrasing.id),
                "value_type": asked.value_type,
                "unit": asked.unit,
            }
            ending = question_id("", asked.name, style, phrasing.id)
            wording[rows] = sheet.word(phrasing, setting, pieces, ending, said)
            subject[rows] = setting.shift + at
    return wording, subject


def _laid_in(sheet: Sheet, asked: Asked) -> Setting:
    entries = {"answers": asked.answers, "number": asked.number, "hop_ids": asked.hops}
    if asked.choices is not None:
        entries |= {"choices": asked.choices, "label": asked.label}
    return sheet.lay_in(asked.ids, asked.facts, asked.variables, asked.constants, entries)


def base_of(name: str) -> str:
    """The relation whose subjects' doses a question takes: its first; for an inverse one, any: they have one dose."""
    operator, *rest = name.split(".")
    return rest[0] if operator in OPERATORS else name


def _first_step(name: str) -> str:
    return base_of(name).split(".")[0]


def _variants(scene: Scene, style: str, name: str, phrasings: tuple[Phrasing, ...]) -> list[Asked]:
    """What each phrasing asks; phrasings of one kind ask the same, and share it."""
    world, index = scene.world, np.empty(0, dtype=np.int64)
    if name.split(".")[0] not in OPERATORS and style != "reverse":
        index = world.subjects(name.split(".")[0], scene.section.blocks)
        possible = can_be_asked(world, name, index)
        index = index if possible.all() else index[possible]
    if style == "tone":
        return [ask_tone(scene, name, index, prompt) for prompt in phrasings]
    if style == "reverse":
        return [ask_reverse(scene, name)] * len(phrasings)
    kinds = {phrasing.kind for phrasing in phrasings}
    if name.split(".")[0] in OPERATORS:
        by_kind = {kind: ask_reasoning(scene, name, kind) for kind in sorted(kinds)}
        return [by_kind[phrasing.kind] for phrasing in phrasings]
    asked = ask_path(scene, name, index)
    if style == "choice":
        turned = with_options(world, asked)
        return [turned[turn % OPTIONS] for turn in range(len(phrasings))]
    if style == "numeric":
        by_kind = {kind: in_number_form(asked, world.source_of(name), kind) for kind in sorted(kinds)}
        return [by_kind[phrasing.kind] for phrasing in phrasings]
    return [asked] * len(phrasings)
