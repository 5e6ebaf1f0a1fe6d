"""A rule for the product, written by hand and checked."""

import torch


class Mul(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b, g * a


f64 = torch.float64
a = torch.tensor([1.0, 2.0, 3.0], dtype=f64, requires_grad=True)
b = torch.tensor([4.0, 5.0, 6.0], dtype=f64, requires_grad=True)
print(torch.autograd.gradcheck(Mul.apply, (a, b)))
z = Mul.apply(a, b).sum()
z.backward()
print(a.grad, b.grad)
