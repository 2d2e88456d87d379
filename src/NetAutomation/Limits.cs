namespace NetAutomation;

/// <summary>A limit on what one tenant may have.</summary>
/// <param name="Name">As the API and the database name it.</param>
/// <param name="Default">Where an operator said nothing else.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Description">When it is counted, for a person.</param>
/// <param name="Monthly">Counted over a calendar month (UTC), not over what there is.</param>
internal sealed record Limit(string Name, long Default, string Unit, string Description, bool Monthly = false);

/// <summary>
/// Every limit on counts. The migrate verb writes the defaults into the database, where the inserting statements hold them
/// (<c>web.take</c>, <c>runs.count_queued</c>); an operator changes one for a tenant.
/// </summary>
internal static class Limits
{
    public static IReadOnlyList<Limit> All { get; } =
    [
        new("devices", 10_000, "device", "Devices in the inventory."),
        new("sites", 200, "site", "Sites in the inventory."),
        new("credentials", 1_000, "credential", "Logins and secrets."),
        new("connectors", 50, "connector", "Connectors that are not revoked."),
        new("api_keys", 100, "key", "API keys that are neither revoked nor expired."),
        new("members", 500, "member", "Members, disabled ones too."),
        new("aws_accounts", 50, "account", "AWS accounts, proven or claimed."),
        new("windows", 50, "window", "Windows."),
        new("schedules", 500, "schedule", "Schedules."),
        new("queued_runs", 5_000, "run", "Runs in the queue. A run that comes back, because its worker was lost, is not refused."),
        new("quotes", 1_000, "quote", "Quotes that no run has used and that have not expired."),
        new("device_tests", 5, "test", "Tests of many devices that are open."),
        new("event_rows", 20_000_000, "event", "Events of the runs that ended in the month; above it no run starts.", Monthly: true),
        new(
            "artifact_bytes", 50L << 30, "byte",
            "Artifacts, results and diffs of the runs that ended in the month; above it no run starts.", Monthly: true),
        new(
            "history_bytes", 20L << 30, "byte",
            "Configurations in the history, as they are stored. Above it nothing is refused: the oldest of the device that has most go."),
    ];
}
