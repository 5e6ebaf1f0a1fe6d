"""The gradient of a loss after one step: whole, and cut short."""

import torch

w = torch.tensor(1.0, requires_grad=True)
(g,) = torch.autograd.grad(w * w, w, create_graph=True)
fast = w - 0.1 * g
(whole,) = torch.autograd.grad(fast * fast, w)
(g,) = torch.autograd.grad(w * w, w)
fast = w - 0.1 * g
(short,) = torch.autograd.grad(fast * fast, w)
print(round(whole.item(), 4), round(short.item(), 4))
