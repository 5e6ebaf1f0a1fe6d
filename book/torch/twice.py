"""A second walk over a graph that the first walk has released."""

import torch

w = torch.ones(3, requires_grad=True)
loss = (w * w).sum()
loss.backward()
print(w.grad)
loss.backward()  # raises RuntimeError
