"""Twenty doublings, and a chain of a hundred thousand sums."""

import torch

x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
y = x
for _ in range(20):
    y = y + y
y.backward()
print(x.grad)

deep = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
end = deep
for _ in range(100_000):
    end = end + 1
end.backward()
print(deep.grad)
