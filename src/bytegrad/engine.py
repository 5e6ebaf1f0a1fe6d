"""The backward pass: the graph in order, gradients handed from each recorded call to its inputs.

Nothing here recurses, so depth is bounded by memory alone; nothing depends on hashes, so the same
program gives the same bits in every process.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from bytegrad import edits
from bytegrad.errors import DtypeError, GraphError, ShapeError
from bytegrad.fitting import checked, is_fresh
from bytegrad.modes import holding
from bytegrad.record import Function, Unfolded, freed_graph, joined, on_tensors
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor, wrap
from bytegrad.watch import tell, watchers


def backward(tensor: Tensor, gradient: Any = None, retain_graph: bool = False) -> None:
    """Add d(tensor)/d(leaf) to the `grad` of every leaf that requires one, and free the graph along the way.

    One walk from the result to the leaves, reverse accumulation [griewank2008]: each recorded call is passed once. What
    a rule saved is freed as soon as the rule has run.

    Args:
        tensor: where to start.
        gradient: d(loss)/d(tensor), of the tensor's shape; may be left out for a single element, and is then 1.
        retain_graph: keep the graph, so that a second backward can pass through it.

    Raises:
        GraphError: the tensor requires no gradient, its graph was freed, or an array that a rule saved was edited.
        ShapeError: no gradient was given for more than one element, or one of another shape; or a
            rule returned gradients that do not fit its inputs.
        DtypeError: the gradient is not of real numbers; or a rule returned something that is none.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.], dtype=float32)
    """
    if not tensor.requires_grad:
        raise GraphError(
            "backward() on a Tensor that requires no gradient: nothing it was computed from does, or it was "
            "computed under no_grad() or while autograd was off. Set requires_grad=True on a leaf and compute again."
        )
    _Pass(_accumulate, retain_graph).run([tensor], [_seed(tensor, gradient)])


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return d(Σ outputs)/d(input) for each input, and touch no tensor's `grad`.

    Args:
        outputs: a Tensor, or several, whose gradients add up.
        inputs: a Tensor, or several: leaves or intermediate results.
        grad_outputs: d(loss)/d(output) for each output; may be left out for outputs with one element.
        create_graph: record the backward pass itself, so that the gradients can be differentiated again.
        retain_graph: keep the graph; as `create_graph` says, if left out.
        allow_unused: give None for an input that no output depends on, instead of raising.

    Returns:
        A Tensor for each input, of its shape and dtype.

    Raises:
        GraphError: an output or input requires no gradient, an input was not used, the graph was freed, or an array
            that a rule saved was edited.
        ShapeError: a gradient is missing for an output of more than one element, or has another shape than it; or
            a rule returned gradients that do not fit its inputs.
        DtypeError: a gradient is not of real numbers; or a rule returned something that is none.

    >>> from bytegrad import enable_autograd
    >>> enable_autograd(quiet=True)
    >>> x = Tensor(2.0, requires_grad=True)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> (curvature,) = grad(slope, x)
    >>> slope.item(), curvature.item()
    (12.0, 12.0)
    """
    outs, ins = _listed(outputs), _listed(inputs)
    given = grad_outputs
    if given is None or (isinstance(outputs, Tensor) and not isinstance(given, (list, tuple))):
        given = [given] * len(outs)
    if len(given) != len(outs):
        raise ShapeError(
            f"grad() of {len(outs)} outputs with {len(given)} grad_outputs: each output has its own. "
            "Pass one, or None, an output."
        )
    for what, tensors in (("output", outs), ("input", ins)):
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise DtypeError(
                    f"grad(): {what} {i} is {type(tensor).__name__}: gradients lead from Tensors to Tensors. "
                    "Pass the Tensor itself."
                )
            if not tensor.requires_grad:
                raise GraphError(
                    f"grad(): {what} {i} requires no gradient: no graph leads through it. "
                    "Set requires_grad=True on a leaf, and compute the outputs from it again."
                )
    found: dict[int, Any] = {}  # by id of the Function or leaf

    def collect(leaf: Tensor, gradient: Any, fresh: bool) -> None:
        before = found.get(id(leaf))
        found[id(leaf)] = gradient if before is None else before + gradient

    seeds = [_seed(tensor, g, create_graph) for tensor, g in zip(outs, given, strict=True)]
    wanted = [tensor if tensor._grad_fn is None else tensor._grad_fn for tensor in ins]
    retain = create_graph if retain_graph is None else retain_graph
    walk = _Pass(collect, retain, create_graph, wanted)
    walk.run(outs, seeds)
    found.update({id(fn): gradient for fn, gradient in walk.caught.items()})
    results = [_result(found.get(id(place))) for place in wanted]
    for i, result in enumerate(results):
        if result is None and not allow_unused:
            raise GraphError(
                f"grad(): input {i} was not used: no path leads from it to the outputs. "
                "Compute the outputs from it, or pass allow_unused=True to get None for it."
            )
    return tuple(results)


def _listed(tensors: Any) -> list[Any]:
    several = hasattr(tensors, "__iter__") and not isinstance(tensors, Tensor)
    return list(tensors) if several else [tensors]


def execution_order(*roots: Function, known: Collection[Function] = ()) -> list[Function]:
    """Return every recorded call below the roots by number: inputs first.

    Args:
        roots: where to start.
        known: calls to leave out, and all below them.

    Raises:
        GraphError: a call among them was freed.
    """
    seen = set(roots)
    stack = list(roots)
    while stack:
        fn = stack.pop()
        if fn.edges is None:
            raise GraphError(freed_graph(fn))
        for edge in fn.edges:
            if isinstance(edge, Function) and edge not in seen and edge not in known:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=_number)


_one_at_a_time = threading.Lock()  # two threads may have a leaf in common


class _Pass:
    """One walk through the graph, from results to leaves.

    Attributes:
        caught: the gradients of the intermediate results that were asked for.
    """

    def __init__(
        self,
        deliver: Callable[[Tensor, Any, bool], None],
        retain: bool,
        create_graph: bool = False,
        wanted: Sequence[Any] | None = None,
    ) -> None:
        self._deliver = deliver
        self._retain = retain
        self._create = create_graph
        self._wanted = None if wanted is None else set(wanted)
        self._needed: set[Any] = set()  # where the way to what is wanted leads through
        self._known: set[Function] = set()  # what stands in the order, once there was a checkpoint
        self._arriving: dict[Function, Any] = {}  # what has come in for the output of a call so far
        self._waiting: dict[Tensor, Any] = {}  # the same for leaves with hooks
        self._last_uses: dict[Function, list[Tensor]] | None = None
        self.caught: dict[Function, Any] = {}

    def run(self, tensors: Sequence[Tensor], seeds: Sequence[Any]) -> None:
        """Start with these gradients of these tensors, and go on until every leaf has its own."""
        with holding(recording=self._create):  # rules and hooks may compute with Tensors
            self._walk(tensors, seeds)

    def _walk(self, tensors: Sequence[Tensor], seeds: Sequence[Any]) -> None:
        for tensor, g in zip(tensors, seeds, strict=True):
            self._hand(tensor if tensor._grad_fn is None else tensor._grad_fn, g, False)
        order = execution_order(*self._arriving)
        self._plan(order)
        arriving, wanted = self._arriving, self._wanted
        while order:
            fn = order.pop()
            g = arriving.pop(fn, None)
            self._known.discard(fn)
            if g is None:  # no rule sent any gradient this way
                if not self._retain and wanted is None:
                    fn.free()
                continue
            caught = wanted is not None and fn in wanted
            if not caught and wanted is not None and fn not in self._needed:
                continue  # it leads nowhere that was asked for
            if fn.hooks is not None:
                g = self._hooked(fn, g)
            if caught:
                self.caught[fn] = g
                if fn not in self._needed:
                    continue
            unfolded = self._differentiate(fn, g)
            if not self._retain:
                fn.free()
            if unfolded is not None:
                self._unfold(unfolded, g, order)
            if self._waiting:
                self._settle(fn, order)
        for leaf in tuple(self._waiting):
            self._finish(leaf)

    def _plan(self, new: list[Function]) -> None:
        """Find out, where only some gradients are wanted, through which of these calls the way leads there."""
        self._last_uses = None
        if self._wanted is not None:
            for fn in new:
                if any(edge in self._wanted or edge in self._needed for edge in fn.edges or ()):
                    self._needed.add(fn)

    def _differentiate(self, fn: Function, g: Any) -> Tensor | None:
        """Apply the rule of a call and hand on what comes out; or return the output that was recorded anew."""
        if fn.number < edits.latest:
            _refuse_edited(fn)
        if watchers:
            tell("applying", fn)
        rule = on_tensors(fn) if self._create else fn
        grads: Any = rule.apply(g)  # learners write rules, too
        if isinstance(grads, Unfolded):
            return grads.output
        handed_on = checked(fn, grads, self._create)
        if watchers:
            tell("applied", fn, g, handed_on)
        for i, (edge, grad) in enumerate(zip(fn.edges or (), handed_on, strict=True)):
            if edge is not None and grad is not None:
                fresh = isinstance(edge, Tensor) and is_fresh(grad, g, fn, handed_on[:i])
                self._hand(edge, grad, fresh)
        return None

    def _hand(self, edge: Function | Tensor, grad: Any, fresh: bool) -> None:
        """Add a gradient to what has arrived at a call or a leaf."""
        if isinstance(edge, Tensor):
            if not edge._requires_grad or (self._wanted is not None and edge not in self._wanted):
                return  # frozen since, or not asked for
            if edge._hooks is None:
                self._deliver(edge, grad, fresh)
                return
            place: dict[Any, Any] = self._waiting
        else:
            place = self._arriving
        before = place.get(edge)
        place[edge] = grad if before is None else before + grad

    def _settle(self, fn: Function, order: list[Function]) -> None:
        """Finish each hooked leaf whose last use this was, as far as the calls still to come are known."""
        if self._last_uses is None:
            last = {
                leaf: other
                for other in reversed(order)
                for leaf in other.edges or ()
                if isinstance(leaf, Tensor) and leaf._hooks is not None
            }
            self._last_uses = {fn: [leaf for leaf in self._waiting if leaf not in last]}
            for leaf, other in last.items():
                self._last_uses.setdefault(other, []).append(leaf)
        for leaf in self._last_uses.pop(fn, ()):
            if leaf in self._waiting:
                self._finish(leaf)

    def _finish(self, leaf: Tensor) -> None:
        """Give a hooked leaf the whole of its gradient, and tell its hooks."""
        self._deliver(leaf, leaf._hooks.replaced(self._waiting.pop(leaf)), False)
        if self._wanted is None:
            for hook in tuple(leaf._hooks.after.values()):
                hook(leaf)

    def _hooked(self, fn: Function, g: Any) -> Any:
        """Return the gradient as the hooks of an intermediate tensor leave it."""
        g = fn.hooks.replaced(g)
        tensor = None if fn.hooks.kept_by is None else fn.hooks.kept_by()
        if tensor is not None and self._wanted is None:
            _accumulate(tensor, g, False)
        return g

    def _unfold(self, output: Tensor, g: Any, order: list[Function]) -> None:
        """Put the calls that a checkpoint has recorded anew into the order."""
        root = output._grad_fn
        self._hand(output if root is None else root, g, False)
        self._known = self._known or set(order)
        if root is None or root in self._known:
            return
        new = execution_order(root, known=self._known)
        self._known.update(new)
        order.extend(new)  # recorded just now, so their numbers are above all others
        self._plan(new)


def _number(fn: Function) -> int:
    return fn.number


def _seed(tensor: Tensor, gradient: Any, create_graph: bool = False) -> Any:
    """Return the gradient to start from, in the tensor's shape and dtype."""
    data = tensor._data
    if gradient is None:
        if data.size != 1:
            raise ShapeError(
                f"backward() on shape {data.shape} without a gradient: {data.size} elements have no single "
                "derivative. Reduce first, for example .sum().backward(), or pass gradient= of the same shape."
            )
        return wrap(np.ones_like(data)) if create_graph else np.ones_like(data)
    g = gradient._data if isinstance(gradient, Tensor) else np.asarray(gradient)
    if g.dtype.kind not in "fiub":
        raise DtypeError(
            f"gradient of {g.dtype}: d(loss)/d(tensor) is a real number for each element. Pass an array of floats."
        )
    if g.shape != data.shape:
        raise ShapeError(
            f"gradient of shape {g.shape} for a Tensor of shape {data.shape}: d(loss)/d(tensor) has one number an "
            "element. Pass a gradient of the tensor's own shape."
        )
    if create_graph and isinstance(gradient, Tensor) and gradient.requires_grad:
        return gradient if gradient.dtype == data.dtype else gradient.astype(data.dtype)
    copied = np.array(g, dtype=data.dtype)  # no rule may write into the caller's array
    return wrap(copied) if create_graph else copied


def _result(gradient: Any) -> Tensor | None:
    """Return a gradient as a Tensor of its own memory."""
    if isinstance(gradient, Tensor) and gradient._grad_fn is not None:
        return joined(np.array(gradient._data), gradient._grad_fn)
    if gradient is None or isinstance(gradient, Tensor):
        return gradient
    return wrap(np.array(gradient))


def _accumulate(leaf: Tensor, grad: Any, fresh: bool) -> None:
    """Add to a leaf's `grad`, which never shares memory with anything else."""
    with _one_at_a_time:
        before = leaf.grad
        if before is None:
            leaf.grad = np.asarray(grad) if fresh else grad.copy()
        elif getattr(before, "shape", None) != leaf.shape:
            raise ShapeError(
                f"the grad of a Tensor of shape {leaf.shape} was set to {type(before).__name__} of shape "
                f"{np.shape(before)}: no gradient can be added to that. Set it to None, or to an array of that shape."
            )
        else:
            total = before + grad
            leaf.grad = total if isinstance(total, RowSparse) else np.asarray(total)
    if watchers:
        tell("accumulated", leaf)


def _refuse_edited(fn: Function) -> None:
    """Raise if an array that a call saved was edited since."""
    for kept in fn.saved_tensors:
        versions = edits.edited_since(kept, fn.number) if isinstance(kept, np.ndarray) else None
        if versions is not None:
            then, now = versions
            raise GraphError(
                f"{type(fn).__name__} saved an array of shape {kept.shape} at version {then}, and it is at version "
                f"{now} now: it was edited in place, and the gradient would be that of other numbers. "
                "Edit after backward(), edit a copy, or compute the result again."
            )
