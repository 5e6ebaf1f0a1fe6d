"""A batch in four pieces; clipped once, before each step."""

import torch

rows_in = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 1.0]]
examples = torch.tensor(rows_in, dtype=torch.float64)
wanted = [[1.0], [0.0], [2.0], [-1.0]]
targets = torch.tensor(wanted, dtype=torch.float64)
w = torch.tensor([[0.5], [-0.5]], dtype=torch.float64)
w.requires_grad = True
optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
for step in range(3):
    optimizer.zero_grad()
    for k in range(4):
        miss = examples[k : k + 1] @ w - targets[k : k + 1]
        loss = (miss**2).mean() / 4
        loss.backward()
    norm = torch.nn.utils.clip_grad_norm_([w], 1.0)
    optimizer.step()
print(w.grad)
print(w)
