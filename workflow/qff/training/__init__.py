"""One training loop for every model: loss, optimisers, and an ensemble trained in one batch."""

from qff.training.loop import EnsembleData, TrainingResult, train

__all__ = ["EnsembleData", "TrainingResult", "train"]
