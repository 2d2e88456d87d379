using System.Net;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>The service answered, and the answer was no.</summary>
internal sealed class RefusedException(HttpStatusCode status, string? reason, string why, TimeSpan? retryAfter) : Exception(why)
{
    public HttpStatusCode Status => status;

    /// <summary>One of <see cref="RefusalReasons"/>, where the service gave one.</summary>
    public string? Reason => reason;

    public TimeSpan? RetryAfter => retryAfter;

    public static void ThrowUnlessOk(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK)
        {
            var reason = Header(response, TunnelProtocol.ReasonHeader);
            var why = $"{(int)response.StatusCode}: {Explain(response, reason)}";
            throw new RefusedException(response.StatusCode, reason, why, response.Headers.RetryAfter?.Delta);
        }
    }

    private static string Explain(HttpResponseMessage response, string? reason) => (reason, response.StatusCode) switch
    {
        (RefusalReasons.Revoked, _) => "this connector was revoked; create a new one and join it",
        (RefusalReasons.Cloned, _) =>
            "this connector is locked, since two copies of its state directory were alive at once; revoke it, find the copy, create a new "
                + "one and join it",
        (RefusalReasons.Superseded, _) => "a newer start of this connector's state directory has attached",
        (RefusalReasons.Clock, _) =>
            $"this host's clock is more than {TunnelProtocol.ProofSkew.TotalMinutes:0} minutes off; set it, for example with NTP",
        (RefusalReasons.Endpoint, _) =>
            "the VPC endpoint this connection came through is not connected to the service; accept or create it first",
        (_, HttpStatusCode.Unauthorized) =>
            "the service does not accept this key, or the join token is used or expired; a connector of another tenant's endpoint is not "
                + "known either",
        (_, HttpStatusCode.Forbidden) => "the service refuses this connector or the VPC endpoint it came through",
        (_, HttpStatusCode.UpgradeRequired) =>
            $"the service speaks protocol {Header(response, TunnelProtocol.AcceptedHeader) ?? "versions other than this one"}, this "
                + $"connector {TunnelProtocol.Version}; install the current version",
        (_, HttpStatusCode.ServiceUnavailable) => "the service drains or is full; this passes",
        _ => "not an answer a connector knows",
    };

    // The header of an unknown server goes to a log, so only a short plain word passes.
    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) && values.FirstOrDefault() is { Length: <= 40 } value
            && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.') ? value : null;
}
