using System.Net;

namespace NetAutomation.Connector;

/// <summary>The service answered, and the answer was no.</summary>
internal sealed class RefusedException(HttpStatusCode status, string why, TimeSpan? retryAfter) : Exception(why)
{
    public HttpStatusCode Status => status;

    public TimeSpan? RetryAfter => retryAfter;

    public static void ThrowUnlessOk(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new RefusedException(response.StatusCode, Explain(response.StatusCode), response.Headers.RetryAfter?.Delta);
        }
    }

    private static string Explain(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized => "401: the service does not accept this key, or the join token is used or expired",
        HttpStatusCode.Forbidden => "403: revoked, or this VPC endpoint belongs to another tenant",
        HttpStatusCode.UpgradeRequired => "426: this connector is too old; install the current version",
        HttpStatusCode.ServiceUnavailable => "503: the service drains or is full",
        _ => $"the service answered {(int)status}",
    };
}
