"""Judges the schemas of KerasHub's backbones by KerasHub's own converters.

    python kerashub --ptw2k BINARY --work FOLDER --kerashub PYTHON [--table FILE] [CASE]...

Runs in an environment with PyTorch, transformers and timm, which make the checkpoints; `--kerashub` is the
interpreter of one with KerasHub, TensorFlow and safetensors. Prints a table; exits with 1 when a case fails.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

import families
from judge import judge

HERE = pathlib.Path(__file__).resolve().parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptw2k", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--kerashub", type=pathlib.Path, required=True, metavar="PYTHON")
    parser.add_argument("--table", type=pathlib.Path, help="where the table is written to")
    parser.add_argument("--made", action="store_true", help="take the checkpoints of an earlier run")
    parser.add_argument("case", nargs="*", help="all of them, if none is named")
    return parser.parse_args()


def script(python, name, work, cases):
    """Runs one of the scripts, in a process for each core: torch and TensorFlow cannot share one."""
    began, cores = time.perf_counter(), os.cpu_count()
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }

    def run(names):
        command = [str(python), str(HERE / f"{name}.py"), str(work), *names]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed\n{done.stderr[-3000:]}")

    # Neighbours are of one size.
    shares = [share for first in range(cores) if (share := [case.name for case in cases[first::cores]])]
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        list(pool.map(run, shares))
    print(f"  {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def judged(case, options):
    """The row of the case, or what is wrong: one of both is None."""
    try:
        return judge(case, options.work / case.name, options.ptw2k), None
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return None, f"{case.name}: {error}"


def table(rows):
    """The rows as Markdown."""
    yield "| case | schema | lines | tensors | variables | equal | forms | largest output difference |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        rounded = f" (after rounding to {row.case.rounded})" if row.case.rounded else ""
        cells = (
            row.case.name,
            f"kerashub/{row.case.schema}",
            row.lines,
            row.tensors,
            row.variables,
            f"all{rounded}",
            len(row.forms),
            f"{row.difference:.1e}",
        )
        yield f"| {' | '.join(map(str, cells))} |"


def main():
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    cases = families.chosen(options.case)
    if not options.made:
        script(sys.executable, "make", options.work, cases)
        script(options.kerashub, "convert", options.work, cases)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda case: judged(case, options), cases))
    rows = [row for row, _ in verdicts if row]
    faults = [fault for _, fault in verdicts if fault]
    if rows:
        script(options.kerashub, "outputs", options.work, [row.case for row in rows])
    for row in rows:
        row.difference = json.loads((options.work / row.case.name / "difference.json").read_text())
        faults += row.faults()
    text = "\n".join(table(rows)) + "\n"
    print(text)
    if options.table:
        options.table.write_text(text, encoding="utf-8")
    for fault in faults:
        print(f"FAILED {fault}")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
