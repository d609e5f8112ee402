"""What experts corrected and approved: the case store and the drafts of work in progress."""

from .approval import Approval
from .box import BoxGrid, cut_images
from .case_files import Case
from .codes import exam_key
from .draft_files import Draft
from .drafts import DraftFolder, RecoverableDraft, recoverable
from .records import CaseRecord, Change
from .store import CaseStore

__all__ = [
    "Approval",
    "BoxGrid",
    "Case",
    "CaseRecord",
    "CaseStore",
    "Change",
    "Draft",
    "DraftFolder",
    "RecoverableDraft",
    "cut_images",
    "exam_key",
    "recoverable",
]
