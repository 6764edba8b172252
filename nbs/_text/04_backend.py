# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: nbs///ipynb,nbs/_text///py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Backend
#
# > One gradient step, compiled by TensorFlow, JAX or PyTorch: the only module that imports a framework.

# %%
#| default_exp backend

# %%
#| hide
from numpy.testing import assert_allclose, assert_array_equal

# %%
#| export
import contextlib
import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import ops

from pumap.core import refuse_after_fork

# %% [markdown]
# Keras 3 runs a network on three backends, and a loss written in `keras.ops` runs on all of them. But Keras has no compiled gradient step for
# *any* loss: `Model.fit` needs a target for each row, and the UMAP loss is about pairs. This notebook adds such a step.
#
# | function | for |
# |---|---|
# | `training_step` | a gradient step, or a block of steps in one call |
# | `compiled` | a function that trains nothing |
# | `without_gradients` | a forward pass |
# | `jacobian` | the derivative of a network's output by its input |
# | `to_onnx` | a network as a file that runs without Keras |
# | `devices` | a list of CPUs and GPUs |
#
# The frameworks differ in one respect that matters here. TensorFlow and PyTorch change variables in place. JAX compiles pure functions, so
# every variable is an argument and a result. Otherwise the three versions of a step below are alike.

# %%
#| export
BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    import tensorflow as tf
    from tensorflow.python.eager import context
elif BACKEND == "jax":
    import jax
elif BACKEND == "torch":
    import torch
else:
    raise ImportError(f"KERAS_BACKEND is {BACKEND!r}; pumap trains on tensorflow, jax or torch.")


# %% [markdown]
# ## TensorFlow
#
# A function is traced once, for the shapes of its first call. `get_concrete_function` does this explicitly. Otherwise TensorFlow would warn of
# too many traces when one process runs many small fits. TensorFlow also caches the kernels of every function that it ever ran, about a megabyte
# a fit. The cache is emptied before a function is traced; what is still in use is cached anew.

# %%
#| export
def _traced_once(function, jit_compile):
    concrete = []

    def run(*arrays):
        tensors = [tf.convert_to_tensor(array) for array in arrays]
        if not concrete:
            context.context().clear_kernel_cache()
            concrete.append(tf.function(function, autograph=False, jit_compile=jit_compile).get_concrete_function(*tensors))
        return concrete[0](*tensors)

    return run


# %% [markdown]
# A step of the fast solver takes about as long as a call from Python. Many steps therefore run in one call, as a `while` loop in the graph. A
# variable that the loss does not depend on gets a gradient of zero. TensorFlow makes these zeros only for its own variables, hence `.value`.

# %%
#| export
def _tensorflow_step(loss, trained, others, optimizer, n_terms, jit_compile, constants):
    constants = [tf.constant(array) for array in constants]

    def step(*arrays):
        with tf.GradientTape() as tape:
            total, terms = loss(*constants, *arrays)
        gradients = tape.gradient(total, [variable.value for variable in trained], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        _apply(optimizer, [tf.convert_to_tensor(g) for g in gradients], trained)
        return ops.stack(terms)

    def block(*arrays):
        n_steps = arrays[0].shape[0]
        body = lambda i, sums: (i + 1, sums + step(*[array[i] for array in arrays]))
        return tf.while_loop(lambda i, _: i < n_steps, body, (0, tf.zeros(n_terms)), parallel_iterations=1)[1] / n_steps

    return _traced_once(block if n_terms else step, jit_compile)


def _apply(optimizer, gradients, variables):
    "Apply gradients without a sum over replicas: there is one, and TensorFlow would keep the graph around that sum forever."
    optimizer._all_reduce_sum_gradients = list
    try:
        optimizer.apply(gradients, variables)
    finally:
        del optimizer._all_reduce_sum_gradients


# %% [markdown]
# ## JAX
#
# The state of a step is three lists: trained variables, other variables that change, and the optimizer's variables. The second list has moving
# averages of batch normalization and states of random generators. In a `StatelessScope`, Keras layers read and write these lists in place of
# their variables.
#
# A block of steps is a `lax.scan`. On a CPU, XLA runs convolutions in such a loop many times slower than outside of it. There, a block is scanned
# only with `jit_compile=True`, which the fast solver sets for dense networks. Otherwise it is a loop in Python.

# %%
#| export
def _jax_step(loss, trained, others, optimizer, n_terms, jit_compile, constants):
    constants = [jax.numpy.asarray(array) for array in constants]

    def step(constants, state, arrays):  # as an argument; a constant of the program would be compiled into it
        values, changed, slots = state

        def total_of(values):
            with keras.StatelessScope(state_mapping=[*zip(trained, values), *zip(others, changed)]) as scope:
                total, terms = loss(*constants, *arrays)
            return total, (ops.stack(terms), [scope.get_current_value(v) for v in others])

        gradients, (terms, changed) = jax.grad(total_of, has_aux=True)(values)
        values, slots = optimizer.stateless_apply(slots, gradients, values)
        return (values, changed, slots), terms

    scanned = n_terms and (jit_compile or jax.default_backend() != "cpu")
    pure = jax.jit((lambda constants, state, arrays: jax.lax.scan(partial(step, constants), state, arrays)) if scanned else step)
    groups = trained, others, optimizer.variables

    def run(*arrays):
        state, out = tuple([v.value for v in group] for group in groups), []
        for parts in zip(*arrays) if n_terms and not scanned else [arrays]:
            state, terms = pure(constants, state, parts)
            out.append(terms.mean(axis=0) if scanned else terms)
        for group, values in zip(groups, state):
            _assign(group, values)
        return out[0] if len(out) == 1 else ops.mean(ops.stack(out), axis=0)

    return run


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)


# %% [markdown]
# ## PyTorch
#
# Nothing is compiled. A block is a loop in Python.

# %%
#| export
def _torch_step(loss, trained, others, optimizer, n_terms, jit_compile, constants):
    constants = [ops.convert_to_tensor(array) for array in constants]

    def step(*arrays):
        total, terms = loss(*constants, *arrays)
        gradients = torch.autograd.grad(total, [v.value for v in trained], allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            optimizer.apply(list(gradients), trained)
        return torch.stack([term.detach() for term in terms])

    def run(*arrays):
        arrays = [ops.convert_to_tensor(array) for array in arrays]
        if not n_terms:
            return step(*arrays)
        return torch.stack([step(*parts) for parts in zip(*arrays)]).mean(dim=0)

    return run


# %% [markdown]
# ## A step on any loss
#
# The public function collects the variables and calls one of the three.

# %%
#| export
def training_step(loss, models: list, optimizer, n_terms: int = 0, jit_compile: bool | None = None, constants: tuple = ()):
    """Compile a gradient step on any loss, or a block of steps.

    Parameters
    ----------
    loss : callable
        Function of the constants and the arrays of a batch that returns `(total, terms)`: the scalar to minimize, and a tuple of scalars to report.
    models : list of keras.Layer or keras.Variable
        Trained in place. No two of them may share a layer.
    optimizer : keras.optimizers.Optimizer
        Fresh; it is built here.
    n_terms : int
        0 compiles a single step. Otherwise the number of terms; a block of steps is compiled, and every array has a leading axis of steps.
    jit_compile : bool or None
        Compile TensorFlow's graph by XLA. Under JAX, `True` also scans blocks on a CPU, which is faster for dense layers only. PyTorch ignores it.
    constants : tuple of ndarray
        Arrays that every step gets, such as all rows. They are copied to the device once.

    Returns
    -------
    callable
        Function of arrays that takes the step (or the block of steps). The shapes and types of the arrays must not change between calls.
        It returns the terms, shape (n_terms,), as means over the steps of a block.

    Examples
    --------
    >>> import keras
    >>> x = keras.Variable([3.0])
    >>> loss = lambda: (keras.ops.sum(x**2), (keras.ops.sum(x**2),))
    >>> float(training_step(loss, [x], keras.optimizers.SGD(0.5))()[0])
    9.0
    >>> float(x[0])
    0.0
    """
    refuse_after_fork()
    layers = [model for model in models if isinstance(model, keras.Layer)]
    trained = [v for layer in layers for v in layer.trainable_variables] + [v for v in models if not isinstance(v, keras.Layer)]
    others = [v for layer in layers for v in layer.non_trainable_variables]
    optimizer.build(trained)
    make = {"tensorflow": _tensorflow_step, "jax": _jax_step, "torch": _torch_step}[BACKEND]
    return make(loss, trained, others, optimizer, n_terms, jit_compile, constants)


# %% [markdown]
# Least squares shows that the step is right: the gradient of $\frac12 (w x - y)^2$ is $(w x - y)\,x$.

# %%
w = keras.Variable([1.0])
unused = keras.Variable([5.0])


def half_squares(x, y):
    value = ops.sum(ops.square(w * x - y)) / 2
    return value, (value,)


step = training_step(half_squares, [w, unused], keras.optimizers.SGD(0.1))
assert_allclose(ops.convert_to_numpy(step(np.float32([2]), np.float32([6]))), [8])
assert_allclose(ops.convert_to_numpy(w), [1 + 0.1 * 4 * 2])
assert ops.convert_to_numpy(unused)[0] == 5  # the loss does not depend on it

# %% [markdown]
# A constant gives the same step as an array of the batch. Only indices then travel to the device.

# %%
w.assign([1.0])
x, y = np.float32([1, 2]), np.float32([3, 6])
step = training_step(lambda x, y, which: half_squares(ops.take(x, which), ops.take(y, which)), [w], keras.optimizers.SGD(0.1), constants=(x, y))
assert_allclose(ops.convert_to_numpy(step(np.array([1], "int32"))), [8])
assert_allclose(ops.convert_to_numpy(w), [1 + 0.1 * 4 * 2])


# %% [markdown]
# A block of three steps gives the same result as three single steps. The network has batch normalization, so its moving averages must agree, too.

# %%
def small_network():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, kernel_initializer="ones"), keras.layers.BatchNormalization()])
    squares = lambda x: (ops.mean(ops.square(network(x, training=True) - 1)), (ops.mean(x), ops.max(x)))
    return network, squares


rows = np.random.default_rng(0).random((3, 5, 3), dtype=np.float32)
one_by_one, loss = small_network()
step = training_step(loss, [one_by_one], keras.optimizers.Adam(0.1))
terms = [ops.convert_to_numpy(step(batch)) for batch in rows]
at_once, loss = small_network()
block = training_step(loss, [at_once], keras.optimizers.Adam(0.1), n_terms=2)
assert_allclose(ops.convert_to_numpy(block(rows)), np.mean(terms, axis=0), rtol=1e-6)
for a, b in zip(one_by_one.get_weights(), at_once.get_weights()):
    assert_allclose(a, b, rtol=1e-5, atol=1e-6)
assert abs(ops.convert_to_numpy(at_once.layers[-1].moving_mean)).max() > 0


# %% [markdown]
# ## Functions that train nothing
#
# An augmentation made of Keras layers is compiled, too. The states of its random generators are variables of these layers, which JAX needs as
# arguments.

# %%
#| export
def compiled(function, models: tuple = (), jit_compile: bool | None = None):
    """Compile a function that trains nothing.

    Parameters
    ----------
    function : callable
        Function of arrays; their shapes and types must not change between calls.
    models : tuple of keras.Layer
        Layers whose variables the function changes, such as states of random generators.
    jit_compile : bool or None
        Compile TensorFlow's graph by XLA.

    Returns
    -------
    callable
        The same function, compiled at its first call. With PyTorch it is not compiled, and runs without gradients.
    """
    if BACKEND == "tensorflow":
        return _traced_once(function, jit_compile)
    if BACKEND == "torch":
        return without_gradients(lambda *arrays: function(*map(ops.convert_to_tensor, arrays)))
    changed = [v for model in models for v in model.variables]

    @jax.jit
    def pure(values, *arrays):
        with keras.StatelessScope(state_mapping=list(zip(changed, values))) as scope:
            out = function(*arrays)
        return [scope.get_current_value(v) for v in changed], out

    def run(*arrays):
        values, out = pure([v.value for v in changed], *arrays)
        _assign(changed, values)
        return out

    return run


def without_gradients(function):
    """Run a function without gradients, so that PyTorch does not keep intermediate results in memory.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable
        The same function; with PyTorch under `torch.no_grad`.
    """
    return torch.no_grad()(function) if BACKEND == "torch" else function


# %% [markdown]
# The function is traced once.

# %%
traces = []
plus_one = compiled(lambda x: traces.append("traced") or x + 1)
assert float(plus_one(np.float32(1))) == 2 and float(plus_one(np.float32(2))) == 3
assert len(traces) == (2 if BACKEND == "torch" else 1)  # PyTorch runs it at every call

# %% [markdown]
# A dropout layer draws new numbers at every call. The same seed gives the same sequence.

# %%
drop = lambda: keras.layers.Dropout(0.5, seed=0)
first, second = (compiled(lambda x, layer=layer: layer(x, training=True), [layer]) for layer in (drop(), drop()))
ones = np.ones(100, "float32")
once, again = (ops.convert_to_numpy(first(ones)) for _ in range(2))
assert (once != again).any()
assert_array_equal(ops.convert_to_numpy(second(ones)), once)


# %% [markdown]
# ## The derivative by the input
#
# The Jacobian of a network says how each output changes with each feature of a row. A backward pass differentiates one number. In inference mode
# rows do not influence each other, so the sum of one output over a batch has the derivatives of all rows. A batch needs one forward pass, and one
# backward pass for each output.

# %%
#| export
def _pulled_back(model, x):
    "The output of a network, and a function from weights of its numbers to the derivative of their weighted sum by the input."
    if BACKEND == "jax":
        z, pullback = jax.vjp(lambda x: model(x, training=False), x)
        return z, lambda weights: pullback(weights)[0]
    if BACKEND == "torch":
        z = model(x.requires_grad_(), training=False)
        return z, lambda weights: torch.autograd.grad(z, x, weights, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        z = model(x, training=False)
    return z, lambda weights: tape.gradient(z, x, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def jacobian(model, x) -> np.ndarray:
    """Differentiate each output of a network by its input, in inference mode.

    Parameters
    ----------
    model : keras.Model
        From rows to vectors, such as an encoder.
    x : array-like, float32, shape (n_rows, ...)
        The rows of one batch.

    Returns
    -------
    ndarray, float32, shape (n_rows, n_outputs, ...)

    Examples
    --------
    >>> import keras, numpy as np
    >>> square = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x**2)])
    >>> jacobian(square, np.float32([[1, 2, 3]]))[0].round(3).tolist()
    [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0]]
    """
    z, pullback = _pulled_back(model, ops.convert_to_tensor(x))
    n_outputs = z.shape[-1]
    one_output = lambda k: ops.broadcast_to(ops.cast(ops.one_hot(k, n_outputs), z.dtype), z.shape)
    return np.stack([ops.convert_to_numpy(pullback(one_output(k))) for k in range(n_outputs)], axis=1).astype(np.float32)


# %% [markdown]
# For a linear layer, the derivative is the kernel. Batch normalization divides it by the moving standard deviation, and rows stay independent.

# %%
linear = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
for derivative in jacobian(linear, rows[0]):
    assert_allclose(derivative.T, linear.get_weights()[0], atol=1e-6)
assert_allclose(jacobian(at_once, rows[0])[:2], jacobian(at_once, rows[0, :2]), atol=1e-6)


# %% [markdown]
# ## ONNX
#
# An ONNX file holds the graph of a network with its weights. Other programs run it without Keras or Python. `Model.export` of Keras writes it, with
# one converter for each backend. It takes a network that has been called, or the shape of its input.
#
# tf2onnx turns every tensor that a layer holds into another input of the graph, such as the mean in a `Normalization` layer. As a NumPy array, it
# becomes a constant.

# %%
#| export
@contextlib.contextmanager
def _arrays_in_layers(model):
    "Replace tensors that layers hold by NumPy arrays, under TensorFlow, until the end of the block."
    layers = model._flatten_layers() if BACKEND == "tensorflow" else []
    tensors = [(layer, name, value) for layer in layers for name, value in vars(layer).items() if isinstance(value, tf.Tensor)]
    try:
        for layer, name, value in tensors:
            setattr(layer, name, value.numpy())
        yield
    finally:
        for layer, name, value in tensors:
            setattr(layer, name, value)


@contextlib.contextmanager
def _quiet_converter():
    "No messages of a converter on its own code, or on operations that `_with_known_operations` replaces: the result is checked anyway."
    log = logging.getLogger("tf2onnx")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _exported(model):
    "Convert by Keras, with any number of rows; jax2onnx puts large weights into a second file, which `onnx.load` reads, too."
    import onnx

    signature = [keras.InputSpec(dtype="float32", shape=(None, *model.input_shape[1:]), name="x")]
    with tempfile.TemporaryDirectory() as folder, _arrays_in_layers(model), _quiet_converter():
        file = Path(folder) / "model.onnx"
        model.export(str(file), format="onnx", verbose=False, input_signature=signature)
        return _with_known_operations(onnx.load(file)).SerializeToString()


# %% [markdown]
# tf2onnx copies operations that it does not know. Two of them are in common activations, and ONNX has their counterparts:
# $\mathrm{erfc}\, x = 1 - \mathrm{erf}\, x$ in GELU, and $\mathrm{expm1}\, x = \exp x - 1$ in CELU.

# %%
#| export
def _with_known_operations(model):
    "Replace operations of TensorFlow in an ONNX model by those of ONNX, in place."
    from onnx import helper, numpy_helper

    nodes = []
    for node in model.graph.node:
        if node.op_type in ("Erfc", "Expm1"):
            inner = f"{node.output[0]}/inner"
            operation, operands = ("Erf", ["one", inner]) if node.op_type == "Erfc" else ("Exp", [inner, "one"])
            nodes += [helper.make_node(operation, node.input, [inner]), helper.make_node("Sub", operands, node.output)]
        else:
            nodes.append(node)
    if len(nodes) > len(model.graph.node):
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.append(numpy_helper.from_array(np.float32(1), "one"))
    return model


# %% [markdown]
# The other converters lack some common layers: jax2onnx, for example, max pooling. Where TensorFlow is installed, tf2onnx converts those networks in a
# process of its own, since one process has one backend. The network travels as a Keras file.

# %%
#| export
_CONVERT_ELSEWHERE = """
import sys
from pathlib import Path
import keras
import pumap.semisupervised  # registers the layers of this package
from pumap import backend
model = keras.saving.load_model(sys.argv[1], compile=False, safe_mode=False)  # safe: the calling process has written the file
Path(sys.argv[2]).write_bytes(backend._exported(model))
"""


def _exported_by_tensorflow(model):
    "Convert in another process, under TensorFlow."
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("model.keras", "model.onnx")]
        model.save(files[0])
        environment = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment["CUDA_VISIBLE_DEVICES"] = "-1"  # TensorFlow would take the memory that this process needs
        done = subprocess.run([sys.executable, "-c", _CONVERT_ELSEWHERE, *files], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
        return Path(files[1]).read_bytes()


def _installed(*packages):
    return all(importlib.util.find_spec(package) for package in packages)


# %% [markdown]
# A converter may lack an operation, or translate it wrongly. Therefore the result is run on some rows before it is returned.

# %%
#| export
_CONVERTERS = {"tensorflow": ("tf2onnx", "onnx"), "jax": ("jax2onnx", "onnx-jax"), "torch": ("onnxscript", "onnx-torch")}  # package, extra


def _checked(content, examples, expected):
    "The ONNX model if it gives the expected values, else ValueError."
    found = _run_onnx(content, examples)
    if found.shape != expected.shape or not np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max()):
        raise ValueError("the result differs from Keras")
    return content


def _run_onnx(content, rows):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, too
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


def to_onnx(model, examples) -> bytes:
    """Convert a network to ONNX, in inference mode.

    The converter of the backend comes first. Where it fails under JAX or PyTorch, tf2onnx converts the network if it is installed with TensorFlow.

    Parameters
    ----------
    model : keras.Model
        With one input and one output. It need not have been called.
    examples : array-like, shape (n_rows, ...)
        Rows on which the converted network must agree with Keras.

    Returns
    -------
    bytes
        Content of an ONNX file. Its input is called "x" and takes any number of float32 rows.

    Raises
    ------
    ImportError
        If a package is missing; the message says what to install.
    ValueError
        If the network cannot be converted, or the result differs from Keras.
    """
    converter, extra = _CONVERTERS[BACKEND]
    ways = [(converter, _exported)] if _installed(converter) else []
    if BACKEND != "tensorflow" and _installed("tensorflow", "tf2onnx"):
        ways.append(("tf2onnx", _exported_by_tensorflow))
    missing = [package for package in ("onnx", "onnxruntime") if not _installed(package)] + ([] if ways else [converter])
    if missing:
        raise ImportError(f"Export to ONNX under {BACKEND} needs {', '.join(missing)}: pip install 'pumap[{extra}]'.")
    examples = np.asarray(examples, dtype=np.float32)
    expected, reasons = ops.convert_to_numpy(without_gradients(model)(examples, training=False)), []
    for name, export in ways:
        try:
            return _checked(export(model), examples, expected)
        except Exception as error:  # converters and onnxruntime raise exceptions of many kinds
            cause = error
            reasons.append(f"{name}: {(str(error).strip() or type(error).__name__).splitlines()[0][:200]}")
    advice = "" if ways[-1][0] == "tf2onnx" else " TensorFlow's converter knows more layers: pip install 'pumap[tensorflow,onnx]', and export again."
    raise ValueError(f"{model.name} cannot be converted to ONNX ({'; '.join(reasons)}).{advice}") from cause


# %% [markdown]
# ## Devices
#
# In the context `keras.device("gpu:0")`, tensors are created on that device. `devices` lists the valid names.

# %%
#| export
def devices() -> dict:
    """List the devices of the backend.

    Returns
    -------
    dict
        Keras' name of each device, such as "cpu:0" or "gpu:0", with the name of its model ("cpu" for processors).
    """
    found = {"cpu:0": "cpu"}
    if BACKEND == "tensorflow":
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", "gpu") for gpu in tf.config.list_physical_devices("GPU")]
    elif BACKEND == "jax":
        names = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    else:
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found | {f"gpu:{i}": name for i, name in enumerate(names)}


# %%
assert devices()["cpu:0"] == "cpu"
print(BACKEND, devices())
