namespace NetAutomation.Content;

/// <summary>A folder that may not be published. The message names file, line where there is one, and reason.</summary>
internal sealed class ContentException(string message, Exception? inner = null) : FormatException(message, inner)
{
    /// <param name="file">Path below the folder's parent.</param>
    /// <param name="line">Counted from 1; 0 where the fault has no place.</param>
    public static ContentException At(string file, int line, string reason, Exception? inner = null) =>
        new(line > 0 ? $"{file}:{line}: {reason}" : $"{file}: {reason}", inner);
}
