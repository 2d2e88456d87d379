using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using NetAutomation.Tests.Support;

namespace NetAutomation.EndToEnd;

/// <summary>
/// Headless Chromium with a fresh profile, driven over the DevTools protocol. It resolves one name, to the customer's endpoint.
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    private const string Program = "/usr/bin/chromium";
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    private readonly Process _process;
    private readonly DirectoryInfo _profile;
    private readonly ClientWebSocket _socket = new();
    private string? _session;
    private int _calls;

    private Browser(Process process, DirectoryInfo profile) => (_process, _profile) = (process, profile);

    public static bool Installed => File.Exists(Program);

    /// <param name="trustedKey">
    /// SHA-256 of the authority's public key, in base64: the browser trusts only certificates of this authority.
    /// </param>
    public static async Task<Browser> Start(string name, string address, string trustedKey)
    {
        var profile = Directory.CreateTempSubdirectory("netautomation-browser-");
        var start = new ProcessStartInfo(
            Program,
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync", "--remote-debugging-port=0", $"--user-data-dir={profile.FullName}",
                $"--host-resolver-rules=MAP {name} {address}, MAP * ~NOTFOUND",
                $"--ignore-certificate-errors-spki-list={trustedKey}", "about:blank",
            ])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        };
        var browser = new Browser(Process.Start(start)!, profile);
        using var deadline = new CancellationTokenSource(_patience);
        string? line;
        do
        {
            line = await browser._process.StandardError.ReadLineAsync(deadline.Token)
                ?? throw new InvalidOperationException("The browser ended.");
        }
        while (!line.StartsWith("DevTools listening on ", StringComparison.Ordinal));

        _ = browser._process.StandardError.ReadToEndAsync();
        await browser._socket.ConnectAsync(new Uri(line["DevTools listening on ".Length..]), deadline.Token);
        var target = await browser.Call("Target.createTarget", new JsonObject { ["url"] = "about:blank" });
        var attached =
            await browser.Call(
                "Target.attachToTarget", new JsonObject { ["targetId"] = target["targetId"]!.GetValue<string>(), ["flatten"] = true });
        browser._session = attached["sessionId"]!.GetValue<string>();
        return browser;
    }

    public Task Open(string url) => Call("Page.navigate", new JsonObject { ["url"] = url });

    /// <summary>Evaluates a script in the page.</summary>
    public async Task<JsonNode?> Evaluate(string script)
    {
        var answer =
            await Call("Runtime.evaluate", new JsonObject { ["expression"] = script, ["returnByValue"] = true, ["awaitPromise"] = true });
        answer["exceptionDetails"].ShouldBeNull(answer.ToJsonString());
        return answer["result"]!["value"];
    }

    /// <summary>Waits until a script returns a true value.</summary>
    public async Task Await(string script)
    {
        if (!await Eventually.Within(_patience, async () => await Evaluate($"!!({script})") is JsonValue value && value.GetValue<bool>()))
        {
            throw new TimeoutException($"{script} stayed false on: {await Evaluate("document.body.innerText.slice(0, 2000)")}");
        }
    }

    /// <summary>Waits for an element and clicks it.</summary>
    public async Task Click(string selector)
    {
        await Await($"document.querySelector('{selector}')");
        await Evaluate($"document.querySelector('{selector}').click()");
    }

    /// <summary>Waits for a field and types into it, as a framework that watches its setter expects.</summary>
    public async Task Type(string selector, string text)
    {
        await Await($"document.querySelector('{selector}')");
        await Evaluate(
            $$"""
            (field => { Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, '{{text}}');
                        field.dispatchEvent(new Event('input', { bubbles: true })); })(document.querySelector('{{selector}}'))
            """);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _profile.Delete(recursive: true);
    }

    private async Task<JsonNode> Call(string method, JsonObject parameters)
    {
        var id = ++_calls;
        var call = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        if (_session is not null)
        {
            call["sessionId"] = _session;
        }

        using var deadline = new CancellationTokenSource(_patience);
        await _socket.SendAsync(
            System.Text.Encoding.UTF8.GetBytes(call.ToJsonString()), WebSocketMessageType.Text, endOfMessage: true, deadline.Token);
        while (true)
        {
            using var message = new MemoryStream();
            var buffer = new byte[65536];
            ValueWebSocketReceiveResult part;
            do
            {
                part = await _socket.ReceiveAsync(buffer.AsMemory(), deadline.Token);
                message.Write(buffer, 0, part.Count);
            }
            while (!part.EndOfMessage);

            var answer = JsonNode.Parse(message.ToArray())!;
            if (answer["id"]?.GetValue<int>() == id)
            {
                return answer["error"] is { } error
                    ? throw new InvalidOperationException($"{method}: {error.ToJsonString()}") : answer["result"]!;
            }
        }
    }
}
