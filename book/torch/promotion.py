"""Which dtype comes out where two kinds of number meet."""

import torch

x = torch.tensor([1.0, 2.0])
counts = torch.tensor([3, 4])
scaled = x * 2.5
share = counts / 2
shifted = counts + 0.5
wide = x + torch.tensor([1.0, 2.0], dtype=torch.float64)
weighted = x * counts
for y in (scaled, share, shifted, wide, weighted):
    print(y.dtype)
