"""Where everything lies on MQTT. The table: `contract/topics.md`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one node, `<prefix>/<node>/...`.

    Ids hold no `/`, `+` or `#`; the configuration has checked that.

    Attributes:
        prefix: What the topics of all nodes begin with, without a slash at the end.
        node: The node's id; the site's, where nodes share cameras.
        member: The node that publishes, where nodes share cameras; else None.
    """

    prefix: str
    node: str
    member: str | None = None

    @property
    def base(self) -> str:
        """What every topic of this node begins with, without a slash at the end."""
        return f"{self.prefix}/{self.node}"

    @property
    def status(self) -> str:
        """The node's `online` or `offline`; also its last will."""
        return f"{self.base}/status"

    @property
    def announce(self) -> str:
        """Who this node is."""
        return f"{self.base}/announce"

    @property
    def health(self) -> str:
        """How the process and the machine are doing."""
        return f"{self.base}/health"

    @property
    def ask(self) -> str:
        """Where questions about the past, and other requests with an answer, are put."""
        return f"{self.base}/ask"

    @property
    def reply_prefix(self) -> str:
        """What the topic of an answer begins with, with the slash at the end."""
        return f"{self.base}/reply/"

    @property
    def digest(self) -> str:
        """The newest Summary of a period of the whole node."""
        return f"{self.base}/digest"

    @property
    def claim(self) -> str:
        """Written by the Home Assistant component alone: it makes the entities, the node shall not."""
        return f"{self.base}/ha/claim"

    @property
    def set_filter(self) -> str:
        """The subscription for all commands."""
        return f"{self.base}/+/set/+"

    def camera_status(self, camera: str) -> str:
        """`online` or `offline` of one camera's stream."""
        return f"{self.base}/{camera}/status"

    def state(self, camera: str) -> str:
        """What one camera sees now, and the values of its switches."""
        return f"{self.base}/{camera}/state"

    def observation(self, camera: str) -> str:
        """Observations, one message each."""
        return f"{self.base}/{camera}/observation"

    def event(self, camera: str) -> str:
        """Events, one message for each revision."""
        return f"{self.base}/{camera}/event"

    def ring(self, camera: str) -> str:
        """Presses of the doorbell."""
        return f"{self.base}/{camera}/ring"

    def picture(self, camera: str, name: str) -> str:
        """The newest Picture of that name: JPEG bytes."""
        return f"{self.base}/{camera}/picture/{name}"

    def summary(self, camera: str) -> str:
        """The newest Summary of an Event."""
        return f"{self.base}/{camera}/summary"

    def camera_digest(self, camera: str) -> str:
        """The newest Summary of a period of one camera."""
        return f"{self.base}/{camera}/digest"

    def answer(self, camera: str, question: str) -> str:
        """The present answer to a watched Question."""
        return f"{self.base}/{camera}/answer/{question}"

    def set(self, camera: str, setting: str) -> str:
        """Where a setting is changed (`detect`, `threshold`, `summary`) or something is asked for.

        `snapshot` and `describe` ask for a Picture and a Summary of now; `ring` presses the doorbell.
        """
        return f"{self.base}/{camera}/set/{setting}"
