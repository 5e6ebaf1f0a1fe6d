"""A Hessian times a vector, and the Hessian, row by row."""

import torch

x = torch.tensor([0.5, -1.0], requires_grad=True)
v = torch.tensor([1.0, 2.0])
loss = (x * x).sum() ** 2
(g,) = torch.autograd.grad(loss, x, create_graph=True)
(Hv,) = torch.autograd.grad(g, x, v, retain_graph=True)
rows = []
for unit in torch.eye(2):
    (row,) = torch.autograd.grad(g, x, unit, retain_graph=True)
    rows.append(row)
H = torch.stack(rows)
print(Hv)
print(H)
