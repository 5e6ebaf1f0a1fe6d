"""Five steps of momentum, and five of Adam, down one valley."""

import torch

optim = torch.optim
steepness = torch.tensor([1.0, 20.0])


def five_steps(make):
    x = torch.tensor([-4.0, 1.0], requires_grad=True)
    optimizer = make([x])
    for _ in range(5):
        loss = (steepness * x**2).sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return x


momentum = five_steps(
    lambda params: optim.SGD(params, lr=0.09, momentum=0.5)
)
adam = five_steps(lambda params: optim.Adam(params, lr=0.3))
print(momentum.tolist(), adam.tolist())
