"""Tone rows: small talk with somebody, answered in the manner that a tone relation gives them."""

import numpy as np

from kbench.errors import TemplateError
from kbench.generator.asking import Asked
from kbench.generator.hashing import Ints, below, mix, stream_key
from kbench.generator.mentions import full_mentions
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.sections import Section
from kbench.generator.world import World
from kbench.ids import fact_id

_CUT = "\n---\n"


def tone_relations(world: World) -> list[str]:
    """The relations that say in which manner somebody speaks."""
    return [name for name, relation in world.spec.relations.items() if relation.value_type == "tone"]


def ask_tone(world: World, pack: Pack, section: Section, name: str, index: Ints, prompt: Phrasing) -> Asked:
    """One prompt put to a column of subjects: what is said to them, and their reply in their manner."""
    kind = world.spec.start_of(name)
    ids, names = world.ids(kind, index), world.names(kind, index)
    tones = world.values(name, index).text
    turn = mix(stream_key(world.seed, "voice", name, prompt.id), index)
    said, replies = [], []
    for i, mention in enumerate(full_mentions(world, kind, names)):
        line, _, content = prompt.render({**mention, "topic": ""}).partition(_CUT)
        voices = pack.of("voice", tones[i], section.phrasing)
        if not voices or not content:
            raise TemplateError(f"{prompt.where}: no {section.phrasing} phrasing in voice/{tones[i]}.j2, or no reply")
        voice = voices[int(below(turn[i : i + 1], np.zeros(1, dtype=np.int64), len(voices))[0])]
        said.append(line.strip())
        # The manner itself stands among the answers: it is the fact that the reply shows.
        replies.append([voice.render({"content": content.strip(), "name": names[i]}), tones[i]])
    facts = [[fact_id(subject, name)] for subject in ids]
    return Asked(name, kind, index, ids, {"said": said}, replies, "tone", facts, [[] for _ in ids], [None] * len(ids))
