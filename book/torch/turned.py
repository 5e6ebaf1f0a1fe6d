"""A transpose that copies nothing, and a reshape that has to."""

import torch

x = torch.arange(12.0).reshape(3, 4).requires_grad_()
turned = x.transpose(0, 1)
flat = turned.reshape(12)
row_step, column_step = turned.stride()
shared = turned.data_ptr() == x.data_ptr()
copied = flat.data_ptr() != x.data_ptr()
print(row_step, column_step, shared, copied)

(flat * torch.arange(12.0)).sum().backward()
print(x.grad)
