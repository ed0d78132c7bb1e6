"""What a symmetry function is: its parameters, the one-line notation of ``input.nn``, and n2p2's order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ase.data import atomic_numbers

from qff.errors import ConfigError

RADIAL, NARROW, WIDE = 2, 3, 9


@dataclass(frozen=True)
class SymmetryFunction:
    """One symmetry function; lengths in bohr.

    Attributes:
        centre: element of the central atom.
        kind: 2 radial; 3 angular "narrow", with the third side of the triangle in exponent and cutoff; 9 angular
            "wide", without it.
        neighbours: elements of the neighbours, one (radial) or two (angular), the lighter first.
        eta: η in bohr⁻². shift: r_s in bohr. cutoff: r_c in bohr.
        lam, zeta: λ and ζ of 2^(1-ζ) (1 + λ cos θ)^ζ, angular only.
    """

    centre: str
    kind: int
    neighbours: tuple[str, ...]
    eta: float
    shift: float
    cutoff: float
    lam: float = 0.0
    zeta: float = 0.0

    def __post_init__(self):
        for element in (self.centre, *self.neighbours):
            if element not in atomic_numbers:
                raise ConfigError(f"'{element}' is not a chemical element")
        if self.kind not in (RADIAL, NARROW, WIDE):
            raise ConfigError(f"symmetry function type {self.kind} is not implemented; known: 2, 3, 9")
        if self.cutoff <= 0:
            raise ConfigError(f"cutoff radius {self.cutoff}: must be positive")
        ordered = tuple(sorted(self.neighbours, key=atomic_numbers.__getitem__))
        object.__setattr__(self, "neighbours", ordered)

    def line(self) -> str:
        """The arguments of ``symfunction_short``, every number to its last digit."""
        if self.kind == RADIAL:
            numbers = (self.eta, self.shift, self.cutoff)
        else:
            numbers = (self.eta, self.lam, self.zeta, self.cutoff) + ((self.shift,) if self.shift else ())
        return " ".join([self.centre, str(self.kind), *self.neighbours, *map(repr, numbers)])


def parse_function(line: str) -> SymmetryFunction:
    """Arguments of ``symfunction_short``: ``H 2 O η r_s r_c`` or ``H 3 O H η λ ζ r_c [r_s]`` (also type 9).

    Raises:
        ConfigError: another type, too few or too many arguments, or what is not a number.
    """
    words = line.split()
    try:
        kind = int(words[1])
        neighbours = 1 if kind == RADIAL else 2
        numbers = [float(w) for w in words[2 + neighbours :]]
    except (IndexError, ValueError):
        raise ConfigError(f"'{line.strip()}': not 'centre type neighbours numbers' of a symmetry function") from None
    elements = (words[0], kind, tuple(words[2 : 2 + neighbours]))
    if kind == RADIAL and len(numbers) == 3:
        eta, shift, cutoff = numbers
        return SymmetryFunction(*elements, eta, shift, cutoff)
    if kind in (NARROW, WIDE) and len(numbers) in (4, 5):
        eta, lam, zeta, cutoff, shift = (*numbers, 0.0)[:5]
        return SymmetryFunction(*elements, eta, shift, cutoff, lam, zeta)
    if kind not in (RADIAL, NARROW, WIDE):
        raise ConfigError(f"'{line.strip()}': symmetry function type {kind} is not implemented; known: 2, 3, 9")
    wanted = "η r_s r_c" if kind == RADIAL else "η λ ζ r_c [r_s]"
    raise ConfigError(f"'{line.strip()}': type {kind} takes {wanted} after its elements")


def by_centre(functions: Iterable[SymmetryFunction]) -> dict[str, list[SymmetryFunction]]:
    """Functions of each centre element, elements by nuclear charge, functions in n2p2's order.

    n2p2 sorts by type, (cutoff type, α,) r_c, η, r_s, ζ, λ and neighbours: rows of ``scaling.data`` and weights of
    the first layer follow that order, not the order of ``input.nn``.
    """
    functions = sorted(functions, key=_n2p2_order)
    return {
        centre: [f for f in functions if f.centre == centre] for centre in dict.fromkeys(f.centre for f in functions)
    }


def _n2p2_order(f: SymmetryFunction):
    neighbours = tuple(atomic_numbers[e] for e in f.neighbours)
    return atomic_numbers[f.centre], f.kind, f.cutoff, f.eta, f.shift, f.zeta, f.lam, neighbours
