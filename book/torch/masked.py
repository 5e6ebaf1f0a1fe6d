"""A softmax over a row in which nothing is allowed."""

import torch

scores = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
scores.requires_grad_()
allowed = torch.tensor([[True] * 2 + [False], [False] * 3])

closed = scores.masked_fill(~allowed, -float("inf"))
softmax = closed.softmax(dim=-1)
some = allowed.any(dim=-1, keepdim=True)
weights = torch.where(some, softmax, 0.0)

loss = (weights * torch.tensor([1.0, 10.0, 100.0])).sum()
print(softmax)
print(torch.autograd.grad(loss, closed, retain_graph=True)[0])
loss.backward()
print(scores.grad)
