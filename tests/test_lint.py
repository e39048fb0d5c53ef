"""The linter of packs: each rule fires on what it is for and on nothing else; and what `kbench templates check` says."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kbench.cli import main
from kbench.generator.lint import Finding, allowed_variables, lint_coverage, lint_pack
from kbench.generator.packs import Pack, Phrasing, load_pack
from kbench.generator.spec import load_spec, spec_from_dict
from tests.clean import Files, body, clean, with_body, written
from tests.samples import TINY
from tests.small import FAMILY


def linted(folder: Path, files: Files) -> list[Finding]:
    """The findings of a pack of these files."""
    return lint_pack(load_pack(written(folder, files)))


def test_a_clean_pack_has_no_findings(tmp_path: Path) -> None:
    assert linted(tmp_path, clean()) == []


def test_the_built_in_pack_has_no_findings_and_covers_the_built_in_worlds() -> None:
    pack = load_pack()
    assert [str(finding) for finding in lint_pack(pack)] == []
    for name in ("default", "known", "lab", "starter", "style-to-facts"):
        assert [str(finding) for finding in lint_coverage(pack, load_spec(name))] == []


Change = Callable[[Files], Files]


def said(path: str, name: str, text: str) -> Change:
    """A change: another text of one phrasing."""
    return lambda files: with_body(files, path, name, text)


def less(path: str, *names: str) -> Change:
    """A change: some phrasings are gone."""

    def change(files: Files) -> Files:
        blocks = [b for b in files[path].split("{# ") if b and b.split(" ")[1] not in names]
        return {**files, path: "".join(f"{{# {b}" for b in blocks)}

    return change


def copied(path: str, name: str, source: str, other: str, old: str = "", new: str = "") -> Change:
    """A change: one phrasing says what another says, but for one word."""
    return lambda files: with_body(files, path, name, body(files, source, other).replace(old, new, 1))


def framed(n: int) -> Change:
    """A change: so many phrasings of one relation are those of another, but for their first word."""

    def change(files: Files) -> Files:
        for k in range(n):
            words = body(files, "qa/rank.j2", f"t{k:02}").split(" ")
            mine = body(files, "qa/home.j2", f"t{k:02}").split(" ")[0]
            files = with_body(files, "qa/home.j2", f"t{k:02}", " ".join([mine, *words[1:]]))
        return files

    return change


RULES: list[tuple[str, str, str, Change, str]] = [
    ("cannot render", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "What of {{ nmae }}?"), "'nmae' is undefined"),
    ("cannot render", "qa/rank.j2", "x00", said("qa/rank.j2", "x00", "What {{ 1 / 0 }}?"), "division by zero"),
    ("undefined variable", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "{{ them }} or {{ value }}?"), "'value'"),
    ("undefined variable", "cloze/rank.j2", "t00", said("cloze/rank.j2", "t00", "{{ them }} {{ one }}"), "'one'"),
    ("what is shown", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "What is the rank?"), "names its subject 0 times"),
    ("what is shown", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "{{ them }} or {{ them }}?"), "2 times instead"),
    (
        "what is shown",
        "qa/rank.j2",
        "t00",
        said("qa/rank.j2", "t00", "{{ them }} again!"),
        "ends neither as a question",
    ),
    (
        "what is shown",
        "multihop/compare.rank.j2",
        "t00",
        said("multihop/compare.rank.j2", "t00", "Is {{ one }} it?"),
        "1 times instead of 2",
    ),
    ("what is shown", "reverse/home.j2", "t00", said("reverse/home.j2", "t00", "Who?"), "shows its value 0 times"),
    ("what is shown", "statement/rank.j2", "t00", said("statement/rank.j2", "t00", "{{ Their }} rank."), "value 0"),
    ("what is shown", "statement/rank.j2", "t00", said("statement/rank.j2", "t00", "{{ They }}: {{ value }}"), "stop"),
    ("what is shown", "cloze/rank.j2", "t00", said("cloze/rank.j2", "t00", "{{ They }} has:"), "without a mark"),
    ("what is shown", "voice/blunt.j2", "t00", said("voice/blunt.j2", "t00", "Well."), "does not show its content"),
    ("what is shown", "tone/manner.j2", "t00", said("tone/manner.j2", "t00", "{{ name }}?"), "a line ---"),
    (
        "what is shown",
        "article/person.j2",
        "d00",
        said("article/person.j2", "d00", "{{ sentences[:20] | join(' ') }}"),
        "claims facts that it does not state",
    ),
    (
        "what is shown",
        "dialogue/person.j2",
        "d0",
        said("dialogue/person.j2", "d0", "user: {{ turns }}"),
        "no line of its own with {{ turns }}",
    ),
    ("typography", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "What  of {{ them }}?"), "stray space"),
    ("typography", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "What of {{ them }} ?"), "stray space"),
    ("typography", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "What of {{ them }}.."), "stray space"),
    ("typography", "qa/rank.j2", "t00", said("qa/rank.j2", "t00", "what of {{ them }}?"), "begins with a small letter"),
    ("too few", "qa/rank.j2", "t00", less("qa/rank.j2", "t07"), "7 train phrasings, expected 8"),
    ("too few", "cloze/rank.j2", "t00", less("cloze/rank.j2", "x01"), "1 test phrasings, expected 2"),
    ("too few", "tone/manner.j2", "t00", less("tone/manner.j2", "v05"), "5 validation phrasings, expected 6"),
    ("too few", "article/person.j2", "d00", less("article/person.j2", "d11"), "3 frames of kind encyclopedia"),
    ("said twice", "qa/rank.j2", "t01", copied("qa/rank.j2", "t01", "qa/rank.j2", "t00"), "is also qa/rank.j2 line 1"),
    ("said twice", "qa/rank.j2", "t01", copied("qa/rank.j2", "t01", "qa/home.j2", "t00"), "is also qa/home.j2 line 1"),
    ("too alike", "qa/rank.j2", "v00", copied("qa/rank.j2", "v00", "qa/rank.j2", "t03", "?", " kilo?"), "with t03"),
    ("shared frame", "qa/home.j2", "t00", framed(5), "of 16 phrasings use frames of other relations, at most 25%"),
    ("unseen word", "qa/rank.j2", "x00", said("qa/rank.j2", "x00", "Kilo mega {{ them }}?"), "kilo, mega stand in no"),
]


@pytest.mark.parametrize(
    ("rule", "path", "name", "change", "expected"), RULES, ids=[f"{r[0]}: {r[4][:24]}" for r in RULES]
)
def test_a_rule_fires_where_it_should(
    tmp_path: Path, rule: str, path: str, name: str, change: Change, expected: str
) -> None:
    files = change(clean())
    found = linted(tmp_path, files)
    mine = [f for f in found if (f.path, f.rule) == (path, rule) and f.message.startswith(f"{name}: ")]
    assert mine, [str(finding) for finding in found]
    assert any(expected in finding.message for finding in mine), [finding.message for finding in mine]
    line = files[path][: files[path].index(f" {name} ")].count("\n") + 1
    assert {finding.line for finding in mine} == {line}
    assert str(mine[0]) == f"{path} line {line}: {rule}: {mine[0].message}"
    assert {finding.path for finding in found} <= {path, "qa/rank.j2", "qa/home.j2"}
    assert found == sorted(found, key=lambda f: (f.path, f.line, f.rule, f.message))


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_quarter_of_a_relations_phrasings_may_share_a_frame(tmp_path: Path, n: int) -> None:
    assert [f for f in linted(tmp_path, framed(n)(clean())) if f.rule == "shared frame"] == []


def test_a_pack_that_has_choice_questions_of_its_own_is_linted_for_them(tmp_path: Path) -> None:
    files = {**clean(), "choice/rank.j2": "{# train t00 #}\nwhich of these {{ them }}?\n"}
    assert {f.rule for f in linted(tmp_path, files) if f.path == "choice/rank.j2"} >= {"typography"}


@pytest.mark.parametrize(
    ("style", "relation", "allowed"),
    [
        ("qa", "rank", {"name", "They", "they", "Their", "their", "them", "topic"}),
        ("qa", "generic", {"name", "They", "they", "Their", "their", "them", "topic", "relation"}),
        ("multihop", "compare.rank", {"one", "two"}),
        ("numeric", "difference.rank", {"one", "two", "larger", "smaller"}),
        ("reverse", "rank", {"value", "topic", "relation"}),
        ("voice", "blunt", {"content", "name"}),
    ],
)
def test_a_phrasing_may_use_the_variables_of_its_style(style: str, relation: str, allowed: set[str]) -> None:
    assert allowed_variables(Phrasing(style, relation, "train", "t01", "", "", 1)) == allowed


def test_what_a_spec_asks_of_a_pack_and_does_not_find_is_listed() -> None:
    pack = Pack("few", "1", "", {key: group for key, group in load_pack().phrasings.items() if key[1] != "home"})
    found = lint_coverage(pack, spec_from_dict(FAMILY, "family"))
    assert {finding.rule for finding in found} == {"uncovered relation"}
    assert {f"{style}/home.j2" for style in ("qa", "cloze", "statement", "choice")} <= {f.path for f in found}
    assert lint_coverage(load_pack(), spec_from_dict(TINY, "tiny")) == []


def test_a_question_that_says_a_value_of_its_relation_leaks_the_answer() -> None:
    leak = Phrasing("qa", "industry", "test", "x09", "", "Is {{ they }} in mining?", 3)
    pack = Pack("leaky", "1", "", {**load_pack().phrasings, ("qa", "industry"): (leak,)})
    found = [f for f in lint_coverage(pack, spec_from_dict(TINY, "tiny")) if f.rule == "leaked answer"]
    assert [str(f) for f in found] == ["qa/industry.j2 line 3: leaked answer: x09: 'mining' is a value of 'industry'"]


# ---- the command


def check(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `kbench templates check` and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["kbench", "templates", "check", *words])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_checking_the_built_in_pack_exits_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(monkeypatch) == 0
    assert " phrasings, 0 findings\n" in capsys.readouterr().out


def test_checking_a_clean_pack_exits_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert check(monkeypatch, str(written(tmp_path, clean()))) == 0
    assert capsys.readouterr().out.startswith("142 phrasings, 0 findings\n142 compiled, ")


def test_checking_a_pack_with_findings_lists_them_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = written(tmp_path, said("qa/rank.j2", "t00", "what of {{ them }}?")(clean()))
    assert check(monkeypatch, str(folder)) == 1
    out = capsys.readouterr().out
    assert "qa/rank.j2 line 1: typography: t00: begins with a small letter: 'what of Qname?'\n" in out
    assert check(monkeypatch, str(folder), "--only", "home") == 0
    assert check(monkeypatch, str(folder), "--only", "home", "--only", "rank") == 1


@pytest.mark.parametrize(
    ("words", "expected_error"),
    [
        (["{folder}/gone"], "no template pack at {folder}/gone: give a folder that holds pack.toml"),
        (["{folder}"], "{folder} is no template pack: it has no pack.toml"),
        (["--spec", "nowhere.toml"], "no world spec 'nowhere.toml': give a TOML file or one of default"),
    ],
)
def test_checking_what_is_no_pack_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    expected_error: str,
) -> None:
    assert check(monkeypatch, *(word.format(folder=tmp_path) for word in words)) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"kbench: {expected_error.format(folder=tmp_path)}")
    assert err.count("\n") == 1


def test_a_pack_that_does_not_cover_a_world_fails_its_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = str(written(tmp_path, clean()))
    assert check(monkeypatch, folder, "--spec", "lab") == 1
    assert "qa/occupation.j2 line 1: uncovered relation: the spec's 'occupation' has no" in capsys.readouterr().out
