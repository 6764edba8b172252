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
# > Turn syllables of birdsong into spectrograms, and compare them with dynamic time warping.

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
# ## Spectrograms
#
# `spectrogram` turns a syllable into an image of frequency by time. The paper uses images of 32 frequency bands by 31 time frames, made from songs of
# Cassin's vireos. Those images were not published, so this notebook computes them from audio. It works for any recordings that are cut into labeled
# syllables.
#
# | step | setting |
# |---|---|
# | windows (Hann) | 8 ms long, one every 2 ms |
# | frequency bands | 32, from 500 Hz to 10 kHz, equally wide on the mel scale |
# | loudness | decibels below the loudest value |
# | scaling | 1 is the loudest value, 0 is 50 dB below it or more |

# %%
#| export
def mel_bands(n_bands: int, frequencies: np.ndarray, low: float, high: float) -> np.ndarray:
    """Compute triangular frequency bands, equally wide on the mel scale, 2595 log10(1 + f / 700).

    Neighboring triangles overlap by half.

    Parameters
    ----------
    n_bands : int
    frequencies : ndarray, shape (n_frequencies,)
        In Hz.
    low : float
        Lower end of the first band, in Hz.
    high : float
        Upper end of the last band, in Hz.

    Returns
    -------
    ndarray, shape (n_bands, n_frequencies)
        Weight of each frequency in each band.
    """
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (low, high)), n_bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.clip(np.minimum((frequencies - left) / (middle - left), (right - frequencies) / (right - middle)), 0, None)


# %%
#| export
def spectrogram(audio: np.ndarray, rate: float, n_bands: int = 32, low: float = 500.0, high: float = 10_000.0, decibels: float = 50.0) -> np.ndarray:
    """Compute the mel spectrogram of one syllable.

    Parameters
    ----------
    audio : ndarray, shape (n_samples,)
    rate : float
        Samples per second, at least `2 * high`.
    n_bands : int
    low : float
        Lowest frequency, in Hz.
    high : float
        Highest frequency, in Hz.
    decibels : float
        Range below the loudest value. Softer values become 0.

    Returns
    -------
    ndarray, float32, shape (n_bands, n_moments)
        Values from 0 to 1, low frequencies first, one column for each time frame.

    Raises
    ------
    ValueError
        If the audio is shorter than one window of 8 ms, silent, not finite, not one channel, or if the rate is too low.
    """
    audio = np.asarray(audio, dtype=np.float64)
    window, hop = round(0.008 * rate), round(0.002 * rate)
    if audio.ndim != 1 or rate < 2 * high or len(audio) < window or not audio.any() or not np.isfinite(audio).all():
        raise ValueError(
            f"audio has shape {audio.shape} and a rate of {rate:g}; it must be one channel of finite numbers, at least 8 ms long, not silent, at a rate of at least {2 * high:g}."
        )
    pieces = np.lib.stride_tricks.sliding_window_view(audio, window)[::hop] * np.hanning(window + 1)[:-1]
    n_fft = max(window, 1024)  # zero padding, so that every band contains a frequency
    power = np.abs(np.fft.rfft(pieces, n_fft)) ** 2
    bands = mel_bands(n_bands, np.fft.rfftfreq(n_fft, 1 / rate), low, high) @ power.T
    loudness = 10 * np.log10(np.maximum(bands, 1e-300) / max(bands.max(), 1e-300))
    return np.clip(1 + loudness / decibels, 0, 1).astype(np.float32)


# %% [markdown]
# The spectrogram of a rising tone is a rising line.

# %%
rate = 32_000
moments = np.arange(rate // 10) / rate
rising = spectrogram(np.sin(2 * np.pi * (2000 + 20_000 * moments) * moments), rate)
ridge = rising.argmax(axis=0)
assert rising.shape == (32, 47) and (np.diff(ridge) >= 0).all() and ridge[-1] > ridge[0] + 5
assert rising.max() == 1 and rising.min() == 0


# %% [markdown]
# Syllables last from 10 ms to a second, but a network needs images of one size. Two functions resize them:
#
# - `log_resized` gives a spectrogram of $n$ frames $\lfloor 7.27 \ln n \rfloor$ columns, at least 1 and at most 31. Long syllables stay longer than
#   short ones. Each new column is a mean of the nearby old ones, with triangular weights.
# - `padded` centers the result in 31 columns of zeros, and prepends one more column of zeros.

# %%
#| export
def log_resized(picture: np.ndarray, scale: float = 7.27, n_columns: int = 31) -> np.ndarray:
    """Resize the time axis of a spectrogram to a multiple of the logarithm of its length.

    Parameters
    ----------
    picture : ndarray, shape (n_bands, n_moments)
    scale : float
        Columns per unit of the natural logarithm.
    n_columns : int
        Columns of the result, at most.

    Returns
    -------
    ndarray, float32, shape (n_bands, <= n_columns)

    Raises
    ------
    ValueError
        If the spectrogram has no time frame.
    """
    n = picture.shape[1]
    if n == 0:
        raise ValueError(f"The spectrogram has shape {picture.shape}; it needs at least one moment.")
    m = min(max(int(scale * np.log(n)), 1), n_columns)
    step = n / m  # old columns per new one
    distance = np.abs(np.arange(n)[:, None] + 0.5 - (np.arange(m) + 0.5) * step)
    weights = np.clip(1 - distance / max(step, 1), 0, None)
    return (picture @ (weights / weights.sum(axis=0))).astype(np.float32)


def padded(picture: np.ndarray, n_columns: int = 31) -> np.ndarray:
    """Center a spectrogram in columns of zeros, and prepend one column of zeros, as for the paper's networks.

    Parameters
    ----------
    picture : ndarray, shape (n_bands, <= n_columns)
    n_columns : int
        Columns without the first one.

    Returns
    -------
    ndarray, shape (n_bands, n_columns + 1, 1)

    Raises
    ------
    ValueError
        If the spectrogram has more than `n_columns` columns.
    """
    spare = n_columns - picture.shape[1]
    if spare < 0:
        raise ValueError(f"The spectrogram has {picture.shape[1]} columns, more than {n_columns}; shorten it with log_resized.")
    return np.pad(picture, ((0, 0), (1 + spare // 2, spare - spare // 2)))[..., None]


# %%
assert log_resized(rising).shape == (32, int(7.27 * np.log(47))) and log_resized(np.ones((32, 500))).shape == (32, 31)
assert_allclose(log_resized(np.ones((32, 47))), 1, rtol=1e-6)
assert padded(log_resized(rising)).shape == (32, 32, 1) and not padded(log_resized(rising))[:, 0].any()


# %% [markdown]
# ## Dynamic time warping
#
# If two birds sing one syllable at different speeds, the Euclidean distance of the spectrograms is large. *Dynamic time warping* (DTW) first aligns
# them in time. The frames $a_i$ and $b_j$ are the columns of two spectrograms. A path goes from the first pair of frames to the last pair. Each step
# moves on by one frame in either spectrogram or in both. DTW finds the path of least cost,
#
# $$D(i, j) = \|a_i - b_j\|^2 + \min\{D(i-1, j-1),\ D(i-1, j),\ D(i, j-1)\}$$
#
# The distance is the square root of the last $D$. A *band* limits $|i - j|$, which prevents extreme stretching and saves time (Sakoe and Chiba,
# 1978). `dtw_cost` also stops early: it returns infinity as soon as every path costs more than a limit.

# %%
#| export
def dtw_cost(a: np.ndarray, b: np.ndarray, band: int, limit: float, rest: np.ndarray) -> float:
    """Compute the squared DTW distance by the recursion, row by row.

    This is plain Python; `dtw_metric` and `dtw_neighbors` compile it with numba.

    Parameters
    ----------
    a : ndarray, shape (n_frames, n_bands)
        Frames in order of time.
    b : ndarray, shape (n_frames, n_bands)
    band : int
        Largest `|i - j|`.
    limit : float
        Costs above this are not computed to the end.
    rest : ndarray, shape (n_frames + 1,)
        Lower bound on the cost of frames i and later of `a`.

    Returns
    -------
    float
        The squared distance, or infinity if it is above the limit.
    """
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
# The second song below is the first, delayed by one frame. The best path runs one frame off the diagonal and costs nothing. A band of 0 forces the
# path onto the diagonal, and the cost is the squared Euclidean distance.

# %%
song = np.array([[0.0], [0.0], [5.0], [1.0], [0.0], [0.0]])
late = np.roll(song, 1, axis=0)
assert dtw_cost(song, late, 5, np.inf, np.zeros(7)) == 0
assert dtw_cost(song, late, 0, np.inf, np.zeros(7)) == ((song - late) ** 2).sum()
assert dtw_cost(song, late, 0, 1.0, np.zeros(7)) == np.inf


# %% [markdown]
# ### As a metric
#
# `dtw_metric` compiles the distance for rows that are flattened spectrograms, frequency by time. Its frames are the *columns*.
#
# The original code reshaped the rows in the same way, but used the rows of the spectrogram as frames. So it warped along frequency.
# `along="frequency"` reproduces this. The original distance also differs: it is the mean of the squared differences along the path.

# %%
#| export
def _dtw_frames(
    shape: tuple,  # of a spectrogram: (n_bands, n_moments)
    band: int | None,  # largest shift, in frames; None allows any
    along: str,  # "time" or "frequency"
) -> tuple:  # (number of frames, band)
    "Check the arguments of DTW; raises `ValueError`."
    if along not in ("time", "frequency"):
        raise ValueError(f"along is {along!r}; it must be 'time' or 'frequency'.")
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be the shape of a spectrogram, (n_bands, n_moments).")
    n = shape[1] if along == "time" else shape[0]
    if band is not None and (isinstance(band, bool) or not isinstance(band, numbers.Integral) or band < 0):
        raise ValueError(f"band is {band!r}; it must be None or a whole number of at least 0.")
    return n, n if band is None else min(int(band), n)


@functools.cache
def _compiled_dtw():
    "Compile the recursion once."
    import numba

    return numba.njit(dtw_cost, fastmath={"reassoc", "contract"})  # sums in any order, so that the compiler can vectorize them


def dtw_metric(shape: tuple, band: int | None = None, along: str = "time"):
    """Compile DTW as a metric between flattened spectrograms, for umap-learn, pynndescent and `fuzzy_graph`.

    Parameters
    ----------
    shape : tuple
        Shape of a spectrogram before it was flattened, (n_bands, n_moments).
    band : int or None
        Largest shift, in frames. `None` allows any.
    along : {"time", "frequency"}
        `"frequency"` uses the rows of a spectrogram as frames, as the original code did.

    Returns
    -------
    numba function of two rows
        Raises `ValueError` if a row has another number of values than `shape`.

    Raises
    ------
    ValueError
        If an argument is invalid.
    """
    n, width = _dtw_frames(shape, band, along)
    return _dtw_metric(int(shape[0]), int(shape[1]), n, width, along == "time")


@functools.cache
def _dtw_metric(n_bands, n_moments, n, width, by_columns):
    "Compile the metric once for each shape of spectrogram."
    import numba

    cost = _compiled_dtw()

    @numba.njit
    def dtw(x, y):
        if x.size != n_bands * n_moments or y.size != n_bands * n_moments:
            raise ValueError("dtw_metric: a row does not have as many values as a picture of the given shape; pass the shape of your spectrograms.")
        a = np.ascontiguousarray(x).reshape(n_bands, n_moments)
        b = np.ascontiguousarray(y).reshape(n_bands, n_moments)
        if by_columns:
            a, b = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
        return np.sqrt(cost(a, b, width, np.inf, np.zeros(n + 1)))

    return dtw


# %% [markdown]
# The examples use synthetic songs: tones that rise, fall, or fall and rise. They differ in onset and speed.

# %%
def made_up_songs(n, n_bands=12, n_moments=20, random_state=0):
    "Spectrograms of tones, shape (n, n_bands * n_moments), and the class (0, 1, 2) of each."
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
# With `along="time"`, a delayed spot is at distance 0, and a spot of higher frequency is not. With `along="frequency"` it is the reverse.

# %%
spot = np.zeros((12, 20), "float32")
spot[3:6, 8:10] = 1
later, higher = np.roll(spot, 4, axis=1), np.roll(spot, 4, axis=0)
along_frequency = dtw_metric((12, 20), along="frequency")
assert warped(spot.ravel(), later.ravel()) == 0 < warped(spot.ravel(), higher.ravel())
assert along_frequency(spot.ravel(), higher.ravel()) == 0 < along_frequency(spot.ravel(), later.ravel())


# %% [markdown]
# ### Nearest neighbors
#
# `dtw_neighbors` finds the exact nearest neighbors, but computes the full distance of few pairs. Five shortcuts save time. None of them changes the
# result.
#
# - *Upper bound*. The diagonal is a path, so the DTW cost is at most the squared Euclidean distance. Rows are tried in the order of their Euclidean
#   distance. The largest distance among the first `n_neighbors` rows limits the search from the start.
# - *Lower bound* (Keogh and Ratanamahatana, 2005). Within the band, frame $a_i$ is matched with a few frames of $b$ only. If it is outside their
#   range, the excess is part of the cost. The same holds with $a$ and $b$ exchanged. A row is skipped if either bound exceeds the cost of the last
#   neighbor so far. Without a band the bound is weak.
# - *Early abandoning* (Rakthanmanon et al., 2012). The recursion stops when its cost so far plus the lower bound of the rest exceeds the limit.
# - *Fewer coordinates*. A projection onto the first eight principal directions shortens the distances between frames. So the DTW cost there is
#   another lower bound, and a tight one. The order of the rows and the two bounds above are computed in these directions. Rows that pass all
#   bounds are computed in full.
# - *Eight rows at once*. Each step of the recursion waits for the last, so one pair at a time is slow. The bound in eight directions is computed for
#   eight rows together, in single precision. All terms are positive, so the relative error of a sum is at most the number of roundings on a path
#   times that of one. The limit is raised by this error, and by that of the rounded coordinates.
#
# [benchmarks/dtw](../benchmarks/dtw.ipynb) measures the gain on real songs.

# %%
#| export
def dtw_envelopes(frames: np.ndarray, band: int) -> tuple:
    """Compute the lowest and highest values within the band around each frame.

    Parameters
    ----------
    frames : ndarray, shape (n_rows, n_frames, n_bands)
    band : int

    Returns
    -------
    (ndarray, ndarray)
        Lowest and highest values, both of the shape of `frames`.
    """
    n = frames.shape[1]
    if band >= n - 1:
        return tuple(np.repeat(f(frames, axis=1, keepdims=True), n, axis=1) for f in (np.min, np.max))
    low, high = frames.copy(), frames.copy()
    for s in range(1, band + 1):
        for here, there in ((slice(s, None), slice(None, -s)), (slice(None, -s), slice(s, None))):
            np.minimum(low[:, here], frames[:, there], out=low[:, here])
            np.maximum(high[:, here], frames[:, there], out=high[:, here])
    return low, high


def dtw_bound(a: np.ndarray, low: np.ndarray, high: np.ndarray, rest: np.ndarray) -> float:
    """Compute a lower bound on `dtw_cost` from the envelope of the other row.

    Parameters
    ----------
    a : ndarray, shape (n_frames, n_bands)
    low : ndarray, shape (n_frames, n_bands)
        Lower envelope of the other row.
    high : ndarray, shape (n_frames, n_bands)
        Upper envelope of the other row.
    rest : ndarray, shape (n_frames + 1,)
        Is filled with the lower bound of frames i and later.

    Returns
    -------
    float
        At most the squared distance.
    """
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
LANES = 8  # rows that are computed together


def dtw_lanes(a: np.ndarray, b: np.ndarray, band: int, limit: float, rest: np.ndarray, above: np.ndarray, row: np.ndarray, step: np.ndarray):
    """Compute `dtw_cost` for `LANES` rows at once, in single precision.

    Parameters
    ----------
    a : ndarray, float32, shape (n_frames, n_bands)
        Frames of one row; `n_bands` is a multiple of 4.
    b : ndarray, float32, shape (n_bands, n_frames * LANES)
        Frames of the other rows. Within a band, the values of all rows for one frame are adjacent.
    band : int
    limit : float
        Costs above this are not computed to the end.
    rest : ndarray, shape (n_frames + 1,)
        Lower bound on the cost of frames i and later of `a`, with any of the rows.
    above : ndarray, float32, shape ((n_frames + 1) * LANES,)
        Work space.
    row : ndarray, float32, shape ((n_frames + 1) * LANES,)
        Work space.
    step : ndarray, float32, shape (n_frames * LANES,)
        Work space.

    Returns
    -------
    ndarray, shape (LANES,)
        The squared distances; all are infinite if the recursion stopped at the limit.
    """
    n, n_bands = a.shape
    above[:] = np.inf
    above[:LANES] = 0
    for i in range(n):
        first, last = max(0, i - band) * LANES, min(n, i + band + 1) * LANES
        cells = step[first:last]
        cells[:] = 0
        for f in range(0, n_bands, 4):  # four bands at once: fewer loads and stores of the sum
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
    "Project frames onto their first principal directions; also bound the rounding errors of costs in these coordinates."
    n_rows, n_frames, n_bands = frames.shape
    flat = frames.reshape(-1, n_bands).astype(np.float64)
    directions = np.linalg.eigh(np.cov(flat, rowvar=False).reshape(n_bands, n_bands))[1][:, ::-1][:, :n_coordinates]
    Z = (flat @ directions).astype(np.float32).reshape(n_rows, n_frames, -1)
    Z = np.ascontiguousarray(np.pad(Z, ((0, 0), (0, 0), (0, n_coordinates - Z.shape[2]))))
    slack = 1 + (n_coordinates + 2 * n_frames + 8) * 2.0**-23  # relative rounding error of a sum of positive terms
    room = math.sqrt(2 * n_frames * n_coordinates) * 2.0**-23 * np.sqrt((flat**2).sum(axis=1).max())  # rounding errors of the coordinates
    return Z, slack, room


def _dtw_insert(indices, squares, j, value):
    "Insert row j into the neighbors so far if it is nearer than the last one; place 0 is the row itself."
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
    "Compile the parallel search over all rows."
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
            near[i] = -1  # the row itself comes first, also if copies of it are at distance 0
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
def dtw_neighbors(X: np.ndarray, n_neighbors: int = 15, shape: tuple | None = None, band: int | None = None, along: str = "time"):
    """Find the exact nearest neighbors by dynamic time warping, in parallel with numba's threads.

    Parameters
    ----------
    X : ndarray, shape (n_rows, n_bands * n_moments) or (n_rows, n_bands, n_moments[, 1])
    n_neighbors : int
        Neighbors of each row, with the row itself.
    shape : tuple or None
        (n_bands, n_moments); needed if the spectrograms are flattened.
    band : int or None
        Largest shift, in frames. `None` allows any.
    along : {"time", "frequency"}
        See `dtw_metric`.

    Returns
    -------
    (ndarray, ndarray), shape (n_rows, n_neighbors)
        Indices (int32) and distances (float32), nearest first, for `precomputed_knn` of `fuzzy_graph`.

    Raises
    ------
    ValueError
        If an argument is invalid, if `X` holds NaN or infinity, or if it has too few rows for `n_neighbors`.
    """
    from pumap.graph import check_rows  # imports scikit-learn, which `pumap run --dry-run` does not need

    X = np.asarray(X, dtype=np.float32)
    shape = X.shape[1:3] if shape is None else shape
    _, width = _dtw_frames(shape, band, along)
    if X[0].size != math.prod(shape):
        raise ValueError(f"X has {X[0].size} values in a row, but a picture of shape {tuple(shape)} has {math.prod(shape)}.")
    frames = X.reshape(len(X), *shape)
    check_rows(frames.reshape(len(X), -1), n_neighbors)
    if not np.isfinite(frames).all():
        raise ValueError("X holds NaN or infinite values; remove these rows or fix them.")
    frames = frames.transpose(0, 2, 1) if along == "time" else frames
    indices, squares = np.zeros((len(X), n_neighbors), np.int32), np.zeros((len(X), n_neighbors))
    frames = np.ascontiguousarray(frames)
    Z, slack, room = _dtw_coordinates(frames)
    _compiled_search()(frames, Z, *dtw_envelopes(Z, width), width, slack, room, indices, squares)
    return indices, np.sqrt(squares).astype(np.float32)


# %% [markdown]
# The neighbors are the same as those from the distances of all pairs.

# %%
few = songs[:80]
for band in (3, None):
    metric = dtw_metric((12, 20), band)
    plain = np.array([[metric(a, b) for b in few] for a in few])
    np.fill_diagonal(plain, -1)  # the row itself comes first
    indices, distances = dtw_neighbors(few, 6, (12, 20), band)
    assert_array_equal(indices, np.argsort(plain, axis=1)[:, :6])
    assert_allclose(distances[:, 1:], np.sort(plain, axis=1)[:, 1:6], rtol=1e-5)

# %% [markdown]
# `fuzzy_graph` takes these neighbors as `precomputed_knn`. Alternatively, `metric=metric` makes its own search use the distance.

# %%
song_graph = fuzzy_graph(songs, n_neighbors=6, precomputed_knn=dtw_neighbors(songs, 6, (12, 20))).tocoo()
assert np.average(kind[song_graph.row] == kind[song_graph.col], weights=song_graph.data) > 0.95
