"""The rows of the field's table, and how far they lie from the field and from the silhouette alone, pair by pair."""

from __future__ import annotations

from ...correspondence.match import FIELD

Results = dict[str, dict[str, list[float]]]
"""row -> metric -> a value per case"""
MASKED, FREE, SIDE, LESS, MORE = (
    "PCK@0.1, mirrored as fits",
    "PCK@0.1, mirrored as fits, without masks",
    "mirrored where it should be",
    "PCK@0.1 less the field's",
    "PCK@0.1 less the silhouette's",
)
ONE, EIGHT = "one draw", "8 draws of two timesteps"
PLACE, SILHOUETTE = "no network: the same place in the box", "no network: silhouettes by the field"
WITH_SILHOUETTE = f"{ONE}, {FIELD}: silhouettes beside the features"


def compared(values: Results) -> Results:
    """The rows, each with its difference to the field of the same features and to the silhouette alone; and the field
    without masks as a row like those.
    """
    silhouette = values[SILHOUETTE][MASKED]
    table: Results = {}
    for name, row in values.items():
        field = values.get(f"{name.partition(',')[0]}, {FIELD}", {}).get(MASKED)
        differences = {} if field is None or field is row[MASKED] else {LESS: _difference(row[MASKED], field)}
        if name != SILHOUETTE:
            differences[MORE] = _difference(row[MASKED], silhouette)
        table[name] = row | differences
        if field is row[MASKED]:
            free = row[FREE]
            table[f"{name}: without masks"] = {
                MASKED: free, LESS: _difference(free, row[MASKED]), MORE: _difference(free, silhouette)
            }  # fmt: skip
    return table


def _difference(ours: list[float], theirs: list[float]) -> list[float]:
    return [one - other for one, other in zip(ours, theirs, strict=True)]
