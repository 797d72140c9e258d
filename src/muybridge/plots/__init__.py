"""Pictures of numbers, as PNG files: training curves, confusion matrices, classes, gains, cost, scores over time.

Figures are built without pyplot, so no backend is chosen, no global state is touched and any thread may draw.
"""

from muybridge.plots.classes import plot_classes, plot_gains
from muybridge.plots.confusion import plot_confusion
from muybridge.plots.timeline import plot_timeline
from muybridge.plots.tradeoff import Point, plot_tradeoff
from muybridge.plots.training import plot_training

__all__ = [
    "Point",
    "plot_classes",
    "plot_confusion",
    "plot_gains",
    "plot_timeline",
    "plot_tradeoff",
    "plot_training",
]
