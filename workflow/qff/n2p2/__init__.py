"""Potentials in n2p2's own files (Singraber, Behler & Dellago, J. Chem. Theory Comput. 15, 1827, 2019).

``N2P2Potential.read(folder).energy_and_forces(atoms)`` runs one; :func:`qff.n2p2.convert.write` exports a trained
Behler–Parrinello potential of the study so that n2p2 runs it.
"""

from qff.n2p2.convert import from_potential, to_potential, write
from qff.n2p2.potential import N2P2Potential

__all__ = ["N2P2Potential", "from_potential", "to_potential", "write"]
