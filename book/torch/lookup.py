"""A row of a table that is looked up twice."""

import torch

vectors = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
table = torch.tensor(vectors, requires_grad=True)
weights = torch.tensor([[1.0], [10.0], [100.0]])
rows = [0, 2, 2]
picked = table[rows]
loss = (picked * weights).sum()
loss.backward()
print(picked)
print(table.grad)
