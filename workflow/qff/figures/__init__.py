"""Figures of the study, one module per subject: pure functions from tables to a Figure, in one style."""
