"""A model arrives, learns on, and is ready to go back."""

import torch

state = {
    "0.weight": [[0.5, -1.0], [0.25, 0.75], [-0.5, 1.0]],
    "0.bias": [0.0, 0.5, -0.25],
    "2.weight": [[1.0, -0.5, 0.75]],
    "2.bias": [0.25],
}
first, last = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
model = torch.nn.Sequential(first, torch.nn.Tanh(), last).double()
given = {name: torch.tensor(x) for name, x in state.items()}
model.load_state_dict(given)
corners = [[0, 0], [0, 1], [1, 0], [1, 1]]
x = torch.tensor(corners, dtype=torch.float64)
t = torch.tensor([[0], [1], [1], [0]], dtype=torch.float64)
miss = torch.nn.MSELoss()
before = miss(model(x), t)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(20):
    optimizer.zero_grad()
    miss(model(x), t).backward()
    optimizer.step()
after = miss(model(x), t)
W1, b1, W2, b2 = model.state_dict().values()
print(before.item(), after.item())
print(W1)
