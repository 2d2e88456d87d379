using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NetAutomation.Persistence;

namespace NetAutomation.Web.Http;

/// <summary>
/// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the stored answer commits with the effect, so there is no moment
/// in which one exists without the other.
/// </summary>
internal sealed class IdempotentRequest
{
    public const string Header = "Idempotency-Key";
    private readonly HttpContext _http;
    private readonly Caller _caller;
    private readonly NetAutomationDb _db;
    private readonly string _key;
    private readonly byte[] _fingerprint;
    private readonly bool _secretOnce;

    private IdempotentRequest(HttpContext http, Caller caller, NetAutomationDb db, string key, byte[] fingerprint, bool secretOnce) =>
        (_http, _caller, _db, _key, _fingerprint, _secretOnce) = (http, caller, db, key, fingerprint, secretOnce);

    /// <summary>The first answer, where this request is a repeat.</summary>
    public IResult? Replay { get; private set; }

    /// <summary>Null where the request carries no key and needs none.</summary>
    public static async Task<Outcome<IdempotentRequest?>> Open(
        HttpContext http, Caller caller, NetAutomationDb db, EndpointMetadataCollection metadata)
    {
        var required = metadata.GetMetadata<IdempotencyRequired>() is not null;
        if (!HttpMethods.IsPost(http.Request.Method))
        {
            return (IdempotentRequest?)null;
        }

        var key = http.Request.Headers[Header].ToString();
        if (key.Length == 0 && !required)
        {
            return (IdempotentRequest?)null;
        }

        if (key.Length is < 16 or > 255 || key.Any(c => c is < ' ' or > '~'))
        {
            return Problems.IdempotencyKeyMissing.With();
        }

        var request = new IdempotentRequest(http, caller, db, key, await Fingerprint(http), metadata.GetMetadata<SecretOnce>() is not null);
        return await request.Claim() is { } problem ? problem : request;
    }

    /// <summary>Runs the result into a buffer, stores it, and returns what writes the buffer to the client after the commit.</summary>
    public async Task<IResult> Store(object? result)
    {
        var body = _http.Response.Body;
        using var buffer = new MemoryStream();
        _http.Response.Body = buffer;
        try
        {
            await (result as IResult ?? TypedResults.Ok(result)).ExecuteAsync(_http);
        }
        finally
        {
            _http.Response.Body = body;
        }

        var response = _http.Response;
        var answer = new StoredAnswer(
            response.StatusCode, response.ContentType, response.Headers.Location.ToString(), response.Headers.ETag.ToString(),
            buffer.ToArray());
        var stored = _secretOnce ? SecretId(answer.Body) : answer.Body;
        await _db.Execute(
            $"""
            insert into web.idempotency_key (tenant_id, principal, key, fingerprint, status, content_type, location, etag, body, secret)
            values ({_caller.Tenant.Value}, {_caller.Key.Value}, {_key}, {_fingerprint}, {answer.Status}, {answer.ContentType}, {answer.Location},
                    {answer.ETag}, {stored}, {_secretOnce})
            """,
            _http.RequestAborted);
        return answer;
    }

    private static byte[] SecretId(byte[] body)
    {
        using var document = JsonDocument.Parse(body);
        return Encoding.UTF8.GetBytes(document.RootElement.GetProperty("id").GetString()!);
    }

    private static async Task<byte[]> Fingerprint(HttpContext http)
    {
        // Keyed with the caller's API key, which is stored nowhere: a body may hold a password that a plain hash would let one guess.
        using var hash =
            IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(http.Request.Headers.Authorization.ToString()));
        hash.AppendData(Encoding.UTF8.GetBytes($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}\n"));
        http.Request.Body.Position = 0;
        var buffer = new byte[16384];
        int read;
        while ((read = await http.Request.Body.ReadAsync(buffer, http.RequestAborted)) > 0)
        {
            hash.AppendData(buffer, 0, read);
        }

        return hash.GetHashAndReset();
    }

    private async Task<Problem?> Claim()
    {
        var cancel = _http.RequestAborted;
        var name = $"{_caller.Tenant}/{_caller.Key}/{_key}";
        var (locked, rows) = await _db.Query<bool, Row>(
            $"select pg_try_advisory_xact_lock(hashtextextended({name}, 0))",
            $"""
            select fingerprint, status, content_type, location, etag, body, secret from web.idempotency_key
            where tenant_id = {_caller.Tenant.Value} and principal = {_caller.Key.Value} and key = {_key}
            """,
            cancel);
        if (!locked[0])
        {
            return new Problem(Problems.IdempotencyInFlight) { RetryAfter = TimeSpan.FromSeconds(1) };
        }

        if (rows is not [var row])
        {
            return null;
        }

        if (!row.Fingerprint.AsSpan().SequenceEqual(_fingerprint))
        {
            return Problems.IdempotencyReused.With();
        }

        if (row.Secret)
        {
            return new Problem(Problems.SecretAlreadyShown)
            {
                Members = new Dictionary<string, object?>(StringComparer.Ordinal) { ["id"] = Encoding.UTF8.GetString(row.Body) },
            };
        }

        _http.Response.Headers["Idempotency-Replayed"] = "true";
        Replay = new StoredAnswer(row.Status, row.ContentType, row.Location, row.Etag, row.Body);
        return null;
    }

    private sealed record Row(
        byte[] Fingerprint, int Status, string? ContentType, string? Location, string? Etag, byte[] Body, bool Secret);

    private sealed record StoredAnswer(int Status, string? ContentType, string? Location, string? ETag, byte[] Body) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = Status;
            response.ContentType = ContentType;
            response.ContentLength = Body.Length;
            if (!string.IsNullOrEmpty(Location))
            {
                response.Headers.Location = Location;
            }

            if (!string.IsNullOrEmpty(ETag))
            {
                response.Headers.ETag = ETag;
            }

            await response.Body.WriteAsync(Body, httpContext.RequestAborted);
        }
    }
}
