"""The progress of an optimization, as a line of text."""

import numpy as np

from jaxstyle.optimization import Progress, Terms


def test_printed_as_one_line():
    terms = Terms(*np.float32([0.25, 1, 2, 3, 4]))
    progress = Progress(512, 1, 3, 20, 60, terms, np.zeros((1, 1, 3)), terms, None)
    assert str(progress) == "512 px (2/3): step 20 of 60, loss 0.25"
    assert str(Progress(512, 1, 3, 0, 60, None, np.zeros((1, 1, 3)), terms, None)).endswith("step 0 of 60, compiling")
