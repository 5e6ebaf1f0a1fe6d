"""Gradients of two tensors that broadcasting stretched."""

import torch

rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
x = torch.tensor(rows, requires_grad=True)
b = torch.tensor([10.0, 20.0, 30.0], requires_grad=True)
c = torch.tensor([[2.0], [5.0]], requires_grad=True)
y = (x + b) * c
y.sum().backward()
print(y.shape)
print(b.grad, c.grad)
