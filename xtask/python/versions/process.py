"""How a script that runs in one of the Kerases begins."""

import gc
import os
import re
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import absl.logging
import keras

# Words of an error's message that tell its kind: more are names and numbers.
WORDS_OF_KIND = 6


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


def kind(error):
    """An error of Keras by its class and the first words."""
    cause = str(error).rpartition("Exception encountered: ")[2]
    words = re.sub(r"[^A-Za-z ]+", " ", cause).split()
    return " ".join([type(error).__name__, *words[:WORDS_OF_KIND]])
