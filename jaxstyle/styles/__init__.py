"""Styles: statistics of features and colors, regions, measured styles and style files.

Modules:
    statistics: Gram matrices and color distributions
    grain: fine detail, and the excess of it over the style's
    distances: distances between representations
    positions: sums and means over positions
    sliced: quantiles of projected features
    nearest: samples of features, and nearest neighbors among them
    representations: Gram matrices and their alternatives
    adjacent: representations of adjacent layers
    sums: representations as functions of sums over positions
    masks: masks, as arrays or as pictures of flat colors
    regions: masks found in pictures, and the weights of masks for the positions of layers
    visible: transparent pictures
    measured: `Style` and `StyleStatistics`, the statistics of style pictures
    files: saved styles
"""

from jaxstyle.styles.distances import TINY, matrix_root
from jaxstyle.styles.files import SUFFIX as STYLE_FILE_SUFFIX
from jaxstyle.styles.files import (
    check_style_writable,
    load_style,
    read_style_file,
    replace_tensors,
    save_style,
    style_tensors,
)
from jaxstyle.styles.grain import grain_excess, grain_sums, measure_grain
from jaxstyle.styles.masks import Masks, check_mask, check_mask_count, check_masks, masks_from_colors
from jaxstyle.styles.measured import (
    STYLE_LAYERS,
    Layers,
    Style,
    StyleStatistics,
    blend_statistics,
    check_compatible,
    first_and_second_moments,
    make_style,
    measure_padded_statistics,
    measure_statistics,
    select_layers,
    style_targets,
)
from jaxstyle.styles.positions import nonzero, valid_mask
from jaxstyle.styles.regions import (
    Regions,
    fill_missing_regions,
    find_masks,
    regions_at_size,
    resample_masks,
)
from jaxstyle.styles.representations import (
    REPRESENTATIONS,
    check_representation,
    describe_features,
    measure_features,
)
from jaxstyle.styles.statistics import color_distance, color_moments, gram_matrix, sum_color_moments
from jaxstyle.styles.sums import PositionSums, PositionValues, Sums, feature_means
from jaxstyle.styles.visible import check_transparent, crop_to_visible, describe_invisible, split_alpha

__all__ = [
    "REPRESENTATIONS",
    "STYLE_FILE_SUFFIX",
    "STYLE_LAYERS",
    "TINY",
    "Layers",
    "Masks",
    "PositionSums",
    "PositionValues",
    "Regions",
    "Style",
    "StyleStatistics",
    "Sums",
    "blend_statistics",
    "check_compatible",
    "check_mask",
    "check_mask_count",
    "check_masks",
    "check_representation",
    "check_style_writable",
    "check_transparent",
    "color_distance",
    "color_moments",
    "crop_to_visible",
    "describe_features",
    "describe_invisible",
    "feature_means",
    "fill_missing_regions",
    "find_masks",
    "first_and_second_moments",
    "grain_excess",
    "grain_sums",
    "gram_matrix",
    "load_style",
    "make_style",
    "masks_from_colors",
    "matrix_root",
    "measure_features",
    "measure_grain",
    "measure_padded_statistics",
    "measure_statistics",
    "nonzero",
    "read_style_file",
    "regions_at_size",
    "replace_tensors",
    "resample_masks",
    "save_style",
    "select_layers",
    "split_alpha",
    "style_targets",
    "style_tensors",
    "sum_color_moments",
    "valid_mask",
]
