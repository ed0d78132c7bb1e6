"""NVE molecular dynamics: of a diatomic on its curve, and of small molecules beside a fitted reference."""
