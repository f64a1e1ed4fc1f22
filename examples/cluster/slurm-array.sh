#!/bin/bash
# Eight shares of a job, one for each task of an array: sbatch slurm-array.sh
# Tasks that were stopped go on from their last checkpoints when it is submitted again; those that are done end at once.
# The share comes from SLURM's variables.
#SBATCH --job-name=jaxstyle
#SBATCH --array=0-7
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --output=jaxstyle-%A-%a.log

export JAX_COMPILATION_CACHE_DIR="$HOME/.cache/jaxstyle-cluster" # compiled programs, for all tasks
srun jaxstyle batch pairs.csv -o results
