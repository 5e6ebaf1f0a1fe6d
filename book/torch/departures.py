"""Which gradient is whole first: a hook on each leaf tells."""

import torch

x = torch.tensor([[1.0, 2.0]])
w1 = torch.tensor([[0.5, -0.5], [0.25, 0.5]], requires_grad=True)
w2 = torch.tensor([[1.0, 0.5], [-0.5, 1.0]], requires_grad=True)
w3 = torch.tensor([[1.0], [2.0]], requires_grad=True)
ready = []
for name, w in {"w1": w1, "w2": w2, "w3": w3}.items():
    w.register_post_accumulate_grad_hook(
        lambda leaf, name=name: ready.append(name)
    )
loss = (torch.tanh(torch.tanh(x @ w1) @ w2) @ w3).sum()
loss.backward()
print(ready)
