"""Soft proofs: how a picture looks in print."""

import numpy as np
import pytest
from support.pictures import (
    ADOBE_RGB,
    D50_TO_SRGB,
    cmyk_profile,
    error_message,
    gray_profile,
    printer_profile,
    rgb_profile,
    srgb_decoded,
    srgb_encoded,
)

from jaxstyle.images import print_proof, proofing, read_printer_profile

PICTURE = np.random.default_rng(0).random((40, 30, 3)).astype(np.float32)
NARROW = 0.5 * ADOBE_RGB + 0.5 * ADOBE_RGB.mean(1, keepdims=True)  # half as far from gray


def test_a_printer_with_black_ink_prints_the_lightness():
    luminance = srgb_decoded(PICTURE) @ np.linalg.inv(D50_TO_SRGB)[1]
    proof = print_proof(PICTURE, printer_profile())
    np.testing.assert_allclose(proof, srgb_encoded(luminance)[..., None].repeat(3, -1), atol=0.01)
    assert proof.dtype == np.float32


def test_colors_that_a_printer_has_stay_and_others_become_the_nearest():
    to_printer = np.linalg.inv(NARROW) @ np.linalg.inv(D50_TO_SRGB)
    linear = srgb_decoded(PICTURE) @ to_printer.T
    expected = srgb_encoded(linear.clip(0, 1) @ np.linalg.inv(to_printer).T)
    proof = print_proof(PICTURE, rgb_profile(NARROW, 2.2))
    np.testing.assert_allclose(proof, expected, atol=0.01)
    printable = ((linear >= 0) & (linear <= 1)).all(-1)
    assert 0.05 < printable.mean() < 0.95
    np.testing.assert_allclose(proof[printable], PICTURE[printable], atol=0.01)


def test_white_is_that_of_the_paper():
    paper = np.array([0.78, 0.8, 0.55])  # darker and yellower than the white of the screen
    luminance = srgb_decoded(PICTURE) @ np.linalg.inv(D50_TO_SRGB)[1]
    expected = srgb_encoded(luminance[..., None] * (D50_TO_SRGB @ paper))
    np.testing.assert_allclose(print_proof(PICTURE, printer_profile(paper)), expected, atol=0.01)


def test_a_proof_is_in_the_profile_of_the_picture():
    """Adobe RGB is printed as it is by a printer that has all of it."""
    profile = rgb_profile(ADOBE_RGB, 2.2)
    np.testing.assert_allclose(print_proof(PICTURE, rgb_profile(ADOBE_RGB, 1.8), profile), PICTURE, atol=0.002)


def test_strips_do_not_show(monkeypatch):
    whole = print_proof(PICTURE, printer_profile())
    monkeypatch.setattr(proofing, "_STRIP_PIXELS", 100)
    np.testing.assert_array_equal(print_proof(PICTURE, printer_profile()), whole)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"no profile", "is no color profile; expected the color profile of a printer (ICC, in CMYK or RGB)"),
        (gray_profile(2.2), "is a color profile for GRAY; expected"),
        (cmyk_profile(), "is a color profile with which nothing can be printed; expected"),
        (printer_profile()[:300], "is a color profile with which nothing can be printed; expected"),
        (None, "cannot be read"),
    ],
)
def test_files_that_are_no_profile_of_a_printer(tmp_path, content, expected):
    path = tmp_path / "a.icc"
    if content is not None:
        path.write_bytes(content)
    assert expected in error_message(path, read_printer_profile, path)


def test_profiles_of_printers_are_read(tmp_path):
    for profile in (printer_profile(), rgb_profile(NARROW, 2.2)):
        (tmp_path / "a.icc").write_bytes(profile)
        assert read_printer_profile(tmp_path / "a.icc") == profile
