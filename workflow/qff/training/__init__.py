"""One training loop for every model: loss, optimisers, and an ensemble trained in one batch."""

from qff.training.loop import TrainingResult, train
from qff.training.loss import EnsembleData

__all__ = ["EnsembleData", "TrainingResult", "train"]
