# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: nbs///ipynb,nbs/_text///py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Text
#
# > A map of documents from their tf-idf, which stays sparse: new documents, names under the pointer, and the words behind a place.
#
# The default documents are the docstrings of functions in the packages that are installed, because they are real text that needs no download. The
# label of a document is its module.

# %%
import importlib
import inspect
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from pumap import ParametricUMAP
from pumap.plots import plot_embedding

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
text_file = ""  # one document per line, or a .csv file with a column text, and perhaps label and name; "" is docstrings
stop_words = "english"  # words to leave out: scikit-learn's English list, or None
n_training_epochs = 1  # epochs over the edges of each fit
save_to = ""  # folder for the map and the model; "" saves to a temporary one

# %% [markdown]
# ## Documents

# %%
MODULES = ["numpy.linalg", "scipy.special", "scipy.stats", "scipy.signal", "scipy.ndimage", "scipy.optimize", "scipy.interpolate", "sklearn.metrics"]


def docstrings(label, owner):
    "Name and description, without the examples, of each documented function of a module or a class."
    named = [(name, getattr(owner, name)) for name in sorted(dir(owner)) if not name.startswith("_")]
    texts = [(name, inspect.getdoc(thing) or "") for name, thing in named if callable(thing)]
    return [{"label": label, "name": name, "text": text.split("\nExamples\n")[0]} for name, text in texts if len(text) > 300]


if text_file.endswith(".csv"):
    table = pd.read_csv(text_file).dropna(subset="text")
elif text_file:
    table = pd.DataFrame({"text": [line for line in Path(text_file).read_text(encoding="utf-8").splitlines() if line.strip()]})
else:
    table = pd.DataFrame(sum([docstrings(name, importlib.import_module(name)) for name in MODULES], docstrings("pandas.DataFrame", pd.DataFrame)))
table = table.drop_duplicates("text").sample(frac=1, random_state=0).reset_index(drop=True)
labels = table["label"].astype(str).to_numpy() if "label" in table else np.full(len(table), "document")
names = (table["name"] if "name" in table else table["text"].str.slice(0, 80)).astype(str).to_numpy()
table["label"].value_counts().to_frame().T if "label" in table else len(table)

# %% [markdown]
# ## tf-idf
#
# Each document becomes a row with a column for each word. Rare words weigh more, and words in more than a third of the documents are left out. The
# vectorizer learns the words from the training set only. The last fifth of the documents is the test set.

# %%
words = dict(max_df=0.33, min_df=2, stop_words=stop_words, token_pattern=r"[^\W\d_]{2,}")  # letters only
n_train = len(table) * 4 // 5
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **words).fit(table["text"][:n_train])
X = vectorizer.transform(table["text"])
known = X.getnnz(axis=1) > 0
print(f"{(~known).sum()} documents without a known word are left out")
is_train = np.arange(len(table)) < n_train
X_train, X_test = X[known & is_train], X[known & ~is_train]
y_train, y_test = labels[known & is_train], labels[known & ~is_train]
names_train, names_test = names[known & is_train], names[known & ~is_train]
X_train

# %% [markdown]
# ## Fit
#
# `fit` takes the sparse matrix as it is. With `metric="cosine"`, long and short documents on one subject are neighbors.

# %%
assert sparse.issparse(X_train)
model = ParametricUMAP(metric="cosine", n_training_epochs=n_training_epochs, random_state=0).fit(X_train)
plot_embedding(model.embedding_, y_train, width=4.5)

# %% [markdown]
# The rows are never dense as a whole: the neighbor search is sparse, and the network is trained on at most 200 principal components. The matrix of a
# hundred thousand documents fits into memory where its dense copy does not.

# %%
stored = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
print(f"sparse {stored / 1e6:.1f} MB, dense {4 * np.prod(X.shape) / 1e6:.1f} MB")
assert stored < 4 * np.prod(X.shape)

# %% [markdown]
# ## New documents
#
# `transform` embeds new documents in one forward pass. Their words must come from the same vectorizer. Accuracy is the share of test documents whose
# five nearest training documents, in the embedding, have mostly their label. The baseline is the most frequent label.

# %%
z_test = model.transform(X_test)


def accuracy(train, test, **settings):
    return KNeighborsClassifier(5, **settings).fit(train, y_train).score(test, y_test)


if len(set(labels)) > 1:
    results = {
        "most frequent label": np.mean(y_test == pd.Series(y_train).mode()[0]),
        "5 neighbors in the embedding": accuracy(model.embedding_, z_test),
        "5 neighbors in all words": accuracy(X_train, X_test, metric="cosine"),
    }
    print(pd.Series(results, name="accuracy, test set").round(3).to_string())

# %%
if not text_file and n_training_epochs == 1:
    assert results["5 neighbors in the embedding"] > 0.7

# %% [markdown]
# Two coordinates cannot keep all that the words know. For a classifier, raise `n_components`, or use the words.
#
# A question is a document, too. Its nearest points in the map should be documents on the subject. A question of two or three words often lands in
# the wrong place, since the network was trained on whole documents. A document without a known word has an empty row, and its place means nothing.

# %%
questions = [
    "Design a digital lowpass filter and plot its frequency response",
    "Probability density and quantiles of a continuous distribution",
    "Fill missing values in the columns of a DataFrame",
]
if text_file:
    questions = list(table["text"][~is_train][:3])
asked = vectorizer.transform(questions)
nearest = NearestNeighbors(n_neighbors=5).fit(model.embedding_)
found = nearest.kneighbors(model.transform(asked), return_distance=False)
for question, row, near in zip(questions, asked, found):
    print(f"{question[:70]}{'' if row.nnz else ' (no known word)'}\n    {', '.join(names_train[near])}")

# %% [markdown]
# ## Metric
#
# | metric | rows | when |
# |---|---|---|
# | `"cosine"` | tf-idf or counts | any text |
# | `"hellinger"` | counts | compares the shares of words, needs no weights |
# | `"euclidean"` | tf-idf with unit norm, which scikit-learn's has | the same neighbors as cosine |
# | `"euclidean"` | counts | avoid: the length of a document dominates |

# %%
if len(set(labels)) > 1:
    counts = CountVectorizer(dtype=np.float32, **words).fit(table["text"][:n_train])
    rows, new = (counts.transform(table["text"][known & part]) for part in (is_train, ~is_train))
    for metric in ("hellinger", "euclidean"):
        other = ParametricUMAP(metric=metric, n_training_epochs=n_training_epochs, random_state=0).fit(rows)
        results[f"counts, {metric}"] = accuracy(other.embedding_, other.transform(new))
        print(f"counts, {metric}: {results[f'counts, {metric}']:.3f}")

# %%
if not text_file and n_training_epochs == 1:
    assert results["counts, euclidean"] < results["5 neighbors in the embedding"]

# %% [markdown]
# ## Names on the map
#
# `to_html` writes the map to one HTML file. `text` is what the pointer shows and the search finds. New documents can be on the map, too.

# %%
shown, everyone = model.transform(X[known]), names[known]
with tempfile.TemporaryDirectory() as folder:
    page = Path(save_to or folder) / "map.html"
    model.to_html(page, X[known], labels=labels[known], text=everyone, title="Documents", network=False)
    print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")
    assert str(names_test[0]) in page.read_text(encoding="utf-8")

# %% [markdown]
# ## Words behind a place
#
# `jacobian` is the derivative of the point by each word ([feature_importance](feature_importance.ipynb)). Times the value of the word, it is the
# movement of the point if the word is removed, to first order. The mean over the documents of a label ranks its words.

# %%
vocabulary = vectorizer.get_feature_names_out()
some = np.sort(np.random.default_rng(0).permutation(X_train.shape[0])[:400])  # the derivative is dense
effect = np.linalg.norm(model.jacobian(X_train[some]), axis=1) * X_train[some].toarray()
for label in np.unique(y_train[some]):
    print(f"{label}: {', '.join(vocabulary[np.argsort(-effect[y_train[some] == label].mean(axis=0))[:6]])}")

# %% [markdown]
# Removing a word and embedding the document again is the exact measure. It is one forward pass per word.

# %%
document = X_train[[some[0]]]
columns = document.indices
without = sparse.vstack([document] * len(columns), format="lil")
without[np.arange(len(columns)), columns] = 0
moved = np.linalg.norm(model.transform(without.tocsr()) - model.transform(document), axis=1)
both = pd.DataFrame({"moved": moved, "derivative": effect[0, columns]}, index=vocabulary[columns])
print(f"{names_train[some[0]]}: rank correlation {both.corr('spearman').iloc[0, 1]:.2f}")
both.sort_values("moved", ascending=False).head(6).round(3).T

# %%
if not text_file and n_training_epochs == 1:
    assert both.corr("spearman").iloc[0, 1] > 0.5

# %% [markdown]
# ## Save the model
#
# New documents need the vectorizer as well. Its vocabulary and its weights of words are all that it has learned.

# %%
with tempfile.TemporaryDirectory() as folder:
    place = Path(save_to or folder)
    model.save(place / "documents.pumap")
    np.savez(place / "words.npz", vocabulary=vocabulary.astype(str), idf=vectorizer.idf_)
    loaded, kept = ParametricUMAP.load(place / "documents.pumap"), dict(np.load(place / "words.npz"))
again = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, vocabulary=kept["vocabulary"], **words)
again.idf_ = kept["idf"]
assert np.allclose(loaded.transform(again.transform(questions)), model.transform(asked), atol=1e-4)

# %% [markdown]
# ## Limits
#
# - tf-idf knows words, not meanings: two documents that say the same in other words are far apart. Rows may also be vectors of a language model; only the
#   sections on words then have no use.
# - Words that the training set lacks have no column. Fit again, or `update` with a vectorizer of the same vocabulary, when the language changes.
