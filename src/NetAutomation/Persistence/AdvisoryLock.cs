namespace NetAutomation.Persistence;

/// <summary>The keys of PostgreSQL's advisory locks that are numbers; all others are hashes of names.</summary>
internal enum AdvisoryLock : long
{
    Migrate = 7205759403,
    PublishBlocks,
    PublishPlatforms,
    Lead,
    LeaseDeviceTests,
}
