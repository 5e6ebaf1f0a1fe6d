"""What float16 can hold, and what it cannot."""

import torch

info = torch.finfo(torch.float16)
largest, normal = info.max, info.tiny
smallest = info.smallest_normal * info.eps
step = info.eps

one = torch.tensor(1.0, dtype=torch.float16)
stays = one + 0.0001
small = torch.tensor(1e-8)
lost = small.half().float()
kept = (small * 65536).half().float() / 65536
print(largest, normal, smallest, step)
print(stays.item(), lost.item(), kept.item())
