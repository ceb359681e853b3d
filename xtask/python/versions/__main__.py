"""Judges `ptw2k` by real Keras of many versions.

    python versions --ptw2k BINARY --work FOLDER --table FILE --keras VERSION=PYTHON[,PACKAGES]... [MODEL]...

`--keras` names the interpreters, the newest last: that one opens the files of all the others once more, and has the
applications. Prints a table, writes it to `--table`, and exits with 1 when anything fails.
"""

import argparse
import concurrent.futures
import functools
import os
import pathlib
import secrets
import sys
import time

import families
import graphs
import injected
import scripts
import table
from environments import Environment

PARTS = ("families", "applications", "kerashub", "graphs")
# The versions whose order of layers is judged on random graphs: the newest, and one from the middle.
GRAPHS = ("3.15.1", "3.8.0")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path, help="where the table is written to")
    parser.add_argument(
        "--keras", type=Environment.parse, action="append", required=True, metavar="VERSION=PYTHON[,PACKAGES]"
    )
    parser.add_argument(
        "--kerashub",
        type=Environment.parse,
        metavar="VERSION=PYTHON",
        help="an environment with KerasHub and TensorFlow",
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="all of them, if none is named")
    parser.add_argument(
        "--families-of",
        action="append",
        metavar="VERSION",
        help="the versions for that part; all, if none is named",
    )
    parser.add_argument(
        "--archives", action="store_true", help="applications as .keras and .weights.h5 too: several GB"
    )
    parser.add_argument("--graphs", type=int, default=500, help="how many random ones for each Keras")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="the first graph's")
    parser.add_argument(
        "--made", action="store_true", help="take the models of an earlier run, where there are any"
    )
    parser.add_argument(
        "--injected", action="store_true", help="put faults into what ptw2k does: all have to be noticed"
    )
    parser.add_argument("model", nargs="*", help="the families' models; all of them, if none is named")
    return parser.parse_args()


def tasks(options):
    """What there is to do, the longest first: title and function to an `Outcome`."""
    parts = options.part or PARTS
    work, newest = options.work.resolve(), options.keras[-1]
    if "families" in parts:
        for environment in options.keras:
            if options.families_of and environment.version not in options.families_of:
                continue
            yield (
                f"families in Keras {environment.title}",
                functools.partial(families.judge_version, environment, newest, options, work),
            )
    if "kerashub" in parts and options.kerashub:
        on_tensorflow = families.on_tensorflow(options.kerashub)
        yield "KerasHub", functools.partial(scripts.kerashub, on_tensorflow, options, work)
    if "families" in parts and options.kerashub:
        on_tensorflow = families.on_tensorflow(options.kerashub)
        yield (
            f"families in Keras {on_tensorflow.title}",
            functools.partial(families.judge_version, on_tensorflow, newest, options, work),
        )
    if "applications" in parts:
        yield "applications", functools.partial(scripts.applications, newest, options, work)
    if options.injected:
        for environment in options.keras:
            if environment.version not in injected.VERSIONS:
                continue
            yield (
                f"injected faults in Keras {environment.version}",
                functools.partial(injected.judge_version, environment, options, work),
            )
    if "graphs" in parts:
        for environment in options.keras:
            if environment.version in GRAPHS:
                yield (
                    f"graphs in Keras {environment.version}",
                    functools.partial(graphs.judge_version, environment, options, work),
                )


def timed(title, task):
    began = time.perf_counter()
    outcome = task()
    print(f"  {title}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return outcome


def main():
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    cells, lines, faults = [], [], []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [(title, pool.submit(timed, title, task)) for title, task in tasks(options)]
        for title, task in running:
            try:
                outcome = task.result()
            except Exception as error:  # the other parts are still told
                faults.append(f"{title}: {error}")
                continue
            cells += outcome.cells
            lines += outcome.lines
            faults += outcome.faults
    text, failed = table.report(cells, lines, faults)
    print(text)
    if options.table:
        options.table.write_text(text, encoding="utf-8")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
