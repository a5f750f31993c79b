"""What labels of a node are called in translations; a label that is new to this component keeps its own word."""

from .names import capital

LABELS = ("person", "vehicle", "animal", "package")


def label_words(label: str, form: str = "{}") -> tuple[str, dict[str, str] | None]:
    """Translation key and placeholders of an entity about a label; `form` is that of the key, like `last_{}`."""
    if label in LABELS:
        return form.format(label), None
    return form.format("object"), {"label": capital(label) if form.startswith("{}") else label}
