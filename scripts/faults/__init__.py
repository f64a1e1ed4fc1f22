"""Faults to plant in the package, one at a time, to measure how much the tests notice: `scripts/plant_faults`.

Modules:
    __main__: plants the faults and runs the tests
    fault: `Fault`
    in_files: faults in images, compilation and weights
    in_features: faults in networks and styles
    in_optimization: faults in the optimization, in whole runs and in batches
    in_jobs: faults in jobs, the laboratory and the command
"""

from scripts.faults.fault import Fault
from scripts.faults.in_features import FAULTS as IN_FEATURES
from scripts.faults.in_files import FAULTS as IN_FILES
from scripts.faults.in_jobs import FAULTS as IN_JOBS
from scripts.faults.in_optimization import FAULTS as IN_OPTIMIZATION

FAULTS: tuple[Fault, ...] = (*IN_FILES, *IN_FEATURES, *IN_OPTIMIZATION, *IN_JOBS)

__all__ = ["FAULTS", "Fault"]
