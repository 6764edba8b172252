"""What a newcomer does first, with the pumap that is installed: fit digits, embed new rows, save, load.

Run it outside the clone, which would otherwise be imported.
"""

import argparse
import tempfile
import time
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import pumap

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=float, help="training epochs; the default is the library's")
args = parser.parse_args()

began = time.perf_counter()
X, y = load_digits(return_X_y=True)
X, X_new, y, y_new = X[:1500] / 16, X[1500:] / 16, y[:1500], y[1500:]
model = pumap.ParametricUMAP(random_state=0, **({"n_training_epochs": args.epochs} if args.epochs else {}))
z = model.fit_transform(X)
z_new = model.transform(X_new)
with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "digits.pumap")
    again = pumap.ParametricUMAP.load(Path(folder) / "digits.pumap")
assert (again.transform(X_new) == z_new).all()
accuracy = KNeighborsClassifier(5).fit(z, y).score(z_new, y_new)

import keras  # noqa: E402: pumap chooses its backend first

print(f"pumap {pumap.__version__} in {Path(pumap.__file__).parent}, Keras on {keras.backend.backend()}: "
      f"accuracy {accuracy:.3f} on new rows, {time.perf_counter() - began:.0f} s")  # fmt: skip
assert accuracy > 0.75
