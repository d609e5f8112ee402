"""Measures a result again after somebody has corrected it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import qt
from slicer.i18n import tr as _

from ..errors import BrainstemALSError
from ..measurement import Measures
from ..worker.requests import measure_params, write_correction
from .messages import Messages
from .visit import Visit
from .worker_jobs import Job, WorkerJobs

SETTLE_MS = 1500
"""So long after the last edit the volumes are taken again (our choice: between two strokes)."""


class Measuring:
    """Asks the worker for new volumes once the expert's hand rests.

    Parameters
    ----------
    visit : Visit
    jobs : WorkerJobs
    messages : Messages
    measured : callable
        Called with the new ``Measures``, after ``visit`` has them.
    """

    def __init__(
        self,
        visit: Visit,
        jobs: WorkerJobs,
        messages: Messages,
        measured: Callable[[Measures], None],
    ):
        self._visit, self._jobs, self._messages = visit, jobs, messages
        self._measured = measured
        self._retry = True
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._begin)

    def soon(self) -> None:
        """Measure when no edit has come for a while."""
        self._timer.start()

    def stop(self) -> None:
        """Measure no more until ``soon``."""
        self._timer.stop()

    def _begin(self) -> None:
        visit = self._visit
        if visit.result is None or visit.outcome is None or visit.measures is not None:
            return
        if self._jobs.running is not None:
            self.soon()  # a run, or measures of what has changed since
            return
        with self._messages.refusals():
            now = visit.result.labels_now()
            outcome = visit.outcome
            if outcome.probabilities is not None and not outcome.probabilities.exists():
                outcome = replace(outcome, probabilities=None)
            folder = self._jobs.new_folder()
            result = visit.result
            edits = visit.edits

            def finished(measures: Measures) -> None:
                shutil.rmtree(folder, ignore_errors=True)
                self._retry = True
                if visit.result is not result:
                    return
                if visit.edits != edits:  # painted meanwhile
                    self.soon()
                    return
                visit.measures = measures
                self._measured(measures)

            self._jobs.start(
                Job(
                    "measure",
                    measure_params(folder, outcome, now.offset),
                    folder,
                    write_correction(folder, outcome, now.labels),
                    finished,
                    self._failed,
                    lambda: None,
                )
            )

    def _failed(self, refusal: BrainstemALSError) -> None:
        """Try once more by itself, then when the user says so."""
        if self._retry:
            self._retry = False
            self.soon()
        else:
            self._retry = True
            self._messages.offer(str(refusal), _("Measure again"), self.soon)
