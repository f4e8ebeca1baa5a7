"""Mutants of a small source: what is changed, what is left, and that lines stay where they are."""

from __future__ import annotations

from mutants_drawn import mutants

SOURCE = '''"""Words about 1 + 1."""

__all__ = ["mean"]
LEAST = 0.5


class Law:
    count: int = 3

    def mean(self, x: float, *, dim: int = -1) -> float | None:
        """The mean of 2."""
        if not (x < 1 and
                self.count > 0):
            raise ValueError(f"got {x - 1}")
        total = min(x,
            x * 2)
        total += self.other(x, dim=0)
        return total
'''


def test_a_mutant_changes_one_thing_and_keeps_the_lines() -> None:
    found = mutants("law.py", SOURCE)
    names = [one.name.removeprefix("law.py ") for one in found]
    assert sorted(names) == sorted(
        [
            "module: 0.5 -> 1.5",
            "Law: 3 -> 4",
            "Law: -1 -> 1",
            "Law: 1 -> 2",
            "Law.mean: not (x < 1 and self.count > 0) -> x < 1 and self.count > 0",
            "Law.mean: x < 1 and self.count > 0 -> x < 1 or self.count > 0",
            "Law.mean: x < 1 -> x <= 1",
            "Law.mean: 1 -> 2",
            "Law.mean: self.count > 0 -> self.count >= 0",
            "Law.mean: 0 -> 1",
            "Law.mean: raise ValueError(f'got {x - 1}') -> pass",
            "Law.mean: min(x, x * 2) -> max(x, x * 2)",
            "Law.mean: x * 2 -> x / 2",
            "Law.mean: 2 -> 3",
            "Law.mean: total += self.other(x, dim=0) -> pass",
            "Law.mean: 0 -> -1",
            "Law.mean: 0 -> 1 (2)",
            "Law.mean: return total -> return None",
        ]
    )
    assert {one.name.split(" ")[1] for one in found if not one.called} == {"module:", "Law:"}
    for one in found:
        compile(one.source, "law.py", "exec")
        assert one.source != SOURCE
        assert one.source.count("\n") == SOURCE.count("\n")
