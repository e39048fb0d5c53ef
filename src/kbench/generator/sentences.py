"""The sentences and questions that the texts of one type of entity are made of, set for a press."""

import numpy as np

from kbench.generator.asking import constants_of
from kbench.generator.columns import Ints, Press, Texts, concat, looked_up, take, texts
from kbench.generator.mentions import later_mentions
from kbench.generator.packs import Phrasing
from kbench.generator.phrasing import first_phrasing
from kbench.generator.scene import Scene
from kbench.generator.setting import Setting
from kbench.generator.statements import plain, written_forms

_FORMS = 2


class Sentences:
    """Every sentence that states a fact of the entities of a type, and every question that asks for one."""

    def __init__(self, scene: Scene, style: str, kind: str, press: Press) -> None:
        world, pack, called = scene.world, scene.pack, scene.called(kind)
        self._scene, self._style, self._press, self._index = scene, style, press, called.index
        self._single = world.spec.types[kind].single
        self.relations = list(world.spec.relations_of(kind))
        self.has = [world.has(name, called.index).astype(np.int64) for name in self.relations]
        self.statements = [plain(pack, world, name) for name in self.relations]
        self._questions = [pack.of("qa", world.spec.template_of(name), "train") for name in self.relations]
        later = later_mentions(world, kind, called.index, called.mentions["name"])
        self._mentions = (called.mentions, later)
        self._starts = [
            first_phrasing(world, style, name, "train", called.index, len(phrasings))
            for name, phrasings in zip(self.relations, self.statements, strict=True)
        ]
        self._settings: dict[tuple[int, int, int], Setting] = {}
        self._values: dict[int, list[Texts]] = {}

    def stating(self, facts: Ints, who: Ints, turn: Ints, opens: Ints, form: Ints) -> Ints:
        """The plan of the sentence that states each fact.

        Args:
            facts: the relation, by position.
            who: the position of the entity.
            turn: how many texts have stated the fact before.
            opens: whether the sentence is the first that names the entity.
            form: the surface form of the value.
        """
        return self._plans(self.statements, facts, who, turn, opens, form)

    def asking(self, facts: Ints, who: Ints, turn: Ints, opens: Ints) -> Ints:
        """The plan of the question that asks for each fact."""
        return self._plans(self._questions, facts, who, turn, opens, np.zeros_like(facts))

    def answering(self, facts: Ints, who: Ints, turn: Ints, form: Ints) -> Ints:
        """The plan of the answer to such a question: a sentence that goes on with a pronoun."""
        if not self._single:
            return self.stating(facts, who, turn, np.zeros_like(facts), form)
        # Asked about itself, the persona answers with the value alone.
        return looked_up(facts * _FORMS + form, self._value_alone)

    def _plans(
        self, phrasings: list[tuple[Phrasing, ...]], facts: Ints, who: Ints, turn: Ints, opens: Ints, form: Ints
    ) -> Ints:
        counts = np.asarray([len(group) for group in phrasings])
        most = max(1, int(counts.max(initial=1)))
        starts = np.asarray(self._starts).reshape(len(self.relations), -1)
        turned = (starts[facts, who] + turn) % np.maximum(1, counts[facts])
        codes = ((facts * most + turned) * 2 + opens) * _FORMS + form

        def plan(code: int) -> int:
            rest, form = divmod(code, _FORMS)
            rest, opens = divmod(rest, 2)
            fact, turned = divmod(rest, most)
            if not phrasings[fact]:
                return self._press.plan([])
            setting = self._setting(fact, opens, form)
            return setting.plan(
                phrasings[fact][turned], np.flatnonzero(self.has[fact]), lambda: np.unique(who[codes == code])
            )

        return looked_up(codes, plan)

    def _value_alone(self, code: int) -> int:
        fact, form = divmod(code, _FORMS)
        said = [f"{value[:1].upper()}{value[1:]}." for value in self._value(fact)[form].to_pylist()]
        return self._press.plan([self._press.column(texts(said))])

    def _setting(self, fact: int, opens: int, form: int) -> Setting:
        key = (fact, opens, form)
        if key not in self._settings:
            columns = {**self._mentions[not opens], "value": self._value(fact)[form]}
            constants = constants_of(self._scene.world, self.relations[fact])
            self._settings[key] = Setting(self._press, columns, constants)
        return self._settings[key]

    def _value(self, fact: int) -> list[Texts]:
        """The values of a relation in each form; empty texts for entities that have none."""
        if fact not in self._values:
            world, name, has = self._scene.world, self.relations[fact], self.has[fact]
            if has.all():
                self._values[fact] = written_forms(world, name, world.values(name, self._index))
            else:
                forms = written_forms(world, name, world.values(name, self._index[has > 0]))
                at = np.cumsum(has) * has
                self._values[fact] = [take(concat([texts([""]), form]), at) for form in forms]
        return self._values[fact]
