"""Writes the files of a `testdata` folder from its cases."""

import hashlib
import json

import case as _  # sets the Keras backend before keras is imported
import keras
import layouts


def write(folder, cases):
    """The checkpoint, the architectures and the expected values of `cases`, which share one module."""
    variables, state_dict = {}, None
    for case in cases:
        module = case.module().eval()
        state_dict = module.state_dict()
        case.save(module, folder / case.checkpoint)
        keras.utils.set_random_seed(0)
        model = case.model()
        if case.template:
            model.save_weights(folder / "template.weights.h5")
        else:
            (folder / "arch.json").write_text(json.dumps(json.loads(model.to_json()), indent=1) + "\n")
        rows = layouts.expected(case.tensors(module), model, case)
        for path, _, value in rows:
            variables[path] = {
                "path": path,
                "shape": list(value.shape),
                "dtype": str(value.dtype),
                "sha256": hashlib.sha256(value.astype(value.dtype.newbyteorder("<")).tobytes()).hexdigest(),
            }
    unused = [key for key in state_dict if key.endswith("num_batches_tracked")]
    rows = ",\n".join("  " + json.dumps(row) for row in variables.values())
    text = f'{{\n "unused": {json.dumps(unused)},\n "variables": [\n{rows}\n ]\n}}\n'
    (folder / "expected.json").write_text(text)
