"""A bag of words as a model: TF-IDF of words and characters, one logistic regression per label.

What an encoder has to beat. It needs no pretrained weights, no GPU and no torch.
"""

from goemo.configuration.words import CHECKPOINT, WordsConfiguration, WordsSettings
from goemo.words.cached import CachedWords, cache_key, fit_into, read_cached
from goemo.words.choosing import Choice, choose_settings
from goemo.words.model import VOCABULARY, WordsModel, fit_words, load_words, scores_of

__all__ = [
    "CHECKPOINT",
    "VOCABULARY",
    "CachedWords",
    "Choice",
    "WordsConfiguration",
    "WordsModel",
    "WordsSettings",
    "cache_key",
    "choose_settings",
    "fit_into",
    "fit_words",
    "load_words",
    "read_cached",
    "scores_of",
]
