namespace NetAutomation.Web;

/// <summary>The duties of this process, by the key <c>Roles</c>; all of them where the key is missing.</summary>
/// <param name="Api">Serves customers, connectors, operators and registration.</param>
/// <param name="Worker">Claims runs and executes them.</param>
/// <param name="Scheduler">Runs the loops that no request starts.</param>
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
