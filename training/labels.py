"""Label values of the anatomies: the structures of the table, and the tissues around them.

Values 1-99 are ``Structure.index``; values from 100 are context that gives the synthesis its
surroundings and that the network is taught to call background.
"""

from __future__ import annotations

CEREBRAL_WHITE = 100
CEREBRAL_GREY = 101
CEREBELLAR_WHITE = 102
CEREBELLAR_GREY = 103
CSF = 104
DEEP_GREY = 105
SPINAL_CORD = 106
VENTRAL_DIENCEPHALON = 107
THALAMUS = 108
THIRD_VENTRICLE = 109
# Extracerebral tissues keep the order of SynthSeg's labels 502-530 (skull, fat, muscle, vessels,
# eyes ...; no names are published with them), so that each can take an intensity of its own.
EXTRACEREBRAL_FIRST = 120
SYNTHSEG_EXTRACEREBRAL = tuple(range(502, 531))

CONTEXT_PRIOR = {
    CEREBRAL_WHITE: "cerebral_white",
    CEREBRAL_GREY: "cerebral_grey",
    CEREBELLAR_WHITE: "cerebellar_white",
    CEREBELLAR_GREY: "cerebellar_grey",
    CSF: "csf",
    DEEP_GREY: "cerebral_grey",
    VENTRAL_DIENCEPHALON: "midbrain_tegmentum_left",
    THALAMUS: "cerebral_grey",
    THIRD_VENTRICLE: "csf",
    SPINAL_CORD: "medullary_tegmentum_left",
}
"""Row of Resources/Anatomy/intensity_priors.tsv that paints each context class."""

# Allen Human Reference Atlas - 3D (2020, v1.0.0; Ding et al. 2016, doi:10.1002/cne.24080),
# values of the sequential remap in ../shared/data/atlases/allen-human-reference-atlas-3d.
ALLEN_STRUCTURES = {
    112: "midbrain_tegmentum",
    111: "midbrain_tegmentum",  # pretectal region: the atlas has it in the midbrain
    115: "superior_colliculus",
    116: "inferior_colliculus",
    117: "crus_pontine",
    118: "superior_cerebellar_peduncle",
    122: "basis_pontis",
    123: "pontine_tegmentum",
    124: "pyramid",
    125: "medullary_tegmentum",
    126: "inferior_olivary_nucleus",
    127: "inferior_cerebellar_peduncle",
    128: "middle_cerebellar_peduncle",
    130: "medullary_tegmentum",  # central canal: under 1 mm, no label of its own
    # CIT168 draws these two; what it leaves of the Allen outlines is tegmentum.
    113: "midbrain_tegmentum",
    114: "midbrain_tegmentum",
}
ALLEN_MIDLINE = {119: "cerebral_aqueduct", 129: "fourth_ventricle"}
ALLEN_THIRD_VENTRICLE = (61,)
ALLEN_VENTRICLES = (57, 58, 59, 60, 141)
ALLEN_CEREBRAL_WHITE = (51, 52, 53, 54, 55, 56, 65, 140)
ALLEN_CEREBELLAR_WHITE = (64,)
ALLEN_CEREBELLAR_GREY = (62, 63, 120, 121)
ALLEN_THALAMUS = (27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 40, 41, 42, 43, 131)
# What FreeSurfer calls ventral diencephalon, apart from what already lies in the midbrain.
ALLEN_VENTRAL_DIENCEPHALON = (38, 39, 44, 45, 46, 47, 48, 49, 50)
ALLEN_DEEP_GREY = (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 134)
