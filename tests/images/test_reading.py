"""Reading picture files, against hand-made pixels and formulas of color science."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.pictures import (
    ADOBE_RGB,
    COLORS,
    DEEP,
    GRAYS,
    RNG,
    chunk,
    cmyk,
    cmyk_profile,
    encoded,
    error_message,
    from_adobe_rgb,
    gray_profile,
    gray_stack,
    packed,
    png,
    rgb_profile,
    saved,
    srgb_encoded,
)

from jaxstyle.errors import ConfigError
from jaxstyle.images import read_image, read_picture


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.PNG", {}),
        ("a.bmp", {}),
        ("a.ppm", {}),
        ("a.jp2", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("a.tiff", {"compression": "tiff_lzw"}),
    ],
)
def test_color_is_read_exactly(tmp_path, name, options):
    picture = read_image(saved(tmp_path / name, Image.fromarray(COLORS), **options))
    assert picture.dtype == np.float32 and picture.shape == (20, 24, 3)
    np.testing.assert_array_equal(picture, COLORS / np.float32(255))


@pytest.mark.parametrize(("name", "options"), [("a.jpg", {"quality": 95}), ("a.webp", {}), ("a.avif", {})])
def test_lossy_formats_are_read_approximately(tmp_path, name, options):
    smooth = np.mgrid[0:200:20j, 0:200:24j, 0:1][[0, 1, 0], ..., 0].transpose(1, 2, 0).astype(np.uint8)
    picture = read_image(saved(tmp_path / name, Image.fromarray(smooth), **options))
    np.testing.assert_allclose(picture * 255, smooth, atol=16)


def test_gray_becomes_three_equal_channels(tmp_path):
    picture = read_image(saved(tmp_path / "a.png", Image.fromarray(GRAYS)))
    np.testing.assert_array_equal(picture, gray_stack(GRAYS / np.float32(255)))


def test_one_bit(tmp_path):
    picture = read_image(saved(tmp_path / "a.png", Image.fromarray(GRAYS > 99)))
    np.testing.assert_array_equal(picture, gray_stack(GRAYS > 99))


@pytest.mark.parametrize(("name", "order"), [("a.png", "<"), ("a.tif", "<"), ("b.tif", ">")])
def test_sixteen_bit_gray_keeps_its_precision(tmp_path, name, order):
    picture = read_image(saved(tmp_path / name, Image.fromarray(DEEP.astype(f"{order}u2"))))
    np.testing.assert_allclose(picture, gray_stack(DEEP / 65535), atol=1e-7)


def test_sixteen_bit_pgm(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 24 20 65535\n" + DEEP.astype(">u2").tobytes())
    np.testing.assert_allclose(read_image(tmp_path / "a.pgm"), gray_stack(DEEP / 65535), atol=1e-7)


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_color_and_alpha(tmp_path, color_type, channels):
    levels = RNG.integers(256, 65536, (20, 24, channels), np.uint16)
    (tmp_path / "a.png").write_bytes(png(levels.astype(">u2"), color_type))
    picture = read_picture(tmp_path / "a.png")
    expected = np.broadcast_to(levels[..., : 3 if channels > 2 else 1], (20, 24, 3)) / 65535
    np.testing.assert_allclose(picture.rgb, expected, atol=1e-4)
    if channels in (2, 4):
        np.testing.assert_allclose(picture.alpha, levels[..., -1] / 65535, atol=1e-4)


def test_floats(tmp_path):
    values = RNG.random((20, 24), np.float32)
    picture = read_image(saved(tmp_path / "a.tif", Image.fromarray(values)))
    np.testing.assert_array_equal(picture, gray_stack(values))


@pytest.mark.parametrize("values", [np.full((20, 20), 255, np.float32), np.full((20, 20), np.nan, np.float32)])
def test_floats_outside_0_to_1(tmp_path, values):
    path = saved(tmp_path / "a.tif", Image.fromarray(values))
    message = error_message(path, read_image, path)
    assert "expected 0 to 1" in message and ("not numbers" in message) == np.isnan(values).any()


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.tif", "a.bmp"])
def test_palette(tmp_path, name):
    few = np.array([[255, 0, 0], [0, 99, 0], [7, 8, 250]], np.uint8)[GRAYS % 3]
    image = Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    assert image.mode == "P"
    np.testing.assert_array_equal(read_image(saved(tmp_path / name, image)), few / np.float32(255))


def bmp(indices: np.ndarray, palette: np.ndarray, bits: int) -> bytes:
    """A hand-made BMP with a palette that may be shorter than usual."""
    table = np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes()
    rows = b"".join(row + bytes(-len(row) % 4) for row in (packed(row, bits) for row in indices[::-1]))
    count = len(palette) % 2**bits
    header = struct.pack("<IiiHHIIiiII", 40, *indices.shape[::-1], 1, bits, 0, len(rows), 2835, 2835, count, 0)
    start = 14 + len(header + table)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + table + rows


@pytest.mark.parametrize(("bits", "colors"), [(1, 2), (4, 2), (8, 2), (4, 16), (8, 256), (8, 7)])
@pytest.mark.parametrize("first", [[0, 0, 0], [255, 0, 0]], ids=["gray", "colored"])
def test_palette_of_a_bmp(tmp_path, bits, colors, first):
    """Pillow decodes 4 and 8 bits as 1 bit if the colors are black and white."""
    palette = np.linspace(first, [255, 255, 255], colors).round().astype(np.uint8)
    indices = np.arange(20 * 24).reshape(20, 24) % colors
    (tmp_path / "a.bmp").write_bytes(bmp(indices, palette, bits))
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), (palette[indices] / 255).astype(np.float32))


def test_colors_beyond_the_palette_of_a_bmp(tmp_path):
    indices = np.arange(20 * 24).reshape(20, 24) % 8
    (tmp_path / "a.bmp").write_bytes(bmp(indices, COLORS[0, :7], 8))
    assert "color 7 of a palette with 7 colors is used" in error_message(
        tmp_path / "a.bmp", read_image, tmp_path / "a.bmp"
    )


def test_colors_beyond_the_palette_of_a_gif(tmp_path):
    image = Image.fromarray((np.arange(20 * 24) % 4).reshape(20, 24).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    data = encoded(image, "GIF")
    flags = data[10]
    assert flags & 7 == 1, "a palette of 4 colors"
    (tmp_path / "a.gif").write_bytes(data[:10] + bytes([flags - 1]) + data[11:19] + data[25:])
    assert "color 3 of a palette with 2 colors" in error_message(tmp_path / "a.gif", read_image, tmp_path / "a.gif")


def test_palette_with_transparency(tmp_path):
    image = Image.fromarray((GRAYS % 3).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    path = saved(tmp_path / "a.png", image, transparency=bytes([0, 128, 255]))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.alpha, np.array([0, 128, 255], np.float32)[GRAYS % 3] / 255)
    visible = GRAYS % 3 > 0
    np.testing.assert_allclose(picture.rgb[visible], np.eye(3)[GRAYS % 3][visible], atol=1e-6)


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_one_transparent_palette_entry(tmp_path, name):
    image = Image.fromarray((GRAYS % 3).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture = read_picture(saved(tmp_path / name, image, transparency=1))
    np.testing.assert_array_equal(picture.alpha, GRAYS % 3 != 1)


def test_transparent_sixteen_bit_gray_level(tmp_path):
    transparency = chunk(b"tRNS", struct.pack(">H", DEEP[3, 4]))
    (tmp_path / "a.png").write_bytes(png(DEEP.astype(">u2"), color_type=0, chunks=transparency))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").alpha, DEEP[3, 4] != DEEP)


def test_transparent_color(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS), transparency=tuple(map(int, COLORS[3, 4])))
    transparent = (COLORS[3, 4] == COLORS).all(axis=-1)
    np.testing.assert_array_equal(read_picture(path).alpha, ~transparent)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_cmyk_without_a_profile(tmp_path, name):
    inks = np.empty((24, 24, 4), np.uint8)
    inks[:12], inks[12:] = (200, 30, 90, 60), (10, 250, 0, 120)
    options = {"quality": 100} if name == "a.jpg" else {}
    picture = read_image(saved(tmp_path / name, cmyk(inks), **options))
    expected = (255 - inks[..., :3].astype(float)) * (255 - inks[..., 3:].astype(float)) / 255**2
    np.testing.assert_allclose(picture[[2, 20]], expected[[2, 20]], atol=4 / 255)


# Reading: profiles


def test_cmyk_with_a_profile(tmp_path):
    inks = np.zeros((20, 24, 4), np.uint8)
    inks[..., 3] = np.linspace(0, 255, 24)
    picture = read_image(saved(tmp_path / "a.tif", cmyk(inks), icc_profile=cmyk_profile()))
    lightness = 100 * (1 - (inks[..., 3] / 255) ** 2)
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)  # CIE 1976
    np.testing.assert_allclose(picture, gray_stack(srgb_encoded(luminance)), atol=3 / 255)


@pytest.mark.parametrize(("name", "mode"), [("a.png", "RGB"), ("a.tif", "RGB"), ("a.png", "P")])
def test_color_profile(tmp_path, name, mode):
    image = Image.fromarray(COLORS if mode == "RGB" else COLORS // 128 * 200)
    levels = np.asarray(image)
    image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    path = saved(tmp_path / name, image, icc_profile=rgb_profile(ADOBE_RGB, 2.2))
    np.testing.assert_allclose(read_image(path), from_adobe_rgb(levels), atol=1.2 / 255)


def test_profile_does_not_change_alpha(tmp_path):
    levels = np.dstack([COLORS, np.maximum(GRAYS, 2)])
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(levels), icc_profile=rgb_profile(ADOBE_RGB, 2.2)))
    np.testing.assert_array_equal(picture.alpha, levels[..., 3] / np.float32(255))
    np.testing.assert_allclose(picture.rgb, from_adobe_rgb(COLORS), atol=1.2 / 255)


@pytest.mark.parametrize("levels", [GRAYS, DEEP])
def test_gray_profile(tmp_path, levels):
    path = saved(tmp_path / "a.tif", Image.fromarray(levels), icc_profile=gray_profile(1.0))
    expected = srgb_encoded(levels / np.iinfo(levels.dtype).max)
    np.testing.assert_allclose(read_image(path), gray_stack(expected), atol=0.6 / 255)


def test_gray_file_with_a_color_profile(tmp_path):
    path = saved(tmp_path / "a.tif", Image.fromarray(GRAYS), icc_profile=rgb_profile(ADOBE_RGB, 1.0))
    np.testing.assert_allclose(read_image(path), gray_stack(srgb_encoded(GRAYS / 255)), atol=1.2 / 255)


@pytest.mark.parametrize(
    "profile",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        rgb_profile(ADOBE_RGB, 2.2)[:200],
        b"no profile at all",
        gray_profile(1.0),
        cmyk_profile(),
    ],
    ids=["sRGB", "cut short", "text", "gray", "CMYK"],
)
def test_profiles_without_effect(tmp_path, profile):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS), icc_profile=profile)
    np.testing.assert_array_equal(read_image(path), COLORS / np.float32(255))


# Reading: orientation, frames, transparency


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "deep.png", "deep.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, name, orientation):
    upright = DEEP if "deep" in name else COLORS
    rotate = {  # how a camera stores an upright picture with this orientation (Exif 2.32, section 4.6.4)
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path / name, Image.fromarray(np.ascontiguousarray(rotate(upright))), exif=exif, **options)
    expected = gray_stack(DEEP / 65535) if "deep" in name else COLORS / 255
    np.testing.assert_allclose(read_image(path), expected, atol=1e-6)


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\0\0", b""])
def test_damaged_exif_is_ignored(tmp_path, exif):
    path = saved(tmp_path / "a.jpg", Image.fromarray(COLORS), exif=exif)
    assert read_image(path).shape == (20, 24, 3)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif", "a.mpo", "a.avif"])
def test_first_frame(tmp_path, name):
    red, blue = (Image.new("RGB", (24, 20), color) for color in ("red", "blue"))
    path = saved(tmp_path / name, red, save_all=True, append_images=[blue])
    np.testing.assert_allclose(read_image(path), np.broadcast_to([1, 0, 0], (20, 24, 3)), atol=0.05)


@pytest.mark.parametrize("transparency", [{}, {"transparency": 1}])
def test_a_gif_is_transparent_outside_its_frame(tmp_path, transparency):
    image = Image.fromarray((GRAYS % 3).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    content = bytearray(encoded(image, "GIF", **transparency))
    content[6:10] = struct.pack("<HH", 40, 30)  # the screen
    place = content.index(b"\x2c\0\0\0\0\x18\0\x14\0")  # the descriptor of the frame
    content[place + 1 : place + 5] = struct.pack("<HH", 7, 5)
    (tmp_path / "a.gif").write_bytes(content)
    expected = np.zeros((30, 40))
    expected[5:25, 7:31] = GRAYS % 3 != 1 if transparency else 1
    picture = read_picture(tmp_path / "a.gif")
    np.testing.assert_array_equal(picture.alpha, expected)
    visible = expected[5:25, 7:31] > 0
    np.testing.assert_array_equal(picture.rgb[5:25, 7:31][visible], np.eye(3)[GRAYS % 3][visible])


def test_samples_above_their_maximum(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 24 20 100\n" + bytes([101] * 480))
    assert "up to 101" in error_message(tmp_path / "a.pgm", read_image, tmp_path / "a.pgm")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_alpha_over_a_background(tmp_path, name):
    levels = np.dstack([COLORS, GRAYS])
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    path = saved(tmp_path / name, Image.fromarray(levels), **options)
    weight = GRAYS[..., None] / 255
    orange = np.array([255, 165, 0]) / 255
    for background in ("orange", "#ffa500"):
        expected = COLORS / 255 * weight + orange * (1 - weight)
        np.testing.assert_allclose(read_image(path, background=background), expected, atol=1e-6)


def test_gray_with_alpha(tmp_path):
    image = Image.merge("LA", [Image.fromarray(GRAYS), Image.fromarray(COLORS[..., 1])])
    picture = read_picture(saved(tmp_path / "a.png", image))
    np.testing.assert_array_equal(picture.alpha, COLORS[..., 1] / np.float32(255))
    np.testing.assert_allclose(picture.rgb[picture.alpha > 0], (gray_stack(GRAYS) / 255)[picture.alpha > 0], atol=1e-6)


def test_opaque_alpha_is_none(tmp_path):
    image = Image.fromarray(np.dstack([COLORS, np.full_like(GRAYS, 255)]))
    for size in (None, 21, 31):
        assert read_picture(saved(tmp_path / "a.png", image), size=size).alpha is None


def test_colors_of_transparent_pixels_do_not_bleed(tmp_path):
    levels = np.zeros((64, 64, 4), np.uint8)
    levels[:] = (0, 255, 0, 0)
    levels[:, 29:] = (255, 0, 0, 255)
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(levels)), size=17)
    visible = picture.alpha > 0.02
    np.testing.assert_allclose(picture.rgb[visible], np.broadcast_to([1, 0, 0], (visible.sum(), 3)), atol=1e-3)
    np.testing.assert_array_equal(picture.rgb[:, 0], 1)  # white where alpha is 0


def test_unknown_background(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(COLORS))
    with pytest.raises(ConfigError, match="'whitish'"):
        read_image(path, background="whitish")
    with pytest.raises(ConfigError, match="background is None; expected a color"):
        read_image(path, background=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 64.0}, "size is 64.0; expected a whole number"),
        ({"size": "64"}, "size is '64'; expected a whole number"),
        ({"size": True}, "size is True; expected a whole number"),
        ({"size": 0}, "size is 0; expected a whole number from 1 up"),
        ({"profile": "display-p3"}, "profile is 'display-p3'; expected 'srgb', 'keep', or "),
        ({"profile": None}, "profile is None; expected 'srgb', 'keep', or "),
    ],
)
def test_wrong_arguments_are_not_a_fault_of_the_file(arguments, message):
    with pytest.raises(ConfigError, match=message):
        read_image("is-not-read.png", **arguments)
