"""Judging one case: every form of its checkpoint, converted by `ptw2k`, against what KerasHub made."""

import dataclasses
import json
import pathlib
import subprocess

import equal

SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "schemas/kerashub"
# A conversion takes less than a second; more means that something hangs.
TIMEOUT_SECONDS = 120


@dataclasses.dataclass
class Row:
    """One line of the table."""

    case: object
    lines: int
    tensors: int
    variables: int
    forms: list
    difference: float | None = None

    def faults(self):
        if self.difference is not None and self.difference > self.case.tolerance:
            yield f"{self.case.name}: outputs differ by {self.difference:.1e}"


def run_tool(binary, *arguments):
    """Runs the binary; an exception quotes what it said if it fails."""
    command = [str(part) for part in (binary, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(command)}\n{done.stderr[-2000:]}")


def judge(case, folder, binary):
    """The row of the table; raises on the first thing that is not as it must be."""
    schema, template = SCHEMAS / f"{case.schema}.toml", folder / "template.weights.h5"
    output, report = folder / "out.weights.h5", folder / "report.json"
    expected = equal.datasets(folder / "expected.weights.h5")
    untouched = equal.datasets(template).keys() - equal.unequal(equal.datasets(template), expected)
    if untouched:
        raise RuntimeError(f"KerasHub leaves {', '.join(sorted(untouched))} as built: equality says nothing")
    first = folder / "model.safetensors"
    # The first one last: its output stays for `outputs.py`.
    others = [folder / f"{name}.bin" for name in ("pytorch_model", *case.variants)]
    sides = ["--schema", schema, "--arch", template]
    waivers = [f"--allow-unexpected={tensor}" for tensor in case.waived]
    for checkpoint in (*others, first):
        waived = waivers if checkpoint is not first else []
        run_tool(binary, checkpoint, *sides, *waived, "-o", output, "--report", report)
        wrong = equal.unequal(equal.datasets(output), expected, case.rounded)
        if wrong:
            some = ", ".join(wrong[:5])
            raise RuntimeError(f"{checkpoint.name}: {len(wrong)} of {len(expected)} differ: {some}")
    run_tool(binary, "verify", first, output, *sides)
    ledger = json.loads(report.read_text())
    used = {source["tensor"] for variable in ledger["variables"] for source in variable["sources"]}
    read = set(json.loads((folder / "read.json").read_text()))
    if used != read:
        raise RuntimeError(f"only one of ptw2k and KerasHub reads {', '.join(sorted(used ^ read)[:5])}")
    return Row(
        case,
        lines=len(schema.read_text().splitlines()),
        tensors=len(used),
        variables=len(expected),
        forms=[first.name, *(path.name for path in others)],
    )
