namespace NetAutomation.Deployment;

/// <summary>The folder of the repository.</summary>
internal static class Root
{
    public static readonly string Path = Find();

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(directory.FullName, "NetAutomation.sln")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException("Tests run inside of the repository.");
    }
}
