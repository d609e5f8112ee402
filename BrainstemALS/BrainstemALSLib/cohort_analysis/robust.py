"""Least squares with errors that allow unequal spread, and intervals that know how few speak.

Heteroscedasticity-consistent errors HC2 (MacKinnon and White 1985,
doi:10.1016/0304-4076(85)90158-7) and t on the degrees of freedom of Bell and McCaffrey (2002, Surv
Methodol 28:169-181; Imbens and Kolesar 2016, doi:10.1162/REST_a_00552). Where a few participants
carry a contrast, two controls at the patients' scanner for example, there are few such degrees,
and n - k would promise too much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RobustFit:
    """Fits of m responses to one design of n rows and k columns.

    Attributes
    ----------
    X : numpy.ndarray, shape (n, k)
    beta : numpy.ndarray, shape (k, m)
    rest : numpy.ndarray, shape (n, m)
        Residuals.
    pull : numpy.ndarray, shape (k, n)
        Weight of each row's residual in the error of ``beta``.
    apart : numpy.ndarray, shape (n, n)
        Squares of I - H.
    """

    X: np.ndarray
    beta: np.ndarray
    rest: np.ndarray
    pull: np.ndarray
    apart: np.ndarray

    @property
    def free(self) -> int:
        """Rows minus columns."""
        return self.X.shape[0] - self.X.shape[1]

    def variance(self, response: int) -> float:
        """Return the residual variance of a response."""
        return float((self.rest[:, response] ** 2).sum()) / self.free

    def covariance(self, response: int) -> np.ndarray:
        """Return the HC2 covariance (k, k) of a response's coefficients."""
        weighted = self.pull * self.rest[:, response]
        return weighted @ weighted.T

    def df(self, contrast: np.ndarray) -> float:
        """Return the degrees of freedom of a contrast (k,): at most n - k, at least 1."""
        square = (contrast @ self.pull) ** 2
        own = float(square @ np.sqrt(np.diagonal(self.apart)))
        found = own**2 / float(square @ self.apart @ square)
        return float(np.clip(found, 1.0, self.free))


def robust_fit(Y: np.ndarray, X: np.ndarray) -> RobustFit:
    """Fit Y (n, m) = X (n, k) beta; X of full rank without rows of leverage 1."""
    Q, R = np.linalg.qr(X)
    hat = Q @ Q.T
    leverage = np.diagonal(hat)
    beta = np.linalg.solve(R, Q.T @ Y)
    pull = np.linalg.solve(R, Q.T) / np.sqrt(1.0 - leverage)
    return RobustFit(X, beta, Y - X @ beta, pull, (np.eye(len(X)) - hat) ** 2)
