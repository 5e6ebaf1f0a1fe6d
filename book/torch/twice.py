"""A second walk over the same graph."""

import torch

w = torch.ones(3, requires_grad=True)
loss = (w * w).sum()
loss.backward()
print(w.grad)
loss.backward()  # raises RuntimeError
