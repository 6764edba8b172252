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
# # Songs
#
# > Syllables of birdsong as pictures of frequency by time, and dynamic time warping to compare them.

# %%
#| default_exp paper.songs

# %%
#| hide
from numpy.testing import assert_allclose, assert_array_equal

from pumap.graph import fuzzy_graph

# %%
#| export
import functools
import math
import numbers

import numpy as np

from pumap.core import random_generator


# %% [markdown]
# ## Songs
#
# The paper looks at syllables of Cassin's vireos as pictures of 32 frequencies by 31 moments. The pictures were not published, so here is the road from sound to picture, for
# the songs of any animal that has been cut into labeled syllables.
#
# A *spectrogram*: pieces of 8 ms, one every 2 ms; the power in 32 bands from 500 Hz to 10 kHz, equally wide on the mel scale; in decibels below the loudest, where 50 and more are
# nothing at all. The values go from 0 to 1.

# %%
#| export
def mel_bands(
    n_bands: int,
    frequencies: np.ndarray,  # in Hz, shape (n_frequencies,)
    low: float,  # lower end of the first band, in Hz
    high: float,  # upper end of the last band, in Hz
) -> np.ndarray:  # shape (n_bands, n_frequencies)
    "Triangles that overlap by half, equally wide on the mel scale, 2595 log10(1 + f / 700)."
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (low, high)), n_bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.clip(np.minimum((frequencies - left) / (middle - left), (right - frequencies) / (right - middle)), 0, None)


# %%
#| export
def spectrogram(
    audio: np.ndarray,  # one syllable, shape (n_samples,)
    rate: float,  # samples per second
    n_bands: int = 32,
    low: float = 500.0,  # in Hz
    high: float = 10_000.0,  # in Hz
    decibels: float = 50.0,  # range that is shown
) -> np.ndarray:  # float32 from 0 to 1, shape (n_bands, n_moments), low frequencies first
    "A picture of one syllable; `ValueError` if it is shorter than one window, silent, not of finite numbers, or sampled too slowly."
    audio = np.asarray(audio, dtype=np.float64)
    window, hop = round(0.008 * rate), round(0.002 * rate)
    if audio.ndim != 1 or rate < 2 * high or len(audio) < window or not audio.any() or not np.isfinite(audio).all():
        raise ValueError(
            f"audio has shape {audio.shape} at a rate of {rate:g}; it must be one channel of at least 8 ms, of finite numbers, not silent, at a rate of at least {2 * high:g}."
        )
    pieces = np.lib.stride_tricks.sliding_window_view(audio, window)[::hop] * np.hanning(window + 1)[:-1]
    n_fft = max(window, 1024)  # zeros behind a piece, so that no band falls between two frequencies
    power = np.abs(np.fft.rfft(pieces, n_fft)) ** 2
    bands = mel_bands(n_bands, np.fft.rfftfreq(n_fft, 1 / rate), low, high) @ power.T
    loudness = 10 * np.log10(np.maximum(bands, 1e-300) / max(bands.max(), 1e-300))
    return np.clip(1 + loudness / decibels, 0, 1).astype(np.float32)


# %% [markdown]
# A tone that rises is a line that rises.

# %%
rate = 32_000
moments = np.arange(rate // 10) / rate
rising = spectrogram(np.sin(2 * np.pi * (2000 + 20_000 * moments) * moments), rate)
ridge = rising.argmax(axis=0)
assert rising.shape == (32, 47) and (np.diff(ridge) >= 0).all() and ridge[-1] > ridge[0] + 5
assert rising.max() == 1 and rising.min() == 0


# %% [markdown]
# *Log-resizing*: syllables last from 10 ms to a second. A picture of $n$ moments is given $\lfloor 7.27 \ln n \rfloor$ columns, at least 1 and at most 31, so that long ones are still longer than short ones but fit. Each new column
# is a mean of the old ones near its place, weighted by a triangle. *Padding*: the picture stands in the middle of 31 columns, with zeros at both sides, and one more column of zeros in front.

# %%
#| export
def log_resized(
    picture: np.ndarray,  # shape (n_bands, n_moments)
    scale: float = 7.27,  # columns per unit of the logarithm
    n_columns: int = 31,  # at most
) -> np.ndarray:  # float32, shape (n_bands, at most n_columns)
    "Resize the time axis to the logarithm of its length; `ValueError` if there is no moment."
    n = picture.shape[1]
    if n == 0:
        raise ValueError(f"A picture has shape {picture.shape}; it needs at least one moment.")
    m = min(max(int(scale * np.log(n)), 1), n_columns)
    step = n / m  # old columns per new one
    distance = np.abs(np.arange(n)[:, None] + 0.5 - (np.arange(m) + 0.5) * step)
    weights = np.clip(1 - distance / max(step, 1), 0, None)
    return (picture @ (weights / weights.sum(axis=0))).astype(np.float32)


def padded(
    picture: np.ndarray,  # shape (n_bands, at most n_columns)
    n_columns: int = 31,
) -> np.ndarray:  # shape (n_bands, n_columns + 1, 1)
    "Zeros at both sides of a picture, and a column of zeros in front, as the paper's networks had it; `ValueError` if it is wider than that."
    spare = n_columns - picture.shape[1]
    if spare < 0:
        raise ValueError(f"A picture has {picture.shape[1]} columns, more than {n_columns}; make it shorter with log_resized.")
    return np.pad(picture, ((0, 0), (1 + spare // 2, spare - spare // 2)))[..., None]


# %%
assert log_resized(rising).shape == (32, int(7.27 * np.log(47))) and log_resized(np.ones((32, 500))).shape == (32, 31)
assert_allclose(log_resized(np.ones((32, 47))), 1, rtol=1e-6)
assert padded(log_resized(rising)).shape == (32, 32, 1) and not padded(log_resized(rising))[:, 0].any()


# %% [markdown]
# ## Dynamic time warping
#
# Two birds that sing one syllable, one of them more slowly, make pictures that Euclidean distance calls different. *Dynamic time warping* first stretches both so that they fit best: with frames $a_i$ and $b_j$, the columns of
# two spectrograms, it is the least cost of a path from the first pair of frames to the last, going forward one step in either picture or in both,
#
# $$D(i, j) = \|a_i - b_j\|^2 + \min\{D(i-1, j-1),\ D(i-1, j),\ D(i, j-1)\}$$
#
# and the distance is the root of the last $D$. A *band* keeps $|i - j|$ small, which forbids wild stretching and saves time (Sakoe and Chiba, 1978). The function can give up early: once every way on costs more than a limit,
# it returns infinity.

# %%
#| export
def dtw_cost(
    a: np.ndarray,  # frames in order of time, shape (n_frames, n_bands)
    b: np.ndarray,  # the same number of frames
    band: int,  # largest |i - j|
    limit: float,  # a cost above this is of no interest
    rest: np.ndarray,  # at least what frames i and later of `a` will cost, shape (n_frames + 1,)
) -> float:  # the squared distance, or infinity if it is above the limit
    "Dynamic time warping by the recursion, row by row; plain Python here, compiled where it is used."
    n, n_bands = a.shape
    above, row = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    above[0] = 0.0
    for i in range(n):
        row[:] = np.inf
        lowest = np.inf
        for j in range(max(0, i - band), min(n, i + band + 1)):
            step = 0.0
            for f in range(n_bands):
                step += (a[i, f] - b[j, f]) ** 2
            row[j + 1] = step + min(above[j], above[j + 1], row[j])
            lowest = min(lowest, row[j + 1])
        if lowest + rest[i + 1] > limit:
            return np.inf
        above, row = row, above
    return above[n] if above[n] <= limit else np.inf


# %% [markdown]
# A song and the same song delayed by a frame: the path runs one frame off the diagonal, and only its ends have a cost. With a band of 0 it must stay on it, and the cost is the squared Euclidean distance.

# %%
song = np.array([[0.0], [0.0], [5.0], [1.0], [0.0], [0.0]])
late = np.roll(song, 1, axis=0)
assert dtw_cost(song, late, 5, np.inf, np.zeros(7)) == 0
assert dtw_cost(song, late, 0, np.inf, np.zeros(7)) == ((song - late) ** 2).sum()
assert dtw_cost(song, late, 0, 1.0, np.zeros(7)) == np.inf


# %% [markdown]
# ### As a metric
#
# Rows are flattened pictures, frequency by time, so the frames are the *columns*. (The original code reshaped rows so too, but took the rows of the picture for its frames and warped along frequency; `along="frequency"` does that, for who
# needs it. Its distance was another one, too: a mean over the path.)

# %%
#| export
def _dtw_frames(
    shape: tuple,  # of a picture: (n_bands, n_moments)
    band: int | None,  # largest shift, in frames; None allows any
    along: str,  # "time" or "frequency"
) -> tuple:  # (number of frames, band)
    "Check the arguments of a warping; a `ValueError` says what does not fit."
    if along not in ("time", "frequency"):
        raise ValueError(f"along is {along!r}; it must be 'time' or 'frequency'.")
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be that of a picture, (n_bands, n_moments).")
    n = shape[1] if along == "time" else shape[0]
    if band is not None and (isinstance(band, bool) or not isinstance(band, numbers.Integral) or band < 0):
        raise ValueError(f"band is {band!r}; it must be None or a whole number of at least 0.")
    return n, n if band is None else min(int(band), n)


@functools.cache
def _compiled_dtw():
    "The recursion, compiled once."
    import numba

    return numba.njit(dtw_cost, fastmath={"reassoc", "contract"})  # sums in any order: several terms at once


def dtw_metric(
    shape: tuple,  # of a picture before it was flattened: (n_bands, n_moments)
    band: int | None = None,  # largest shift, in frames; None allows any
    along: str = "time",  # "frequency" takes rows for frames, as the original code did
):  # numba function of two rows
    "A compiled metric between flattened pictures, for umap-learn, pynndescent and `fuzzy_graph` alike; `ValueError` for a shape, band or direction that cannot be, and for a row that has not as many values as a picture."
    n, width = _dtw_frames(shape, band, along)
    return _dtw_metric(int(shape[0]), int(shape[1]), n, width, along == "time")


@functools.cache
def _dtw_metric(n_bands, n_moments, n, width, by_columns):
    "One metric for one kind of picture, so that it is compiled once."
    import numba

    cost = _compiled_dtw()

    @numba.njit
    def dtw(x, y):
        if x.size != n_bands * n_moments or y.size != n_bands * n_moments:
            raise ValueError("dtw_metric: a row has not as many values as a picture of the shape that was given; give the shape of your pictures.")
        a = np.ascontiguousarray(x).reshape(n_bands, n_moments)
        b = np.ascontiguousarray(y).reshape(n_bands, n_moments)
        if by_columns:
            a, b = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
        return np.sqrt(cost(a, b, width, np.inf, np.zeros(n + 1)))

    return dtw


# %% [markdown]
# Made-up songs: a tone that rises or falls, sung early or late, fast or slow.

# %%
def made_up_songs(n, n_bands=12, n_moments=20, random_state=0):
    "Pictures of tones, shape (n, n_bands * n_moments), and which of three songs each is."
    rng = random_generator(random_state)
    kind, shift, speed = rng.integers(0, 3, n), rng.uniform(-0.15, 0.15, n), rng.uniform(0.7, 1.4, n)
    moments = np.clip((np.linspace(-0.5, 0.5, n_moments) - shift[:, None]) * speed[:, None] + 0.5, 0, 1)
    pitch = np.array([moments, 1 - moments, 2 * np.abs(moments - 0.5)])[kind, np.arange(n)] * (n_bands - 1)
    pictures = np.exp(-((np.arange(n_bands)[:, None] - pitch[:, None, :]) ** 2))
    return (pictures + 0.1 * rng.random(pictures.shape)).reshape(n, -1).astype("float32"), kind


songs, kind = made_up_songs(300)
warped, rigid = dtw_metric((12, 20)), dtw_metric((12, 20), band=0)
assert_allclose(rigid(songs[0], songs[1]), np.linalg.norm(songs[0] - songs[1]), rtol=1e-5)
assert warped(songs[0], songs[0]) == 0 and warped(songs[0], songs[1]) <= dtw_metric((12, 20), band=3)(songs[0], songs[1]) <= rigid(songs[0], songs[1])
assert_allclose(warped(songs[0], songs[1]), warped(songs[1], songs[0]), rtol=1e-6)

# %% [markdown]
# It warps along time: a picture and its later twin are close, a picture and its higher twin are not. Along frequency it is the other way round.

# %%
spot = np.zeros((12, 20), "float32")
spot[3:6, 8:10] = 1
later, higher = np.roll(spot, 4, axis=1), np.roll(spot, 4, axis=0)
along_frequency = dtw_metric((12, 20), along="frequency")
assert warped(spot.ravel(), later.ravel()) == 0 < warped(spot.ravel(), higher.ravel())
assert along_frequency(spot.ravel(), higher.ravel()) == 0 < along_frequency(spot.ravel(), later.ravel())


# %% [markdown]
# ### Neighbors without all the distances
#
# To find the nearest songs, few distances must be known exactly. None of these shortcuts changes the result:
#
# - *An upper bound*. The diagonal is a path like others, so warping costs at most the squared Euclidean distance. Rows are tried in the order of that distance, the likeliest first, and what costs more than the Euclidean distance of the last neighbor wanted is of no interest
#   from the start.
# - *A lower bound* (Keogh and Ratanamahatana, 2005). Within the band, frame $a_i$ can only meet a few frames of $b$. What it lies above the highest or below the lowest of them, it must pay. The same holds with $a$ and $b$ exchanged. A row is skipped when one of the two bounds is above the cost of the last
#   neighbor so far. Without a band, a frame can meet any other, and the bound is weak.
# - *Early abandoning*: the recursion stops when what it has and what the bound says of the rest is too much (Rakthanmanon et al., 2012).
# - *Fewer coordinates*. In their first eight principal directions frames are at most as far apart as they are, and so warping costs at most as much there: another lower bound, and a close one. The two above are computed in these directions too. What passes all of them is computed in full.
# - *Several rows at once*. The recursion waits for its own last result at each step, and so does a processor that works on one pair of rows. For the bound in eight directions eight rows go side by side, in single precision. All terms are positive, so the relative error of a sum is at most the number of roundings on a path times
#   that of one; the limit gives way by that, and by what the rounded coordinates may do.
#
# What all this is worth on real songs, [benchmarks/dtw](../benchmarks/dtw.ipynb) measures.

# %%
#| export
def dtw_envelopes(
    frames: np.ndarray,  # shape (n_rows, n_frames, n_bands)
    band: int,
) -> tuple:  # (lowest, highest) within the band around each frame, shapes as `frames`
    "What a frame of another row can meet."
    n = frames.shape[1]
    if band >= n - 1:
        return tuple(np.repeat(f(frames, axis=1, keepdims=True), n, axis=1) for f in (np.min, np.max))
    low, high = frames.copy(), frames.copy()
    for s in range(1, band + 1):
        for here, there in ((slice(s, None), slice(None, -s)), (slice(None, -s), slice(s, None))):
            np.minimum(low[:, here], frames[:, there], out=low[:, here])
            np.maximum(high[:, here], frames[:, there], out=high[:, here])
    return low, high


def dtw_bound(
    a: np.ndarray,  # frames, shape (n_frames, n_bands)
    low: np.ndarray,  # envelope of the other row, the same shape
    high: np.ndarray,
    rest: np.ndarray,  # filled with the bound of frames i and later, shape (n_frames + 1,)
) -> float:  # at most the squared distance
    "Lower bound on `dtw_cost`; compiled where it is used."
    rest[len(a)] = 0.0
    for i in range(len(a) - 1, -1, -1):
        step = 0.0
        for f in range(a.shape[1]):
            outside = max(a[i, f] - high[i, f], low[i, f] - a[i, f], np.float32(0))
            step += outside * outside
        rest[i] = rest[i + 1] + step
    return rest[0]


# %%
#| export
LANES = 8  # rows side by side


def dtw_lanes(
    a: np.ndarray,  # frames, float32, shape (n_frames, n_bands); n_bands is a multiple of 4
    b: np.ndarray,  # of eight rows: in each band moment by moment, row by row; float32, shape (n_bands, n_frames * LANES)
    band: int,
    limit: float,  # costs above this are of no interest
    rest: np.ndarray,  # at least what frames i and later of `a` will cost with any of the rows, shape (n_frames + 1,)
    above: np.ndarray,  # work space, float32, shape ((n_frames + 1) * LANES,)
    row: np.ndarray,  # the same
    step: np.ndarray,  # work space, float32, shape (n_frames * LANES,)
):  # the squared distances, shape (LANES,); all infinite if none of them is within the limit
    "`dtw_cost` for several rows at once in single precision; compiled where it is used."
    n, n_bands = a.shape
    above[:] = np.inf
    above[:LANES] = 0
    for i in range(n):
        first, last = max(0, i - band) * LANES, min(n, i + band + 1) * LANES
        cells = step[first:last]
        cells[:] = 0
        for f in range(0, n_bands, 4):  # four bands in one go: the sum is fetched and put back less often
            a0, a1, a2, a3 = a[i, f], a[i, f + 1], a[i, f + 2], a[i, f + 3]
            b0, b1, b2, b3 = b[f, first:last], b[f + 1, first:last], b[f + 2, first:last], b[f + 3, first:last]
            for t in range(cells.size):
                cells[t] += (a0 - b0[t]) ** 2 + (a1 - b1[t]) ** 2 + (a2 - b2[t]) ** 2 + (a3 - b3[t]) ** 2
        row[:] = np.inf
        before, now, lowest = above[first : last + LANES], row[first : last + LANES], np.float32(np.inf)
        for t in range(cells.size):
            now[t + LANES] = cells[t] + min(before[t], min(before[t + LANES], now[t]))
        for t in range(now.size):
            lowest = now[t] if now[t] < lowest else lowest
        if lowest + rest[i + 1] > limit:
            row[:] = np.inf
            return row[:LANES]
        above, row = row, above
    return above[n * LANES :]


# %%
#| export
def _dtw_coordinates(
    frames: np.ndarray,  # shape (n_rows, n_frames, n_bands), float32
    n_coordinates: int = 8,  # to keep, a multiple of 4
) -> tuple:  # (coordinates (n_rows, n_frames, n_coordinates) float32, factor and distance by which a bound may be too large)
    "Frames in their first principal directions, and what rounding may do to costs that are computed from these."
    n_rows, n_frames, n_bands = frames.shape
    flat = frames.reshape(-1, n_bands).astype(np.float64)
    directions = np.linalg.eigh(np.cov(flat, rowvar=False).reshape(n_bands, n_bands))[1][:, ::-1][:, :n_coordinates]
    Z = (flat @ directions).astype(np.float32).reshape(n_rows, n_frames, -1)
    Z = np.ascontiguousarray(np.pad(Z, ((0, 0), (0, 0), (0, n_coordinates - Z.shape[2]))))
    slack = 1 + (n_coordinates + 2 * n_frames + 8) * 2.0**-23  # roundings on the way through a sum of positive terms
    room = math.sqrt(2 * n_frames * n_coordinates) * 2.0**-23 * np.sqrt((flat**2).sum(axis=1).max())  # roundings of the coordinates
    return Z, slack, room


def _dtw_insert(indices, squares, j, value):
    "Put row j among the neighbors so far, if it is nearer than the last; place 0 is the row itself."
    p = len(squares) - 1
    if value >= squares[p]:
        return
    while p > 1 and squares[p - 1] > value:
        squares[p], indices[p] = squares[p - 1], indices[p - 1]
        p -= 1
    squares[p], indices[p] = value, j


# %%
#| export
@functools.cache
def _compiled_search():
    "The search over all rows, in parallel."
    import numba

    fast = {"reassoc", "contract"}
    cost, bound, lanes, insert = _compiled_dtw(), numba.njit(dtw_bound, fastmath=fast), numba.njit(dtw_lanes, fastmath=fast), numba.njit(_dtw_insert)

    @numba.njit(parallel=True)
    def search(X, Z, low, high, band, slack, room, indices, squares):
        n, n_frames, n_coordinates = Z.shape
        k, cells = indices.shape[1], n_frames * LANES
        for i in numba.prange(n):
            above, row, step = np.empty(cells + LANES, np.float32), np.empty(cells + LANES, np.float32), np.empty(cells, np.float32)
            b, which, filled = np.zeros((n_coordinates, cells), np.float32), np.zeros(LANES, np.int32), 0
            rest, least = np.zeros(n_frames + 1), np.full(n_frames + 1, np.inf)
            near = np.array([bound(Z[i], Z[j], Z[j], rest) for j in range(n)])
            near[i] = -1  # itself comes first, whatever else is at distance 0
            order = np.argsort(near)
            reach = max([bound(X[i], X[j], X[j], rest) for j in order[:k]])
            indices[i, 0], squares[i, 0], squares[i, 1:] = i, 0.0, np.inf
            for q in range(1, n):
                j, limit = order[q], slack * (np.sqrt(min(squares[i, k - 1], reach)) + room) ** 2
                if bound(Z[j], low[i], high[i], rest) <= limit and bound(Z[i], low[j], high[j], rest) <= limit:
                    least, which[filled] = np.minimum(least, rest), j
                    for t in range(n_frames):
                        for f in range(n_coordinates):
                            b[f, t * LANES + filled] = Z[j, t, f]
                    filled += 1
                if filled == LANES or (filled and q == n - 1):
                    values = lanes(Z[i], b, band, limit, least, above, row, step)
                    for p in range(filled):
                        if values[p] <= limit:
                            rest[:] = 0
                            insert(indices[i], squares[i], which[p], cost(X[i], X[which[p]], band, limit, rest))
                    filled, least = 0, np.full(n_frames + 1, np.inf)

    return search


# %%
#| export
def dtw_neighbors(
    X: np.ndarray,  # flattened pictures, shape (n_rows, n_bands * n_moments), or (n_rows, n_bands, n_moments[, 1])
    n_neighbors: int = 15,  # neighbors of each row, itself included
    shape: tuple | None = None,  # (n_bands, n_moments); needed if the pictures are flattened
    band: int | None = None,  # largest shift, in frames; None allows any
    along: str = "time",  # as for `dtw_metric`
):  # (indices int32, distances float32), both of shape (n_rows, n_neighbors), nearest first
    """The exact nearest neighbors by dynamic time warping, as `precomputed_knn` wants them; numba's threads share the rows.

    Raises `ValueError` for a shape, band or direction that cannot be, for NaN or infinity, and for fewer rows than neighbors ask for."""
    from pumap.graph import check_rows  # imports scikit-learn, which `pumap run --dry-run` does not need

    X = np.asarray(X, dtype=np.float32)
    shape = X.shape[1:3] if shape is None else shape
    _, width = _dtw_frames(shape, band, along)
    if X[0].size != math.prod(shape):
        raise ValueError(f"X has {X[0].size} values in a row, but a picture of shape {tuple(shape)} has {math.prod(shape)}.")
    frames = X.reshape(len(X), *shape)
    check_rows(frames.reshape(len(X), -1), n_neighbors)
    if not np.isfinite(frames).all():
        raise ValueError("X holds NaN or infinite values; remove those rows or find out where they come from.")
    frames = frames.transpose(0, 2, 1) if along == "time" else frames
    indices, squares = np.zeros((len(X), n_neighbors), np.int32), np.zeros((len(X), n_neighbors))
    frames = np.ascontiguousarray(frames)
    Z, slack, room = _dtw_coordinates(frames)
    _compiled_search()(frames, Z, *dtw_envelopes(Z, width), width, slack, room, indices, squares)
    return indices, np.sqrt(squares).astype(np.float32)


# %% [markdown]
# The same neighbors as by the distances of all pairs.

# %%
few = songs[:80]
for band in (3, None):
    metric = dtw_metric((12, 20), band)
    plain = np.array([[metric(a, b) for b in few] for a in few])
    np.fill_diagonal(plain, -1)  # itself first
    indices, distances = dtw_neighbors(few, 6, (12, 20), band)
    assert_array_equal(indices, np.argsort(plain, axis=1)[:, :6])
    assert_allclose(distances[:, 1:], np.sort(plain, axis=1)[:, 1:6], rtol=1e-5)

# %% [markdown]
# The graph takes the neighbors that were found; or `metric=metric` lets any search compute them.

# %%
song_graph = fuzzy_graph(songs, n_neighbors=6, precomputed_knn=dtw_neighbors(songs, 6, (12, 20))).tocoo()
assert np.average(kind[song_graph.row] == kind[song_graph.col], weights=song_graph.data) > 0.95
