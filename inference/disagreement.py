"""How far two detectors disagree about one image: what the later one proposes against what the earlier one did.

Where two networks that learned from nearly the same images differ, at least one of them is wrong, and a person's
correction says which: the idea of query by committee (Seung, Opper and Sompolinsky 1992), with the round before as the
other member of the committee, whose proposals are there already and cost no second inference.
"""

from collections.abc import Sequence

from annotation.borders import Border
from inference.overlap import Truth, best_matches

# Two proposals that overlap less are not about the same cell.
PARTNERS_FROM = 0.5


def disagreement(earlier: Sequence[Border], later: Sequence[Border]) -> float:
    """0 where two sets of proposals are the same, 1 where they share no cell.

    The mean over all proposals of both sets of 1 for one without a partner of IoU 0.5 in the other set, and of
    1 - IoU for one with a partner; partners are matched one to one. Two empty sets agree.
    """
    count = len(earlier) + len(later)
    if not count:
        return 0.0
    matches = best_matches(later, [Truth(border) for border in earlier], PARTNERS_FROM)
    return 1.0 - 2.0 * sum(match.iou for match in matches) / count
