"""What files for print hold: 16 bits, resolution, color profiles, tiles; and the limits of formats."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from support.pictures import COLORS, error_message

from jaxstyle.errors import ConfigError
from jaxstyle.images import check_writable, formats, read_image, read_picture, write_image

FINE = np.random.default_rng(0).integers(0, 65536, (30, 40, 3)).astype(np.uint16)
ALL = ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp")


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits(tmp_path, name):
    path, alpha = tmp_path / name, FINE[..., 0] / 65535
    write_image(path, FINE / 65535, bits=16, dpi=300)
    np.testing.assert_array_equal(np.rint(read_image(path) * 65535), FINE)
    with Image.open(path) as image:  # which reduces to 8 bits in one way or the other
        np.testing.assert_allclose(np.asarray(image.convert("RGB")), FINE / 257, atol=1)
    write_image(path, FINE / 65535, alpha=alpha, bits=16, overwrite=True)
    np.testing.assert_allclose(read_picture(path).alpha, alpha, atol=1e-6)


def test_sixteen_bits_in_another_reader(tmp_path):
    write_image(tmp_path / "a.tif", FINE / 65535, bits=16)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), FINE)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bits", [8, 16])
def test_resolution(tmp_path, name, bits):
    if bits == 16 and name not in ("a.png", "a.tif"):
        return
    write_image(tmp_path / name, COLORS / 255, dpi=300, bits=bits)
    with Image.open(tmp_path / name) as image:
        dpi = image.info["dpi"] if name != "a.webp" else [image.getexif()[tag] for tag in (282, 283)]
        assert [round(float(value)) for value in dpi] == [300, 300]
    write_image(tmp_path / f"plain-{name}", COLORS / 255, bits=bits)
    with Image.open(tmp_path / f"plain-{name}") as image:
        assert not image.getexif() or name.endswith(".tif")
        assert name in ("a.bmp", "a.tif") or "dpi" not in image.info


@pytest.mark.parametrize("name", [name for name in ALL if name != "a.bmp"])
def test_files_say_that_they_are_in_srgb(tmp_path, name):
    write_image(tmp_path / name, COLORS / 255)
    content = (tmp_path / name).read_bytes()
    write_image(tmp_path / name, COLORS / 255, overwrite=True)
    assert (tmp_path / name).read_bytes() == content
    with Image.open(tmp_path / name) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
        np.testing.assert_allclose(np.asarray(converted).astype(int), np.asarray(image), atol=1)


def test_a_tiff_is_tiled_compressed_and_big_where_it_has_to_be(tmp_path, monkeypatch):
    smooth = np.broadcast_to(np.linspace(0, 1, 600)[:, None, None], (600, 500, 3))
    for limit, is_big in ((formats._BIG_TIFF, False), (1000, True)):
        monkeypatch.setattr(formats, "_BIG_TIFF", limit)
        write_image(tmp_path / "a.tif", smooth, bits=16, overwrite=True)
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            page = tiff.pages.first
            assert tiff.is_bigtiff is is_big and page.is_tiled and page.compression == 8
            np.testing.assert_array_equal(page.asarray(), np.rint(smooth * 65535))
        np.testing.assert_allclose(read_image(tmp_path / "a.tif"), smooth, atol=1e-5)
    assert (tmp_path / "a.tif").stat().st_size < smooth.size * 2 / 20


@pytest.mark.parametrize(
    ("name", "shape", "options", "expected"),
    [
        ("a.jpg", (16, 65501), {}, ".jpg cannot hold 65501 x 16 pixels; expected at most 65500 on a side"),
        ("a.webp", (16384, 16), {}, ".webp cannot hold 16 x 16384 pixels; expected at most 16383 on a side"),
        ("a.jpg", (16, 16), {"bits": 16}, ".jpg cannot store 16 bits; choose .png or .tiff, or 8 bits"),
        ("a.webp", (16, 16), {"bits": 16}, ".webp cannot store 16 bits"),
        ("a.bmp", (16, 16), {"profile": b"any"}, ".bmp cannot store a color profile"),
        ("a.png", (16, 16), {"bits": 12}, "bits is 12; expected 8 or 16"),
    ],
)
def test_limits_are_known_before_any_work(tmp_path, name, shape, options, expected):
    path = tmp_path / name
    assert expected in error_message(path, check_writable, path, shape=shape, **options)
    assert expected in error_message(path, write_image, path, np.zeros((*shape, 3)), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "shape"), [("a.jpg", (1, 65500)), ("a.webp", (1, 16383))])
def test_limits_are_those_of_the_encoders(tmp_path, name, shape):
    write_image(tmp_path / name, np.zeros((*shape, 3), np.float32))
    with Image.open(tmp_path / name) as image:
        assert image.size == shape[::-1]


@pytest.mark.parametrize("dpi", [0, -300, 65536])
def test_resolutions_that_are_none(tmp_path, dpi):
    with pytest.raises(ConfigError, match=f"dpi is {dpi}; expected a whole number from 1 to 65535"):
        write_image(tmp_path / "a.png", COLORS / 255, dpi=dpi)
