"""The recorded graph, read from its end."""

import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
h = x.exp()
y = (x * h).sum()
total = y.grad_fn
product = total.next_functions[0][0]
print(total.name(), "after", product.name())
(leaf, _), (exp, _) = product.next_functions
print(product.name(), "after", leaf.name(), "and", exp.name())
is_x = leaf.variable is x
kept = product._saved_other
shared = kept.data_ptr() == exp._saved_result.data_ptr()
print("leads to x:", is_x, "  one buffer for two:", shared)
y.backward()
print(x.grad)
