"""The circuit on PennyLane's own simulators: the oracle, and the fallback for circuits the batched engine refuses."""

from __future__ import annotations

import pennylane as qml
import torch

from qff.circuits import Circuit


class PennyLaneEngine:
    """Same ``evaluate`` as the batched engine, one QNode call per parameter set, derivatives by torch.

    ``device``: any PennyLane device; ``default.qubit`` differentiates by backpropagation, ``lightning.qubit``
    gives values only.
    """

    def __init__(self, circuit: Circuit, device: str = "default.qubit"):
        self.circuit = circuit
        self.differentiable = device == "default.qubit"
        self._node = qml.QNode(
            circuit.function,
            qml.device(device, wires=circuit.n_qubits),
            diff_method="backprop" if self.differentiable else None,
        )

    def evaluate(
        self, theta: torch.Tensor, phi: torch.Tensor, dphi: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """See :meth:`qff.engines.batched.BatchedEngine.evaluate`."""
        if dphi is not None and not self.differentiable:
            raise ValueError("this device gives values only; derivatives need default.qubit")
        with torch.set_grad_enabled(torch.is_grad_enabled() or dphi is not None):
            pairs = [self._member(theta[s], phi[s % len(phi)], dphi) for s in range(len(theta))]
        f = torch.stack([value for value, _ in pairs])
        if dphi is None:
            return f, None
        gradient = torch.stack([slope for _, slope in pairs])  # (S, B, F)
        return f, (dphi @ gradient[..., None])[..., 0]

    def jacobian(self, theta: torch.Tensor, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See :meth:`qff.engines.batched.BatchedEngine.jacobian`."""
        leaf = theta.detach().requires_grad_(True)
        f, _ = self.evaluate(leaf, phi)
        rows = [torch.autograd.grad(f[:, b].sum(), leaf, retain_graph=True)[0] for b in range(f.shape[1])]
        return f.detach(), torch.stack(rows, 1)

    def _member(self, theta, phi, dphi):
        """Values (B,) and, if wanted, input gradients (B, F) of one parameter set."""
        if dphi is None:
            return self._values(theta, phi), None
        if not phi.requires_grad:
            phi = phi.detach().requires_grad_(True)
        values = self._values(theta, phi)
        (slope,) = torch.autograd.grad(values.sum(), phi, create_graph=theta.requires_grad)
        return (values, slope) if theta.requires_grad else (values.detach(), slope)

    def _values(self, theta, phi):
        if self.differentiable:
            return self._node(theta, phi.T).expand(len(phi))  # broadcast over frames
        angles = theta.detach().numpy()
        return torch.tensor([float(self._node(angles, row)) for row in phi.detach().numpy()], dtype=torch.float64)
