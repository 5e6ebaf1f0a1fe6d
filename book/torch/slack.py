"""A rule that is wrong by a thousandth, before two checks."""

import torch


class CubeBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3.003 * x**2  # 3 would be right


spoilt = CubeBackward.apply
x = torch.tensor([1.0, 2.0], dtype=torch.float64)
x.requires_grad_()
y = spoilt(x).sum()
y.backward()
print(x.grad)
check = torch.autograd.gradcheck
print(check(spoilt, x, rtol=1e-3, atol=1e-5))
check(spoilt, x, rtol=1e-5, atol=1e-7)  # raises GradcheckError
