"""What a simulation may be made to do differently: nulls, negative controls, bad data."""

from __future__ import annotations

from dataclasses import dataclass, fields

from BrainstemALSLib.errors import BrainstemALSError, ExitCode

DECIMALS = (".", ",")


@dataclass(frozen=True)
class Scenario:
    """Multipliers of the configured figures; the default is the world as configured.

    Attributes
    ----------
    disease : float
        Times the change of volumes, FA and MD; 0 is the null: patients' brainstems are healthy.
    imaging_effect : float
        Times every link between a patient's brainstem and the course, the survival and the bulbar
        region, given the onset; exactly 0 is the negative control: imaging knows nothing of either
        that onset, age, sex and time since onset do not say.
    site_effect : float
        Times the offsets and the (logarithm of the) scales of the scanners.
    site_imbalance : float
        0-1: how far patients crowd at the first site and controls at the last.
    measurement_error : float
        Times the error of every measure.
    dropout : float
        Power of the probability to come to the next visit: 0 keeps everybody who lives, 1 is as
        configured.
    missing : float
        Times the shares of missing images, FVC, items and gene tests.
    decimal : str
        Decimal sign of the written tables; "," makes a table that a reader must refuse or convert.

    Raises
    ------
    BrainstemALSError
        USAGE: a negative multiplier, an imbalance above 1, another decimal sign.
    """

    disease: float = 1.0
    imaging_effect: float = 1.0
    site_effect: float = 1.0
    site_imbalance: float = 0.0
    measurement_error: float = 1.0
    dropout: float = 1.0
    missing: float = 1.0
    decimal: str = "."

    def __post_init__(self):
        for name in (f.name for f in fields(self) if f.name != "decimal"):
            value = getattr(self, name)
            if not 0 <= value < 1e3 or (name == "site_imbalance" and value > 1):
                raise BrainstemALSError(
                    f"scenario {name}",
                    f"{value:g} is out of range",
                    "Give 0 to 1." if name == "site_imbalance" else "Give 0 or more.",
                    ExitCode.USAGE,
                )
        if self.decimal not in DECIMALS:
            raise BrainstemALSError(
                "scenario decimal", "it is neither . nor ,", "Give one of them.", ExitCode.USAGE
            )
