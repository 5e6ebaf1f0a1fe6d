"""Who gets the gradient of a maximum that two elements share."""

import torch

numbers = [[1.0, 3.0, 3.0], [4.0, 2.0, 1.0]]
x = torch.tensor(numbers, requires_grad=True)
y = x.amax(dim=1)
y.sum().backward()
print(x.grad)

first = x.detach().clone().requires_grad_()
z = first.max(dim=1).values
z.sum().backward()
print(first.grad)
