"""The forms in which a Keras saves a model: which there are, how each is written, how each is read."""

import json
import pathlib
import shutil

import h5py
import keras

import listing
from kinds import CONFIGURED
from offers import since

# Bytes of a shard: so few that every model has several, enough for its greatest variable.
LEAST_SHARD = 2048
# Whole models in one file, which `load_weights` takes too.
WITH_WEIGHTS = ("whole", "keras")


def known(form):
    """Whether this Keras has the form at all."""
    first = {"folder": (3, 5), "sharded": (3, 10)}.get(form, (2, 15))
    return since(*first)


def minimal(text):
    """The same JSON without what a person would not write: build_config, and the shapes of tensors."""

    def strip(value):
        if isinstance(value, list):
            return [strip(item) for item in value]
        if not isinstance(value, dict):
            return value
        kept = {
            key: strip(item)
            for key, item in value.items()
            if key not in ("build_config", "build_input_shape")
        }
        if kept.get("class_name") == "__keras_tensor__":
            kept["config"]["shape"] = []
        return kept

    return json.dumps(strip(json.loads(text)))


def save(form, model, path):
    path = pathlib.Path(path)
    if form == "json":
        path.write_text(model.to_json(), encoding="utf-8")
    elif form == "minimal":
        path.write_text(minimal(model.to_json()), encoding="utf-8")
    elif form == "folder":
        shutil.rmtree(path, ignore_errors=True)
        model.save(str(path), zipped=False)
    elif form in ("keras", "whole"):
        model.save(str(path))
    elif form == "weights":
        model.save_weights(str(path))
    elif form == "sharded":
        greatest = max([
            LEAST_SHARD,
            *(
                listing.value(variable).nbytes
                for variable in model.variables
                if listing.is_variable(variable)
            ),
        ])
        model.save_weights(str(path), max_shard_size=greatest / 1024**3)
    elif since(3):
        with h5py.File(path, "w") as file:
            listing.legacy_format.save_weights_to_hdf5_group(file, model)
    else:
        model.save_weights(str(path), save_format="h5")


def load(form, path, fresh):
    """The model as Keras reads it from a file of that form; `fresh` builds one for the weights."""
    if form in ("json", "minimal"):
        return keras.models.model_from_json(pathlib.Path(path).read_text(encoding="utf-8"))
    if form in CONFIGURED:
        return keras.models.load_model(str(path), compile=False)
    model = fresh()
    model.load_weights(str(path))
    return model


def holds_values(form):
    return form not in ("json", "minimal")
