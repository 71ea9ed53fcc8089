"""Bits per byte of a float model on a token file, in windows of 512 tokens that start empty: quick, and the same for
every run.

The figures of the model card come from archives (`bench/ratios.py`), not from here.
"""

import numpy as np
import torch

from recipe.model import COMPUTE
from recipe.tokens import BOS, EOS

WINDOW = 512
ROWS = 16


@torch.no_grad()
def bits_per_byte(model, tokens, device):
    """`tokens`: a recipe.train.Tokens. The cost of EOS and BOS is left out, as archives have none."""
    ids = np.asarray(tokens.ids, dtype=np.int64)
    padded = np.full(-(-len(ids) // (ROWS * WINDOW)) * ROWS * WINDOW, EOS)
    padded[: len(ids)] = ids
    nats = 0.0
    for rows in torch.from_numpy(padded.reshape(-1, ROWS, WINDOW)):
        nats += window_nats(model, rows.to(device))
    return nats / np.log(2) / tokens.note["bytes"]


def window_nats(model, targets):
    """Sum of cross entropy of text tokens, targets [ROWS, WINDOW]."""
    inputs = targets.roll(1, dims=1)
    inputs[:, 0] = BOS
    logits = model.hidden(inputs) @ model.embedding.to(COMPUTE).T
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return loss[(targets.flatten() != EOS) & (targets.flatten() != BOS)].sum().item()
