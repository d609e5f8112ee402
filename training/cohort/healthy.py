"""What the brainstem of a person without the disease measures, by structure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from BrainstemALSLib.anatomy import REGIONS, by_key
from BrainstemALSLib.anatomy.centroids import COLUMNS
from BrainstemALSLib.anatomy.priors import load_intensity_priors
from BrainstemALSLib.assets import asset_path

from .config import Config
from .people import People
from .spread import STEM_OF, STEMS, STRUCTURES
from .streams import Streams

MEASURES = ("volume", "fa", "md")
FA_RANGE = (0.05, 0.95)


@lru_cache(maxsize=1)
def region_shares() -> np.ndarray:
    """Return each structure's share (K,) of its region in the average anatomy (centroids.tsv)."""
    import csv

    with asset_path("Anatomy/centroids.tsv").open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        volumes = {row["key"]: float(row[COLUMNS[4]]) for row in rows}
    regions = {r: sum(v for k, v in volumes.items() if by_key()[k].parent == r) for r in REGIONS}
    return np.array([volumes[s.key] / regions[s.parent] for s in STRUCTURES])


@dataclass(frozen=True, eq=False)
class Norm:
    """Healthy population: what is expected of a person of some age, sex and head size.

    Attributes
    ----------
    volume, fa, md : numpy.ndarray, shape (K,)
        Means at the age where ageing begins: mm3, 1, 1e-3 mm2/s.
    fa_sd, md_sd : numpy.ndarray, shape (K,)
        Between people, measurement error included.
    ageing, ageing_from : numpy.ndarray, shape (K,)
        Of volumes: per cent a year, and from which age.
    config : Config
    """

    volume: np.ndarray
    fa: np.ndarray
    md: np.ndarray
    fa_sd: np.ndarray
    md_sd: np.ndarray
    ageing: np.ndarray
    ageing_from: np.ndarray
    config: Config

    def expected(self, age: np.ndarray, male: np.ndarray, tiv: np.ndarray) -> np.ndarray:
        """Return expected values (3, n, v, K): ln(mm3), FA, MD.

        Parameters
        ----------
        age : numpy.ndarray, shape (n, v)
        male : numpy.ndarray of bool, shape (n,)
        tiv : numpy.ndarray, shape (n,)
            Intracranial volume in cm3.
        """
        figures = self.config.section("healthy")
        years = np.maximum(age[..., None] - self.ageing_from, 0.0)
        head = figures["tiv_exponent"] * np.log(tiv / figures["tiv_reference"])
        sex = np.log(figures["male_ratio"]) * (male - 0.5)
        volume = np.log(self.volume) + np.log1p(self.ageing / 100.0 * years)
        volume = volume + (head + sex)[:, None, None]
        old = np.maximum(age - figures["fa_ageing_from"], 0.0)[..., None]
        ages_fa = np.isin(
            [s.stem for s in STRUCTURES],
            (
                "medial_lemniscus_midbrain",
                "medial_lemniscus_pons",
                "superior_cerebellar_peduncle",
                "middle_cerebellar_peduncle",
                "cst_crus",
                "crus_pontine",
            ),
        )
        fa = self.fa + figures["fa_ageing"] * old * ages_fa
        older = np.maximum(age - figures["md_ageing_from"], 0.0)[..., None]
        return np.stack([volume, fa, self.md + figures["md_ageing"] * older])


def build_norm(config: Config) -> Norm:
    """Return the healthy population as configured."""
    figures = config.section("healthy")
    region = np.array(
        [1000.0 * figures[f"volume_{s.parent}"] * figures[f"border_{s.parent}"] for s in STRUCTURES]
    )
    priors = load_intensity_priors()
    given = config.section("healthy_fa")
    fa = [given.get(s.stem, [priors[s.key].fa_mean, figures["fa_sd_other"]]) for s in STRUCTURES]
    kinds = [
        "periaqueductal"
        if s.stem == "periaqueductal_grey"
        else ("white" if s.tissue == "white" else "grey")
        for s in STRUCTURES
    ]
    return Norm(
        volume=region * region_shares(),
        fa=np.array([row[0] for row in fa]),
        fa_sd=np.array([row[1] for row in fa]),
        md=np.array([figures[f"md_{kind}"] for kind in kinds]),
        md_sd=np.array([figures[f"md_sd_{kind}"] for kind in kinds]),
        ageing=np.array(
            [figures.get(f"ageing_{s.stem}", figures[f"ageing_{s.parent}"]) for s in STRUCTURES]
        ),
        ageing_from=np.array([figures[f"ageing_from_{s.parent}"] for s in STRUCTURES]),
        config=config,
    )


def draw_tiv(config: Config, streams: Streams, people: People) -> np.ndarray:
    """Return intracranial volumes (n,) in cm3."""
    figures = config.section("healthy")
    mean, sd = (
        np.where(people.male, figures[f"tiv_male_{part}"], figures[f"tiv_female_{part}"])
        for part in ("mean", "sd")
    )
    return np.clip(mean + sd * streams.normal("tiv", len(people)), 1000.0, 2100.0)


def draw_residuals(norm: Norm, streams: Streams, n: int) -> np.ndarray:
    """Return what sets a person apart (3, n, K): ln(volume), FA, MD."""
    figures = norm.config.section("healthy")
    error = norm.config.section("error")
    regions = np.array([REGIONS.index(s.parent) for s in STRUCTURES])
    common = streams.normal("volume common", n, 1)
    of_region = streams.normal("volume region", n, len(REGIONS))[:, regions]
    own = _paired(figures["side_correlation"], streams, "volume", n)
    volume = figures["volume_common_sd"] * common + figures["volume_region_sd"] * of_region
    volume = volume + figures["volume_structure_sd"] * own
    spread = sum(figures[f"volume_{k}_sd"] ** 2 for k in ("common", "region", "structure"))
    rows = [volume - spread / 2.0]
    share = figures["diffusion_common_share"]
    for name, sd in (("fa", norm.fa_sd), ("md", norm.md_sd)):
        common = streams.normal(f"{name} common", n, 1)
        own = _paired(figures["side_correlation"], streams, name, n)
        # The published spread holds the error of the measurement, which is added later.
        true_sd = np.sqrt(np.maximum(sd**2 - error[name] ** 2, (0.5 * sd) ** 2))
        rows.append(true_sd * (np.sqrt(share) * common + np.sqrt(1 - share) * own))
    return np.stack(rows)


def _paired(correlation: float, streams: Streams, name: str, n: int) -> np.ndarray:
    """Return standard normal numbers (n, K) that are correlated between the sides of a pair."""
    both = streams.normal(f"{name} pair", n, len(STEMS))[:, STEM_OF]
    each = streams.normal(f"{name} side", n, len(STRUCTURES))
    return np.sqrt(correlation) * both + np.sqrt(1.0 - correlation) * each
