"""All errors that botprobe raises on purpose, in one tree."""


class BotprobeError(Exception):
    """Something that botprobe cannot do; the text is one line, fit to be shown."""


class ConfigError(BotprobeError):
    """A setting is missing, unknown or out of range."""


class InputError(BotprobeError):
    """A file, mailbox or argument given by the operator cannot be read."""


class UsageError(InputError):
    """An option or argument is not what it has to be, or contradicts another one."""


class StoreError(BotprobeError):
    """The case store cannot be opened, read or written."""


class DeliveryError(BotprobeError):
    """A mail of ours could not be handed to any server."""


class ProbeUnavailable(BotprobeError):  # noqa: N818  # says a state of ours, not a fault of the host
    """We cannot measure: a tool, a privilege or a way out is missing."""


class RefusedByScope(BotprobeError):  # noqa: N818  # a decision, not a fault
    """The safety rules forbid any packet to this address."""


class ParseError(BotprobeError):
    """Bytes from outside do not have the form that their protocol demands."""

    def __init__(self, message: str, raw: bytes) -> None:
        super().__init__(message)
        self.raw = raw
        """What could not be read, as it came."""


def why_unread(error: OSError | UnicodeError) -> str:
    """Say why a file cannot be read as text; its name is for the caller to say."""
    if isinstance(error, UnicodeError):
        return "not text in UTF-8"
    return error.strerror or str(error)


def first_cause(error: BaseException) -> BaseException:
    """Return what went wrong first: tasks that run together wrap it up in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
