"""The claims on periodic materials refer to what their stage writes."""

from qff.claims import load_claims
from qff.config import load_study, read_yaml
from qff.report.materials import MODELS

WRITTEN = {
    "blocks": {"n_parameters", "energy_rmse", "force_rmse"},
    "": {"stable", "cost_exponent_with_search"},
}


def test_they_name_sets_models_and_quantities_of_the_stage():
    base = read_yaml("config/config.yaml") | read_yaml("config/electrolytes.yaml")
    study = load_study(base)
    claims = {k: c for k, c in load_claims("config/claims.yaml").items() if k.startswith("hybrid_materials.")}
    assert claims
    temperatures = {f"{t:.0f}k" for t in study.config.materials.dynamics.temperatures_k}
    for name, claim in claims.items():
        assert claim.system in study.config.materials.sets, name
        for m in claim.measures:
            assert {m.model, m.against} <= {None, *MODELS}, name
            assert m.quantity in WRITTEN[m.split], name
            assert m.variant in {"", *temperatures}, name
