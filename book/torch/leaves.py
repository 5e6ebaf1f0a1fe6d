"""Who has a grad afterwards: a leaf, and what asked for it."""

import torch

x = torch.tensor([[1.0, 2.0]])
W = torch.tensor([[3.0, -1.0], [4.0, -1.0]], requires_grad=True)
h = x @ W
h.retain_grad()
r = h.relu()
loss = (r * r).sum()
loss.backward()
print(W.is_leaf, h.is_leaf, r.is_leaf)
print(W.grad)
print(h.grad)
