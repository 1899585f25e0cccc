"""The error tree: each class has a stable `code` and says whether asking again may help.

HTTP statuses are not here: `web/errors.py` maps a class to its problem. Messages are sentences
for the reader or the operator; causes travel by `raise … from` and reach the log alone.
"""


class RagbotError(Exception):
    """The root of every error that ragbot raises on purpose."""

    code = "internal_error"
    retryable = False


class BookError(RagbotError):
    """A book cannot be read: nothing there, nothing readable, or a layout that contradicts itself."""

    code = "unreadable_book"


class FileUnreadable(BookError):
    """One file of a book cannot be read; it is skipped and named in the report."""

    code = "unreadable_file"


class ArchiveRefused(BookError):
    """An archive cannot be unpacked: broken, too large, or made to do harm."""

    code = "unreadable_archive"


class IngestInProgress(RagbotError):
    """A book is being taken in already; one job runs at a time."""

    code = "ingest_in_progress"
    retryable = True


class JobNotFound(RagbotError):
    """There is no job of this id."""

    code = "not_found"


class JobNotStarted(RagbotError):
    """The process or the folder that a job needs cannot be had now."""

    code = "overloaded"
    retryable = True


class EditionNotFound(RagbotError):
    """There is no edition of this name."""

    code = "edition_not_found"


class EditionInUse(RagbotError):
    """The edition is the published one and cannot be removed."""

    code = "edition_in_use"


class NoBook(RagbotError):
    """No edition has been published yet, so there is nothing to answer from."""

    code = "no_book"
    retryable = True


class SearchUnavailable(RagbotError):
    """The index cannot be asked now."""

    code = "search_unavailable"
    retryable = True


class DatabaseUnavailable(RagbotError):
    """The database cannot be reached, or will not take a lock or a connection in time.

    `cause` is the database's own name for it ("SQLITE_FULL", "53100"), or the driver's.
    """

    code = "database_unavailable"
    retryable = True

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class StoreUnavailable(RagbotError):
    """A store that others can stand in for (of counters, kept answers, shared states) cannot be asked now."""

    code = "store_unavailable"
    retryable = True


class CacheNotCleared(RagbotError):
    """Kept answers could not be forgotten everywhere, for one of the stores that hold them is away."""

    code = "cache_unavailable"
    retryable = True


class ProviderError(RagbotError):
    """A model's provider failed. `retryable` tells whether another try may help."""

    code = "provider_error"


class ProviderUnavailable(ProviderError):
    """The provider refused, failed, hung or sent nonsense, after the last retry."""

    code = "provider_unavailable"
    retryable = True


class ProviderRejected(ProviderError):
    """The provider will not take this request, however often it is sent (a bad key, a bad model)."""

    code = "provider_rejected"


class CircuitOpen(ProviderUnavailable):
    """The provider failed several times in a row and is left alone for a while; nothing was asked."""

    code = "circuit_open"


class TooLate(ProviderUnavailable):
    """Too little of the question's time is left to ask a model; nothing was asked."""

    code = "too_late"


class RequestRejected(ProviderRejected):
    """The provider will not take this one request (too long, against its rules); others it may take."""

    code = "request_rejected"


class BudgetSpent(ProviderError):
    """What models may cost is spent; nothing was asked."""

    code = "budget_spent"


class AnswerCut(ProviderError):
    """The model's stream broke after its first word."""

    code = "answer_cut"
    retryable = True


class DeadlineExceeded(RagbotError):
    """The time for the question ran out."""

    code = "deadline_exceeded"
    retryable = True


class Cancelled(RagbotError):
    """The reader has gone away; nobody waits for the answer any more."""

    code = "cancelled"


class Overloaded(RagbotError):
    """Every place for an answer is taken."""

    code = "overloaded"
    retryable = True


class SessionNotFound(RagbotError):
    """There is no session of this id."""

    code = "session_not_found"


class SessionExpired(RagbotError):
    """The session ended by its time limit."""

    code = "session_expired"


class MessageNotFound(RagbotError):
    """There is no message of this id in the session."""

    code = "not_found"


class IdempotencyKeyReused(RagbotError):
    """The idempotency key came with another body before."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(RagbotError):
    """The first request with this idempotency key is still running."""

    code = "idempotency_in_progress"
    retryable = True


class BackupError(RagbotError):
    """A backup cannot be made, reached or brought back."""

    code = "backup_failed"


class BackupUnreadable(BackupError):
    """What should be a backup is none, is damaged, or is of a kind that this program does not know."""

    code = "backup_unreadable"


class ConfigurationError(RagbotError):
    """The settings contradict each other or cannot be used; the message names each fault."""

    code = "bad_configuration"
