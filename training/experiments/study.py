"""A study: its cases, its images, its runs, and which of them still have to be done."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.imaging.checksum import sha256_of

from ..anatomies import all_cases, built_cases, data_fingerprint, is_held_out, load_anatomy
from ..data import work_dir
from ..evaluation import adapter
from ..synthesis import Anatomy
from . import scans
from .bank import Bank, exams, fingerprint, image_facts
from .batches import Labelled
from .fitting import Fitted
from .scoring import Predict, evaluate
from .settings import ALL, Settings
from .store import Result, Store


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes
    ----------
    name, method : str
        Of its files, and on the page.
    labelled : tuple of str
        Anatomies whose labels it may see.
    facts : dict
        What its outcome depends on beside the labelled anatomies, the grid, the network and the
        seed: sections of the configuration, switches.
    train : callable
        Study and run to weights; the moving average's names begin with ``average.``.
    predictor : callable or None
        Study, run and weights to what segments; None for a pretraining, which is not scored.
    built_on : Run or None
        Whose weights it begins with.
    unlabelled, real : bool
        Whether it sees the images of all training anatomies, and the real T1s.
    """

    name: str
    method: str
    labelled: tuple[str, ...]
    facts: Mapping[str, object]
    train: Callable[[Study, Run], Trained]
    predictor: Callable[[Study, Run, dict[str, torch.Tensor]], Predict] | None = None
    built_on: Run | None = None
    unlabelled: bool = False
    real: bool = False


@dataclass
class Trained:
    """Weights, the steps they took and how long."""

    weights: dict[str, torch.Tensor]
    steps: int
    seconds: float

    @classmethod
    def of(cls, fitted: Fitted) -> Trained:
        """Moving average and last weights of a fitted network."""
        weights = {
            f"{kind}.{name}": tensor
            for kind, network in (("average", fitted.average), ("last", fitted.last))
            for name, tensor in network.state_dict().items()
        }
        return cls(weights, fitted.steps, fitted.seconds)


def part_of(weights: Mapping[str, torch.Tensor], kind: str = "average") -> dict[str, torch.Tensor]:
    """Return the moving average (or ``last``) of stored weights."""
    start = f"{kind}."
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}


@dataclass
class Study:
    """Everything that runs share.

    Attributes
    ----------
    settings : Settings
    scans_folder : Path or None
        A user's own T1s.
    """

    settings: Settings
    scans_folder: Path | None = None

    @cached_property
    def folder(self) -> Path:
        """Where images and results are kept."""
        return work_dir() / "experiments" / self.settings.name

    @cached_property
    def store(self) -> Store:
        """Results of this study."""
        return Store(self.folder)

    @cached_property
    def training_cases(self) -> tuple[str, ...]:
        """Built anatomies that may be learned from, in the order in which labels are given out.

        The order is drawn over all subjects, built or not, so that it does not depend on them.
        """
        everyone = all_cases()
        order = [case for case in everyone if not is_held_out(case, everyone)]
        random.Random(self.settings.seed).shuffle(order)
        built = set(built_cases(held_out=False))
        cases = tuple(case for case in order if case in built)
        if not cases:
            raise BrainstemALSError(
                "anatomies", "no anatomy is built", "Run `make atlas` first.", ExitCode.USAGE
            )
        return cases

    @cached_property
    def held_out_cases(self) -> tuple[str, ...]:
        """Anatomies that are scored, spread over those that training never sees."""
        return tuple(adapter.held_out(self.settings.images.held_out_cases))

    def labelled(self, budget: int | str) -> tuple[str, ...]:
        """First anatomies of the order; a larger budget holds the smaller ones."""
        return self.training_cases[: None if budget == ALL else int(budget)]

    def budgets(self) -> list[tuple[str, ...]]:
        """Labelled anatomies of each budget that the built anatomies allow, each number once."""
        sets = [self.labelled(budget) for budget in self.settings.budgets]
        return list({len(cases): cases for cases in sets}.values())

    @cached_property
    def bank(self) -> Bank:
        """Images of all training anatomies, drawn on the first call, or as far as they lack."""
        images, seed = self.settings.images, self.settings.seed
        bank = Bank(self.folder / "training", image_facts(images, seed, "renders"))
        for case in self.training_cases:
            bank.add(
                case, data_fingerprint([case]),
                lambda case=case: exams(_anatomy(case), case, images, seed, held_out=False),
            )  # fmt: skip
        return bank

    @cached_property
    def held_out(self) -> Bank:
        """Images of the held-out anatomies, and the ICBM T1 where its atlas is built."""
        images, seed = self.settings.images, self.settings.seed + 1
        bank = Bank(self.folder / "held_out", image_facts(images, seed, "held_out_renders"))
        for case in self.held_out_cases:
            bank.add(
                case, data_fingerprint([case]),
                lambda case=case: exams(_anatomy(case), case, images, seed, held_out=True),
            )  # fmt: skip
        bank.add(scans.ICBM, self._atlas_checksum, lambda: scans.icbm_case(images))
        return bank

    @cached_property
    def _atlas_checksum(self) -> str:
        return sha256_of(work_dir() / "atlas" / "brainstem_labels.nii.gz")

    @cached_property
    def scan_files(self) -> dict[str, Path]:
        """Real T1s: name to file."""
        return scans.scan_files(self.scans_folder)

    @cached_property
    def scan_checksums(self) -> dict[str, str]:
        """Real T1s: name to checksum."""
        return {name: sha256_of(path) for name, path in self.scan_files.items()}

    @cached_property
    def scan_bank(self) -> Bank:
        """Windows of the real T1s, cut on the first call, or as far as they lack."""
        images, seed = self.settings.images, self.settings.seed
        bank = Bank(self.folder / "scans", image_facts(images, seed, "scan_windows"))
        find = []
        for name, path in self.scan_files.items():

            def cut(name=name, path=path):
                t1 = adapter.read_t1(path).t1
                if not find:
                    find.append(scans.brainstem_finder())
                return scans.scan_windows(t1, find[0](t1, path.name), images, seed)

            bank.add(name, self.scan_checksums[name], cut)
        return bank

    def sampler(self, run: Run) -> Labelled:
        """Labelled samples of the anatomies that a run may see, and of no other."""
        return Labelled(self.bank, run.labelled, self.settings.images)

    def start(self, run: Run) -> dict[str, torch.Tensor] | None:
        """Weights that a run begins with; what it builds on is done first when it is lacking."""
        if run.built_on is None:
            return None
        self.perform(run.built_on)
        return part_of(self.store.weights(run.built_on.name))

    def fingerprint(self, run: Run) -> str:
        """Of everything a run's weights depend on, and of no source code."""
        images = self.settings.images
        facts = {
            "images": image_facts(images, self.settings.seed, "renders"),
            "network": asdict(self.settings.network),
            "method": run.method,
            "labelled": [run.labelled, data_fingerprint(list(run.labelled))],
            "facts": run.facts,
        }
        if run.unlabelled:
            cases = sorted(self.training_cases)
            facts["unlabelled"] = [cases, data_fingerprint(cases)]
        if run.real:
            facts["real"] = [images.scan_windows, sorted(self.scan_checksums.values())]
        if run.built_on:
            facts["built on"] = self.fingerprint(run.built_on)
        return fingerprint(facts)

    @cached_property
    def evaluation_fingerprint(self) -> str:
        """Of what a run's scores depend on beside its weights."""
        images = self.settings.images
        cases = list(self.held_out_cases)
        facts = image_facts(images, self.settings.seed + 1, "held_out_renders")
        return fingerprint([facts, data_fingerprint(cases), cases, self._atlas_checksum])

    def finished(self, run: Run) -> Result | None:
        """Return the stored result of a run; None unless it is of today's settings and data."""
        result = self.store.result(run.name)
        if result is None or result.fingerprint != self.fingerprint(run):
            return None
        wanted = self.evaluation_fingerprint if run.predictor else ""
        return result if result.evaluation == wanted else None

    def perform(self, run: Run) -> Result:
        """Return the result of a run; train and score only what is lacking."""
        if (result := self.finished(run)) is not None:
            return result
        mark = self.fingerprint(run)
        result = self.store.result(run.name)
        weights = None
        if result is None or result.fingerprint != mark:
            print(f"{run.name}: {len(run.labelled)} labelled anatomies", flush=True)
            torch.manual_seed(self.settings.seed)
            trained = run.train(self, run)
            weights = trained.weights
            result = Result(
                run.name, run.method, len(run.labelled), mark, trained.steps,
                round(trained.seconds, 1), run.built_on.name if run.built_on else "",
            )  # fmt: skip
            self.store.save(result, weights)
        if run.predictor:
            self._score(run, result, weights or self.store.weights(run.name))
        return result

    def _score(self, run: Run, result: Result, weights: dict[str, torch.Tensor]) -> None:
        predict, images = run.predictor(self, run, weights), self.settings.images
        result.scores = evaluate(predict, self.held_out, self.held_out_cases, images)
        result.real = evaluate(predict, self.held_out, [scans.ICBM], images, ("t1",))
        result.evaluation = self.evaluation_fingerprint
        self.store.save(result)

    def perform_all(self, runs: Sequence[Run]) -> None:
        """Do every run that has no result yet, one after another."""
        lacking = [run for run in runs if self.finished(run) is None]
        print(f"{len(runs)} runs, {len(lacking)} of them still to do", flush=True)
        for number, run in enumerate(lacking, start=1):
            result = self.perform(run)
            print(f"{number}/{len(lacking)} {run.name}: {result.seconds:.0f} s", flush=True)


def _anatomy(case: str) -> Anatomy:
    return Anatomy.from_volume(load_anatomy(case))
