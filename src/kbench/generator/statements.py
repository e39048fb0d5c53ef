"""Statement rows: one sentence a row, with the subject's full name; some value first, some of what follows from two."""

import numpy as np
import pyarrow as pa

from kbench.generator.asking import can_be_asked, constants_of, fact_ids, mention_columns
from kbench.generator.columns import Ints, Texts, concat, side_by_side, take
from kbench.generator.hashing import below, stream_key
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import Uses, times_of, uses
from kbench.generator.scene import Scene
from kbench.generator.sections import Section, is_taught, stated
from kbench.generator.setting import Setting
from kbench.generator.sheets import Sheet
from kbench.generator.surface import second_forms
from kbench.generator.world import Mask, Values, World
from kbench.ids import document_id, template_id


def statement_rows(scene: Scene) -> pa.Table:
    """The statements of every fact of the blocks of a section, in entity order."""
    world, pack, section = scene.world, scene.pack, scene.section
    sheet = Sheet("statement", "text")
    reversals, implications = world.spec.exposure.reversals, world.spec.exposure.implications
    chains = [".".join(chain) for chain in world.spec.paths.chains] if implications else []
    for place, name in enumerate([*world.spec.relations, *chains]):
        index = world.subjects(name.split(".")[0], section.blocks)
        if not index.size:
            continue
        index = index[can_be_asked(world, name, index)]
        if "." in name and section.role in ("new", "known"):
            # What follows is told of those who are taught to reason: the others are asked for it.
            index = index[is_taught(world, world.spec.start_of(name), index)]
            index = index[_all_stated(world, section, name, index)]
        forward = plain(pack, world, name)
        if "." in name:
            forward = forward[:implications]
            parts = [("implication", forward, np.full(index.size, len(forward), dtype=np.int64))]
        else:
            parts = _parts(world, pack, section, name, index, forward, reversed_of(pack, world, name)[:reversals])
        told = _Told(scene, name, index)
        for turn, (form, phrasings, times) in enumerate(parts):
            if phrasings and index.size:
                used = uses(world, section, name, phrasings, index, times)
                _add(sheet, told, form, phrasings, used, (place, turn))
    return sheet.document_table()


def _all_stated(world: World, section: Section, chain: str, index: Ints) -> Mask:
    """Of which subjects every fact of a chain is stated itself: what follows from it may be, then."""
    stated_all, here = np.ones(index.size, dtype=bool), index
    for step in chain.split("."):
        relation = world.spec.relations[step]
        stated_all &= stated(world, section.role, step, relation.subject, here) > 0
        here = world.objects(step, here) if relation.value_type == "entity" else here
    return stated_all


def plain(pack: Pack, world: World, name: str) -> tuple[Phrasing, ...]:
    """The sentences that say a fact, subject first."""
    found = pack.of("statement", world.spec.template_of(name), "train")
    return tuple(p for p in found if p.kind != "reversal")


def reversed_of(pack: Pack, world: World, name: str) -> tuple[Phrasing, ...]:
    """The sentences that say a fact value first."""
    found = pack.of("statement", world.spec.template_of(name), "train")
    return tuple(p for p in found if p.kind == "reversal")


def written_forms(world: World, name: str, values: Values) -> list[Texts]:
    """The forms that documents write values in: canonical, and the second one where the spec has two."""
    if world.spec.exposure.forms == 1:
        return [world.said(name, values.text)]
    return [values.text, second_forms(world.source_of(name), values.text, values.number)]


def form_of_document(world: World, kind: str, index: Ints, k: str) -> Ints:
    """The surface form, 0 or 1, that the k-th document of each entity keeps to."""
    return below(stream_key(world.seed, "form", kind, k), index, world.spec.exposure.forms)


def _parts(
    world: World,
    pack: Pack,
    section: Section,
    name: str,
    index: Ints,
    forward: tuple[Phrasing, ...],
    backward: tuple[Phrasing, ...],
) -> list[tuple[str, tuple[Phrasing, ...], Ints]]:
    """Sentences by direction and how often each fact is said in it: the exposures are shared out by phrasings."""
    times = times_of(world, pack, section, "statement", name, world.spec.start_of(name), index, len(forward))
    if not backward:
        return [("statement", forward, times)]
    ahead = min(len(forward), world.spec.exposure.paraphrases)
    back = times * len(backward) // (ahead + len(backward))
    return [("statement", forward, times - back), ("reversal", backward, back)]


class _Told:
    """What the statements of a relation or chain say of a column of subjects."""

    def __init__(self, scene: Scene, name: str, index: Ints) -> None:
        world, here, facts = scene.world, index, list[Texts]()
        self.scene, self.name, self.index = scene, name, index
        self.kind = world.spec.start_of(name)
        for step in name.split("."):
            facts.append(fact_ids(scene, step, here))
            values = world.values(step, here)
            here = values.object
        self.facts = side_by_side(facts)
        self.forms = written_forms(world, name, values)

    def said(self, phrasing: Phrasing) -> Texts:
        """The values, in the form that each one's statement in a phrasing has."""
        if len(self.forms) == 1:
            return self.forms[0]
        form = form_of_document(self.scene.world, self.kind, self.index, phrasing.id)
        return take(concat(self.forms), form * self.index.size + np.arange(self.index.size))

    def laid_in(self, sheet: Sheet, value: Texts) -> Setting:
        """The columns that its phrasings print."""
        variables = {**mention_columns(self.scene, self.kind, self.index), "value": value}
        ids = self.scene.world.ids(self.kind, self.index)
        return sheet.lay_in(ids, self.facts, variables, constants_of(self.scene.world, self.name))


def _add(
    sheet: Sheet, told: _Told, form: str, phrasings: tuple[Phrasing, ...], used: Uses, place: tuple[int, int]
) -> None:
    world, index = told.scene.world, told.index
    wording, subject = np.empty_like(used.subject), np.empty_like(used.subject)
    setting = None
    for number, phrasing in enumerate(phrasings):
        rows = used.of(number)
        if rows.size:
            if setting is None or len(told.forms) > 1:
                setting = told.laid_in(sheet, told.said(phrasing))
            at = used.subject[rows]
            said = {
                "probe": told.scene.section.probe,
                "relation": told.name,
                "template_id": template_id("statement", phrasing.relation, phrasing.id),
                "kind": form,
            }
            ending = document_id("", "statement", form, f"{told.name}.{phrasing.id}", 0)
            wording[rows] = sheet.word(phrasing, setting, setting.pieces(phrasing, at), ending, said)
            subject[rows] = setting.shift + at
    kinds = list(world.spec.types).index(told.kind)
    order = (world.block_of(told.kind, index), np.full_like(index, kinds), index)
    row_keys = [*(key[used.subject] for key in order), *(np.full_like(subject, part) for part in place), used.phrasing]
    sheet.add(row_keys, wording, subject, used.repeat)
