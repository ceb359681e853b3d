"""Every case, in the order of the report."""

from case import from_testdata
import modules
import nets
import zoo

TESTDATA_CASES = ("simple_conv", "conv_block", "conditional_conv", "mnist")

CASES = [
    *(case for name in TESTDATA_CASES for case in from_testdata(name)),
    *zoo.CASES,
    *nets.CASES,
    *modules.CASES,
]


def select(only):
    """The cases named in `only`; when it is empty all that need not be named."""
    unknown = set(only) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no case {sorted(unknown)}; there are {[case.name for case in CASES]}")
    return [case for case in CASES if (case.name in only if only else not case.by_name)]
