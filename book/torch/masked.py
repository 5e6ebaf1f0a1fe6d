"""A softmax over a row in which nothing is allowed."""

import torch

scores = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
allowed = torch.tensor([[True, True, False], [False, False, False]])

closed = scores.masked_fill(~allowed, -float("inf"))
softmax = closed.softmax(dim=-1)
weights = torch.where(allowed.any(dim=-1, keepdim=True), softmax, 0.0)

loss = (weights * torch.tensor([1.0, 10.0, 100.0])).sum()
print(softmax)
print(torch.autograd.grad(loss, closed, retain_graph=True)[0])
loss.backward()
print(scores.grad)
