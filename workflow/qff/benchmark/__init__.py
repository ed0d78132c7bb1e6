"""How fast the circuit engine is, against other simulators and against the machine (`make bench`)."""
