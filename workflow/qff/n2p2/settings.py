"""``input.nn``: elements, symmetry functions, networks, scaling and units of a potential."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from pathlib import Path

from ase.data import atomic_numbers

from qff.errors import ConfigError, DataError
from qff.n2p2.files import Line, exact, read_lines
from qff.n2p2.network import ACTIVATIONS
from qff.provenance import write_text
from qff.symmetry import Cutoff, SymmetryFunction, by_centre, parse_function

_SCALING = ("scale_symmetry_functions", "center_symmetry_functions", "scale_symmetry_functions_sigma")
_FUNCTIONS = ("symfunction_short", "element_symfunction_short", "global_symfunction_short")
_REPEATED = (*_FUNCTIONS, "atom_energy", "element_nodes_short", "element_hidden_layers_short")
_KNOWN = (
    *_SCALING, *_REPEATED, "number_of_elements", "elements", "mean_energy", "conv_energy", "conv_length",
    "cutoff_type", "scale_min_short", "scale_max_short", "global_hidden_layers_short", "global_nodes_short",
    "global_activation_short", "normalize_nodes",
)  # fmt: skip
_REFUSED = {"element_activation_short": "activation functions of single elements", "nnp_type": "this type of network"}


@dataclass(frozen=True)
class Settings:
    """What defines a potential; energies in Ha, lengths in bohr.

    Attributes:
        elements: by nuclear charge. functions: of each element, in n2p2's order.
        cutoff: cutoff function. hidden: widths of each element. activations: one letter per layer.
        normalise_nodes: divide the input of a neuron by the number of its connections.
        scaling: those of the three scaling keywords that are set; scale_min, scale_max: S_min and S_max.
        mean_energy: per atom, conv_energy, conv_length: units of the network, None if it works in Ha and bohr.
        atom_energies: offset of each element.
        others: other keywords with their arguments (training settings), kept as they are.
    """

    elements: tuple[str, ...]
    functions: dict[str, list[SymmetryFunction]]
    cutoff: Cutoff
    hidden: dict[str, tuple[int, ...]]
    activations: tuple[str, ...]
    normalise_nodes: bool = False
    scaling: frozenset[str] = frozenset()
    scale_min: float = 0.0
    scale_max: float = 1.0
    mean_energy: float | None = None
    conv_energy: float | None = None
    conv_length: float | None = None
    atom_energies: dict[str, float] = field(default_factory=dict)
    others: tuple[tuple[str, ...], ...] = ()

    @property
    def reach(self) -> float:
        """Largest cutoff radius (bohr)."""
        return max(f.cutoff for functions in self.functions.values() for f in functions)

    def write(self, path: Path) -> None:
        """Write ``input.nn``; reading it gives equal settings."""
        rows = [("number_of_elements", str(len(self.elements))), ("elements", *self.elements)]
        for name in ("mean_energy", "conv_energy", "conv_length"):
            if getattr(self, name) is not None:
                rows.append((name, exact(getattr(self, name))))
        rows += [("atom_energy", e, exact(v)) for e, v in self.atom_energies.items()]
        rows.append(("cutoff_type", str(self.cutoff.kind), *([repr(self.cutoff.inner)] if self.cutoff.inner else [])))
        rows += [(name,) for name in _SCALING if name in self.scaling]
        rows += [("scale_min_short", repr(self.scale_min)), ("scale_max_short", repr(self.scale_max))]
        common = self.hidden[self.elements[0]]
        rows.append(("global_hidden_layers_short", str(len(common))))
        rows.append(("global_nodes_short", *map(str, common)))
        rows.append(("global_activation_short", *self.activations))
        for element, widths in self.hidden.items():
            rows += [
                ("element_nodes_short", element, str(layer), str(n))
                for layer, (n, usual) in enumerate(zip(widths, common, strict=True), 1)
                if n != usual
            ]
        rows += [("normalize_nodes",)] * self.normalise_nodes
        rows += self.others
        rows += [("symfunction_short", f.line()) for e in self.elements for f in self.functions[e]]
        write_text(path, "".join(f"{row[0]:<32}{' '.join(row[1:])}".rstrip() + "\n" for row in rows))


def read_settings(path: Path) -> Settings:
    """Settings of ``input.nn``.

    Raises:
        DataError: a keyword is missing, given twice, malformed or not implemented; it names file and line.
    """
    lines: dict[str, list[Line]] = {}
    for line in read_lines(path):
        keyword = line.words[0]
        if keyword in _REFUSED and not (keyword == "nnp_type" and line.words[1:] in (["2G-HDNNP"], ["2"], ["0"])):
            raise line.error(f"{keyword}: {_REFUSED[keyword]} is not implemented")
        if keyword in lines and keyword in _KNOWN and keyword not in _REPEATED:
            raise line.error(f"{keyword} is given twice, first in line {lines[keyword][0].number}")
        lines.setdefault(keyword, []).append(line)

    def arguments(keyword: str, kind: type = str, count: int | None = None, default=None) -> list:
        if keyword not in lines:
            if default is not None:
                return default
            raise DataError(f"{path}: keyword {keyword} is missing")
        line = lines[keyword][0]
        if not line.words[1:] or (count is not None and len(line.words) != count + 1):
            raise line.error(f"{keyword} takes {count if count is not None else 'at least one'} argument(s)")
        return line.numbers(line.words[1:], kind) if kind is not str else line.words[1:]

    elements = _elements(lines, arguments)
    hidden, activations = _networks(lines, arguments, elements)
    scaling = frozenset(_SCALING) & set(lines)
    if "scale_symmetry_functions_sigma" in scaling and len(scaling) > 1:
        raise lines["scale_symmetry_functions_sigma"][0].error("not together with another scaling keyword")
    kind, *inner = arguments("cutoff_type", float)
    if len(inner) > 1 or kind != int(kind):
        raise lines["cutoff_type"][0].error("cutoff_type takes an integer and perhaps α")
    try:
        cutoff = Cutoff(int(kind), *inner)
    except ConfigError as error:
        raise lines["cutoff_type"][0].error(str(error)) from None
    energies = {}
    for line in lines.get("atom_energy", []):
        if len(line.words) != 3 or line.words[1] not in elements:
            raise line.error("atom_energy takes an element of the potential and an energy")
        energies[line.words[1]] = line.numbers(line.words[2:])[0]
    units = {
        name: arguments(name, float, 1)[0] if name in lines else None
        for name in ("mean_energy", "conv_energy", "conv_length")
    }
    if None in units.values() and any(v is not None for v in units.values()):
        raise DataError(f"{path}: mean_energy, conv_energy and conv_length belong together; one of them is missing")
    return Settings(
        elements, _functions(path, lines, elements), cutoff, hidden, activations, "normalize_nodes" in lines, scaling,
        arguments("scale_min_short", float, 1, [0.0])[0], arguments("scale_max_short", float, 1, [1.0])[0],
        **units, atom_energies=energies,
        others=tuple(tuple(line.words) for k, v in lines.items() if k not in _KNOWN for line in v),
    )  # fmt: skip


def _elements(lines, arguments) -> tuple[str, ...]:
    elements = arguments("elements")
    line = lines["elements"][0]
    if unknown := [e for e in elements if e not in atomic_numbers]:
        raise line.error(f"'{unknown[0]}' is not a chemical element")
    if len(set(elements)) < len(elements):
        raise line.error("an element is listed twice")
    if arguments("number_of_elements", int, 1, [len(elements)]) != [len(elements)]:
        raise line.error(f"{len(elements)} elements, but number_of_elements differs")
    return tuple(sorted(elements, key=atomic_numbers.__getitem__))


def _networks(lines, arguments, elements):
    """Hidden widths of every element, and the activation of every layer."""
    (n_layers,) = arguments("global_hidden_layers_short", int, 1)
    widths = arguments("global_nodes_short", int, n_layers) if n_layers else []
    hidden = {e: list(widths) for e in elements}
    for line in lines.get("element_hidden_layers_short", []):
        if line.words[2:] != [str(n_layers)]:
            raise line.error("numbers of hidden layers that differ between elements are not implemented")
    for line in lines.get("element_nodes_short", []):
        if len(line.words) != 4 or line.words[1] not in elements:
            raise line.error("element_nodes_short takes an element of the potential, a hidden layer and its nodes")
        layer, nodes = line.numbers(line.words[2:], int)
        if not 1 <= layer <= n_layers:
            raise line.error(f"hidden layer {layer}: there are {n_layers}")
        hidden[line.words[1]][layer - 1] = nodes
    activations = arguments("global_activation_short", str, n_layers + 1)
    if unknown := [a for a in activations if a not in ACTIVATIONS]:
        raise lines["global_activation_short"][0].error(
            f"activation '{unknown[0]}' is not implemented; known: {' '.join(ACTIVATIONS)}"
        )
    for element, found in hidden.items():
        if min(found, default=1) < 1:
            raise DataError(f"{lines['global_nodes_short'][0].path}: {element}: every layer needs at least one node")
    return {e: tuple(w) for e, w in hidden.items()}, tuple(activations)


def _functions(path, lines, elements) -> dict[str, list[SymmetryFunction]]:
    """Functions of every element; the short forms stand for all neighbours, or for all centres as well."""
    functions = []
    for keyword in _FUNCTIONS:
        for line in lines.get(keyword, []):
            words = line.words[1:]
            if keyword == "global_symfunction_short":
                heads = [([e], words) for e in elements]
            else:
                heads = [(words[:1], words[1:])]
            for centre, rest in heads:
                tails = [rest]
                if keyword != "symfunction_short":
                    many = combinations_with_replacement(elements, 1 if rest[:1] == ["2"] else 2)
                    tails = [[*rest[:1], *neighbours, *rest[1:]] for neighbours in many]
                for tail in tails:
                    try:
                        function = parse_function(" ".join([*centre, *tail]))
                    except ConfigError as error:
                        raise line.error(str(error)) from None
                    if foreign := {function.centre, *function.neighbours} - set(elements):
                        raise line.error(f"{', '.join(sorted(foreign))}: not listed under 'elements'")
                    functions.append(function)
    found = by_centre(functions)
    if missing := [e for e in elements if e not in found]:
        raise DataError(f"{path}: no symmetry function has a centre {missing[0]}")
    return found
