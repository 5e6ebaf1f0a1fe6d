"""Four rows, a row at a time; clipped once, before each step."""

import torch

rows = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 1.0]]
answers = [[1.0], [0.0], [2.0], [-1.0]]
examples = torch.tensor(rows, dtype=torch.float64)
targets = torch.tensor(answers, dtype=torch.float64)
w = torch.tensor([[0.5], [-0.5]], dtype=torch.float64)
w.requires_grad_()
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
