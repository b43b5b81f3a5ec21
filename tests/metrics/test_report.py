"""Reports: verdicts, the table's columns, JSON that any reader takes."""

import json

import pytest

from g4g.errors import ConfigError
from g4g.metrics.report import Figure, format_table, write_report


@pytest.mark.parametrize(
    ("value", "target", "wish", "reached"),
    [(0.7, 0.7, ">=", True), (0.69, 0.7, ">=", False), (0.3, 0.33, "<=", True), (0.4, 0.33, "<=", False),
     (float("nan"), 0.7, ">=", False), (0.7, None, ">=", None), (1.15, (0.85, 1.15), ">=", True),
     (1.2, (0.85, 1.15), ">=", False), (0.8, (0.85, 1.15), "<=", False), (float("nan"), (0, 1), ">=", False)],
)  # fmt: skip
def test_verdicts(value: float, target: float | tuple | None, wish: str, reached: bool | None) -> None:
    assert Figure("1", "s1", "share", value, 5, target=target, wish=wish).reached is reached


def test_the_table_says_what_was_missed_beside_its_baseline() -> None:
    figures = [
        Figure("1", "s1", "right sound first of 20", 0.71, 50, 0.05, "chance", 0.7),
        Figure("4", "unseen", "silence", 0.5, 4, target=0.333, wish="<="),
        Figure("5", "s1", "articulation", 1.0, 4, target=(0.85, 1.15)),
    ]
    head, line, first, second, third = format_table(figures).split("\n")
    assert first.index("0.71") == second.index("0.5") == head.index("value")
    assert first.endswith("reached") and "0.05 chance" in first
    assert second.split()[-3:] == ["<=", "0.333", "MISSED"] and set(line) == {"-"}
    assert third.endswith("0.85 to 1.15  reached")


def test_the_report_is_strict_json(tmp_path) -> None:
    path = tmp_path / "report.json"
    write_report(path, [Figure("2", "s1", "psnr", float("inf"), 1)], {"weights": "g4g-tiny"})
    table = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert table["figures"][0]["value"] is None and table["info"] == {"weights": "g4g-tiny"}


def test_an_unknown_wish_is_refused() -> None:
    with pytest.raises(ConfigError, match="wish"):
        Figure("1", "s1", "share", 1.0, 1, wish="==")
