"""Published results on the test split of GoEmotions, with their sources, and ours beside them."""

from goemo.published.comparison import AverageRow, Comparison, LabelRow, comparison
from goemo.published.counts import implied_counts
from goemo.published.studies import EXAMPLES, Study, studies

__all__ = [
    "EXAMPLES",
    "AverageRow",
    "Comparison",
    "LabelRow",
    "Study",
    "comparison",
    "implied_counts",
    "studies",
]
