"""The square of a row times a column, and both gradients."""

import torch

x = torch.tensor([[1.0, 2.0]], requires_grad=True)
W = torch.tensor([[3.0], [4.0]], requires_grad=True)
y = x @ W
loss = (y**2).sum()
loss.backward()
print(y)
print(x.grad, W.grad)
