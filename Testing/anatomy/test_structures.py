import re

from BrainstemALSLib.anatomy import CONTEXT, REGIONS, by_key, composites, load_structures
from BrainstemALSLib.anatomy.priors import TISSUE_KEYS, load_intensity_priors
from BrainstemALSLib.anatomy.structures import SIDES, TIERS, TISSUES

INDEX = {
    "midbrain_tegmentum_left": 1,
    "midbrain_tegmentum_right": 2,
    "crus_pontine_left": 3,
    "crus_pontine_right": 4,
    "cst_crus_left": 5,
    "cst_crus_right": 6,
    "medial_lemniscus_midbrain_left": 7,
    "medial_lemniscus_midbrain_right": 8,
    "red_nucleus_left": 9,
    "red_nucleus_right": 10,
    "substantia_nigra_left": 11,
    "substantia_nigra_right": 12,
    "superior_colliculus_left": 13,
    "superior_colliculus_right": 14,
    "inferior_colliculus_left": 15,
    "inferior_colliculus_right": 16,
    "periaqueductal_grey": 17,
    "dorsal_raphe": 18,
    "pontine_tegmentum_left": 21,
    "pontine_tegmentum_right": 22,
    "basis_pontis_left": 23,
    "basis_pontis_right": 24,
    "cst_pons_left": 25,
    "cst_pons_right": 26,
    "medial_lemniscus_pons_left": 27,
    "medial_lemniscus_pons_right": 28,
    "superior_cerebellar_peduncle_left": 29,
    "superior_cerebellar_peduncle_right": 30,
    "middle_cerebellar_peduncle_left": 31,
    "middle_cerebellar_peduncle_right": 32,
    "parabrachial_complex_left": 33,
    "parabrachial_complex_right": 34,
    "medullary_tegmentum_left": 41,
    "medullary_tegmentum_right": 42,
    "pyramid_left": 43,
    "pyramid_right": 44,
    "inferior_olivary_nucleus_left": 45,
    "inferior_olivary_nucleus_right": 46,
    "inferior_cerebellar_peduncle_left": 47,
    "inferior_cerebellar_peduncle_right": 48,
    "dorsal_medullary_complex_left": 49,
    "dorsal_medullary_complex_right": 50,
    "cerebral_aqueduct": 61,
    "fourth_ventricle": 62,
}


def test_indices_keys_names_and_colours_are_unique():
    structures = load_structures()
    for attribute in ("index", "key", "name", "abbreviation", "color"):
        values = [getattr(structure, attribute) for structure in structures]
        assert len(set(values)) == len(values), attribute


def test_indices_never_change():
    """An old label map must mean the same for ever. Add lines, change none."""
    assert {structure.key: structure.index for structure in load_structures()} == INDEX


def test_every_value_is_one_that_is_allowed():
    for structure in load_structures():
        assert 1 <= structure.index <= 99, "values from 100 belong to the training context"
        assert structure.side in SIDES
        assert structure.parent in (*REGIONS, CONTEXT)
        assert structure.tissue in TISSUES
        assert structure.tier in TIERS
        assert re.fullmatch(r"#[0-9a-f]{6}", structure.color)
        assert structure.snomed is None or structure.snomed.isdigit()
        assert structure.uberon is None or re.fullmatch(r"UBERON:\d{7}", structure.uberon)


def test_context_is_fluid_and_fluid_is_context():
    for structure in load_structures():
        assert (structure.parent == CONTEXT) == (structure.tissue == "csf")


def test_the_mirror_of_a_mirror_is_the_structure_itself():
    known = by_key()
    for structure in load_structures():
        mirrored = known[structure.mirror_key]
        assert mirrored.mirror_key == structure.key
        assert (mirrored is structure) == (structure.side == "midline")


def test_left_and_right_differ_in_nothing_but_the_side():
    known = by_key()
    for structure in load_structures():
        other = known[structure.mirror_key]
        for attribute in ("parent", "tissue", "tier", "pathway", "snomed", "uberon", "stem"):
            assert getattr(structure, attribute) == getattr(other, attribute), structure.key
        if structure.side != "midline":
            assert structure.key.endswith(f"_{structure.side}")
            assert structure.name.endswith(f", {structure.side}")


def test_regions_partition_the_brainstem():
    derived = composites()
    parts = [key for region in REGIONS for key in derived[region]]
    assert sorted(parts) == sorted(derived["brainstem"])
    assert len(set(parts)) == len(parts)
    outside = {s.key for s in load_structures() if s.parent == CONTEXT}
    assert outside.isdisjoint(parts)


def test_tissues_never_overlap_and_the_rest_is_mixed():
    derived, known = composites(), by_key()
    white, grey = set(derived["white_matter"]), set(derived["grey_matter"])
    assert white
    assert grey
    assert white.isdisjoint(grey)
    assert {known[key].tissue for key in set(derived["brainstem"]) - white - grey} == {"mixed"}


def test_the_corticospinal_tract_runs_through_all_three_regions_on_each_side():
    known = by_key()
    for side in ("left", "right"):
        keys = composites()[f"corticospinal_tract_{side}"]
        assert [known[key].parent for key in keys] == list(REGIONS)
        assert {known[key].side for key in keys} == {side}


def test_codes_that_were_checked_against_dicom_cid_7153():
    # DICOM PS3.16 context group 7153, CNS Segmentation Type.
    expected = {
        "medial_lemniscus_pons_left": "30114003",
        "substantia_nigra_left": "70007007",
        "superior_cerebellar_peduncle_left": "11089000",
        "middle_cerebellar_peduncle_left": "33723005",
        "inferior_cerebellar_peduncle_left": "67701001",
        "cerebral_aqueduct": "80447000",
        "fourth_ventricle": "35918002",
    }
    known = by_key()
    assert {key: known[key].snomed for key in expected} == expected


def test_every_structure_and_tissue_has_a_plausible_intensity_prior():
    priors = load_intensity_priors()
    assert set(priors) == {s.key for s in load_structures()} | set(TISSUE_KEYS)
    for key, prior in priors.items():
        assert 0.1 < prior.t1_relative <= 1.1, key
        assert 0.0 < prior.fa_mean < 1.0, key
        assert 0.5 < prior.md_mean < 3.2, key
        assert prior.fa_sd > 0, key
        assert prior.md_sd > 0, key
        assert prior.source, key


def test_priors_tell_fluid_from_tissue_and_white_from_grey():
    priors = load_intensity_priors()
    fluid = ("csf", "fourth_ventricle", "cerebral_aqueduct")
    assert min(priors[key].md_mean for key in fluid) > 2.0
    assert max(prior.md_mean for key, prior in priors.items() if key not in fluid) < 1.0
    white = [priors[key].fa_mean for key in composites()["white_matter"]]
    grey = [priors[key].fa_mean for key in composites()["grey_matter"]]
    assert min(white) > max(grey)
