"""Keras in many versions: the interpreter of each, and its scripts in a process of their own."""

import dataclasses
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
# Building and saving every model takes minutes on a slow machine.
TIMEOUT_SECONDS = 3600


@dataclasses.dataclass(frozen=True)
class Environment:
    version: str
    python: str
    # A folder in front of the environment's own packages.
    packages: str
    backend: str

    @classmethod
    def parse(cls, text):
        """`VERSION=PYTHON[,PACKAGES]`"""
        version, _, rest = text.partition("=")
        python, _, packages = rest.partition(",")
        return cls(version, python, packages, "numpy" if version.startswith("3.") else "tensorflow")

    def run(self, script, *arguments, log):
        variables = {"PYTHONPATH": self.packages, "KERAS_BACKEND": self.backend, "CUDA_VISIBLE_DEVICES": "",
                     "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [self.python, str(HERE / script), *(str(argument) for argument in arguments)]
        with open(log, "w", encoding="utf-8") as file:
            done = subprocess.run(command, env=os.environ | variables, stdout=file, stderr=subprocess.STDOUT,
                                  timeout=TIMEOUT_SECONDS, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{script} in Keras {self.version} ended with {done.returncode}; see {log}")
