"""Names and shapes of the official networks' variables, in their order, with our names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from mgc_lightning.encoders.official_resnet import OFFICIAL_OUTPUTS
from mgc_lightning.encoders.resnet import STAGES

RESNET_SCOPE = "resnet_v1_50"
NORM_PARTS = ("beta", "moving_mean", "moving_variance")


@dataclass(frozen=True)
class Variable:
    """Pair a TensorFlow variable with a torch parameter or buffer.

    Attributes:
        name: TensorFlow's name.
        shape: TensorFlow's shape; convolutions are (height, width, in, out).
        key: ours in the state dictionary.
    """

    name: str
    shape: tuple[int, ...]
    key: str


def resnet_convolutions() -> Iterator[tuple[str, str, int, int, int]]:
    """Give (scope, our prefix, kernel, inputs, outputs) of every convolution of slim's ResNet-50 trunk.

    Example:
        >>> next(iter(resnet_convolutions()))
        ('resnet_v1_50/conv1', 'backbone.conv1', 7, 3, 64)
    """
    yield f"{RESNET_SCOPE}/conv1", "backbone.conv1", 7, 3, 64
    inputs = 64
    for block, count in enumerate(STAGES[50], start=1):
        inner = 64 * 2 ** (block - 1)
        for unit in range(count):
            scope = f"{RESNET_SCOPE}/block{block}/unit_{unit + 1}/bottleneck_v1"
            prefix = f"backbone.layer{block}.{unit}"
            if unit == 0:
                yield f"{scope}/shortcut", f"{prefix}.downsample", 1, inputs, 4 * inner
            yield f"{scope}/conv1", f"{prefix}.conv1", 1, inputs, inner
            yield f"{scope}/conv2", f"{prefix}.conv2", 3, inner, inner
            yield f"{scope}/conv3", f"{prefix}.conv3", 1, inner, 4 * inner
            inputs = 4 * inner


def mgcnet_variables(outputs: int = OFFICIAL_OUTPUTS) -> list[Variable]:
    """List the 54 weights and 54 biases of the official MGCNet encoder.

    Example:
        >>> variables = mgcnet_variables()
        >>> len(variables), variables[0].name, variables[-1].shape
        (108, 'resnet_v1_50/conv1/weights', (257,))
    """
    variables = []
    for scope, prefix, kernel, inputs, channels in resnet_convolutions():
        variables.append(Variable(f"{scope}/weights", (kernel, kernel, inputs, channels), f"{prefix}.weight"))
        variables.append(Variable(f"{scope}/biases", (channels,), f"{prefix}.bias"))
    scope = f"{RESNET_SCOPE}/logits"
    variables.append(Variable(f"{scope}/weights", (1, 1, 2048, outputs), "head.linear.weight"))
    variables.append(Variable(f"{scope}/biases", (outputs,), "head.linear.bias"))
    return variables


def imagenet_variables() -> list[Variable]:
    """List the variables of slim's ImageNet ResNet-50 trunk: a weight and four norm statistics a convolution.

    The keys are those of the folded convolution, with the statistic's name behind a slash.
    """
    variables = []
    for scope, prefix, kernel, inputs, channels in resnet_convolutions():
        variables.append(Variable(f"{scope}/weights", (kernel, kernel, inputs, channels), f"{prefix}.weight"))
        variables += [
            Variable(f"{scope}/BatchNorm/{part}", (channels,), f"{prefix}/{part}") for part in ("gamma", *NORM_PARTS)
        ]
    return variables


def facenet_variables(network: nn.Module) -> list[Variable]:
    """List the variables of FaceNet's Inception-ResNet-v1: ours, whose modules know their scopes.

    Args:
        network: an `InceptionResnetV1`.

    Example:
        >>> from mgc_lightning.recognisers.inception_resnet_v1 import InceptionResnetV1
        >>> variables = facenet_variables(InceptionResnetV1())
        >>> variables[0].name, variables[0].key
        ('InceptionResnetV1/Conv2d_1a_3x3/weights', 'stem.0.conv.weight')
    """
    variables: list[Variable] = []
    uppers: list[tuple[str, nn.Module]] = []
    for prefix, module in network.named_modules():
        # A residual block's projection comes after its branches in the graph, before them in our walk.
        while uppers and not prefix.startswith(uppers[-1][0] + "."):
            variables += _projection(*uppers.pop())
        if hasattr(module, "up"):
            uppers.append((prefix, module))
        elif hasattr(module, "scope"):
            variables += _normalised(prefix, module)
    while uppers:
        variables += _projection(*uppers.pop())
    return variables


def _projection(prefix: str, module: nn.Module) -> list[Variable]:
    weight = module.get_parameter("up.weight")
    return [
        Variable(f"{module.scope}/weights", _tensorflow_shape(weight), f"{prefix}.up.weight"),
        Variable(f"{module.scope}/biases", (len(weight),), f"{prefix}.up.bias"),
    ]


def _normalised(prefix: str, module: nn.Module) -> list[Variable]:
    kind = "conv" if hasattr(module, "conv") else "linear"
    weight = module.get_parameter(f"{kind}.weight")
    keys = ("bias", "running_mean", "running_var")
    return [
        Variable(f"{module.scope}/weights", _tensorflow_shape(weight), f"{prefix}.{kind}.weight"),
        *(
            Variable(f"{module.scope}/BatchNorm/{part}", (len(weight),), f"{prefix}.norm.{key}")
            for part, key in zip(NORM_PARTS, keys, strict=True)
        ),
    ]


def _tensorflow_shape(weight: nn.Parameter) -> tuple[int, ...]:
    outputs, inputs, *kernel = weight.shape
    return (*kernel, inputs, outputs)
