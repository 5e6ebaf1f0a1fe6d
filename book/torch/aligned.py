"""A column and a row meet in a table."""

import torch

x = torch.tensor([[0.0], [10.0], [20.0]])
b = torch.tensor([1.0, 2.0, 3.0, 4.0])
y = x + b
wide = b.broadcast_to((3, 4))
print(y)
print(wide.stride())
