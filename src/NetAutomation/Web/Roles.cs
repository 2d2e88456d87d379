namespace NetAutomation.Web;

/// <summary>What this process does, by the key <c>Roles</c>; everything where nothing is said.</summary>
/// <param name="Api">Serves customers, connectors, operators and registration.</param>
/// <param name="Worker">Claims runs and executes them.</param>
/// <param name="Scheduler">Runs what happens by the clock.</param>
internal sealed record Roles(bool Api, bool Worker, bool Scheduler)
{
    private static readonly string[] _known = ["api", "worker", "scheduler"];

    public static Roles Of(IConfiguration configuration)
    {
        var roles = configuration.GetSection(nameof(Roles)).Get<string[]>() ?? _known;
        return roles.FirstOrDefault(role => !_known.Contains(role, StringComparer.Ordinal)) is { } unknown
            ? throw new InvalidOperationException($"Roles holds '{unknown}'; known are {string.Join(", ", _known)}.")
            : new(roles.Contains("api"), roles.Contains("worker"), roles.Contains("scheduler"));
    }
}
