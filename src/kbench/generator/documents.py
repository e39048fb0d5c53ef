"""Articles and dialogues: texts that state several facts of one entity, in statement sentences or in turns."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from kbench.generator.columns import Ints, Press, Texts, lists, looked_up, same, take, texts
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
    world, tables, order = scene.world, list[pa.Table](), list[tuple[Ints, ...]]()
    for place, kind in enumerate(world.spec.types):
        index = scene.called(kind).index
        if world.spec.relations_of(kind) and index.size:
            documents = _Documents(scene, style, kind)
            tables.append(documents.table())
            at = index[documents.told.who]
            order.append((world.block_of(kind, at), np.full_like(at, place), np.arange(at.size)))
    if not tables:
        return schema_of(style).empty_table()
    whole = pa.concat_tables(tables).combine_chunks()
    sorting = in_order([np.concatenate(column) for column in zip(*order, strict=True)])
    return whole if (np.diff(sorting) == 1).all() else whole.take(pa.array(sorting)).combine_chunks()


def frames_of(world: World, pack: Pack, style: str, kind: str) -> tuple[Phrasing, ...]:
    """The document templates of a type; of articles, those of the kinds that the spec asks for."""
    found = pack.of(style, kind, "train")
    return found if style == "dialogue" else tuple(p for p in found if p.kind in world.spec.articles)


class _Documents:
    """The texts of one style about the entities of one type in a section."""

    def __init__(self, scene: Scene, style: str, kind: str) -> None:
        world, pack, index = scene.world, scene.pack, scene.called(kind).index
        self.scene, self.style, self.kind, self.called = scene, style, kind, scene.called(kind)
        self.press = Press()
        self.sentences = Sentences(scene, style, kind, self.press)
        self.frames = frames_of(world, pack, style, kind)
        times = [
            times_of(world, pack, scene.section, style, name, kind, index, 1) * has
            for name, has in zip(self.sentences.relations, self.sentences.has, strict=True)
        ]
        most = np.asarray([len(phrasings) for phrasings in self.sentences.statements])
        self.told = told = tellings(world, style, kind, index, np.asarray(times), most)
        first = below(stream_key(world.seed, "frame", style, kind), index, len(self.frames))
        self.frame = (first[told.who] + told.k) % len(self.frames)
        self.form = np.zeros_like(told.k)
        for k in np.unique(told.k) if world.spec.exposure.forms > 1 else ():
            rows = np.flatnonzero(told.k == k)
            self.form[rows] = form_of_document(world, kind, index[told.who[rows]], str(k))

    def table(self) -> pa.Table:
        """One row a text."""
        told, frames, style = self.told, self.frames, self.style
        n = told.who.size
        if not n:
            return tabled(None, style)
        kinds = [frame.kind if style == "article" else style for frame in frames]
        names = [template_id(style, frame.relation, frame.id) for frame in frames]
        columns = {
            "id": self._ids(kinds),
            "style": same(style, n),
            "probe": same(self.scene.section.probe, n),
            "fact_ids": lists(self._fact_ids(), told.starts),
            "entity_id": take(self.called.ids, told.who),
            "relation": same("", n),
            "template_id": take(texts(names), self.frame),
            "repeat": pa.array(told.repeat, pa.int32()),
            "kind": take(texts(kinds), self.frame),
            **(self._articles() if style == "article" else self._dialogues()),
        }
        refuse_long(columns["text"], lambda row: frames[int(self.frame[row])])
        return tabled(columns, style)

    def _ids(self, kinds: list[str]) -> Texts:
        ids, most = self.press.column(self.called.ids), int(self.told.k.max()) + 1

        def plan(code: int) -> int:
            frame, k = divmod(code, most)
            return self.press.plan([ids, document_id("", self.style, kinds[frame], self.frames[frame].id, k)])

        plans = looked_up(self.frame * most + self.told.k, plan)
        return self.press.print(plans, self.told.who)

    def _fact_ids(self) -> Texts:
        ids = self.press.column(self.called.ids)
        plans = [self.press.plan([ids, fact_id("", name)]) for name in self.sentences.relations]
        return self.press.print(np.asarray(plans)[self.told.facts], self._of_each_fact(self.told.who))

    def _of_each_fact(self, column: Ints) -> Ints:
        return np.repeat(column, np.diff(self.told.starts))

    def _articles(self) -> dict[str, pa.Array]:
        told = self.told
        count = np.diff(told.starts)
        opens = np.zeros_like(told.facts)
        opens[told.starts[:-1]] = 1
        each = self._of_each_fact
        stated = self.sentences.stating(told.facts, each(told.who), each(told.turn), opens, each(self.form))
        frames, most = Frames(self.press, self.called.mentions, self.frames), int(count.max()) + 1

        def shared(code: int) -> Script | None:
            rest, form = divmod(code, 2)
            return frames.article(*divmod(rest, most), form)

        def alone(row: int) -> Script:
            mine = slice(int(told.starts[row]), int(told.starts[row + 1]))
            who = np.full(int(count[row]), told.who[row])
            said = self.press.print(stated[mine], who).to_pylist()
            return frames.article_of(int(self.frame[row]), int(told.who[row]), said, int(self.form[row]))

        parts = _scripted((self.frame * most + count) * 2 + self.form, shared, alone)
        plans = np.where(parts.plan >= 0, parts.plan, stated[told.starts[parts.text] + parts.sentence])
        return {"text": self.press.print(plans, told.who[parts.text], parts.starts)}

    def _dialogues(self) -> dict[str, pa.Array]:
        told = self.told
        count = np.diff(told.starts)
        opens = np.zeros_like(told.facts)
        opens[told.starts[:-1]] = 1
        who, turn = self._of_each_fact(told.who), self._of_each_fact(told.turn)
        asked = self.sentences.asking(told.facts, who, turn, opens)
        answered = self.sentences.answering(told.facts, who, turn, self._of_each_fact(self.form))
        frames, most = Frames(self.press, self.called.mentions, self.frames), int(count.max()) + 1
        parts = _scripted(
            self.frame * most + count,
            lambda code: frames.dialogue(*divmod(code, most)),
            lambda row: frames.dialogue_of(int(self.frame[row]), int(told.who[row]), int(count[row])),
        )
        at = told.starts[parts.text]
        plans = np.where(parts.sentence >= 0, answered[at + np.maximum(parts.sentence, 0)], parts.plan)
        plans = np.where(parts.question >= 0, asked[at + np.maximum(parts.question, 0)], plans)
        contents = self.press.print(plans, told.who[parts.text])
        roles = take(texts(list(SPEAKERS)), parts.assistant)
        turns = pa.StructArray.from_arrays([roles, contents], fields=list(_TURNS.value_type))
        return {
            "turns": pa.ListArray.from_arrays(pa.array(parts.starts, pa.int32()), turns, type=_TURNS),
            "text": _spoken(contents, parts),
        }


_TURNS = schema_of("dialogue").field("turns").type


def _spoken(contents: Texts, parts: Acted) -> Texts:
    """Each dialogue as one text, a line a turn."""
    press = Press()
    said = press.column(contents)
    plans = [press.plan([f"{line}{name}: ", said]) for name in SPEAKERS.values() for line in ("\n", "")]
    opens = np.zeros_like(parts.text)
    opens[parts.starts[:-1]] = 1
    return press.print(np.asarray(plans)[parts.assistant * 2 + opens], np.arange(parts.text.size), parts.starts)


def _scripted(codes: Ints, shared: Callable[[int], Script | None], alone: Callable[[int], Script]) -> Acted:
    """The parts of each text: by the script of its code, or where it has none by its own."""
    scripts: list[Script] = []
    script = np.empty_like(codes)
    for code in np.flatnonzero(np.bincount(codes)).tolist():
        found = shared(code)
        rows = np.flatnonzero(codes == code)
        if found is None:
            script[rows] = np.arange(rows.size) + len(scripts)
            scripts += [alone(int(row)) for row in rows]
        else:
            script[rows] = len(scripts)
            scripts.append(found)
    return acted(scripts, script)
