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
# # Which features drive the map
#
# > Rank the features of a table by their effect on the embedding, for the whole map, for a class, and for one row.
#
# UMAP has no loadings, as PCA has. Users of umap-learn ask for them (issues [402](https://github.com/lmcinnes/umap/issues/402),
# [505](https://github.com/lmcinnes/umap/issues/505), [555](https://github.com/lmcinnes/umap/issues/555),
# [940](https://github.com/lmcinnes/umap/issues/940)). Parametric UMAP has an answer, because its map is a network, which has a derivative:
#
# $$J_{kf}(x) = \frac{\partial z_k}{\partial x_f}$$
#
# says how fast the point $z$ of a row $x$ moves along axis $k$ when feature $f$ grows. `jacobian` computes it for every row.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer

from pumap import ParametricUMAP

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
table_file = ""  # a .csv file with one row for each sample and a name above each column; "" is breast cancer
class_column = ""  # the column of table_file that holds the class; "" is none

# %% [markdown]
# ## Data
#
# The default table has 30 measurements of cell nuclei in 569 tumors, benign or malignant. For a file, columns that are not numbers are left out, and
# so are rows with missing values.

# %%
if table_file:
    table = pd.read_csv(table_file)
    classes = table.pop(class_column) if class_column else pd.Series("all", index=table.index)
    table = table.select_dtypes("number").dropna()
    classes = classes[table.index].astype(str)
else:
    tumors = load_breast_cancer(as_frame=True)
    table, classes = tumors.data, tumors.target.map(lambda i: str(tumors.target_names[i]))
assert len(table) > 15, f"The table has {len(table)} complete rows; at least 16 are needed."
table.shape

# %% [markdown]
# A derivative is per unit of its feature. Standardizing puts all features into the same unit, their standard deviation. It also gives each feature
# the same weight in the distances between rows, from which the graph is built.
#
# One more column is pure noise. It shows how large the effect of a feature is that means nothing.

# %%
spread = table.std()
table = ((table - table.mean()) / spread).loc[:, spread > 0]
table["noise"] = np.random.default_rng(0).standard_normal(len(table))
model = ParametricUMAP(n_training_epochs=1, random_state=0).fit(table)

# %% [markdown]
# ## From derivatives to a ranking
#
# The axes of the map have no meaning: it could be rotated. The length of $(J_{1f}, J_{2f})$ does not change with a rotation. It is the distance by
# which the point moves per standard deviation of the feature. Its mean over rows is the influence of the feature on the map.

# %%
J = model.jacobian(table)  # shape (n_rows, n_components, n_features)
influence = pd.DataFrame(np.linalg.norm(J, axis=1), index=table.index, columns=table.columns)
ranking = influence.mean().sort_values()

turn = np.array([[0.6, -0.8], [0.8, 0.6]])
assert np.allclose(np.linalg.norm(turn @ J, axis=1), influence, rtol=1e-3, atol=1e-5)

fig, ax = plt.subplots(figsize=(6, 0.5 + 0.22 * len(ranking)), layout="constrained")
ax.barh(ranking.index, ranking, color=["tab:gray" if name == "noise" else "tab:blue" for name in ranking.index])
ax.set_xlabel("influence: distance in the map per standard deviation")
ax.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Features near the noise have no more effect than chance. The noise is not at zero: the graph is built from all columns, so each one changes a few
# neighbors. In the default table, features of size drive the map: radius, perimeter and area. The noise is near the end.

# %%
if not table_file:
    assert list(ranking.index).index("noise") < len(ranking) / 4

# %% [markdown]
# ## Check: permute a column
#
# A derivative describes small changes. A second measure uses large ones: permute a column, embed the rows again, and measure how far the points
# move. `transform` is one forward pass, so this takes no time. The two rankings should be similar.

# %%
rng = np.random.default_rng(0)
movement = pd.Series(0.0, index=table.columns)
for name in table.columns:
    permuted = table.assign(**{name: rng.permutation(table[name])})
    movement[name] = np.linalg.norm(model.transform(permuted) - model.embedding_, axis=1).mean()
agreement = spearmanr(movement, ranking[movement.index]).statistic
print(f"rank correlation of the two measures: {agreement:.2f}")
if not table_file:
    assert agreement > 0.7

# %% [markdown]
# ## By class
#
# Influence differs between regions of the map. A class is a region, so its mean influence is over its own rows. Each column below is divided by its
# maximum, since a class that is spread widely has larger derivatives throughout.

# %%
by_class = influence.groupby(classes).mean().T.loc[ranking.index[::-1]]
fig, ax = plt.subplots(figsize=(2.5 + 0.6 * by_class.shape[1], 0.7 + 0.22 * len(by_class)), layout="constrained")
image = ax.imshow(by_class / by_class.max(), aspect="auto", cmap="viridis", vmin=0, vmax=1)
ax.set_xticks(range(by_class.shape[1]), by_class.columns, rotation=30, ha="right")
ax.set_yticks(range(len(by_class)), by_class.index)
fig.colorbar(image, label="influence / maximum of the class")

# %% [markdown]
# ## Directions
#
# $J$ also has a direction: where a point moves when the feature grows. Arrows show it for the three features with the most influence. The longest
# arrow of all is a tenth of the map.

# %%
z, colors = model.embedding_, classes.astype("category").cat.codes
unit = np.ptp(z, axis=0).max() / 10 / np.linalg.norm(J, axis=1)[:, table.columns.get_indexer(ranking.index[-3:])].max()
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for ax, name in zip(axes, ranking.index[::-1]):
    arrows = unit * J[:, :2, table.columns.get_loc(name)]
    ax.quiver(*z[:, :2].T, *arrows.T, colors, cmap="coolwarm", angles="xy", scale_units="xy", scale=1, width=0.004)
    ax.set_title(name, fontsize=9)
    ax.set(xticks=[], yticks=[], aspect="equal")

# %% [markdown]
# ## One row
#
# The derivative of one row explains its point: which features would move it most. To first order, a change of the row moves the point by $J$ times
# the change.

# %%
row = table.iloc[[0]]
step = 1e-3 * np.sign(J[0, 0])  # grow what moves the point to the right, and shrink the rest
moved = (model.transform(row + step) - model.transform(row))[0]
print(f"predicted {J[0] @ step}, moved {moved}")
if not table_file:
    assert np.allclose(moved, J[0] @ step, atol=0.1 * np.linalg.norm(moved))
influence.iloc[0].sort_values(ascending=False).head(5).round(3)

# %% [markdown]
# ## Limits
#
# - The influence is that on the *map*. It is no cause, and says nothing about the classes.
# - Features that are correlated drive the map together, so each of them ranks high. Of independent ones, each has the same weight in the distances,
#   and noise has as much influence as the rest: among the 13 features of scikit-learn's wines, it ranks in the middle.
# - The derivative is local. A feature that only separates two distant clusters can have a small derivative inside both. The permutation shows it.
# - Another seed gives another map. Fit a few seeds, and trust the ranks that stay.
