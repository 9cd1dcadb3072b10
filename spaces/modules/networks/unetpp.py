"""UNet++ (arXiv 1807.10165): a triangle of nodes, each of which sees its whole row and the node below.

Shapes: B images, C channels, K classes, H and W pixels, both divisible by 2 ** depth.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import Head, build_block
from spaces.modules.layers.bottlenecks import build_bottleneck
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.layers.levels import level_kinds, level_widths, style_at
from spaces.modules.layers.upsampling import Upsampling, build_upsampling
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.recipe.architecture import UNetPlusPlus


class Node(nn.Module):
    """X[i, j] with j > 0 (eq. 1): a block over X[i, 0] .. X[i, j-1] and the upsampled X[i+1, j-1], side by side."""

    def __init__(self, upsampling: Upsampling, block: nn.Module) -> None:
        """Bring the node below to this row's width and size, then merge all by the block."""
        super().__init__()
        self.upsampling = upsampling
        self.block = block

    def forward(self, row: list[Tensor], below: Tensor) -> Tensor:
        """Map j maps (B, C, H, W) and one of half the size to (B, C, H, W)."""
        out: Tensor = self.block(side_by_side(*row, self.upsampling(below, row[0])))
        return out


class UNetPlusPlusModel(SegmentationModel):
    """The encoder X[0..L, 0], the columns X[.., 1] .. X[.., L] over it, heads on the finest row; L is the depth.

    X[L, 0] is the bottleneck. A node's block is of the kind of its row. Every node reaches X[0, L].
    Heads: low on X[0, 1], inter on X[0, 2] .. X[0, L-1] (none at depth 2), high on X[0, L]. The paper takes the mean
    of all heads in its accurate mode; here the end is X[0, L] alone, the paper's fast mode without pruning.
    """

    def __init__(self, model: UNetPlusPlus, heads: Heads, *, channels: int, classes: int) -> None:
        """Map (B, channels, H, W) to logits (B, classes, H, W); H and W divide by 2 ** model.depth."""
        super().__init__()
        self.multiple = 2**model.depth
        widths = level_widths(model)
        kinds = level_kinds(model.block, model.depth)
        # The pattern runs in the order of computation: from the deepest row up.
        ups = level_kinds(model.upsampling, model.depth)[::-1]
        encoder, decoder = style_at(model, "encoder"), style_at(model, "decoder")
        steps = zip(kinds, pairwise((channels, *widths[:-1])), strict=True)
        self.encoder = nn.ModuleList(build_block(kind, a, b, encoder) for kind, (a, b) in steps)
        self.bottleneck = build_bottleneck(model.bottleneck, widths[-2], widths[-1], style_at(model, "bottleneck"))

        def node(row: int, column: int) -> Node:
            width = widths[row]
            style = decoder.undropped if column == model.depth else decoder
            block = build_block(kinds[row], (column + 1) * width, width, style)
            return Node(build_upsampling(ups[row], widths[row + 1], width), block)

        self.places = tuple(
            (row, column) for column in range(1, model.depth + 1) for row in range(model.depth + 1 - column)
        )
        self.nodes = nn.ModuleList(node(row, column) for row, column in self.places)
        self.high = Head(widths[0], classes)
        self.inter = nn.ModuleList(Head(widths[0], classes) for _ in range(heads.inter * (model.depth - 2)))
        self.low = nn.ModuleList(Head(widths[0], classes) for _ in range(heads.low))

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to logits (B, K, H, W) of the finest row's nodes that have heads."""
        rows: list[list[Tensor]] = []
        for block in self.encoder:
            rows.append([block(maps)])
            maps = functional.max_pool2d(rows[-1][0], 2)
        rows.append([self.bottleneck(maps)])
        for (row, column), node in zip(self.places, self.nodes, strict=True):
            rows[row].append(node(rows[row], rows[row + 1][column - 1]))
        _, first, *between, end = rows[0]
        inter = tuple(head(maps) for head, maps in zip(self.inter, between, strict=False))
        return Outputs(self.high(end), inter, tuple(head(first) for head in self.low))


def build_unetpp(model: UNetPlusPlus, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The UNet++ that the model section describes, for the data's channels and classes."""
    return UNetPlusPlusModel(model, heads, channels=facts.channels, classes=facts.classes)
