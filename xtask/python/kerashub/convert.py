"""Has KerasHub convert the checkpoints itself, and saves a template of the freshly built backbone.

python convert.py FOLDER [CASE]...
"""

import contextlib
import io
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import families
import keras
import keras_hub
from keras_hub.src.utils.transformers.safetensor_utils import SafetensorLoader

SEED = 3


@contextlib.contextmanager
def recorded(keys):
    """Adds the keys of the tensors that KerasHub reads to `keys`."""
    original = SafetensorLoader.get_tensor

    def get_tensor(self, key):
        tensor = original(self, key)
        (file,) = self.safetensor_files.values()
        keys.add(self.get_prefixed_key(key, file))
        return tensor

    SafetensorLoader.get_tensor = get_tensor
    try:
        yield
    finally:
        SafetensorLoader.get_tensor = original


def convert(case, folder):
    backbone = getattr(keras_hub.models, case.backbone)
    # Keras counts the layers that have no name of their own: as in a process that makes one backbone.
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    backbone.from_preset(str(folder), load_weights=False).save_weights(folder / "template.weights.h5")
    keys = set()
    # A converter of KerasHub prints what it does.
    with recorded(keys), contextlib.redirect_stdout(io.StringIO()):
        backbone.from_preset(str(folder)).save_weights(folder / "expected.weights.h5")
    (folder / "read.json").write_text(json.dumps(sorted(keys)))


def main():
    work = pathlib.Path(sys.argv[1])
    for case in families.chosen(sys.argv[2:]):
        convert(case, work / case.name)


if __name__ == "__main__":
    main()
