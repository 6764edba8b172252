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
# # Serve without TensorFlow
#
# > Export the encoder to one ONNX file, and embed new rows in a process that has only NumPy and onnxruntime.
#
# A web service or a phone should not need a training framework. ONNX is a format for networks that many runtimes read. `export` writes it:
#
# ```sh
# pip install 'pumap[tensorflow,onnx]'       # to export; under JAX 'pumap[jax,onnx-jax]', under PyTorch 'pumap[torch,onnx-torch]'
# pip install numpy onnxruntime              # to serve
# ```

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from pumap import ParametricUMAP

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
rows_file = ""  # a .npy file of numbers, shape (n_rows, n_features) or (n_rows, height, width, channels); "" is digits
save_to = ""  # folder for the ONNX files; "" keeps nothing

# %% [markdown]
# ## Fit and export
#
# A short fit is enough here. With a decoder, both directions can be exported. The decoder of a file ends linearly, since its values may have any
# range.

# %%
X = np.load(rows_file).astype("float32") if rows_file else load_digits().data.astype("float32") / 16
inside = 0 <= X.min() and X.max() <= 1
kept = len(X) * 4 // 5
model = ParametricUMAP(decoder="mlp" if inside else None, n_training_epochs=0.5, n_decoder_epochs=2, random_state=0).fit(X[:kept])
X_new = X[kept:]

# %% [markdown]
# `export` converts the network, runs the result on a few rows, and writes the file only if it agrees with Keras.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(save_to or temporary.name)
model.export(folder / "encoder.onnx")
if model.decoder_ is not None:
    model.export(folder / "decoder.onnx", part="decoder")
for path in sorted(folder.glob("*.onnx")):
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")

# %% [markdown]
# ## Serve
#
# The whole program. It knows neither Keras nor `pumap`, and takes any number of float32 rows of the fitted shape.

# %%
program = '''
import sys, time
import numpy as np
import onnxruntime

encoder = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
embed = lambda rows: encoder.run(None, {"x": rows})[0]

rows = np.load(sys.argv[2])
np.save(sys.argv[3], embed(rows))

seconds = []
for row in rows[:200]:
    start = time.perf_counter()
    embed(row[None])
    seconds.append(time.perf_counter() - start)
print(f"{len(rows)} rows embedded; one row takes {1000 * np.median(seconds):.3f} ms")
print("loaded:", {"tensorflow", "jax", "torch", "keras", "sklearn", "pumap"} & set(sys.modules) or "no framework")
'''
(folder / "serve.py").write_text(program)
np.save(folder / "rows.npy", X_new)
run = subprocess.run([sys.executable, *(str(folder / name) for name in ("serve.py", "encoder.onnx", "rows.npy", "z.npy"))], capture_output=True, text=True)
assert run.returncode == 0, run.stderr
print(run.stdout)
assert "no framework" in run.stdout

# %% [markdown]
# The result is that of `transform`, up to rounding.

# %%
z, expected = np.load(folder / "z.npy"), model.transform(X_new)
assert np.abs(z - expected).max() < 1e-5 * max(1, np.abs(expected).max())

# %% [markdown]
# ## And back
#
# The decoder takes points of the map and returns rows.

# %%
if model.decoder_ is not None:
    import onnxruntime

    decoder = onnxruntime.InferenceSession(folder / "decoder.onnx", providers=["CPUExecutionProvider"])
    decoded = decoder.run(None, {decoder.get_inputs()[0].name: z})[0]
    assert np.abs(decoded - model.inverse_transform(z)).max() < 1e-4

# %% [markdown]
# ## What the file holds
#
# - The network and its weights, in float32; no training data, no graph, no settings. To continue with the estimator, use `save`.
# - Rows go in as they went into `fit`. If a scaler comes before the model in your pipeline, the service must apply it, too.
# - The result differs from Keras by rounding only. `transform` computes up to 256 rows of a dense network in double precision, so it differs in the
#   last digits.

# %%
temporary.cleanup()
