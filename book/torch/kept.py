"""The bytes that a linear layer keeps, without and with a gradient for its input."""

import torch

rows, inputs, outputs = 32, 512, 768
W = torch.ones(inputs, outputs, requires_grad=True)
b = torch.zeros(outputs, requires_grad=True)


def kept(x):
    """Return the bytes behind all tensors that the layer saves, each buffer once."""
    buffers = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        buffers[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = x @ W + b
    assert y.requires_grad
    return sum(buffers.values())


data = kept(torch.ones(rows, inputs))
hidden = kept(torch.ones(rows, inputs, requires_grad=True))
print(f"{data:,} bytes, {hidden:,} bytes")
