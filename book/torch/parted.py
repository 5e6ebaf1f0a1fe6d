"""Three programs that one of the two engines refuses."""

import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
total = x.sum()
total.backward()
total.backward()  # nothing was kept, so nothing is missing
print(x.grad)
h = x * 2
h.add_(1.0)  # recorded: h is another result now
(slope,) = torch.autograd.grad(h.sum(), x)
print(slope, h.grad_fn.name())
try:
    x += 1.0
    is_new = True
except RuntimeError:
    is_new = False
print("x += 1.0 is a new tensor:", is_new)
