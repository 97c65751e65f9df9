"""What a transfer has to know about a diffusion transformer. Each architecture says it in a file of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch.nn import Module

from ....attention.untwisted import Untwisting

BlockKey = tuple[str, int]
"""(kind of block, number among its kind), as ComfyUI names a block in the options of its attention."""


@dataclass(frozen=True)
class TextAxis:
    """A first axis of RoPE on which the image stands behind the text, so that its keys turn with the text's length.

    channels: that it turns, the first of a head. theta: of its rates.
    """

    channels: int
    theta: float


@dataclass(frozen=True)
class HiddenState:
    """Where the input of a block passes on its way into the self-attention: names of modules.

    blocks: the list of these blocks in the network. norm: what normalizes the input. projection: what makes queries of
    it, normalized and modulated.
    """

    blocks: str
    norm: str
    projection: str


@dataclass(frozen=True)
class Transformer:
    """One diffusion transformer whose image tokens are the last of a joint sequence of text and image.

    family: its name in messages. blocks: in the order in which they run. width: of a token's keys, all heads together.
    patch: latent pixels along the side of a token. padded_to: the number of image tokens is filled up to a multiple of
        this. unrotated: ComfyUI hands out queries, keys and values before positions enter, by "attn1_patch".
        names_blocks: it says which block computes; where not, that has to be written into the options.
    first_fraction: from which part of the blocks on Cross-Image Attention reads references.
    identity: the parameter that tells weights apart; no LoRA or quantization touches it.
    axes: of RoPE, how many channels of a head each turns, neighbors as pairs; none where positions are in the features.
        column_axis: the one of them that turns with the column. theta: of their rates.
    untwisting: how its source damps the fast pairs; where there is none, as in Flux.1.
    text_axis: None where the length of the text does not move the image.
    attending_twice: the blocks that attend to the image alone once more.
    hidden: by kind of block, where its input can be read.
    """

    family: str
    blocks: tuple[BlockKey, ...]
    width: int
    patch: int
    identity: str
    padded_to: int = 1
    unrotated: bool = True
    names_blocks: bool = True
    first_fraction: float = 0.25
    text_axis: TextAxis | None = None
    axes: tuple[int, ...] = ()
    column_axis: int = 2
    theta: float = 0.0
    untwisting: Untwisting = Untwisting()
    attending_twice: frozenset[BlockKey] = frozenset()
    hidden: Mapping[str, HiddenState] = field(default_factory=dict)

    def grid_of(self, size: Sequence[int]) -> tuple[int, int]:
        """(h, w) in tokens of a latent of size (h, w); a token at the border may be cut."""
        return -(-size[0] // self.patch), -(-size[1] // self.patch)

    def padded(self, tokens: int) -> int:
        """How many tokens there are for an image of so many, with those that fill it up."""
        return -(-tokens // self.padded_to) * self.padded_to


def blocks_of(kind: str, blocks: Iterable[Module]) -> tuple[BlockKey, ...]:
    """The keys of all blocks of one kind."""
    return tuple((kind, number) for number, _ in enumerate(blocks))
