"""The slope of 3x + 1 at x = 2."""

import torch

x = torch.tensor(2.0, requires_grad=True)
y = 3 * x + 1
y.backward()
print(y)
print(x.grad)
