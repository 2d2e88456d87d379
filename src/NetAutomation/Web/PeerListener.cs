using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace NetAutomation.Web;

/// <summary>The listener other replicas call. It is a host of its own: tunnels need other limits than the API.</summary>
/// <param name="Address">Address and port.</param>
/// <param name="Transport">TLS with the service's certificate.</param>
/// <param name="Fault">The reason why this process is not ready; null where it is.</param>
internal sealed record PeerListener(string Address, Action<ListenOptions> Transport, Func<Task<string?>> Fault);
