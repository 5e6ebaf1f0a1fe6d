"""A batch of four rows, one row at a time; clipped once, before each step."""

import torch

examples = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 1.0]], dtype=torch.float64)
targets = torch.tensor([[1.0], [0.0], [2.0], [-1.0]], dtype=torch.float64)
w = torch.tensor([[0.5], [-0.5]], dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
for _ in range(3):
    optimizer.zero_grad()
    for k in range(4):
        miss = examples[k : k + 1] @ w - targets[k : k + 1]
        loss = (miss**2).mean() / 4
        loss.backward()
    norm = torch.nn.utils.clip_grad_norm_([w], 1.0)
    optimizer.step()
print(w.grad)
print(w)
