"""A space of tiny networks that train as long as they are told to."""

from __future__ import annotations

import pytest

SPACE = """
model: {family: unet, depth: 2, filters: 4, growth: 1.0, block: plain, decoder_block: same, bottleneck: plain,
        skip: concat, norm: [batch, none], dropout: 0.0, dropout_place: every_block, squeeze: nowhere,
        upsampling: nearest}
loss: {bce: null, boundary: null, lovasz: null, tversky: null, mae: null}
augment: {noise: 0.0, blur: 0.0, brightness: 0.0, contrast: 0.0, geometry: null, mixing: null}
optimisation: {optimizer: adamw, batch_size: 4, lr: {low: 1e-3, high: 1e-2, log: true}, schedule: none,
               patience: 2000}
data: {oversample: null}
"""


@pytest.fixture
def small_space():
    return SPACE
