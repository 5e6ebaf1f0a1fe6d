"""A scale that grows, is too large once, and backs off."""

import torch

w = torch.tensor([1.0], requires_grad=True)
half = w.detach().half().requires_grad_()
optimizer = torch.optim.SGD([w], lr=0.25)
scaler = torch.amp.GradScaler(
    "cpu", init_scale=2.0**14, growth_interval=2
)
scales = []
for _ in range(4):
    half.grad = None
    loss = (3 * half).float().sum()
    scaler.scale(loss).backward()
    w.grad = half.grad.float()
    scaler.step(optimizer)
    scaler.update()
    half.data = w.detach().half()
    scales.append(scaler.get_scale())
scales = torch.tensor(scales)
print(scales, w.item())
