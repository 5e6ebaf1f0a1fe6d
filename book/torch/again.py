"""Three walks over one graph; the third comes too late."""

import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
loss = (w * w).sum()
loss.backward(retain_graph=True)
print(w.grad)
loss.backward()  # walks what the first call kept, and frees it
print(w.grad)
loss.backward()  # raises RuntimeError
