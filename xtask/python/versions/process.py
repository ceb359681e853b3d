"""How a script that runs in one of the Kerases begins."""

import gc
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import absl.logging
import keras


def begin(version):
    """Makes sure of the version, and keeps the log to what the script itself says."""
    if keras.__version__ != version:
        raise SystemExit(f"this is Keras {keras.__version__}, not {version}")
    warnings.simplefilter("ignore")
    absl.logging.set_verbosity(absl.logging.ERROR)
    # `clear_session` collects garbage, for which it would walk through all that was imported, every time.
    gc.collect()
    gc.freeze()


def brief(error):
    """The reason in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:300]
