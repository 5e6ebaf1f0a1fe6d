"""A hook reads a gradient; an edit comes too early."""

import torch

x = torch.tensor([0.5, 2.0], dtype=torch.float64)
x.requires_grad_()
seen = []
h = x * x
handle = h.register_hook(seen.append)
y = (3 * h).sum()
y.backward()
handle.remove()
gradient = seen[0]
print(gradient)
print(x.grad)
e = x.exp()
with torch.no_grad():
    e.add_(1.0)
e.sum().backward()  # raises RuntimeError
