using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>Checks the path from this host to the service, and asks the service for the status of this connector.</summary>
internal sealed class ServiceDoctor(ConnectorState state, ECDsa key, TimeProvider clock, Action<Finding> say)
{
    public static readonly string[] Steps = ["dns", "tcp", "tls", "clock", "key", "protocol"];
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _noticeable = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan _soon = TimeSpan.FromDays(7);
    private readonly HashSet<string> _said = [];
    private string _at = "";

    public async Task Run(CancellationToken cancel)
    {
        if (await Resolve(cancel) is { } addresses && await Connect(addresses, cancel) is { } socket)
        {
            using (socket)
            {
                if (await Secure(socket, cancel))
                {
                    await Ask(cancel);
                }
            }
        }

        foreach (var step in Steps.Where(s => !_said.Contains(s)))
        {
            Say(step, "skipped", null, $"needs the step {_at}");
        }
    }

    private async Task<IPAddress[]?> Resolve(CancellationToken cancel)
    {
        const string step = "dns";
        if (IPAddress.TryParse(state.Address ?? state.Endpoint, out var literal))
        {
            Say(step, "ok", null, $"not asked: joined with the address {literal}");
            return [literal];
        }

        using var timeout = cancel.Within(_patience);
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(state.Endpoint, timeout.Token);
            Say(step, "ok", null, $"{state.Endpoint} is {string.Join(", ", addresses.Select(a => a.ToString()))}");
            return addresses;
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            Say(step, "wrong", "dns-unknown",
                $"this host's name server does not know {state.Endpoint}: use the name server of the VPC with the endpoint, or join "
                    + "anew with --address and an IP address of the endpoint");
            return null;
        }
    }

    private async Task<Socket?> Connect(IPAddress[] addresses, CancellationToken cancel)
    {
        const string step = "tcp";
        var (code, message) = ("", "");
        foreach (var address in addresses)
        {
            var target = new IPEndPoint(address, state.Port);
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            using var timeout = cancel.Within(_patience);
            try
            {
                await socket.ConnectAsync(target, timeout.Token);
                Say(step, "ok", null, $"{target} accepts the connection");
                return socket;
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                (code, message) = ("tcp-timeout",
                    $"{target} does not answer within {_patience.TotalSeconds:0} s: let TCP {state.Port} from this host pass the "
                        + "endpoint's security group and every firewall between");
            }
            catch (SocketException e)
            {
                (code, message) = e.SocketErrorCode == SocketError.ConnectionRefused
                    ? ("tcp-refused",
                        $"{target} refuses the connection: check that this is the address of the VPC endpoint and the port the service "
                            + "names")
                    : ("tcp-unreachable",
                        $"{target} cannot be reached ({e.SocketErrorCode}): check the route from this host to the VPC endpoint");
            }

            socket.Dispose();
        }

        Say(step, "wrong", code, message);
        return null;
    }

    private async Task<bool> Secure(Socket socket, CancellationToken cancel)
    {
        const string step = "tls";
        X509ChainPolicy policy;
        try
        {
            policy = ServiceClient.Trust(state);
        }
        catch (CryptographicException)
        {
            policy = new X509ChainPolicy();
        }

        if (policy.CustomTrustStore.Count == 0)
        {
            Say(step, "wrong", "ca-damaged",
                "the authority in connector.json cannot be read: revoke the connector, create a new one and join it under a new directory "
                    + "with the CA given then");
            return false;
        }

        (string Code, string Message)? fault = null;
        var shown = "";
        var expires = DateTime.MaxValue;
        bool Judge(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            using var server = certificate is null ? null : new X509Certificate2(certificate);
            shown = server?.GetNameInfo(X509NameType.DnsName, false) ?? "";
            expires = server?.NotAfter.ToUniversalTime() ?? expires;
            fault = errors == SslPolicyErrors.None
                ? null : server is null ? ("tls-none", "the other end shows no certificate") : Fault(server, chain, errors);
            return fault is null;
        }

        await using var tls = new SslStream(new NetworkStream(socket));
        using var timeout = cancel.Within(_patience);
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = state.ServerName,
                    CertificateChainPolicy = policy,
                    RemoteCertificateValidationCallback = Judge,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                },
                timeout.Token);
            if (tls.NegotiatedApplicationProtocol != SslApplicationProtocol.Http2)
            {
                fault = ("tls-no-http2",
                    $"port {state.Port} speaks TLS but not HTTP/2: check that the port is the one for connectors, and that nothing on the "
                        + "way opens TLS");
            }
        }
        catch (Exception e) when (
            e is IOException or AuthenticationException or SocketException
                || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            fault ??= ("tls-none",
                $"TCP works, but no TLS comes about ({e.GetBaseException().Message}): the endpoint's connection may not be accepted yet, "
                    + $"no service may run behind it, or port {state.Port} is not the one for connectors");
        }

        if (fault is { } found)
        {
            Say(step, "wrong", found.Code, found.Message);
            return false;
        }

        var soon = expires - clock.GetUtcNow().UtcDateTime < _soon;
        Say(step, soon ? "warning" : "ok", soon ? "tls-expires-soon" : null,
            $"{tls.SslProtocol}, the certificate is {state.ServerName}'s, by the authority given at the join, until {Day(expires)}"
                + (soon ? ": the provider must renew it" : ""));
        return true;

        (string Code, string Message) Fault(X509Certificate2 server, X509Chain? chain, SslPolicyErrors errors)
        {
            var now = clock.GetUtcNow().UtcDateTime;
            var local = $"this host's clock says {now.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} UTC";
            return now < server.NotBefore.ToUniversalTime()
                ? ("tls-not-yet-valid",
                    $"the certificate is valid only from {Day(server.NotBefore.ToUniversalTime())}, and {local}: set the clock")
                : now > server.NotAfter.ToUniversalTime() ? ("tls-expired",
                    $"the certificate was valid until {Day(server.NotAfter.ToUniversalTime())}, and {local}: set the clock, or tell the "
                        + "provider if it is right")
                : chain is not null && chain.ChainStatus.Any(s => s.Status is not X509ChainStatusFlags.NoError) ? ("tls-authority",
                    "the certificate is not by the authority given at the join: something on the way opens TLS (exempt this host), or the "
                        + "provider has a new authority (join anew with its CA)")
                : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? ("tls-name",
                    $"the certificate is for {shown}, not for {state.ServerName}: the address leads to another host, or the connector was "
                        + "joined with the wrong --server-name")
                : ("tls-authority", "the certificate cannot be verified with the authority given at the join");
        }
    }

    private async Task Ask(CancellationToken cancel)
    {
        using var timeout = cancel.Within(2 * _patience);
        try
        {
            using var service = new ServiceClient(state);
            using var challenge = await service.Send(new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.ChallengePath), timeout.Token);
            if (!CheckClock(challenge.Headers.Date))
            {
                return;
            }

            RefusedException.ThrowUnlessOk(challenge);
            var nonce =
                JsonSerializer.Deserialize(
                    await challenge.Content.ReadAsByteArrayAsync(timeout.Token), TunnelJson.Default.Challenge)!.Nonce;
            var statement = new CheckStatement(state.ServerName, state.Connector, nonce, clock.GetUtcNow());
            using var request = new HttpRequestMessage(HttpMethod.Get, TunnelProtocol.CheckPath)
            {
                Headers =
                    { { TunnelProtocol.ConnectorHeader, state.Connector }, { TunnelProtocol.ProofHeader, Proof.Sign(key, statement) } },
            };
            var reply = await service.Ask(request, TunnelJson.Default.CheckReply, timeout.Token);
            var links = reply.Links == 0 ? "no link is attached now: start the connector" : $"{reply.Links} attached now";
            Say("key", "ok", null, $"the service accepts it; {links}");
            var outdated = Version.TryParse(reply.UpdateTo, out var newest) && Version.TryParse(ConnectorVersion.Text, out var own)
                && newest > own;
            Say("protocol", outdated ? "warning" : "ok", outdated ? "update-available" : null,
                $"the service speaks protocol {TunnelProtocol.Version}; this is connector {ConnectorVersion.Text}"
                    + (outdated ? $", install {newest}" : ""));
        }
        catch (RefusedException e)
        {
            Refused(e);
        }
        catch (Exception e) when (
            e is HttpRequestException or IOException or JsonException
                || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            Say(_said.Contains("clock") ? "key" : "clock", "wrong", "no-answer",
                $"TLS works, but the service gives no usable answer ({e.GetBaseException().Message}): try again, then tell the provider");
        }
    }

    private bool CheckClock(DateTimeOffset? theirs)
    {
        const string step = "clock";
        var off = clock.GetUtcNow() - theirs ?? TimeSpan.Zero;
        var words = $"{off.Duration().TotalSeconds:0} s {(off < TimeSpan.Zero ? "behind" : "ahead of")} the service's";
        if (off.Duration() > TunnelProtocol.ProofSkew)
        {
            Say(step, "wrong", "clock-off",
                $"this host's clock is {words}, more than the {TunnelProtocol.ProofSkew.TotalMinutes:0} minutes allowed: set it, for "
                    + "example with NTP");
            return false;
        }

        var drifts = off.Duration() > _noticeable;
        Say(step, drifts ? "warning" : "ok", drifts ? "clock-drifts" : null,
            drifts ? $"this host's clock is {words}: set it, for example with NTP" : "agrees with the service's");
        return true;
    }

    private void Refused(RefusedException e)
    {
        switch (e.Status)
        {
            case HttpStatusCode.UpgradeRequired:
                Say("key", "skipped", null, "needs a protocol the service speaks");
                Say("protocol", "wrong", "version-refused", e.Message);
                break;
            case HttpStatusCode.ServiceUnavailable:
                Say("key", "warning", "service-draining", $"{e.Message}; try again in a minute");
                break;
            default:
                Say("key", "wrong", e.Reason switch
                {
                    RefusalReasons.Revoked => "revoked",
                    RefusalReasons.Cloned => "cloned",
                    RefusalReasons.Endpoint => "endpoint-unknown",
                    RefusalReasons.Clock => "clock-off",
                    _ when e.Status == HttpStatusCode.Unauthorized => "key-unknown",
                    _ => "refused",
                }, e.Message);
                break;
        }
    }

    private static string Day(DateTime day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private void Say(string step, string verdict, string? code, string message)
    {
        _said.Add(step);
        _at = verdict is "wrong" or "warning" ? step : _at;
        say(new Finding(step, verdict, code, message));
    }
}
