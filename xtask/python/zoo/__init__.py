"""torchvision's classifiers: to models of keras.applications that match, and to mirrors of a user's own."""

from zoo import (
    alexnet,
    convnext,
    densenet,
    efficientnet,
    googlenet,
    inception_v3,
    mnasnet,
    mobilenet_v2,
    mobilenet_v3,
    regnet,
    resnet,
    shufflenet_v2,
    squeezenet,
    swin,
    vgg,
    vision_transformer,
)
from zoo.random_weights import EPSILON, randomised

FAMILIES = (
    resnet,
    mobilenet_v2,
    mobilenet_v3,
    vgg,
    vision_transformer,
    densenet,
    alexnet,
    convnext,
    squeezenet,
    swin,
    shufflenet_v2,
    mnasnet,
    efficientnet,
    googlenet,
    inception_v3,
    regnet,
)

CASES = [case for family in FAMILIES for case in family.CASES]
