"""The mean IoU that a study or a training goes by: one that no constant answer wins."""

from __future__ import annotations

from search.training.metrics import Constant, Objective


def objective_for(constant: Constant) -> Objective:
    """The mean IoU to go by unless asked otherwise: the strict one where a constant answer wins the other."""
    return "miou_strict" if constant.miou == 1.0 else "miou"


def objective_note(objective: Objective, asked: Objective | None, constant: Constant) -> str:
    """A sentence where a constant answer wins the lenient mean; "" where it does not."""
    if objective_for(constant) == "miou":
        return ""
    won = "one class is left in the mean, so that answering it everywhere scores mIoU 1.0"
    if asked == "miou":
        return f"{won}: without --objective miou the objective would be the strict mean"
    return f"{won}: the objective is {objective}" if objective == "miou_strict" else won
