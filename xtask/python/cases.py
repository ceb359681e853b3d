"""Every case, in the order of the report."""

from case import from_testdata
import nets
import zoo

TESTDATA_CASES = ("simple_conv", "conv_block", "conditional_conv", "mnist")

CASES = [case for name in TESTDATA_CASES for case in from_testdata(name)] + zoo.CASES + nets.CASES


def select(only):
    """The cases named in `only`; all of them when it is empty."""
    unknown = set(only) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no case {sorted(unknown)}; there are {[case.name for case in CASES]}")
    return [case for case in CASES if not only or case.name in only]
