"""What no_grad changes, and what it leaves alone."""

import torch

w = torch.ones(3, requires_grad=True)
method = torch.Tensor.__mul__
on = w * 2
with torch.no_grad():
    off = w * 2
    same = torch.Tensor.__mul__ is method
print(same)
print(type(method).__name__)
print(type(on.grad_fn).__name__, off.grad_fn)
on.sum().backward()
print(w.grad)
