using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using NetAutomation.AwsSimulator.State;

namespace NetAutomation.AwsSimulator.Nlb;

/// <summary>Checks targets as an NLB node does: with PROXY v2 on, checks carry a LOCAL header too.</summary>
internal sealed class HealthChecks(LoadBalancer loadBalancer, Front front)
{
    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(50);

    public async Task RunAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(_tick);
        try
        {
            while (await timer.WaitForNextTickAsync(cancel))
            {
                front.CutIdle();
                foreach (var (group, target, proxyProtocol) in loadBalancer.TakeDueChecks())
                {
                    _ = CheckAsync(group, target, proxyProtocol, cancel);
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task CheckAsync(TargetGroup group, Target target, bool proxyProtocol, CancellationToken cancel)
    {
        var check = group.HealthCheck;
        var at = new IPEndPoint(target.EndPoint.Address, check.Port ?? target.EndPoint.Port);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(check.TimeoutMilliseconds);
        (string, string)? failure = null;
        try
        {
            using var socket = await Front.ConnectAsync(at, limit.Token);
            await using var stream = new NetworkStream(socket);
            if (proxyProtocol)
            {
                await stream.WriteAsync(ProxyHeader.Local(), limit.Token);
            }
            if (check.Protocol != "TCP")
            {
                failure = await AskAsync(stream, at, check, limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            failure = ("Target.Timeout", "Request timed out");
        }
        catch (Exception error) when (error is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            failure = ("Target.FailedHealthChecks", "Health checks failed");
        }
        loadBalancer.Checked(group, target, failure);
    }

    private static async Task<(string, string)?> AskAsync(
        NetworkStream plain, IPEndPoint at, HealthCheckOptions check, CancellationToken cancel)
    {
        Stream stream = plain;
        if (check.Protocol == "HTTPS")
        {
            // Load balancers do not validate a target's certificate.
#pragma warning disable CA5359, S4830
            var tls = new SslStream(plain, leaveInnerStreamOpen: true, (_, _, _, _) => true);
#pragma warning restore CA5359, S4830
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = at.Address.ToString() }, cancel);
            stream = tls;
        }
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"GET {check.Path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n"), cancel);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var words = (await reader.ReadLineAsync(cancel) ?? "").Split(' ');
        return words.Length < 2 || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var status)
            ? ("Target.FailedHealthChecks", "Health checks failed")
            : status is >= 200 and <= 399 ? null : ("Target.ResponseCodeMismatch", $"Health checks failed with these codes: [{status}]");
    }
}
