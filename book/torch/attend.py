"""Causal attention by hand, and in one call."""

import torch

q = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
k = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [1.0, 0.0]])
v = torch.tensor([[10.0], [20.0], [30.0], [40.0]])
q.requires_grad_()
k.requires_grad_()

scores = q @ k.T / 2**0.5
past = torch.ones(4, 4, dtype=torch.bool).tril()
closed = scores.masked_fill(~past, -float("inf"))
weights = closed.softmax(dim=-1)
y = weights @ v
call = torch.nn.functional.scaled_dot_product_attention
once = call(q, k, v, is_causal=True)
y.sum().backward()
print(weights)
print(y.squeeze(), once.squeeze())
