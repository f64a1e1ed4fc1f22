"""Files are read once for all pairs that share them, by however many threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jax
import numpy as np
import pytest
from support.command import CONTENT, STYLE

from jaxstyle.errors import ConfigError
from jaxstyle.jobs import pair_up
from jaxstyle.jobs.inputs import InputReader, Memo, NetworkCache
from jaxstyle.options import Options


class TestMemo:
    def test_computes_once_for_all_threads(self):
        calls = []

        def slowly(value):
            calls.append(threading.get_ident())
            time.sleep(0.05)
            return [value]

        memo = Memo(slowly)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(memo, [1, 2] * 8))
        assert len(calls) == 2 and len({id(value) for value in found}) == 2 and found[:2] == [[1], [2]]

    def test_forgets_what_was_not_used_for_longest(self):
        calls = []
        memo = Memo(calls.append, max_results=2)
        for value in (1, 2, 1, 3, 1, 2):
            memo(value)
        assert calls == [1, 2, 3, 2]

    def test_forgets_large_results_sooner(self):
        calls = []

        def picture(size):
            calls.append(size)
            return "name", np.zeros(size, np.uint8)

        memo = Memo(picture, max_bytes=10)
        for size in (4, 5, 4, 3, 5, 4, 99, 99, 4):
            memo(size)
        assert calls == [4, 5, 3, 5, 4, 99, 4]

    def test_remembers_errors(self):
        calls = []

        def fail(value):
            calls.append(value)
            raise ConfigError("no")

        memo = Memo(fail)
        for _ in range(2):
            with pytest.raises(ConfigError):
                memo(1)
        assert calls == [1]


class TestReader:
    def test_gives_shared_pictures_as_the_same_arrays(self, tmp_path):
        networks = NetworkCache()
        read = InputReader(networks, tmp_path, {})
        tasks = [
            task
            for options in (Options(size=64), Options(size=64, content_weight=2), Options(size=80))
            for task in pair_up([CONTENT], [STYLE, CONTENT], options, zipped=False)
        ]
        one, other, weighted, _, larger, _ = (read(task).pair for task in tasks)
        assert one.content is other.content is weighted.content and one.content is not larger.content
        assert one.styles[0] is weighted.styles[0] and one.styles[0] is not larger.styles[0]
        assert networks(tasks[0].settings) is networks(tasks[-1].settings)

    def test_knows_the_shapes_of_a_prepared_network(self):
        networks, settings = NetworkCache(), Options().settings()
        shapes, prepared = networks.shapes(settings), networks.prepared(settings)
        assert jax.tree.structure(shapes) == jax.tree.structure(prepared)
        assert all(jax.tree.leaves(jax.tree.map(lambda one, other: one.shape == other.shape, shapes, prepared)))

    def test_knows_before_computing_what_cannot_be_computed(self, tmp_path):
        (task,) = pair_up([CONTENT], [STYLE], Options(size=64), zipped=True)
        layered = replace(task, settings=Options(style_layers="relu9_1").settings())
        with pytest.raises(ConfigError, match="relu9_1"):
            InputReader(NetworkCache(), tmp_path, {})(layered)
