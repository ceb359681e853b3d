"""The result: version, form in, and a column for each output; then every fault."""

import collections

import kinds

# Models listed of one reason.
NAMES_SHOWN = 6
TITLES = {
    "json": "`to_json()`",
    "minimal": "JSON without shapes",
    "keras": "`.keras`",
    "folder": "`.keras` as a folder",
    "whole": "whole-model `.h5`",
    "weights": "`.weights.h5`",
    "sharded": "`.weights.json`",
    "legacy": "legacy `.h5`",
}


def counts(verdicts):
    """`31`, or `28 of 31, Keras cannot 2, FAILED 1`."""
    if not verdicts:
        return "–"
    found = collections.Counter(verdicts)
    equal, rest = found.pop("equal", 0), sum(found.values())
    if not rest:
        return str(equal)
    return ", ".join([
        f"{equal} of {len(verdicts)}",
        *(f"{verdict} {number}" for verdict, number in sorted(found.items())),
    ])


def report(cells, others, faults):
    """Markdown, and the number of faults."""
    by_place = collections.defaultdict(list)
    for cell in cells:
        by_place[cell.version, cell.form, cell.output].append(cell.verdict)
    columns = ["listed", *kinds.OUTPUTS]
    heads = ["Keras", "form", "listed", *(TITLES[output] for output in kinds.OUTPUTS)]
    lines = [
        "# What Keras says of ptw2k",
        "",
        "Models in each form: listed as Keras itself lists them, and written to each output with new values "
        "that this Keras loads, all of them equal bit for bit.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for version in dict.fromkeys(cell.version for cell in cells):
        for form in kinds.FILES:
            row = [counts(by_place[version, form, column]) for column in columns]
            if set(row) != {"–"}:
                lines.append("| " + " | ".join([version, TITLES[form], *row]) + " |")
    lines += ["", *(f"- {line}" for line in others)]
    lines += details("Keras cannot", cells) + details("refused", cells)
    failed = [cell for cell in cells if cell.verdict == "FAILED"]
    lines += details("FAILED", cells)
    if faults and not failed:
        lines += ["", "## FAILED", ""]
    lines += [f"- {fault}" for fault in faults]
    lines += ["", f"{len(cells)} verdicts, {len(failed) + len(faults)} faults", ""]
    return "\n".join(lines), len(failed) + len(faults)


def details(verdict, cells):
    """The cells of that verdict, those of one reason together."""
    reasons = collections.defaultdict(lambda: collections.defaultdict(list))
    for cell in cells:
        if cell.verdict == verdict:
            models = reasons[cell.reason][f"{cell.form} → {cell.output}"]
            models.append(f"{cell.version} {cell.model}")
    lines = ["", f"## {verdict}", ""] if reasons else []
    for reason, places in reasons.items():
        lines.append(f"- {reason}")
        lines += [f"  - {place}: {listed(models)}" for place, models in places.items()]
    return lines


def listed(names):
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
