"""The settings and shared pictures in conftest.py."""

import socket

import jax.numpy as jnp
import numpy as np
import pytest


def test_connections_to_other_machines_fail():
    outgoing = socket.socket()
    outgoing.close()  # without the fixture, a closed socket raises another error and sends nothing
    with pytest.raises(AssertionError, match=r"not documentation\.invalid"):
        outgoing.connect(("documentation.invalid", 80))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_rank_promotion_raises_an_error():
    with pytest.raises(ValueError, match="rank"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_shared_pictures(photo: np.ndarray, painting: np.ndarray):
    for picture in (photo, painting):
        assert picture.dtype == np.float32
        assert 0 <= picture.min() < 0.1
        assert 0.9 < picture.max() <= 1
        assert picture.std() > 0.15
        with pytest.raises(ValueError, match="read-only"):
            picture[0, 0] = 0
    assert photo.shape == (73, 96, 3)
    assert painting.shape == (64, 80, 3)
    assert (painting.std(-1) > 0.1).mean() > 0.5, "the painting is colorful"
