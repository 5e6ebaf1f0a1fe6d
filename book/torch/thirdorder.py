"""Three derivatives of x³ at x = 2, each from the one before."""

import torch

x = torch.tensor(2.0, requires_grad=True)
y = x**3
(slope,) = torch.autograd.grad(y, x, create_graph=True)
(bend,) = torch.autograd.grad(slope, x, create_graph=True)
(third,) = torch.autograd.grad(bend, x)
print(slope.item(), bend.item(), third.item())
