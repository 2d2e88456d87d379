using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Makes the key on this host and binds it with the one-time join token. Safe to repeat with the same token.</summary>
internal static class JoinCommand
{
    public static async Task<int> Run(CommandLine options, TextReader input, ConnectorLog log, CancellationToken ct)
    {
        var (endpoint, port) = ReadEndpoint(options["--endpoint"]);
        var directory = options["--state"];
        if (options.Optional("--address") is { } address && !IPAddress.TryParse(address, out _))
        {
            throw new UsageException("--address takes an IP address");
        }

        var state =
            new ConnectorState(
                "", "", endpoint, port, options["--server-name"], options.Optional("--address"),
                await File.ReadAllTextAsync(options["--ca"], ct));
        var tokenFile = options["--token-file"];
        var token = (tokenFile == "-" ? await input.ReadLineAsync(ct) : await File.ReadAllTextAsync(tokenFile, ct))?.Trim();
        if (string.IsNullOrEmpty(token))
        {
            throw new UsageException("the join token is empty");
        }

        StateFiles.CreateDirectory(directory);
        using var only = StateFiles.Lock(directory);
        if (File.Exists(Path.Combine(directory, "connector.json")))
        {
            throw new InvalidOperationException($"{directory} belongs to a connector that has joined. Use a new directory.");
        }

        using var key = LoadOrCreateKey(directory);
        var reply = await Join(state, key, token, ct);
        (state with { Connector = reply.Connector, Name = reply.Name }).Save(directory);
        log.Info($"joined connector={reply.Connector} site={reply.Site}");
        return 0;
    }

    private static async Task<JoinReply> Join(ConnectorState state, ECDsa key, string token, CancellationToken ct)
    {
        using var service = new ServiceClient(state);
        using var challenge = await service.Send(new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath), ct);
        RefusedException.ThrowUnlessOk(challenge);
        var nonce = JsonSerializer.Deserialize(await challenge.Content.ReadAsByteArrayAsync(ct), TunnelJson.Default.Challenge)!.Nonce;
        var proof = Proof.Sign(key, new JoinStatement(state.ServerName, Proof.Digest(token), nonce));
        var body = new JoinRequest(token, Proof.PublicKey(key), proof, ConnectorVersion.Text);
        using var request = new HttpRequestMessage(HttpMethod.Post, TunnelProtocol.JoinPath)
        {
            Content =
                new ByteArrayContent(
                    JsonSerializer.SerializeToUtf8Bytes(body, TunnelJson.Default.JoinRequest))
                {
                    Headers = { ContentType = new("application/json") }
                },
        };
        using var response = await service.Send(request, ct);
        RefusedException.ThrowUnlessOk(response);
        return JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(ct), TunnelJson.Default.JoinReply)!;
    }

    // The key is kept when the answer to a join was lost, so that the same token can be sent again with the same key.
    private static ECDsa LoadOrCreateKey(string directory)
    {
        var path = Path.Combine(directory, "key.pem");
        if (File.Exists(path))
        {
            return ConnectorState.LoadKey(directory);
        }

        var key = Proof.CreateKey();
        StateFiles.Replace(path, key.ExportPkcs8PrivateKeyPem());
        return key;
    }

    private static (string Host, int Port) ReadEndpoint(string text)
    {
        const int defaultPort = 8444;
        var colon = text.LastIndexOf(':');
        if (colon < 0)
        {
            return (text, defaultPort);
        }

        return int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and < 65536
            ? (text[..colon], port)
            : throw new UsageException("--endpoint takes HOST[:PORT]");
    }
}
