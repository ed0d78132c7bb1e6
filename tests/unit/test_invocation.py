"""The end of an invocation."""

from qff.invocation import Invocation


def test_a_part_of_a_study_ends_without_verdicts(study, tmp_path, monkeypatch, capsys):
    """As 'make freeze' does, which stops at the labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QFF_INVOCATION", "test")
    invocation = Invocation(study.config)
    invocation.summary()
    assert capsys.readouterr().err == ""
    invocation.results.mkdir(parents=True)
    (invocation.results / "claims.csv").write_text("claim_id,verdict\nkiss.x,reproduced\n")
    invocation.summary()
    assert "reproduced" in capsys.readouterr().err
