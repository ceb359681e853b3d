#!/bin/sh
#SBATCH --job-name=zoo
#SBATCH --array=1-8
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --requeue
# Each task of the array does its share; one that is requeued goes on where it was killed.
set -eu
exec ptw2k zoo zoo.toml \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --threads "$SLURM_CPUS_PER_TASK" \
    --report "report-$SLURM_ARRAY_TASK_ID.json"
