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
    packages: str = ""
    backend: str = "numpy"

    @classmethod
    def parse(cls, text):
        """`VERSION=PYTHON[,PACKAGES]`, on the backend that needs nothing but NumPy, where there is a choice."""
        version, _, rest = text.partition("=")
        python, _, packages = rest.partition(",")
        return cls(version, python, packages, "numpy" if version.startswith("3.") else "tensorflow")

    @property
    def title(self):
        """The version, with its backend where that is not the usual one."""
        usual = self.backend == "numpy" or self.version.startswith("2.")
        return self.version if usual else f"{self.version} on {self.backend}"

    def run(self, script, *arguments, log):
        """The exit code; what the script prints is in `log`."""
        variables = {
            "PYTHONPATH": self.packages,
            "KERAS_BACKEND": self.backend,
            "CUDA_VISIBLE_DEVICES": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [self.python, str(HERE / script), self.version, *(str(argument) for argument in arguments)]
        with open(log, "w", encoding="utf-8") as file:
            done = subprocess.run(
                command,
                env=os.environ | variables,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        return done.returncode

    def must_run(self, script, *arguments, log):
        """Raises when the script fails."""
        code = self.run(script, *arguments, log=log)
        if code != 0:
            last = " ".join(pathlib.Path(log).read_text(encoding="utf-8", errors="replace").split())[-300:]
            raise RuntimeError(f"{script} in Keras {self.title} ended with {code}: {last}; see {log}")
