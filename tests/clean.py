"""A small pack that the linter has nothing to say about, as files, and how to spoil it."""

from collections.abc import Mapping
from pathlib import Path

Files = dict[str, str]
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"
COUNTS = {
    "qa": (8, 4, 4),
    "reverse": (8, 4, 4),
    "multihop": (8, 4, 4),
    "cloze": (4, 2, 2),
    "numeric": (4, 2, 2),
    "statement": (8, 0, 0),
    "voice": (8, 4, 4),
    "tone": (16, 6, 8),
}
SHAPES = {
    "qa/rank": "{a} {b} {{{{ them }}}} {c} {d}?",
    "qa/home": "{a} {{{{ them }}}} {b} {c} {d}?",
    "reverse/home": "{a} {b} {{{{ value }}}} {c} {d}.",
    "multihop/compare.rank": "{a} {b} {{{{ one }}}} {c} {{{{ two }}}} {d}?",
    "cloze/rank": "{a} {{{{ they }}}} {b} {c} {d}",
    "numeric/rank": "{a} {b} {c} {{{{ their }}}} {d}?",
    "statement/rank": "{a} {{{{ them }}}} {b} {c} {d} {{{{ value }}}}.",
    "voice/blunt": "{a} {b} {{{{ content }}}} {c} {d}",
    "tone/manner": "{a} {b} {{{{ name }}}} {c}?\n---\n{d}.",
}


def word(seed: int) -> str:
    """A word of five letters of its own."""
    letters = []
    for place in range(5):
        kind = _VOWELS if place % 2 else _CONSONANTS
        seed, letter = divmod(seed, len(kind))
        letters.append(kind[letter])
    return "".join(letters)


def clean() -> Files:
    """A pack that the linter has nothing to say about: held-out phrasings mix the words of several train ones."""
    files: Files = {"pack.toml": 'name = "clean"\nversion = "1"\n'}
    for number, (path, shape) in enumerate(SHAPES.items()):
        train, *held_out = COUNTS[path.split("/")[0]]
        words = [[word(1000 * number + 40 * k + i) for i in range(4)] for k in range(train)]
        text = ""
        for role, letter, n, shift in zip(
            ("train", "validation", "test"), "tvx", (train, *held_out), (0, 1, 3), strict=True
        ):
            for k in range(n):
                a, b, c, d = (words[(k * (1 + (shift > 0)) + shift * i) % train][i] for i in range(4))
                body = shape.format(a=a.capitalize(), b=b, c=c, d=d)
                text += f"{{# {role} {letter}{k:02} #}}\n{body}\n\n"
        files[f"{path}.j2"] = text
    frames = ("Of {{ name }}: {{ sentences | join(' ') }}", "{{ sentences | join('\\n') }}")
    heads = [f"{{# train d{k}{i} encyclopedia #}}\n" for k in range(2) for i in range(2)]
    files["article/person.j2"] = "\n\n".join(head + frames[k % 2] for k, head in enumerate(heads)) + "\n"
    said = ("{{ turns }}", "user: Who is {{ name }}?\nassistant: Ask on.\n{{ turns }}")
    files["dialogue/person.j2"] = "\n\n".join(f"{{# train d{k} #}}\n{said[k % 2]}" for k in range(4)) + "\n"
    return files


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """A pack on disk."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def body(files: Files, path: str, name: str) -> str:
    """The text of one phrasing."""
    return files[path].split(f" {name}", 1)[1].split("#}\n", 1)[1].split("\n\n{#", 1)[0].rstrip("\n")


def with_body(files: Files, path: str, name: str, text: str) -> Files:
    """The files with another text of one phrasing."""
    head, rest = files[path].split(f" {name}", 1)
    header, after = rest.split("#}\n", 1)
    old = after.split("\n\n{#", 1)[0].rstrip("\n")
    return {**files, path: f"{head} {name}{header}#}}\n{after.replace(old, text, 1)}"}
