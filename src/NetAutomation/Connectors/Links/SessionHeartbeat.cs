namespace NetAutomation.Connectors.Links;

/// <summary>
/// Keeps the sessions of this process alive in the database and ends those whose connector or endpoint lost its right. While the database
/// is away they stay: runs are held by their permits.
/// </summary>
internal sealed class SessionHeartbeat(LinkHub hub, LinkStore store)
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(20);

    public async Task Beat(CancellationToken cancel)
    {
        hub.Sweep();
        var links = hub.All.ToList();
        if (links.Count == 0)
        {
            return;
        }

        var alive = await store.Seen(links, cancel);
        foreach (var link in links)
        {
            if (!alive.Contains(link.Id) || await link.Endpoint.CurrentTenant(cancel) != link.Tenant)
            {
                link.Close();
            }
        }
    }
}
