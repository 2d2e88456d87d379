using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using NetAutomation.Tests.Support;
using NetAutomation.Tests.Web;
using NetAutomation.Web;

namespace NetAutomation.Tests.Corpora;

/// <summary>Requests that no client library would send, as the bytes inside TLS.</summary>
internal sealed class RawRequests(IReadOnlyList<ApiOperation> operations, string server)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(3), _quiet = TimeSpan.FromMilliseconds(100);
    private static readonly byte[] _preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>One connection's bytes of HTTP/1.1, and whether they claim another version of it.</summary>
    public (byte[] Bytes, bool OddVersion) Http1(Random dice, FullTenant tenant)
    {
        T Pick<T>(params T[] from) => from[dice.Next(from.Length)];
        var operation = operations[dice.Next(operations.Count)];
        var path = operation.At(name => Value(operation, tenant, name));
        var body = operation.Body(tenant.PrefixId, _ => dice.Next(2) == 0)?.ToJsonString() ?? "{}";
        var (method, version) = (operation.Verb, "HTTP/1.1");
        List<string> headers =
            [$"Host: {server}", $"Authorization: Bearer {tenant.Tenant.Key}", $"Idempotency-Key: raw-{dice.NextInt64():x16}",
                "If-Match: *"];
        string[] length = ["Content-Type: application/json", $"Content-Length: {Encoding.UTF8.GetByteCount(body)}"];
        switch (dice.Next(17))
        {
            case 0:
                method = Pick("PROPFIND", "TRACE", "CONNECT", "get", "G\0T", "GE T", "", "PRI", new string('M', 9000), "\u00e9", "{}");
                break;
            case 1:
                version = Pick("HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3", "HTTP/1.1 ", "http/1.1", "", "HTTP/9999999999.1");
                break;
            case 2:
                path = Pick(
                    "*", "//", "/../../etc/passwd", "/v1/%", "/v1/%2", "/v1/%zz", "/v1/me\0", "/v1/me#x", "http://x/v1/me",
                    "/v1/me HTTP/1.1 x",
                    $"/{new string('p', 9000)}", "/v1/\u00ff", "\\v1\\me", "/v1/me?" + new string('&', 5000), "/v1;x=1/me", "me", "/V1/ME",
                    "/v1/./me", "/v1/devices/..%2f..%2fme", "/operator/v1/tenants", "/swagger/../v1/me", "/%00", "/v1/me?x=%FF%FE%00");
                break;
            case 3:
                headers[0] = Pick("Host: ", "Host: a b", "Host: x\r\nHost: y", "X: no host", "Host: [::1", "Host: x:99999", "Host: \u0001");
                break;
            case 4:
                headers.Add(Pick(
                    "NoColon", ": empty", "Bad Name: x", "X\0: y", "X: a\0b", "X: a\rb", " folded: x", $"X: {new string('h', 40_000)}",
                    "X:\u00ff\u00fe", "Content-Length : 5", "\u00e9: x", "X: \u0007\u001b[2J"));
                break;
            case 5:
                headers.AddRange(Enumerable.Range(0, Pick(90, 101, 400)).Select(i => $"X-{i}: {i}"));
                break;
            case 6:
                length[1] = Pick("Content-Length: -1", "Content-Length: 1e3", "Content-Length: 99999999999999999999",
                    "Content-Length: 5\r\nContent-Length: 6", "Content-Length: ", "Content-Length: 0x10", "Content-Length: +2",
                    "Content-Length: 3000000000");
                break;
            case 7:
                length[1] = "Transfer-Encoding: chunked";
                body = Pick(
                    "zz\r\n", "5\r\nab", "-1\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n", "2\r\nabX\r\n0\r\n\r\n", "0\r\n",
                    "1;x=\"\r\n{\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nTrailer: \0\r\n\r\n", "2\r\n{}\r\n0\r\nTrailer: \u0080\r\n\r\n",
                    "0\r\nTr\0iler: x\r\n\r\n", "2\n{}\n0\n\n", "0x2\r\n{}\r\n0\r\n\r\n",
                    "2\r\n{}\r\n0\r\n" + new string('t', 40_000),
                    $"{body.Length + 9:x}\r\n{body}");
                break;
            case 8:
                length[1] = Pick(
                    "Transfer-Encoding: chunked\r\nContent-Length: 4", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, identity",
                    "Transfer-Encoding: xchunked",
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:\tchunked");
                break;
            case 9:
                // Truncated: the peer promised more.
                body = body[..dice.Next(body.Length)];
                break;
            case 10:
                body = Corrupt(dice, body);
                length[1] = $"Content-Length: {Encoding.Latin1.GetByteCount(body)}";
                break;
            case 11:
                length[0] = Pick(
                    "Content-Type: application/json; charset=utf-16", "Content-Type: application/json; charset=\"", "Content-Type: ",
                    "Content-Type: application/json\r\nContent-Type: text/csv", "Content-Type: multipart/form-data", "X: none",
                    "Content-Type: application/json;charset=utf-7", $"Content-Type: a/{new string('b', 8000)}");
                break;
            case 12:
                headers.Add(Pick(
                    "Expect: 100-continue", "Expect: nonsense", "Upgrade: h2c", "Connection: Upgrade\r\nUpgrade: websocket", "TE: trailers",
                    "Connection: Host", "Range: bytes=0-0,1-1,2-2", "Accept: text/event-stream", "Content-Encoding: br", "Via: \0"));
                break;
            case 13:
                return (Encoding.Latin1.GetBytes(Pick(
                    "\r\n\r\n\r\n", "GET", "GET /\r\n\r\n", "\0\0\0\0", "HELP\r\n", "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\r\n", "{\"a\":1}",
                    "SSH-2.0-x\r\n", new string('\r', 500), new string('A', 40_000))), true);
            case 14:
                // Two requests, the second one within what may be the body of the first.
                body += $"GET /v1/me HTTP/1.1\r\nHost: {server}\r\n\r\n";
                break;
            case 15:
                var noise = new byte[dice.Next(1, 600)];
                dice.NextBytes(noise);
                return (noise, true);
            default:
                headers[1] = Pick("Authorization: Bearer", "Authorization: Bearer \u0001", "Authorization: bearer x\r\nAuthorization: y",
                    "Authorization: Bearer nak_" + new string('k', 7000), "Authorization: Negotiate !!!", "Authorization:");
                break;
        }

        var text = $"{method} {path} {version}\r\n{string.Join("\r\n", headers.Concat(length))}\r\n\r\n{body}";
        // Any of two requests may have lost a character of its version.
        var corrupt = dice.Next(4) == 0;
        return (Encoding.Latin1.GetBytes(corrupt ? Corrupt(dice, text) : text), corrupt || version != "HTTP/1.1");
    }

    /// <summary>One connection's bytes of HTTP/2: right frames with wrong ones among them.</summary>
    public byte[] Http2(Random dice, FullTenant tenant)
    {
        T Pick<T>(params T[] from) => from[dice.Next(from.Length)];
        List<byte[]> frames = [Frame(4, 0, 0, []), Get(1, "/v1/me", tenant.Tenant.Key)];
        for (var more = dice.Next(1, 6); more > 0; more--)
        {
            var stream = (uint)Pick(0, 1, 1, 2, 3, 5, int.MaxValue);
            var noise = new byte[Pick(0, 1, 4, 5, 6, 8, 9, dice.Next(200))];
            dice.NextBytes(noise);
            frames.Insert(dice.Next(frames.Count + 1), dice.Next(9) switch
            {
                0 => Frame((byte)dice.Next(12), (byte)dice.Next(256), stream, noise),
                1 => Frame(1, 0x05, stream, noise),
                2 => Get(
                    3, Pick("", "*", "no-slash", "/v1/\0", $"/{new string('p', 20_000)}", "/v1/%zz"), Pick(tenant.Tenant.Key, "\u0001")),
                3 => Frame(
                    4, Pick<byte>(0, 1), 0,
                    Pick<byte[]>(noise, [0, 4, 0xFF, 0xFF, 0xFF, 0xFF], [0, 5, 0, 0, 0, 0], [0, 2, 0, 0, 0, 9])),
                4 => Frame(8, 0, stream, Pick<byte[]>([0, 0, 0, 0], [0x7F, 0xFF, 0xFF, 0xFF], noise)),
                5 => Frame(9, 0x04, stream, noise),
                6 => [.. Enumerable.Repeat(Frame(3, 0, 1, [0, 0, 0, 8]), 20).SelectMany(frame => frame)],
                7 => Headers(3, [(":method", Pick("POST", "TRACE", "")), (":path", "/v1/runs"), (":scheme", Pick("https", "ftp", "")),
                    (Pick("Upper", ":unknown", "connection", "te", ":path", ""), Pick("x", "chunked", "\0"))]),
                _ => [.. Headers(3, [(":method", "POST"), (":path", "/v1/runs"), (":scheme", "https"), (":authority", server),
                        ("content-type", "application/json"), ("content-length", Pick("1", "-1", "99", "x"))], end: false),
                    .. Frame(0, Pick<byte>(0, 1, 9), 3, noise)],
            });
        }

        byte[] sent = [.. dice.Next(10) == 0 ? _preface[..dice.Next(_preface.Length)] : _preface, .. frames.SelectMany(frame => frame)];
        return dice.Next(4) == 0 ? Encoding.Latin1.GetBytes(Corrupt(dice, Encoding.Latin1.GetString(sent))) : sent;
    }

    /// <summary>A right request of HTTP/2.</summary>
    public byte[] Get2(string path) => [.. _preface, .. Frame(4, 0, 0, []), .. Get(1, path, "x")];

    /// <summary>The status of each answer that came before the server closed or had nothing more to say.</summary>
    public static async Task<List<int>> Ask(
        Func<IPEndPoint> address, ServerCertificate certificate, string endpoint, byte[] sent, bool http2, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(_patience);
        using var got = new MemoryStream();
        try
        {
            var stream = await ProxyV2.Connect(address(), ProxyV2.Header(endpoint), cancel);
            await using var tls = new SslStream(stream, leaveInnerStreamOpen: false);
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = certificate.ServerName, CertificateChainPolicy = ServiceHost.Trust(certificate),
                    ApplicationProtocols = [http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11],
                }, cancel);
            await tls.WriteAsync(sent, deadline.Token);
            if (http2)
            {
                await Listen(tls, got, deadline.Token);
                return Statuses2(got.ToArray());
            }

            // No more will come: a server that waits for a rest need not wait for its own deadline.
            await tls.ShutdownAsync();
            await tls.CopyToAsync(got, deadline.Token);
        }
        catch (Exception closed) when (closed is IOException or SocketException or AuthenticationException or OperationCanceledException)
        {
            // Closing without an answer is right for bytes that are no request.
        }

        var bytes = got.ToArray();
        return http2 ? Statuses2(bytes) : Statuses1(Encoding.Latin1.GetString(bytes));
    }

    /// <summary>
    /// HTTP/2 takes the end of what it reads for the end of all streams, so the connection stays open until the server has answered.
    /// </summary>
    private static async Task Listen(SslStream tls, MemoryStream got, CancellationToken cancel)
    {
        var buffer = new byte[16 * 1024];
        int read;
        do
        {
            using var quiet = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            quiet.CancelAfter(Statuses2(got.ToArray()).Count > 0 ? _quiet : _patience);
            read = await tls.ReadAsync(buffer, quiet.Token);
            got.Write(buffer, 0, read);
        }
        while (read > 0);
    }

    private static List<int> Statuses1(string text)
    {
        var found = new List<int>();
        for (var at = 0; (at = text.IndexOf("HTTP/1.1 ", at, StringComparison.Ordinal)) >= 0; at += 9)
        {
            if (text.Length >= at + 12 && int.TryParse(text.AsSpan(at + 9, 3), CultureInfo.InvariantCulture, out var status))
            {
                found.Add(status);
            }
        }

        return found;
    }

    // A block of headers of this server begins with its status: an index of HPACK's static table, or a literal of that name.
    private static List<int> Statuses2(byte[] bytes)
    {
        var found = new List<int>();
        for (var at = 0; at + 9 <= bytes.Length;)
        {
            var length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
            if (bytes[at + 3] == 1 && length > 4 && at + 9 + length <= bytes.Length)
            {
                var block = bytes.AsSpan(at + 9, length);
                // A change of the dynamic table's size may come before.
                block = (block[0] & 0xE0) == 0x20 ? block[1..] : block;
                int[] table = [200, 204, 206, 304, 400, 404, 500];
                if (block[0] is >= 0x88 and <= 0x8E)
                {
                    found.Add(table[block[0] - 0x88]);
                }
                else if (block.Length >= 5 && (block[0] & 0x0F) is >= 8 and <= 14 && block[1] == 3)
                {
                    found.Add(int.Parse(Encoding.ASCII.GetString(block.Slice(2, 3)), CultureInfo.InvariantCulture));
                }
            }

            at += 9 + length;
        }

        return found;
    }

    private byte[] Get(uint stream, string path, string key) => Headers(
        stream, [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", server), ("authorization", $"Bearer {key}")]);

    /// <summary>HEADERS with literals that are neither compressed nor indexed.</summary>
    private static byte[] Headers(uint stream, (string Name, string Value)[] fields, bool end = true)
    {
        var block = new List<byte>();
        foreach (var (name, value) in fields)
        {
            block.Add(0);
            Text(name);
            Text(value);
        }

        return Frame(1, (byte)(end ? 0x05 : 0x04), stream, [.. block]);

        void Text(string text)
        {
            var bytes = Encoding.Latin1.GetBytes(text);
            if (bytes.Length < 127)
            {
                block.Add((byte)bytes.Length);
            }
            else
            {
                block.Add(127);
                var rest = bytes.Length - 127;
                for (; rest >= 128; rest /= 128)
                {
                    block.Add((byte)((rest % 128) + 128));
                }

                block.Add((byte)rest);
            }

            block.AddRange(bytes);
        }
    }

    private static byte[] Frame(byte type, byte flags, uint stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[0], frame[1], frame[2]) = ((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }

    private static string Corrupt(Random dice, string text)
    {
        var characters = text.ToList();
        for (var times = dice.Next(1, 6); times > 0 && characters.Count > 0; times--)
        {
            var at = dice.Next(characters.Count);
            switch (dice.Next(4))
            {
                case 0: characters[at] = (char)dice.Next(256); break;
                case 1: characters.RemoveAt(at); break;
                case 2: characters.Insert(at, (char)dice.Next(256)); break;
                default: characters.RemoveRange(at, Math.Min(dice.Next(20), characters.Count - at)); break;
            }
        }

        return new string([.. characters]);
    }

    private static string Value(ApiOperation operation, FullTenant tenant, string name) => name switch
    {
        "block" => "static-routes",
        "version" => "1.0.0",
        "rid" => "linux-x64",
        "name" => FullTenant.Artifact,
        _ => tenant.PathId(operation, name),
    };
}
