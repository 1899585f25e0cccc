"""Define the errors of the service: each has a stable `code` and says whether a retry may help.

HTTP statuses are in `web/errors.py`, which maps each class to a problem. Messages are sentences for the
reader or the operator; causes are attached by `raise … from` and appear in the log alone.
"""

from __future__ import annotations

from dataclasses import dataclass


class RagbotError(Exception):
    """Serve as the base class of every error that ragbot raises on purpose."""

    code = "internal_error"
    retryable = False
    # The message of an error that is raised without one, and the example in the API's document.
    example_detail = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.example_detail)


class BookError(RagbotError):
    """Report that a book cannot be read: it is empty, unreadable, or its layout contradicts itself."""

    code = "unreadable_book"


class FileUnreadable(BookError):
    """Report that one file of a book cannot be read; it is skipped and named in the report."""

    code = "unreadable_file"


class ArchiveRefused(BookError):
    """Report that an archive is not unpacked: it is broken, too large, or made to do harm."""

    code = "unreadable_archive"


class IngestInProgress(RagbotError):
    """Report that a book is being ingested already; one job runs at a time."""

    code = "ingest_in_progress"
    retryable = True
    example_detail = "A book is being ingested already; poll GET /admin/ingest/{job_id} until it has ended."


class JobNotFound(RagbotError):
    """Report that there is no job of this id."""

    code = "not_found"
    example_detail = "There is no job of this id."


class JobNotStarted(RagbotError):
    """Report that the process or the folder of a job cannot be created now."""

    code = "overloaded"
    retryable = True
    example_detail = "The job's process cannot be started now; try again later."


class EditionNotFound(RagbotError):
    """Report that there is no edition of this name."""

    code = "edition_not_found"
    example_detail = "There is no edition of this name."


class BookNotFound(RagbotError):
    """Report that there is no book of this slug."""

    code = "book_not_found"
    example_detail = "There is no book called 'handbook'."


class EditionInUse(RagbotError):
    """Report that the edition is published and so cannot be removed."""

    code = "edition_in_use"
    example_detail = "Edition v2 is published; publish another one first."


class NoBook(RagbotError):
    """Report that no edition has been published yet, so there is nothing to answer from."""

    code = "no_book"
    retryable = True
    example_detail = "No book has been published yet; run `flask book ingest PATH`."


class SearchUnavailable(RagbotError):
    """Report that the index cannot be searched now."""

    code = "search_unavailable"
    retryable = True
    example_detail = "The index cannot be searched now."


class IndexMissing(SearchUnavailable):
    """Report that a server that answers has no index of the edition: other editions can be searched."""


class DatabaseUnavailable(RagbotError):
    """Report that the database cannot be reached, or gives no lock or connection in time.

    `cause` is the database's own code ("SQLITE_FULL", "53100"), or the driver's.
    """

    code = "database_unavailable"
    retryable = True
    example_detail = "The database is unavailable now."

    def __init__(self, message: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class StoreUnavailable(RagbotError):
    """Report that a store of counters, cache entries or shared states fails; another may replace it."""

    code = "store_unavailable"
    retryable = True


class CacheNotCleared(RagbotError):
    """Report that the cache was not cleared everywhere: one of its stores is unavailable."""

    code = "cache_unavailable"
    retryable = True
    example_detail = "42 entries were deleted, but the cache in redis is unavailable now; clear it again."


@dataclass(frozen=True, slots=True)
class ProviderReason:
    """Hold why a provider failed, in its own identifiers: none of its text, no key, no question.

    `status` is the HTTP status, 0 where there was none. What the provider did not say is empty.
    """

    status: int = 0
    type: str = ""
    code: str = ""
    param: str = ""

    def __str__(self) -> str:
        said = (f"status {self.status}" if self.status else "", self.type, self.code, self.param)
        return ", ".join(dict.fromkeys(filter(None, said)))


class ProviderError(RagbotError):
    """Report a failure of a model's provider. `retryable` says whether another try may help."""

    code = "provider_error"
    example_detail = "The model's provider is unavailable now."

    def __init__(self, message: str = "", reason: ProviderReason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or ProviderReason()


class ProviderUnavailable(ProviderError):
    """Report that the provider refused, failed, hung or sent nonsense, after the last retry."""

    code = "provider_unavailable"
    retryable = True


class ProviderRejected(ProviderError):
    """Report that the provider rejects the request, however often it is sent (a bad key, a bad model)."""

    code = "provider_rejected"


class CircuitOpen(ProviderUnavailable):
    """Report that the provider failed several times in a row and is not called for a while."""

    code = "circuit_open"


class TooLate(ProviderUnavailable):
    """Report that too little of the question's time is left, so the model was not called."""

    code = "too_late"


class RequestRejected(ProviderRejected):
    """Report that the provider rejects this one request (too long, against its rules); others may pass."""

    code = "request_rejected"


class ContextOverflow(RequestRejected):
    """Report that the prompt is longer than the model's context, also after it was shortened."""

    code = "context_overflow"


class AnswerEmpty(RequestRejected):
    """Report that the model ended its answer without a word; asked again it may find some."""

    code = "answer_empty"
    retryable = True


class ContentFiltered(ProviderError):
    """Report that the provider's filter stopped the question or its answer; it will do so again."""

    code = "content_filtered"
    example_detail = "The model's provider filters this question or its answer; ask it in another way."


class BudgetSpent(ProviderError):
    """Report that the budget for models is spent, so no model was called."""

    code = "budget_spent"


class AnswerCut(ProviderError):
    """Report that the model's stream broke after its first word."""

    code = "answer_cut"
    retryable = True


class AnswerRefused(AnswerCut):
    """Report that the stream broke because of this question or its answer; others may pass."""


class DeadlineExceeded(RagbotError):
    """Report that the time for the question has run out."""

    code = "deadline_exceeded"
    retryable = True
    example_detail = "The time for this question has run out."


class Cancelled(RagbotError):
    """Report that the reader has left, so the answer is not needed any more."""

    code = "cancelled"


class Overloaded(RagbotError):
    """Report that as many questions are being answered as the service allows."""

    code = "overloaded"
    retryable = True
    example_detail = "Too many questions are being answered just now; ask again in a few seconds."


class SessionNotFound(RagbotError):
    """Report that there is no session of this id."""

    code = "session_not_found"
    example_detail = "There is no session of this id."


class SessionExpired(RagbotError):
    """Report that the session has expired."""

    code = "session_expired"
    example_detail = "This session has ended; start a new one by asking without an id."


class MessageNotFound(RagbotError):
    """Report that there is no message of this id in the session."""

    code = "not_found"
    example_detail = "There is no message of this id in the session."


class IdempotencyKeyReused(RagbotError):
    """Report that the idempotency key was used with another body before."""

    code = "idempotency_key_reused"
    example_detail = "This idempotency key came with another body before; send a new key with a new body."


class IdempotencyInProgress(RagbotError):
    """Report that the first request with this idempotency key is still running."""

    code = "idempotency_in_progress"
    retryable = True
    example_detail = "The first request with this idempotency key is still running."


class BackupError(RagbotError):
    """Report that a backup cannot be made, reached or restored."""

    code = "backup_failed"


class BackupUnreadable(BackupError):
    """Report that a file is no backup, is damaged, or has a format that this version does not know."""

    code = "backup_unreadable"


class ConfigurationError(RagbotError):
    """Report that settings are invalid or contradict each other; the message names each fault."""

    code = "bad_configuration"
