"""The slopes of (3x + 1)² at x = 2."""

import torch

x = torch.tensor(2.0, requires_grad=True)
u = 3 * x + 1
u.retain_grad()
y = u**2
y.backward()
print(y)
print(u.grad, x.grad)
