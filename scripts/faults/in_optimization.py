"""Faults in the optimization, in whole runs and in batches."""

from scripts.faults.fault import Fault

SOLVER, WHOLE_OBJECTIVE = "optimization/test_solver.py", "optimization/test_objective.py::TestWholeObjective"
OPTIMIZATION = (
    Fault(
        "radius-never-shrinks",
        "the trust radius stays the same after a rejected step",
        "optimization/solver.py",
        "_SHRINK * length)",
        "state.radius)",
        (f"{SOLVER}::TestRejectedSteps",),
    ),
    Fault(
        "radius-ignored",
        "pixels move farther than the trust radius",
        "optimization/solver.py",
        "trial = picture + updates * (radius / (jnp.maximum(largest, radius) + _TINY))",
        "trial = picture + updates * (largest / (largest + _TINY))",
        (f"{SOLVER}::TestRadius",),
    ),
    Fault(
        "growth-accepted",
        "steps to a much higher loss are accepted",
        "optimization/solver.py",
        "& (total <= _MAX_GROWTH * state.loss)",
        "& (total <= 1e9 * _MAX_GROWTH * state.loss)",
        (f"{SOLVER}::TestLbfgs",),
    ),
    Fault(
        "lbfgs-memory",
        "L-BFGS stores only two pairs of differences",
        "optimization/solver.py",
        "_MEMORY = 20",
        "_MEMORY = 2",
        (f"{SOLVER}::TestLbfgs",),
    ),
    Fault(
        "schedule-size",
        "a size of 256 px has no smaller one before it",
        "optimization/pyramid.py",
        "while sizes[0] // 2 >= _SMALLEST and",
        "while sizes[0] // 2 > _SMALLEST and",
        ("test_stylize.py::TestSchedule", "jobs/test_plan.py"),
    ),
    Fault(
        "detail-sign",
        "the content's detail is subtracted from an enlarged result",
        "optimization/pyramid.py",
        "+ _DETAIL * (target - resize(content, height, width))",
        "- _DETAIL * (target - resize(content, height, width))",
        ("optimization/test_pyramid.py",),
    ),
    Fault(
        "no-callback-at-start",
        "the callback is not called at the start of a size",
        "optimization/progress.py",
        "    callback(progress)\n    while",
        "    while",
        ("test_stylize.py::TestCoarseToFine",),
    ),
    Fault(
        "color-weight",
        "the weight of the color term is that of the style",
        "optimization/objective.py",
        '{name: getattr(config, f"{name}_weight") for name',
        '{name: getattr(config, f"{name}_weight".replace("color", "style")) for name',
        (WHOLE_OBJECTIVE,),
    ),
    Fault(
        "tv-direction",
        "total variation has only vertical differences",
        "optimization/losses.py",
        "for pair in ((vertical, lower), (horizontal, right)) if",
        "for pair in ((vertical, lower), (vertical, lower)) if",
        ("optimization/test_losses.py::TestTotalVariation",),
    ),
    Fault(
        "content-loss-scale",
        "the content loss of Gatys et al. lacks the factor 1/2",
        "optimization/losses.py",
        "/ (2 * positions)",
        "/ positions",
        ("optimization/test_losses.py::TestLosses",),
    ),
    Fault(
        "noise-seed",
        "noise does not depend on the seed",
        "optimization/initial.py",
        '"noise": lambda: np.random.default_rng(seed)',
        '"noise": lambda: np.random.default_rng(0)',
        ("optimization/test_initial.py::TestInitialPicture",),
    ),
    Fault(
        "measurements-mixed-up",
        "styles at different scales share their measurement",
        "optimization/targets.py",
        "*(config.style_scale, config.style_layers,",
        "*(config.style_layers,",
        ("batch/test_batch.py::TestSeparatePairs",),
    ),
)

RUNS = (
    Fault(
        "seed-not-passed",
        "the seed of a run is not used",
        "stylize.py",
        "seed=seed,",
        "seed=0,",
        ("test_stylize_inputs.py::TestSettings::test_the_seed_affects_only_noise",),
    ),
    Fault(
        "mask-not-passed",
        "the initial picture has the colors of the whole style in all regions",
        "stylize.py",
        "mask=targets.mask,",
        "mask=None,",
        ("styles/test_regions.py::TestLocalStyle",),
    ),
    Fault(
        "resume-level",
        "a resumed run begins with the first size",
        "stylize.py",
        "first = resume.level if resume else 0",
        "first = 0",
        ("jobs/test_checkpoints.py",),
    ),
    Fault(
        "texture-content",
        "textures have content layers",
        "texture.py",
        "content_layers=(), init=init",
        "init=init",
        ("test_texture.py::test_has_the_statistics_of_the_style_and_no_content",),
    ),
    Fault(
        "stylizer-key",
        "a stylizer's noise does not depend on the key",
        "stylizer.py",
        "jax.random.uniform(key, content.shape)",
        "jax.random.uniform(jax.random.key(0), content.shape)",
        ("test_stylizer.py::TestTransformations::test_noise_depends_on_the_key",),
    ),
    Fault(
        "stylizer-style-scale",
        "a stylizer ignores the style scale",
        "stylizer.py",
        "style.at(size * self.config.style_scale)",
        "style.at(size)",
        ("test_stylizer.py::TestAgreesWithStylize",),
    ),
)

TEST_BATCH = "batch/test_batch.py"
BATCH = (
    Fault(
        "padding-without-mask",
        "pictures of a batch are padded, and the padding is compared too",
        "optimization/targets.py",
        "extent = None if padded_shape is None else np.array(target.shape[:2])",
        "extent = None",
        (f"{TEST_BATCH}::TestBatches::test_padding_changes_nothing_in_any_term",),
    ),
    Fault(
        "padding-not-cropped",
        "results of a batch keep their padding",
        "batch/group.py",
        "picture[:height, :width] for",
        "picture for",
        (f"{TEST_BATCH}::TestBatches::test_each_pair_of_a_batch_gives_what_it_gives_alone",),
    ),
    Fault(
        "seed-of-pair",
        "all pairs of a batch have the same seed",
        "batch/pair.py",
        "seed=pair.seed,",
        "seed=0,",
        (f"{TEST_BATCH}::TestSeparatePairs::test_settings_seeds_and_initial_pictures_belong_to_their_pair",),
    ),
    Fault(
        "programs-mixed-up",
        "pairs with different normalization share a program",
        "batch/buckets.py",
        "config.regions, config.normalization\n",
        "config.regions\n",
        ("batch/test_buckets.py",),
    ),
)

FAULTS = (*OPTIMIZATION, *RUNS, *BATCH)
