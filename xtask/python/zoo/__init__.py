"""torchvision's classifiers: the models of keras.applications that match, and mirrors that a user would write."""

from zoo import alexnet, densenet, mobilenet_v2, resnet, vgg
from zoo.random_weights import EPSILON, randomised

FAMILIES = (resnet, mobilenet_v2, vgg, densenet, alexnet)

CASES = [case for family in FAMILIES for case in family.CASES]
