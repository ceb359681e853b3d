"""The forms of a model, by name."""

# Name to file, in the order of the table.
FILES = {
    "json": "model.json",
    "minimal": "minimal.json",
    "keras": "model.keras",
    "folder": "unzipped",
    "whole": "whole.h5",
    "weights": "template.weights.h5",
    "sharded": "sharded.weights.json",
    "legacy": "legacy.h5",
}
# Those that hold a configuration of the model.
CONFIGURED = ("json", "minimal", "keras", "folder", "whole")
# Those that hold nothing else.
WITHOUT_WEIGHTS = ("json", "minimal")
# Those that show where the variables of `.weights.h5` lie, and nothing of the model.
TEMPLATES = ("weights", "sharded")
# What can be written.
OUTPUTS = ("weights", "sharded", "legacy", "whole", "keras")


# What is said of a configuration that versions of Keras build differently, and that does not tell its version.
DISAGREE = "versions of Keras disagree"


# What is said of models whose form does not tell what a file of theirs needs: the order in which weights that are
# frozen were frozen, and what a layer was adapted to.
UNTOLD = ("which no configuration tells", "keeps what it was adapted to")
# What is said of a whole-model `.h5` of models that share layers: Keras makes a layer of every place of its own.
SHARED = ("share the layer", "Keras makes a layer for each of them")
# What is said of configurations by which a Keras orders variables otherwise than it saves them.
ORDERS = "orders the variables of float8"


def may_refuse(form, output, custom, is_old, said):
    """Whether the form does not tell what the output needs: a configuration, or the order of the layers."""
    if custom and form in CONFIGURED:
        return True
    if form in CONFIGURED and any(words in said for words in UNTOLD):
        return True
    if output == "whole" and form in CONFIGURED and all(words in said for words in SHARED):
        return True
    if output in ("whole", "keras"):
        # Keras 2 names the modules of objects in its archives alone.
        without_modules = ("whole", "json", "minimal") if is_old else ("whole",)
        return form not in CONFIGURED or (form in without_modules and output == "keras")
    return (form == "legacy") != (output == "legacy") and form not in CONFIGURED
