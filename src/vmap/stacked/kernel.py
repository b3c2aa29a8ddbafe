"""Loss, score and gradient of many small `MLP`s in one pass over the samples, compiled by Numba.

PyTorch writes to memory what each operation makes. Here a piece of the samples goes through a network and back while it
stays in a core's cache.

Axes: ``m`` models, ``n`` samples of a part, ``b`` of a batch, ``f`` inputs and ``o`` outputs of a layer, ``l`` layers,
``p`` weights of one model, ``t`` targets. A layer's weights and biases stand side by side, (o, f + 1), and its inputs
above a row of ones; both are filled with zeros to a multiple of 4.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Rows: TypeAlias = NDArray[np.float32]
Counts: TypeAlias = NDArray[np.int64]
# Of one model: widths of inputs and layers (l + 1,), what follows each layer (l,), inputs of what it merges with (l,);
# where in a row of weights each layer begins (l,), and the widths that a row has room for (l + 1,).
Layers: TypeAlias = tuple[Counts, Counts, Counts, Counts, Counts]

# After a layer: its map is one with that of the next; or what acts on each output.
MERGED, IDENTITY, RELU, TANH = -1, 0, 1, 2
BCE, CROSS_ENTROPY, MSE = 0, 1, 2

# Numbers of a piece of the samples in all layers together, which stays in the caches of one core.
_PIECE = 24576
# Python's own would make all arithmetic double.
_0, _HALF, _1, _2, _LOWEST = (np.float32(value) for value in (0, 0.5, 1, 2, -87))
_LOG2_E, _LN2, _LN2_REST = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
# Of (exp(r) - 1 - r) / r² where |r| is at most half of ln 2, and of (atanh(s) - s) / s³ where s is at most a third.
# Source: Cephes, expf.c; the series of atanh.
_E0, _E1, _E2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_E3, _E4, _E5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_A0, _A1, _A2, _A3, _A4, _A5 = (np.float32(1 / value) for value in (13, 11, 9, 7, 5, 3))


def _compiled(*flags: str) -> Callable[[F], F]:
    """Compiled when it is first called; kept beside this file, or where nobody may write there, in memory alone."""
    options: dict[str, Any] = {"fastmath": set(flags), "nogil": True, "error_model": "numpy"}

    def compiled(function: F) -> F:
        try:
            return cast("F", njit(cache=True, **options)(function))
        except RuntimeError:
            return cast("F", njit(**options)(function))

    return compiled


_exact = _compiled("contract")
# Sums may be taken in any order. Nothing is assumed of NaN and infinity, by which a model is known to be lost.
_summing = _compiled("contract", "reassoc", "nsz", "arcp")


@_exact
def exp_below(x: Any) -> Any:
    """Exp of x <= 0."""
    x = _LOWEST if x < _LOWEST else x
    t = x * _LOG2_E - _HALF
    # NaN is no integer
    k = np.int32(_0 if np.isnan(t) else t)
    r = x - np.float32(k) * _LN2 - np.float32(k) * _LN2_REST
    q = r + r * r * (((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5)
    # 2 to the k, by its bits
    s = np.int32((k + np.int32(127)) << np.int32(23)).view(np.float32)
    return s + s * q


@_exact
def log1p_below(e: Any) -> Any:
    """log(1 + e) of e from 0 to 1."""
    s = e / (_2 + e)
    z = s * s
    return _2 * (s + s * z * (((((_A0 * z + _A1) * z + _A2) * z + _A3) * z + _A4) * z + _A5))


@_exact
def tanh(x: Any) -> Any:
    """Through exp(-2 |x|)."""
    e = exp_below(-_2 * abs(x))
    return (_1 - e) / (_1 + e) if x >= _0 else (e - _1) / (_1 + e)


@_summing
def _multiply(a: Rows, o: int, k: int, x: Rows, x0: int, y: Rows, y0: int) -> None:
    """Rows from y0: the products of a (o, k) and rows from x0."""
    for i in range(o):
        out = y[y0 + i]
        if k % 4 or k == 0:
            out[:] = _0
        for j in range(k % 4):
            a0, r0 = a[i, j], x[x0 + j]
            for c in range(y.shape[1]):
                out[c] += a0 * r0[c]
        for j in range(k % 4, k, 4):
            a0, a1, a2, a3 = a[i, j], a[i, j + 1], a[i, j + 2], a[i, j + 3]
            r0, r1, r2, r3 = x[x0 + j], x[x0 + j + 1], x[x0 + j + 2], x[x0 + j + 3]
            for c in range(y.shape[1]):
                out[c] = a0 * r0[c] + a1 * r1[c] + a2 * r2[c] + a3 * r3[c] + (out[c] if j else _0)


@_summing
def _add_outer(g: Rows, o: int, k: int, d: Rows, x: Rows, x0: int) -> None:
    """Add to g (o, k) the products of the first o rows of d and rows from x0 of x."""
    for i in range(o):
        row = d[i]
        for j in range(0, k, 4):
            r0, r1, r2, r3 = x[x0 + j], x[x0 + j + 1], x[x0 + j + 2], x[x0 + j + 3]
            s0 = s1 = s2 = s3 = _0
            for c in range(x.shape[1]):
                v = row[c]
                s0, s1, s2, s3 = s0 + v * r0[c], s1 + v * r1[c], s2 + v * r2[c], s3 + v * r3[c]
            for e, total in enumerate((s0, s1, s2, s3)):
                g[i, j + e] += total


@_summing
def _activate(code: int, h: Rows, h0: int, o: int) -> None:
    for i in range(o):
        row = h[h0 + i]
        for c in range(len(row) if code == RELU else 0):
            row[c] = _0 if row[c] <= _0 else row[c]
        for c in range(len(row) if code == TANH else 0):
            row[c] = tanh(row[c])


@_summing
def _multiply_with_slopes(code: int, h: Rows, h0: int, o: int, d: Rows) -> None:
    """The first o rows of d, with the slopes of an activation, known from what it has put out."""
    for i in range(o):
        row, out = h[h0 + i], d[i]
        for c in range(len(row) if code == RELU else 0):
            out[c] = _0 if row[c] <= _0 else out[c]
        for c in range(len(row) if code == TANH else 0):
            out[c] *= _1 - row[c] * row[c]


@_summing
def _lose(kind: int, z: Rows, y: Rows, n: int, d: Rows, is_asked: bool) -> tuple[Any, Any]:  # noqa: FBT001
    """Loss and score, if asked for, of n outputs z (t, b), summed; their slopes go to d, which has two rows more."""
    t, top, total, loss, score = len(z), d[len(z)], d[len(z) + 1], np.float64(0), np.float64(0)
    for i in range(t if kind == CROSS_ENTROPY else 0):
        for c in range(n):
            top[c] = top[c] if i and not z[i, c] > top[c] else z[i, c]
    for i in range(t if kind == CROSS_ENTROPY else 0):
        for c in range(n):
            d[i, c] = exp_below(z[i, c] - top[c])
            total[c] = d[i, c] + (total[c] if i else _0)
    for c in range(n if kind == CROSS_ENTROPY and is_asked else 0):
        label = int(y[0, c])
        loss += np.log(total[c]) + top[c] - z[label, c]
        score += z[label, c] == top[c]
    for i in range(t):
        row, own, out, number, lost, hit = z[i], y[i % len(y)], d[i], np.float32(i), _0, _0
        for c in range(n if kind == CROSS_ENTROPY else 0):
            out[c] = out[c] / total[c] - (_1 if own[c] == number else _0)
        for c in range(n if kind == BCE else 0):
            x, e = row[c], exp_below(-abs(row[c]))
            lost += (_0 if x < _0 else x) - x * own[c] + log1p_below(e)
            hit += _1 if (x > _0) == (own[c] > _HALF) else _0
            out[c] = (_1 if x >= _0 else e) / (_1 + e) - own[c]
        for c in range(n if kind == MSE else 0):
            out[c] = _2 * (row[c] - own[c])
            lost += (row[c] - own[c]) * (row[c] - own[c])
            hit += abs(row[c] - own[c])
        loss += lost
        score += hit
    return loss, score


@_exact
def _filled(n: int, unit: int = 4) -> int:
    return (n + unit - 1) // unit * unit


@_exact
def _rows(n: int, size: int) -> Rows:
    """Zeros (n, size) that begin where a register's worth of memory does."""
    numbers = np.zeros(n * size + 16, np.float32)
    start = (64 - numbers.ctypes.data % 64) % 64 // 4
    return numbers[start : start + n * size].reshape(n, size)


@_exact
def _take(part: Rows, numbers: Counts, rows: Rows) -> None:
    """Put the samples of a part (f, n) that have these numbers into the first f rows, and 0 behind them."""
    for i in range(len(part)):
        row, source = rows[i], part[i]
        for c in range(len(numbers)):
            row[c] = source[numbers[c]]
        row[len(numbers) :] = _0


@_summing
def _maps_of(row: Rows, layers: Layers, maps: Rows) -> None:
    """Put a model's layers into maps (l, o, f + 1), each as one map with those before it that it is merged with."""
    widths, codes, inputs, starts, room = layers
    for j in range(len(codes)):
        h, w, is_merged = widths[j], starts[j], j > 0 and codes[j - 1] == MERGED
        for i in range(widths[j + 1]):
            out, own = maps[j, i], row[w + i * room[j] :]
            out[:] = _0
            for e in range(h):
                for c in range(_filled(inputs[j] + 1) if is_merged else 0):
                    out[c] += own[e] * maps[j - 1, e, c]
                out[e] += _0 if is_merged else own[e]
            out[inputs[j]] += row[w + room[j + 1] * room[j] + i]


@_summing
def _unmerge(row: Rows, layers: Layers, maps: Rows, slopes: Rows, factor: Any, grad: Rows) -> None:
    """Gradient of each layer from slopes (l, o, f + 1), those of the maps; merged layers share by the chain rule."""
    widths, codes, inputs, starts, room = layers
    for j in range(len(codes) - 1, -1, -1):
        w, r, is_merged = starts[j], room[j], j > 0 and codes[j - 1] == MERGED
        for i in range(widths[j + 1]):
            g = slopes[j, i]
            grad[w + room[j + 1] * r + i] = factor * g[inputs[j]]
            for e in range(widths[j]):
                total, own = _0 if is_merged else g[e], row[w + i * r + e]
                for c in range(_filled(inputs[j] + 1) if is_merged else 0):
                    total += g[c] * maps[j - 1, e, c]
                    slopes[j - 1, e, c] += own * g[c]
                grad[w + i * r + e] = factor * total


@_summing
def learn(
    weights: Rows, x: Rows, y: Rows, numbers: Counts, models: tuple[Counts, ...], kind: int, means: Rows, grad: Rows
) -> None:
    """Loss, score and gradient of a batch, for each model by itself.

    Args:
        weights: (m, p).
        x: (m or 1, f, n).
        y: (m or 1, t, n), labels too.
        numbers: Samples of the batch (r, b).
        models: Which row of ``numbers`` each model has (m,), and what `Layers` says of each, the first three (m, ...).
        kind: Of the loss.
        means: For loss and score of each model (2, m); (2, 0) for none.
        grad: For the gradient (m, p), 0 where a model has no weight; (0, p) for none.
    """
    row_of, widths, codes, inputs, starts, room = models
    n_layers, most, t, b = len(starts), max(room.max(), 4), y.shape[1], numbers.shape[1]
    n_rows = _filled(most + 1) * (n_layers + 1)
    # in pieces of one size, a multiple of what a register holds
    n_pieces = -(-b // max(_PIECE // (n_rows + most + t), 64))
    size = _filled(-(-b // n_pieces), 16)
    h, own, d, d_next = _rows(n_rows, size), _rows(t, size), _rows(most + 2, size), _rows(most + 2, size)
    maps = np.zeros((n_layers, most, _filled(most + 1)), np.float32)
    slopes = np.zeros((n_layers, most, _filled(most + 1)), np.float32)
    # where the inputs of each layer begin, and which layer they come from
    first, before = np.empty(n_layers + 1, np.int64), np.empty(n_layers, np.int64)
    for m in range(len(weights)):
        w, code = widths[m], codes[m]
        layers = w, code, inputs[m], starts, room
        _maps_of(weights[m], layers, maps)
        last, end = -1, 0
        for j in range(n_layers + 1):
            if j == 0 or code[j - 1] != MERGED:
                first[j] = end
                end += _filled(w[j] + 1)
                h[first[j] + w[j]] = _1
                h[first[j] + w[j] + 1 : end] = _0
            if j < n_layers and code[j] != MERGED:
                before[j], last = last, j
        slopes[:] = _0
        order, z, loss, score = numbers[row_of[m]], h[first[n_layers] : first[n_layers] + w[n_layers]], 0.0, 0.0
        for start in range(0, b, size):
            n = min(size, b - start)
            _take(x[m % len(x)], order[start : start + n], h)
            _take(y[m % len(y)], order[start : start + n], own)
            for j in range(n_layers):
                if code[j] != MERGED:
                    e = before[j] + 1
                    _multiply(maps[j], w[j + 1], _filled(w[e] + 1), h, first[e], h, first[j + 1])
                    _activate(code[j], h, first[j + 1], w[j + 1])
            more = _lose(kind, z, own, n, d, means.shape[1] > 0)
            loss, score = loss + more[0], score + more[1]
            d[:, n:] = _0
            j = n_layers - 1 if len(grad) else -1
            while j >= 0:
                e = before[j]
                _add_outer(slopes[j], w[j + 1], _filled(w[e + 1] + 1), d, h, first[e + 1])
                if e >= 0:
                    _multiply(maps[j].T, w[e + 1], w[j + 1], d, 0, d_next, 0)
                    _multiply_with_slopes(code[e], h, first[e + 1], w[e + 1], d_next)
                    d, d_next = d_next, d
                j = e
        counted = b if kind == CROSS_ENTROPY else b * t
        if means.shape[1]:
            means[0, m], means[1, m] = loss / counted, score / counted
        if len(grad):
            grad[m] = _0
            _unmerge(weights[m], layers, maps, slopes, np.float32(1 / counted), grad[m])
