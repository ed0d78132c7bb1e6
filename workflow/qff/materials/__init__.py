"""Periodic materials: sets of frames, local descriptors, potentials on amplitudes, their dynamics and their cost."""
