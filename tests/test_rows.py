"""Rows and releases as values: what they show, how they are taken apart, and where they go on to."""

import polars
import pyarrow as pa
import pytest

import kbench
from tests.samples import Sample


def test_the_repr_of_a_release_shows_where_it_is_and_each_splits_rows(lab: Sample) -> None:
    shown, html = repr(lab.release), lab.release._repr_html_()
    assert shown.startswith(
        f"release {lab.release.path}: world {lab.release.world}, digest {lab.release.digest[:16]}\n"
    )
    for config, splits in lab.release.counts().items():
        assert f"\n  {config:<9}  " + ", ".join(f"{name} {rows:,}" for name, rows in splits.items()) in shown
        assert f"<tr><td>{config}</td>" in html
        for rows in splits.values():
            assert f"<td>{rows:,}</td>" in html
    assert len(shown.splitlines()) == 1 + len(lab.release.configs())
    assert html.count("<td>") == (1 + len(lab.release.configs())) * 6


def test_rows_go_on_to_every_data_frame_whole(lab: Sample) -> None:
    rows = lab.release.rows("dialogue")
    plain = rows.table.to_pylist()
    assert list(rows) == plain
    assert rows.to_polars().to_dicts() == plain
    assert list(rows.to_dataset()) == plain
    frame = rows.to_pandas()
    assert frame["id"].tolist() == rows["id"] == [row["id"] for row in plain]
    assert list(frame["turns"][0]) == plain[0]["turns"]
    assert pa.table(rows).equals(rows.table)
    assert polars.DataFrame(rows).equals(rows.to_polars())


@pytest.mark.parametrize(
    "key", [slice(None), slice(2, 5), slice(-3, None), slice(None, None, -1), slice(9, 2), slice(0, 99, 7)]
)
def test_rows_are_sliced_as_a_list_is(key: slice) -> None:
    rows = kbench.Rows(pa.table({"n": list(range(30)), "text": [str(n) for n in range(30)]}))
    assert list(rows[key]) == list(rows)[key]
    assert rows[key]["n"] == list(range(30))[key]
    assert [rows[place] for place in (0, 29, -1, -30)] == [list(rows)[place] for place in (0, 29, -1, -30)]


def test_rows_refuse_a_place_and_a_column_that_are_not_there() -> None:
    rows = kbench.Rows(pa.table({"n": [1, 2]}), "qa/test")
    with pytest.raises(IndexError):
        rows[2]
    with pytest.raises(KeyError, match="qa/test has no column 'm': have n"):
        rows["m"]


def test_the_repr_of_rows_is_as_wide_as_a_terminal_whatever_they_hold() -> None:
    wide = kbench.Rows(pa.table({"text": ["x" * 1000] * 9, "many": [list(range(500))] * 9, "none": [None] * 9}))
    lines = repr(wide).splitlines()
    assert lines[0] == "rows: 9 rows, 3 columns"
    assert [line.split()[0] for line in lines[1:]] == ["text", "many", "none"]
    assert max(map(len, lines)) <= 110
    assert repr(wide[:0]).splitlines()[1:] == ["  text  string", "  many  list<int64>", "  none  null"]


@pytest.mark.parametrize(
    ("method", "package"), [("to_polars", "polars"), ("to_pandas", "pandas"), ("to_dataset", "datasets")]
)
def test_a_missing_package_is_named_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch, method: str, package: str
) -> None:
    monkeypatch.setattr("kbench.rows.find_spec", lambda name: None)
    with pytest.raises(kbench.KbenchError) as caught:
        getattr(kbench.Rows(pa.table({"n": [1]})), method)()
    assert str(caught.value) == f"this needs {package}, which is not installed: pip install {package}"
