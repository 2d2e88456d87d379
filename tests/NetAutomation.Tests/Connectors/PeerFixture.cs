using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NetAutomation.Connectors;
using NetAutomation.Connectors.Peers;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Connectors;

/// <summary>
/// Replica A, to which connectors attach, and B, a worker without a listener for them, on one database. B reaches A through a relay.
/// </summary>
internal sealed class PeerFixture : IAsyncDisposable
{
    private PeerFixture(ConnectorPair a, IHost b, TcpRelay relay) => (A, B, Relay) = (a, b, relay);

    public ConnectorPair A { get; }

    public IHost B { get; }

    public TcpRelay Relay { get; }

    public TestDevice Device { get; } = new();

    public DeviceDialler Dialler => B.Services.GetRequiredService<DeviceDialler>();

    public PeerLinks Peers => B.Services.GetRequiredService<PeerLinks>();

    public static async Task<PeerFixture> Start(PostgresServer postgres)
    {
        var relay = new TcpRelay();
        var a = await ConnectorPair.Start(postgres, relay.Url);
        relay.Target = a.Service<PeerHost>().Address.Port;
        return new PeerFixture(a, await a.StartWorker(), relay);
    }

    public async Task<TunnelStream> Open(DeviceDial dial)
    {
        var result = await Dialler.Dial(dial, TimeSpan.FromSeconds(10), default);
        result.Code.ShouldBeNull(result.Detail);
        return result.Stream.ShouldBeOfType<PeerStream>();
    }

    public async Task<string?> Code(DeviceDial dial) => (await Dialler.Dial(dial, TimeSpan.FromSeconds(5), default)).Code;

    public Task<bool> Confirm(RunId run, long fence) => Dialler.ConfirmNoStreams(A.Tenant, run, fence, TimeSpan.FromSeconds(10), default);

    public async ValueTask DisposeAsync()
    {
        Device.Dispose();
        await A.DisposeAsync();
        Relay.Dispose();
    }
}
