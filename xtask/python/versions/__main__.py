"""Judges `ptw2k` by real Keras of many versions.

    python versions --ptw2k BINARY --work FOLDER --keras VERSION=PYTHON[,PACKAGES]... [--made] [--part PART]... [MODEL]...

`--keras` names the interpreters; `--strict` the version that opens the files of all the others once more. Prints a
table, writes it to `FOLDER/keras-versions.md`, and exits with 1 when anything fails.
"""

import argparse
import pathlib

import secrets

import families
import graphs
from environments import Environment


PARTS = ("families", "graphs")
# The versions whose order of layers is judged on random graphs: the newest, and one from the middle.
GRAPHS = ("3.15.1", "3.8.0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--keras", type=Environment.parse, action="append", required=True, metavar="VERSION=PYTHON[,PACKAGES]")
    parser.add_argument("--strict", type=Environment.parse, metavar="VERSION=PYTHON[,PACKAGES]",
                        help="the Keras with the strictest checks")
    parser.add_argument("--made", action="store_true", help="the models of an earlier run, where there are any")
    parser.add_argument("--part", choices=PARTS, action="append", help="all of them, if none is named")
    parser.add_argument("--graphs", type=int, default=500, help="how many random ones for each Keras")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="the first graph's")
    parser.add_argument("model", nargs="*", help="the families' models; all of them, if none is named")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    faults = 0
    for part in options.part or PARTS:
        if part == "families":
            faults += families.run(options)
        else:
            faults += graphs.run(options, [environment for environment in options.keras if environment.version in GRAPHS])
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
