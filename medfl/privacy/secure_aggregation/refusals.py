"""What the protocol says where it cannot go on."""

from __future__ import annotations

from medfl.errors import MedflError


class RoundAbortedError(MedflError):
    """A round that ends without a sum, and with nothing of it revealed."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(
            f"secure aggregation: round {number} ends without a sum: {reason}. Nothing of it is "
            "revealed; the next round begins anew."
        )
        self.number = number
        self.reason = reason

    def __reduce__(self) -> tuple[type[RoundAbortedError], tuple[int, str]]:
        """Pickle by number and reason, so that an error crosses processes."""
        return type(self), (self.number, self.reason)
