"""Force fields from quantum and classical models, and the study that compares them.

Data flows downward; nothing imports anything that stands below it in this list:
systems, reference, data, circuits, engines, models, training, evaluation, capacity, scaling, dynamics,
claims, report. ``units``, ``errors``, ``provenance`` and ``jobs`` may be imported by all.
"""

__version__ = "0.1.0"
