"""Agreement is computed as the textbooks say."""

import pytest

from interviewer.evaluation import Agreement


def test_kappa_of_a_published_table() -> None:
    # Two readers, 50 proposals: both yes 20, both no 15, 5 and 10 apart (the worked example found in most textbooks).
    rows = [("covered", "covered")] * 20 + [("missed", "missed")] * 15
    rows += [("covered", "missed")] * 5 + [("missed", "covered")] * 10
    found = Agreement.of(rows)  # type: ignore[arg-type]
    assert found.points == 50
    assert found.accuracy == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.recall("covered") == pytest.approx(20 / 25)
    assert found.precision("covered") == pytest.approx(20 / 30)
    assert found.recall("contradicted") is None


def test_kappa_of_full_agreement_on_one_verdict_is_one() -> None:
    assert Agreement.of([("missed", "missed")] * 3).kappa == 1.0
