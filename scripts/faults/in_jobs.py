"""Faults in jobs, the laboratory and the command."""

from scripts.faults.fault import Fault

APP, TEST_RUN, TEST_PLAN, TEST_RECORDS = (
    "cli/test_app.py",
    "cli/test_run.py",
    "jobs/test_plan.py",
    "jobs/test_records.py",
)
JOBS = (
    Fault(
        "checkpoint-radius",
        "a checkpoint forgets the trust radius",
        "jobs/checkpoints.py",
        'sorted(tree["state"])])\n',
        'sorted(tree["state"])])\n    state = state.replace(radius=state.radius / 2)\n',
        ("jobs/test_checkpoints.py",),
    ),
    Fault(
        "manifest-column",
        "the color weight of a manifest or option is ignored",
        "jobs/options.py",
        "            color_weight=self.color_weight,\n",
        "",
        ("jobs/test_manifest.py",),
    ),
    Fault(
        "manifest-initial-picture",
        "an initial picture is not found from the folder of its manifest",
        "jobs/manifest.py",
        '.settings(folder=folder if "init" in values else Path())',
        ".settings()",
        ("jobs/test_manifest.py",),
    ),
    Fault(
        "key-without-network",
        "results of another network count as done",
        "jobs/records.py",
        '{**network, "name": None}',
        '{"name": None}',
        (TEST_RECORDS,),
    ),
    Fault(
        "record-not-repaired",
        "a record that was cut short damages the next one",
        "jobs/records.py",
        "                self._repair()\n",
        "                pass\n",
        (TEST_RECORDS,),
    ),
    Fault(
        "job-not-locked",
        "two jobs can work in one folder",
        "jobs/records.py",
        "            lock.acquire()\n",
        "",
        (TEST_RECORDS,),
    ),
    Fault(
        "done-without-file",
        "a pair whose result was deleted counts as done",
        "jobs/plan.py",
        "elif os.path.isfile(folder / task.output):",
        "else:",
        (TEST_PLAN,),
    ),
    Fault(
        "retry-ignored",
        "--retry-failed is ignored",
        "jobs/plan.py",
        "failed = {} if retry_failed else failed",
        "failed = dict(failed)",
        (TEST_PLAN,),
    ),
    Fault(
        "names-case",
        "results whose names differ only in case replace each other on some file systems",
        "jobs/names.py",
        ".casefold())",
        ")",
        ("jobs/test_names.py",),
    ),
    Fault(
        "inputs-replaced",
        "a result can replace a picture to read",
        "jobs/job.py",
        "    check_inputs_stay(job.tasks, job.folder)\n",
        "",
        ("jobs/test_job.py",),
    ),
    Fault(
        "result-opaque",
        "results lose the transparency of the content",
        "jobs/output.py",
        "write_image(path, resized, alpha=self.content.alpha,",
        "write_image(path, resized, alpha=None,",
        (f"{APP}::TestTransparency",),
    ),
)

LABORATORY = (
    Fault(
        "sample-strength",
        "the strength of a synthetic style is reversed",
        "laboratory/synthetic.py",
        "(1 - strength) * grams + strength * samples",
        "strength * grams + (1 - strength) * samples",
        ("laboratory/test_synthetic.py",),
    ),
    Fault(
        "sample-seed",
        "synthetic styles do not depend on the seed",
        "laboratory/synthetic.py",
        "np.random.default_rng([seed, index])",
        "np.random.default_rng([0, index])",
        ("laboratory/test_synthetic.py",),
    ),
    Fault(
        "entry-minimized",
        "entries of Gram matrices are minimized",
        "laboratory/maximize.py",
        "return -jnp.mean(soft.prod(-1)),",
        "return jnp.mean(soft.prod(-1)),",
        ("laboratory/test_maximize.py::test_approaches_a_known_maximum",),
    ),
)

COMMAND = (
    Fault(
        "exit-code-picture",
        "an unreadable picture has the exit code of a bug",
        "errors.py",
        "exit_code = 3",
        "exit_code = 1",
        ("cli/test_errors.py::test_bad_input",),
    ),
    Fault(
        "exit-code-interrupt",
        "Ctrl-C has the exit code of success",
        "cli/interrupts.py",
        "EXIT_CODE = 130",
        "EXIT_CODE = 0",
        (f"{TEST_RUN}::TestInterruption",),
    ),
    Fault(
        "exit-code-batch",
        "a batch with failed pairs has the exit code of success",
        "cli/job.py",
        "raise typer.Exit(1)",
        "raise typer.Exit(0)",
        ("cli/test_batch_failures.py::TestBadPictures",),
    ),
    Fault(
        "overwrite-ignored",
        "--overwrite is ignored",
        "cli/stylize.py",
        "overwrite=overwrite\n",
        "overwrite=False\n",
        (f"{APP}::test_existing_file_is_replaced_only_with_overwrite",),
    ),
    Fault(
        "output-checked-late",
        "a run whose result cannot be written computes it first",
        "cli/run.py",
        "    run.writer.check(run.output)\n",
        "",
        (TEST_RUN,),
    ),
    Fault(
        "snapshots",
        "snapshots come one call too late",
        "cli/progress.py",
        "return [step for previous, step in pairwise(possible[:-1]) if",
        "return [step for previous, step in pairwise(possible[1:]) if",
        ("cli/test_progress.py",),
    ),
    Fault(
        "cache-folder",
        "the command does not cache traced programs",
        "compilation/enabling.py",
        "        set_cache_folder(",
        "        bool(",
        ("cli/test_process.py::test_second_run_is_the_same_and_neither_compiles_nor_traces",),
    ),
)

FAULTS = (*JOBS, *LABORATORY, *COMMAND)
