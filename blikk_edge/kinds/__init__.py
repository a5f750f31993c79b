"""The one extension point: what a Kind is, where kinds come from, and how `blikk.yaml` names one."""
