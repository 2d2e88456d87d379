namespace NetAutomation.Persistence;

/// <summary>The keys of PostgreSQL's advisory locks that are numbers; all others are hashes of names.</summary>
internal static class AdvisoryLocks
{
    public const long Migrate = 7205759403;
    public const long PublishBlocks = 7205759404;
    public const long PublishPlatforms = 7205759405;
    public const long Lead = 7205759406;
}
