"""Has KerasHub convert the checkpoints itself: what is expected, and the template of the freshly built backbone.

python convert.py FOLDER [CASE]...
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import families
import keras
import keras_hub

SEED = 3


def convert(case, folder):
    backbone = getattr(keras_hub.models, case.backbone)
    keras.utils.set_random_seed(SEED)
    backbone.from_preset(str(folder), load_weights=False).save_weights(folder / "template.weights.h5")
    backbone.from_preset(str(folder)).save_weights(folder / "expected.weights.h5")


def main():
    work, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    for case in families.CASES:
        if not names or case.name in names:
            try:
                convert(case, work / case.name)
            except Exception as error:  # the driver tells it, and the other cases go on
                (work / case.name / "convert.error").write_text(f"{type(error).__name__}: {error}")
                print(case.name, type(error).__name__, str(error)[:600], file=sys.stderr)


if __name__ == "__main__":
    main()
