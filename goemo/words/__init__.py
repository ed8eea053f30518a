"""A bag of words as a model: TF-IDF of words and characters, one logistic regression a label.

What an encoder has to beat. It needs no pretrained weights, no GPU and no torch.
"""

from goemo.words.choosing import Choice, choose_settings
from goemo.words.model import VOCABULARY, WordsModel, fit_words, load_words, scores_of
from goemo.words.settings import WordsSettings

__all__ = [
    "VOCABULARY",
    "Choice",
    "WordsModel",
    "WordsSettings",
    "choose_settings",
    "fit_words",
    "load_words",
    "scores_of",
]
