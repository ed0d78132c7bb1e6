"""Atom-centred symmetry functions (Behler, J. Chem. Phys. 134, 074106, 2011) with analytic derivatives."""

from qff.symmetry.cutoffs import Cutoff
from qff.symmetry.functions import SymmetryFunction, by_centre, parse_function

__all__ = ["Cutoff", "SymmetryFunction", "by_centre", "parse_function"]
