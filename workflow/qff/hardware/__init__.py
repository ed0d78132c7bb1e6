"""What a quantum computer would make of a trained circuit: shots, noise, mitigation, cost, dynamics, training."""
