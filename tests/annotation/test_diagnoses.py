"""The diagnoses of a study: how texts are read, what cannot be added, and what stays when one is renamed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.diagnoses import LONGEST, USUAL, Diagnoses, DiagnosesError, key_of


def test_people_write_the_usual_ones_in_many_ways() -> None:
    for key, texts in {
        "apl": ("APL", " apl ", "AML-M3", "m3"),
        "non_apl_aml": ("non-APL AML", "Non APL AML", "non_apl_aml", "AML", "other aml"),
        "healthy": ("healthy", "Healthy donor", "control", "NORMAL"),
        "unknown": ("", "unknown", "n/a", "NA"),
    }.items():
        assert {USUAL.read(text) for text in texts} == {key}
    with pytest.raises(DiagnosesError, match=r"'CML' is not one of APL, non-APL AML, healthy donor, unknown: .* page"):
        USUAL.read("CML")
    assert USUAL.title("healthy") == "Healthy donor" and USUAL.title("unknown") == "Unknown"


def test_one_more_gets_a_key_of_its_name() -> None:
    more = USUAL.added("  Chronic  myeloid leukaemia ", spellings=["CML", "cml", " "])
    added = more["chronic_myeloid_leukaemia"]
    assert added.name == "Chronic myeloid leukaemia" and len(added.spellings) == 1 and more.read("C.M.L.") == added.key
    assert more.added("慢性", "cll").read("慢性") == "cll"
    assert "5q_syndrome" in USUAL.added("5q- syndrome")
    assert Diagnoses.of(more.as_json()) == more and Diagnoses.of(more.as_json()) is Diagnoses.of(more.as_json())


@pytest.mark.parametrize(
    ("name", "key", "why"),
    [
        ("", "", "needs a name"),
        ("AML M3", "", "would be read as APL"),
        ("Control", "", "would be read as healthy donor"),
        ("Unknown", "", "read as unknown"),
        ("慢性", "", "gives no key"),
        ("Something else", "apl", "already"),
        ("CML", "C ML", "a to z"),
        ("CML vs AML", "cml", "stroke, comma or vs"),
        ("CML/ALL", "cml", "stroke, comma or vs"),
        ("=1+1", "one", "begins with a letter"),
        ("C" * (LONGEST + 1), "", f"at most {LONGEST}"),
    ],
)
def test_what_could_not_be_told_from_others_is_refused(name: str, key: str, why: str) -> None:
    with pytest.raises(DiagnosesError, match=why):
        USUAL.added(name, key)


def test_an_old_name_is_read_after_a_new_one_is_given() -> None:
    renamed = USUAL.changed("apl", "AML M3", ["APML"])
    assert renamed["apl"].name == "AML M3" and renamed["apl"].spellings == ("APML", "APL")
    assert renamed.read("APL") == renamed.read("aml m3") == "apl"
    with pytest.raises(DiagnosesError, match="would be read as"):
        USUAL.changed("apl", "APL", ["control"])
    with pytest.raises(DiagnosesError, match="has no diagnosis 'cml'"):
        USUAL.changed("cml", "CML", [])
    assert [row.key for row in USUAL.without("healthy")] == ["apl", "non_apl_aml"]


def test_a_diagnosis_of_another_study_is_found_by_its_key_or_its_name() -> None:
    here = USUAL.added("Chronic myeloid leukaemia", "cml_chronic", ["CML"])
    assert here.meant("apl", "Promyelocytic leukaemia") == "apl"
    assert here.meant("cml", "CML") == "cml_chronic" and here.meant("mds", "MDS") == "mds"


@given(st.text(max_size=60))
def test_any_name_is_refused_or_read_again(name: str) -> None:
    key = key_of(name)
    try:
        more = USUAL.added(name)
    except DiagnosesError as refused:
        assert str(refused)
        return
    added = more[key]
    assert more.read(added.name) == more.read(key) == more.read(name.upper()) == key
    assert " vs " not in added.name and len(added.name) <= LONGEST
