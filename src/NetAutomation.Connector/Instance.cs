using System.Globalization;
using NetAutomation.Tunnel;

namespace NetAutomation.Connector;

/// <summary>
/// One start of a state directory: a random id that is never stored, and a number on disk that every start raises. If a directory was
/// copied, one copy sends a number that the service knows from another id, or a lower one.
/// </summary>
internal sealed record Instance(string Id, long Generation)
{
    public static Instance Start(string directory)
    {
        var generation = Last(directory) + 1;
        StateFiles.Replace(Path.Combine(directory, "generation"), generation.ToString(CultureInfo.InvariantCulture));
        return new Instance(Proof.RandomId(), generation);
    }

    /// <summary>The generation of the last start; 0 before the first.</summary>
    public static long Last(string directory)
    {
        var path = Path.Combine(directory, "generation");
        long last = 0;
        return !File.Exists(path) || long.TryParse(File.ReadAllText(path), NumberStyles.None, CultureInfo.InvariantCulture, out last)
            ? last
            : throw new InvalidDataException($"{path} is damaged. Restore it, or join again under a new state directory.");
    }
}
