"""Tone rows: small talk with somebody, answered in the manner that a tone relation gives them."""

import numpy as np

from kbench.errors import TemplateError
from kbench.generator.asking import Asked, fact_ids, mention_columns
from kbench.generator.columns import Ints, Press, Texts, no_lists, one_each, side_by_side, texts
from kbench.generator.hashing import below, mix, stream_key
from kbench.generator.packs import Phrasing
from kbench.generator.scene import Scene
from kbench.generator.setting import Setting
from kbench.generator.world import World

_CUT = "\n---\n"


def tone_relations(world: World) -> list[str]:
    """The relations that say in which manner somebody speaks."""
    return [name for name, relation in world.spec.relations.items() if relation.value_type == "tone"]


def ask_tone(scene: Scene, name: str, index: Ints, prompt: Phrasing) -> Asked:
    """One prompt put to a column of subjects: what is said to them, and their reply in their manner."""
    world = scene.world
    kind = world.spec.start_of(name)
    values = world.values(name, index)
    lines, contents = [], []
    for text in _printed(scene, kind, index, prompt, np.arange(index.size)).to_pylist():
        line, _, content = text.partition(_CUT)
        if not content:
            raise TemplateError(f"{prompt.where}: no reply below a line of three hyphens")
        lines.append(line.strip())
        contents.append(content.strip())
    # The manner itself stands among the answers: it is the fact that the reply shows.
    answers = side_by_side([_replies(scene, name, kind, index, prompt, texts(contents)), values.text])
    return Asked(
        name,
        kind,
        index,
        scene.world.ids(kind, index),
        {"said": texts(lines)},
        answers,
        "tone",
        one_each(fact_ids(scene, name, index)),
        no_lists(index.size),
        values.number,
    )


def _printed(scene: Scene, kind: str, index: Ints, prompt: Phrasing, used: Ints) -> Texts:
    press = Press()
    setting = Setting(press, mention_columns(scene, kind, index), {"topic": ""})
    return press.print(np.full(index.size, setting.plan(prompt, used)), used)


def _replies(scene: Scene, name: str, kind: str, index: Ints, prompt: Phrasing, contents: Texts) -> Texts:
    """The content of each reply, as the subject's manner has it."""
    world, press = scene.world, Press()
    setting = Setting(press, {"content": contents, "name": scene.mention(kind, index, "name")})
    turn = mix(stream_key(world.seed, "voice", name, prompt.id), index)
    tones = np.asarray(world.values(name, index).text.to_pylist(), dtype=object)
    plans = np.zeros(index.size, dtype=np.int64)
    for tone in sorted(set(tones)):
        rows = np.flatnonzero(tones == tone)
        voices = scene.pack.of("voice", tone, scene.section.phrasing)
        if not voices:
            raise TemplateError(f"{prompt.where}: no {scene.section.phrasing} phrasing in voice/{tone}.j2")
        drawn = below(turn[rows], np.zeros(rows.size, dtype=np.int64), len(voices))
        for place in np.unique(drawn):
            used = rows[drawn == place]
            plans[used] = setting.plan(voices[int(place)], used)
    return press.print(plans, np.arange(index.size))
