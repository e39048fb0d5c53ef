"""How templates are printed: what is compiled, what Jinja renders by value or by row, and how a user is told."""

import sys
from pathlib import Path

import pytest

from kbench.cli import main
from kbench.generator.packs import Phrasing
from kbench.generator.shares import Share, report_of, share_of
from tests.clean import clean, with_body, written


def phrasing(path: str, source: str, number: int = 0) -> Phrasing:
    """A phrasing of a file."""
    style, relation = path.split("/")
    return Phrasing(style, relation, "train", f"t{number:02}", "", source, 1 + 3 * number)


SHARES: list[tuple[str, str, Share]] = [
    ("qa/rank", "Which rank has {{ they }}?", "compiled"),
    ("qa/generic", "{% if relation %}{{ relation | upper }}{% endif %} of {{ they }}?", "by value"),
    ("qa/generic", "{{ 'The' if topic else 'A' }} {{ relation }} of {{ they }}?", "compiled"),
    ("qa/rank", "Is {{ value }} it?", "by row"),
    ("qa/rank", "Which rank has {{ name | upper }}?", "by value"),
    ("qa/rank", "Which {% set x = name | upper %}{{ x }}?", "by row"),
    ("numeric/rank", "To the nearest {{ place }}, {{ they }}?", "compiled"),
    ("numeric/difference.rank", "{{ larger }} above {{ smaller }}?", "compiled"),
    ("multihop/compare.rank", "{{ one }} or {{ two }}?", "compiled"),
    ("reverse/rank", "Who has {{ value | a }} as {{ topic }}?", "by value"),
    ("statement/rank", "{{ Their }} rank is {{ value }}.", "compiled"),
    ("statement/rank", "{{ Their }} rank is {% if value == '1' %}top{% else %}{{ value }}{% endif %}.", "by value"),
    ("tone/manner", "{{ name }}?\n---\nYes.", "compiled"),
    ("voice/blunt", "{{ content }} So.", "compiled"),
    ("article/person", "{% for s in sentences %}{{ loop.index }} {{ s }}{% endfor %}", "compiled"),
    ("article/person", "{% if form %}{{ name }}{% endif %} {{ sentences | join(' ') }}", "compiled"),
    ("article/person", "{% if form %}{{ name | upper }}{% endif %} {{ sentences | join(' ') }}", "by row"),
    ("article/person", "{{ sentences | map('upper') | join(' ') }}", "by row"),
    ("dialogue/person", "user: {{ name }}\nassistant: x\n{{ turns }}", "compiled"),
    ("dialogue/person", "user: {{ name | upper }}\nassistant: x\n{{ turns }}", "by row"),
]


@pytest.mark.parametrize(("path", "source", "expected"), SHARES)
def test_a_template_is_compiled_as_far_as_it_looks_into_no_value(path: str, source: str, expected: Share) -> None:
    assert share_of(phrasing(path, source)) == expected


def test_at_most_ten_templates_that_are_rendered_row_by_row_are_named() -> None:
    slow = [phrasing("qa/rank", "{% set x = name | upper %}{{ x }}?", n) for n in range(12)]
    assert list(report_of([phrasing("qa/home", "{{ they }}?"), *slow])) == [
        "1 compiled, 0 with a part rendered once for each distinct value, 12 rendered row by row (slower, same text):",
        *(f"  qa/rank.j2 line {1 + 3 * n} (t{n:02})" for n in range(10)),
        "  and 2 more",
    ]


def test_the_check_of_a_pack_ends_with_how_its_templates_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = clean()
    first = files["qa/rank.j2"].split("#}\n", 1)[1].split("\n", 1)[0]
    slow = first.replace("{{ them }}", "{% set x = them | trim %}{{ x }}")
    assert slow != first
    folder = written(tmp_path, with_body(files, "qa/rank.j2", "t00", slow))
    monkeypatch.setattr(sys, "argv", ["kbench", "templates", "check", str(folder)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert capsys.readouterr().out == (
        "142 phrasings, 0 findings\n"
        "141 compiled, 0 with a part rendered once for each distinct value, 1 rendered row by row (slower, same text):\n"
        "  qa/rank.j2 line 1 (t00)\n"
    )
