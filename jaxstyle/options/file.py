"""The options of the files that results are written to."""

from dataclasses import dataclass, field

from jaxstyle.errors import ConfigError
from jaxstyle.images import BITS, KEEP, MAX_DPI, SRGB
from jaxstyle.options.described import described
from jaxstyle.options.settings import FileSettings

FILE = "File"  # their heading in `--help`
PROFILES = (SRGB, KEEP)


@dataclass(frozen=True)
class FileOptions:
    """The options of the files that results are written to."""

    bits: int = field(
        default=8,
        metadata=described(
            "Bits of each sample in the result. 16: finer than can be seen, to edit and print; .png and .tiff only.",
            FILE,
            metavar="8|16",
            choices=("8", "16"),
        ),
    )
    dpi: int | None = field(
        default=None,
        metadata=described(
            "Pixels per inch in print, which the result says to the printer. No pixel changes.",
            FILE,
            metavar="N",
        ),
    )
    profile: str = field(
        default=SRGB,
        metadata=described(
            "Color profile of the result. keep: that of the content, if it is wider than sRGB, such as Display P3 or "
            "Adobe RGB, so that no color of the content is lost.",
            FILE,
            choices=PROFILES,
        ),
    )

    def file_settings(self) -> FileSettings:
        """Check the options; ConfigError, naming the option, for a value that has no meaning."""
        if self.bits not in BITS:
            raise ConfigError(f"bits is {self.bits}; expected 8 or 16")
        if self.dpi is not None and not 1 <= self.dpi <= MAX_DPI:
            raise ConfigError(f"dpi is {self.dpi}; expected 1 to {MAX_DPI} pixels per inch, such as 300")
        if self.profile not in PROFILES:
            raise ConfigError(f"profile is {self.profile!r}; expected {SRGB} or {KEEP}")
        return FileSettings(self.bits, self.dpi, self.profile)
