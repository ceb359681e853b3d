"""AlexNet."""

import keras
from keras import layers

from zoo.image_net import FULL, IMAGENET_CLASSES, image_net
from zoo.parts import max_pool


def alexnet():
    image = keras.Input((*FULL, 3))

    def conv(x, filters, kernel, stride, padding, name):
        x = layers.ZeroPadding2D(padding)(x)
        return layers.Conv2D(filters, kernel, strides=stride, activation="relu", name=name)(x)

    x = max_pool(conv(image, 64, 11, 4, 2, "features_0"), 3, 2)
    x = max_pool(conv(x, 192, 5, 1, 2, "features_3"), 3, 2)
    x = conv(x, 384, 3, 1, 1, "features_6")
    x = conv(x, 256, 3, 1, 1, "features_8")
    x = max_pool(conv(x, 256, 3, 1, 1, "features_10"), 3, 2)
    x = layers.Flatten()(x)
    x = layers.Dense(4096, activation="relu", name="classifier_1")(x)
    x = layers.Dense(4096, activation="relu", name="classifier_4")(x)
    return keras.Model(image, layers.Dense(IMAGENET_CLASSES, name="classifier_6")(x), name="alexnet")


CASES = [image_net("alexnet", 30, alexnet, "alexnet", FULL, feature_maps={"classifier.1": (256, 6, 6)})]
