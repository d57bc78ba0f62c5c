"""The minimiser behind the landmark fits, on problems whose answers are known."""

import pytest
import torch

from mgc_lightning.fitting.landmark_fit import _levenberg_marquardt


class Linear:
    """Residuals A x - b: one damped step after the other goes to the least-squares solution."""

    def __init__(self, A, b):
        self.A, self.b = A, b

    def residuals(self, x):
        return (self.A @ x[..., None])[..., 0] - self.b

    def jacobian(self, x):
        return self.A


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_many_unknowns_on_several_threads(two_threads):
    # A batch of LU solutions of this size fails there; most directions are seen by the prior alone.
    generator = torch.Generator().manual_seed(0)
    A = torch.zeros(6, 400, 310, dtype=torch.float64)
    A[:, :90, :20] = torch.randn(6, 90, 20, generator=generator, dtype=torch.float64)
    A[:, 90:] = torch.eye(310, dtype=torch.float64) * 0.3
    b = torch.randn(6, 400, generator=generator, dtype=torch.float64)
    x = _levenberg_marquardt(Linear(A, b), torch.zeros(6, 310, dtype=torch.float64), 30)
    torch.testing.assert_close(x, torch.linalg.lstsq(A, b[..., None]).solution[..., 0], rtol=1e-6, atol=1e-6)


def test_a_direction_that_nothing_sees_stays_where_it_is():
    A = torch.diag(torch.tensor([1.0, 1e3, 0.0], dtype=torch.float64))[None]
    b = torch.tensor([[2.0, 5e3, 0.0]], dtype=torch.float64)
    x = _levenberg_marquardt(Linear(A, b), torch.tensor([[0.0, 0.0, 7.0]], dtype=torch.float64), 30)
    torch.testing.assert_close(x, torch.tensor([[2.0, 5.0, 7.0]], dtype=torch.float64), rtol=1e-6, atol=1e-6)
