using Microsoft.Extensions.Configuration.Json;

namespace NetAutomation.Edge.Authenticate;

/// <summary>
/// The operators' keys as a file, <c>Operator:KeysFile</c>: whoever takes a key out of it ends that key without a restart. Where the file
/// cannot be read any more, none of its keys is valid.
/// </summary>
internal static class OperatorKeysFile
{
    public static void Add(IConfigurationManager configuration)
    {
        if (configuration["Operator:KeysFile"] is not { Length: > 0 } path)
        {
            return;
        }

        var source = new JsonConfigurationSource { Path = Path.GetFullPath(path), ReloadOnChange = true, ReloadDelay = 100 };
        source.ResolveFileProvider();
        configuration.Add(source);
        // From now on. At the start an unreadable file is a fault of the configuration.
        source.OnLoadException = unreadable => unreadable.Ignore = true;
    }
}
