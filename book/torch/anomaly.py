"""A NaN that is made on the way back."""

import torch

x = torch.tensor([0.0, 4.0], requires_grad=True)
with torch.autograd.set_detect_anomaly(True):
    roots = x.sqrt()
    (0 * roots).sum().backward()  # raises RuntimeError
