"""torchvision's classifiers: the models of keras.applications that match, and mirrors that a user would write."""

from zoo import (
    alexnet,
    densenet,
    efficientnet,
    googlenet,
    mnasnet,
    mobilenet_v2,
    mobilenet_v3,
    regnet,
    resnet,
    shufflenet_v2,
    squeezenet,
    vgg,
)
from zoo.random_weights import EPSILON, randomised

FAMILIES = (
    resnet,
    mobilenet_v2,
    mobilenet_v3,
    vgg,
    densenet,
    alexnet,
    squeezenet,
    shufflenet_v2,
    mnasnet,
    efficientnet,
    googlenet,
    regnet,
)

CASES = [case for family in FAMILIES for case in family.CASES]
