"""Articles and dialogues: texts that state several facts of one entity, in statement sentences or in turns."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from kbench.generator.bounds import watching
from kbench.generator.columns import Ints, Press, Texts, few, lists, looked_up, runs, same, starts_of, take, texts
from kbench.generator.hashing import below, stream_key
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import times_of
from kbench.generator.scene import Scene
from kbench.generator.scripts import SPEAKERS, Acted, Frames, Script, acted
from kbench.generator.sentences import Sentences
from kbench.generator.setting import refuse_long
from kbench.generator.sheets import in_order, tabled
from kbench.generator.statements import form_of_document
from kbench.generator.tellings import tellings
from kbench.generator.world import World
from kbench.ids import document_id, fact_id, template_id
from kbench.schema import schema_of


def document_rows(scene: Scene, style: str) -> pa.Table:
    """The articles or dialogues of every entity of the blocks of a section, in entity order."""
    world, press, found = scene.world, Press(), list[_Laid]()
    for place, kind in enumerate(world.spec.types):
        if world.spec.relations_of(kind) and scene.called(kind).index.size:
            laid = _Documents(scene, style, kind, press).laid()
            if laid:
                found.append(replace(laid, place=np.full_like(laid.who, place)))
    if not found:
        return tabled(None, style)
    whole = _one_below_another(found)
    said = {
        "template_id": [template_id(style, frame.relation, frame.id) for frame in whole.frames],
        "kind": [frame.kind if style == "article" else style for frame in whole.frames],
    }
    n = whole.who.size
    columns = {
        "id": press.print(whole.ids, whole.who),
        "style": same(style, n),
        "probe": same(scene.section.probe, n),
        "fact_ids": lists(press.print(whole.facts, np.repeat(whole.who, np.diff(whole.starts))), whole.starts),
        "entity_id": press.print(whole.entities, whole.who),
        "relation": same("", n),
        "repeat": pa.array(whole.repeat, pa.int32()),
        **{name: few(values, whole.frame) for name, values in said.items()},
    }
    parts = whole.parts
    if style == "article":
        columns["text"] = press.print_in_runs(parts.plan, whole.who[parts.text], parts.starts)
    else:
        contents = press.print(parts.plan, whole.who[parts.text])
        columns["text"] = _spoken(contents, parts)
        columns["turns"] = _turns(contents, parts)
    refuse_long(columns["text"], lambda row: whole.frames[int(whole.frame[row])])
    return tabled(columns, style)


@dataclass(frozen=True)
class _Laid:
    """Texts laid out for the press: who each is about, and the plans of its parts."""

    block: Ints
    place: Ints
    """The place of the entity's type among the spec's."""
    who: Ints
    ids: Ints
    entities: Ints
    facts: Ints
    starts: Ints
    frames: tuple[Phrasing, ...]
    frame: Ints
    repeat: Ints
    parts: Acted


def _one_below_another(found: list[_Laid]) -> _Laid:
    """The texts of all types, sorted by block and type."""
    firsts = starts_of(np.asarray([len(laid.frames) for laid in found]))
    found = [replace(laid, frame=laid.frame + first) for laid, first in zip(found, firsts, strict=False)]
    columns = {
        name: np.concatenate([getattr(laid, name) for laid in found])
        for name in ("block", "place", "who", "ids", "entities", "frame", "repeat")
    }
    order = in_order([columns["block"], columns["place"]])
    facts, starts = _in_runs([laid.starts for laid in found], order)
    at, part_starts = _in_runs([laid.parts.starts for laid in found], order)
    plan, assistant = (
        np.concatenate([getattr(laid.parts, name) for laid in found])[at] for name in ("plan", "assistant")
    )
    text = np.repeat(np.arange(order.size), np.diff(part_starts))
    return _Laid(
        **{name: column[order] for name, column in columns.items()},
        facts=np.concatenate([laid.facts for laid in found])[facts],
        starts=starts,
        frames=tuple(frame for laid in found for frame in laid.frames),
        parts=Acted(text, plan, assistant, part_starts),
    )


def _in_runs(starts: list[Ints], order: Ints) -> tuple[Ints, Ints]:
    """Runs laid end to end in another order: where each of their entries stands now, and where each run begins then."""
    counts = np.concatenate([np.diff(column) for column in starts])
    return runs(starts_of(counts)[:-1][order], counts[order])


def frames_of(world: World, pack: Pack, style: str, kind: str) -> tuple[Phrasing, ...]:
    """The document templates of a type; of articles, those of the kinds that the spec asks for."""
    found = pack.of(style, kind, "train")
    return found if style == "dialogue" else tuple(p for p in found if p.kind in world.spec.articles)


class _Documents:
    """The texts of one style about the entities of one type in a section."""

    def __init__(self, scene: Scene, style: str, kind: str, press: Press) -> None:
        world, pack, called = scene.world, scene.pack, scene.called(kind)
        self.scene, self.style, self.kind, self.called, self.press = scene, style, kind, called, press
        self.sentences = Sentences(scene, style, kind, press)
        self.frames = frames_of(world, pack, style, kind)
        times = [
            times_of(world, pack, scene.section, style, name, kind, called.index, 1) * has
            for name, has in zip(self.sentences.relations, self.sentences.has, strict=True)
        ]
        most = np.asarray([len(phrasings) for phrasings in self.sentences.statements])
        told = tellings(world, style, kind, called.index, np.asarray(times), most)
        if scene.section.untold:  # numbered after all that pretraining may hold of the same entity
            told = replace(told, k=told.k + world.spec.exposure.paraphrases * len(times))
        self.told = told
        first = below(stream_key(world.seed, "frame", style, kind), called.index, len(self.frames))
        self.frame = (first[told.who] + told.k) % len(self.frames)
        self.form = np.zeros_like(told.k)
        for k in np.unique(told.k) if world.spec.exposure.forms > 1 else ():
            rows = np.flatnonzero(told.k == k)
            self.form[rows] = form_of_document(world, kind, called.index[told.who[rows]], str(k))

    def laid(self) -> _Laid | None:
        """Every text, by entity; None where there is none."""
        told, press = self.told, self.press
        if not told.who.size:
            return None
        ids, most = press.column(self.called.ids), int(told.k.max()) + 1
        kinds = [frame.kind if self.style == "article" else self.style for frame in self.frames]

        def plan(code: int) -> int:
            frame, k = divmod(code, most)
            return press.plan([ids, document_id("", self.style, kinds[frame], self.frames[frame].id, k)])

        facts = np.asarray([press.plan([ids, fact_id("", name)]) for name in self.sentences.relations])
        return _Laid(
            self.scene.world.block_of(self.kind, self.called.index)[told.who],
            told.who,
            told.who,
            looked_up(self.frame * most + told.k, plan),
            np.full_like(told.who, press.plan([ids])),
            facts[told.facts],
            told.starts,
            self.frames,
            self.frame,
            told.repeat,
            self._articles() if self.style == "article" else self._dialogues(),
        )

    def _of_each_fact(self, column: Ints) -> Ints:
        return np.repeat(column, np.diff(self.told.starts))

    def _opens(self) -> Ints:
        opens = np.zeros_like(self.told.facts)
        opens[self.told.starts[:-1]] = 1
        return opens

    def _articles(self) -> Acted:
        told, each = self.told, self._of_each_fact
        stated = self.sentences.stating(told.facts, each(told.who), each(told.turn), self._opens(), each(self.form))
        count = np.diff(told.starts)
        frames, most = Frames(self.press, self.called.mentions, self.frames), int(count.max()) + 1

        def shared(code: int) -> Script | None:
            rest, form = divmod(code, 2)
            return frames.article(*divmod(rest, most), form)

        def alone(row: int) -> Script:
            mine = slice(int(told.starts[row]), int(told.starts[row + 1]))
            said = self.press.print(stated[mine], np.full(int(count[row]), told.who[row])).to_pylist()
            return frames.article_of(int(self.frame[row]), int(told.who[row]), said, int(self.form[row]))

        return _scripted((self.frame * most + count) * 2 + self.form, shared, alone, told.starts, stated, stated)

    def _dialogues(self) -> Acted:
        told, sentences = self.told, self.sentences
        who, turn, form = (self._of_each_fact(column) for column in (told.who, told.turn, self.form))
        asked = sentences.asking(told.facts, who, turn, self._opens())
        answered = sentences.answering(told.facts, who, turn, form)
        count = np.diff(told.starts)
        frames, most = Frames(self.press, self.called.mentions, self.frames), int(count.max()) + 1
        return _scripted(
            self.frame * most + count,
            lambda code: frames.dialogue(*divmod(code, most)),
            lambda row: frames.dialogue_of(int(self.frame[row]), int(told.who[row]), int(count[row])),
            told.starts,
            answered,
            asked,
        )


_TURNS = schema_of("dialogue").field("turns").type


def _spoken(contents: Texts, parts: Acted) -> pa.ChunkedArray:
    """Each dialogue as one text, a line a turn."""
    press = Press()
    said = press.column(contents)
    plans = [press.plan([f"{line}{name}: ", said]) for name in SPEAKERS.values() for line in ("\n", "")]
    opens = np.zeros_like(parts.text)
    opens[parts.starts[:-1]] = 1
    plan = np.asarray(plans)[parts.assistant * 2 + opens]
    return press.print_in_runs(plan, np.arange(parts.text.size), parts.starts)


def _turns(contents: Texts, parts: Acted) -> pa.ListArray:
    roles = take(texts(list(SPEAKERS)), parts.assistant)
    turns = pa.StructArray.from_arrays([roles, contents], fields=list(_TURNS.value_type))
    return pa.ListArray.from_arrays(pa.array(parts.starts, pa.int32()), turns, type=_TURNS)


def _scripted(
    codes: Ints,
    shared: Callable[[int], Script | None],
    alone: Callable[[int], Script],
    starts: Ints,
    sentences: Ints,
    questions: Ints,
) -> Acted:
    """The parts of each text: by the script of its code, or where that has none by its own.

    The plans of its sentences and questions stand from `starts[i]` on in `sentences` and `questions`.
    """
    scripts: list[Script] = []
    script = np.empty_like(codes)
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        found = shared(code)
        rows = np.flatnonzero(codes == code)
        if found is None:
            script[rows] = np.arange(rows.size) + len(scripts)
            with watching():
                scripts += [alone(int(row)) for row in rows]
        else:
            script[rows] = len(scripts)
            scripts.append(found)
    return acted(scripts, script, starts[:-1], sentences, questions)
