using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using NetAutomation.Connectors.Links;
using NetAutomation.Persistence;

namespace NetAutomation.Connectors.Peers;

/// <summary>The links that other replicas hold: found in the database, reached over their peer listeners.</summary>
internal sealed class PeerLinks(
    PeerClient client, LinkStore store, LinkHub hub, PeerIdentity self, IOptions<PeerOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<(RunId Run, string Url), DateTimeOffset> _used = new();
    private readonly ConcurrentDictionary<(TenantId, SiteId), IReadOnlyList<string>> _serving = new();

    /// <summary>Other replicas that hold a live link of the site; while the database is away, those it named last.</summary>
    public async Task<IReadOnlyList<string>> Serving(TenantId tenant, SiteId site, CancellationToken cancel)
    {
        if (!options.Value.IsSet)
        {
            return [];
        }

        try
        {
            return _serving[(tenant, site)] = Others((await store.Sessions(tenant, cancel)).Where(s => s.Live && s.Site == site));
        }
        catch (Exception fault) when (Outage.Is(fault))
        {
            return _serving.GetValueOrDefault((tenant, site)) ?? [];
        }
    }

    public Task<DialResult> Dial(string url, DeviceDial dial, TimeSpan timeout, CancellationToken cancel)
    {
        if (dial.Run is { } run)
        {
            _used[(run, url)] = clock.GetUtcNow();
        }

        return client.Dial(url, dial, timeout, cancel);
    }

    public Task TellFence(DeviceDial dial, IEnumerable<string> urls) =>
        Task.WhenAll(
            urls.Select(url => client.Ask(PeerCall.Of(PeerCall.FencesPath, url, dial, _patience), _patience, CancellationToken.None)));

    public async Task Permit(TenantId tenant, RunId run, long fence)
    {
        if (!options.Value.IsSet)
        {
            return;
        }

        IEnumerable<string> urls = Used(run);
        try
        {
            urls = urls.Union(Others((await store.Sessions(tenant, CancellationToken.None)).Where(s => s.Live)));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Without the database the run goes on where it has its streams.
        }

        await Task.WhenAll(urls.Select(url =>
        {
            _used[(run, url)] = clock.GetUtcNow();
            return client.Ask(new PeerCall(PeerCall.PermitsPath, url, tenant.Value, run.Value, fence), _patience, CancellationToken.None);
        }));
        Forget();
    }

    /// <summary>
    /// True once every replica that may hold a stream of the run has said that it holds none, or its permit must have lapsed.
    /// </summary>
    public async Task<bool> ConfirmNoStreams(TenantId tenant, RunId run, long fence, TimeSpan within, CancellationToken cancel)
    {
        IReadOnlyList<LinkStore.KnownSession> sessions;
        try
        {
            sessions = await store.Sessions(tenant, cancel);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return false;
        }

        var held = hub.All.Select(l => l.Id.Value).ToHashSet();
        if (options.Value.IsSet)
        {
            var urls = Used(run).Union(Others(sessions)).ToList();
            var answers = await Task.WhenAll(urls.Select(url => client.Confirm(
                new PeerCall(PeerCall.ConfirmPath, url, tenant.Value, run.Value, fence) { WithinMs = (int)within.TotalMilliseconds },
                cancel)));
            foreach (var (url, answer) in urls.Zip(answers))
            {
                var lapsed = !_used.TryGetValue((run, url), out var at) || clock.GetUtcNow() >= at + LinkHub.CertainAfter;
                if (!(answer?.Confirmed ?? lapsed))
                {
                    return false;
                }

                held.UnionWith(answer?.Sessions ?? []);
            }
        }

        // A session that no replica names may still be open at its connector.
        return sessions.All(s => !s.Attached || held.Contains(s.Id));
    }

    private List<string> Others(IEnumerable<LinkStore.KnownSession> sessions) =>
        [.. sessions.Select(s => s.Url).OfType<string>().Where(url => url != self.Url).Distinct()];

    private List<string> Used(RunId run) => [.. _used.Keys.Where(used => used.Run == run).Select(used => used.Url)];

    private void Forget()
    {
        foreach (var (use, at) in _used.Where(used => clock.GetUtcNow() >= used.Value + (2 * LinkHub.CertainAfter)))
        {
            _used.TryRemove(KeyValuePair.Create(use, at));
        }
    }
}
