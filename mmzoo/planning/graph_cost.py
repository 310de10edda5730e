"""What a traced function will need: its memory at the highest, multiply-adds, bytes moved.

Counted on the graph, whose tensors have their shapes, without running it. A tensor lives from the
operation that makes it to the last one that reads it; that is what TensorFlow's executor does, but
for the order of operations that do not depend on each other.
"""

from dataclasses import dataclass, field

import numpy as np

VIEWS = {
    "Reshape",
    "Identity",
    "IdentityN",
    "Squeeze",
    "ExpandDims",
    "StopGradient",
    "PreventGradient",
}
# Operations that hand their input's memory on when nothing else reads it.
ELEMENTWISE = {
    *("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "BiasAdd", "Neg"),
    *("Abs", "Sign", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Pow", "Tanh", "Sigmoid", "Relu"),
    *("LeakyRelu", "LeakyReluGrad", "ReluGrad", "Elu", "EluGrad", "TanhGrad", "SigmoidGrad"),
    *("Cast", "ClipByValue", "SelectV2", "Floor", "Ceil", "DivNoNan", "SquaredDifference"),
}
# What XLA computes where it is read, keeping nothing.
FUSED = ELEMENTWISE | {
    *("Slice", "StridedSlice", "Pad", "PadV2", "ConcatV2", "Pack", "Unpack", "Split", "SplitV"),
    *("BroadcastTo", "Fill", "Range", "Tile", "Transpose", "StridedSliceGrad", "ZerosLike"),
    *("OnesLike", "GatherV2", "Sum", "Mean", "Max", "Greater", "GreaterEqual", "Less", "Equal"),
}
HELD = {"Const", "Placeholder", "ReadVariableOp", "NoOp"}  # by someone else, or of no size


@dataclass
class Cost:
    """Of one run of a graph.

    Attributes:
        peak_bytes: of all tensors that live at once, without inputs and variables.
        multiply_adds: of convolutions and products of matrices.
        moved_bytes: read and written by all other operations.
        compiled_bytes: the same inside compiled functions, of which most stays in registers.
    """

    peak_bytes: int = 0
    multiply_adds: int = 0
    moved_bytes: int = 0
    compiled_bytes: int = 0


def cost_of(graph, results=(), *, compiled: bool = False) -> Cost:
    """Count a graph's cost.

    Args:
        graph: a `tf.Graph` of known shapes; a dimension that is not known counts as one.
        results: tensors that it returns; what neither they nor a variable need is left out.
        compiled: whether XLA runs it.
    """
    operations = needed(graph, results)
    live = _Live(operations, results, compiled)
    total = Cost()
    for step, operation in enumerate(operations):
        inner = _inside(operation, compiled)
        for name in ("multiply_adds", "moved_bytes", "compiled_bytes"):
            setattr(total, name, getattr(total, name) + getattr(inner, name))
        live.run(step, operation, inner.peak_bytes)
    total.peak_bytes = live.peak
    return total


def needed(graph, results) -> list:
    """Return the operations that results or variables depend on, in the order of tracing."""
    operations = graph.get_operations()
    changes = ("Assign", "Stateful")
    waiting = [r.op for r in results] + [o for o in operations if o.type.startswith(changes)]
    needed = set() if waiting else set(operations)
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return [operation for operation in operations if operation in needed]


@dataclass
class _Live:
    """The tensors that are kept while operations run one after the other."""

    operations: list
    results: tuple
    compiled: bool
    bytes: int = 0
    peak: int = 0
    owner: dict = field(default_factory=dict)  # name of a tensor -> name of what holds its memory
    size: dict = field(default_factory=dict)  # of each holder that lives
    last: dict = field(default_factory=dict)  # holder -> last step that reads it

    def __post_init__(self):
        for step, operation in enumerate(self.operations):
            for k, tensor in enumerate(operation.outputs):
                is_view = operation.type in VIEWS and k < len(operation.inputs)
                source = operation.inputs[k] if is_view else tensor
                self.owner[tensor.name] = self.owner.get(source.name, source.name)
            for tensor in operation.inputs:
                self.last[self.owner.get(tensor.name, tensor.name)] = step
        for tensor in self.results:
            self.last[self.owner.get(tensor.name, tensor.name)] = len(self.operations)

    def run(self, step: int, operation, scratch: int) -> None:
        """Make an operation's outputs and free what it is the last to read."""
        holders = {self.owner[tensor.name] for tensor in operation.inputs}
        done = [h for h in holders if self.last[h] == step and h in self.size]
        before = sum(self.size.pop(h) for h in done)
        made = sum(self._keep(tensor) for tensor in self._made(operation))
        reused = min(before, made) if operation.type in ELEMENTWISE else 0
        self.peak = max(self.peak, self.bytes + made - reused + scratch)
        self.bytes += made - before

    def _made(self, operation) -> list:
        kept = operation.type in VIEWS | HELD or (self.compiled and operation.type in FUSED)
        return [] if kept else list(operation.outputs)

    def _keep(self, tensor) -> int:
        if tensor.name not in self.last:
            return 0
        self.size[tensor.name] = size_of(tensor)
        return self.size[tensor.name]


def _inside(operation, compiled: bool) -> Cost:
    """Return what one operation takes beside its outputs."""
    kind = operation.type
    if kind in ("PartitionedCall", "StatefulPartitionedCall"):
        function = operation.graph._get_function(operation.get_attr("f").name)
        by_xla = compiled or bool(function.cached_definition.attr["_XlaMustCompile"].b)
        return cost_of(function.graph, function.graph.outputs, compiled=by_xla)
    if kind in ("While", "StatelessWhile"):
        return _loop(operation, compiled)
    if kind in VIEWS | HELD:
        return Cost()
    products = multiply_adds(operation)
    moved = 0 if products else sum(map(size_of, [*operation.inputs, *operation.outputs]))
    return Cost(0, products, 0 if compiled else moved, moved if compiled else 0)


def _loop(operation, compiled: bool) -> Cost:
    """Count a loop as often as it may turn, once if the graph does not say."""
    import tensorflow as tf

    body = operation.graph._get_function(operation.get_attr("body").name)
    once = cost_of(body.graph, body.graph.outputs, compiled=compiled)
    most = tf.get_static_value(operation.inputs[1])  # maximum_iterations, -1 if not given
    turns = int(most) if most is not None and np.ndim(most) == 0 and most > 0 else 1
    return Cost(
        once.peak_bytes,
        turns * once.multiply_adds,
        turns * once.moved_bytes,
        turns * once.compiled_bytes,
    )


def size_of(tensor) -> int:
    """Return a tensor's bytes; a dimension that is not known counts as one."""
    if tensor.shape.rank is None or tensor.dtype.size is None:
        return 0
    return int(np.prod([n or 1 for n in tensor.shape], dtype=np.int64)) * tensor.dtype.size


def multiply_adds(operation) -> int:
    """Return the multiply-adds of a convolution, its gradients or a product of matrices, else 0."""
    kind, inputs, outputs = operation.type, operation.inputs, operation.outputs
    if kind.startswith(("Conv2D", "Conv3D")):
        return _convolution(kind, inputs, outputs)
    if kind in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        turned = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        inner = inputs[0].shape[-2 if turned else -1] or 1
        return size_of(outputs[0]) // outputs[0].dtype.size * int(inner)
    return 0


def _convolution(kind: str, inputs, outputs) -> int:
    """Count from the kernel and the volume that has the output's voxels."""
    backward_of = "Input" if "BackpropInput" in kind else "Filter" if "Backprop" in kind else ""
    kernel = {"": inputs[1], "Input": inputs[1], "Filter": outputs[0]}[backward_of]
    volume = outputs[0] if not backward_of else inputs[2]
    voxels = int(np.prod([n or 1 for n in volume.shape[:-1]], dtype=np.int64))
    return voxels * int(np.prod([n or 1 for n in kernel.shape], dtype=np.int64))
