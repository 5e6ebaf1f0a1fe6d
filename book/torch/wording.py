"""Six mistakes, and what is said of each."""

import torch

w = torch.ones(3, requires_grad=True)
e, y = w.exp(), w * w
loss = (w * w).sum()
loss.backward()
with torch.no_grad():
    e.add_(1.0)
mistakes = {
    "used up": lambda: loss.backward(),
    "no scalar": lambda: y.backward(),
    "misshapen": lambda: y.backward(torch.ones(2)),
    "cut off": lambda: w.detach().sum().backward(),
    "leaf edited": lambda: w.add_(1.0),
    "kept, edited": lambda: e.sum().backward(),
}
for name, mistake in mistakes.items():
    try:
        mistake()
    except RuntimeError as error:
        print(f"{name} | {type(error).__name__}")
        words = str(error).split()
        for i in range(0, len(words), 7):
            print("   ", *words[i : i + 7])
