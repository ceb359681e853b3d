"""What a part of the judgement ends with."""

import dataclasses


@dataclasses.dataclass
class Outcome:
    # Verdicts for the table.
    cells: list = dataclasses.field(default_factory=list)
    # Lines that say what was judged.
    lines: list = dataclasses.field(default_factory=list)
    # What is wrong, beside the cells that say so themselves.
    faults: list = dataclasses.field(default_factory=list)
