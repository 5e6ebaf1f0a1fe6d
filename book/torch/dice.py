"""Dropout in a checkpoint throws the same dice again."""

import torch

torch.manual_seed(0)
drop = torch.nn.Dropout(0.5)
x = torch.ones(1000, requires_grad=True)
checkpoint = torch.utils.checkpoint.checkpoint
y = checkpoint(drop, x, use_reentrant=False)
y.sum().backward()
same = bool((x.grad == y).all())
print(same)
