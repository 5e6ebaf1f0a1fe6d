"""A power with a tensor above the line as well."""

import torch

a = torch.tensor([2.0, 3.0], requires_grad=True)
n = torch.tensor([3.0, 2.0], requires_grad=True)
z = a**n
z.sum().backward()
print(z)
print(a.grad, n.grad)
