#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second decoder for Tacit archives, written from archive.md and numeric.md.

It shares no code with the C++ one. Where both agree on an archive, the pages are complete and the arithmetic can be
redone bit for bit in another language; where they do not, one of the three is wrong. It is meant to be read next to
the pages: the parts below are named after their sections. What the pages left open is listed in README.md. It is slow.

All arithmetic on floats is binary32, one rounding an operation: numpy arrays of float32, and constants that are float32
too, as numpy 1 makes a double of a float32 scalar and a Python number. Neither np.sum (pairwise) nor a float matrix
product (any order, fused) is used: dot products are integers, and floats are added by `add_up`, in order. Doubles, for
the rotary tables and the experts, are Python's floats; Python's sum, which may compensate, is not used on them.
"""
import argparse
import functools
import hashlib
import itertools
import math
import operator
import re
import struct
import sys
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

F = np.float32


class Refused(Exception):
    """One line: what is wrong, where, what was found and what was expected."""


def expect(right: bool, offset: int, field: str, found, expected) -> None:
    if not right:
        raise Refused(f"offset {offset}: {field}: found {found}, expected {expected}")


class Cursor:
    """Reads little-endian fields one after the other, up to `end`."""

    def __init__(self, data: bytes, offset: int = 0, end: int | None = None):
        self.data, self.offset, self.end = data, offset, len(data) if end is None else end

    def take(self, size: int, field: str) -> bytes:
        left = self.end - self.offset
        expect(size <= left, self.offset, field, f"{left} bytes", f"{size} bytes")
        self.offset += size
        return self.data[self.offset - size : self.offset]

    def integer(self, size: int, field: str) -> int:
        return int.from_bytes(self.take(size, field), "little")

    def exactly(self, size: int, field: str, expected: int) -> None:
        found = self.integer(size, field)
        expect(found == expected, self.offset - size, field, f"{found:#x}", f"{expected:#x}")

    def varint(self, field: str, maximum: int = 2**64 - 1) -> int:
        start, value = self.offset, 0
        for count in range(10):
            byte = self.integer(1, field)
            value |= (byte & 127) << 7 * count
            if byte < 128:
                expect(byte > 0 or count == 0, start, field, "a longer form", "the shortest form of a varint")
                expect(value <= maximum, start, field, value, f"at most {maximum}")
                return value
        raise Refused(f"offset {start}: {field}: found more than 10 bytes, expected a varint")


# ---- The model file: GGUF 2 and 3, little endian, as the format's own specification defines it ----

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
F32, F16, BF16, TQ1_0, TQ2_0, MXFP4, NVFP4 = 0, 1, 30, 34, 35, 39, 40
Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS = 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23
BLOCK_SIZES = {  # elements, bytes
    F32: (1, 4), F16: (1, 2), BF16: (1, 2), Q4_0: (32, 18), Q4_1: (32, 20), Q5_0: (32, 22), Q5_1: (32, 24),
    Q8_0: (32, 34), Q2_K: (256, 84), Q3_K: (256, 110), Q4_K: (256, 144), Q5_K: (256, 176), Q6_K: (256, 210),
    IQ4_NL: (32, 18), IQ4_XS: (256, 136), TQ1_0: (256, 54), TQ2_0: (256, 66), MXFP4: (32, 17),
    NVFP4: (64, 36),
}  # fmt: skip


class Gguf:
    def __init__(self, data: bytes):
        cursor = Cursor(data)
        cursor.exactly(4, "GGUF magic", 0x46554747)
        version = cursor.integer(4, "GGUF version")
        expect(version in (2, 3), 4, "GGUF version", version, "2 or 3")
        tensor_count, key_count = cursor.integer(8, "tensor count"), cursor.integer(8, "key count")
        self.keys = {}
        for _ in range(key_count):
            name = self._string(cursor).decode()
            self.keys[name] = self._value(cursor, cursor.integer(4, name))
        infos = []
        for _ in range(tensor_count):
            name = self._string(cursor).decode()
            shape = [cursor.integer(8, name) for _ in range(cursor.integer(4, name))]
            infos.append((name, shape[::-1], cursor.integer(4, name), cursor.integer(8, name)))  # row-major shape
        alignment = self.keys.get("general.alignment", 32)
        base = -(-cursor.offset // alignment) * alignment
        self.tensors = {}
        for name, shape, kind, offset in infos:
            if kind in BLOCK_SIZES:  # the others are of no use here
                elements, size = BLOCK_SIZES[kind]
                raw = Cursor(data, base + offset).take(math.prod(shape) // elements * size, name)
                self.tensors[name] = (kind, shape, np.frombuffer(raw, np.uint8))

    def _string(self, cursor: Cursor) -> bytes:
        return cursor.take(cursor.integer(8, "string size"), "string")

    def _value(self, cursor: Cursor, kind: int):
        if kind == 8:
            return self._string(cursor)
        if kind == 9:
            kind, count = cursor.integer(4, "array type"), cursor.integer(8, "array size")
            return [self._value(cursor, kind) for _ in range(count)]
        expect(kind in SCALARS, cursor.offset, "value type", kind, "0 to 12")
        return struct.unpack(SCALARS[kind], cursor.take(struct.calcsize(SCALARS[kind]), "value"))[0]

    def tensor(self, name: str) -> tuple[int, list[int], np.ndarray]:
        expect(name in self.tensors, 0, f"tensor {name}", "none", "one of a type of BLOCK_SIZES")
        return self.tensors[name]

    def floats(self, name: str) -> np.ndarray:
        """A tensor as float32."""
        kind, shape, raw = self.tensor(name)
        if kind == BF16:
            return (raw.view("<u2").astype(np.uint32) << 16).view(F).reshape(shape)
        if kind in (F32, F16):
            return raw.view("<f2" if kind == F16 else "<f4").astype(F).reshape(shape)
        w, sw, mw = self.parts(name)
        products = w.astype(F) * sw[..., None]
        return (products if mw is None else products + mw[..., None]).reshape(shape)

    def parts(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """A quantised tensor as w [rows, parts, elements], sw [rows, parts] and mw, where the type has it."""
        kind, shape, raw = self.tensor(name)
        w, sw, mw = blocks_of(kind, raw.reshape(-1, BLOCK_SIZES[kind][1]))
        sw, mw = sw.reshape(shape[0], -1), None if mw is None else mw.reshape(shape[0], -1)
        return w.reshape(*sw.shape, -1), sw, mw


# ---- numeric.md, 2: the types, for [blocks, bytes] ----

IQ4_NUMBERS = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])
E2M1_TWICE = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12])


def half(raw: np.ndarray, at: int) -> np.ndarray:
    return np.ascontiguousarray(raw[:, at : at + 2]).view("<f2").astype(F)


def fields(raw: np.ndarray, bits: int, stride: int) -> np.ndarray:
    """Field j of byte l is element j * stride + l of a group of `stride` bytes."""
    groups = raw.reshape(len(raw), -1, 1, stride) >> np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    return (groups & (2**bits - 1)).reshape(len(raw), -1).astype(np.int64)


def fifth_bits(raw: np.ndarray) -> np.ndarray:
    return np.unpackbits(raw, axis=-1, bitorder="little").astype(np.int64) << 4


def ternary_digits(raw: np.ndarray, stride: int, count: int) -> np.ndarray:
    """Digit n of a byte is the carry of three times byte * 3^n (mod 256)."""
    powers = np.array([1, 3, 9, 27, 81], np.uint8)[:count, None]
    rest = raw.reshape(len(raw), -1, 1, stride) * powers
    return (rest.astype(np.int64) * 3 >> 8).reshape(len(raw), -1)


def blocks_of(kind: int, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """w, sw and mw; sw and mw [blocks, parts]."""
    if kind == Q8_0:
        return raw[:, 2:].astype(np.int8), half(raw, 0), None
    if kind in (Q4_0, IQ4_NL):
        q = fields(raw[:, 2:], 4, 16)
        return (q - 8 if kind == Q4_0 else IQ4_NUMBERS[q]), half(raw, 0), None
    if kind == Q4_1:
        return fields(raw[:, 4:], 4, 16), half(raw, 0), half(raw, 2)
    if kind == Q5_0:
        return fields(raw[:, 6:], 4, 16) + fifth_bits(raw[:, 2:6]) - 16, half(raw, 0), None
    if kind == Q5_1:
        return fields(raw[:, 8:], 4, 16) + fifth_bits(raw[:, 4:8]), half(raw, 0), half(raw, 2)
    if kind == Q2_K:
        low, high = (raw[:, :16] & 15).astype(F), (raw[:, :16] >> 4).astype(F)
        return fields(raw[:, 16:80], 2, 32), half(raw, 80) * low, -(half(raw, 82) * high)
    if kind == Q3_K:
        q = fields(raw[:, 32:96], 2, 32) + (fields(raw[:, :32], 1, 32) << 2)
        scale = fields(raw[:, 96:104], 4, 8) + (fields(raw[:, 104:108], 2, 4) << 4)
        return q - 4, half(raw, 108) * (scale - 32).astype(F), None
    if kind in (Q4_K, Q5_K):
        a, b, c = raw[:, 4:8], raw[:, 8:12], raw[:, 12:16]
        sc = np.concatenate([a & 63, (c & 15) | (a >> 6) << 4], axis=-1).astype(F)
        mc = np.concatenate([b & 63, c >> 4 | (b >> 6) << 4], axis=-1).astype(F)
        q = fields(raw[:, -128:], 4, 32)
        if kind == Q5_K:
            q = q + (fields(raw[:, 16:48], 1, 32) << 4)
        return q, half(raw, 0) * sc, -(half(raw, 2) * mc)
    if kind == Q6_K:
        q = fields(raw[:, :128], 4, 64) + (fields(raw[:, 128:192], 2, 32) << 4)
        return q - 32, half(raw, 208) * raw[:, 192:208].astype(np.int8).astype(F), None
    if kind == IQ4_XS:
        high = np.ascontiguousarray(raw[:, 2:4]).view("<u2").astype(np.int64) >> np.arange(0, 16, 2) & 3
        scale = fields(raw[:, 4:8], 4, 1) + (high << 4) - 32
        return IQ4_NUMBERS[fields(raw[:, 8:], 4, 16)], half(raw, 0) * scale.astype(F), None
    if kind == TQ1_0:
        pieces = (raw[:, :32], 32, 5), (raw[:, 32:48], 16, 5), (raw[:, 48:52], 4, 4)
        return (
            np.concatenate([ternary_digits(*piece) for piece in pieces], axis=-1) - 1,
            np.repeat(half(raw, 52), 8, axis=1),
            None,
        )
    if kind == TQ2_0:
        return fields(raw[:, :64], 2, 32) - 1, np.repeat(half(raw, 64), 8, axis=1), None
    if kind == MXFP4:
        return E2M1_TWICE[fields(raw[:, 1:], 4, 16)], np.ldexp(F(1), raw[:, :1].astype(int) - 128).astype(F), None
    exponent, mantissa = raw[:, :4].astype(int) >> 3 & 15, (raw[:, :4] & 7).astype(F)  # NVFP4
    number = np.where(exponent == 0, np.ldexp(mantissa, -9), np.ldexp(mantissa + F(8), exponent - 10)) * F(0.5)
    return E2M1_TWICE[fields(raw[:, 4:], 4, 8)], np.where(raw[:, :4] == 127, F(0), number).astype(F), None


# ---- numeric.md, 1: quantisation ----

INT8, INT16, ATTENTION = F(127), F(4095), F(16383)
ROUND = F(12582912)


def padded(x: np.ndarray, block: int) -> np.ndarray:
    """[..., n] as [..., blocks, block]; what is missing from the last block is 0."""
    if x.shape[-1] % block:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % block)])
    return x.reshape(*x.shape[:-1], -1, block)


def quantise(x: np.ndarray, m: np.float32, block: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """[..., n] as integers [..., blocks, block] and scales [..., blocks]."""
    x = padded(x, block)
    a = (x.view(np.uint32) & 0x7FFFFFFF).max(axis=-1).view(F)
    broken, zero = ~np.isfinite(a), a < F(2.0**-100)
    r = m / np.where(zero | broken, F(1), a)
    q = np.where((zero | broken)[..., None], F(0), (x * r[..., None] + ROUND) - ROUND)
    return q.astype(np.int32), np.where(broken, F("nan"), np.where(zero, F(0), a / m))


# ---- numeric.md, 2: linear layers ----


def add_up(terms: np.ndarray) -> np.ndarray:
    """The sum over the first axis: upward, starting from 0."""
    return functools.reduce(np.add, terms, F(0))


class Linear:
    def __init__(self, gguf: Gguf, name: str):
        if gguf.tensor(name + ".weight")[0] in (F32, F16, BF16):
            self.m, minimums = INT16, None
            integers, scales = quantise(gguf.floats(name + ".weight"), INT16)
        else:
            self.m, (integers, scales, minimums) = INT8, gguf.parts(name + ".weight")
        self.integers = np.ascontiguousarray(integers.transpose(1, 2, 0), np.int32)  # [parts, elements, outputs]
        self.scales = np.ascontiguousarray(scales.T)  # [parts, outputs]
        self.minimums = None if minimums is None else np.ascontiguousarray(minimums.T)
        self.bias = gguf.floats(name + ".bias") if name + ".bias" in gguf.tensors else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[lanes, inputs] to [lanes, outputs]."""
        q, s = quantise(x, self.m)
        parts, elements, _ = self.integers.shape
        s = np.repeat(s, parts // s.shape[1], axis=1).T[:, :, None]  # [parts, lanes, 1]
        q = q.reshape(len(x), parts, elements).transpose(1, 0, 2)
        terms = np.einsum("pli,pio->plo", q, self.integers).astype(F) * (s * self.scales[:, None, :])
        if self.minimums is not None:
            sums = q.sum(axis=-1, dtype=np.int32).astype(F)[:, :, None]
            minimums = sums * (s * self.minimums[:, None, :])
            terms = np.stack([terms, minimums], axis=1).reshape(2 * parts, *terms.shape[1:])
        y = add_up(terms)
        return y if self.bias is None else y + self.bias


# ---- numeric.md, 3: exp and silu ----

C0, C1, C2, C3, C4 = (
    F(float.fromhex(c)) for c in ("0x1p-1", "0x1.5554dcp-3", "0x1.55551ap-5", "0x1.120ba2p-7", "0x1.6d113cp-10")
)
LOG2_E, LN2_HIGH, LN2_LOW = (F(float.fromhex(c)) for c in ("0x1.715476p+0", "0x1.62e4p-1", "0x1.7f7d1cp-20"))


def exp(x: np.ndarray) -> np.ndarray:
    zero = x < F(-87)
    x = np.minimum(np.where(zero, F(0), x), F(88))  # a NaN stays one
    n = (x * LOG2_E + ROUND) - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    q = (((C4 * r + C3) * r + C2) * r + C1) * r + C0
    two_to_n = ((np.where(np.isnan(n), F(0), n).astype(np.int32) + 127) << 23).view(F)
    return np.where(zero, F(0), ((q * (r * r) + r) + F(1)) * two_to_n)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (F(1) + exp(-x))


# ---- numeric.md, 4: rotary tables. Python's floats are doubles, its + - * / those of IEEE ----


def hex_doubles(*texts: str) -> list[float]:
    return [float.fromhex(text) for text in texts]


ROUND64 = 6755399441055744.0
LN2_HIGH64, LN2_LOW64, LOG2_E64, SQRT2, TWO_OVER_PI = hex_doubles(
    "0x1.62e42feep-1", "0x1.a39ef35793c76p-33", "0x1.71547652b82fep+0", "0x1.6a09e667f3bcdp+0", "0x1.45f306dc9c883p-1")
HALF_PI = hex_doubles("0x1.921fb5p+0", "0x1.110b46p-26", "0x1.1a6263p-54", "0x1.8a2e03707344ap-81")


def exp64(x: float) -> float:
    n = (x * LOG2_E64 + ROUND64) - ROUND64
    r = (x - n * LN2_HIGH64) - n * LN2_LOW64
    total = 1.0
    for k in range(16, 0, -1):
        total = 1.0 + total * r / k
    return math.ldexp(total, int(n))


def log64(x: float) -> float:
    m, exponent = math.frexp(x)  # m in [1/2, 1)
    m, exponent = m * 2.0, exponent - 1
    if m > SQRT2:
        m, exponent = m * 0.5, exponent + 1
    s = (m - 1.0) / (m + 1.0)
    total = 0.0
    for k in range(23, 0, -2):
        total = total * (s * s) + 1.0 / k
    return exponent * LN2_HIGH64 + (exponent * LN2_LOW64 + 2.0 * s * total)


def sine_cosine64(x: float) -> tuple[float, float]:
    n = (x * TWO_OVER_PI + ROUND64) - ROUND64
    for part in HALF_PI:
        x = x - n * part
    square, sine, cosine = x * x, 0.0, 0.0
    for k in range(21, 2, -2):
        sine = (1.0 - sine) * square / (k * (k - 1))
    for k in range(20, 1, -2):
        cosine = (1.0 - cosine) * square / (k * (k - 1))
    sine, cosine = x - x * sine, 1.0 - cosine
    return ((sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine))[int(n) & 3]


class Rotary:
    def __init__(self, gguf: Gguf, key, head_dim: int):
        self.dim = key("rope.dimension_count", head_dim)
        base, kind = key("rope.freq_base", 10000.0), key("rope.scaling.type", b"linear")
        factor = key("rope.scaling.factor", key("rope.scale_linear", 1.0))
        if kind == b"none" or factor == 0.0:
            kind, factor = b"none", 1.0
        divisors = gguf.floats("rope_freqs.weight").tolist() if "rope_freqs.weight" in gguf.tensors else None
        self.magnitude = 1.0 + 0.1 * log64(factor) if kind == b"yarn" else 1.0
        original = key("rope.scaling.original_context_length", key("context_length"))

        def pair_of_turns(turns: float) -> float:
            return self.dim * log64(original / (turns * 6.283185307179586)) / (2 * log64(base))

        self.frequencies = []
        for i in range(self.dim // 2):
            frequency = exp64(-2.0 * i / self.dim * log64(base))
            if divisors:
                frequency /= divisors[i]
            unscaled = 0.0
            if kind == b"yarn":
                low = max(0.0, math.floor(pair_of_turns(32.0)))
                high = min(self.dim - 1.0, math.ceil(pair_of_turns(1.0)))
                unscaled = 1.0 - min(max((i - low) / max(0.001, high - low), 0.0), 1.0)
            self.frequencies.append(frequency * unscaled + frequency / factor * (1.0 - unscaled))

    @functools.lru_cache(maxsize=4)
    def table(self, position: int) -> np.ndarray:
        pairs = [sine_cosine64(position * frequency) for frequency in self.frequencies]
        return (np.array(pairs, np.float64).reshape(-1, 2).T * self.magnitude).astype(F)

    def __call__(self, x: np.ndarray, position: int) -> np.ndarray:
        """Rotates the leading dimensions of every head, [lanes, heads, head_dim]."""
        sine, cosine = self.table(position)
        a, b = x[..., 0 : self.dim : 2], x[..., 1 : self.dim : 2]
        y = x.copy()
        y[..., 0 : self.dim : 2] = a * cosine - b * sine
        y[..., 1 : self.dim : 2] = a * sine + b * cosine
        return y


# ---- numeric.md, 5: float reductions ----


def lane_sum(x: np.ndarray) -> np.ndarray:
    lanes = add_up(np.moveaxis(padded(x, 16), -2, 0))
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half : 2 * half]
    return lanes[..., 0]


def rms_norm(x: np.ndarray, w: np.ndarray, epsilon: np.float32) -> np.ndarray:
    scale = F(1) / np.sqrt(lane_sum(x * x) / F(x.shape[-1]) + epsilon)
    return (x * scale[..., None]) * w


# ---- numeric.md, 6: attention and the sliding band ----


class Attention:
    """One layer's keys and values, of all lanes. Axes: t slot, l lane, k key head, g query head of it, b block of 32
    dimensions, v group of 64 dimensions, n block of 32 positions, i what is multiplied and added."""

    def __init__(self, rotary: Rotary, window: int, slots: int, lanes: int, kv_heads: int, head_dim: int,
                 value_dim: int):
        self.rotary, self.window, self.value_dim = rotary, window, value_dim
        self.scale = F(1) / np.sqrt(F(head_dim))
        key_shape = slots, lanes, kv_heads, -(-head_dim // 32)
        value_shape = slots, lanes, kv_heads, -(-value_dim // 64)
        self.keys = np.zeros((*key_shape, 32), np.int8), np.zeros(key_shape, F)  # integers, scales
        self.values = np.zeros((*value_shape, 64), np.int8), np.zeros(value_shape, F)

    def slot(self, position):
        """The sink has slot 0; the window - 1 positions of the band share the others in turn."""
        return np.where(position == 0, 0, 1 + (position - 1) % (self.window - 1))

    def scores(self, query: np.ndarray, keys: np.ndarray, key_scales: np.ndarray) -> np.ndarray:
        """Of a rotated query [l, heads, head_dim] with keys [t, l, k, b, 32]: [l, k, g, t]."""

        def product(q: np.ndarray, s: np.ndarray) -> np.ndarray:
            q, s = (x.reshape(x.shape[0], keys.shape[2], -1, *x.shape[2:]) for x in (q, s))
            dots = np.einsum("lkgbi,tlkbi->blkgt", q, keys)
            return add_up(dots.astype(F) * (s.transpose(3, 0, 1, 2)[..., None] * key_scales))

        key_scales = key_scales.transpose(3, 1, 2, 0)[:, :, :, None]  # [b, l, k, 1, t]
        q, s = quantise(query, INT8)
        residual = (padded(query, 32) - q.astype(F) * s[..., None]).reshape(*query.shape[:2], -1)
        return product(q, s) + product(*quantise(residual, INT8))

    def __call__(self, query: np.ndarray, key: np.ndarray, value: np.ndarray, p: int) -> np.ndarray:
        """Of position p, before rotation: [lanes, heads, dimensions]. Returns [lanes, heads, value_dim]."""
        slot = self.slot(p)
        self.keys[0][slot], self.keys[1][slot] = quantise(self.rotary(key, p), INT8)
        self.values[0][slot], self.values[1][slot] = quantise(value, INT8, 64)

        sliding = p >= self.window
        first = p - self.window + 2 if sliding else 0
        positions = np.arange(first // 32 * 32, (p // 32 + 1) * 32)  # whole blocks of 32
        attended = (first <= positions) & (positions <= p)
        if sliding:  # the sink is a block of its own
            positions = np.concatenate([np.zeros(32, np.int64), positions])
            attended = np.concatenate([np.arange(32) == 0, attended])
        slots = np.where(attended, self.slot(positions), 0)
        keys, values = self.keys[0][slots].astype(np.int32), self.values[0][slots].astype(np.int32)

        score = self.scores(self.rotary(query, p), keys, self.keys[1][slots])
        if sliding:
            score[..., :1] = self.scores(self.rotary(query, self.window - 1), keys[:1], self.keys[1][:1])
        m = np.where(attended, score, F("-inf")).max(axis=-1) * self.scale
        e = np.where(attended, exp(score * self.scale - m[..., None]), F(0))  # [l, k, g, t]
        denominator = lane_sum(e)  # blocks of 32 positions keep their lanes

        weights = e[:, :, :, None] * self.values[1][slots].transpose(1, 2, 3, 0)[:, :, None]  # [l, k, g, v, t]
        weights = np.where(e[:, :, :, None] == 0, F(0), weights)
        w, s = quantise(weights, ATTENTION)
        values = values.reshape(-1, 32, *values.shape[1:])
        dots = np.einsum("lkgvni,nilkvd->nlkgvd", w, values)
        out = add_up(dots.astype(F) * s.transpose(4, 0, 1, 2, 3)[..., None])
        out = out.reshape(*out.shape[:3], -1)[..., : self.value_dim] / denominator[..., None]
        return out.reshape(query.shape[0], query.shape[1], self.value_dim)


# ---- The forward pass: architecture llama ----


class Model:
    def __init__(self, data: bytes):
        gguf = self.gguf = Gguf(data)

        def key(name: str, fallback=None):
            value = gguf.keys.get("llama." + name, fallback)
            expect(value is not None, 0, "model key llama." + name, "none", "a value")
            return value

        architecture = gguf.keys.get("general.architecture")
        expect(architecture == b"llama", 0, "general.architecture", architecture, "llama")
        self.heads = key("attention.head_count")
        self.kv_heads = key("attention.head_count_kv", self.heads)
        self.head_dim = key("attention.key_length", key("embedding_length") // self.heads)
        self.value_dim = key("attention.value_length", key("embedding_length") // self.heads)
        self.epsilon = F(key("attention.layer_norm_rms_epsilon"))
        self.rotary = Rotary(gguf, key, self.head_dim)
        self.embedding = gguf.floats("token_embd.weight")
        self.output_norm = gguf.floats("output_norm.weight")
        self.output = Linear(gguf, "output" if "output.weight" in gguf.tensors else "token_embd")
        self.layers = []
        for block in range(key("block_count")):
            names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
            layer = {name: Linear(gguf, f"blk.{block}.{name}") for name in names}
            norms = {name: gguf.floats(f"blk.{block}.{name}.weight") for name in ("attn_norm", "ffn_norm")}
            self.layers.append(layer | norms)

    def start(self, window: int, positions: int, lanes: int) -> None:
        slots = min(window, positions)
        shape = lanes, self.kv_heads, self.head_dim, self.value_dim
        self.attention = [Attention(self.rotary, window, slots, *shape) for _ in self.layers]

    def logits(self, tokens: list[int], position: int) -> np.ndarray:
        """One step of all lanes."""
        lanes, x = len(tokens), self.embedding[tokens]
        for layer, attention in zip(self.layers, self.attention):
            h = rms_norm(x, layer["attn_norm"], self.epsilon)
            query, key, value = (layer[name](h).reshape(lanes, heads, -1) for name, heads in
                                 (("attn_q", self.heads), ("attn_k", self.kv_heads), ("attn_v", self.kv_heads)))
            x = x + layer["attn_output"](attention(query, key, value, position).reshape(lanes, -1))
            h = rms_norm(x, layer["ffn_norm"], self.epsilon)
            x = x + layer["ffn_down"](silu(layer["ffn_gate"](h)) * layer["ffn_up"](h))
        return self.output(rms_norm(x, self.output_norm, self.epsilon))


# ---- numeric.md, 7: logits to frequencies ----


def weights_of(logits: np.ndarray, scale: np.float32) -> np.ndarray:
    """Of tokens; section 11 has other scales than 1."""
    scaled = np.trunc(exp((logits - logits.max()) * scale) * F(2**30)).astype(np.int64)
    return np.maximum(scaled, 1)


def frequencies(logits: np.ndarray, symbols: int) -> np.ndarray:
    return np.concatenate([weights_of(logits, F(1)), np.ones(symbols - len(logits), np.int64)])


# ---- archive.md, 4: code streams ----


class RangeDecoder:
    def __init__(self, stream: bytes):
        self.stream, self.next = stream, 8
        self.range, self.offset = 2**64 - 1, int.from_bytes(stream[:8].ljust(8, b"\0"), "big")

    def symbol(self, sizes: np.ndarray) -> int:
        ends = np.cumsum(sizes)
        total = int(ends[-1])
        unit = self.range // total
        symbol = int(np.searchsorted(ends, min(self.offset // unit, total - 1), side="right"))
        size, low = int(sizes[symbol]), int(ends[symbol] - sizes[symbol])
        self.offset -= unit * low
        self.range = self.range - unit * low if low + size == total else unit * size
        while self.range < 2**56:
            byte = self.stream[self.next] if self.next < len(self.stream) else 0
            self.offset, self.range, self.next = (self.offset << 8 | byte) % 2**64, self.range << 8, self.next + 1
        return symbol


# ---- numeric.md, 8: order; 9: symbols; archive.md, 5: symbols to bytes ----

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # tokenizer.ggml.token_type
DEFAULT_IDS = {b"llama": (1, 2, 0), b"gpt2": (11, 11, -1), b"gemma4": (-1, -1, -1), b"bert": (101, -1, 100),
               b"rwkv": (-1, -1, -1)}
RWKV_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|[^x])", re.DOTALL)
BLANK_PRE_TOKENIZERS = "gemma4", "granite-embed-multi-311m", "sarvam-moe"
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
ALPHABET = {chr(byte): byte for byte in PRINTABLE}  # GPT-2's: the byte of a character
ALPHABET |= {chr(256 + i): byte for i, byte in enumerate(b for b in range(256) if b not in PRINTABLE)}

# Pieces that are of one type whatever the file says.
CONTROL_PIECES = """</s> <eos> <EOT> _<EOT> [EOT] [EOS] <|eot_id|> <|eom_id|> <|end|> <|im_end|> <end_of_turn>
    <end_of_utterance> <|endoftext|> <|end_of_text|> <|return|> <|call|> <|calls|> <|flush|> <turn|> <|tool_response>
    [e~[ <｜end▁of▁sentence｜>""".split()
USER_DEFINED_PIECES = "<|channel|> <|message|> <|start|> <|constrain|>".split()
# Of each line the one with the lowest id is a control token, where the file has no key tokenizer.ggml.*_token_id.
FILL_IN_PIECES = {
    "fim_pre prefix": "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|>",
    "fim_suf suffix": "<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|>",
    "fim_mid middle": "<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|>",
    "fim_pad": "<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]",
    "fim_rep": "<|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame>",
    "fim_sep": "<|file_sep|>",
}


class Vocabulary:
    def __init__(self, keys: dict, rows: int):
        name, pieces = keys.get("tokenizer.ggml.model"), keys.get("tokenizer.ggml.tokens", [])
        expect(name in DEFAULT_IDS, 0, "tokenizer.ggml.model", name, "llama, gpt2, gemma4, bert or rwkv")
        pre = keys.get("tokenizer.ggml.pre", b"").decode()
        self.byte_level = name == b"gpt2" and pre not in BLANK_PRE_TOKENIZERS
        self.escaped = name == b"rwkv"
        expect(0 < len(pieces) <= rows, 0, "tokenizer.ggml.tokens", len(pieces), f"1 to {rows}")
        self.size = len(pieces)
        self.types = self.corrected(keys, pieces, keys.get("tokenizer.ggml.token_type", [NORMAL] * self.size))
        self.bytes = [self.spelled(piece, kind) for piece, kind in zip(pieces, self.types)]
        spelled = {text for text, kind in zip(self.bytes, self.types) if kind != USER_DEFINED}
        self.bytes += [bytes([k]) for k in range(256) if bytes([k]) not in spelled]  # the byte symbols
        bos, eos, unknown = (keys.get(f"tokenizer.ggml.{key}_token_id", default if default < self.size else -1)
                             for key, default in zip(("bos", "eos", "unknown"), DEFAULT_IDS[name]))
        if "tokenizer.ggml.bos_token_id" not in keys and name == b"gpt2" and pre in ("chatglm-bpe", "glm4"):
            bos = -1
        self.start = bos if bos >= 0 else max(eos, 0)
        self.unknown = max(unknown, 0)
        self.space_prefix = name == b"bert" or name == b"llama" and keys.get("tokenizer.ggml.add_space_prefix", True)

    def spelled(self, piece: bytes, kind: int) -> bytes:
        if kind == BYTE:
            return bytes.fromhex(piece[3:5].decode())  # <0xHH>
        if kind in (UNKNOWN, CONTROL):
            return b""
        if kind == USER_DEFINED:
            return piece
        if self.escaped:
            return RWKV_ESCAPE.sub(lambda match: self.unescaped(match[1]), piece)
        if not self.byte_level:
            return piece.replace("\u2581".encode(), b" ")
        try:
            return bytes(ALPHABET[character] for character in piece.decode())
        except (KeyError, UnicodeDecodeError):
            return piece

    @staticmethod
    def unescaped(escape: bytes) -> bytes:
        if len(escape) == 3:
            return bytes.fromhex(escape[1:].decode())  # xHH
        return {b"t": b"\t", b"n": b"\n", b"r": b"\r"}.get(escape, escape)

    @staticmethod
    def corrected(keys: dict, pieces: list[bytes], types: list[int]) -> list[int]:
        types, ids = list(types), {piece: i for i, piece in enumerate(pieces)}

        def put(names: list[str], kind: int) -> None:
            for name in names:
                if name.encode() in ids:
                    types[ids[name.encode()]] = kind

        put(CONTROL_PIECES, CONTROL)
        for key_names, names in FILL_IN_PIECES.items():
            if not any(f"tokenizer.ggml.{name}_token_id" in keys for name in key_names.split()):
                known = [name for name in names.split() if name.encode() in ids]
                put(sorted(known, key=lambda name: ids[name.encode()])[:1], CONTROL)
        put(USER_DEFINED_PIECES, USER_DEFINED)
        if ids.keys() & {b"<|return|>", b"<|flush|>"} and ids.keys() & {b"<|call|>", b"<|calls|>"}:
            put(["<|end|>"], USER_DEFINED)
        if b"<|tool_response>" in ids:
            put(["</s>"], NORMAL)
        return types

    def text(self, symbols: list[int], opens: bool) -> bytes:
        text = b"".join(self.bytes[symbol] for symbol in symbols)
        if opens and self.space_prefix and symbols and self.bytes[symbols[0]].startswith(b" "):
            if symbols[0] >= self.size or self.types[symbols[0]] != USER_DEFINED:
                return text[1:]
        return text


# ---- numeric.md, 10: adaptive experts, in doubles ----

ORDERS = (1, 64), (2, 48), (3, 32), (5, 24), (8, 24)  # length, depth
KEY_DEPTH = 48
KEYED, RECENT, MATCH = (5, 6), 7, 8  # numbers of experts; an order is its own number
MATCH_LENGTH = 12
RECENT_MAX, RECENT_MIN = 4096, 50
GROUP_SYMBOLS_MAX = 2**23 + 1
RANKED = 3
GATE_RATES = 0.06, 0.06, 0.3, 0.15  # of all tables but the first
MIXER_RATES = 0.5 * 0.002, 0.5 * 0.002, 2 * 0.002, 0.002, 0.002
INPUTS = 12


def clamp(x: float, low: float, high: float) -> float:
    return low if x < low else high if x > high else x


def sum_of(terms) -> float:
    return functools.reduce(operator.add, terms, 0.0)


@functools.cache
def log_centre(i: int) -> tuple[float, float, float]:
    centre = 1.0 + (i + 0.5) / 128.0
    return centre, 1.0 / centre, log64(centre)


def table_log(x: float) -> float:
    """The ln of section 10.5, which is not the log of section 4."""
    m, exponent = math.frexp(x)  # m in [1/2, 1)
    m, exponent = m * 2.0, exponent - 1
    centre, inverse, log = log_centre(math.floor(128.0 * (m - 1.0)))
    d = (m - centre) * inverse
    return exponent * float.fromhex("0x1.62e42fefa39efp-1") + (log + (d - d * d * (0.5 - d * (1.0 / 3.0))))


def stretch(p: float) -> float:
    p = clamp(p, 1e-7, 1.0 - 1e-7)
    return table_log(p) - table_log(1.0 - p)


def exp_of(xs: list[float]) -> list[float]:
    """The exp of section 3, of doubles rounded to floats."""
    return exp(np.array(xs, np.float64).astype(F)).astype(np.float64).tolist()


def squash(z: float) -> float:
    return clamp(1.0 / (1.0 + exp_of([-clamp(z, -30.0, 30.0)])[0]), 1e-6, 1.0 - 1e-6)


def bayes_update(prior: float, p: float, other: float) -> float:
    return prior * p / (prior * p + (1.0 - prior) * other)


def class_of(n: int, exact: int, limits: tuple[int, ...]) -> int:
    """Numbers below `exact` each for themselves, then by how many limits they have reached."""
    return n if n < exact else exact + sum(n >= limit for limit in limits)


def count_class(n: int) -> int:
    return class_of(n, 6, (12, 24, 48))


def ranked_count_class(n: int) -> int:
    return class_of(n, 6, (12,))


def recent_class(n: int) -> int:
    return class_of(n, 0, (200, 800, 3200))


def length_class(n: int) -> int:
    return class_of(n, 16, (23, 32, 46, 64, 91, 128, 182, 256))


def hashed(fields) -> int:
    h = 0
    for field in fields:
        h = (h ^ field) * 0x9E3779B97F4A7C15 % 2**64
        h ^= h >> 29
    return h


class Learnt:
    """A number from a table, and how often it was learnt (or a count that starts elsewhere)."""

    def __init__(self, value: float, count: int = 0):
        self.value, self.count = value, count

    def learn(self, outcome: float, rate_min: float, head_start: float = 0.0) -> None:
        self.count += 1
        self.value += max(1.0 / (self.count + head_start), rate_min) * (outcome - self.value)


class History:
    """10.1: where the contexts of a block's symbols were seen before."""

    def __init__(self, symbols: list[int], symbol_kinds: int):
        self.symbols = symbols  # those of all lanes; filled by the decoder
        self.shift = 64 - min(max(len(symbols).bit_length(), 10), 20)
        self.chains = [defaultdict(functools.partial(deque, maxlen=depth)) for _, depth in ORDERS]
        self.keyed = [defaultdict(functools.partial(deque, maxlen=KEY_DEPTH)) for _ in KEYED]  # of (key, position)
        self.match_table = {}
        self.recent, self.recent_counts = deque(), np.zeros(symbol_kinds, np.int64)

    def context(self, position: int, length: int) -> list[int]:
        return self.symbols[position - length : position]

    def bucket(self, position: int, length: int) -> int:
        return hashed(symbol + 1 for symbol in reversed(self.context(position, length))) >> self.shift

    def keys(self, position: int, step: int, top: int, second: int) -> list[int]:
        before = [self.symbols[position - i] + 1 if i <= step else 0 for i in (1, 2, 3)]
        fields = (top + 1, before[1], before[2]), (top + 1, second + 1, before[0])
        return [hashed(each) >> 32 for each in fields]

    def followers(self, order: int, position: int) -> list[int]:
        """What followed the context of a position, in the order in which the walk visits it."""
        length, _ = ORDERS[order]
        context, positions = self.context(position, length), self.chains[order][self.bucket(position, length)]
        return [self.symbols[other] for other in positions if self.context(other, length) == context]

    def keyed_followers(self, i: int, key: int) -> list[int]:
        return [self.symbols[position] for other, position in self.keyed[i][key >> 16] if other == key]

    def add(self, position: int, step: int, keys: list[int]) -> None:
        self.recent.append(self.symbols[position])
        self.recent_counts[self.symbols[position]] += 1
        if len(self.recent) > RECENT_MAX:
            self.recent_counts[self.recent.popleft()] -= 1
        for (length, _), chains in zip(ORDERS, self.chains):
            if step >= length:
                chains[self.bucket(position, length)].appendleft(position)
        for key, chains in zip(keys, self.keyed):
            chains[key >> 16].appendleft((key, position))

    def match(self, position: int) -> int | None:
        other = self.match_table.get(self.bucket(position, MATCH_LENGTH))
        if other is None or self.context(other, MATCH_LENGTH) != self.context(position, MATCH_LENGTH):
            return None
        return other

    def add_match(self, position: int) -> None:
        self.match_table[self.bucket(position, MATCH_LENGTH)] = position


class Lane:
    def __init__(self, begin: int, count: int, offset: int, stream: bytes):
        self.begin, self.count, self.offset = begin, count, offset
        self.coder = RangeDecoder(stream)
        # Of the experts; the match is a position:
        self.run, self.runs, self.results, self.match, self.match_length = 0, defaultdict(int), 0, None, 0
        self.model_weight = 0.75
        self.own_posterior, self.shared_weight = [], 0.5  # of section 11
        self.tokens = []  # what was coded, without byte symbols


class Expert:
    """One that is at hand for a step. `known` is how much it knows; `cells` are its five numbers of the gate."""

    def __init__(self, number: int, counts, total: int, known: tuple):
        self.number, self.counts, self.total, self.known = number, counts, total, known
        self.left = total  # total_left
        self.best, self.cells, self.weight = None, [], 0.0

    @classmethod
    def of_followers(cls, number: int, followers: list[int]) -> "Expert":
        counts = Counter(followers)  # in the order of the walk
        return cls(number, counts, len(followers), (count_class(len(followers)), min(len(counts), 5)))

    def part(self, symbol: int) -> float:
        return self.weight * (int(self.counts[symbol]) / self.total)


class Decision(NamedTuple):
    """A binary decision, and what its probability was made of."""

    mixed: float  # decided_mixed
    model: float  # decided_model
    inputs: list[float]
    rows: list[list[float]]  # of each table
    match_hit: Learnt | None
    bigram_correction: Learnt | None
    probability: float  # by the mixer


class Prediction:
    """10.3 and 10.4: the candidates of a lane's step, and the model's frequencies mixed with what the experts say."""

    def __init__(self, block: "Experts", lane: Lane, step: int, model: "ModelStep"):
        self.history, self.lane, self.model = block.history, lane, model
        self.position, self.step = lane.begin + step, step
        self.previous = self.history.symbols[self.position - 1] if step else 0
        self.keys = self.history.keys(self.position, step, model.top, model.second)
        self.match, self.match_length = None, lane.match_length
        if lane.match is not None:
            self.match = self.history.symbols[lane.match]  # a symbol
        self.run = lane.run

        self.find_experts()
        self.weigh(block.gate)
        self.mixed = {symbol: self.mix(symbol) for symbol in self.candidates}
        self.ranked = sorted(self.candidates, key=lambda symbol: (-self.mixed[symbol], symbol))[:RANKED]
        self.others = [symbol for symbol in self.candidates if symbol not in self.ranked]
        self.mixed_left, self.model_left = 1.0, 1.0

    def find_experts(self) -> None:
        history, self.newest = self.history, None
        self.orders = []
        for order, (length, _) in enumerate(ORDERS):
            followers = history.followers(order, self.position) if self.step >= length else []
            if not followers:
                break
            self.newest = followers[0]
            self.orders.append(Expert.of_followers(order, followers))
        keyed = [(number, history.keyed_followers(i, key)) for i, (number, key) in enumerate(zip(KEYED, self.keys))]
        self.counting = self.orders + [Expert.of_followers(*each) for each in keyed if each[1]]  # experts 0 to 6
        found = [self.model.top, *(symbol for expert in self.counting for symbol in expert.counts)]
        self.candidates = list(dict.fromkeys(found if self.match is None else found + [self.match]))
        for expert in self.counting:  # of equal ones the first
            expert.best = max(self.candidates, key=expert.counts.__getitem__)
        self.longest_best = self.orders[-1].best if self.orders else None

        self.experts, self.recent, n = list(self.counting), None, len(history.recent)
        if n > RECENT_MIN:
            self.recent = Expert(RECENT, history.recent_counts, n, (recent_class(n),))
            self.experts.append(self.recent)
        if self.match is not None:
            expert = Expert(MATCH, Counter([self.match]), 1, (length_class(self.match_length),))
            expert.best = self.match
            self.experts.append(expert)

    def weigh(self, gate: "Gate") -> None:
        q = self.probability(self.model.top)
        self.confidence = min(math.floor(5.0 * q) + (q > 0.9) + (q > 0.97), 6)
        for expert in self.experts:
            expert.cells = gate.cells(self, expert)
        odds = exp_of([clamp(sum_of(cell.value for cell in expert.cells), -20.0, 20.0) for expert in self.experts])
        self.gate_model_weight = 1.0 / functools.reduce(operator.add, odds, 1.0)
        for expert, odd in zip(self.experts, odds):
            expert.weight = odd * self.gate_model_weight

    def probability(self, symbol: int) -> float:
        """model[y] of 10.3."""
        return int(self.model.sizes[symbol]) / self.model.total

    def mix(self, symbol: int) -> float:
        """mixed[y] of any symbol."""
        parts = (expert.part(symbol) for expert in self.experts)
        return functools.reduce(operator.add, parts, self.gate_model_weight * self.probability(symbol))

    def matches(self, symbol: int | None) -> int:
        """0 without a match, 1 where a symbol is the match's, else 2."""
        return 0 if self.match is None else 1 if symbol == self.match else 2

    def exclude(self, symbol: int) -> None:
        """A ranked candidate that was wrong."""
        self.mixed_left = max(self.mixed_left - self.mixed[symbol], 1e-9)
        self.model_left = max(self.model_left - self.probability(symbol), 1e-9)
        for expert in self.counting:
            expert.left -= expert.counts[symbol]


class Gate:
    """10.4: the five tables of what each expert's odds are made of."""

    def __init__(self):
        self.tables = [defaultdict(lambda first=first: Learnt(first)) for first in (-0.7, 0.0, 0.0, 0.0, 0.0)]

    def cells(self, prediction: Prediction, expert: Expert) -> list[Learnt]:
        number, best, lane = expert.number, expert.best, prediction.lane
        keys = [(number, expert.known, prediction.confidence, best == prediction.model.top),
                (number, len(prediction.orders), prediction.matches(best), best == prediction.longest_best),
                (number, lane.runs[number], lane.results),
                (number, prediction.previous % 8192),
                (number, 8191 if best is None else best % 8192)]
        return [table[key] for table, key in zip(self.tables, keys)]

    @staticmethod
    def learn(expert: Expert, credit: float) -> None:
        error = credit - expert.weight
        first, *others = expert.cells
        first.value += max(10.0 / (first.count + 10.0), 0.1) * error
        first.count += 1
        for cell, rate in zip(others, GATE_RATES):
            cell.value += rate * error


class LogisticMixer:
    """10.5: the tables that make a decision's probability."""

    def __init__(self):
        self.weights = [defaultdict(lambda first=first: [first] + [0.0] * (INPUTS - 1)) for first in (1.0, 0, 0, 0, 0)]
        self.hits = {True: defaultdict(lambda: Learnt(0.8, 2)), False: defaultdict(lambda: Learnt(0.1, 2))}
        self.bigram_corrections = defaultdict(lambda: Learnt(0.0))

    def ranked(self, prediction: Prediction, rank: int) -> Decision:
        symbol, hit = prediction.ranked[rank], None
        if prediction.match is not None:
            hit = self.hits[symbol == prediction.match][min(prediction.match_length, 31), rank]
        bigram = (prediction.previous + 1) * 0x9E3779B97F4A7C15 + (symbol + 1) * (0xC2B2AE3D27D4EB4F * 3)
        correction = self.bigram_corrections[bigram % 2**64 >> 48]
        mixed, model = prediction.mixed[symbol], prediction.probability(symbol)
        counted = {expert.number: 0.5 * stretch((expert.counts[symbol] + 0.02) / (expert.left + 0.4))
                   for expert in prediction.counting if expert.left > 0}
        inputs = self.inputs(prediction, mixed, model, counted)
        inputs[8], inputs[11] = 0.5 * stretch(hit.value) if hit else 0.0, 2.0 * correction.value

        last = max((expert.number + 1 for expert in prediction.orders if expert.counts[symbol]), default=0)
        newest = None
        if prediction.orders:
            count, left = prediction.orders[-1].counts[symbol], prediction.orders[-1].left
            newest = symbol == prediction.newest, ranked_count_class(count), min(left - count, 2)
        rows = self.rows(prediction, rank, prediction.matches(symbol), last, min(prediction.run, 7), symbol, newest)
        return Decision(mixed, model, inputs, rows, hit, correction, self.probability(rows, inputs))

    def others(self, prediction: Prediction) -> Decision:
        decision, count = RANKED, min(len(prediction.others), 15)
        mixed = sum_of(prediction.mixed[symbol] for symbol in prediction.others)
        model = sum_of(prediction.probability(symbol) for symbol in prediction.others)
        counted = {expert.number: 0.5 * (table_log(expert.left + 0.1) - table_log(expert.total - expert.left + 0.4))
                   for expert in prediction.counting}
        inputs = self.inputs(prediction, mixed, model, counted)
        ranked_match = prediction.match if prediction.match in prediction.ranked else None
        last = max((expert.number + 1 for expert in prediction.orders if expert.left > 0), default=0)
        rows = self.rows(prediction, decision, prediction.matches(ranked_match), last, min(count // 2, 7),
                         prediction.previous, count)
        return Decision(mixed, model, inputs, rows, None, None, self.probability(rows, inputs))

    @staticmethod
    def inputs(prediction: Prediction, mixed: float, model: float, counted: dict[int, float]) -> list[float]:
        """All but those of the match and the bigram; `counted` are those of experts 0 to 6."""
        left = [stretch(mixed / prediction.mixed_left), stretch(model / prediction.model_left), 0.3]
        inputs_3_to_10 = [counted.get(number, 0.0) for number in (0, 1, 2, 3, 4, None, *KEYED)]
        return left + inputs_3_to_10 + [0.0]

    def rows(self, prediction: Prediction, decision: int, match_state: int, longest: int, run: int, symbol: int,
             evidence) -> list[list[float]]:
        order_count = len(prediction.orders)
        keys = ((decision, order_count, match_state, longest), (decision, prediction.confidence, run),
                (decision, symbol % 8192), (decision, order_count, evidence), ())
        return [table[key] for table, key in zip(self.weights, keys)]

    @staticmethod
    def probability(rows: list[list[float]], inputs: list[float]) -> float:
        total = 0.0
        for w0, w1, w2, w3, w4, x in zip(*rows, inputs):
            total += ((((w0 + w1) + w2) + w3) + w4) * x
        return squash(total)

    @staticmethod
    def learn(decision: Decision, bit: int) -> None:
        error = bit - decision.probability
        for row, rate in zip(decision.rows, MIXER_RATES):
            step = rate * error
            row[:] = [weight + step * x for weight, x in zip(row, decision.inputs)]
        if decision.match_hit:
            decision.match_hit.learn(bit, 0.005)
        if decision.bigram_correction:
            decision.bigram_correction.learn(error * 4.0, 0.02, 1.5)


class Experts:
    """What the lanes of a block learn from their text, together."""

    def __init__(self, symbols: list[int], symbol_kinds: int, samplers: "Samplers"):
        self.history, self.gate, self.mixer = History(symbols, symbol_kinds), Gate(), LogisticMixer()
        self.samplers, self.shared_model_weight = samplers, Learnt(0.75, 2)
        self.to_learn = []  # prediction, credits, decisions, the symbol; one for each lane that has the step

    def decode(self, lane: Lane, step: int, logits: np.ndarray) -> int:
        prediction = Prediction(self, lane, step, self.samplers.model_step(lane, step, logits))
        symbol, decided = self.decide(prediction)
        mixed = prediction.mix(symbol)
        credits = [expert.part(symbol) / mixed for expert in prediction.experts]
        self.to_learn.append((prediction, credits, decided, symbol))
        self.learn_runs(prediction, symbol)
        self.samplers.learn_symbol(lane, prediction.model, symbol)
        return symbol

    def decide(self, prediction: Prediction) -> tuple[int, list]:
        """The symbol, and each decision with its bit."""
        decided = []

        def bit_of(decision: Decision) -> int:
            decided.append((decision, self.bit(prediction, decision)))
            return decided[-1][1]

        for rank, symbol in enumerate(prediction.ranked):
            if bit_of(self.mixer.ranked(prediction, rank)):
                return symbol, decided
            prediction.exclude(symbol)
        if prediction.others:
            decision = self.mixer.others(prediction)
            if bit_of(decision):
                return self.other(prediction, decision), decided
        return self.escape(prediction), decided

    @staticmethod
    def bit(prediction: Prediction, decision: Decision) -> int:
        lane, probability = prediction.lane, decision.probability
        weight, model = lane.model_weight, clamp(decision.model / prediction.model_left, 1e-6, 1.0 - 1e-6)
        bit_probability = math.floor((weight * model + (1.0 - weight) * probability) * 2.0**32)
        bit = 1 - lane.coder.symbol(np.array([bit_probability, 2**32 - bit_probability]))
        lane.model_weight = (bayes_update(weight, model, probability) if bit
                             else bayes_update(weight, 1.0 - model, 1.0 - probability))
        return bit

    @staticmethod
    def other(prediction: Prediction, decision: Decision) -> int:
        """10.6: which of the other candidates."""
        lane, weight = prediction.lane, prediction.lane.model_weight
        both = [(prediction.probability(symbol) / decision.model, prediction.mixed[symbol] / decision.mixed)
                for symbol in prediction.others]
        sizes = [1 + math.floor((weight * model + (1.0 - weight) * mixed) * 2.0**30) for model, mixed in both]
        found = lane.coder.symbol(np.array(sizes, np.int64))
        lane.model_weight = bayes_update(weight, *both[found])
        return prediction.others[found]

    @staticmethod
    def escape(prediction: Prediction) -> int:
        """10.6: which of the symbols that are no candidates."""
        lane, weight, recent = prediction.lane, prediction.lane.model_weight, prediction.recent
        symbols = np.delete(np.arange(len(prediction.model.sizes)), prediction.candidates)
        expect(len(symbols) > 0, lane.offset, "code stream", "a choice among no symbols", "a symbol")
        sizes, counts = prediction.model.sizes[symbols], prediction.history.recent_counts[symbols]
        escape_model, escape_counts, escape_unit = max(int(sizes.sum()), 1), int(counts.sum()), 0.0
        if recent:
            odds = recent.weight / prediction.gate_model_weight
            escape_unit = min(odds * prediction.model.total, 3.0 * 2**30 - 1.0) / recent.total
        escape_total = escape_model + escape_counts * escape_unit
        experts = (1.0 - weight) * escape_model
        mixed = sizes + counts * math.floor(escape_unit * (experts / (weight * escape_total + experts)))
        found = lane.coder.symbol(mixed)
        size, count = int(sizes[found]), int(counts[found])
        lane.model_weight = bayes_update(weight, size / escape_model, (size + count * escape_unit) / escape_total)
        return int(symbols[found])

    @staticmethod
    def learn_runs(prediction: Prediction, symbol: int) -> None:
        """10.7, runs and results."""
        lane, runs = prediction.lane, prediction.lane.runs
        for expert in prediction.experts:
            number = expert.number
            runs[number] = min(runs[number] + 1, 15) if expert.best == symbol else runs[number] // 4
        if not prediction.orders:
            lane.run //= 2
        else:
            lane.run = min(lane.run + 1, 15) if prediction.longest_best == symbol else lane.run // 4
        result = prediction.ranked.index(symbol) if symbol in prediction.ranked else 3
        lane.results = (lane.results * 4 + result) % 16

    def learn(self, step: int) -> None:
        """10.2, from step 2 on."""
        lanes = [prediction.lane for prediction, *_ in self.to_learn]
        self.samplers.learn_step(lanes)
        self.learn_model_weight(lanes)
        for prediction, credits, decided, _ in self.to_learn:
            for expert, credit in zip(prediction.experts, credits):
                Gate.learn(expert, credit)
            for decision, bit in decided:
                LogisticMixer.learn(decision, bit)
            self.history.add(prediction.position, step, prediction.keys)
        going_on = [lane for lane in lanes if step + 1 < lane.count]
        for lane in going_on:
            self.next_match(lane, step)
        if step + 1 >= MATCH_LENGTH:
            for lane in going_on:
                self.history.add_match(lane.begin + step + 1)
        self.to_learn = []

    def learn_model_weight(self, lanes: list[Lane]) -> None:
        """10.8."""
        self.shared_model_weight.learn(sum_of(lane.model_weight for lane in lanes) / len(lanes), 0.01)
        self.shared_model_weight.value = clamp(self.shared_model_weight.value, 1e-4, 1.0 - 1e-4)
        for lane in lanes:
            lane.model_weight = (1.0 - 0.02) * lane.model_weight + 0.02 * self.shared_model_weight.value

    def next_match(self, lane: Lane, step: int) -> None:
        """10.9."""
        symbols, position = self.history.symbols, lane.begin + step
        if lane.match is not None and symbols[lane.match] == symbols[position] and lane.match + 1 < len(symbols):
            lane.match, lane.match_length = lane.match + 1, lane.match_length + 1
        else:
            lane.match = self.history.match(position + 1) if step + 1 >= MATCH_LENGTH else None
            lane.match_length = MATCH_LENGTH


# ---- numeric.md, 11: samplers ----


class Sampler(NamedTuple):
    """Settings, as a header states them. The reals are binary32 numbers."""

    order: int = 0
    top_k: int = 0
    penalty_window: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


def single(x: float) -> float:
    return float(F(x))


CANDIDATE_SAMPLERS = (
    Sampler(),
    Sampler(top_p=single(0.95)),
    Sampler(top_k=40),
    Sampler(min_p=single(0.1)),
    Sampler(temperature=0.7),
    Sampler(temperature=0.7, top_p=single(0.9)),
    Sampler(temperature=0.7, top_k=40, top_p=single(0.95), min_p=single(0.05), order=1),
    Sampler(temperature=single(0.4)),
    Sampler(top_k=1),
)
KINDS = (0, 1, 2, 3), (4, 5, 6), (7,), (8,), (9,)
TOP_P_REACH = 256  # ranks, of samplers 0 to 8
FILTERS = ("top_k", "top_p", "min_p", "typical_p"), ("top_k", "typical_p", "top_p", "min_p")  # by order
ESCAPE_COUNT_START, TOTAL_COUNT_START = 0.1, 10.0


def first_true(conditions: np.ndarray) -> int:
    """The number of them where there is none."""
    return int(conditions.argmax()) if conditions.any() else len(conditions)


def scale_of(temperature: float) -> np.float32:
    return F(1) / max(F(temperature), F(1e-30))


def table_logs(xs: np.ndarray) -> np.ndarray:
    """table_log of each of many integers."""
    m, exponents = np.frexp(xs.astype(np.float64))
    m, exponents = m * 2.0, (exponents - 1).astype(np.float64)
    table = np.array([log_centre(i) for i in range(128)])[np.floor(128.0 * (m - 1.0)).astype(np.int64)]
    d = (m - table[:, 0]) * table[:, 1]
    return exponents * float.fromhex("0x1.62e42fefa39efp-1") + (table[:, 2] + (d - d * d * (0.5 - d * (1.0 / 3.0))))


class Span:
    """11.1: the ranks that filters leave. `weights` are the filter weights by rank."""

    def __init__(self, weights: np.ndarray, reach: int):
        self.weights, self.reach, self.begin, self.end = weights, reach, 0, len(weights)

    def narrow(self, sampler: Sampler) -> None:
        for name in FILTERS[sampler.order]:
            getattr(self, name)(getattr(sampler, name))

    def inside(self) -> np.ndarray:
        return self.weights[self.begin : self.end]

    def top_k(self, k: int) -> None:
        if k > 0:
            self.end = min(self.begin + k, self.end)

    def top_p(self, p: float) -> None:
        if p < 1:
            sums = np.cumsum(self.inside())
            self.end = min(self.begin + first_true(sums >= p * int(sums[-1])) + 1, self.reach)

    def min_p(self, p: float) -> None:
        if p > 0:
            weights = self.inside()
            self.end = self.begin + max(first_true(weights < p * int(weights[0])), 1)

    def typical_p(self, p: float) -> None:
        if p >= 1:
            return
        weights = self.inside()
        total = int(weights.sum())
        information = table_log(total) - table_logs(weights)
        entropy = float(np.cumsum(weights * information)[-1]) / total  # cumsum adds in order
        begin = end = first_true(information >= entropy)
        distances, weights, taken = (information - entropy).tolist(), weights.tolist(), 0
        while True:
            at_end = end < len(weights)
            if begin == 0 or at_end and distances[end] < -distances[begin - 1]:
                taken, end = taken + weights[end], end + 1
            else:
                taken, begin = taken + weights[begin - 1], begin - 1
            if taken >= p * total or end - begin == len(weights):
                break
        self.begin, self.end = self.begin + begin, self.begin + end


class Distribution:
    """A sampler's, of a lane's logits: its own weights by token, of which it keeps those from `low` to `high`."""

    def __init__(self, sampler: Sampler, own: np.ndarray, filters: np.ndarray, ranks: np.ndarray,
                 reach: int | None = None):
        span = Span(filters[ranks], len(own) if reach is None else reach)
        span.narrow(sampler)
        kept = own[ranks[span.begin : span.end]]
        self.weights, self.total = own, int(kept.sum())
        self.low, self.high = (0, 2**30) if len(kept) == len(own) else (int(kept[-1]), int(kept[0]))
        if sampler.temperature == 0:
            self.low = self.high = self.total = 2**30

    @classmethod
    def stated(cls, sampler: Sampler, lane: Lane, logits: np.ndarray) -> "Distribution":
        logits = penalised(sampler, lane, logits)
        own = weights_of(logits, scale_of(sampler.temperature))
        filters = weights_of(logits, F(1)) if sampler.order else own
        return cls(sampler, own, filters, ranks_of(filters))

    def kept(self) -> np.ndarray:
        return (self.low <= self.weights) & (self.weights <= self.high)

    def probability(self, symbol: int, is_plain: bool) -> float:
        """`is_plain`: of sampler 0, which alone has byte symbols."""
        if symbol >= len(self.weights):
            return 1.0 / self.total if is_plain else 0.0
        weight = int(self.weights[symbol])
        return weight / self.total if self.low <= weight <= self.high else 0.0


def ranks_of(weights: np.ndarray) -> np.ndarray:
    return np.argsort(-weights, kind="stable")


def penalised(sampler: Sampler, lane: Lane, logits: np.ndarray) -> np.ndarray:
    tokens, counts = np.unique(np.array(lane.tokens[-sampler.penalty_window :], np.int64), return_counts=True)
    repetition, logits = F(sampler.repetition_penalty), logits.copy()
    old = logits[tokens]
    old = np.where(old > 0, old / repetition, old * repetition)
    logits[tokens] = old - (counts.astype(F) * F(sampler.frequency_penalty) + F(sampler.presence_penalty))
    return logits


class ModelStep(NamedTuple):
    """What section 10 knows of the model at a lane's step."""

    sizes: np.ndarray  # frequency
    total: int  # base_total
    top: int
    second: int
    samplers: list[Distribution]  # none where the step is not evaluated


class Samplers:
    """11.3 and 11.4: what a group's lanes may have been drawn with."""

    def __init__(self, stated: Sampler | None, lanes: list[Lane], token_kinds: int, symbol_kinds: int):
        self.stated, self.token_kinds = stated, token_kinds
        self.byte_symbol_ones = np.ones(symbol_kinds - token_kinds, np.int64)
        guessed = 1.0 if stated is None else 1.0 - 0.9
        self.prior = [guessed * 0.9] + [guessed * (1.0 - 0.9) / 8.0] * 8 + ([] if stated is None else [0.9])
        self.count = len(self.prior)
        self.pooled_posterior, self.mean_posterior, self.shared_weight = list(self.prior), list(self.prior), 0.5
        self.escape_counts, self.total_counts = [ESCAPE_COUNT_START] * self.count, [TOTAL_COUNT_START] * self.count
        self.escapes = [ESCAPE_COUNT_START / TOTAL_COUNT_START] * self.count
        self.evaluated_steps, self.saved, self.plain, self.is_active = 0, 0.0, 0.0, True
        self.learnt = []  # probabilities and likelihoods; one for each lane of an evaluated step
        for lane in lanes:
            lane.own_posterior = list(self.prior)

    def model_step(self, lane: Lane, step: int, logits: np.ndarray) -> ModelStep:
        plain = weights_of(logits, F(1))
        ranks = ranks_of(plain)
        top, second = int(ranks[0]), int(ranks[min(1, len(ranks) - 1)])
        samplers = self.distributions(lane, logits, plain, ranks) if self.is_active or step % 16 == 0 else []
        sizes = np.concatenate([self.mixed(lane, samplers) if samplers else plain, self.byte_symbol_ones])
        return ModelStep(sizes, int(sizes.sum()), top, second, samplers)

    def distributions(self, lane: Lane, logits: np.ndarray, plain: np.ndarray, ranks: np.ndarray) -> list:
        own = {t: weights_of(logits, scale_of(t)) for t in {sampler.temperature for sampler in CANDIDATE_SAMPLERS}}
        samplers = []
        for sampler in CANDIDATE_SAMPLERS:
            weights = own[sampler.temperature]
            samplers.append(Distribution(sampler, weights, plain if sampler.order else weights, ranks, TOP_P_REACH))
        samplers[0].total += len(self.byte_symbol_ones)
        return samplers if self.stated is None else samplers + [Distribution.stated(self.stated, lane, logits)]

    def shares(self, lane: Lane) -> list[float]:
        """share[s]."""
        return [lane.shared_weight * g + (1.0 - lane.shared_weight) * o
                for g, o in zip(self.pooled_posterior, lane.own_posterior)]

    def mixed(self, lane: Lane, samplers: list[Distribution]) -> np.ndarray:
        """The frequencies of the tokens."""
        share, escape = self.shares(lane), self.escapes
        gain = [share[s] * (1.0 - escape[s]) for s in range(self.count)]
        gain[0] = functools.reduce(operator.add, (share[s] * escape[s] for s in range(1, self.count)), share[0])
        factor = [F(each / sampler.total * 2.0**30) for each, sampler in zip(gain, samplers)]
        total = np.zeros(len(samplers[0].weights), F)
        for kind in KINDS:
            parts = [np.where(samplers[s].kept(), factor[s], F(0)) for s in kind if s < self.count]
            if parts:
                total = total + samplers[kind[0]].weights.astype(F) * add_up(np.array(parts))
        return np.maximum(np.trunc(total).astype(np.int64), 1)

    def learn_symbol(self, lane: Lane, model_step: ModelStep, symbol: int) -> None:
        if symbol < self.token_kinds:
            lane.tokens.append(symbol)
        if not model_step.samplers:
            return
        probabilities = [sampler.probability(symbol, s == 0) for s, sampler in enumerate(model_step.samplers)]
        plain = probabilities[0]
        likelihoods = [(1.0 - escape) * each + escape * plain for escape, each in zip(self.escapes, probabilities)]
        likelihoods[0] = plain
        self.learnt.append((probabilities, likelihoods))

    def learn_step(self, lanes: list[Lane]) -> None:
        if not self.learnt:
            return
        self.evaluated_steps += 1
        lane_count, saved, plain, own_sums = len(lanes), 0.0, 0.0, [0.0] * self.count
        shares = [self.shares(lane) for lane in lanes]
        fits = [(sum_of(g * each for g, each in zip(self.pooled_posterior, likelihoods)),
                 sum_of(o * each for o, each in zip(lane.own_posterior, likelihoods)))
                for lane, (_, likelihoods) in zip(lanes, self.learnt)]
        for lane, share, (probabilities, likelihoods), (pooled, own) in zip(lanes, shares, self.learnt, fits):
            likelihood = lane.shared_weight * pooled + (1.0 - lane.shared_weight) * own
            saved += table_log(likelihood) - table_log(probabilities[0])
            plain -= table_log(probabilities[0])
            for s in range(self.count):
                self.total_counts[s] += share[s] * likelihoods[s] / likelihood
                if s > 0 and probabilities[s] == 0:
                    self.escape_counts[s] += share[s] * likelihoods[s] / likelihood
            lane.shared_weight = lane.shared_weight * pooled / likelihood
            self.shared_weight = bayes_update(self.shared_weight, pooled, own)
            lane.own_posterior = [o * each / own for o, each in zip(lane.own_posterior, likelihoods)]
            products = [g * each for g, each in zip(self.pooled_posterior, likelihoods)]
            total = sum_of(products)
            self.pooled_posterior = [each / total for each in products]
            own_sums = [each + o for each, o in zip(own_sums, lane.own_posterior)]
        self.escapes = [min(escaped / total, 0.3) for escaped, total in zip(self.escape_counts, self.total_counts)]
        self.pooled_posterior = [(1.0 - 0.001) * g + 0.001 * prior
                                 for g, prior in zip(self.pooled_posterior, self.prior)]
        rate, fixed_share = (max(1.0 / (self.evaluated_steps + 1), least) for least in (0.01, 0.02))
        self.mean_posterior = [max(m + rate * (each / lane_count - m), 1e-5)
                               for m, each in zip(self.mean_posterior, own_sums)]
        self.shared_weight = (1.0 - 0.01) * self.shared_weight + 0.01 * 0.5
        for lane in lanes:
            lane.own_posterior = [(1.0 - fixed_share) * o + fixed_share * m
                                  for o, m in zip(lane.own_posterior, self.mean_posterior)]
            lane.shared_weight = (1.0 - fixed_share) * lane.shared_weight + fixed_share * self.shared_weight
        self.saved, self.plain = 0.98 * self.saved + saved / lane_count, 0.98 * self.plain + plain / lane_count
        self.is_active = self.stated is not None or self.evaluated_steps < 32 or self.saved >= 0.004 * self.plain
        self.learnt = []


# ---- A block's model segments ----


def decode_group(model: Model, vocabulary: Vocabulary, window: int, contract: int, sampler: Sampler | None,
                 streams: list) -> list[list[int]]:
    """The symbols of a block's model segments, each (offset, count, stream), in lockstep. A lane that is done before
    the others goes on with any token, as no other lane depends on it."""
    counts = [count for _, count, _ in streams]
    begins = list(itertools.accumulate(counts, initial=0))
    lanes = [Lane(begin, count, offset, stream) for begin, (offset, count, stream) in zip(begins, streams)]
    symbols, symbol_kinds, experts = [0] * begins[-1], len(vocabulary.bytes), None
    if contract == ADAPTIVE_EXPERTS:
        offset, size = lanes[0].offset, len(symbols)
        expect(size <= GROUP_SYMBOLS_MAX, offset, "symbols of the block", size, f"at most {GROUP_SYMBOLS_MAX}")
        experts = Experts(symbols, symbol_kinds, Samplers(sampler, lanes, vocabulary.size, symbol_kinds))
    model.start(window, max(counts), len(lanes))
    tokens = [vocabulary.start] * len(lanes)
    for step in range(max(counts)):
        logits = model.logits(tokens, step)[:, : vocabulary.size]
        for i, lane in enumerate(lanes):
            if step < lane.count:
                expect(bool(np.isfinite(logits[i]).all()), lane.offset, "logits", "one that is not finite",
                       "finite numbers")
                if experts:
                    symbol = experts.decode(lane, step, logits[i])
                else:
                    symbol = lane.coder.symbol(frequencies(logits[i], symbol_kinds))
                symbols[lane.begin + step] = symbol
                tokens[i] = symbol if symbol < vocabulary.size else vocabulary.unknown
        if experts:
            experts.learn(step)
    for lane, (_, _, stream) in zip(lanes, streams):
        used = lane.coder.next
        expect(used >= len(stream), lane.offset, "code stream", f"{used} bytes used", f"all {len(stream)}")
    return [symbols[lane.begin : lane.begin + lane.count] for lane in lanes]


# ---- archive.md, 1 to 3 ----

MAGIC = 0x0A1A0A0D54435489
BLOCK_BYTES_MAX, SEGMENTS_MAX, WINDOW_MIN, WINDOW_MAX = 64 << 20, 1024, 16, 2**20
MODEL, ZSTD, RAW, BROTLI = METHODS = range(4)
CONTRACTS = FREQUENCIES_ALONE, ADAPTIVE_EXPERTS = 1, 2
NAMES_MODEL, STATES_SAMPLER, HAS_RECORDS = 1, 2, 4  # flags
SAMPLER_BOUNDS = {
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "repetition_penalty": (single(0.01), 100.0),
    "presence_penalty": (-100.0, 100.0),
    "frequency_penalty": (-100.0, 100.0),
}


def xxh3(data: bytes) -> int:
    import xxhash

    return xxhash.xxh3_64_intdigest(data)


def expanded(method: int, data: bytes, offset: int) -> bytes:
    """The original bytes of a segment without a model."""
    if method == RAW:
        return data
    if method == ZSTD:
        import zstandard

        decoder, error_type = zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError
        expand, complete = decoder.decompress, lambda: decoder.eof and not decoder.unused_data
    else:
        import brotli

        expand, error_type, complete = brotli.decompress, brotli.error, lambda: True
    try:
        text = expand(data)
    except error_type as error:
        raise Refused(f"offset {offset}: segment: found damage, expected a zstd frame or a brotli stream") from error
    expect(complete(), offset, "segment", "less or more than a frame", "one zstd frame")
    return text


def stated_sampler(header: Cursor) -> Sampler:
    order = header.integer(1, "order")
    expect(order in (0, 1), header.offset - 1, "order", order, "0 or 1")
    settings = {"order": order, "top_k": header.integer(4, "top_k")}
    settings["penalty_window"] = header.integer(4, "penalty_window")
    for name, (low, high) in SAMPLER_BOUNDS.items():
        (settings[name],) = struct.unpack("<f", header.take(4, name))
        expect(low <= settings[name] <= high, header.offset - 4, name, settings[name], f"{low:g} to {high:g}")
    return Sampler(**settings)


class Archive:
    def __init__(self, data: bytes, model_path: Path):
        self.data, self.model_path, self.model = data, model_path, None

        header = Cursor(data)
        header.exactly(8, "magic", MAGIC)
        header.exactly(2, "format version", 0)
        self.contract = header.integer(2, "numeric contract")
        expect(self.contract in CONTRACTS, 10, "numeric contract", self.contract, "1 or 2")
        flags, self.sampler = header.integer(1, "flags"), None
        expect(flags in (0, 1, 3, 4, 5, 7), 12, "flags", flags, "0, 1, 3, 4, 5 or 7")
        self.names_model, self.has_records = bool(flags & NAMES_MODEL), bool(flags & HAS_RECORDS)
        if self.names_model:
            self.window = header.integer(4, "window")
            expect(WINDOW_MIN <= self.window <= WINDOW_MAX, 13, "window", self.window, f"{WINDOW_MIN} to {WINDOW_MAX}")
            self.model_hash = header.take(32, "SHA-256 of the model")
            header.take(header.integer(1, "bytes in the model's name"), "model's name")
        if flags & STATES_SAMPLER:
            expect(self.contract == ADAPTIVE_EXPERTS, 12, "sampler", "one, with contract 1", "none")
            self.sampler = stated_sampler(header)
        header.exactly(8, "header hash", xxh3(data[: header.offset]))

        footer = Cursor(data, max(len(data) - 12, header.offset))
        index_bytes = footer.integer(4, "index bytes")
        start = footer.offset - 4 - index_bytes
        expect(start >= header.offset, footer.offset - 4, "index bytes", index_bytes, "an index behind the header")
        footer.exactly(8, "index hash", xxh3(data[start : footer.offset]))

        index = Cursor(data, start, footer.offset - 12)
        index.exactly(1, "index tag", 0x49)
        count = index.varint("block count")
        self.blocks, block_start = [], header.offset  # (start, stored bytes, original bytes, records)
        for _ in range(count):
            stored, original = index.varint("stored bytes"), index.varint("original bytes", BLOCK_BYTES_MAX)
            records = index.varint("records of a block", original) if self.has_records else 0
            self.blocks.append((block_start, stored, original, records))
            block_start += stored
        expect(index.offset == index.end, index.offset, "index", f"{index.end - index.offset} more bytes", "none")
        expect(block_start == start, start, "blocks and index", f"blocks up to {block_start}", f"up to {start}")

    def load_model(self) -> None:
        """Only where a segment needs it."""
        data = self.model_path.read_bytes()
        found = hashlib.sha256(data).digest()
        expect(found == self.model_hash, 17, "SHA-256 of the model", self.model_hash.hex(),
               f"{found.hex()}, that of {self.model_path}")
        self.model = Model(data)
        self.vocabulary = Vocabulary(self.model.gguf.keys, len(self.model.embedding))

    def decode(self) -> bytes:
        parts, done = [], 0
        for i, (start, stored, original, records) in enumerate(self.blocks):
            try:
                parts.append(self.decode_block(start, stored, original, records))
            except Refused as error:
                raise Refused(f"{error} (block {i}, original bytes {done} to {done + original})") from None
            done += original
        return b"".join(parts)

    def decode_streams(self, streams: list) -> list[list[int]]:
        """The symbols of a block's model segments: with records each is a group, else all are one."""
        if self.model is None:
            self.load_model()
        groups = [[stream] for stream in streams] if self.has_records else [streams]
        decoded = []
        for group in groups:
            decoded += decode_group(self.model, self.vocabulary, self.window, self.contract, self.sampler, group)
        return decoded

    def decode_block(self, start: int, stored: int, original: int, records: int) -> bytes:
        block = Cursor(self.data, start, start + stored)
        expect(stored >= 8, start, "block", f"{stored} bytes", "at least a hash")
        Cursor(self.data, start + stored - 8).exactly(8, "block hash", xxh3(self.data[start : start + stored - 8]))
        block.end -= 8
        block.exactly(1, "block tag", 0x42)
        found = block.varint("original bytes", BLOCK_BYTES_MAX)
        expect(found == original, start + 1, "original bytes", found, f"{original}, as in the index")
        segments = []
        for _ in range(block.varint("segment count", SEGMENTS_MAX)):
            method = block.integer(1, "method")
            expect(method in METHODS, block.offset - 1, "method", method, "0 to 3")
            maximum = original + 1 if method == MODEL else original
            count, lines = block.varint("count", maximum), None
            if self.has_records:
                lines = (block.varint("records of a segment", original), block.integer(4, "hash of a segment"))
            segments.append((method, count, lines, block.varint("stored bytes")))
        if self.has_records:
            counted = sum(lines[0] for _, _, lines, _ in segments)
            expect(counted == records, start, "records", counted, f"{records}, as in the index")
        hash_offset, text_hash = block.offset, block.integer(8, "hash of the original bytes")
        segments = [(method, count, lines, block.offset, block.take(size, "segment"))
                    for method, count, lines, size in segments]
        expect(block.offset == block.end, block.offset, "segments", f"{block.end - block.offset} more bytes", "none")

        streams = [(offset, count, stream) for method, count, _, offset, stream in segments if method == MODEL]
        if streams:
            expect(self.names_model, start, "model segment", "one", "none: the header names no model")
        symbols = iter(self.decode_streams(streams) if streams else [])
        text = b""
        for i, (method, count, lines, offset, data) in enumerate(segments):
            if method == MODEL:
                part = self.vocabulary.text(next(symbols), opens=self.has_records or i == 0)
            else:
                part = expanded(method, data, offset)
                expect(len(part) == count, offset, "segment", f"{len(part)} bytes", f"{count} bytes")
            text += part
            if self.has_records:
                found = xxh3(part) & 0xFFFFFFFF
                expect(lines[1] == found, offset, "hash of a segment", f"{lines[1]:#x}", f"{found:#x}")
                found = part.count(b"\n") + (not part.endswith(b"\n") and part != b"")
                expect(found - lines[0] in (0, 1), offset, "lines of a segment", found, f"{lines[0]} or one more")
        expect(len(text) == original, start, "block", f"{len(text)} bytes decoded", f"{original} bytes")
        found = xxh3(text)
        expect(text_hash == found, hash_offset, "hash of the original bytes", f"{text_hash:#x}", f"{found:#x}")
        return text


def main() -> int:
    parser = argparse.ArgumentParser(description="Decodes a Tacit archive, slowly.")
    parser.add_argument("archive", type=Path)
    parser.add_argument(
        "-m", "--model", type=Path, default=Path(__file__).parent.parent / "models/tacit-small-q8_0.gguf"
    )
    parser.add_argument("-o", "--output", type=Path, help="default: standard output")
    options = parser.parse_args()
    try:
        archive = Archive(options.archive.read_bytes(), options.model)
        with np.errstate(all="ignore"):
            text = archive.decode()
        if options.output:
            options.output.write_bytes(text)
        else:
            sys.stdout.buffer.write(text)
    except (Refused, OSError, ImportError) as error:
        print(f"{options.archive}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
