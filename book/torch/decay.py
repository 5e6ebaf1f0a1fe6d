"""Weight decay where the gradient is 0: in Adam, and past it."""

import torch

optim = torch.optim


def decayed(make, decay):
    x = torch.tensor([4.0], requires_grad=True)
    optimizer = make([x], lr=0.1, weight_decay=decay)
    (0 * x).sum().backward()
    optimizer.step()
    return x.item()


weak = decayed(optim.Adam, 0.01)
strong = decayed(optim.Adam, 1.0)
weak_w = decayed(optim.AdamW, 0.01)
strong_w = decayed(optim.AdamW, 1.0)
print(f"{weak:.3f} {strong:.3f} {weak_w:.3f} {strong_w:.3f}")
