"""What a Keras said of one model, as `make.py` left it, and whether the product says the same."""

import dataclasses
import json
import pathlib
import re

import kinds

# The first Keras that writes the `name` of a layer to its group (`saving_lib.py`).
NAMES_SINCE = (3, 6)
# What Keras calls a variable that was made without a name.
UNNAMED = re.compile(r"variable(_\d+)?")


@dataclasses.dataclass(frozen=True)
class Expected:
    folder: pathlib.Path
    said: dict

    @classmethod
    def read(cls, folder):
        return cls(folder, json.loads((folder / "expected.json").read_text(encoding="utf-8")))

    @property
    def custom(self):
        return self.said["custom"]

    @property
    def refused(self):
        """The word of the quantization that `ptw2k` has to refuse, if there is one."""
        return self.said.get("refused", "")

    @property
    def untold(self):
        """Whether this Keras builds other variables from the configuration than it saves."""
        return self.said.get("untold", False)

    def file(self, form):
        """The file of that form, where this Keras could write it."""
        about = self.said["forms"].get(form, {})
        return self.folder / about["file"] if "file" in about else None

    def cannot_save(self, form):
        """Why this Keras cannot write the form itself."""
        return self.said["forms"].get(form, {}).get("cannot_save")

    def kind_of_cannot_save(self, form):
        """The kind of that reason, as of a fault in loading."""
        return self.said["forms"].get(form, {}).get("kind")

    def rows(self, form):
        """The variables of what Keras builds from that form. A layer of two models is in JSON once for each."""
        if form in ("json", "minimal", "whole"):
            return self.said["forms"]["json"].get("variables", self.variables)
        return self.variables

    @property
    def variables(self):
        """Of the model as it was built."""
        return self.said["variables"]

    @property
    def named(self):
        """Whether the groups of this Keras' files have the names of the layers."""
        return tuple(map(int, self.said["keras"].split(".")[:2])) >= NAMES_SINCE

    def rebuilt(self, form):
        return self.rows(form) is not self.variables


class Differs(Exception):
    """What is listed is not what Keras has."""


def placed(entries, rows, form, named=True):
    """`named`: weight files have the layers' names, as those of Keras 3.6 and later.

    `[(row, path in the product's words)]`, once every variable is found at its place with its shape and type."""
    by_place = {row["weights_h5"]: row for row in rows}
    legacy = {name: row for row in rows for name in row["legacy"]}
    pairs, wrong = [], []
    for entry in entries:
        row = by_place.get(entry.get("weights_h5"))
        if row is None and form == "legacy":
            row = legacy.get(entry.get("legacy") or entry["path"])
        if row is None:
            wrong.append(f"{entry['path']} at {entry.get('weights_h5')} is no variable of Keras")
            continue
        if entry["shape"] != row["shape"]:
            wrong.append(f"{row['path']} is {entry['shape']} instead of {row['shape']}")
        if entry["dtype"] not in (row["dtype"], row["stored"]):
            wrong.append(f"{row['path']} is {entry['dtype']} instead of {row['dtype']}")
        if not same_name(entry["path"], row["path"], form, named):
            wrong.append(f"{row['weights_h5']} is called {entry['path']} instead of {row['path']}")
        pairs.append((row, entry["path"]))
    found = {row["weights_h5"] for row, _ in pairs}
    # A configuration and a list of names do not have what a layer was adapted to, which is carried over.
    rows = [row for row in rows if row["known"] or row["weights_h5"] in found]
    wrong += [
        f"{row['path']} ({row['owner']}) is missing"
        for row in rows
        if row["weights_h5"] not in found and not (form == "legacy" and not row["legacy"])
    ]
    if not wrong and form in kinds.CONFIGURED and [row for row, _ in pairs] != rows:
        first = next((row, want) for (row, _), want in zip(pairs, rows) if row is not want)
        wrong.append(f"order: {first[0]['weights_h5']} where {first[1]['weights_h5']} has to be")
    if wrong:
        raise Differs(f"{len(wrong)} faults: " + "; ".join(wrong[:4]))
    return pairs


def same_name(path, want, form, named):
    """Templates may tell less: an index instead of the variable's name, groups instead of the layers' names."""
    if path == want or not want or form == "legacy":
        return True
    layers, _, name = path.rpartition("/")
    wanted_layers, _, wanted = want.rpartition("/")
    if UNNAMED.fullmatch(wanted) and layers == wanted_layers:
        return True
    if form in kinds.CONFIGURED:
        return False
    return not named or (name.isdecimal() and layers == wanted_layers)
