"""One coordinate of a moving thing: a constant-velocity Kalman filter over irregular times."""

import math


class Axis:
    """Position and velocity with their covariance, for one coordinate.

    The model is white acceleration noise: over `dt` seconds the process noise is
    `a² [[dt⁴/4, dt³/2], [dt³/2, dt²]]` (Bar-Shalom, Estimation with Applications to Tracking, 6.2). Plain floats: four
    such axes for 30 objects take less time than one small matrix product each.
    """

    __slots__ = ("_cov", "_var", "_velocity_var", "position", "velocity")

    def __init__(self, position: float, *, std: float, velocity_std: float) -> None:
        self.position = position
        self.velocity = 0.0
        self._var = std * std
        self._cov = 0.0
        self._velocity_var = velocity_std * velocity_std

    def predict(self, dt: float, *, acceleration_std: float, damping_s: float = math.inf) -> None:
        """Move `dt` >= 0 seconds on; with `damping_s` the velocity fades with that time constant."""
        keep = math.exp(-dt / damping_s) if damping_s < math.inf else 1.0
        travel = damping_s * (1.0 - keep) if damping_s < math.inf else dt
        self.position += self.velocity * travel
        self.velocity *= keep
        noise = acceleration_std * acceleration_std
        self._var += 2.0 * travel * self._cov + travel * travel * self._velocity_var + noise * dt**4 / 4.0
        self._cov = keep * (self._cov + travel * self._velocity_var) + noise * dt**3 / 2.0
        self._velocity_var = keep * keep * self._velocity_var + noise * dt * dt

    def update(self, seen: float, *, std: float) -> None:
        """Take in a measured position with its standard deviation, which must be above 0."""
        total = self._var + std * std
        gain, velocity_gain = self._var / total, self._cov / total
        error = seen - self.position
        self.position += gain * error
        self.velocity += velocity_gain * error
        self._velocity_var -= velocity_gain * self._cov
        self._cov *= 1.0 - gain
        self._var *= 1.0 - gain
