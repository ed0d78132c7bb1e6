"""Variational quantum eigensolver: active spaces of PySCF, an adaptive ansatz that keeps particle number and spin."""
