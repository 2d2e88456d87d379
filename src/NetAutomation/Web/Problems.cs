namespace NetAutomation.Web;

/// <summary>Refusals every part of the API may answer.</summary>
internal static class Problems
{
    public static readonly ProblemType Malformed = new("malformed_request", 400, "The request cannot be read");
    public static readonly ProblemType IdempotencyKeyMissing =
        new("idempotency_key_required", 400, "An Idempotency-Key header of 16 to 255 printable characters is required");
    public static readonly ProblemType Unauthorized =
        new("unauthorized", 401, "The endpoint and the API key do not name one active tenant");
    public static readonly ProblemType RoleInsufficient =
        new("role_insufficient", 403, "The caller's role does not allow this; a key has its member's");
    public static readonly ProblemType TenantSuspended = new("tenant_suspended", 403, "The agreement is suspended: reads and cancels only");
    public static readonly ProblemType NotFound = new("not_found", 404, "There is no such resource");
    public static readonly ProblemType MethodNotAllowed = new("method_not_allowed", 405, "The resource does not have this method");
    public static readonly ProblemType Conflict = new("conflict", 409, "The request conflicts with the state of the resource");
    public static readonly ProblemType IdempotencyInFlight =
        new("idempotency_in_flight", 409, "A request with this Idempotency-Key is being processed");
    public static readonly ProblemType SecretAlreadyShown = new("secret_already_shown", 409, "The secret was shown once and is not stored");
    public static readonly ProblemType LimitReached = new(
        "limit_reached", 409, "A limit on counts is reached: see limit, max and used, and resetsAt where it counts by the month");
    public static readonly ProblemType PreconditionFailed = new("precondition_failed", 412, "The resource changed since it was read");
    public static readonly ProblemType BodyTooLarge = new("body_too_large", 413, "The body is too large");
    public static readonly ProblemType UnsupportedMediaType =
        new("unsupported_media_type", 415, "The operation does not take a body of this media type");
    public static readonly ProblemType RangeNotSatisfiable =
        new("range_not_satisfiable", 416, "The resource does not have the bytes of this range");
    public static readonly ProblemType Refused = new("validation_failed", 422, "The request can be read but is refused");
    public static readonly ProblemType IdempotencyReused =
        new("idempotency_key_reused", 422, "This Idempotency-Key was used with another request");
    public static readonly ProblemType TooCostly = new("too_costly", 422, "What is asked for takes more than one request may");
    public static readonly ProblemType CursorMismatch = new("cursor_mismatch", 422, "The cursor belongs to another list or other filters");
    public static readonly ProblemType PreconditionRequired =
        new("precondition_required", 428, "If-Match with the resource's ETag is required");
    public static readonly ProblemType RateLimited = new(
        "rate_limited", 429, "Too many at a time or in a time: see limit and max, and try again after Retry-After seconds");
    public static readonly ProblemType Internal = new("internal_error", 500, "The service failed; the trace id names the failure");
    public static readonly ProblemType Unavailable = new("unavailable", 503, "The service cannot answer now");
}
