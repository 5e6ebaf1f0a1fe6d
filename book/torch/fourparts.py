"""The three parts of the memory that follow the parameters."""

import torch


def nbytes(tensors):
    return sum(t.numel() * t.element_size() for t in tensors)


net = torch.nn.Linear(512, 768)
adam = torch.optim.Adam(net.parameters())
net(torch.ones(32, 512)).sum().backward()
adam.step()

values = nbytes(net.parameters())
gradients = nbytes(p.grad for p in net.parameters())
means = [s["exp_avg"] for s in adam.state.values()]
squares = [s["exp_avg_sq"] for s in adam.state.values()]
remembered = nbytes(means + squares)
