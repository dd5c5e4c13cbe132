"""How hard the tests try: SIGCONV_EXAMPLES sets how many examples each property is given."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "sigconv",
    max_examples=int(os.environ.get("SIGCONV_EXAMPLES", "50")),
    deadline=None,  # kernels compile on first use
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("sigconv")


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)
