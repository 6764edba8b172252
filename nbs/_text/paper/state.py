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
# # State of the reproduction
#
# > Where our numbers agree with the paper's, where they differ, and why.
#
# In short: UMAP, t-SNE and PCA agree with the paper. Networks differ mostly because their training was shorter. CIFAR10, songs, single cells and faces are
# other data of the same kind. Times differ because the paper has a GPU.
#
# All tables are computed from the records in `figures/laptop`; the causes are our text. [Executed copy](../../figures/laptop/state.ipynb), [full scorecard](../../figures/laptop/scorecard.md).

# %%
from dataclasses import replace

import pandas as pd
from IPython.display import Markdown

from pumap.paper import experiments as ex
from pumap.paper import figures
from pumap.paper import scorecard as sc

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
profile = "laptop"  # laptop or paper: whose records are compared with the paper; the causes below are those of laptop

# %%
folder, measured = ex.figures_dir(profile), ex.figures_dir("laptop")  # records; benchmarks
run = sc.scorecard_run(profile)
records = sc.records_of(run)
card = sc.scorecard(run, records)
assert card["skill"]["overall"], f"No record of the profile {profile!r} has a number of the paper. Run `pumap run all --profile {profile}` first."
TITLES = {"mnist": "MNIST", "fmnist": "Fashion-MNIST", "cifar10": "CIFAR10", "cassins": "songs", "retina": "single cells", "moons": "moons", "bison": "bison"}
MEASURES = {name: label.replace("\n", " ") for name, label in figures.METRIC_LABELS.items()}


def show(columns, rows):
    "A table; None is shown as a dash."
    table = pd.DataFrame([["-" if value is None else str(value) for value in row] for row in rows], columns=list(columns))
    return Markdown(figures.to_markdown(table) if len(table) else "none")


def four(value):
    return "-" if value is None else f"{value:.4f}"


# %% [markdown]
# ## Words
#
# | word | meaning |
# |---|---|
# | run | one method on one data set, with one number of dimensions and one seed; leaves one record |
# | UMAP (TF) | UMAP without a network, its coordinates trained in TensorFlow |
# | P. UMAP, P. t-SNE | parametric UMAP and parametric t-SNE |
# | UMAP/AE | encoder and decoder trained on the UMAP loss and the reconstruction loss together |
# | P. UMAP + dec. | P. UMAP with a decoder behind a stop-gradient |
# | single cells | the retina's in the paper, worm neurons here |
# | profile | rows, length of training, solver and steps; networks, graphs, loss and measures are the same in all ([02_experiments](02_experiments.ipynb)) |
# | † | earlier settings: on images and songs, the network learned umap-learn's layout by regression first |

# %% [markdown]
# ## Summary
#
# How many runs of the profile are made, what they cost, and which data stand in for others. A *stand-in* is never counted as agreement or difference.
# There are three seeds in 2-D on MNIST, Fashion-MNIST and single cells, and at four labels per class; one seed elsewhere. The machine had other work at the same time.

# %%
cells = {"Figures 4 to 9, 13; Tables 2 to 7": (ex.Cell, run.profile.cells), "Figures 15 to 18; Table 8": (ex.SSLCell, ex.ssl_grid(run.profile).cells)}
print(sc.made_with_text(card))
show(("grid", "runs made", "runs of the profile"), [[name, len(sc.of_grid(records, grid)), len(of_grid)] for name, (grid, of_grid) in cells.items()])

# %%
stand_ins = {(d["dataset"], d["title"], d["n_train"]) for d in card["conditions"]["data"] if d["stand_in_for"]}
show(("data set", "here", "training rows"), [[TITLES[name], title, f"{n:,}"] for name, title, n in sorted(stand_ins)])

# %% [markdown]
# The faces of Figure 14 are CelebA, shrunk to 32 x 32 pixels, in place of CelebAMask-HQ. CIFAR10 and the retina can be downloaded; the songs were never published, and the faces must be requested ([05_cli](05_cli.ipynb)).
#
# Not run so far:
#
# | what | state |
# |---|---|
# | profile `paper` (original sizes, epochs and solver) | not run; tests run three steps of each cell without labels, and one of each few-label method |
# | a GPU | nothing of the paper has been run on one |
# | a SLURM cluster | tests read the limits in a dry run and send jobs to a stand-in for SLURM |

# %% [markdown]
# ## Records made before the last change to the code
#
# These runs were not repeated, so their numbers are those of the code before the change.

# %%
CHANGES = (  # what, the day of the change, which records it would touch
    ("the first layer is scaled to the rows", "2026-11-28", lambda c: c["method"] in ex.P_UMAP),
    ("smaller batches for few rows", "2026-11-28", lambda c: c["method"] in ex.P_UMAP and c["dataset"] in ("moons", "retina")),
)
older = [[what, day, sum(touched(r["cell"]) and r["finished"] < day for r in records), sum(touched(r["cell"]) for r in records)] for what, day, touched in CHANGES]
show(("change", "day", "records made before it", "records it concerns"), older)

# %% [markdown]
# Figures 10 to 12 and 14 are older than both changes. So are the benchmarks of training speed, memory, inference, scaling, backends and gaps. The benchmark of small data is younger.

# %% [markdown]
# ## Records with earlier settings
#
# P. UMAP, UMAP/AE and P. UMAP + dec. are trained on the UMAP loss alone, with the solver's own passes, steps and rate. Their earlier records on images and
# songs had other settings. The network learned umap-learn's layout by regression for up to 80% of its effort (UMAP/AE: 50%). On images, 0.012 passes
# of the UMAP loss followed. So the agreement of such a record with UMAP (C01, C07, C10, C11, Figure 4) is partly by construction. Those that were not run
# again have a †.

# %%
marked = pd.DataFrame([{**r["cell"], "earlier": r.get("earlier", False)} for r in records if r["cell"]["method"] in ex.P_UMAP and r["cell"]["dataset"] in ex.WITH_LAYOUT])
show(
    ("method", "data set", "dim", "settings", "seeds"),
    [[ex.ALL_METHODS[method].label, TITLES[dataset], dim, "earlier †" if group.earlier.any() else "today's", len(group)] for (dataset, dim, method), group in marked.groupby(["dataset", "n_components", "method"], sort=False)],
)

# %% [markdown]
# Verdicts with the earlier records only, and with today's:

# %%
then = replace(run, profile=replace(run.profile, settings=run.profile.earlier or run.profile.settings, earlier=()))
kept = replace(then, results=folder / "earlier")  # the records that others have replaced
before = []
for cell in (*run.profile.cells, *ex.ssl_grid(run.profile).cells):
    found = [(place, look.record) for place in (kept, then) if (look := place.look(cell)).state == "done"]
    before += [record | {"embedding": None} for place, record in found[:1] for record in sc.with_pictures([record], place)]
card_before = sc.scorecard(run, before)
was = {claim["id"]: claim for claim in card_before["claims"]}
within = [[name, *(sum(row[name] is True for row in c["cells"]) for c in (card_before, card)), *(sum(row[name] is not None for row in c["cells"]) for c in (card,))] for name in ("within", "within_scaled")]
show(("numbers of Tables 2 to 7", "before", "today", "of"), [[{"within": "inside the tolerance", "within_scaled": "inside the scaled tolerance"}[name], *rest] for name, *rest in within])

# %%
moved = [claim for claim in card["claims"] if claim["holds"] != was[claim["id"]]["holds"]]
show(("claim", "text", "before", "today", "evidence today"), [[c["id"], c["text"], sc.scorecard_text(was[c["id"]]["holds"]), sc.scorecard_text(c["holds"]), c["evidence"]] for c in moved])

# %% [markdown]
# ## Trustworthiness
#
# Table 2 in 2-D: five neighbors, the first 10,000 training rows, means over the seeds. UMAP, t-SNE and PCA agree with the paper to 0.001.
# P. UMAP has the paper's convolutional network. The fast solver trains it for 0.25 passes over the edges, the original for five.

# %%
numbers = {(row["dataset"], row["method"]): row for row in card["cells"] if row["table"] == 2 and row["dim"] == 2}
rows = []
for method in ("umap", "umap_tf", "pumap", "umap_ae", "pumap_decoder", "tsne", "ptsne", "ae", "vae", "pca"):
    row = [ex.ALL_METHODS[method].label]
    for dataset in ("mnist", "fmnist"):
        found = numbers.get((dataset, method), {})
        difference = found.get("difference")
        row += [four(found.get("paper")), four(found.get("ours")) + " †" * found.get("earlier", False), "-" if difference is None else f"{difference:+.4f}"]
    rows.append(row)
show(("method", *(f"{TITLES[dataset]}: {what}" for dataset in ("mnist", "fmnist") for what in ("paper", "ours", "difference"))), rows)

# %% [markdown]
# ## Tables 2 to 7
#
# A count of numbers within a tolerance says little alone. It is compared with two baselines: the paper's values shuffled among the methods, and the median of each column. A *column* is one table, data set and number of dimensions.
# The scaled tolerance is half the interquartile range of a column, never more than the fixed one.
# Skill is 1 - our error / error of the column median. [rules.csv](published/rules.csv) has the rules.

# %%
total = card["skill"]["overall"]
print(f"The paper has {total['numbers']} numbers for MNIST and Fashion-MNIST in Tables 2 to 7.")
show(
    ("MNIST and Fashion-MNIST", "ours", "paper's values shuffled", "column medians"),
    [
        ["within tolerance (0.02 trustworthiness, 0.05 other scores, 10% squared error)", *(f"{total[key]:.0f}" for key in ("within", "shuffled", "median"))],
        ["within the scaled tolerance", *(f"{total[key]:.0f}" for key in ("within_scaled", "shuffled_scaled", "median_scaled"))],
        ["skill", f"{total['skill']:+.2f}", None, 0],
        [f"mean rank correlation over {total['columns']} columns", f"{total['spearman']:+.2f}", 0, None],
        ["columns with p <= 0.05", total["significant"], None, None],
    ],
)

# %% [markdown]
# Skill by table. It is lowest for reconstruction error. In Table 8 the ranks agree at four labels per class only.

# %%
show(sc.SKILL_HEADS, sc.skill_lines(card["skill"]))

# %% [markdown]
# Columns whose ranks do not agree with the paper's (correlation below 0.5). For kNN accuracy on MNIST in 64-D all methods of the paper are within 0.034 of each other.

# %%
show(sc.COLUMN_HEADS, [line for line, column in zip(sc.column_lines(card["skill"]), card["skill"]["columns"]) if column["spearman"] is not None and column["spearman"] < 0.5])


# %% [markdown]
# ### Numbers outside the tolerance
#
# The likely cause of most is short training; trials below test it for some of them. *Training* is the number of our passes as a share of the paper's; a dash stands for methods without a network.

# %%
def share_of_training(row):
    "Passes of this profile over those of the paper's."
    cell, size = ex.Cell(row["dataset"], row["measured_on"], row["dim"]), then.profile if row["earlier"] else run.profile
    ours, paper = (cell.settings(p).get("n_training_epochs") for p in (size, ex.profile("paper")))
    if ours is None and cell.method in ex.P_UMAP:
        ours = SOLVERS_PASSES[cell.dataset in ex.WITH_LAYOUT]
    return ours / paper if ours and paper else None


def outside_line(row):
    share = share_of_training(row)
    cause = OTHER_CAUSES.get((row["metric"], row["dataset"], row["method"])) or ("short training" if share and share < 0.2 else "not known")
    return [row["table"], MEASURES[row["metric"]], TITLES[row["dataset"]], row["dim"], ex.ALL_METHODS[row["method"]].label, four(row["paper"]), four(row["ours"]), f"{row['difference']:+.4f}", None if share is None else f"{share:.1%}", cause]


SOLVERS_PASSES = {True: 0.25, False: 1.5}  # of expensive networks and of the MLP, where it chooses itself (and at least 3,000 steps)
OTHER_CAUSES = {
    ("clustering_nmi", "mnist", "tsne"): "clusters of 10,000 rows, in the paper of all",
    ("reconstruction_mse", "fmnist", "umap"): "not known; our error is smaller",
}
outside = [outside_line(row) for row in card["cells"] if row["within"] is False]
print(f"{len(outside)} numbers are outside the tolerance, {sum(line[-1] == 'short training' for line in outside)} of them of networks with short training.")
show(("table", "measure", "data set", "dim", "method", "paper", "ours", "difference", "training", "likely cause"), outside)


# %% [markdown]
# ### Trials
#
# A trial repeats one run with one change ([benchmarks/gaps](../benchmarks/gaps.ipynb), which has more of them). *Gap closed* is the part of the difference to the paper that disappears.
# Above 100% the trial is past the paper's number, below 0% farther away. Stand-ins have no gap, since the paper's number is of other data.

# %%
def paper_value(dataset, dim, method, metric):
    method = "pumap" if method == "pumap_decoder" else method  # the decoder does not change the embedding
    return next((row["paper"] for row in card["cells"] if (row["dataset"], row["dim"], row["method"], row["metric"]) == (dataset, dim, method, metric)), None)


def trial_line(dataset, method, dim, metric, change):
    "The run of the grid, the trial and the paper."
    found = trials[(trials.dataset == dataset) & (trials.method == method) & (trials.dim == dim)].set_index("what")[metric]
    paper, digits = paper_value(dataset, dim, method, metric), 5 if metric == "reconstruction_mse" else 4
    values = [f"{value:.{digits}f}" for value in (paper, found["grid"], found[change])]
    closed = None if dataset in {name for name, *_ in stand_ins} else f"{(found[change] - found['grid']) / (paper - found['grid']):.0%}"
    return [TITLES[dataset], ex.ALL_METHODS[method].label, f"{dim}-D", MEASURES[metric], change, *values, closed]


TRIAL_HEADS = ("data set", "method", "dim", "measure", "change", "paper", "in the grid", "with the change", "gap closed")
MLP = "encoder=mlp, n_training_epochs=1.5, n_decoder_epochs=10"
trials = pd.read_csv(measured / "benchmark_gaps_shown.csv")
show(TRIAL_HEADS, [
    trial_line("mnist", "ae", 2, "knn1_accuracy", "n_training_epochs=20"),
    trial_line("fmnist", "ae", 2, "knn1_accuracy", "n_training_epochs=10"),
    trial_line("fmnist", "ae", 64, "knn1_accuracy", "n_training_epochs=10"),
    trial_line("fmnist", "vae", 64, "knn1_accuracy", "n_training_epochs=10"),
    trial_line("mnist", "tsne", 2, "clustering_nmi", "n_clustered=0"),
    trial_line("mnist", "pumap_decoder", 64, "silhouette", MLP),
    trial_line("mnist", "umap_ae", 64, "silhouette", MLP),
    trial_line("mnist", "umap_ae", 64, "reconstruction_mse", MLP),
    trial_line("mnist", "pumap_decoder", 64, "reconstruction_mse", MLP),
    trial_line("mnist", "ae", 64, "reconstruction_mse", "encoder=mlp, n_training_epochs=10"),
    trial_line("retina", "umap_ae", 64, "reconstruction_mse", "unit_range=columns"),
    trial_line("retina", "umap_ae", 64, "reconstruction_mse", "n_training_epochs=3"),
])  # fmt: skip

# %% [markdown]
# - For the accuracy of one neighbor, twice the training closes about half of the gap of AE and VAE. Four times closes all of it, in one run.
# - The NMI of MNIST's AE moves away from the paper's with more training. Its cause is not known.
# - Clustering all rows closes the gap of t-SNE.
# - With the MLP and more passes, P. UMAP and UMAP/AE come within 0.04 of the paper's silhouettes. C19 would then hold on MNIST, too.
# - For C19 on single cells neither change is enough: UMAP/AE's error stays above twice AE's. There AE scales each column into its range, and UMAP/AE all columns by one factor.

# %% [markdown]
# ## Claims
#
# The scorecard evaluates claims of the paper, each by a rule of ours ([claims.csv](published/claims.csv)).

# %%
verdicts = {answer: [claim for claim in card["claims"] if claim["holds"] is answer] for answer in (True, False, None)}
judged_in_paper = [claim["in_paper"] for claim in card["claims"] if claim["in_paper"] is not None]
print(f"Of the scorecard's {len(card['claims'])} claims {len(verdicts[True])} hold, {len(verdicts[False])} do not, and {len(verdicts[None])} wait for runs.")
print(f"Applied to the paper's own tables, the rules find that {sum(judged_in_paper)} of {len(judged_in_paper)} claims hold there.")

# %% [markdown]
# ### Claims that do not hold, and why

# %%
CAUSES = {
    "C04": "Fails on songs only. On the stand-in songs AE and VAE find neighbors of the right kind almost as often as UMAP, so the gap is below the 0.1 of the rule (0.097 for one neighbor, 0.078 for five).",
    "C06": "Correlations are low on songs, and in 64-D on MNIST and single cells. The paper's own tables fail, too.",
    "C08": "On CIFAR10 as in the paper's own table. On single cells PCA's silhouette is far lower for the stand-in than for the paper's retina.",
    "C12": "With the MLP it holds. The paper's convolutional network takes 17 times as long as UMAP on this CPU; the paper has a GPU.",
    "C13": "Hardware: the paper has a GPU. On this CPU the convolutional network is expensive; with the MLP the claim holds on each data set.",
    "C14": "Not known. On the paper's CPU the rule holds but for songs. Here PCA is faster and the convolutional network slower; with the MLP the rule holds on each data set.",
    "C16": "Hardware, as C13. With the MLP it holds on two of three data sets.",
    "C20": "The classifier's answer moves with the vector for 39 of 40 attributes, but for 2 and 3 of them by a small effect or more.",
    "C25": "Size: an eighth of the paper's filters, a quarter of the pixels. Differences at four labels are within the deviation over seeds, and the other label counts have one run, so neither answer is supported.",
    "C26": "Both gains are small compared with their deviations over the seeds (up to 0.04).",
    "C29": "Libraries and hardware: on two cores openTSNE is slower than UMAP on images, and UMAP is slower than openTSNE on single cells.",
    "C30": "Holds in 5 of 6 cases. CIFAR10 with 64 labels per class misses the 0.8 of the rule by 0.013.",
    "C31": "Fails on single cells only, by less than the deviation over the seeds.",
}
show(("claim", "text", "in the paper", "why not here"), [[c["id"], c["text"], None if c["in_paper"] is None else sc.scorecard_text(c["in_paper"]), CAUSES.get(c["id"], "not known")] for c in verdicts[False]])

# %% [markdown]
# More steps or a wider network for C25 can be tried with the `changes` of [cell_ssl](cell_ssl.ipynb). The rules and all numbers:

# %%
show(("claim", "rule", "evidence"), [[c["id"], c["measured_as"], c["evidence"]] for c in verdicts[False]])

# %% [markdown]
# C04, the methods without a neighbor graph on songs (accuracy of one neighbor). A later run in the authors' notebooks has 0.91 for VAE.

# %%
songs = {row["method"]: row for row in card["cells"] if (row["table"], row["dataset"], row["dim"]) == (3, "cassins", 2)}
show(("method", "paper (Cassin's vireo)", "ours (stand-in)"), [[ex.ALL_METHODS[m].label, four(songs[m]["paper"]), four(songs[m]["ours"])] for m in ("ae", "vae", "pca") if m in songs])

# %% [markdown]
# C13 to C16, what the convolutional network costs: multiplications of a row, and time as a multiple of PCA's ([benchmarks/inference](../benchmarks/inference.ipynb), a run of its own).
# Even at the full speed of the machine's matrix product it is more than ten times slower than PCA.

# %%
network = pd.read_csv(measured / "benchmark_inference_convolutions.csv")
show(
    ("direction", "multiplications", "times PCA", "times PCA at the speed of the matrix product"),
    [[{"there": "embed", "back": "reconstruct"}[r.way], f"{r.multiplications_of_a_row:,}", f"{r.times_pca:.0f}", f"{r.times_pca_at_matrix_speed:.0f}"] for r in network.itertuples()],
)

# %% [markdown]
# ### Claims that the paper's own tables do not support
#
# The same rules, applied to Tables 2 to 8 as printed.

# %%
show(("claim", "text", "evidence in the paper's tables"), [[c["id"], c["text"], c["evidence"].replace(" (1 seed)", "")] for c in sc.judged_claims(sc.published_records()) if c["holds"] is False])

# %% [markdown]
# ### Rules that were changed after a verdict
#
# Six rules were changed after their verdicts were known. The new rules were committed before they were evaluated, though some of the numbers were known ([03_scorecard](03_scorecard.ipynb)).
# C28 (UMAP needs fewer neighbors than t-SNE) was dropped, since its rule only compared two settings. C29 to C31 are new.

# %%
CHANGED = {
    "C06": "per data set, not pooled",
    "C09": "per data set, not pooled",
    "C12": "with each network, not only the MLP",
    "C17": "ties are not below",
    "C20": "effect size in both directions",
    "C24": "at each number of labels, not only the fewest",
}
show(("claim", "change of the rule", "held before", "holds now"), [[c["id"], CHANGED[c["id"]], sc.scorecard_text(c["held_before"]), sc.scorecard_text(c["holds"])] for c in card["changed"]])

# %% [markdown]
# ### Settings that were changed after a verdict
#
# C11 and C19 did not hold at first. In the records with †, P. UMAP on songs, and UMAP/AE on songs and CIFAR10, take four times as many steps in the same passes, at a higher learning rate.
# With these both hold. The trials repeat them with the solver's steps of that time. For C11, P. t-SNE's value lies between the first two of them.
# Today's settings are the solver's own on every data set; the cells of songs and CIFAR10 were not run with them yet.

# %%
SOLVERS = "batch_size=None, learning_rate=None"
show(TRIAL_HEADS, [
    trial_line("cassins", "pumap", 64, "clustering_nmi", SOLVERS),
    trial_line("cassins", "pumap_decoder", 64, "clustering_nmi", SOLVERS),
    trial_line("cassins", "umap_ae", 64, "reconstruction_mse", SOLVERS),
    trial_line("cifar10", "umap_ae", 64, "reconstruction_mse", SOLVERS),
])  # fmt: skip

# %% [markdown]
# The claims with today's numbers:

# %%
show(("claim", "text", "evidence"), [[c["id"], c["text"], c["evidence"]] for c in card["claims"] if c["id"] in ("C11", "C19")])

# %% [markdown]
# ### Claims that hold by little
#
# | claim | where | why the evidence is weak |
# |---|---|---|
# | C07 | single cells | within the deviation over three seeds |
# | C15 | all | UMAP's time is one call with two points, multiplied: the ratios are about 20 to 40 times too large. Against 100 rows of MNIST in the grid it still holds ([Figure 12](fig12_reconstruction_speed.ipynb)) |
# | C24, C27 | MNIST | within the deviation over three seeds |
# | C27 | CIFAR10 | within the deviation over three seeds |
# | C18 | Fashion-MNIST, single cells | ties; it holds on the other three data sets |
# | C12 | single cells | ratio 1.02 in one run; the rule wants 1. P. UMAP ends with the lower cross entropy there and on Fashion-MNIST |
# | C24 | 64 labels per class | one run each; 3 of 5,000 test rows on Fashion-MNIST, 7 on MNIST |

# %% [markdown]
# ## Few labels
#
# Figures 15 to 18 and Table 8. Ours have 10,000 rows of at most 16 pixels a side, an eighth of the paper's filters, and 1,000 to 1,500 steps.
#
# The table shows accuracy with a method minus accuracy without it; deviations are over three seeds.
#
# - With four labels per class the UMAP loss helps and hurts where it does in the paper; on Fashion-MNIST it adds half as much.
# - With this short training, augmentation helps at four labels per class on MNIST and Fashion-MNIST, and hurts with all labels. On CIFAR10 its gain is within the deviation over seeds. At 64 labels per class and with all labels there is one run. In the paper augmentation alone never costs more than 0.0002.
# - On CIFAR10 the effect of the UMAP loss next to augmentation is within the noise of the seeds.

# %%
PAIRS = (("UMAP loss", "umap_euclidean", "baseline"), ("augmentation", "aug", "baseline"), ("UMAP loss and augmentation, minus augmentation", "aug_umap_euclidean", "aug"))
rows = []
for name, method, reference in PAIRS:
    ours, paper = sc.gains(records, method, reference), sc.gains(sc.published_records(), method, reference)
    for dataset in ("mnist", "fmnist", "cifar10"):
        for n_labels, values in ours.get(dataset, {}).items():
            theirs = paper.get(dataset, {}).get(n_labels)
            sd = f" ± {pd.Series(values).std():.4f}" if len(values) > 1 else ""
            rows.append([name, TITLES[dataset], n_labels, f"{theirs[0]:+.4f}" if theirs else None, f"{sum(values) / len(values):+.4f}{sd}"])
show(("what is added", "data set", "labels per class", "paper", "ours"), rows)

# %% [markdown]
# ## Speed
#
# Fashion-MNIST, 50,000 rows, two cores, from a given graph to the trained network ([benchmarks/training_speed](../benchmarks/training_speed.ipynb)). Medians over the runs.
# Each run was a process of its own, one after the other, with other work of the lowest priority on the machine. The layout that the convolutional network learns from used both cores.
# Cross entropy is over a million pairs, trustworthiness within 3,000 rows, accuracy that of five neighbors on the 10,000 test rows.

# %%
NETWORKS, STOPPED = {"mlp": "MLP", "conv28": "convolutional"}, {("conv28", "umap-learn"), ("mlp", "paper")}
WITH_A_LAYOUT = {("conv28", "fast"): ", after a layout"}
SOLVER_NAMES = {"umap-learn": "umap-learn, ParametricUMAP", "layout": "umap-learn, UMAP without a network", "fast": "pumap, solver=\"fast\"", "paper": "pumap, solver=\"paper\""}
runs = pd.read_csv(measured / "benchmark_training_speed.csv")
medians = runs.groupby(["encoder", "solver", "effort", "repeats"], sort=False).median(numeric_only=True).reset_index()
show(
    ("network", "method", "n_training_epochs", "seconds", "cross entropy", "trustworthiness", "test accuracy", "peak memory", "runs"),
    [
        [NETWORKS[r.encoder], SOLVER_NAMES[r.solver] + WITH_A_LAYOUT.get((r.encoder, r.solver), ""), r.effort or ("stopped" if (r.encoder, r.solver) in STOPPED else "default"), f"{r.seconds:.0f}", f"{r.cross_entropy:.3f}", f"{r.trustworthiness:.3f}", None if pd.isna(r.knn5_accuracy) else f"{r.knn5_accuracy:.3f}", f"{r.peak_memory_mb / 1024:.1f} GiB", r.repeats]
        for r in medians.itertuples()
    ],
)

# %% [markdown]
# umap-learn's convolutional network was stopped after half an hour, and `solver="paper"` after one minute. How much sooner the fast solver reaches the cross entropy of umap-learn's run. Our seconds to it are interpolated between two runs of different length:

# %%
ratios = pd.read_csv(measured / "benchmark_training_ratios.csv")
show(
    ("network", "seed", "umap-learn's seconds", "its cross entropy", "our seconds to it", "ratio"),
    [[NETWORKS[r.encoder], r.seed, f"{r.umap_learn_seconds:.0f}", f"{r.its_cross_entropy:.3f}", f"{r.our_seconds:.0f}", f"{r.ratio:.1f}"] for r in ratios.itertuples()],
)

# %% [markdown]
# With tuned effort the MLP is within 3% of the layout's loss in 0.9x its time. A single run at the default effort takes 1.64x (Figure 10): the learning rate falls to zero within any effort, so a short run ends better than a long one is after the same time.
# The convolutional network learns most of its embedding from umap-learn's layout, by regression with batch normalization, which is folded away at the end.
# [The picture](../../figures/laptop/benchmark_training_speed.png) has curves measured on 4,000 edges, a tenth of what the notebook takes now; the markers at their ends are those of the table.
#
# New rows ([benchmarks/inference](../benchmarks/inference.ipynb)):

# %%
inference = pd.read_csv(measured / "benchmark_inference.csv")
show(("method", "rows", "milliseconds"), [[{"pca": "scikit-learn, PCA"}.get(r.model, r.model), f"{r.n_rows:,}", f"{r.median_ms:.2g}" if r.median_ms < 1 else f"{r.median_ms:.1f}"] for r in inference.itertuples()])

# %% [markdown]
# Exact neighbors of songs by dynamic time warping, compared with the recursion for every pair: medians of three runs, processor time, the same neighbors ([benchmarks/dtw](../benchmarks/dtw.ipynb)).

# %%
dtw = pd.read_csv(measured / "benchmark_dtw.csv", keep_default_na=False).groupby(["n_rows", "band"], sort=False).median(numeric_only=True).reset_index()
show(("syllables", "band", "every pair, seconds", "search, seconds", "ratio"), [[f"{r.n_rows:,}", r.band, f"{r.plain_seconds:.1f}", f"{r.search_seconds:.1f}", f"{r.ratio:.1f}"] for r in dtw.itertuples()])

# %% [markdown]
# Rows in 50 dimensions: seconds for the graph, for a hundredth of a pass of training, and for the embedding of all rows; memory per row beyond the data ([benchmarks/scaling](../benchmarks/scaling.ipynb)).

# %%
scaling = pd.read_csv(measured / "benchmark_scaling.csv")
show(("rows", "graph", "training", "embedding", "bytes per row"), [[f"{r.n:,}", f"{r.graph_seconds:.1f}", f"{r.fit_seconds:.1f}", f"{r.embed_seconds:.3f}", f"{r.bytes_per_row:,.0f}"] for r in scaling.itertuples()])


# %% [markdown]
# ## Commands
#
# The command that draws each figure and table as it is in `figures/laptop`. Pictures drawn with stand-ins need `--stand-ins`, and the stand-in data.

# %%
def uses_stand_ins(notebook):
    copy = folder / f"{notebook}.ipynb"
    return copy.exists() and '"stand_ins = True' in copy.read_text(encoding="utf-8")


notebooks = {}
for figure in ex.FIGURES.values():
    notebooks.setdefault(figure.notebook, []).append(figure)
show(
    ("shows", "notebook", "command"),
    [[drawn[0].title, f"[{name}]({name}.ipynb)", f"`pumap run {' '.join(f.id for f in drawn)} --profile {profile}{' --stand-ins' * uses_stand_ins(name)}`"] for name, drawn in notebooks.items()],
)
