"""Who has a grad afterwards: a leaf, and what asked for it."""

import torch

x = torch.tensor([[1.0, 2.0]])
W = torch.tensor([[3.0, -1.0], [4.0, -1.0]], requires_grad=True)
h = x @ W
h.retain_grad()
r = h.relu()
r.retain_grad()
loss = ((r - 1) ** 2).sum()
loss.backward()
print(W.is_leaf, h.is_leaf, r.is_leaf)
print(r.grad)
print(h.grad)
print(W.grad)
