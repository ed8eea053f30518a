"""A bag of words: scikit-learn is the oracle, and the odd corners of data are handled."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from goemo import bundle
from goemo.errors import InputError
from goemo.metrics import macro_f1
from goemo.thresholds import apply_thresholds, fit_thresholds
from goemo.words import WordsSettings, choose_settings, fit_into, fit_words, load_words, read_cached
from goemo.words.regression import fit_regressions

PATTERN = r"\w+|[^\w\s]"
FACTS = {
    "data": {"source": "made:by-the-test", "taxonomy": "fine"},
    "report": {"progress": 100, "metrics": {"val/macro_f1": 0.5}},
    "metric": "macro_f1",
}


@pytest.fixture(scope="module")
def fitted(small_splits):
    """A bag of words and characters, and what it was fitted on."""
    return fit_words(small_splits.train.texts, small_splits.train.targets, WordsSettings(C=4.0))


@pytest.fixture(scope="module")
def saved(small_splits, fitted, tmp_path_factory):
    """The same as a bundle, with thresholds from validation."""
    folder = tmp_path_factory.mktemp("bundles") / "words"
    scores = fitted.scores(small_splits.validation.texts)
    thresholds = fit_thresholds(scores, small_splits.validation.targets)
    bundle.save_words(fitted, folder, labels=small_splits.labels, thresholds=thresholds, provenance=FACTS)
    return folder


def sklearn_scores(train, targets, texts, C):  # noqa: N803
    """Return what a user's own pipeline of TF-IDF and one-against-rest gives."""
    families = [
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=PATTERN),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
    ]
    vectors = hstack([family.fit_transform(train) for family in families], format="csr")
    asked = hstack([family.transform(texts) for family in families], format="csr")
    columns = []
    for applies in targets.T:
        model = LogisticRegression(
            C=C, solver="liblinear", dual=True, tol=0.1, max_iter=300, random_state=0
        ).fit(vectors, applies)
        columns.append(model.predict_proba(asked)[:, 1])
    return np.stack(columns, axis=1)


def test_scores_are_those_of_scikit_learn_after_saving_and_loading(small_splits, saved):
    """To a millionth, from the files alone, on texts that were not trained on; none has gone astray."""
    texts = [*small_splits.test.texts, "", "zzzz", "!!!", "Happy happy GLAD"]
    expected = sklearn_scores(small_splits.train.texts, small_splits.train.targets, texts, 4.0)
    np.testing.assert_allclose(bundle.load(saved).scores(texts), expected, atol=1e-6)


def test_it_learns(small_splits, saved):
    """Labels that single words give away are found on texts that it has not seen."""
    loaded = bundle.load(saved)
    predictions = apply_thresholds(loaded.scores(small_splits.test.texts), loaded.thresholds)
    assert macro_f1(small_splits.test.targets, predictions) > 0.9


def test_a_bundle_is_opened_and_predicts_without_torch(saved):
    """In a process of its own: neither torch nor transformers is imported, and no pickle is there."""
    code = (
        "import sys; from goemo import bundle; "
        f"print(bundle.load({str(saved)!r}).predict(['so happy', ''])[0]['labels']); "
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['joy']"
    kinds = {path.suffix for path in saved.iterdir()}
    assert kinds == {".json", ".safetensors", ".md"}


def test_the_same_rows_give_the_same_files(small_splits, fitted, tmp_path):
    """Fitting again changes no byte: a cached model and a new one are one."""
    again = fit_words(small_splits.train.texts, small_splits.train.targets, fitted.settings)
    for name, model in (("a", fitted), ("b", again)):
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
    for file in ("words.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_texts_do_not_depend_on_each_other(small_splits, fitted, monkeypatch):
    """A text scores the same alone, in another order and in parts."""
    texts = small_splits.test.texts
    together = fitted.scores(texts)
    monkeypatch.setattr("goemo.words.model._TEXTS_AT_ONCE", 7)
    np.testing.assert_array_equal(fitted.scores(texts[::-1])[::-1], together)
    np.testing.assert_array_equal(fitted.scores(texts[:1]), together[:1])
    assert fitted.scores([]).shape == (0, 4)


@pytest.mark.parametrize("texts", [["", "", "  "], ["a", "b", "c"]], ids=["empty", "none twice"])
def test_a_vocabulary_of_nothing_scores_the_shares(texts, tmp_path):
    """Without a term every text gets the labels' shares, before and after saving, and a note says so."""
    targets = np.array([[True, False], [False, False], [False, True]])
    model = fit_words(texts, targets, WordsSettings(char_ngrams=0))
    model.save(tmp_path)
    for one in (model, load_words(tmp_path)):
        np.testing.assert_allclose(one.scores(["anything", ""]), np.full((2, 2), 1.5 / 4), rtol=1e-6)
        assert "no term occurs in 2 training rows" in one.notes[0]


def test_labels_of_one_class_are_named_and_have_one_score(small_splits):
    """A label that no row has, and one that all have, teach nothing; the others are learnt as ever."""
    targets = small_splits.train.targets.copy()
    targets[:, 1], targets[:, 2] = False, True
    model = fit_words(small_splits.train.texts, targets, WordsSettings(), labels=small_splits.labels)
    scores = model.scores(small_splits.test.texts)
    rows = len(targets)
    np.testing.assert_allclose(scores[:, 1], 0.5 / (rows + 1), rtol=1e-6)
    np.testing.assert_allclose(scores[:, 2], (rows + 0.5) / (rows + 1), rtol=1e-6)
    assert np.ptp(scores[:, 0]) > 0.1
    assert [note.split(":")[0] for note in model.notes] == [
        "no training row has anger",
        "every training row has sadness",
    ]


def test_half_a_surrogate_pair_is_read_as_a_replacement(saved):
    """As encoders read it."""
    loaded = bundle.load(saved)
    np.testing.assert_array_equal(loaded.scores(["so \ud83d happy"]), loaded.scores(["so \ufffd happy"]))


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04 half of an archive"])
def test_a_damaged_cache_is_a_value_error(small_splits, tmp_path, left):
    """Whatever a power loss has left of the scores, so that it is fitted again."""
    texts, targets, labels = small_splits.train.texts, small_splits.train.targets, small_splits.labels
    fit_into(tmp_path / "w", texts[:200], targets[:200], small_splits.validation.texts, labels=labels)
    assert read_cached(tmp_path / "w") is not None
    (tmp_path / "w" / "validation.npz").write_bytes(left)
    with pytest.raises(ValueError, match=r"validation\.npz is damaged|pickled"):
        read_cached(tmp_path / "w")


def test_settings_are_chosen_on_training_rows(small_splits):
    """Each family of terms is tried with several C, and the best is taken; the seed decides the rows."""
    texts, targets = small_splits.train.texts * 2, np.tile(small_splits.train.targets, (2, 1))
    choice = choose_settings(texts, targets)
    assert {one.char_ngrams for one, _ in choice.tried} == {0, 5}
    assert choice.settings == max(choice.tried, key=lambda one: one[1])[0]
    assert choice.rows == len(texts)
    assert choose_settings(texts, targets) == choice


def test_settings_are_chosen_from_those_that_are_asked_for(small_splits):
    """All combinations are tried, each once; C as given, and not beyond."""
    texts, targets = small_splits.train.texts * 2, np.tile(small_splits.train.targets, (2, 1))
    among = {"C": [0.5, 8.0], "word_ngrams": [1, 3], "char_ngrams": [0, 4], "least_rows": [1]}
    choice = choose_settings(texts, targets, among=among)
    tried = [(one.C, one.word_ngrams, one.char_ngrams, one.least_rows) for one, _ in choice.tried]
    assert sorted(tried) == sorted(product(*among.values()))
    assert choice.settings in [one for one, _ in choice.tried]
    few = choose_settings(texts[:50], targets[:50], among={"C": [3.0], "char_ngrams": [4, 0]})
    assert few.settings == WordsSettings(C=3.0, char_ngrams=4)
    assert few.note == "the first of the settings given: too few training rows to choose any"
    named = {"C": [3.0], "word_ngrams": [1], "char_ngrams": [4], "least_rows": [2]}
    fixed = choose_settings(texts, targets, among=named)
    assert fixed.settings == WordsSettings(C=3.0, word_ngrams=1, char_ngrams=4)
    assert (fixed.tried, fixed.note) == ((), "settings as asked for: nothing to choose")


def test_large_data_is_sampled_for_the_choice_and_this_is_said(small_splits, monkeypatch):
    """Of more rows than the limit, so many take part."""
    monkeypatch.setattr("goemo.words.choosing.MOST_ROWS", 150)
    monkeypatch.setattr("goemo.words.choosing.LEAST_ROWS", 100)
    choice = choose_settings(small_splits.train.texts, small_splits.train.targets)
    assert choice.rows == 150
    assert "chosen on 150 of 203 training rows" in choice.note


def test_of_many_labels_some_are_drawn_for_the_choice_and_this_is_said(small_splits, monkeypatch):
    """All regressions that are fitted for the choice are of labels that judge it, the same for every C."""
    texts, targets = small_splits.train.texts * 2, np.tile(small_splits.train.targets, (2, 1))
    seen = []
    monkeypatch.setattr("goemo.words.choosing.MOST_LABELS", 3)
    monkeypatch.setattr(
        "goemo.words.choosing.fit_regressions",
        lambda vectors, targets, c: seen.append(targets) or fit_regressions(vectors, targets, c),
    )
    choice = choose_settings(texts, targets)
    assert choice.note.endswith(f"a third of them held out, judged by 3 of {targets.shape[1]} labels")
    assert len(seen) == len(choice.tried)
    assert all(fitted.shape[1] == 3 and np.array_equal(fitted, seen[0]) for fitted in seen)


def test_characters_are_taken_where_they_help(small_splits):
    """Labels that stand in the endings of words that occur once are learnt from characters alone."""
    random = np.random.default_rng(0)
    letters = list("bcdfghjklm")
    stems = ["".join(random.choice(letters, 6)) for _ in range(600)]
    targets = random.random((600, 2)) < 0.4
    texts = [
        stem + ("ax" if a else "") + " " + stem[::-1] + ("ou" if b else "")
        for stem, (a, b) in zip(stems, targets, strict=True)
    ]
    assert choose_settings(texts, targets).settings.char_ngrams == 5
    few = choose_settings(texts[:50], targets[:50])
    assert few.settings == WordsSettings()
    assert few.tried == ()


def edit(**values):
    def change(path):
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


@pytest.mark.parametrize(
    ("file", "change", "named"),
    [
        ("words.json", edit(settings={"C": -1}), "settings"),
        ("words.json", edit(terms=[]), "must hold the weights of the terms"),
        ("words.json", edit(code="x"), "code"),
        ("words.json", lambda path: path.write_text("{"), "words.json"),
        ("labels.json", lambda path: path.write_text('["joy"]'), "threshold"),
        ("model.safetensors", lambda path: path.write_bytes(b"x"), "Safetensor"),
        ("model.safetensors", lambda path: path.unlink(), "no model.safetensors"),
    ],
)
def test_a_damaged_bundle_is_one_line(saved, tmp_path, file, change, named):
    """Whatever is wrong with a file: the folder, and what it is."""
    copy = shutil.copytree(saved, tmp_path / "copy")
    change(copy / file)
    with pytest.raises(InputError, match=named) as error:
        bundle.load(copy)
    assert str(error.value).startswith(str(copy))


def test_weights_of_another_number_of_labels_are_refused(saved, small_splits, fitted, tmp_path):
    """Files of two models do not make one."""
    other = replace(fitted, weights=fitted.weights[:, :3], intercepts=fitted.intercepts[:3])
    copy = shutil.copytree(saved, tmp_path / "copy")
    other.save(copy)
    with pytest.raises(InputError, match="must have weights for the 4 labels"):
        bundle.load(copy)


@pytest.mark.parametrize("value", [{"C": 0}, {"word_ngrams": 0}, {"char_ngrams": -1}, {"least_rows": 0.5}])
def test_settings_out_of_range_are_refused(value):
    """With the key and its rule."""
    with pytest.raises(ValueError, match=next(iter(value))):
        WordsSettings(**value)


@pytest.mark.data
@pytest.mark.slow
def test_a_small_part_of_goemotions_is_better_than_chance(goemotions):
    """Real text, 4,000 rows: well above the best that constant scores reach."""
    from goemo.data import load_splits

    splits = load_splits(f"dir:{goemotions}")
    model = fit_words(
        splits.train.texts[:4000], splits.train.targets[:4000], WordsSettings(C=2.0, char_ngrams=0)
    )
    scores = model.scores(splits.validation.texts)
    cuts = fit_thresholds(scores, splits.validation.targets)
    predictions = apply_thresholds(model.scores(splits.test.texts), cuts)
    assert macro_f1(splits.test.targets, predictions) > 0.3
