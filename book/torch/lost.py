"""A backward pass that finds no history."""

import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
h = x * x
cut = h.detach()
again = 3 * cut
print(h.requires_grad, cut.requires_grad, again.requires_grad)
again.sum().backward()  # raises RuntimeError
