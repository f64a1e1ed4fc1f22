"""Faults in images, compilation and weights."""

from scripts.faults.fault import Fault

READING, WRITING = "images/test_reading.py", "images/test_writing.py"
IMAGES = (
    Fault(
        "exif-orientation",
        "pictures are not rotated upright",
        "images/exif.py",
        "return orientation if orientation is not None and 1 <= orientation <= 8 else 1",
        "return 1",
        (f"{READING}::test_orientation",),
    ),
    Fault(
        "alpha-ignored",
        "transparency is not read",
        "images/samples.py",
        "return means[..., :-1], means[..., -1]",
        "return means[..., :-1], None",
        (f"{READING}::test_alpha_over_a_background",),
    ),
    Fault(
        "alpha-not-premultiplied",
        "colors of transparent pixels bleed into the edges",
        "images/reading.py",
        "color = lanczos(color, height, width, extent)",
        "alphas = 1 if alpha is None else np.maximum(alpha, 1e-6)[..., None]\n"
        "        color = lanczos(color / alphas, height, width, extent) * lanczos(alphas, height, width, extent)",
        (f"{READING}::test_colors_of_transparent_pixels_do_not_bleed",),
    ),
    Fault(
        "icc-profile",
        "color profiles are ignored",
        "images/color.py",
        "if encoding.profile:",
        "if False:",
        (f"{READING}::test_color_profile",),
    ),
    Fault(
        "levels-truncated",
        "pixels are rounded down to 8 bits",
        "images/writing.py",
        "np.rint(values.astype(np.float32).clip(0, 1) * 255)",
        "(values.astype(np.float32).clip(0, 1) * 255)",
        (f"{WRITING}::test_levels_are_rounded_and_clipped",),
    ),
    Fault(
        "write-in-place",
        "a failed write leaves half a file",
        "images/files.py",
        'temporary = target.with_name(f".jaxstyle-{os.urandom(8).hex()}.part")',
        "target.unlink(missing_ok=True)\n    temporary = target",
        (f"{WRITING}::test_failed_writes_leave_the_old_file",),
    ),
    Fault(
        "overwrite-always",
        "existing files are replaced without being asked to",
        "images/files.py",
        "if not overwrite:",
        "if False:",
        (f"{WRITING}::test_paths_that_cannot_be_written",),
    ),
    Fault(
        "resize-bilinear",
        "pictures are resized by linear interpolation",
        "images/resizing.py",
        "Image.Resampling.LANCZOS",
        "Image.Resampling.BILINEAR",
        ("images/test_sizes.py::test_resize_is_a_lanczos_filter",),
    ),
)

COMPILATION = (
    Fault(
        "cache-key-static",
        "the cache's key has no static arguments",
        "compilation/cached.py",
        "key = (*static.items(), structure,",
        "key = (structure,",
        ("compilation/test_cached.py",),
    ),
    Fault(
        "cache-key-sources",
        "the cache's key does not depend on the sources of the package",
        "compilation/cached.py",
        "sources.update(path.read_bytes())",
        "sources.update(path.name.encode())",
        ("compilation/test_cached.py",),
    ),
    Fault(
        "background-not-canceled",
        "compilations in the background go on after an error",
        "compilation/background.py",
        "cancel_futures=True",
        "cancel_futures=False",
        ("compilation/test_background.py",),
    ),
)

CONVERT, DOWNLOAD = "weights/test_convert.py", "weights/test_download.py"
WEIGHTS = (
    Fault(
        "weights-digest",
        "the digest of embedded weights is not checked",
        "weights/files.py",
        "if digest is not None and found != digest:",
        "if False:",
        ("weights/test_files.py::test_embedded_file_with_one_flipped_bit",),
    ),
    Fault(
        "download-digest",
        "the digest of downloads is not checked",
        "weights/download.py",
        "if found.startswith(expected):",
        "if found:",
        (DOWNLOAD,),
    ),
    Fault(
        "download-resume",
        "a resumed download repeats a byte",
        "weights/download.py",
        'f"bytes={offset}-"',
        'f"bytes={offset - 1}-"',
        (DOWNLOAD,),
    ),
    Fault(
        "kernel-transposed",
        "kernels from PyTorch are converted with height and width swapped",
        "weights/foreign.py",
        "(2, 3, 1, 0))",
        "(3, 2, 1, 0))",
        (f"{CONVERT}::test_file_written_by_pytorch", f"{CONVERT}::test_round_trip_through_every_format"),
    ),
    Fault(
        "convention-of-names",
        "torchvision's networks get the input normalization of Caffe",
        "weights/foreign.py",
        'weight$": TORCHVISION,',
        'weight$": CAFFE,',
        (CONVERT,),
    ),
    Fault(
        "pickle-imports",
        "a pickle in a PyTorch file can import anything",
        "weights/pickles.py",
        'return self.unknown.setdefault(found, type("StandIn", (StandIn,), {"reference": found}))',
        "return super().find_class(module, name)",
        ("weights/test_torchfile.py::test_other_names_are_not_imported",),
    ),
    Fault(
        "layers-by-text",
        "layer 10 comes before layer 2",
        "weights/convolutions.py",
        '[(int(text), "") if text.isdigit() else (-1, text) for text in numbers]',
        "[(-1, text) for text in numbers]",
        (f"{CONVERT}::test_layers_are_sorted_by_their_numbers",),
    ),
    Fault(
        "batch-norm-epsilon",
        "batch normalization is folded with another epsilon",
        "weights/convolutions.py",
        "_EPSILON = 1e-3",
        "_EPSILON = 1e-1",
        ("weights/test_networks.py::TestTorchvision",),
    ),
    Fault(
        "bfloat16-as-float16",
        "bfloat16 in PyTorch files is read as float16",
        "weights/tensors.py",
        '"BFloat16Storage": np.dtype(ml_dtypes.bfloat16),',
        '"BFloat16Storage": np.dtype("<f2"),',
        ("weights/test_checkpoints.py::TestNarrowTypes",),
    ),
    Fault(
        "first-network",
        "of several different networks in a file the first is taken without a word",
        "weights/foreign.py",
        "if not all(_is_equal(found[0], other) for other in found[1:]):",
        "if False:",
        ("weights/test_checkpoints.py::test_different_networks_are_refused_by_their_names",),
    ),
    Fault(
        "matlab-axes",
        "the axes in MATLAB's version 7.3 files are not reversed",
        "weights/matfile.py",
        "return item[()].T",
        "return item[()]",
        ("weights/test_matconvnet.py",),
    ),
)

FAULTS = (*IMAGES, *COMPILATION, *WEIGHTS)
