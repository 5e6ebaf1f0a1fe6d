"""Two paths from b to c = (a + b) · b."""

import torch

a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(3.0, requires_grad=True)
c = (a + b) * b
c.backward()
print(c)
print(a.grad, b.grad)
