using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Makes the key on this host and binds it with the one-time join token. Safe to repeat with the same token.</summary>
internal static class JoinCommand
{
    public static async Task<int> Run(CommandLine options, TextReader input, ConnectorLog log, CancellationToken cancel)
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
                await File.ReadAllTextAsync(options["--ca"], cancel));
        var tokenFile = options["--token-file"];
        var token = (tokenFile == "-" ? await input.ReadLineAsync(cancel) : await File.ReadAllTextAsync(tokenFile, cancel))?.Trim();
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
        var reply = await Join(state, key, token, cancel);
        (state with { Connector = reply.Connector, Name = reply.Name }).Save(directory);
        log.Info($"joined connector={reply.Connector} site={reply.Site}");
        return 0;
    }

    private static async Task<JoinReply> Join(ConnectorState state, ECDsa key, string token, CancellationToken cancel)
    {
        using var service = new ServiceClient(state);
        using var ask = new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath);
        var challenge = await service.Ask(ask, TunnelJson.Default.Challenge, cancel);
        var proof = Proof.Sign(key, new JoinStatement(state.ServerName, Proof.Digest(token), challenge.Nonce));
        var body = new JoinRequest(token, Proof.PublicKey(key), proof, ConnectorVersion.Text);
        using var request = new HttpRequestMessage(HttpMethod.Post, TunnelProtocol.JoinPath)
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, TunnelJson.Default.JoinRequest))
            {
                Headers = { ContentType = new("application/json") },
            },
        };
        return await service.Ask(request, TunnelJson.Default.JoinReply, cancel);
    }

    // A join whose answer was lost is repeated with the same token and key, so a failed join keeps the key.
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
