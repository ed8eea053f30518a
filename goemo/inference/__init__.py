"""Forward passes without gradients, and the choice of the device."""

from goemo.inference.passes import (
    Progress,
    choose_device,
    look_at_all,
    predict_logits,
    sigmoid_scores,
    token_batch,
    width_multiple,
)

__all__ = [
    "Progress",
    "choose_device",
    "look_at_all",
    "predict_logits",
    "sigmoid_scores",
    "token_batch",
    "width_multiple",
]
