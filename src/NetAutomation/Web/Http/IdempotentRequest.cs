using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Primitives;
using NetAutomation.Persistence;

namespace NetAutomation.Web.Http;

/// <summary>
/// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the stored answer commits with the effect, so there is no moment
/// in which one exists without the other.
/// </summary>
internal sealed partial class IdempotentRequest(
    HttpContext http, Caller caller, NetAutomationDb db, string key, byte[] fingerprint, bool secretOnce)
{
    public const string Header = "Idempotency-Key";

    /// <summary>The first answer, where this request is a repeat.</summary>
    public IResult? Replay { get; private set; }

    /// <summary>Null where the request carries no key and needs none.</summary>
    public static async Task<Outcome<IdempotentRequest?>> Open(
        HttpContext http, Caller caller, NetAutomationDb db, EndpointMetadataCollection metadata)
    {
        var given = http.Request.Headers[Header];
        if (!HttpMethods.IsPost(http.Request.Method)
            || (StringValues.IsNullOrEmpty(given) && metadata.GetMetadata<IdempotencyRequired>() is null))
        {
            return (IdempotentRequest?)null;
        }

        if (Key(given).Refused(out var unclear, out var key))
        {
            return unclear;
        }

        var request = new IdempotentRequest(http, caller, db, key, await Fingerprint(http), metadata.GetMetadata<SecretOnce>() is not null);
        return await request.Claim() is { } problem ? problem : request;
    }

    /// <summary>Writes the result into a buffer and stores it. The returned result writes it to the client after the commit.</summary>
    public async Task<IResult> Store(object? result)
    {
        var body = http.Response.Body;
        using var buffer = new MemoryStream();
        http.Response.Body = buffer;
        try
        {
            await (result as IResult ?? TypedResults.Ok(result)).ExecuteAsync(http);
        }
        finally
        {
            http.Response.Body = body;
        }

        var response = http.Response;
        var answer = new StoredAnswer(
            response.StatusCode, response.ContentType, response.Headers.Location.ToString(), response.Headers.ETag.ToString(),
            buffer.ToArray());
        var stored = secretOnce ? SecretId(answer.Body) : answer.Body;
        await db.Execute(
            $"""
            insert into web.idempotency_key (tenant_id, principal, key, fingerprint, status, content_type, location, etag, body, secret)
            values (
              {caller.Tenant.Value}, {caller.Key.Value}, {key}, {fingerprint}, {answer.Status}, {answer.ContentType}, {answer.Location},
              {answer.ETag}, {stored}, {secretOnce})
            """,
            http.RequestAborted);
        return answer;
    }

    /// <summary>
    /// The key within its quotation marks, which the draft asks for, or without any. What may be two keys is refused: lines of one header
    /// are joined by a comma on their way (RFC 9110, section 5.3), and the joined text would be a key that no other request has.
    /// </summary>
    private static Outcome<string> Key(StringValues given)
    {
        if (given.Count > 1)
        {
            return Problems.Malformed.With($"{Header} is given twice.");
        }

        var key = given.ToString();
        if (key.StartsWith('"'))
        {
            if (!Quoted().IsMatch(key))
            {
                return Problems.Malformed.With($"An {Header} that begins with a quotation mark must be one quoted string (RFC 9651).");
            }

            key = Escape().Replace(key[1..^1], "${sign}");
        }
        else if (key.Contains(',', StringComparison.Ordinal))
        {
            return Problems.Malformed.With($"The {Header} has a comma, so it may be two keys: put it in quotation marks.");
        }

        return key.Length is < 16 or > 255 || key.Any(c => c is < ' ' or > '~') ? Problems.IdempotencyKeyMissing.With() : key;
    }

    [GeneratedRegex("""^"([ !#-\[\]-~]|\\["\\])*"\z""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Quoted();

    [GeneratedRegex("""\\(?<sign>["\\])""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Escape();

    private static byte[] SecretId(byte[] body) => Encoding.UTF8.GetBytes(JsonElement.Parse(body).GetProperty("id").GetString()!);

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
        var cancel = http.RequestAborted;
        var name = $"{caller.Tenant}/{caller.Key}/{key}";
        var (locked, rows) = await db.Query<bool, Row>(
            $"select pg_try_advisory_xact_lock(hashtextextended({name}, 0))",
            $"""
            select fingerprint, status, content_type, location, etag, body, secret from web.idempotency_key
            where tenant_id = {caller.Tenant.Value} and principal = {caller.Key.Value} and key = {key}
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

        if (!row.Fingerprint.AsSpan().SequenceEqual(fingerprint))
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

        http.Response.Headers["Idempotency-Replayed"] = "true";
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
