#!/bin/sh
# What each pod of the indexed Job in kubernetes.yaml runs; indices begin with 0.
set -eu
exec ptw2k zoo zoo.toml --shard "$((JOB_COMPLETION_INDEX + 1))/$COMPLETIONS"
