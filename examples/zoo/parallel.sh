#!/bin/sh
# One process for each share, two at a time. One thread each: the processes are what is parallel.
set -eu
shares=${SHARES:-8}
exec parallel --jobs 2 --retries 3 \
    "ptw2k zoo zoo.toml --threads 1 --shard {}/$shares" ::: $(seq "$shares")
