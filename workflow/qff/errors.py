"""Errors a user can mend. Their message names the file, key or frame, what was expected, and the remedy."""


class QffError(Exception):
    """Base of all errors that are shown to the user without a traceback."""


class ConfigError(QffError):
    """A configuration file has an unknown key, a wrong type or an impossible value."""


class DataError(QffError):
    """A data file is missing, truncated, malformed or holds impossible values."""


class LabelError(QffError):
    """A reference calculation failed, or a frozen reference disagrees with its recalculation."""


class DomainError(QffError):
    """A geometry lies outside the bounds within which a model is defined."""


class ModelFileError(QffError):
    """A saved model cannot be read by this version."""


class UnsupportedOperation(QffError):
    """A circuit uses an operation that the batched engine cannot run."""
