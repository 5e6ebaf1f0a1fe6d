"""One backward pass with a seed, one with a seed of ones."""

import torch

A = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
((a * a) @ A).backward(torch.tensor([10.0, 1.0]))
print(a.grad)

b = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
((b * b) @ A).sum().backward()
print(b.grad)
