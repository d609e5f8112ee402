"""A cohort on a SLURM cluster: starts Dask workers as batch jobs and runs the cohort on them.

    pip install 'brainstem-als[cli,cohort]' 'dask-jobqueue>=0.8'
    python slurm_cohort.py BIDS_DIR OUT [options of brainstem-als cohort]

All machines must see BIDS_DIR and OUT under the same path. Change what stands in capitals to suit
your cluster. Run it on a login node or in a small job of its own; killed and run again, it goes on.
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster

QUEUE, ACCOUNT, HOURS = "normal", None, 8
WORKERS = 8  # batch jobs; each segments one visit at a time
GPU = False  # True: one job per GPU, whose THREADS visits share one warm model
THREADS = 3 if GPU else 1
CORES = 6 if GPU else 2


def main():
    """Start the workers, run the participant level on them, then the group level here."""
    with SLURMCluster(
        queue=QUEUE,
        account=ACCOUNT,
        walltime=f"{HOURS:02d}:00:00",
        processes=1,
        cores=THREADS,  # what Dask calls cores are the visits that a worker takes at a time
        job_cpu=CORES,
        memory=f"{4 * THREADS} GB",
        job_extra_directives=["--gres=gpu:1"] if GPU else [],
        # Workers end before SLURM ends them; the visits in hand are done again by the others.
        worker_extra_args=["--lifetime", f"{HOURS * 60 - 10}m"],
    ) as cluster:
        cluster.adapt(minimum=1, maximum=WORKERS)
        cluster.wait_for_workers(1)
        command = ["brainstem-als", "cohort", *sys.argv[1:3]]
        ended = subprocess.run(
            [*command, "participant", "--scheduler", cluster.scheduler_address, *sys.argv[3:]]
        )
    # 40: some visits failed; the analysis goes on without them, and says so.
    if ended.returncode not in (0, 40):
        return ended.returncode
    return subprocess.run([*command, "group"]).returncode or ended.returncode


if __name__ == "__main__":
    sys.exit(main())
