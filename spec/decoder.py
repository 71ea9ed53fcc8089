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
F32, F16, Q4_0, Q8_0, BF16 = 0, 1, 2, 8, 30
BLOCK_SIZES = {F32: (1, 4), F16: (1, 2), Q4_0: (32, 18), Q8_0: (32, 34), BF16: (1, 2)}  # elements, bytes


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
        expect(name in self.tensors, 0, f"tensor {name}", "none", "one of type F32, F16, BF16, Q8_0 or Q4_0")
        return self.tensors[name]

    def floats(self, name: str) -> np.ndarray:
        """A tensor as float32, dequantised with one rounding."""
        kind, shape, raw = self.tensor(name)
        if kind in (Q8_0, Q4_0):
            integers, scales = self.blocks(name)
            return (integers.astype(F) * scales[..., None]).reshape(shape)
        if kind == BF16:
            return (raw.view("<u2").astype(np.uint32) << 16).view(F).reshape(shape)
        return raw.view("<f2" if kind == F16 else "<f4").astype(F).reshape(shape)

    def blocks(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A Q8_0 or Q4_0 tensor as integers [rows, blocks, 32] and scales [rows, blocks]."""
        kind, shape, raw = self.tensor(name)
        raw = raw.reshape(shape[0], -1, BLOCK_SIZES[kind][1])
        scales, integers = np.ascontiguousarray(raw[..., :2]).view("<f2")[..., 0].astype(F), raw[..., 2:]
        if kind == Q8_0:
            return integers.view(np.int8), scales
        return np.concatenate([integers & 15, integers >> 4], axis=-1).astype(np.int8) - 8, scales


# ---- numeric.md, 1: quantisation ----

NARROW, WIDE, ATTENTION = F(127), F(4095), F(16383)
ROUND = F(12582912)


def padded(x: np.ndarray, block: int) -> np.ndarray:
    """[..., n] as [..., blocks, block]; what is missing from the last block is 0."""
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
        if gguf.tensor(name + ".weight")[0] in (Q8_0, Q4_0):
            self.m, (integers, scales) = NARROW, gguf.blocks(name + ".weight")
        else:
            self.m, (integers, scales) = WIDE, quantise(gguf.floats(name + ".weight"), WIDE)
        self.integers = np.ascontiguousarray(integers.transpose(1, 2, 0), np.int32)  # [blocks, 32, outputs]
        self.scales = np.ascontiguousarray(scales.T)  # [blocks, outputs]
        self.bias = gguf.floats(name + ".bias") if name + ".bias" in gguf.tensors else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[lanes, inputs] to [lanes, outputs]."""
        q, s = quantise(x, self.m)
        dots = np.einsum("bli,bio->blo", q.transpose(1, 0, 2), self.integers)
        y = add_up(dots.astype(F) * (s.T[:, :, None] * self.scales[:, None, :]))
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
        q, s = quantise(query, NARROW)
        residual = (padded(query, 32) - q.astype(F) * s[..., None]).reshape(*query.shape[:2], -1)
        return product(q, s) + product(*quantise(residual, NARROW))

    def __call__(self, query: np.ndarray, key: np.ndarray, value: np.ndarray, p: int) -> np.ndarray:
        """Of position p, before rotation: [lanes, heads, dimensions]. Returns [lanes, heads, value_dim]."""
        slot = self.slot(p)
        self.keys[0][slot], self.keys[1][slot] = quantise(self.rotary(key, p), NARROW)
        self.values[0][slot], self.values[1][slot] = quantise(value, NARROW, 64)

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


def frequencies(logits: np.ndarray, symbols: int, offset: int) -> np.ndarray:
    expect(bool(np.isfinite(logits).all()), offset, "logits", "one that is not finite", "finite numbers")
    scaled = np.trunc(exp(logits - logits.max()) * F(2**30)).astype(np.int64)
    return np.concatenate([np.maximum(scaled, 1), np.ones(symbols - len(logits), np.int64)])


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
        expect(name == b"llama", 0, "tokenizer.ggml.model", name, "llama")
        expect(0 < len(pieces) <= rows, 0, "tokenizer.ggml.tokens", len(pieces), f"1 to {rows}")
        self.size = len(pieces)
        self.types = self.corrected(keys, pieces, keys.get("tokenizer.ggml.token_type", [NORMAL] * self.size))
        self.bytes = [self.spelled(piece, kind) for piece, kind in zip(pieces, self.types)]
        spelled = {text for text, kind in zip(self.bytes, self.types) if kind != USER_DEFINED}
        self.bytes += [bytes([k]) for k in range(256) if bytes([k]) not in spelled]  # the escapes
        self.start = keys.get("tokenizer.ggml.bos_token_id", min(1, self.size - 1))
        self.unknown = keys.get("tokenizer.ggml.unknown_token_id", 0)
        self.space_prefix = keys.get("tokenizer.ggml.add_space_prefix", True)

    @staticmethod
    def spelled(piece: bytes, kind: int) -> bytes:
        if kind == BYTE:
            return bytes.fromhex(piece[3:5].decode())  # <0xHH>
        if kind in (UNKNOWN, CONTROL):
            return b""
        return piece if kind == USER_DEFINED else piece.replace("\u2581".encode(), b" ")

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

ORDERS = (1, 64), (2, 32), (3, 16), (4, 16), (6, 16)  # length, depth
MATCH_LENGTH = 10
GROUP_SYMBOLS_MAX = 2**21
GUESSES = 3


def clamp(x: float, low: float, high: float) -> float:
    return low if x < low else high if x > high else x


def table_log(x: float) -> float:
    """The ln of section 10, which is not the log of section 4."""
    m, exponent = math.frexp(x)  # m in [1/2, 1)
    m, exponent = m * 2.0, exponent - 1
    centre = 1.0 + (math.floor(128.0 * (m - 1.0)) + 0.5) / 128.0
    d = (m - centre) * (1.0 / centre)
    return exponent * float.fromhex("0x1.62e42fefa39efp-1") + (log64(centre) + (d - d * d * (0.5 - d * (1.0 / 3.0))))


def stretch(p: float) -> float:
    p = clamp(p, 1e-7, 1.0 - 1e-7)
    return table_log(p) - table_log(1.0 - p)


def squash(z: float) -> float:
    e = exp(np.array([-clamp(z, -30.0, 30.0)], F))
    return clamp(1.0 / (1.0 + float(e[0])), 1e-6, 1.0 - 1e-6)


def class_of(n: int, exact: int, limits: tuple[int, ...]) -> int:
    """Numbers below `exact` each for themselves, then by how many limits they have reached."""
    return n if n < exact else exact + sum(n >= limit for limit in limits)


def count_class(n: int) -> int:
    return class_of(n, 6, (12, 24, 48))


def length_class(n: int) -> int:
    return class_of(n, 16, (23, 32, 46, 64, 91, 128, 182, 256))


class Share:
    """A probability from a table: the mean of what it learned, of late."""

    def __init__(self, value: float):
        self.value, self.count = value, 2

    def learn(self, outcome: float, rate_min: float) -> None:
        self.count += 1
        self.value += max(1.0 / self.count, rate_min) * (outcome - self.value)


class History:
    """Where the contexts of a block's symbols were seen before."""

    def __init__(self, symbols: list[int]):
        self.symbols = symbols  # those of all lanes; filled by the decoder
        self.shift = 64 - min(max(len(symbols).bit_length(), 10), 20)
        self.lists = [defaultdict(functools.partial(deque, maxlen=depth)) for _, depth in ORDERS]
        self.match_places = {}

    def context(self, place: int, length: int) -> list[int]:
        return self.symbols[place - length : place]

    def bucket(self, place: int, length: int) -> int:
        h = 0
        for symbol in reversed(self.context(place, length)):
            h = (h ^ (symbol + 1)) * 0x9E3779B97F4A7C15 % 2**64
            h ^= h >> 29
        return h >> self.shift

    def followers(self, order: int, place: int) -> Counter:
        """How often which symbol followed the context of a place, in the order in which the walk meets them."""
        length, _ = ORDERS[order]
        context, places = self.context(place, length), self.lists[order][self.bucket(place, length)]
        return Counter(self.symbols[other] for other in places if self.context(other, length) == context)

    def add(self, place: int, step: int) -> None:
        for (length, _), lists in zip(ORDERS, self.lists):
            if step >= length:
                lists[self.bucket(place, length)].appendleft(place)

    def match(self, place: int) -> int | None:
        other = self.match_places.get(self.bucket(place, MATCH_LENGTH))
        if other is None or self.context(other, MATCH_LENGTH) != self.context(place, MATCH_LENGTH):
            return None
        return other

    def add_match(self, place: int) -> None:
        self.match_places[self.bucket(place, MATCH_LENGTH)] = place


class Lane:
    def __init__(self, begin: int, count: int, offset: int, stream: bytes):
        self.begin, self.count, self.offset = begin, count, offset
        self.coder = RangeDecoder(stream)
        self.run, self.match, self.match_length = 0, None, 0  # of the experts; the match is a place


class Guess(NamedTuple):
    """One that was coded, and what it was made of."""

    inputs: list[float]
    weights: list[list[float]]  # a row of each table
    hit: Share | None
    p: float


class Prediction:
    """Of one symbol: the candidates, and the model's frequencies mixed with the experts' votes."""

    def __init__(self, experts: "Experts", lane: Lane, step: int, sizes: np.ndarray):
        history, place = experts.history, lane.begin + step
        self.sizes, self.total = sizes, int(sizes.sum())
        self.run, self.match_length = lane.run, lane.match_length
        self.match = None if lane.match is None else history.symbols[lane.match]  # a symbol
        self.before = history.symbols[place - 1] if step else 0

        self.top = int(sizes.argmax())
        self.counts = []  # of each order with evidence
        for order, (length, _) in enumerate(ORDERS):
            counts = history.followers(order, place) if step >= length else None
            if not counts:
                break
            self.counts.append(counts)
        votes = [self.top, *(symbol for counts in self.counts for symbol in counts)]
        self.candidates = list(dict.fromkeys(votes if self.match is None else votes + [self.match]))
        self.best = [max(self.candidates, key=counts.__getitem__) for counts in self.counts]  # of equal ones the first

        q = self.model(self.top)
        self.confidence = min(math.floor(5.0 * q) + (q > 0.9) + (q > 0.97), 6)
        self.shares = [experts.order_shares[self.share_key(order)] for order in range(len(self.counts))]
        if self.match is not None:
            key = length_class(self.match_length), self.match == self.top, self.confidence
            self.shares.append(experts.match_shares[key])
        self.values = [share.value for share in self.shares]  # other lanes change them before this one learns
        self.model_weight = functools.reduce(operator.mul, (1.0 - s for s in self.values), 1.0)

        self.evidence = {symbol: self.mix(0.0, symbol)[0] for symbol in self.candidates}
        self.guesses = sorted(self.candidates, key=lambda symbol: (-self.mixed(symbol), symbol))[:GUESSES]
        # What the guesses still to come share among them:
        self.mixed_left, self.model_left = 1.0, 1.0
        self.counts_left = [counts.total() for counts in self.counts]

    def share_key(self, order: int) -> tuple:
        counts, is_top = self.counts[order], self.best[order] == self.top
        return order, count_class(counts.total()), min(len(counts), 5), self.confidence, is_top

    def model(self, symbol: int) -> float:
        return int(self.sizes[symbol]) / self.total

    def mixed(self, symbol: int) -> float:
        return self.evidence[symbol] + self.model_weight * self.model(symbol)

    def mix(self, p: float, symbol: int) -> tuple[float, list[float]]:
        """Mixes the experts' probabilities of a symbol into p. Returns the result and each expert's credit for it."""
        votes = [counts[symbol] / counts.total() for counts in self.counts]
        if self.match is not None:
            votes.append(float(symbol == self.match))
        credits = []
        for share, vote in zip(self.values, votes):
            own = share * vote
            p = own + (1.0 - share) * p
            credits.append(own / p if own else 0.0)  # p may be 0 too
        return p, credits

    def inputs(self, symbol: int, hit: Share | None) -> list[float]:
        orders = [0.5 * stretch((counts[symbol] + 0.02) / (left + 0.4)) if left else 0.0
                  for counts, left in zip(self.counts, self.counts_left)]
        return [stretch(self.mixed(symbol) / self.mixed_left), stretch(self.model(symbol) / self.model_left), 0.3,
                *orders, *[0.0] * (len(ORDERS) - len(orders)), 0.5 * stretch(hit.value) if hit else 0.0]

    def weight_keys(self, k: int, symbol: int) -> list[tuple]:
        """Of the rows of the three tables, for guess k."""
        matched = None if self.match is None else symbol == self.match
        last_order = max((order for order, counts in enumerate(self.counts) if counts[symbol]), default=None)
        return [(k, len(self.counts), matched, last_order), (k, self.confidence, min(self.run, 7)),
                (k, self.before % 8192)]

    def leave_out(self, symbol: int) -> None:
        """A wrong guess."""
        self.mixed_left = max(self.mixed_left - self.mixed(symbol), 1e-9)
        self.model_left = max(self.model_left - self.model(symbol), 1e-9)
        self.counts_left = [left - counts[symbol] for counts, left in zip(self.counts, self.counts_left)]

    def rest(self) -> tuple[np.ndarray, np.ndarray]:
        """What can follow when all guesses were wrong: symbols and frequencies."""
        others = [symbol for symbol in self.candidates if symbol not in self.guesses]
        unit = self.total / max(self.model_weight, 1e-30)
        boosts = [self.evidence[symbol] * unit for symbol in others]
        boost, room = functools.reduce(operator.add, boosts, 0.0), max(float(2**50 - self.total), 0.0)
        scale = room / boost if boost > room else 1.0
        sizes = [int(self.sizes[symbol]) + math.floor(b * scale) for symbol, b in zip(others, boosts)]
        symbols = np.arange(len(self.sizes))
        return tuple(np.concatenate([np.array(first, np.int64), np.delete(all_, self.candidates)])
                     for first, all_ in ((others, symbols), (sizes, self.sizes)))


class Experts:
    """What the lanes of a block learn from their text, together."""

    def __init__(self, symbols: list[int]):
        self.history = History(symbols)
        self.order_shares, self.match_shares = defaultdict(lambda: Share(0.3)), defaultdict(lambda: Share(0.3))
        self.hits = {True: defaultdict(lambda: Share(0.8)), False: defaultdict(lambda: Share(0.1))}
        self.weights = [defaultdict(lambda first=first: [first] + [0.0] * 8) for first in (1.0, 0.0, 0.0)]
        self.to_learn = []  # lane, prediction, its guesses; one for each lane that has the step

    def decode(self, lane: Lane, step: int, sizes: np.ndarray) -> int:
        prediction, guesses = Prediction(self, lane, step, sizes), []
        self.to_learn.append((lane, prediction, guesses))
        for k, symbol in enumerate(prediction.guesses):
            guesses.append(self.guess(prediction, k, symbol))
            right = math.floor(guesses[-1].p * 2**32)
            if lane.coder.symbol(np.array([right, 2**32 - right])) == 0:
                return symbol
            prediction.leave_out(symbol)
        symbols, sizes = prediction.rest()
        return int(symbols[lane.coder.symbol(sizes)])

    def guess(self, prediction: Prediction, k: int, symbol: int) -> Guess:
        hit = None
        if prediction.match is not None:
            hit = self.hits[symbol == prediction.match][min(prediction.match_length, 31), k]
        inputs = prediction.inputs(symbol, hit)
        rows = [table[key] for table, key in zip(self.weights, prediction.weight_keys(k, symbol))]
        z = 0.0
        for a, b, c, x in zip(*rows, inputs):
            z += ((a + b) + c) * x
        return Guess(inputs, rows, hit, squash(z))

    def learn(self, step: int) -> None:
        """From the step's symbols of all lanes."""
        for lane, prediction, guesses in self.to_learn:
            place = lane.begin + step
            self.learn_symbol(prediction, guesses, self.history.symbols[place])
            self.learn_run(lane, prediction, self.history.symbols[place])
            self.history.add(place, step)
        going_on = [lane for lane, _, _ in self.to_learn if step + 1 < lane.count]
        for lane in going_on:
            self.next_match(lane, step)
        if step + 1 >= MATCH_LENGTH:
            for lane in going_on:
                self.history.add_match(lane.begin + step + 1)
        self.to_learn = []

    @staticmethod
    def learn_symbol(prediction: Prediction, guesses: list[Guess], symbol: int) -> None:
        _, credits = prediction.mix(prediction.model(symbol), symbol)
        for share, credit in zip(prediction.shares, credits):
            share.learn(credit, 0.008)
            share.value = clamp(share.value, 0.0005, 1.0 - 0.0005)
        for guess, guessed in zip(guesses, prediction.guesses):
            right = float(guessed == symbol)
            d = 0.003 * (right - guess.p)
            for row in guess.weights:
                row[:] = [weight + d * x for weight, x in zip(row, guess.inputs)]
            if guess.hit:
                guess.hit.learn(right, 0.005)

    @staticmethod
    def learn_run(lane: Lane, prediction: Prediction, symbol: int) -> None:
        if not prediction.counts:
            lane.run //= 2
        else:
            lane.run = min(lane.run + 1, 15) if symbol == prediction.best[-1] else lane.run // 4

    def next_match(self, lane: Lane, step: int) -> None:
        symbols, place = self.history.symbols, lane.begin + step
        if lane.match is not None and symbols[lane.match] == symbols[place] and lane.match + 1 < len(symbols):
            lane.match, lane.match_length = lane.match + 1, lane.match_length + 1
        else:
            lane.match = self.history.match(place + 1) if step + 1 >= MATCH_LENGTH else None
            lane.match_length = MATCH_LENGTH


def decode_group(model: Model, vocabulary: Vocabulary, window: int, contract: int, streams: list) -> list[list[int]]:
    """The symbols of a block's model segments, each (offset, count, stream), in lockstep. A lane that is done before
    the others goes on with any token, as no other lane depends on it."""
    counts = [count for _, count, _ in streams]
    begins = list(itertools.accumulate(counts, initial=0))
    lanes = [Lane(begin, count, offset, stream) for begin, (offset, count, stream) in zip(begins, streams)]
    symbols, experts = [0] * begins[-1], None
    if contract == ADAPTIVE_EXPERTS:
        offset, size = lanes[0].offset, len(symbols)
        expect(size <= GROUP_SYMBOLS_MAX, offset, "symbols of the block", size, f"at most {GROUP_SYMBOLS_MAX}")
        experts = Experts(symbols)
    model.start(window, max(counts), len(lanes))
    tokens = [vocabulary.start] * len(lanes)
    for step in range(max(counts)):
        logits = model.logits(tokens, step)
        for i, lane in enumerate(lanes):
            if step < lane.count:
                sizes = frequencies(logits[i, : vocabulary.size], len(vocabulary.bytes), lane.offset)
                symbol = experts.decode(lane, step, sizes) if experts else lane.coder.symbol(sizes)
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


class Archive:
    def __init__(self, data: bytes, model_path: Path):
        self.data, self.model_path, self.model = data, model_path, None

        header = Cursor(data)
        header.exactly(8, "magic", MAGIC)
        header.exactly(2, "format version", 0)
        self.contract = header.integer(2, "numeric contract")
        expect(self.contract in CONTRACTS, 10, "numeric contract", self.contract, "1 or 2")
        self.names_model = header.integer(1, "model flag")
        expect(self.names_model in (0, 1), 12, "model flag", self.names_model, "0 or 1")
        if self.names_model:
            self.window = header.integer(4, "window")
            expect(WINDOW_MIN <= self.window <= WINDOW_MAX, 13, "window", self.window, f"{WINDOW_MIN} to {WINDOW_MAX}")
            self.model_hash = header.take(32, "SHA-256 of the model")
            header.take(header.integer(1, "bytes in the model's name"), "model's name")
        header.exactly(8, "header hash", xxh3(data[: header.offset]))

        footer = Cursor(data, max(len(data) - 12, header.offset))
        index_bytes = footer.integer(4, "index bytes")
        start = footer.offset - 4 - index_bytes
        expect(start >= header.offset, footer.offset - 4, "index bytes", index_bytes, "an index behind the header")
        footer.exactly(8, "index hash", xxh3(data[start : footer.offset]))

        index = Cursor(data, start, footer.offset - 12)
        index.exactly(1, "index tag", 0x49)
        count = index.varint("block count")
        self.blocks, block_start = [], header.offset  # (start, stored bytes, original bytes)
        for _ in range(count):
            stored, original = index.varint("stored bytes"), index.varint("original bytes", BLOCK_BYTES_MAX)
            self.blocks.append((block_start, stored, original))
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
        for i, (start, stored, original) in enumerate(self.blocks):
            try:
                parts.append(self.decode_block(start, stored, original))
            except Refused as error:
                raise Refused(f"{error} (block {i}, original bytes {done} to {done + original})") from None
            done += original
        return b"".join(parts)

    def decode_streams(self, streams: list) -> list[list[int]]:
        if self.model is None:
            self.load_model()
        return decode_group(self.model, self.vocabulary, self.window, self.contract, streams)

    def decode_block(self, start: int, stored: int, original: int) -> bytes:
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
            segments.append((method, block.varint("count", maximum), block.varint("stored bytes")))
        hash_offset, text_hash = block.offset, block.integer(8, "hash of the original bytes")
        segments = [(method, count, block.offset, block.take(size, "segment")) for method, count, size in segments]
        expect(block.offset == block.end, block.offset, "segments", f"{block.end - block.offset} more bytes", "none")

        streams = [(offset, count, stream) for method, count, offset, stream in segments if method == MODEL]
        if streams:
            expect(self.names_model == 1, start, "model segment", "one", "none: the header names no model")
        symbols = iter(self.decode_streams(streams) if streams else [])
        text = b""
        for i, (method, count, offset, data) in enumerate(segments):
            if method == MODEL:
                part = self.vocabulary.text(next(symbols), opens=i == 0)
            else:
                part = expanded(method, data, offset)
                expect(len(part) == count, offset, "segment", f"{len(part)} bytes", f"{count} bytes")
            text += part
        expect(len(text) == original, start, "block", f"{len(text)} bytes decoded", f"{original} bytes")
        found = xxh3(text)
        expect(text_hash == found, hash_offset, "hash of the original bytes", f"{text_hash:#x}", f"{found:#x}")
        return text


def main() -> int:
    parser = argparse.ArgumentParser(description="Decodes a Tacit archive, slowly.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("-m", "--model", type=Path, default=Path(__file__).parent.parent / "models/seed7m-q8_0.gguf")
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
