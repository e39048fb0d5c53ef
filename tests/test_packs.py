"""Template packs: what a user's mistake is answered with, and what the built-in phrasings must be."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest

from kbench.errors import TemplateError
from kbench.generator.packs import FOLDERS, Phrasing, PhrasingRole, indefinite, load_pack
from kbench.generator.pools import load_pool
from kbench.generator.questions import question_names
from kbench.generator.shards import check_pack, styles_for
from kbench.generator.spec import builtin_specs, load_spec
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES
from tests.samples import mentioned, tiny

ABOUT = 'name = "mine"\nversion = "1"\n'


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """A pack of the given files on disk."""
    for name, text in {"pack.toml": ABOUT, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def one(folder: Path, body: str) -> Phrasing:
    """The only phrasing of a pack that holds this template."""
    return load_pack(written(folder, {"qa/badge.j2": f"{{# train t01 #}}\n{body}\n"})).of("qa", "badge", "train")[0]


MALFORMED: list[tuple[str, dict[str, str], str]] = [
    ("an empty file", {"qa/badge.j2": ""}, "qa/badge.j2 line 1: expected a header such as {# train t01 #}"),
    ("no header", {"qa/badge.j2": "Which badge?\n"}, "qa/badge.j2 line 1: expected a header such as"),
    ("text before the header", {"qa/badge.j2": "Hi\n{# train t01 #}\nA?\n"}, "qa/badge.j2 line 1: expected a header"),
    (
        "an unknown role",
        {"qa/badge.j2": "{# train t01 #}\nA?\n\n{# exam x01 #}\nB?\n"},
        "qa/badge.j2 line 4: unknown role 'exam': have train, validation, test",
    ),
    (
        "an id twice",
        {"qa/badge.j2": "{# train t01 #}\nA?\n\n{# test t01 #}\nB?\n"},
        "qa/badge.j2 line 4: the id 't01' stands twice, first in line 1",
    ),
    (
        "an unclosed expression",
        {"qa/badge.j2": "{# train t01 #}\nA {{ name\n"},
        "qa/badge.j2 line 2: unexpected end of template",
    ),
    (
        "an unclosed expression in a later phrasing",
        {"qa/badge.j2": "{# train t01 #}\nA?\n\n{# train t02 #}\nB\n{{ name\n"},
        "qa/badge.j2 line 6: unexpected end of template",
    ),
    (
        "an unclosed expression below an empty line",
        {"qa/badge.j2": "{# train t01 #}\n\n\nA {{ name\n"},
        "qa/badge.j2 line 4: unexpected end of template",
    ),
    (
        "an unknown filter",
        {"qa/badge.j2": "{# train t01 #}\n{{ name | x }}\n"},
        "qa/badge.j2 line 2: No filter named 'x'",
    ),
    (
        "a filter of chance",
        {"qa/badge.j2": "{# train t01 #}\n{{ [1] | random }}\n"},
        "line 2: No filter named 'random'",
    ),
    (
        "a document without a kind",
        {"article/person.j2": "{# train d01 #}\n{{ name }}\n"},
        "article/person.j2 line 1: a document template names its kind: {# train d01 news #}",
    ),
    (
        "an unknown kind of article",
        {"article/person.j2": "{# train d01 poem #}\n{{ name }}\n"},
        "article/person.j2 line 1: unknown kind 'poem'",
    ),
    (
        "a header without an id",
        {"qa/badge.j2": "{# train t01 #}\nA?\n\n{# test #}\nB?\n"},
        "qa/badge.j2 line 4: ",
    ),
    (
        "a header of too many words",
        {"qa/badge.j2": "{# train t01 #}\nA?\n\n{# test x01 a question #}\nB?\n"},
        "qa/badge.j2 line 4: ",
    ),
    ("a phrasing without text", {"qa/badge.j2": "{# train t01 #}\n\n{# train t02 #}\nB?\n"}, "qa/badge.j2 line 1: "),
    ("a last phrasing without text", {"qa/badge.j2": "{# train t01 #}\nA?\n{# train t02 #}"}, "qa/badge.j2 line 3: "),
    ("a slash in an id", {"qa/badge.j2": "{# train t/1 #}\nA?\n"}, "qa/badge.j2 line 1: "),
    ("an unknown style", {"song/badge.j2": "x"}, "unknown style folder 'song': have qa, dialogue, article"),
    ("a file that is no template", {"qa/badge.txt": "x"}, "qa/badge.txt is no template: expected qa/<relation>.j2"),
    ("an unknown key", {"pack.toml": "nam = 'x'"}, "pack.toml: unknown key 'nam': have name, version, language"),
    ("a pack.toml that is no TOML", {"pack.toml": "name ="}, "pack.toml: not valid TOML"),
]


@pytest.mark.parametrize(("files", "expected_error"), [c[1:] for c in MALFORMED], ids=[c[0] for c in MALFORMED])
def test_a_malformed_pack_is_refused_with_file_and_line(
    tmp_path: Path, files: dict[str, str], expected_error: str
) -> None:
    with pytest.raises(TemplateError) as error:
        load_pack(written(tmp_path, files))
    assert expected_error in str(error.value)
    assert "\n" not in str(error.value)


def test_a_template_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    written(tmp_path, {"qa/badge.j2": "x"}).joinpath("qa/badge.j2").write_bytes(
        "{# train t01 #}\né\n".encode("latin-1")
    )
    with pytest.raises(TemplateError, match=r"qa/badge\.j2"):
        load_pack(tmp_path)


def test_a_pack_that_is_not_there_is_refused_with_the_place_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as error:
        load_pack(tmp_path / "nope")
    assert str(error.value) == f"no template pack at {tmp_path / 'nope'}: give a folder that holds pack.toml"


def test_a_folder_without_pack_toml_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as error:
        load_pack(tmp_path)
    assert str(error.value) == f"{tmp_path} is no template pack: it has no pack.toml"


BREACHES = [
    ("{{ nmae }}", "'nmae' is undefined"),
    ("{{ name.nope }}", "has no attribute 'nope'"),
    ("{{ sentences[9] }}", "has no element 9"),
    ("{{ name.__class__ }}", "unsafe"),
    ("{{ sentences.append('x') }}", "unsafe"),
    ("{{ lipsum() }}", "'lipsum' is undefined"),
    ("{{ 1 / 0 }}", "division by zero"),
    ("{{ range(10 ** 7) | list }}", "Range too big"),
    ("{% include 'other.j2' %}", "no loader"),
    ("{{ 'x' * 70000 }}", "the text is longer than 64 KiB"),
    ("{{ 'é' * 40000 }}", "the text is longer than 64 KiB"),
    ("{{ 10 ** 10000 }}", "Exceeds the limit (4300 digits)"),
    ("{{ 1.5 | round(method='odd') }}", "method must be"),
    ("{{ sentences | map('nope') | list }}", "No filter named 'nope'"),
    ("{{ '%(x)s' | format(y=1) }}", "x"),
    ("{{ '{}'.format() }}", "index"),
    ("{{ name | dictsort }}", "items"),
    ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
]


@pytest.mark.parametrize(("body", "expected_error"), BREACHES)
def test_a_template_that_cannot_be_rendered_is_named_with_its_line(
    tmp_path: Path, body: str, expected_error: str
) -> None:
    phrasing = one(tmp_path, body)
    with pytest.raises(TemplateError) as error:
        phrasing.render({"name": "Bodan", "value": "12", "sentences": ["A."]})
    assert str(error.value).startswith("qa/badge.j2 line 1 (t01): ")
    assert expected_error in str(error.value)


def test_a_text_of_64_kib_is_still_a_text(tmp_path: Path) -> None:
    assert len(one(tmp_path, "{{ 'x' * 65536 }}").render({})) == 65536


def test_a_template_renders_what_jinja_renders_without_the_space_around_it(tmp_path: Path) -> None:
    body = "{% for s in sentences %}{{ loop.index }}. {{ s | upper }}\n{% endfor %}"
    assert one(tmp_path, body).render({"sentences": ["a", "b <&"]}) == "1. A\n2. B <&"


def test_phrasings_keep_their_order_role_id_kind_and_line(tmp_path: Path) -> None:
    text = "{# train t02 #}\nA?\n\n{#test x01#}\nB?\n\n{# train t01 #}\nC?\n\nD?\n"
    pack = load_pack(written(tmp_path, {"qa/badge.j2": text, "article/person.j2": "{# train d01 news #}\nE\n"}))
    found = pack.phrasings["qa", "badge"]
    assert [(p.role, p.id, p.line, p.source) for p in found] == [
        ("train", "t02", 1, "A?"),
        ("test", "x01", 4, "B?"),
        ("train", "t01", 7, "C?\n\nD?"),
    ]
    assert [p.id for p in pack.of("qa", "badge", "train")] == ["t02", "t01"]
    assert pack.of("qa", "badge", "validation") == ()
    assert pack.of("qa", "nope", "train") == ()
    assert pack.by_id["article/person/d01"].kind == "news"
    assert (pack.name, pack.version) == ("mine", "1")


@pytest.mark.parametrize(
    "files",
    [
        {"qa/badge.j2": "{# train t01 #}\nB?\n"},
        {"qa/born.j2": "{# train t01 #}\nA?\n"},
        {"qa/badge.j2": "{# train t01 #}\nA?\n", "pack.toml": ABOUT.replace("1", "2")},
    ],
    ids=["another text", "another file", "another version"],
)
def test_the_digest_of_a_pack_changes_with_any_of_its_files(tmp_path: Path, files: dict[str, str]) -> None:
    first = load_pack(written(tmp_path / "a", {"qa/badge.j2": "{# train t01 #}\nA?\n"}))
    again = load_pack(written(tmp_path / "b", {"qa/badge.j2": "{# train t01 #}\nA?\n"}))
    other = load_pack(written(tmp_path / "c", files))
    assert again.digest == first.digest
    assert other.digest != first.digest


def test_an_indented_header_is_still_a_header(tmp_path: Path) -> None:
    """Or the test phrasing under it would become part of the train phrasing above it."""
    pack = load_pack(written(tmp_path, {"qa/badge.j2": "{# train t01 #}\nA?\n\n  {# test x01 #}\nB?\n"}))
    assert [(p.role, p.source) for p in pack.phrasings["qa", "badge"]] == [("train", "A?"), ("test", "B?")]


ARTICLES = {
    "a": "baker unit unicorn user European eulogy one-eyed house zebra 180 12",
    "an": "architect actor ecologist hour honest honour heir umbrella uninvited usher onion 8 80 11 18",
}


@pytest.mark.parametrize(("article", "word"), [(a, w) for a, words in ARTICLES.items() for w in words.split()])
def test_a_word_takes_the_indefinite_article_that_english_gives_it(article: str, word: str) -> None:
    assert indefinite(word) == f"{article} {word}"


def test_every_occupation_of_the_pool_takes_an_before_a_vowel_and_a_otherwise() -> None:
    for word in load_pool("occupation"):
        assert indefinite(word) == f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


# ---- the built-in pack

PACK = load_pack()
EVERY = [phrasing for phrasing in chain.from_iterable(PACK.phrasings.values()) if phrasing.style != "choice"]
"""Every phrasing of the pack; those of `choice` are those of `qa` again."""
ASKED = [p for p in EVERY if p.style not in (*DOCUMENT_STYLES, "tone", "voice")]
TOLD = [p for p in EVERY if p.style == "statement"]
FILES = sorted({(p.style, p.relation) for p in EVERY})
LEAST = {
    "qa": (8, 4, 4),
    "statement": (8, 0, 0),
    "cloze": (4, 2, 2),
    "numeric": (4, 2, 2),
    "multihop": (8, 4, 4),
    "reverse": (8, 4, 4),
    "article": (2, 0, 0),
    "dialogue": (4, 0, 0),
    "tone": (16, 6, 8),
    "voice": (8, 4, 4),
}
SENTENCES = ["One.", "Two.", "Three.", "Four."]
VALUES: dict[str, Any] = {
    **mentioned("Bodan"),
    "value": "12",
    "sentences": SENTENCES,
    "turns": "THE TURNS",
    "content": "The content.",
    "topic": "kite",
    "relation": "rank",
    "place": "hundred",
    "form": 0,
    "one": "Bodan",
    "two": "Mira",
    "larger": "Bodan",
    "smaller": "Mira",
}


def plain(text: str) -> str:
    """A text without case, spacing and final mark: what makes two phrasings the same."""
    return " ".join(text.casefold().split()).rstrip("?.! ")


def words(text: str) -> set[str]:
    """The words and marks of a text, the possessive `'s` cut off its word; case counts."""
    return set(re.findall(r"[^\W\d_]+|[^\w\s]", text))


@pytest.mark.parametrize(("style", "relation"), FILES)
def test_each_file_has_enough_phrasings_in_each_role(style: str, relation: str) -> None:
    found = PACK.phrasings[style, relation]
    counts = [sum(p.role == role and p.kind != "reversal" for p in found) for role in get_args(PhrasingRole)]
    implied = style == "statement" and "." in relation
    least = (4, 0, 0) if implied else LEAST[style]
    assert all(have >= need for have, need in zip(counts, least, strict=True)), counts


@pytest.mark.parametrize("style", FOLDERS)
def test_every_style_has_a_folder_of_phrasings(style: str) -> None:
    assert any(key[0] == style for key in PACK.phrasings)


@pytest.mark.parametrize("spec", builtin_specs())
def test_the_built_in_pack_covers_each_built_in_world_in_every_style(spec: str) -> None:
    check_pack(load_spec(spec), PACK, styles_for(["all"], load_spec(spec)))


@pytest.mark.parametrize(("style", "relation"), FILES)
def test_each_built_in_phrasing_renders_to_one_clean_text(style: str, relation: str) -> None:
    for phrasing in PACK.phrasings[style, relation]:
        text = phrasing.render(VALUES)
        assert text, phrasing.where
        assert not re.search(r"[{}]|  | [.,?!]|\n\n\n|^\s|\s$", text), phrasing.where


@pytest.mark.parametrize(("style", "relation"), FILES)
def test_each_built_in_phrasing_shows_what_it_must_and_a_question_no_value(style: str, relation: str) -> None:
    for phrasing in PACK.phrasings[style, relation]:
        text = phrasing.render(VALUES)
        shown = {
            "article": SENTENCES,
            "dialogue": ["THE TURNS"],
            "voice": ["The content."],
            "tone": ["Bodan", "\n---\n"],
            "statement": ["Bodan", "12"],
            "reverse": ["12"],
        }.get(style, ["Bodan"])
        if relation.split(".")[0] in ("compare", "both", "difference"):
            shown = ["Bodan", "Mira"]
        assert all(part in text for part in shown), phrasing.where
        if style not in ("statement", "reverse"):
            assert "12" not in text, phrasing.where
        if style not in (*DOCUMENT_STYLES, "tone", "voice"):
            assert (text[-1] in "?.") != (style == "cloze"), phrasing.where
        if style == "statement":
            assert text.endswith("."), phrasing.where


@pytest.mark.parametrize(("style", "relation"), [file for file in FILES if file[0] in ("article", "dialogue")])
def test_a_document_does_not_name_its_subject_by_a_pronoun_before_its_name(style: str, relation: str) -> None:
    for phrasing in PACK.phrasings[style, relation]:
        before = phrasing.render(VALUES).split("Bodan")[0].split("One.")[0].split("THE TURNS")[0]
        assert not re.search(r"\b(he|she|his|her|him|its)\b", before, re.IGNORECASE), phrasing.where


def test_no_phrasing_of_a_relation_is_written_twice_in_any_role_or_style() -> None:
    texts = Counter((p.relation, plain(p.render(VALUES))) for p in EVERY if p.style != "dialogue")
    assert [text for text, n in texts.items() if n > 1] == []


def test_no_held_out_phrasing_says_the_same_as_a_train_phrasing_of_any_relation() -> None:
    train = {plain(p.render(VALUES)) for p in EVERY if p.role == "train"}
    assert [p.where for p in EVERY if p.role != "train" and plain(p.render(VALUES)) in train] == []


def test_no_held_out_cloze_begins_a_statement_that_is_trained() -> None:
    told = {(p.relation, plain(p.render(VALUES))) for p in TOLD}
    copied = [
        phrasing.where
        for phrasing in EVERY
        if phrasing.style == "cloze" and phrasing.role != "train"
        for relation, text in told
        if relation == phrasing.relation and text.startswith(plain(phrasing.render(VALUES)) + " ")
    ]
    assert copied == []


def test_no_two_relations_are_asked_in_the_same_words() -> None:
    """Or a question would have two answers."""
    asked: dict[str, set[str]] = {}
    for phrasing in ASKED:
        asked.setdefault(plain(phrasing.render(VALUES)), set()).add(phrasing.relation)
    assert {text: sorted(relations) for text, relations in asked.items() if len(relations) > 1} == {}


def of_world(name: str) -> list[Phrasing]:
    """The phrasings that a built-in world is written in, but for small talk."""
    spec = load_spec(name)
    styles = styles_for(["all"], spec)
    asked = {
        name for style in styles if style not in DOCUMENT_STYLES for name in question_names(World(spec, ""), style)
    }
    chains = {".".join(chain) for chain in spec.paths.chains}
    files = {spec.template_of(name) for name in {*asked, *spec.relations}} | chains | set(spec.types)
    return [p for p in EVERY if p.style in styles and p.style != "tone" and p.relation in files]


@pytest.mark.parametrize("spec", ["lab", "default"])
def test_every_word_of_a_held_out_phrasing_of_a_world_stands_in_its_train_phrasings(spec: str) -> None:
    """What a word-level model never read it cannot understand; the lab's model knows a word by its case too.

    Worlds of fewer relations may lack a word: the linter looks at the whole pack.
    """
    fold = str if spec == "lab" else str.casefold
    mine = of_world(spec)
    trained = set[str]().union(*(words(fold(p.render(VALUES))) for p in mine if p.role == "train"))
    unknown = {p.where: words(fold(p.render(VALUES))) - trained for p in mine if p.role != "train"}
    assert {where: sorted(missing) for where, missing in unknown.items() if missing} == {}


def test_no_question_says_one_of_the_numbers_that_may_answer_it() -> None:
    """A count may be answered in words: `one` or `two` in its question would be an answer that stands in it."""
    counts = [p for p in ASKED if p.relation.split(".")[0] == "count"]
    numbers = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
    assert {p.where: sorted(words(p.source) & numbers) for p in counts if words(p.source) & numbers} == {}


LACKING = [
    ("qa/badge.j2", "{# train t01 #}\n{{ name }}?\n", "has no validation phrasing in qa/badge.j2"),
    ("qa/badge.j2", "{# test x01 #}\n{{ name }}?\n", "has no train phrasing in qa/badge.j2"),
    ("statement/badge.j2", "{# test x01 #}\nx\n", "has no train phrasing in statement/badge.j2"),
    ("article/person.j2", "{# train d01 news #}\nx\n", "has no encyclopedia document in article/person.j2"),
    ("dialogue/person.j2", "{# test d01 #}\n{{ turns }}\n", "has no dialogue in dialogue/person.j2"),
    ("choice/badge.j2", "{# train t01 #}\n{{ name }}?\n", "has no validation phrasing in choice/badge.j2"),
]


@pytest.mark.parametrize(("path", "text", "expected_error"), LACKING)
def test_a_pack_that_lacks_what_the_spec_needs_is_refused_with_the_file_to_add_to(
    tmp_path: Path, path: str, text: str, expected_error: str
) -> None:
    spec, style = tiny(), path.split("/")[0]
    sources = {"article": ("article", "statement"), "dialogue": ("dialogue", "qa", "statement"), "choice": ("qa",)}
    needed = [p for p in EVERY if p.style in sources.get(style, (style,))]
    files: dict[str, str] = {}
    for phrasing in needed:
        if phrasing.relation in {**spec.relations, **spec.types}:
            kind = phrasing.kind if phrasing.style == "article" else ""
            header = f"{{# {phrasing.role} {phrasing.id} {kind} #}}"
            place = f"{phrasing.style}/{phrasing.relation}.j2"
            files[place] = files.get(place, "") + f"{header}\n{phrasing.source}\n\n"
    check_pack(spec, load_pack(written(tmp_path / "whole", files)), (style,))
    lacking = load_pack(written(tmp_path / "lacking", {**files, path: text}))
    with pytest.raises(TemplateError) as error:
        check_pack(spec, lacking, (style,))
    assert expected_error in str(error.value)
    assert "the pack 'mine'" in str(error.value)
    assert "add one" in str(error.value)


def test_a_method_printed_without_its_parentheses_is_refused(tmp_path: Path) -> None:
    pack = load_pack(written(tmp_path, {"qa/badge.j2": "{# train t01 #}\n{{ name.upper }}?\n"}))
    with pytest.raises(TemplateError, match=r"qa/badge\.j2 line 1 \(t01\): upper is a function: call it with \(\)"):
        pack.of("qa", "badge", "train")[0].render({"name": "Mira"})


def test_a_hidden_folder_in_a_pack_is_no_style(tmp_path: Path) -> None:
    root = written(tmp_path, {"qa/badge.j2": "{# train t01 #}\n{{ name }}?\n"})
    (Path(root) / ".git").mkdir()
    assert set(load_pack(root).phrasings) == {("qa", "badge"), ("choice", "badge")}
