"""Judges `ptw2k` by real Keras of many versions.

    python versions --ptw2k BINARY --work FOLDER --keras VERSION=PYTHON[,PACKAGES]... [--made] [--part PART]... [MODEL]...

`--keras` names the interpreters; `--strict` the version that opens the files of all the others once more. Prints a
table, writes it to `FOLDER/keras-versions.md`, and exits with 1 when anything fails.
"""

import argparse
import pathlib

import families
from environments import Environment


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--keras", type=Environment.parse, action="append", required=True, metavar="VERSION=PYTHON[,PACKAGES]")
    parser.add_argument("--strict", type=Environment.parse, metavar="VERSION=PYTHON[,PACKAGES]",
                        help="the Keras with the strictest checks")
    parser.add_argument("--made", action="store_true", help="the models of an earlier run, where there are any")
    parser.add_argument("model", nargs="*")
    options = parser.parse_args()
    raise SystemExit(1 if families.run(options) else 0)


if __name__ == "__main__":
    main()
