"""Five curves and their slopes, at a kink and beside it."""

import torch

x = torch.tensor([-2.0, -0.5, 0.0, 1.5], requires_grad=True)
relu = x.relu()
size = x.abs()
leaky = torch.nn.functional.leaky_relu(x, 0.1)
exact = torch.nn.functional.gelu(x)
tanh_form = torch.nn.functional.gelu(x, approximate="tanh")
(relu_slope,) = torch.autograd.grad(relu.sum(), x)
(size_slope,) = torch.autograd.grad(size.sum(), x)
(leaky_slope,) = torch.autograd.grad(leaky.sum(), x)
(exact_slope,) = torch.autograd.grad(exact.sum(), x)
(tanh_slope,) = torch.autograd.grad(tanh_form.sum(), x)
print(relu_slope, size_slope)
print(exact_slope - tanh_slope)
