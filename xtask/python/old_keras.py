"""Loads converted files in the Keras of `PYTHONPATH`: `old_keras.py VERSION WORK CASE...`.

Prints a line per case: its name, a tab, and the fault (nothing when there is none).
"""

import pathlib
import sys

import cases as all_cases
import compare
import keras
import layouts


def judge(case, folder):
    # Layers without a name are numbered from the first again, as where the file was judged.
    keras.utils.clear_session()
    model = case.model()
    values = compare.restore(folder / "expected.bin")
    rows = []
    for path in values:
        rows.append((path, layouts.find_variable(model, path), None))
    if len(rows) != len(model.weights):
        return f"{len(model.weights)} variables instead of {len(rows)}"
    model.load_weights(folder / case.output)
    return "; ".join(compare.unequal(rows, values, case.ulps)[:5])


def main():
    version, work, *names = sys.argv[1:]
    if keras.__version__ != version:
        raise SystemExit(f"this is Keras {keras.__version__}, not {version}")
    for case in all_cases.select(names):
        try:
            fault = judge(case, pathlib.Path(work) / case.name)
        except Exception as error:  # reported with the case's name; the others still run
            fault = f"{type(error).__name__}: {error}".replace("\n", " ")[:600]
        print(f"{case.name}\t{fault}", flush=True)


if __name__ == "__main__":
    main()
