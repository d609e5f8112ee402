"""Marginals of a simulated cohort, each computed as its paper did, as far as tables allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from BrainstemALSLib.prognosis import encals, kings

from ..cohort.clinical import clinic_of_patients
from ..cohort.config import Config

if TYPE_CHECKING:
    import pandas as pd

    from BrainstemALSLib.cohort.tables import Cohort

    from ..cohort.truth import Latent

FIRST = "ses-01"
YEAR = 12.0
TRACTS = ("cst_crus", "cst_pons", "pyramid", "crus_pontine")
"""What stands in for the tracts of DTI staging within the brainstem (own choice)."""
TRACT_LIMIT = -1.645
"""Standard deviations of the controls below which a tract counts as involved (own choice)."""


class Marginals:
    """Computes marginals of one cohort.

    Parameters
    ----------
    cohort : Cohort
    latent : Latent
        Of its patients: for what happens between visits.
    config : Config
    """

    def __init__(self, cohort: Cohort, latent: Latent, config: Config):
        self.cohort, self.latent, self.config = cohort, latent, config
        merged = cohort.visits.merge(cohort.participants, on="participant_id")
        self.patients = merged[merged.group == "ALS"]
        self.first = self.patients[self.patients.session_id == FIRST].set_index("participant_id")

    def completion(self, group: str) -> float:
        """Per cent of a group with all planned visits."""
        people = self.cohort.participants
        ids = people.participant_id[people.group == group]
        visits = self.cohort.visits[self.cohort.visits.participant_id.isin(ids)]
        planned = self.config["visits.follow_ups"] + 1
        return 100.0 * float((visits.participant_id.value_counts() >= planned).sum()) / len(ids)

    def pre_slope(self) -> pd.Series:
        """Points of the ALSFRS-R lost a month between onset and first visit."""
        return (48 - self.first.alsfrs_total) / self.first.months_since_onset

    def slope(self, column: str) -> np.ndarray:
        """Loss a month of a visit column from first to last visit, by patient."""
        known = self.patients.dropna(subset=[column]).sort_values("months")
        ends = known.groupby("participant_id").agg({column: ["first", "last"], "months": "last"})
        ends.columns = ["first", "last", "months"]
        ends = ends[ends.months > 0]
        return ((ends["first"] - ends["last"]) / ends.months).to_numpy()

    def value(self, structure: str, measure: str, group: str = "ALS") -> pd.Series:
        """Values of the first visit by person; a stem takes the mean of both sides."""
        table = self.cohort.measures
        keys = (structure, f"{structure}_left", f"{structure}_right")
        chosen = table[table.structure.isin(keys) & (table.measure == measure)]
        chosen = chosen[chosen.session_id == FIRST]
        people = self.cohort.participants
        ids = people.participant_id[people.group == group]
        return chosen[chosen.participant_id.isin(ids)].groupby("participant_id").value.mean()

    def effect(self, structure: str, measure: str, onset: str | None = None) -> float:
        """Adjusted difference patients - controls: % of a volume, FA or 1e-3 mm2/s.

        Ordinary least squares with age, sex, ln(intracranial volume) and site; volumes as ln.
        """
        groups = {group: self.value(structure, measure, group) for group in ("HC", "ALS")}
        import pandas as pd

        values = pd.concat(groups.values())
        people = self.cohort.participants.set_index("participant_id").loc[values.index]
        if onset:
            kept = ((people.group == "HC") | (people.onset == onset)).to_numpy()
            values, people = values[kept], people[kept]
        outcome = np.log(values) if measure == "volume" else values
        design = self._covariates(people)
        design = np.column_stack([(people.group == "ALS").to_numpy(float), design])
        fitted = np.linalg.lstsq(design, outcome.to_numpy(), rcond=None)[0][0]
        return float(100.0 * np.expm1(fitted)) if measure == "volume" else float(fitted)

    def yearly(self, structure: str, measure: str) -> float:
        """Mean yearly change, patients - controls: % of a volume or FA."""
        table = self.cohort.measures
        keys = (structure, f"{structure}_left", f"{structure}_right")
        chosen = table[table.structure.isin(keys) & (table.measure == measure)]
        means = chosen.groupby(["participant_id", "session_id"]).value.mean().reset_index()
        means = means.merge(self.cohort.visits[["participant_id", "session_id", "months"]])
        means = means.sort_values("months")
        ends = means.groupby("participant_id").agg(
            a=("value", "first"), b=("value", "last"), t0=("months", "first"), t=("months", "last")
        )
        ends = ends[ends.t - ends.t0 > 3.0]
        change = ends.b - ends.a if measure != "volume" else 100.0 * np.log(ends.b / ends.a)
        change = change / ((ends.t - ends.t0) / YEAR)
        group = self.cohort.participants.set_index("participant_id").group.loc[ends.index]
        return float(change[group == "ALS"].mean() - change[group == "HC"].mean())

    def kings_times(self, most: int = 800) -> list[float]:
        """Median share of the time from onset to death at which stages 2, 3 and 4 are reached.

        Of patients whose death falls into the follow-up, and who reach the stage.
        """
        died = np.flatnonzero(self.latent.survival.observed)
        died = died[died < most]
        end = self.latent.survival.end
        share = np.linspace(0.0, 1.0, 101)
        # All patients are asked, so that each keeps the random numbers that are its own.
        clinic = clinic_of_patients(
            self.config,
            self.latent.streams,
            self.latent.course,
            end[:, None] * share,
            noise=False,
        )
        n = len(died)
        stage = kings.stages(
            clinic.ratings[died].reshape(n * 101, -1),
            clinic.gastrostomy[died].ravel(),
            clinic.niv[died].ravel(),
        ).reshape(n, 101)
        times = []
        for wanted in (2, 3, 4):
            reached = stage >= wanted
            ever = reached.any(axis=1)
            times.append(float(np.median(share[reached[ever].argmax(axis=1)])))
        return times

    def kings_and_mitos(self) -> tuple[float, float]:
        """Spearman correlation and linearly weighted kappa at the first visit."""
        from scipy.stats import spearmanr
        from sklearn.metrics import cohen_kappa_score

        both = self.first.dropna(subset=["kings", "mitos"])
        king, mito = both.kings.astype(int), both.mitos.astype(int)
        rho = spearmanr(king, mito).statistic
        kappa = cohen_kappa_score(king, mito, labels=[0, 1, 2, 3, 4], weights="linear")
        return float(rho), float(kappa)

    def mortality_year_after_diagnosis(self) -> float:
        """Per cent with an end point in the year after the diagnosis, by the linear predictors.

        The tables hold only who lived until the first visit; so it is asked of the equation.
        """
        delay, lp = self.latent.patients.delay, self.latent.survival.lp
        return 100.0 * float(np.mean(1.0 - encals.survival(lp, delay + YEAR, alive_at=delay)))

    def respiratory_in_six_months(self) -> float:
        """Per cent with NIV, FVC below 50 % or death in 6 months, of those without at first."""
        patients, survival = self.latent.patients, self.latent.survival
        months = patients.first_visit[:, None] + np.array([0.0, 6.0])
        clinic = clinic_of_patients(
            self.config, self.latent.streams, self.latent.course, months, noise=False
        )
        failed = clinic.niv | (clinic.fvc_true < 50.0)
        failed[:, 1] |= survival.end < months[:, 1]
        return 100.0 * float(failed[~failed[:, 0], 1].mean())

    def niv_auc(self) -> float:
        """AUC of the medulla's adjusted volume for NIV in the next 6 months."""
        from sklearn.metrics import roc_auc_score

        months = self.latent.patients.first_visit[:, None] + np.array([0.0, 6.0])
        clinic = clinic_of_patients(
            self.config, self.latent.streams, self.latent.course, months, noise=False
        )
        position = {name: k for k, name in enumerate(self.latent.ids)}
        volume = self.adjusted("medulla", "volume")
        rows = np.array([position[name] for name in volume.index])
        free = ~clinic.niv[rows, 0]
        return float(roc_auc_score(clinic.niv[rows, 1][free], -volume.to_numpy()[free]))

    def adjusted(self, structure: str, measure: str) -> pd.Series:
        """Patients' values of the first visit less what age, sex, head size and site say."""
        values = self.value(structure, measure)
        people = self.cohort.participants.set_index("participant_id").loc[values.index]
        design = self._covariates(people)
        return values - design @ np.linalg.lstsq(design, values.to_numpy(), rcond=None)[0]

    def correlation(self, structure: str, measure: str, other: pd.Series) -> float:
        """Pearson correlation of adjusted values with something of the first visit."""
        mine = self.adjusted(structure, measure)
        both = mine.to_frame("a").join(other.rename("b")).dropna()
        return float(np.corrcoef(both.a, both.b)[0, 1])

    def bulbar_score(self) -> pd.Series:
        """Items 1 to 3 of the ALSFRS-R at the first visit."""
        return self.first[["alsfrs_01", "alsfrs_02", "alsfrs_03"]].sum(axis=1, skipna=False)

    def three_year_survival(self) -> tuple[float, float]:
        """Per cent alive 3 years after the first visit: FA of the tract below its median, above."""
        from statsmodels.duration.survfunc import SurvfuncRight

        fa = self.value("corticospinal_tract", "fa")
        people = self.first.loc[fa.index]
        months = people.survival_months - people.months_since_onset
        died = (people.event != "censored").astype(int)
        found = []
        for chosen in (fa <= fa.median(), fa > fa.median()):
            curve = SurvfuncRight(months[chosen].clip(lower=0.05), died[chosen])
            before = curve.surv_times <= 3 * YEAR
            found.append(100.0 * float(curve.surv_prob[before][-1]))
        return found[0], found[1]

    def stage_change(self) -> float:
        """Per cent whose number of involved tracts rises from the first to the second visit."""
        table = self.cohort.measures
        stems = table.structure.str.replace(r"_(left|right)$", "", regex=True)
        chosen = table[stems.isin(TRACTS) & (table.measure == "fa")].assign(stem=stems)
        mean = chosen.groupby(["participant_id", "session_id", "stem"]).value.mean().unstack("stem")
        people = self.cohort.participants.set_index("participant_id").group
        group = people.loc[mean.index.get_level_values(0)].to_numpy()
        healthy = mean[(group == "HC") & (mean.index.get_level_values(1) == FIRST)]
        involved = ((mean - healthy.mean()) / healthy.std() < TRACT_LIMIT).sum(axis=1)
        wide = involved[group == "ALS"].unstack("session_id")[[FIRST, "ses-02"]].dropna()
        return 100.0 * float((wide["ses-02"] > wide[FIRST]).mean())

    def encals_concordance(self) -> float:
        """Harrell's C of the ENCALS linear predictor, time from symptom onset, as published."""
        time = self.first.survival_months
        died = (self.first.event != "censored").to_numpy()
        lp = self.latent.survival.clinical_lp[np.isin(self.latent.ids, self.first.index)]
        time = time.to_numpy()
        earlier = (time[:, None] < time[None, :]) & died[:, None]
        higher = np.sign(lp[:, None] - lp[None, :])
        return float(0.5 + 0.5 * higher[earlier].mean())

    @staticmethod
    def _head(people: pd.DataFrame, measures: pd.DataFrame) -> np.ndarray:
        chosen = measures[(measures.structure == "intracranial") & (measures.session_id == FIRST)]
        return np.log(chosen.set_index("participant_id").value.loc[people.index].to_numpy())

    def _covariates(self, people: pd.DataFrame) -> np.ndarray:
        head = self._head(people, self.cohort.measures)
        sites = sorted(people.site.unique())
        columns = [np.ones(len(people)), people.age - 60.0, people.sex == "M", head - head.mean()]
        columns += [people.site == site for site in sites[1:]]
        return np.column_stack([np.asarray(column, float) for column in columns])
