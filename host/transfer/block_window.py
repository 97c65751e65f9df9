"""Which blocks of a transformer read references, as people write it."""

from ...attention.windows import AUTO
from ..models.families.transformer import BlockKey, Transformer
from ..runtime.quoting import quoted

ALL = "all"


def blocks_in(written: str, transformer: Transformer, first_fraction: float) -> tuple[BlockKey, ...]:
    """The blocks that "auto", "all" or numbers such as "4-7, 12" mean, in the order in which they run, from 0 on.

    first_fraction: from which part of the blocks on "auto" reads. Raises ValueError for anything else, and for numbers
    that this model does not have.
    """
    blocks = transformer.blocks
    if written.strip().lower() == AUTO:
        return blocks[round(first_fraction * len(blocks)) :]
    if written.strip().lower() == ALL:
        return blocks
    numbers: set[int] = set()
    for part in written.replace(",", " ").split():
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"blocks is {quoted(written)}; write auto, all, or numbers such as 4-7, 12.")
        numbers |= set(range(int(first), int(last or first) + 1))
    if not numbers or max(numbers) >= len(blocks):
        raise ValueError(
            f"blocks is {quoted(written)}, and this MODEL ({transformer.family}) has the blocks 0 to "
            f"{len(blocks) - 1}. Choose among these, or write auto."
        )
    return tuple(blocks[number] for number in sorted(numbers))
