"""A llama-type transformer in PyTorch, in the shape that GGUF's `llama` architecture names, written for CPU and GPU
speed.

RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied output (Touvron et al., arXiv 2302.13971). Master
weights are float32; products run in COMPUTE, bfloat16 where the machine multiplies it natively. Rotary pairs are (i, i
+ half) here; the export permutes them to GGUF's (2i, 2i + 1).
"""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn

NORM_EPSILON = 1e-5
ROPE_BASE = 10000.0


def native_precision():
    """bfloat16 on GPUs and on processors with AVX512_BF16 (elsewhere it is emulated, ten times slower than float32)."""
    fast = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


COMPUTE = native_precision()


@dataclasses.dataclass
class Shape:
    """The sizes of a model; everything else follows."""

    vocabulary: int
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 704
    context: int = 2048

    @property
    def head(self):
        return self.width // self.heads

    def multiply_adds(self, window):
        """Per token: every weight once (the tied table as the output layer), and attention over `window` positions."""
        kv = self.kv_heads * self.head
        layer = 2 * self.width * (self.width + kv) + 3 * self.width * self.feed_forward + 2 * window * self.width
        return self.layers * layer + self.vocabulary * self.width


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, NORM_EPSILON).to(COMPUTE)


class Linear(nn.Module):
    """No bias; float32 weight [out, in], COMPUTE product."""

    def __init__(self, inputs, outputs, scale):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * scale * inputs**-0.5)

    def forward(self, x):
        return F.linear(x, self.weight.to(COMPUTE))


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.q = Linear(shape.width, shape.width, 1.0)
        self.k = Linear(shape.width, shape.kv_heads * shape.head, 1.0)
        self.v = Linear(shape.width, shape.kv_heads * shape.head, 1.0)
        self.o = Linear(shape.width, shape.width, 0.0)

    def forward(self, x, rope):
        batch, time, width = x.shape
        q, k, v = (p(x).view(batch, time, -1, self.shape.head).transpose(1, 2) for p in (self.q, self.k, self.v))
        q, k = rotate(q, *rope), rotate(k, *rope)
        groups = self.shape.heads // self.shape.kv_heads
        k, v = (t.repeat_interleave(groups, dim=1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(batch, time, width))


def rotate(x, cos, sin):
    """x [batch, heads, time, head]; cos and sin [time, head / 2], COMPUTE of float64 angles."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


def rope_tables(time, head):
    frequency = ROPE_BASE ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angle = torch.arange(time, dtype=torch.float64)[:, None] * frequency
    return angle.cos().to(COMPUTE), angle.sin().to(COMPUTE)


class FeedForward(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate = Linear(shape.width, shape.feed_forward, 1.0)
        self.up = Linear(shape.width, shape.feed_forward, 1.0)
        self.down = Linear(shape.feed_forward, shape.width, 0.0)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.attention_norm, self.attention = RMSNorm(shape.width), Attention(shape)
        self.ffn_norm, self.ffn = RMSNorm(shape.width), FeedForward(shape)

    def forward(self, x, rope):
        x = x + self.attention(self.attention_norm(x), rope)
        return x + self.ffn(self.ffn_norm(x))


class Transformer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.randn(shape.vocabulary, shape.width) * 0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width)

    def hidden(self, ids):
        """Token ids [batch, time] to the normalised last layer [batch, time, width], COMPUTE."""
        rope = tuple(t.to(ids.device) for t in rope_tables(ids.shape[1], self.shape.head))
        x = F.embedding(ids, self.embedding).float()
        for block in self.blocks:
            x = block(x, rope)
        return self.norm(x)

    def loss(self, ids, targets):
        """Sum of cross entropy (nats) of targets [batch, time]."""
        return OutputLoss.apply(self.hidden(ids).flatten(0, 1), self.embedding, targets.flatten())


class OutputLoss(torch.autograd.Function):
    """Output layer and cross entropy together, a slice of rows at a time: the logits of a batch are never all in
    memory, and the gradient of each slice is made while its logits are still in the cache."""

    ROWS = 512

    @staticmethod
    def forward(ctx, x, table, targets):
        weight = table.to(COMPUTE)
        grad_x = torch.empty_like(x)
        grad_table = torch.zeros_like(table)
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for start in range(0, len(x), OutputLoss.ROWS):
            rows = slice(start, start + OutputLoss.ROWS)
            loss, grad_logits = softmax_and_gradient(x[rows] @ weight.T, targets[rows])
            total += loss
            grad_x[rows] = grad_logits @ weight
            grad_table += (grad_logits.T @ x[rows]).float()
        ctx.save_for_backward(grad_x, grad_table)
        return total.float()

    @staticmethod
    def backward(ctx, grad):
        grad_x, grad_table = ctx.saved_tensors
        return grad_x * grad.to(grad_x.dtype), grad_table * grad, None


def softmax_and_gradient(logits, targets):
    """Sum of cross entropy and d(sum)/d(logits) of COMPUTE logits [rows, vocabulary]."""
    logits = logits.float()
    p = torch.softmax(logits, dim=-1)
    index = targets[:, None]
    loss = -torch.log(p.gather(1, index).clamp_min(1e-30)).sum()
    p.scatter_add_(1, index, torch.full_like(index, -1, dtype=p.dtype))
    return loss, p.to(COMPUTE)


def compile_parts(model):
    """Fuses what is between the matrix products (torch.compile)."""
    global softmax_and_gradient
    model.hidden = torch.compile(model.hidden, dynamic=False)
    softmax_and_gradient = torch.compile(softmax_and_gradient, dynamic=False)
