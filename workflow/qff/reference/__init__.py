"""Reference labels: which geometries, how they are computed, and how frozen ones are checked."""
