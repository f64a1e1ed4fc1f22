"""Colors beyond sRGB: pictures that stay in their own profile, and others that are converted to it."""

import struct

import numpy as np
import pytest
from PIL import Image
from support.pictures import (
    ADOBE_RGB,
    COLORS,
    D50_TO_SRGB,
    GRAYS,
    chunk,
    cmyk,
    cmyk_profile,
    encoded,
    gray_profile,
    profile_with_code_points,
    rgb_profile,
    saved,
    srgb_decoded,
)

from jaxstyle.errors import PictureError
from jaxstyle.images import read_image, read_picture, write_image

PROPHOTO = np.array([[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00008], [0.0, 0.0, 0.8251]])  # to XYZ
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
WIDE = {"Adobe RGB": (ADOBE_RGB, 2.2), "ProPhoto RGB": (PROPHOTO, 1.8), "Display P3": (DISPLAY_P3, 2.2)}
wide = pytest.mark.parametrize(("primaries", "gamma"), WIDE.values(), ids=WIDE)


@wide
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jpg"])
def test_colors_stay_in_their_profile(tmp_path, primaries, gamma, name):
    profile = rgb_profile(primaries, gamma)
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path / name, Image.fromarray(COLORS), icc_profile=profile, **options)
    picture = read_picture(path, profile="keep")
    assert picture.profile == profile
    with Image.open(path) as image:
        np.testing.assert_array_equal(picture.rgb, np.asarray(image) / np.float32(255))
    write_image(tmp_path / f"new-{name}", picture.rgb, profile=profile)
    with Image.open(tmp_path / f"new-{name}") as image:
        assert image.info["icc_profile"] == profile


@wide
def test_sixteen_bits_stay(tmp_path, primaries, gamma):
    fine = np.random.default_rng(0).integers(0, 65536, (30, 40, 3))
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, fine / 65535, bits=16, profile=rgb_profile(primaries, gamma))
        picture = read_picture(tmp_path / name, profile="keep")
        np.testing.assert_array_equal(np.rint(picture.rgb * 65535), fine)
        assert picture.profile == rgb_profile(primaries, gamma)


@wide
def test_other_pictures_are_converted(tmp_path, primaries, gamma):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS))
    target = rgb_profile(primaries, gamma)
    found = read_image(path, profile=target)
    to_target = np.linalg.inv(primaries) @ np.linalg.inv(D50_TO_SRGB)
    expected = (srgb_decoded(COLORS / 255) @ to_target.T).clip(0, 1) ** (1 / gamma)
    np.testing.assert_allclose(found, expected, atol=0.01)
    # What is wide stays wide, if it is converted to a profile that has these colors.
    path = saved(tmp_path / "b.png", Image.fromarray(COLORS), icc_profile=rgb_profile(ADOBE_RGB, 2.2))
    expected = ((COLORS / 255) ** 2.2 @ ADOBE_RGB.T @ np.linalg.inv(PROPHOTO).T).clip(0, 1) ** (1 / 1.8)
    np.testing.assert_allclose(read_image(path, profile=rgb_profile(PROPHOTO, 1.8)), expected, atol=0.005)


def test_the_background_is_converted(tmp_path):
    hidden = np.dstack([COLORS, np.zeros_like(GRAYS)])
    target = rgb_profile(ADOBE_RGB, 2.2)
    path = saved(tmp_path / "a.png", Image.fromarray(hidden), icc_profile=target)
    red = read_image(path, background="red", profile="keep")[0, 0]
    linear = np.linalg.inv(ADOBE_RGB) @ np.linalg.inv(D50_TO_SRGB) @ [1, 0, 0]
    np.testing.assert_allclose(red, linear.clip(0, 1) ** (1 / 2.2), atol=0.01)


def kinds_in_srgb():
    colors, narrow = Image.fromarray(COLORS), 0.5 * ADOBE_RGB + 0.5 * ADOBE_RGB.mean(1, keepdims=True)
    yield "none", "a.png", colors, {}
    yield "narrow", "a.png", colors, {"icc_profile": rgb_profile(narrow, 2.2)}
    yield "damaged", "a.png", colors, {"icc_profile": rgb_profile(ADOBE_RGB, 2.2)[:200]}
    yield "text", "a.tif", colors, {"icc_profile": b"no profile at all"}
    yield "gray", "a.tif", Image.fromarray(GRAYS), {"icc_profile": gray_profile(1.0)}
    yield "CMYK", "a.tif", cmyk(np.dstack([COLORS, GRAYS])), {"icc_profile": cmyk_profile()}


@pytest.mark.parametrize(("name", "image", "options"), [kind[1:] for kind in kinds_in_srgb()])
def test_all_others_are_in_srgb(tmp_path, name, image, options):
    path = saved(tmp_path / name, image, **options)
    picture = read_picture(path, profile="keep")
    assert picture.profile is None
    np.testing.assert_array_equal(picture.rgb, read_image(path))


def test_files_of_ours_are_in_srgb(tmp_path):
    for name in ("a.png", "a.tif", "a.jpg", "a.webp"):
        write_image(tmp_path / name, COLORS / 255)
        assert read_picture(tmp_path / name, profile="keep").profile is None


@pytest.mark.parametrize("gamma", [100_000, 45_455])
def test_primaries_without_a_profile_are_kept_too(tmp_path, gamma):
    """Those of Display P3 in PNG, with linear light and with the transfer function of sRGB."""
    chromaticities = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    content = encoded(Image.fromarray(COLORS), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content[:33] + chunk(b"gAMA", struct.pack(">I", gamma)) + chromaticities + content[33:])
    picture = read_picture(path, profile="keep")
    np.testing.assert_array_equal(picture.rgb, COLORS / np.float32(255))
    write_image(tmp_path / "b.png", picture.rgb, profile=picture.profile)
    np.testing.assert_allclose(read_image(tmp_path / "b.png"), read_image(path), atol=0.003)


def test_high_dynamic_range_is_refused(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS), icc_profile=profile_with_code_points(9, 16))
    with pytest.raises(PictureError, match="HDR picture"):
        read_picture(path, profile="keep")
