"""Claims that are tested together: Holm's step-down procedure as confidence levels of their intervals."""

from __future__ import annotations

import numpy as np
from scipy import stats


def p_value(mean: float, low: float, n: int, limit: float, level: float = 0.95) -> float:
    """Two-sided p-value of Student's t test that the mean over n seeds is ``limit``, from the lower end of its interval.

    1 for fewer than two seeds; 0 or 1 if the seeds do not scatter.
    """
    if n < 2:
        return 1.0
    error = (mean - low) / stats.t.ppf(0.5 + level / 2, n - 1)
    if error == 0:
        return float(mean == limit)
    return float(2 * stats.t.sf(abs(mean - limit) / error, n - 1))


def holm_levels(p_values: list[float], alpha: float = 0.05) -> list[float]:
    """Confidence level of every test of a family, in the order given (Holm, Scand. J. Stat. 6, 65, 1979).

    The k-th smallest of m p-values is compared with α/(m - k + 1), as long as all before it were below theirs; from the
    first that is not, all have the level at which the procedure stopped. An interval of that level excludes the limit
    exactly if Holm's procedure rejects it.
    """
    order, levels = np.argsort(p_values, kind="stable"), np.empty(len(p_values))
    share, going = alpha, True
    for rank, k in enumerate(order):
        if going:
            share = alpha / (len(order) - rank)
            going = p_values[k] < share
        levels[k] = 1 - share
    return levels.tolist()
