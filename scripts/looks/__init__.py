"""Judge the looks of results on twelve pairs of many kinds, ours beside those of other programs."""
