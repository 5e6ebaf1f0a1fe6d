"""The backward pass: the graph in order, gradients handed from each recorded call to its inputs.

Nothing here recurses, so depth is bounded by memory alone; nothing depends on hashes, so the same
program gives the same bits in every process.
"""

from typing import Any

import numpy as np

from bytegrad.errors import DtypeError, GraphError, ShapeError
from bytegrad.record import Function, freed_graph
from bytegrad.tensor import Array, Tensor


def backward(tensor: Tensor, gradient: Any = None, retain_graph: bool = False) -> None:
    """Add d(tensor)/d(leaf) to the `grad` of every leaf that requires one, and free the graph along the way.

    Args:
        tensor: where to start.
        gradient: d(loss)/d(tensor), of the tensor's shape; may be left out for a single element, and is then 1.
        retain_graph: keep the graph, so that a second backward can pass through it.

    Raises:
        GraphError: the tensor requires no gradient, or its graph was freed.
        ShapeError: no gradient was given for more than one element, or one of another shape; or a
            rule returned gradients that do not fit its inputs.
        DtypeError: the gradient is not of real numbers.
    """
    if not tensor.requires_grad:
        raise GraphError(
            "backward() on a Tensor that requires no gradient: nothing it was computed from does, or it was "
            "computed under no_grad() or while autograd was off. Set requires_grad=True on a leaf and compute again."
        )
    g = _seed(tensor, gradient)
    root = tensor._grad_fn
    if root is None:
        _accumulate(tensor, g, fresh=False)
        return
    order = execution_order(root)
    arriving: dict[Function, Array] = {root: g}
    while order:
        fn = order.pop()
        g = arriving.pop(fn)
        edges = fn.edges
        assert edges is not None
        handed_on = _handed_on(fn, g, edges)
        for i, (edge, grad) in enumerate(zip(edges, handed_on, strict=True)):
            if edge is None or grad is None:
                continue
            if isinstance(edge, Function):
                before = arriving.get(edge)
                arriving[edge] = grad if before is None else before + grad
            else:
                _accumulate(edge, grad, fresh=_is_fresh(grad, g, fn, handed_on[:i]))
        if not retain_graph:
            fn.free()


def execution_order(root: Function) -> list[Function]:
    """Return every recorded call below `root` by number: inputs first, `root` last.

    Raises:
        GraphError: a call among them was freed.
    """
    seen = {root}
    stack = [root]
    while stack:
        fn = stack.pop()
        if fn.edges is None:
            raise GraphError(freed_graph(fn))
        for edge in fn.edges:
            if isinstance(edge, Function) and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=_number)


def _handed_on(fn: Function, g: Any, edges: tuple[Any, ...]) -> list[Any]:
    """Apply a rule, and hold it to what rules promise: a tuple with a gradient or None for each input.

    All are fitted to their inputs before any is added anywhere.
    """
    grads: Any = fn.apply(g)  # learners write rules, too
    if not isinstance(grads, tuple) or len(grads) != len(edges):
        seen = f"{len(grads)} gradients" if isinstance(grads, tuple) else type(grads).__name__
        raise ShapeError(
            f"{type(fn).__name__}.apply returned {seen}: the call had {len(edges)} inputs, and each needs its own. "
            "Return a tuple with one gradient, or None, an input."
        )
    return [
        None if edge is None or grad is None else _fit(grad, edge.shape, edge.dtype, fn)
        for edge, grad in zip(edges, grads, strict=True)
    ]


def _fit(grad: Any, shape: tuple[int, ...], dtype: np.dtype[Any], fn: Function) -> Any:
    """Sum a gradient over the axes that broadcasting added or stretched, and give it the input's dtype."""
    grad = np.asarray(grad) if isinstance(grad, (int, float)) else grad
    if grad.shape != shape:
        if not _broadcasts(shape, grad.shape):
            raise ShapeError(
                f"{type(fn).__name__}.apply returned a gradient of shape {grad.shape} for an input of shape "
                f"{shape}: summing over broadcast axes cannot make one of the other. "
                "Return it in the input's shape, or in the shape that it was broadcast to."
            )
        added = grad.ndim - len(shape)
        if added > 0:
            grad = grad.sum(axis=tuple(range(added)))
        stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
        if stretched:
            grad = grad.sum(axis=stretched, keepdims=True)
    return grad if grad.dtype == dtype else grad.astype(dtype)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Tell whether an array of one shape can have been broadcast to another."""
    tail = to[len(to) - len(shape) :]
    return len(to) >= len(shape) and all(n in (1, m) for n, m in zip(shape, tail, strict=True))


def _number(fn: Function) -> int:
    return fn.number


def _seed(tensor: Tensor, gradient: Any) -> Array:
    """Return the gradient to start from, in the tensor's shape and dtype."""
    data = tensor.data
    if gradient is None:
        if data.size != 1:
            raise ShapeError(
                f"backward() on shape {data.shape} without a gradient: {data.size} elements have no single "
                "derivative. Reduce first, for example .sum().backward(), or pass gradient= of the same shape."
            )
        return np.ones_like(data)
    g = gradient.data if isinstance(gradient, Tensor) else np.asarray(gradient)
    if g.dtype.kind not in "fiub":
        raise DtypeError(
            f"gradient of {g.dtype}: d(loss)/d(tensor) is a real number for each element. Pass an array of floats."
        )
    if g.shape != data.shape:
        raise ShapeError(
            f"gradient of shape {g.shape} for a Tensor of shape {data.shape}: d(loss)/d(tensor) has one number an "
            "element. Pass a gradient of the tensor's own shape."
        )
    return np.array(g, dtype=data.dtype)  # a copy: no rule may write into the caller's array


def _accumulate(leaf: Tensor, grad: Any, fresh: bool) -> None:
    """Add to a leaf's `grad`, which never shares memory with anything else."""
    if leaf.grad is not None:
        leaf.grad = np.asarray(leaf.grad + grad)
    else:
        leaf.grad = np.asarray(grad) if fresh else np.array(grad)


def _is_fresh(grad: Any, arrived: Any, fn: Function, siblings: list[Any]) -> bool:
    """Tell whether nobody else can hold this array, so that a leaf may keep it without a copy."""
    # Not inherited: a learner's subclass may hand out an array that it keeps.
    if "keeps_no_gradient" not in vars(type(fn)):
        return False
    if grad is arrived or grad.base is not None:
        return False
    return not any(grad is other for other in (*siblings, *fn.saved_tensors))
