"""The optimisers: Muon for the matrices inside the layers, Adam for the embedding and the norms.

Muon: momentum, then the nearest orthogonal matrix by five Newton-Schulz steps (Jordan et al.,
github.com/KellerJordan/Muon, whose polynomial this uses). Matrices of one shape are orthogonalised together. Adam:
Kingma and Ba, arXiv 1412.6980.
"""

import torch

from recipe.model import COMPUTE

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(stack):
    """[n, rows, columns] float32, each scaled to near-orthogonal (singular values about 1)."""
    tall = stack.shape[1] > stack.shape[2]
    x = stack.to(COMPUTE)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Optimiser:
    """Both optimisers over one model. `step(rate)` scales both learning rates by `rate` (the schedule)."""

    MUON_RATE, MUON_MOMENTUM, WEIGHT_DECAY = 0.02, 0.95, 0.01
    ADAM_RATE, ADAM_BETAS, ADAM_EPSILON = 3e-3, (0.9, 0.95), 1e-10

    def __init__(self, model):
        matrices = [(n, p) for n, p in model.named_parameters() if p.ndim == 2 and n != "embedding"]
        self.groups = {}
        for name, p in matrices:
            self.groups.setdefault(tuple(p.shape), []).append((name, p))
        self.others = [(n, p) for n, p in model.named_parameters() if p.ndim != 2 or n == "embedding"]
        self.state = {n: {"m": torch.zeros_like(p)} for n, p in matrices}
        self.state |= {n: {"m": torch.zeros_like(p), "v": torch.zeros_like(p)} for n, p in self.others}
        self.steps = 0

    @torch.no_grad()
    def step(self, rate):
        self.steps += 1
        for group in self.groups.values():
            self.muon(group, rate * self.MUON_RATE)
        for name, p in self.others:
            self.adam(p, self.state[name], rate * self.ADAM_RATE)

    def muon(self, group, rate):
        updates = []
        for name, p in group:
            m = self.state[name]["m"].lerp_(p.grad, 1 - self.MUON_MOMENTUM)
            updates.append(p.grad.lerp(m, self.MUON_MOMENTUM))
        rows, columns = group[0][1].shape
        scale = max(1, rows / columns) ** 0.5
        for (_, p), update in zip(group, orthogonalise(torch.stack(updates))):
            p.mul_(1 - rate * self.WEIGHT_DECAY).sub_(update, alpha=rate * scale)

    def adam(self, p, state, rate):
        b1, b2 = self.ADAM_BETAS
        m = state["m"].lerp_(p.grad, 1 - b1)
        v = state["v"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
        denominator = (v / (1 - b2**self.steps)).sqrt_().add_(self.ADAM_EPSILON)
        p.addcdiv_(m, denominator, value=-rate / (1 - b1**self.steps))

    def state_dict(self):
        return {"steps": self.steps, "state": self.state}

    def load_state_dict(self, saved):
        self.steps = saved["steps"]
        for name, tensors in saved["state"].items():
            for key, tensor in tensors.items():
                self.state[name][key].copy_(tensor)
