"""The one exception by which a room says no on purpose."""

from typing import Any


class Refusal(Exception):
    """A request that cannot be carried out, said in the words of the public error catalogue.

    `code` is stable and in capitals (`COMMUNITY_POST_NOT_FOUND`), `message` one sentence for people,
    `details` what was wrong and what would be right. `retry_after` is in seconds, where waiting helps.
    Nothing has been changed when it is raised.
    """

    def __init__(
        self, code: str, message: str, /, *, retry_after: float | None = None, **details: Any
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = details
        self.retry_after = retry_after

    def as_error(self) -> dict[str, Any]:
        """The error object of acks and of `connect_error`: `{code, message, details, retry_after?}`."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "details": self.details,
        }
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return error
